"""What is said for a group of letters on an open connection: commands out, answers in, a fate for each letter.

    MAIL RCPT DATA | message 1, dot, MAIL RCPT DATA | message 2, dot, MAIL ...     with PIPELINING (RFC 2920)
    MAIL | RCPT | DATA | message 1, dot | MAIL | RCPT | ...                        without

Never sends a dot to people without the message before it: what must not go on after 354 is ended by closing the
connection (RFC 5321 section 4.1.1.4: without the dot nothing was sent).
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from syndicate.crashpoint import crashpoint
from syndicate.transports.base import Envelope, Fate, Hear, May, Verdict
from syndicate.transports.verdicts import Trouble, judge, mail_trouble, unspeakable
from syndicate.transports.wire import ANSWER_LIMIT, Reply, Wire, words

AT_ONCE = 1 << 18  # octets of a message up to which its dot and the next commands are written with it

# Of the addresses that can stand in a command those that need no thought; the others are looked at one by one.
_PLAIN = re.compile(r"[A-Za-z0-9.+_=-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")

_RSET, _MAIL, _RCPT, _DATA, _DOT, _VOID = "RSET", "MAIL", "RCPT", "DATA", "the final dot", "the dot of nobody's message"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds to wait for each answer: RFC 5321 section 4.5.3.2. A short wait after the dot makes duplicates."""

    connect: float = 30
    command: float = 300
    dot: float = 600
    quit: float = 5
    idle: float = 20  # after so long a connection is asked whether it still stands
    probe: float = 10  # for its answer to that


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a server offered in its answer to EHLO, as far as letters go."""

    pipelining: bool = False
    sizes: bool = False
    largest: int = 0  # octets; 0: it does not say
    eight_bit: bool = False
    utf8: bool = False

    @classmethod
    def of(cls, offers: Mapping[str, str]) -> Terms:
        """From keywords in capitals and their words."""
        largest = offers.get("SIZE", "").strip()
        return cls(
            pipelining="PIPELINING" in offers,
            sizes="SIZE" in offers,
            largest=int(largest) if largest.isdigit() and largest.isascii() else 0,
            eight_bit="8BITMIME" in offers,
            utf8="SMTPUTF8" in offers,
        )

    def mail(self, envelope: Envelope) -> str:
        """MAIL FROM with its parameters: RFC 1870, 6152, 6531 section 3.4."""
        size = f" SIZE={envelope.size}" if self.sizes else ""
        if envelope.seven_bit and envelope.recipient.isascii():
            return f"MAIL FROM:<{envelope.sender}>{size}\r\n"
        body = " BODY=8BITMIME" if envelope.recipient.isascii() else " BODY=8BITMIME SMTPUTF8"
        return f"MAIL FROM:<{envelope.sender}>{size}{body}\r\n"

    def refuse(self, envelope: Envelope) -> Verdict | None:
        """What this server cannot take, judged before it is asked."""
        letter = envelope.letter
        if 0 < self.largest < envelope.size:
            said = f"the letter has {envelope.size} bytes and the server takes {self.largest}"
            return Verdict(letter=letter, fate=Fate.BLAMED, code=552, status="5.3.4", answer=said)
        if not envelope.recipient.isascii() and not self.utf8:
            said = "the server does not offer SMTPUTF8, which this address needs"
            return Verdict(letter=letter, fate=Fate.REJECTED, code=553, status="5.6.7", answer=said)
        if not envelope.seven_bit and not self.eight_bit and envelope.recipient.isascii():
            said = "the server does not offer 8BITMIME, which this letter needs"
            return Verdict(letter=letter, fate=Fate.BLAMED, code=554, status="5.6.3", answer=said)
        return None


class Dialogue:
    """A group of letters over one wire; used once.

    `judged` letters, in order, have had their verdict when it is over. Where it `goes_on` the others may be said on a
    fresh connection: nothing of them was sent, and that this one broke was no fault of theirs.
    """

    def __init__(
        self, wire: Wire, terms: Terms, limits: Limits, group: Sequence[Envelope], hear: Hear, may: May,
        *, served: bool, dirty: bool,
    ) -> None:  # fmt: skip
        """`served`: the connection did its work before; `dirty`: it was left within a transaction."""
        self.judged = 0
        self.begun = 0  # transactions
        self.goes_on = True
        self.deaf = False  # the server answered a message, and never what was said in one breath with it
        self.dirty = dirty
        self._served = served
        self._wire, self._terms, self._limits = wire, terms, limits
        self._hear, self._may = hear, may
        self._letters: Iterator[Envelope] = iter(group)
        self._sender: str | None = None  # one that was found good
        self._most = terms.largest or math.inf
        self._aside: list[Verdict] = []  # on letters that were not even begun: heard in their turn
        self._current: Envelope | None = None  # whose MAIL, RCPT, DATA are being said
        self._known = False  # whether its MAIL was accepted: from there on answers are about the person
        self._ended: Envelope | None = None  # whose message was said
        self._held = b""  # the dot and what follows it, while the message has not left us
        self._expected: deque[str] = deque()  # what the answers to come are about
        self._unsaid: deque[tuple[str, bytes]] = deque()  # commands that wait for an answer to the one before
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Raises what `hear` and `may` raise, and CancelledError: the connection is gone then."""
        self._wire.listen(self)
        try:
            if self._wire.lost is None:
                self._begin()
            else:
                self._wire.abort("")  # it tells why
            await self._over
        except BaseException as error:
            self._wire.listen(None)
            self._wire.abort(f"left off: {type(error).__name__}")
            raise

    # --- what the wire tells ---

    def heard(self, code: int, lines: Sequence[bytes]) -> None:
        if not self._expected:
            # An answer to nothing would be taken for the next one: a 250 too many loses a letter.
            self._wire.abort(f"the server spoke out of turn: {Reply.read(code, lines).text}")
            return
        stage = self._expected.popleft()
        if stage is _DOT:
            self._wire.limit = self._limits.command  # for what is answered after it
            self._answered(code, lines)
        elif stage is _DATA:
            self._asked(code, lines)
        elif stage is _VOID:
            self._wire.limit = self._limits.command
            if code == 421:
                self._wire.abort(words(lines[0]))
            elif not self._expected:
                self._begin()
        elif 200 <= code < 300:
            if stage is _MAIL:
                self._known = self.dirty = True
            if self._unsaid:
                following, line = self._unsaid.popleft()
                self._expected.append(following)
                self._wire.write(line)
        elif stage is _MAIL:
            self._not_known(Reply.read(code, lines))
        elif stage is _RCPT:
            self._not_taken(Reply.read(code, lines), stage)
        else:
            self._wire.abort(f"RSET was refused: {code} {words(lines[0])}")

    def failed(self, error: BaseException) -> None:
        self._wire.listen(None)
        self._wire.abort(f"left off: {type(error).__name__}")
        if not self._over.done():
            self._over.set_exception(error)

    def drained(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._wire.write(held)
            self._wire.wait(self._limits.dot)

    def lost(self, reason: str) -> None:
        try:
            self._lose(reason)
        except BaseException as error:
            self.failed(error)

    # --- one letter after the other ---

    def _draw(self) -> Envelope | None:
        """The next letter that can be asked for; the verdicts on those before it are set aside."""
        for envelope in self._letters:
            known = envelope.sender is self._sender and envelope.seven_bit and envelope.size <= self._most
            if known and _PLAIN.fullmatch(envelope.recipient):  # nearly all, so that this has to be quick
                return envelope
            try:
                verdict = unspeakable(envelope) or self._terms.refuse(envelope)
            except Trouble as trouble:
                verdict, self._letters = trouble.verdict(envelope.letter), iter(())
            if verdict is None:
                self._sender = envelope.sender
                return envelope
            self._aside.append(verdict)
        return None

    def _begin(self) -> None:
        """No letter is open: open the next."""
        envelope = self._draw()
        if not self._tell_aside() or envelope is None:
            self._end()
        else:
            self._wire.write(self._open(envelope))
            self._wire.wait(self._limits.command)

    def _open(self, envelope: Envelope) -> bytes:
        """What may be written at once of a letter's commands."""
        self._current, self._known = envelope, False
        self.begun += 1
        mail, rcpt = self._terms.mail(envelope), f"RCPT TO:<{envelope.recipient}>\r\n"
        if self._terms.pipelining:
            if self.dirty:
                self._expected.append(_RSET)
                mail = f"RSET\r\n{mail}"
            self._expected += (_MAIL, _RCPT, _DATA)
            return f"{mail}{rcpt}DATA\r\n".encode()
        self._unsaid += ((_MAIL, mail.encode()), (_RCPT, rcpt.encode()), (_DATA, b"DATA\r\n"))
        if self.dirty:
            self._unsaid.appendleft((_RSET, b"RSET\r\n"))
        stage, line = self._unsaid.popleft()
        self._expected.append(stage)
        return line

    def _message(self, envelope: Envelope) -> None:
        """The server waits for the message: say it, and what comes after it."""
        self._current, self._ended, self.dirty = None, envelope, False
        self._expected.append(_DOT)
        pieces = [*envelope.pieces]
        ended = pieces[-1].endswith(b"\r\n") if pieces and pieces[-1] else b"".join(pieces).endswith(b"\r\n")
        tail = b".\r\n" if ended else b"\r\n.\r\n"
        if self._terms.pipelining and (following := self._draw()):
            tail += self._open(following)
        self._wire.limit = self._limits.dot
        crashpoint("smtp.body")
        if envelope.size <= AT_ONCE:
            pieces.append(tail)
            self._wire.writelines(pieces)
        else:  # such a message takes its time, in which we want to know that the dot has not left
            self._held = tail
            self._wire.writelines(pieces)
            if not self._wire.clogged:
                self.drained()
        crashpoint("smtp.dot")

    # --- answers ---

    def _asked(self, code: int, lines: Sequence[bytes]) -> None:
        """DATA was answered."""
        envelope = self._current
        if code != 354:
            if envelope is not None:
                self._not_taken(Reply.read(code, lines), _DATA)
            elif self.goes_on:
                self._begin()
            else:
                self._end()
        elif not self.goes_on or not self._may():
            self._stop("stopped before a message")
        elif envelope is not None:
            self._message(envelope)
        else:
            self._nobody()

    def _nobody(self) -> None:
        """The server took nobody and waits for a message all the same: an empty one (RFC 2920 section 3.1)."""
        following = self._draw() if self._terms.pipelining else None
        if not self._tell_aside():
            self._stop("stopped before a message")
            return
        self._expected.append(_VOID)
        self._wire.limit = self._limits.dot
        self.dirty = False
        self._wire.write(b".\r\n" + (self._open(following) if following else b""))

    def _answered(self, code: int, lines: Sequence[bytes]) -> None:
        """The final dot was answered."""
        envelope, self._ended = self._ended, None
        assert envelope is not None
        if code >= 400:
            verdict = judge(envelope.letter, Reply.read(code, lines), after_data=True)
        elif code < 300 and not self._held:
            answer = words(lines[0])[:ANSWER_LIMIT]
            verdict = Verdict(letter=envelope.letter, fate=Fate.ACCEPTED, code=code, answer=answer)
        else:
            verdict = _deferred(envelope, Reply.read(code, lines), in_doubt=not self._held)
        if not self._tell(verdict):
            self._end()
        elif self._held or (code >= 300 and _is_last(code)):
            self._stop("nothing can follow this answer", goes_on=True)
        elif self._current is None:
            self._begin()

    def _not_known(self, reply: Reply) -> None:
        """MAIL was refused: that is about the channel; what was said on behind it is answered yet."""
        if reply.code == 421 and self._served:  # said before, while we were idle
            self._wire.abort(reply.text)
            return
        envelope, self._current = self._current, None
        assert envelope is not None
        self._unsaid.clear()
        self._tell(mail_trouble(reply).verdict(envelope.letter))
        if _is_last(reply.code):
            self._stop("nothing can follow this answer")
        elif not self._expected:
            self._end()

    def _not_taken(self, reply: Reply, stage: str) -> None:
        """RCPT or DATA was refused."""
        envelope = self._current
        if envelope is None:  # so was MAIL
            return
        if _is_last(reply.code) and self._served and not reply.status.startswith("4.7."):
            self._wire.abort(f"an answer out of place to {stage}: {reply.code} {reply.text}")
            return
        self._current = None
        self._unsaid.clear()
        if reply.code < 400:
            verdict = _deferred(envelope, reply)
        else:
            verdict = judge(envelope.letter, reply, after_data=stage is _DATA)
        if not self._tell(verdict):
            self._end()
        elif _is_last(reply.code):
            self._stop("nothing can follow this answer", goes_on=True)
        elif not self._expected:
            self._begin()

    # --- ends ---

    def _lose(self, reason: str) -> None:
        """The connection is gone: what is known of the letters that were open."""
        ended, current, held = self._ended, self._current, self._held
        self.deaf = self._wire.silent and self._served and ended is None and current is not None and not self._known
        self._ended = self._current = None
        self._held = b""
        if ended is not None and not held:
            self._tell(_deferred(ended, f"no answer to the final dot: {reason}", in_doubt=True))
        elif not self._served and (open_ := ended or current):
            is_known = ended is not None or self._known
            self._tell(_deferred(open_, reason) if is_known else Trouble(reason).verdict(open_.letter))
        self._end()

    def _tell(self, verdict: Verdict) -> bool:
        """Whether it goes on."""
        self._served = True
        self.judged += 1
        if not self._hear(verdict) or verdict.fate is Fate.CHANNEL:
            self.goes_on = False
        elif self._aside:
            self._tell_aside()
        return self.goes_on

    def _tell_aside(self) -> bool:
        while self.goes_on and self._aside:
            verdict = self._aside.pop(0)
            self.judged += 1
            self.goes_on = self._hear(verdict) and verdict.fate is not Fate.CHANNEL
        return self.goes_on

    def _stop(self, reason: str, *, goes_on: bool = False) -> None:
        """Here, with this connection."""
        self.goes_on = goes_on
        self._current = self._ended = None
        self._wire.abort(reason)

    def _end(self) -> None:
        self._wire.listen(None)
        if self._expected:
            self._wire.abort("left off")
        self._wire.wait(math.inf)
        if not self._over.done():
            self._over.set_result(None)


def _is_last(code: int) -> bool:
    """Whether the server leaves, or speaks of something else than it was asked: nothing more can be said here."""
    return code == 421 or code < 400


def _deferred(envelope: Envelope, why: Reply | str, *, in_doubt: bool = False) -> Verdict:
    code, answer = (None, why) if isinstance(why, str) else (why.code, why.text)
    return Verdict(
        letter=envelope.letter, fate=Fate.DEFERRED, code=code, answer=answer[:ANSWER_LIMIT], in_doubt=in_doubt
    )
