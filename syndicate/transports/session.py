"""One connection: opened, secured and logged in, used for groups of letters, left.

    connect | greeting | EHLO | STARTTLS | EHLO | AUTH     once a connection: an answer concerns the channel

What is said for the letters is in `dialogue`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import replace

from syndicate.config import SmtpSettings
from syndicate.transports.base import Envelope, Hear, May
from syndicate.transports.dialogue import Dialogue, Limits, Terms
from syndicate.transports.verdicts import LOGIN_TODO, Trouble, tls_trouble
from syndicate.transports.wire import Lost, Reply, Wire

RECYCLE = 100  # letters a connection; relays close longer ones, some of them without a word


Tls = Callable[[], ssl.SSLContext]


class Session:
    """One connection that has been greeted, secured and logged in."""

    def __init__(self, wire: Wire, settings: SmtpSettings, limits: Limits, tls: Tls) -> None:
        self.wire = wire
        self.sent = 0  # transactions begun
        self.recycle = RECYCLE
        self._settings = settings
        self._limits = limits
        self._tls = tls
        self._offers: dict[str, str] = {}  # EHLO keyword -> its words
        self._terms = Terms()
        self._dirty = False  # a transaction was left half done: RSET comes first
        self._loop = asyncio.get_running_loop()
        self._rested = self._loop.time()  # since when it was not used

    # --- opening: everything here concerns the channel ---

    @classmethod
    async def open(cls, settings: SmtpSettings, limits: Limits, tls: Tls) -> Session:
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
        self._terms = Terms.of(self._offers)
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

    # --- letters ---

    async def send(self, group: Sequence[Envelope], hear: Hear, may: May, *, pipelining: bool = True) -> Dialogue:
        """Say these; what it returns is over. Without `pipelining` the server's offer of it is not taken up."""
        terms = self._terms if pipelining else replace(self._terms, pipelining=False)
        dialogue = Dialogue(self.wire, terms, self._limits, group, hear, may, served=self.sent > 0, dirty=self._dirty)
        await dialogue.run()
        self.sent += dialogue.begun
        self._dirty = dialogue.dirty
        self._rested = self._loop.time()
        return dialogue

    async def is_good(self) -> bool:
        """Whether it can be used again. One that lay idle is asked: some are gone without a word."""
        if self.sent >= self.recycle or self.wire.lost or self.wire.spoken:
            return False
        if self._loop.time() - self._rested < self._limits.idle:
            return True
        try:
            return (await self._command("NOOP", seconds=self._limits.probe)).code == 250
        except Lost:
            return False
        except BaseException:
            self.wire.abort("left off")
            raise

    async def quit(self) -> None:
        """QUIT; its answer matters to nobody (RFC 5321 section 4.1.1.10)."""
        try:
            if not self.wire.lost:
                with contextlib.suppress(Lost):
                    await self._command("QUIT", seconds=self._limits.quit)
        finally:
            self.wire.abort("done")

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
