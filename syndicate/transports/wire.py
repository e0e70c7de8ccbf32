"""One TCP connection to a mail server: bytes out, replies in. Knows RFC 5321's grammar, never its meaning."""

from __future__ import annotations

import asyncio
import math
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

LINE_LIMIT = 4096  # octets of one reply line; RFC 5321 section 4.5.3.1.5 says 512, some servers are chattier
LINES_LIMIT = 128  # of one reply, and replies nobody asked for
ANSWER_LIMIT = 300  # characters of a server's words that are kept

_CODES = {b"%d" % code: code for code in range(200, 600)}
_WHOLE = {b"%d " % code: code for code in range(200, 600)}  # how nearly all replies begin, and these end with the line
_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")


class Lost(Exception):
    """The conversation is over: closed, broken, timed out or not SMTP."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered to one command."""

    code: int
    lines: tuple[str, ...]

    @classmethod
    def read(cls, code: int, lines: Sequence[bytes]) -> Reply:
        """From a reply's lines as they came, code and all."""
        return cls(code, tuple(words(line) for line in lines))

    @property
    def text(self) -> str:
        """The server's words on one line, cut."""
        return " ".join(" ".join(self.lines).split())[:ANSWER_LIMIT]

    @property
    def status(self) -> str:
        """The enhanced status code (RFC 3463), "5.1.1", or "" where none was given."""
        found = _STATUS.match(self.lines[0].lstrip()) if self.lines else None
        return found[1] if found else ""


class Listener(Protocol):
    """Hears all that happens on a wire, from within the event loop, until it is taken off."""

    def heard(self, code: int, lines: Sequence[bytes]) -> None:
        """A reply came: for `Reply.read`, which most replies are not worth."""
        ...

    def failed(self, error: BaseException) -> None:
        """`heard` raised this, which could not be raised out of the event loop's callback."""
        ...

    def drained(self) -> None:
        """All that was written has left us, after a time in which some had not."""
        ...

    def lost(self, reason: str) -> None:
        """Nothing more will come. The listener is off by now."""
        ...


