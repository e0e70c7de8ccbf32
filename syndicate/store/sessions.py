"""Logins to the newsroom, and the hash of its password: for every machine on this database, at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, or_, select, update

from syndicate.store.schema import sessions, settings

PASSWORD = "newsroom.password"  # noqa: S105 - the name of a row
IDLE = timedelta(hours=12)  # without a look at a page
LONGEST = timedelta(days=30)
SEEN_EVERY = timedelta(minutes=1)  # else each page that reloads itself would be a write


def password(connection: Connection) -> str:
    """The hash that `syndicate password` keeps; "" where there is none."""
    return connection.scalar(select(settings.c.value).where(settings.c.key == PASSWORD)) or ""


def set_password(connection: Connection, hashed: str) -> None:
    """Keep another hash, "" for none: every login is over."""
    connection.execute(delete(settings).where(settings.c.key == PASSWORD))
    if hashed:
        connection.execute(settings.insert().values(key=PASSWORD, value=hashed))
    connection.execute(delete(sessions))


def begin(connection: Connection, session: str, mark: str, former: str, now: datetime) -> None:
    """Note a login under the hash of its cookie; the `former` one of the same browser is over, as are stale ones."""
    stale = or_(sessions.c.until <= now, sessions.c.seen_at <= now - IDLE)
    connection.execute(delete(sessions).where(or_(sessions.c.id == former, stale)))
    row = {"id": session, "made_at": now, "seen_at": now, "until": now + LONGEST, "mark": mark}
    connection.execute(sessions.insert().values(row))


def lives(connection: Connection, session: str, marks: Sequence[str], now: datetime) -> tuple[bool, bool]:
    """Whether a login holds: it was opened with the password of one of those `marks`, and is neither idle nor old. And
    whether it is time to note that it is used.
    """
    row = connection.execute(select(sessions).where(sessions.c.id == session)).first()
    if row is None or row.mark not in marks or row.until <= now or row.seen_at <= now - IDLE:
        return False, False
    return True, row.seen_at <= now - SEEN_EVERY


def seen(connection: Connection, session: str, now: datetime) -> None:
    """Note that it is used; never earlier than what stands there."""
    connection.execute(update(sessions).where(sessions.c.id == session, sessions.c.seen_at < now).values(seen_at=now))


def end(connection: Connection, session: str) -> None:
    """Log out."""
    connection.execute(delete(sessions).where(sessions.c.id == session))
