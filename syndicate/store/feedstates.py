"""What sources told of themselves the last time: a feed's validators, a checkout that lags behind."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from syndicate.feedstate import State
from syndicate.store.database import insert_or_ignore
from syndicate.store.schema import sources

PATIENCE = timedelta(minutes=30)  # a pull that fails is a problem after so long


def load(connection: Connection, source: str) -> State:
    """What is known of a feed; `State()` = never asked."""
    stored = connection.scalar(select(sources.c.feed).where(sources.c.name == source))
    if not stored:
        return State()
    said = json.loads(stored)
    at = said.pop("retry_at", None)
    return State(**said, retry_at=datetime.fromisoformat(at) if at else None)


def keep(connection: Connection, source: str, state: State) -> None:
    """Store what is known of a feed now."""
    said = asdict(state) | {"retry_at": state.retry_at.isoformat() if state.retry_at else None}
    connection.execute(insert_or_ignore(connection, sources).values(name=source))
    connection.execute(update(sources).where(sources.c.name == source).values(feed=json.dumps(said)))


def forget(connection: Connection, source: str, wanted: bool) -> None:
    """Note that what is missing from a source was deleted on purpose, or that this is done."""
    connection.execute(insert_or_ignore(connection, sources).values(name=source))
    connection.execute(update(sources).where(sources.c.name == source).values(forget=wanted))


def forgets(connection: Connection, source: str) -> bool:
    """Whether a person said that what is missing was deleted on purpose."""
    return bool(connection.scalar(select(sources.c.forget).where(sources.c.name == source)))


def lag(connection: Connection, source: str, reason: str | None, now: datetime) -> None:
    """Note that a checkout could not be brought up to date, or (None) that it could."""
    known = connection.execute(select(sources.c.lag, sources.c.lag_since).where(sources.c.name == source)).first()
    if known is not None and known.lag == reason:
        return
    connection.execute(insert_or_ignore(connection, sources).values(name=source))
    since = None if reason is None else (known.lag_since if known is not None and known.lag else now)
    connection.execute(update(sources).where(sources.c.name == source).values(lag=reason, lag_since=since))


def lags(connection: Connection, now: datetime) -> list[str]:
    """Why checkouts have not been up to date for half an hour and more."""
    query = select(sources.c.lag).where(sources.c.lag.is_not(None), sources.c.lag_since <= now - PATIENCE)
    return [lag for lag in connection.scalars(query.order_by(sources.c.name)) if lag]
