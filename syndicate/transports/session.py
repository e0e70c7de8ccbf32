"""One SMTP conversation: greeting to login, then one transaction a letter.

    connect | greeting | EHLO | STARTTLS | EHLO | AUTH     once a connection: an answer concerns the channel
    MAIL | RCPT | DATA | message | final dot               once a letter: from RCPT on an answer concerns the person

Tries each letter once; whether to try again is decided elsewhere.
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from syndicate.config import SmtpSettings
from syndicate.crashpoint import crashpoint
from syndicate.transports.base import Envelope, Fate, Verdict
from syndicate.transports.verdicts import LOGIN_TODO, Trouble, judge, mail_trouble, tls_trouble
from syndicate.transports.wire import ANSWER_LIMIT, Lost, Reply, Wire

RECYCLE = 100  # letters a connection; relays close longer ones, some of them without a word


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds to wait for each answer: RFC 5321 section 4.5.3.2. A short wait after the dot makes duplicates."""

    connect: float = 30
    command: float = 300
    dot: float = 600
    quit: float = 5


class Stale(Exception):
    """A connection that served before is gone, and the dot had not left: say it all again on a fresh one."""


class Session:
    """One connection that has been greeted, secured and logged in."""

    def __init__(self, wire: Wire, settings: SmtpSettings, limits: Limits, tls: Callable[[], ssl.SSLContext]) -> None:
        self.wire = wire
        self.sent = 0  # transactions begun
        self.recycle = RECYCLE
        self._settings = settings
        self._limits = limits
        self._tls = tls
        self._offers: dict[str, str] = {}  # EHLO keyword -> its words
        self._dirty = False  # a transaction was left half done: RSET comes first

    # --- opening: everything here concerns the channel ---

    @classmethod
    async def open(cls, settings: SmtpSettings, limits: Limits, tls: Callable[[], ssl.SSLContext]) -> Session:
        """Connect, greet, secure, log in. Raise Trouble."""
        where = f"{settings.host}:{settings.port}"
        context = tls() if settings.security == "tls" else None
        wire: Wire | None = None
        try:
            wire = await Wire.open(settings.host, settings.port, seconds=limits.connect, tls=context)
            session = cls(wire, settings, limits, tls)
            await session._open(where)
        except BaseException as exc:
            if wire:
                wire.abort("not opened")
            if isinstance(exc, ssl.SSLError):
                raise tls_trouble(where, exc) from exc
            if isinstance(exc, OSError):
                raise Trouble(f"cannot reach {where}: {exc or 'no answer'}") from exc
            if isinstance(exc, Lost):
                raise Trouble(f"{where}: {exc}") from exc
            raise
        return session

    async def _open(self, where: str) -> None:
        greeting = await self.wire.reply(seconds=self._limits.command)
        if greeting.code != 220:
            raise Trouble(f"{where} does not take us: {greeting.code} {greeting.text}", reply=greeting)
        await self._hello(where)
        if self._settings.security == "starttls":
            await self._starttls(where)
            await self._hello(where)  # RFC 3207 section 4.2: what was said in clear is forgotten
        if self._settings.username:
            await self._login()

    async def _hello(self, where: str) -> None:
        reply = await self._command(f"EHLO {_own_name(self.wire)}")
        if reply.code in (500, 501, 502, 504):
            reply = await self._command(f"HELO {_own_name(self.wire)}")
        if reply.code != 250:
            raise Trouble(f"{where} refuses EHLO: {reply.code} {reply.text}", reply=reply)
        words = [line.split(None, 1) for line in reply.lines[1:] if line.strip()]
        self._offers = {word[0].upper(): word[1] if len(word) > 1 else "" for word in words}
        # RFC 9422: how many transactions a connection is good for.
        if found := re.search(r"MAILMAX=([1-9]\d{0,5})\b", self._offers.get("LIMITS", ""), re.I):
            self.recycle = min(RECYCLE, int(found[1]))

    async def _starttls(self, where: str) -> None:
        if "STARTTLS" not in self._offers:
            todo = f'{where} offers no STARTTLS: set email.smtp.port, or email.smtp.security to "tls" or "none"'
            raise Trouble(f"{where} offers no STARTTLS", pauses=todo)
        context = self._tls()
        reply = await self._command("STARTTLS")
        if reply.code != 220:
            raise Trouble(f"{where} refuses STARTTLS: {reply.code} {reply.text}", reply=reply)
        await self.wire.start_tls(context, self._settings.host, seconds=self._limits.command)

    async def _login(self) -> None:
        settings = self._settings
        if settings.security == "none" and not _is_loopback(self.wire.peer()):
            raise Trouble(
                "a password is not sent in clear to another machine",
                pauses='set email.smtp.security to "starttls" or "tls"',
            )
        secret = settings.password.reveal()
        plain = _base64(f"\0{settings.username}\0{secret}")
        offered = self._offers.get("AUTH", "").upper().split()
        if "PLAIN" in offered:
            reply = await self._command(f"AUTH PLAIN {plain}")
        elif "LOGIN" in offered:
            reply = await self._command("AUTH LOGIN")
            for value in (settings.username, secret):
                if reply.code == 334:
                    reply = await self._command(_base64(value))
        else:
            raise Trouble(
                "the server offers neither AUTH PLAIN nor AUTH LOGIN",
                pauses="empty email.smtp.username, or check email.smtp.port and email.smtp.security",
            )
        if reply.code != 235:
            words = reply.text
            for hidden in (plain, _base64(secret), secret):
                words = words.replace(hidden, "***") if hidden else words
            raise Trouble(
                f"the server refuses our login: {reply.code} {words}",
                reply=reply,
                pauses=None if 400 <= reply.code < 500 else LOGIN_TODO,
            )

    # --- one letter ---

    async def transact(self, envelope: Envelope, *, stale: bool) -> Verdict:
        """Send one letter. Raise Trouble (channel), or Stale where `stale` and the line broke before the dot."""
        if impossible := self._impossible(envelope):
            return impossible
        stage = "MAIL"
        try:
            if self._dirty:
                await self._expect("RSET")
                self._dirty = False
            self.sent += 1
            reply = await self._command(self._mail_from(envelope))
            if reply.code == 421 and stale:
                raise Stale
            if not 200 <= reply.code < 300:
                raise self._refused(reply)
            self._dirty = True
            stage = "RCPT"
            reply = await self._command(f"RCPT TO:<{envelope.recipient}>")
            if 200 <= reply.code < 300:
                stage = "DATA"
                reply = await self._command("DATA")
                if reply.code == 354:
                    return await self._message(envelope)
        except Lost as exc:
            if stale:
                raise Stale from exc
            if stage == "MAIL":
                raise Trouble(str(exc)) from exc
            return Verdict(letter=envelope.letter, fate=Fate.DEFERRED, answer=str(exc)[:ANSWER_LIMIT])
        if reply.code < 400:
            self.wire.abort(f"an answer out of place to {stage}: {reply.code}")
            return Verdict(letter=envelope.letter, fate=Fate.DEFERRED, code=reply.code, answer=reply.text)
        if reply.code == 421:
            self.wire.abort("421")
            if stale and not reply.status.startswith("4.7."):
                raise Stale
        return judge(envelope.letter, reply, after_data=stage == "DATA")

    async def _message(self, envelope: Envelope) -> Verdict:
        """From 354 to the answer to the dot. Raise Lost while the dot has not left."""
        ended = bool(envelope.pieces) and envelope.pieces[-1].endswith(b"\r\n")
        crashpoint("smtp.body")
        self.wire.writelines([*envelope.pieces, b".\r\n" if ended else b"\r\n.\r\n"])
        crashpoint("smtp.dot")
        try:
            reply = await self.wire.reply(seconds=self._limits.dot)
        except Lost as exc:
            if not exc.flushed:
                raise
            answer = f"no answer to the final dot: {exc}"[:ANSWER_LIMIT]
            return Verdict(letter=envelope.letter, fate=Fate.DEFERRED, answer=answer, in_doubt=True)
        self._dirty = False
        if 200 <= reply.code < 300:
            return Verdict(
                letter=envelope.letter, fate=Fate.ACCEPTED, code=reply.code, status=reply.status, answer=reply.text
            )
        if reply.code < 400:
            self.wire.abort("an answer out of place to the final dot")
            return Verdict(
                letter=envelope.letter, fate=Fate.DEFERRED, code=reply.code, answer=reply.text, in_doubt=True
            )
        if reply.code == 421:
            self.wire.abort("421")
        return judge(envelope.letter, reply, after_data=True)

    async def quit(self) -> None:
        """QUIT; its answer matters to nobody (RFC 5321 section 4.1.1.10)."""
        if not self.wire.lost:
            with contextlib.suppress(Lost):
                await self._command("QUIT", seconds=self._limits.quit)
        self.wire.abort("done")

    def _mail_from(self, envelope: Envelope) -> str:
        words = [f"MAIL FROM:<{envelope.sender}>"]
        if "SIZE" in self._offers:
            words.append(f"SIZE={envelope.size}")
        if not envelope.recipient.isascii():
            words += ["BODY=8BITMIME", "SMTPUTF8"]  # RFC 6531 section 3.4
        elif not envelope.seven_bit:
            words.append("BODY=8BITMIME")
        return " ".join(words)

    def _impossible(self, envelope: Envelope) -> Verdict | None:
        """What this server cannot take, judged before it is asked."""
        limit = self._offers.get("SIZE", "").strip()
        if limit.isdigit() and 0 < int(limit) < envelope.size:
            words = f"the letter has {envelope.size} bytes and the server takes {limit}"
            return Verdict(letter=envelope.letter, fate=Fate.BLAMED, code=552, status="5.3.4", answer=words)
        if not envelope.recipient.isascii() and "SMTPUTF8" not in self._offers:
            words = "the server does not offer SMTPUTF8, which this address needs"
            return Verdict(letter=envelope.letter, fate=Fate.REJECTED, code=553, status="5.6.7", answer=words)
        if envelope.recipient.isascii() and "8BITMIME" not in self._offers and not envelope.seven_bit:
            words = "the server does not offer 8BITMIME, which this letter needs"
            return Verdict(letter=envelope.letter, fate=Fate.BLAMED, code=554, status="5.6.3", answer=words)
        return None

    def _refused(self, reply: Reply) -> Trouble:
        if reply.code == 421:
            self.wire.abort("421")
        return mail_trouble(reply)

    async def _expect(self, line: str) -> None:
        reply = await self._command(line)
        if reply.code != 250:
            self.wire.abort(f"{line} was refused: {reply.code}")
            raise Lost(f"{line} was refused: {reply.code} {reply.text}")

    async def _command(self, line: str, *, seconds: float | None = None) -> Reply:
        if self.wire.spoken and not self.wire.lost:
            # An answer to nothing would be taken for the answer to this: a 250 too many loses somebody's mail.
            reply = await self.wire.reply(seconds=0.001)
            self.wire.abort(f"the server spoke out of turn: {reply.code} {reply.text}")
            raise Lost(f"the server spoke out of turn: {reply.code} {reply.text}")
        self.wire.writelines([line.encode(), b"\r\n"])
        return await self.wire.reply(seconds=self._limits.command if seconds is None else seconds)


def _own_name(wire: Wire) -> str:
    """A full host name, else an address literal (RFC 5321 section 4.1.3): nothing is looked up."""
    name = socket.gethostname()
    if re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", name):
        return name
    own = wire.own()
    return f"[IPv6:{own}]" if ":" in own else f"[{own or '127.0.0.1'}]"


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
