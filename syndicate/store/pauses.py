"""What is paused, by whom and why. A person's pause stands until he resumes; a fault's lets a probe through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, select, update

from syndicate.store.inserting import insert_or_ignore
from syndicate.store.schema import pauses

EVERYTHING = "all"
CLOCK = "clock"  # whose jump makes every decision about moments wrong: stops everything, and planning too
QUOTA = "quota:"  # and a channel: it waits until the provider counts anew; no fault, and it ends by itself
NOT_MADE = "edition:"  # and a digest: its edition cannot be made; pauses nothing, is a problem until it can
PROBE = timedelta(minutes=15)

Known = Mapping[str, Row[*tuple[Any, ...]]]
"""Pauses by key, as one question found them: they are few, and whoever needs several asks once."""

_KNOWN = select(pauses.c.key, pauses.c.by_fault, pauses.c.probe_at, pauses.c.since)


def known(connection: Connection) -> Known:
    """All that is paused."""
    return {row.key: row for row in connection.execute(_KNOWN)}


def pause(connection: Connection, key: str, reason: str, now: datetime) -> None:
    """Pause by a person's hand; stands above a fault's pause of the same key."""
    connection.execute(delete(pauses).where(pauses.c.key == key))
    connection.execute(pauses.insert().values(key=key, reason=reason, since=now, by_fault=False))


def by_fault(
    connection: Connection, key: str, reason: str, now: datetime, *, rest: timedelta | None = PROBE, anew: bool = False
) -> None:
    """Pause because of an answer that concerns the whole channel; probed after `rest`, or never.

    Where it was paused so already it keeps the moment since when, unless this begins `anew`.
    """
    values: dict[str, Any] = {"reason": reason, "probe_at": None if rest is None else now + rest}
    row = insert_or_ignore(connection, pauses).values(key=key, since=now, by_fault=True, **values)
    if not connection.execute(row).rowcount:
        values |= {"since": now} if anew else {}
        connection.execute(update(pauses).where(pauses.c.key == key, pauses.c.by_fault).values(values))


def resume(connection: Connection, key: str | None) -> list[str]:
    """End a pause, or all of them; returns the keys that were paused."""
    query = delete(pauses) if key is None else delete(pauses).where(pauses.c.key.in_([key, f"{QUOTA}{key}"]))
    return sorted({found.removeprefix(QUOTA) for found in connection.scalars(query.returning(pauses.c.key))})


def heal(connection: Connection, key: str) -> None:
    """Something got through: the fault is over."""
    connection.execute(delete(pauses).where(pauses.c.key == key, pauses.c.by_fault))


class Gate(IntEnum):
    """What a channel lets through now; false where nothing may be claimed."""

    SHUT = 0
    PROBE = 1  # paused by a fault that has rested: one row may try
    OPEN = 2


def gate(connection: Connection, keys: Sequence[str], now: datetime, found: Known | None = None) -> Gate:
    """Whether a claim may be made on what these keys stand for; ask in the transaction that claims.
    What this transaction `found` a moment ago is not asked for again.

    A probe is for one: whoever comes second waits here until the first has claimed or not, and is told anew.
    """
    seen = is_open(connection, keys, now, found)
    if seen is not Gate.PROBE:
        return seen
    rested = select(pauses.c.key).where(_stand_for(keys), pauses.c.by_fault).order_by(pauses.c.key)
    connection.execute(rested.with_for_update()).all()
    return is_open(connection, keys, now)


def is_open(connection: Connection, keys: Sequence[str], now: datetime, found: Known | None = None) -> Gate:
    """What these keys let through; reads only, so that somebody else may be at the same probe. `found` as above."""
    found = known(connection) if found is None else found
    rows = [found[key] for key in (EVERYTHING, CLOCK, *keys) if key in found]
    if any(not row.by_fault or row.probe_at is None or row.probe_at > now for row in rows):
        return Gate.SHUT
    return Gate.PROBE if rows else Gate.OPEN


def _stand_for(keys: Sequence[str]) -> ColumnElement[bool]:
    return pauses.c.key.in_([EVERYTHING, CLOCK, *keys])


def probed(connection: Connection, keys: Sequence[str], now: datetime) -> None:
    """A claim was made: where it was the probe of a pause, the next one waits."""
    connection.execute(
        update(pauses).where(_stand_for(keys), pauses.c.by_fault, pauses.c.probe_at <= now).values(probe_at=now + PROBE)
    )


def rest(connection: Connection, channel: str, now: datetime, length: timedelta) -> None:
    """Its quota is used up: nothing more is claimed on this channel for so long, and nobody has to do anything."""
    reason = f"its quota is used up; it goes on by itself after {now + length:%Y-%m-%d %H:%M} UTC"
    by_fault(connection, f"{QUOTA}{channel}", reason, now, rest=length)


def rested(connection: Connection, channel: str, now: datetime) -> None:
    """Forget a quota that counts anew."""
    ours = and_(pauses.c.key == f"{QUOTA}{channel}", pauses.c.probe_at <= now)
    connection.execute(delete(pauses).where(ours))


def quotas(connection: Connection, now: datetime) -> dict[str, str]:
    """Channels whose quota is used up: name -> what people are told."""
    used_up = and_(_is_quota(), pauses.c.probe_at > now)
    rows = connection.execute(select(pauses).where(used_up).order_by(pauses.c.key))
    return {row.key.removeprefix(QUOTA): row.reason for row in rows}


def resting(connection: Connection, prefix: str, now: datetime, found: Known) -> list[str]:
    """Keys below `prefix` that rest still; those that have rested are forgotten, each starts anew by itself."""
    below = {key: row for key, row in found.items() if key.startswith(prefix)}
    over = [key for key, row in below.items() if row.by_fault and row.probe_at is not None and row.probe_at <= now]
    if over:
        still = and_(pauses.c.by_fault, pauses.c.probe_at <= now)  # unless its rest was made longer meanwhile
        connection.execute(delete(pauses).where(pauses.c.key.in_(over), still))
    return [key for key in below if key not in over]


def by_person(connection: Connection, keys: Sequence[str]) -> bool:
    """Whether a person stopped what these keys stand for: then nothing new is begun, and no queue grows old."""
    query = select(pauses.c.key).where(_stand_for(keys), pauses.c.by_fault.is_(False))
    return connection.execute(query).first() is not None


def stands(connection: Connection, key: str) -> bool:
    """Whether this very key is paused."""
    return connection.execute(select(pauses.c.key).where(pauses.c.key == key)).first() is not None


def standing(connection: Connection) -> dict[str, str]:
    """Pauses that stand, quotas aside: key -> reason."""
    query = select(pauses).where(~_is_quota()).order_by(pauses.c.key)
    return {row.key: row.reason for row in connection.execute(query)}


def called(key: str) -> str:
    """What people call that which a key stands for, and `syndicate resume` too, save everything."""
    return "everything" if key == EVERYTHING else key.removeprefix("digest:")


def faults(connection: Connection) -> list[str]:
    """Keys paused by a fault."""
    return sorted(connection.scalars(select(pauses.c.key).where(pauses.c.by_fault, ~_is_quota())))


def _is_quota() -> ColumnElement[bool]:
    return pauses.c.key.startswith(QUOTA, autoescape=True)