class Wire(asyncio.Protocol):
    """The socket's end: one reader at a time, `reply` or a listener; one time limit, for whatever comes next."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._rest = b""  # of a line that has not ended
        self._lines: list[bytes] = []  # of a reply that has not ended
        self._replies: list[Reply] = []  # that nobody took yet
        self._waiter: asyncio.Future[None] | None = None
        self._listener: Listener | None = None
        self._lost: str | None = None
        self.clogged = False  # bytes of ours have not left yet
        self.silent = False  # lost because nothing was heard in time
        self.limit = math.inf  # seconds that may pass from one thing heard to the next
        self._deadline = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._rings = math.inf  # when the timer does: it is set anew where it would ring too late, not each time

    @classmethod
    async def open(cls, host: str, port: int, *, seconds: float, tls: ssl.SSLContext | None = None) -> Wire:
        """Connect, with TLS from the first byte where a context is given. Raise OSError (of which SSLError is one)."""
        loop = asyncio.get_running_loop()
        wire = cls()
        async with asyncio.timeout(seconds):
            await loop.create_connection(lambda: wire, host, port, ssl=tls, server_hostname=host if tls else None)
        return wire

    async def start_tls(self, context: ssl.SSLContext, host: str, *, seconds: float) -> None:
        """Switch to TLS. Whatever came in clear after the reply is an attacker's: refuse it (CVE-2011-0411)."""
        if self._rest or self._replies or self._lines:
            raise Lost("the server, or somebody in between, spoke on after its answer to STARTTLS")
        assert self._transport is not None
        try:
            async with asyncio.timeout(seconds):
                transport = await self._loop.start_tls(self._transport, self, context, server_hostname=host)
        except (TimeoutError, ConnectionError) as exc:
            raise Lost(f"the TLS handshake failed: {exc or type(exc).__name__}") from exc
        if transport is None:
            raise Lost("the server closed the connection during the TLS handshake")
        self.connection_made(transport)

    def peer(self) -> str:
        """The address of the other end, "" where it is not known."""
        return self._name("peername")

    def own(self) -> str:
        """Our own address."""
        return self._name("sockname")

    @property
    def lost(self) -> str | None:
        """Why the other end is known to be gone; None while it is not."""
        return self._lost

    @property
    def spoken(self) -> bool:
        """Whether the server said something nobody asked for."""
        return bool(self._replies or self._lines or self._rest)

    def write(self, data: bytes) -> None:
        if self._transport and self._lost is None:
            self._transport.write(data)

    def writelines(self, pieces: Sequence[bytes]) -> None:
        if self._transport and self._lost is None:
            self._transport.writelines(pieces)

    async def reply(self, *, seconds: float) -> Reply:
        """The next reply. Raise Lost."""
        if not self._replies and self._lost is None:
            self._waiter = self._loop.create_future()
            self.wait(seconds)
            try:
                await self._waiter
            finally:
                self._waiter = None
                self.wait(math.inf)
        if self._replies:
            return self._replies.pop(0)
        raise Lost(self._lost or "closed")

    def listen(self, listener: Listener | None) -> None:
        """Tell this one from now on; None: nobody."""
        self._listener = listener

    def wait(self, seconds: float) -> None:
        """Be lost when nothing is heard for so long, from now on."""
        self.limit = seconds
        self._await()

    def abort(self, reason: str) -> None:
        """Let go at once; what was written and has not left us never will."""
        if self._lost is None:
            self._lost = reason
        if self._transport:
            self._transport.abort()
        self._part()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=0)  # so that `clogged` means any byte at all

    def pause_writing(self) -> None:
        self.clogged = True

    def resume_writing(self) -> None:
        self.clogged = False
        if self._listener:
            self._listener.drained()

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        lines = data.split(b"\n")
        self._rest = lines.pop()
        listener = self._listener
        whole = _WHOLE if len(data) <= LINE_LIMIT else {}
        try:
            for line in lines:
                code = whole.get(line[:4])
                if code and self._listener and not self._lines:
                    self._listener.heard(code, (line,))
                elif self._lost is None:
                    self._take(line.rstrip(b"\r"))
        except BaseException as error:
            assert listener is not None  # nobody else raises here
            listener.failed(error)
            return
        if len(self._rest) > LINE_LIMIT:
            self._garbage(self._rest)
        elif lines and not self._lines:
            self._await()

    def eof_received(self) -> None:
        self.abort("the server closed the connection")  # whoever speaks no more will not answer either

    def connection_lost(self, exc: Exception | None) -> None:
        if self._lost is None:
            self._lost = f"the server closed the connection{f': {exc}' if exc else ''}"
        self._part()

    def _take(self, line: bytes) -> None:
        code, mark = _CODES.get(line[:3]), line[3:4]
        self._lines.append(line)
        too_much = len(line) > LINE_LIMIT or max(len(self._lines), len(self._replies)) >= LINES_LIMIT
        if code is None or mark not in (b" ", b"-", b"") or too_much:
            self._garbage(line)
        elif mark != b"-":
            lines, self._lines = self._lines, []
            if self._listener:
                self._listener.heard(code, lines)
            else:
                self._replies.append(Reply.read(code, lines))
                self._wake()

    def _garbage(self, line: bytes) -> None:
        self.abort(f"not an SMTP reply: {line[:60]!r}")

    def _part(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer, self._rings = None, -math.inf  # and it is never set again
        listener, self._listener = self._listener, None
        if listener:
            listener.lost(self._lost or "closed")
        self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def _await(self) -> None:
        self._deadline = deadline = self._loop.time() + self.limit
        if deadline < self._rings:
            self._ring_at(deadline)

    def _ring_at(self, moment: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._rings = moment
        self._timer = self._loop.call_at(moment, self._look)

    def _look(self) -> None:
        self._timer, self._rings = None, math.inf
        if self._deadline <= self._loop.time():
            self.silent = True
            self.abort(f"no answer within {self.limit:g} s")
        elif self._deadline < math.inf:
            self._ring_at(self._deadline)

    def _name(self, what: str) -> str:
        name = self._transport.get_extra_info(what) if self._transport else None
        return str(name[0]) if isinstance(name, tuple) and name else ""


def words(line: bytes) -> str:
    """What a line of a reply says behind its code."""
    text = line[4:].rstrip(b"\r").decode("utf-8", "replace")
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
