"""How often something may be asked for in a span of time: counted in the ledger, over all machines and restarts."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from importlib import import_module

from sqlalchemy import Connection, delete, select, update

from syndicate.store.schema import limits

KEEP = timedelta(days=2)  # after which a count is of no use: no window is longer


def bucket(secret: bytes, what: str, whose: str = "") -> str:
    """The name of a count: no address can be read out of it."""
    return hmac.new(secret, f"limit 1\n{what}\n{whose}".encode(), hashlib.sha256).hexdigest()[:32]


def take(connection: Connection, bucket: str, window_seconds: int, most: int, now: datetime) -> bool:
    """Take one of the `most` that this window has, which begin at whole multiples of their length; False: none left.

    Who asks at once takes one after the other: nobody gets one more.
    """
    if most < 1:
        return False
    start = int(now.timestamp()) // window_seconds * window_seconds
    insert = import_module(f"sqlalchemy.dialects.{connection.dialect.name}").insert(limits)
    counted = insert.values(bucket=bucket, span=start, count=1).on_conflict_do_update(
        index_elements=[limits.c.bucket, limits.c.span], set_={"count": limits.c.count + 1}, where=limits.c.count < most
    )
    return connection.execute(counted.returning(limits.c.count)).first() is not None


def give_back(connection: Connection, bucket: str, window_seconds: int, now: datetime) -> None:
    """One that was taken in this window does not count after all."""
    start = int(now.timestamp()) // window_seconds * window_seconds
    ours = (limits.c.bucket == bucket) & (limits.c.span == start) & (limits.c.count > 0)
    connection.execute(update(limits).where(ours).values(count=limits.c.count - 1))


def taken(connection: Connection, bucket: str, window_seconds: int, now: datetime) -> int:
    """How many of this window are taken."""
    start = int(now.timestamp()) // window_seconds * window_seconds
    query = select(limits.c.count).where(limits.c.bucket == bucket, limits.c.span == start)
    return connection.scalar(query) or 0


def forget(connection: Connection, now: datetime) -> int:
    """Drop the counts of windows long past; returns how many."""
    return connection.execute(delete(limits).where(limits.c.span < int((now - KEEP).timestamp()))).rowcount
