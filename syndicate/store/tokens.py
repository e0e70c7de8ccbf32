"""Logins at providers: one row a channel, the token sealed. Nobody here can read one.

A configured token that its provider was asked about has a row of its own (`configured`): what was said, no token.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select, update

from syndicate.store.schema import tokens

TURN = timedelta(minutes=5)  # how long one process has to renew a login before another one tries


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What is known of one. `scope` is empty where it is not known; instants are None where nobody said."""

    channel: str
    sealed: str = field(default="", repr=False)
    author: str | None = None  # who logged in
    name: str | None = None
    scope: frozenset[str] = frozenset()
    obtained_at: datetime
    expires_at: datetime | None = None
    refresh_until: datetime | None = None  # until then it is renewed without anybody
    renew_at: datetime | None = None
    fingerprint: str | None = None

    @property
    def ends(self) -> datetime | None:
        """When a person must log in anew."""
        return self.refresh_until or self.expires_at


def configured(channel: str) -> str:
    """The key of what is known of a token that stands in the configuration."""
    return f"{channel}.access_token"


def fingerprint(token: str) -> str:
    """Which token it was, telling nothing of it (16 hex digits)."""
    return hashlib.sha256(token.encode()).hexdigest()[:16]


def get(connection: Connection, channel: str) -> Login | None:
    """The login of a channel."""
    row = connection.execute(select(tokens).where(tokens.c.channel == channel)).mappings().first()
    return Login(**{**row, "scope": frozenset(row["scope"].split())}) if row else None


def known(connection: Connection, channel: str, token: str) -> Login | None:
    """What counts: the login, or with a token in the configuration what was learned about that very one."""
    if not token:
        return get(connection, channel)
    found = get(connection, configured(channel))
    return found if found and found.fingerprint == fingerprint(token) else None


def put(connection: Connection, login: Login) -> None:
    """Keep a new login in the place of the old one."""
    connection.execute(delete(tokens).where(tokens.c.channel == login.channel))
    connection.execute(tokens.insert().values(_columns(login)))


def take_renewal(connection: Connection, channel: str, now: datetime) -> bool:
    """Whether renewing it is for the caller; for nobody else then for five minutes, also if the caller dies."""
    mine = update(tokens).where(tokens.c.channel == channel, tokens.c.renew_at <= now).values(renew_at=now + TURN)
    return bool(connection.execute(mine).rowcount)


def renewed(connection: Connection, old: Login, new: Login) -> bool:
    """Keep what came of renewing; false where somebody logged in meanwhile, whose login stays."""
    same = (tokens.c.channel == old.channel) & (tokens.c.sealed == old.sealed)
    return bool(connection.execute(update(tokens).where(same).values(_columns(new))).rowcount)


def unrenewable(connection: Connection, login: Login) -> None:
    """The provider renews it no more: it lives as long as it does."""
    renewed(connection, login, replace(login, renew_at=None, refresh_until=None))


def _columns(login: Login) -> dict[str, Any]:
    return {**asdict(login), "scope": " ".join(sorted(login.scope))}
