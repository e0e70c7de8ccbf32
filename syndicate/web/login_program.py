"""Logging in, over the running program: the password where it stands, sessions and counted tries in the ledger."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

from sqlalchemy import Connection

from syndicate.clock import Clock
from syndicate.config import WebSettings
from syndicate.crashpoint import crashpoint
from syndicate.store import limits, sessions
from syndicate.store.database import Store

FRESH = 1.0  # seconds for which a password that was looked up holds
WINDOW, FROM_ONE_NETWORK = 600, 5  # wrong ones in ten minutes
HOUR, IN_ALL = 3600, 60
SLOWLY = 10  # seconds for each try beyond: a stranger may slow the owner down, and never lock him out


class ProgramLogins:
    """What the doors may ask of the program."""

    def __init__(self, web: WebSettings, store: Store, clock: Clock, secret: bytes) -> None:
        self._configured = web.password.reveal()
        self._store = store
        self._clock = clock
        self._secret = secret
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
        """32 hex digits over a text, that nobody else can make."""
        return hmac.new(self._secret, f"newsroom 1\n{text}".encode(), hashlib.sha256).hexdigest()[:32]

    async def may_try(self, what: str, network: str | None) -> bool:
        """Whether one more password may be looked at for `what`; counted before it is, so that many at once are too."""
        allowed = await self._store.write(_try, self._secret, what, network, self._clock.now())
        crashpoint("login.counted")
        return allowed

    async def was_right(self, what: str, network: str | None) -> None:
        """It was the password: only wrong ones count against a network."""
        if network is not None:
            await self._store.write(_forgive, self._secret, what, network, self._clock.now())

    async def begin(self, session: str, mark: str, former: str) -> None:
        await self._store.write(sessions.begin, session, mark, former, self._clock.now())

    async def lives(self, session: str, mark: str) -> bool:
        now = self._clock.now()
        lives, is_due = await self._store.read(sessions.lives, session, mark, now)
        if is_due:
            await self._store.write(sessions.seen, session, now)
        return lives

    async def end(self, session: str) -> None:
        await self._store.write(sessions.end, session)


def _try(connection: Connection, secret: bytes, what: str, network: str | None, now: datetime) -> bool:
    limits.forget(connection, now)
    if network is not None and not limits.take(
        connection, limits.bucket(secret, what, network), WINDOW, FROM_ONE_NETWORK, now
    ):
        return False
    everybody = limits.bucket(secret, what)
    return limits.take(connection, everybody, HOUR, IN_ALL, now) or limits.take(
        connection, limits.bucket(secret, f"{what} beyond"), SLOWLY, 1, now
    )


def _forgive(connection: Connection, secret: bytes, what: str, network: str, now: datetime) -> None:
    limits.give_back(connection, limits.bucket(secret, what, network), WINDOW, now)
