"""The transport that sends by SMTP: connections, their reuse and their pace.

Says a letter at most once on a healthy line; a line that had gone stale before the dot costs nobody anything.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from syndicate.clock import Clock
from syndicate.config import SmtpSettings
from syndicate.transports.base import Envelope, Fate, Hear, May, Verdict, always
from syndicate.transports.session import Limits, Session, Stale
from syndicate.transports.verdicts import Trouble, unspeakable


class Smtp:
    """A server that takes our mail; `rate` is kept over all its connections together."""

    live = True

    def __init__(self, settings: SmtpSettings, clock: Clock, *, limits: Limits | None = None) -> None:
        self.settings = settings
        self.limits = limits or Limits()
        self.connections: int = settings.connections
        self._clock = clock
        self._next = float("-inf")
        self._context: ssl.SSLContext | None = None

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Line]:
        line = Line(self)
        try:
            yield line
        finally:
            await line.aclose()

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
        self._smtp = smtp
        self._session: Session | None = None

    async def send(self, group: Sequence[Envelope], hear: Hear, may: May = always) -> None:
        for envelope in group:
            await self._smtp.pace()
            if not may():
                return
            try:
                verdict = await self._send(envelope)
            except Trouble as trouble:
                verdict = trouble.verdict(envelope.letter)
            except BaseException:
                self._drop("cancelled")
                raise
            if not hear(verdict) or verdict.fate is Fate.CHANNEL:
                return

    async def aclose(self) -> None:
        """Say goodbye, briefly."""
        session, self._session = self._session, None
        if session:
            await session.quit()

    async def _send(self, envelope: Envelope) -> Verdict:
        if refused := unspeakable(envelope):
            return refused
        session = await self._ready()
        stale = session.sent > 0
        try:
            return await session.transact(envelope, stale=stale)
        except Stale:
            # The server had hung up on an old connection before the dot: that is about the connection alone.
            self._drop("stale")
            session = await self._ready()
            return await session.transact(envelope, stale=False)
        finally:
            if session.wire.lost:
                self._drop("lost")

    async def _ready(self) -> Session:
        session = self._session
        if session and (session.sent >= session.recycle or session.wire.lost or session.wire.spoken):
            await self.aclose()
        if self._session is None:
            self._session = await Session.open(self._smtp.settings, self._smtp.limits, self._smtp.tls)
        return self._session

    def _drop(self, reason: str) -> None:
        session, self._session = self._session, None
        if session:
            session.wire.abort(reason)
