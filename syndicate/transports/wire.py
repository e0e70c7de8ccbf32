"""One TCP connection to a mail server: command lines out, replies in. Knows RFC 5321's grammar, never its meaning."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

LINE_LIMIT = 4096  # octets of one reply line; RFC 5321 section 4.5.3.1.5 says 512, some servers are chattier
LINES_LIMIT = 128  # of one reply
ANSWER_LIMIT = 300  # characters of a server's words that are kept

_REPLY = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?", re.DOTALL)
_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")


class Lost(Exception):
    """The conversation is over: closed, broken, timed out or not SMTP. `flushed`: all we wrote had left us by then."""

    def __init__(self, reason: str, *, flushed: bool = True) -> None:
        super().__init__(reason)
        self.flushed = flushed


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered to one command."""

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The server's words on one line, cut."""
        return " ".join(" ".join(self.lines).split())[:ANSWER_LIMIT]

    @property
    def status(self) -> str:
        """The enhanced status code (RFC 3463), "5.1.1", or "" where none was given."""
        found = _STATUS.match(self.lines[0].lstrip()) if self.lines else None
        return found[1] if found else ""


class Wire(asyncio.Protocol):
    """The socket's end. One reader at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._lines: list[str] = []
        self._replies: list[Reply] = []
        self._waiter: asyncio.Future[None] | None = None
        self._lost: str | None = None
        self._flushed = True

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
        if self._buffer or self._replies or self._lines:
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
    def lost(self) -> bool:
        """Whether the other end is known to be gone."""
        return self._lost is not None

    @property
    def spoken(self) -> bool:
        """Whether the server said something nobody asked for."""
        return bool(self._replies or self._lines)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        if self._transport and self._lost is None:
            self._transport.writelines(pieces)

    async def reply(self, *, seconds: float) -> Reply:
        """The next reply. Raise Lost."""
        if not self._replies:
            if self._lost is not None:
                raise Lost(self._lost, flushed=self._flushed)
            self._waiter = self._loop.create_future()
            try:
                async with asyncio.timeout(seconds):
                    await self._waiter
            except TimeoutError:
                self.abort(f"no answer within {seconds:g} s")
            finally:
                self._waiter = None
        if self._replies:
            return self._replies.pop(0)
        raise Lost(self._lost or "closed", flushed=self._flushed)

    def abort(self, reason: str) -> None:
        """Let go at once."""
        if self._lost is None:
            self._lost = reason
        if self._transport:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # High mark 0: paused means that bytes of ours have not left yet, so a lost connection can be judged.
        self._transport.set_write_buffer_limits(high=0)

    def pause_writing(self) -> None:
        self._flushed = False

    def resume_writing(self) -> None:
        self._flushed = True

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end]).rstrip(b"\r")
            del self._buffer[: end + 1]
            if not self._take(line):
                return
        if len(self._buffer) > LINE_LIMIT:
            self._garbage(bytes(self._buffer))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._lost is None:
            self._lost = f"the server closed the connection{f': {exc}' if exc else ''}"
        self._wake()

    def _take(self, line: bytes) -> bool:
        found = _REPLY.fullmatch(line)
        if not found or len(line) > LINE_LIMIT or len(self._lines) >= LINES_LIMIT:
            self._garbage(line)
            return False
        self._lines.append("".join(c if c.isprintable() else " " for c in (found[3] or b"").decode("utf-8", "replace")))
        if found[2] != b"-":
            self._replies.append(Reply(int(found[1]), tuple(self._lines)))
            self._lines = []
            self._wake()
        return True

    def _garbage(self, line: bytes) -> None:
        self.abort(f"not an SMTP reply: {line[:60]!r}")
        self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def _name(self, what: str) -> str:
        name = self._transport.get_extra_info(what) if self._transport else None
        return str(name[0]) if isinstance(name, tuple) and name else ""
