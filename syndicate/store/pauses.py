"""What is paused, by whom and why. A person's pause stands until he resumes; a fault's lets a probe through."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, or_, select, update

from syndicate.store.schema import pauses

EVERYTHING = "all"
PROBE = timedelta(minutes=15)


def pause(connection: Connection, key: str, reason: str, now: datetime) -> None:
    """Pause by a person's hand; stands above a fault's pause of the same key."""
    connection.execute(delete(pauses).where(pauses.c.key == key))
    connection.execute(pauses.insert().values(key=key, reason=reason, since=now, by_fault=False))


def by_fault(connection: Connection, key: str, reason: str, now: datetime, *, rest: timedelta = PROBE) -> None:
    """Pause because of an answer that concerns the whole channel; probed after `rest`."""
    known = connection.execute(select(pauses.c.by_fault).where(pauses.c.key == key)).first()
    if known is None:
        connection.execute(
            pauses.insert().values(key=key, reason=reason, since=now, by_fault=True, probe_at=now + rest)
        )
    elif known.by_fault:
        connection.execute(update(pauses).where(pauses.c.key == key).values(reason=reason, probe_at=now + rest))


def resume(connection: Connection, key: str | None) -> list[str]:
    """End a pause, or all of them; returns the keys that were paused."""
    query = delete(pauses) if key is None else delete(pauses).where(pauses.c.key == key)
    return sorted(connection.scalars(query.returning(pauses.c.key)))


def heal(connection: Connection, key: str) -> None:
    """Something got through: the fault is over."""
    connection.execute(delete(pauses).where(pauses.c.key == key, pauses.c.by_fault))


def open_for(connection: Connection, key: str, now: datetime, *, probe: bool = True) -> bool:
    """Whether a claim on this channel may be made; the claim that finds a probe due is the probe.

    With `probe` false it is only asked, on a connection that cannot write.
    """
    rows = connection.execute(
        select(pauses.c.key, pauses.c.by_fault, pauses.c.probe_at).where(
            or_(pauses.c.key == EVERYTHING, pauses.c.key == key)
        )
    ).all()
    if not rows:
        return True
    if any(not row.by_fault or row.probe_at is None or row.probe_at > now for row in rows):
        return False
    if probe:
        connection.execute(update(pauses).where(pauses.c.key == key).values(probe_at=now + PROBE))
    return True


def standing(connection: Connection) -> dict[str, str]:
    """Pauses that stand: key -> reason."""
    return {row.key: row.reason for row in connection.execute(select(pauses).order_by(pauses.c.key))}


def faults(connection: Connection) -> list[str]:
    """Keys paused by a fault."""
    return sorted(connection.scalars(select(pauses.c.key).where(pauses.c.by_fault)))
