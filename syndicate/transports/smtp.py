"""The transport that sends by SMTP: connections, their reuse and their pace.

Says a letter at most once on a healthy line; a line that had gone stale before the dot costs nobody anything.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from syndicate.clock import Clock
from syndicate.config import SmtpSettings
from syndicate.transports.base import Envelope, Hear, May, always
from syndicate.transports.dialogue import Limits
from syndicate.transports.session import Session
from syndicate.transports.verdicts import Trouble


class Smtp:
    """A server that takes our mail; `rate` is kept over all its connections together.

    While one line is held open, connections of lines that were closed meanwhile are kept for those opened next: one
    login serves many groups and editions. Not those of lines that were told to stop: a server may want fewer of us.
    """

    live = True

    def __init__(self, settings: SmtpSettings, clock: Clock, *, limits: Limits | None = None) -> None:
        self.settings = settings
        self.limits = limits or Limits()
        self.connections: int = settings.connections
        self.pipelining = True  # until the server shows that it loses what is said in one breath
        self._clock = clock
        self._next = float("-inf")
        self._context: ssl.SSLContext | None = None
        self._held = 0  # lines
        self._idle: list[Session] = []

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Line]:
        line = Line(self)
        self._held += 1
        try:
            yield line
        finally:
            self._held -= 1
            left: list[Session] = []
            if session := line.release():
                (left if line.stopped else self._idle).append(session)
            if not self._held:
                left, self._idle = left + self._idle, []
            await asyncio.gather(*(session.quit() for session in left))

    async def session(self) -> Session:
        """One that nobody uses, else a new one. Raise Trouble."""
        while self._idle:
            session = self._idle.pop()
            if await session.is_good():
                return session
            await session.quit()
        return await Session.open(self.settings, self.limits, self.tls)

    async def pace(self) -> None:
        """Wait for this letter's turn."""
        if self.settings.rate:
            now = self._clock.monotonic()
            turn = max(now, self._next)
            self._next = turn + 1 / self.settings.rate
            if turn > now:
                await self._clock.sleep(turn - now)

    def tls(self) -> ssl.SSLContext:
        """Certificates are verified, always."""
        if self._context is None:
            try:
                ca_file = self.settings.ca_file
                self._context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
            except OSError as exc:
                words = f"the certificates of {ca_file} cannot be read: {exc}"
                raise Trouble(words, pauses="check email.smtp.ca_file") from exc
        return self._context


class Line:
    """One conversation at a time, reopened where that costs nobody his mail."""

    def __init__(self, smtp: Smtp) -> None:
        self.stopped = False  # at the last group
        self._smtp = smtp
        self._session: Session | None = None

    async def send(self, group: Sequence[Envelope], hear: Hear, may: May = always) -> None:
        smtp, at = self._smtp, 0
        while at < len(group):
            await smtp.pace()
            try:
                session = await self._ready()
            except Trouble as trouble:
                hear(trouble.verdict(group[at].letter))
                return
            # Paced, a letter's commands do not go with the message before it: servers do not wait for long.
            most = 1 if smtp.settings.rate else session.recycle - session.sent
            said = await session.send(group[at : at + most], hear, may, pipelining=smtp.pipelining)
            at += said.judged
            if said.deaf:
                smtp.pipelining = False
            self.stopped = not said.goes_on
            if self.stopped:
                return

    def release(self) -> Session | None:
        """The connection, where it still stands, for somebody else."""
        session, self._session = self._session, None
        return None if session is None or session.wire.lost else session

    async def _ready(self) -> Session:
        session, self._session = self._session, None
        if session and not await session.is_good():
            await session.quit()
            session = None
        self._session = session or await self._smtp.session()
        return self._session
