"""WebSub hubs: which bytes of the feeds each was told of, who tells it now, and when it is tried again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select, update

from syndicate.store.among import among
from syndicate.store.database import insert_or_ignore
from syndicate.store.schema import hubs, owners


@dataclass(frozen=True, slots=True)
class Known:
    """One hub: the mark of what it was told of, when that is to be mended (None: it is not), and by anybody now."""

    told: str
    due_at: datetime | None
    is_due: bool


@dataclass(frozen=True, slots=True)
class Failing:
    """A hub that takes nothing: how often in a row, and what it or the way to it said the last time."""

    hub: str
    tries: int
    problem: str


def known(connection: Connection, names: Collection[str], now: datetime) -> dict[str, Known]:
    """What is known of these hubs."""
    query = select(hubs.c.hub, hubs.c.told, hubs.c.due_at, _is_due(now).label("is_due"))
    rows = connection.execute(query.where(among(hubs.c.hub, "names")), {"names": names})
    return {row.hub: Known(row.told, row.due_at, bool(row.is_due)) for row in rows}


def note(connection: Connection, names: Sequence[str], mark: str, now: datetime) -> None:
    """These hubs are to be told now, unless they know this mark or wait for another try."""
    for name in names:
        connection.execute(insert_or_ignore(connection, hubs).values(hub=name))
    behind = and_(hubs.c.told != mark, hubs.c.due_at.is_(None))
    connection.execute(update(hubs).where(among(hubs.c.hub, "names"), behind).values(due_at=now), {"names": names})


def claim(
    connection: Connection, names: Collection[str], owner: str, now: datetime, until: datetime
) -> list[tuple[str, int]]:
    """Take on to tell those that are due, until then: each with its failures so far."""
    claimed = (
        update(hubs)
        .where(among(hubs.c.hub, "names"), _is_due(now))
        .values(owner=owner, due_at=until)
        .returning(hubs.c.hub, hubs.c.tries)
    )
    return [(row.hub, row.tries) for row in connection.execute(claimed, {"names": names})]


def told(connection: Connection, hub: str, owner: str, mark: str) -> None:
    """It took the news."""
    done = {"told": mark, "due_at": None, "owner": None, "tries": 0, "problem": None}
    connection.execute(update(hubs).where(hubs.c.hub == hub, hubs.c.owner == owner).values(**done))


def failed(connection: Connection, hub: str, owner: str, tries: int, problem: str, again: datetime) -> None:
    """It did not, for the `tries`th time in a row; it is tried again then."""
    later = {"due_at": again, "owner": None, "tries": tries, "problem": problem}
    connection.execute(update(hubs).where(hubs.c.hub == hub, hubs.c.owner == owner).values(**later))


def put_off(connection: Connection, names: Collection[str], owner: str, again: datetime) -> None:
    """There is nothing yet for them to fetch."""
    later = update(hubs).where(among(hubs.c.hub, "names"), hubs.c.owner == owner).values(due_at=again, owner=None)
    connection.execute(later, {"names": names})


def failing(connection: Connection, names: Collection[str], least: int) -> list[Failing]:
    """Those of these hubs that have failed so often in a row."""
    query = select(hubs.c.hub, hubs.c.tries, hubs.c.problem).where(among(hubs.c.hub, "names"), hubs.c.tries >= least)
    rows = connection.execute(query.order_by(hubs.c.hub), {"names": names})
    return [Failing(row.hub, row.tries, row.problem or "") for row in rows]


def _is_due(now: datetime) -> ColumnElement[bool]:
    """Its time has come, or who was telling it has died or taken too long."""
    abandoned = and_(hubs.c.owner.is_not(None), ~exists().where(owners.c.id == hubs.c.owner))
    return and_(hubs.c.due_at.is_not(None), or_(hubs.c.due_at <= now, abandoned))
