"""Logging in, over the running program: the password where it stands, sessions and counted tries in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from syndicate.clock import Clock
from syndicate.config import WebSettings
from syndicate.crashpoint import crashpoint
from syndicate.signer import Signer
from syndicate.store import limits, sessions
from syndicate.store.database import Store

FRESH = 1.0  # seconds for which a password that was looked up holds
WINDOW, FROM_ONE_NETWORK = 600, 5  # wrong ones in ten minutes
HOUR, IN_ALL = 3600, 60
SLOWLY = 10  # seconds for each try beyond: a stranger may slow the owner down, and never lock him out


class ProgramLogins:
    """What the doors may ask of the program."""

    def __init__(self, web: WebSettings, store: Store, clock: Clock, signer: Signer) -> None:
        self._configured = web.password.reveal()
        self._store = store
        self._clock = clock
        self._signer = signer
        self._known: tuple[float, str] | None = None

    async def password(self) -> str:
        """That of web.password, else the hash that `syndicate password` keeps; "": none."""
        if self._configured:
            return self._configured
        now = self._clock.monotonic()
        if self._known is None or now - self._known[0] >= FRESH:
            self._known = now, await self._store.read(sessions.password)
        return self._known[1]

    def mac(self, text: str) -> str:
        """32 hex digits over a text that nobody else can make."""
        return self._signer.mac("newsroom", text)

    def macs(self, text: str) -> Sequence[str]:
        """The same by each secret, newest first."""
        return self._signer.macs("newsroom", text)

    async def may_try(self, what: str, network: str | None) -> bool:
        """Whether one more password may be looked at for `what`; counted before it is, so that many at once are too."""
        allowed = await self._store.write(_try, *self._buckets(what, network), self._clock.now())
        crashpoint("login.counted")
        return allowed

    async def was_right(self, what: str, network: str | None) -> None:
        """It was the password: only wrong ones count against a network."""
        if network is not None:
            await self._store.write(limits.give_back, self._bucket(what, network), WINDOW, self._clock.now())

    def _bucket(self, what: str, network: str) -> str:
        return self.macs(f"limit {what}\n{network}")[-1]  # of the oldest: another secret forgets no try

    def _buckets(self, what: str, network: str | None) -> tuple[str | None, str, str]:
        return network and self._bucket(what, network), self._bucket(what, ""), self._bucket(f"{what} beyond", "")

    async def begin(self, session: str, mark: str, former: str) -> None:
        await self._store.write(sessions.begin, session, mark, former, self._clock.now())

    async def lives(self, session: str, marks: Sequence[str]) -> bool:
        now = self._clock.now()
        lives, is_due = await self._store.read(sessions.lives, session, marks, now)
        if is_due:
            await self._store.write(sessions.seen, session, now)
        return lives

    async def end(self, session: str) -> None:
        await self._store.write(sessions.end, session)


def _try(connection: Connection, theirs: str | None, everybody: str, beyond: str, now: datetime) -> bool:
    limits.forget(connection, now)
    if theirs is not None and not limits.take(connection, theirs, WINDOW, FROM_ONE_NETWORK, now):
        return False
    return limits.take(connection, everybody, HOUR, IN_ALL, now) or limits.take(connection, beyond, SLOWLY, 1, now)
