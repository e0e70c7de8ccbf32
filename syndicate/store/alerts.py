"""Who was told of which problem: the book of each way of telling, kept by several processes as one."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select, update

from syndicate import alert
from syndicate.alert import News, Problem, Standing
from syndicate.store.database import insert_or_ignore
from syndicate.store.schema import alerts, owners


def book(connection: Connection, way: str) -> dict[str, Standing]:
    """What is remembered in one way of telling."""
    a = alerts.c
    query = select(a.key, a.text, a.since, a.gone_at, a.told_at, a.times).where(a.way == way).order_by(a.key)
    return {
        row.key: Standing(text=row.text, since=row.since, gone_at=row.gone_at, told_at=row.told_at, times=row.times)
        for row in connection.execute(query)
    }


def look(
    connection: Connection, way: str, texts: Mapping[str, str], owner: str, now: datetime, *, tells: bool = True
) -> News:
    """Note what was found, and if it `tells` take what is to be told now; two processes never take the same."""
    before = book(connection, way)
    after = alert.seen(before, texts, now)
    free = _free(owner, now)
    for key in before.keys() - after.keys():
        connection.execute(delete(alerts).where(_is(way, key), alerts.c.told_at.is_(None), free))
    for key, standing in after.items():
        if key not in before:
            connection.execute(insert_or_ignore(connection, alerts).values(way=way, key=key, **_columns(standing)))
        elif standing != before[key]:
            connection.execute(update(alerts).where(_is(way, key)).values(_columns(standing)))
    due = alert.news(after, now) if tells else News()
    return News(
        begun=_take(connection, way, due.begun, owner, and_(free, alerts.c.told_at.is_(None))),
        over=_take(connection, way, due.over, owner, and_(free, alerts.c.told_at.is_not(None))),
    )


def _free(owner: str, now: datetime) -> ColumnElement[bool]:
    """Nobody else who lives is telling of it."""
    living = select(owners.c.id).where(owners.c.lease_until > now)
    return or_(alerts.c.owner.is_(None), alerts.c.owner == owner, alerts.c.owner.not_in(living))


def _take(
    connection: Connection, way: str, keys: Sequence[str], owner: str, still: ColumnElement[bool]
) -> tuple[str, ...]:
    """Those that are ours to tell: somebody may have been quicker since they were read."""
    taken = (update(alerts).where(_is(way, key), still).values(owner=owner) for key in keys)
    return tuple(key for key, one in zip(keys, taken, strict=True) if connection.execute(one).rowcount)


def settle(connection: Connection, way: str, keys: Collection[str], owner: str, now: datetime | None) -> None:
    """What was taken is told; with None it could not be, and is anybody's again."""
    mine = {key: standing for key, standing in book(connection, way).items() if key in keys}
    for key, standing in (alert.told(mine, mine, now) if now else mine).items():
        values = {"told_at": standing.told_at, "times": standing.times, "owner": None}
        connection.execute(update(alerts).where(_is(way, key), alerts.c.owner == owner).values(values))


def note(connection: Connection, owner: str, problems: Sequence[Problem]) -> None:
    """Write what only this process sees, for all to read as long as it lives."""
    connection.execute(update(owners).where(owners.c.id == owner).values(trouble=_packed(problems)))


def is_noted(connection: Connection, owner: str, problems: Sequence[Problem]) -> bool:
    """Whether exactly these are written already."""
    return connection.scalar(select(owners.c.trouble).where(owners.c.id == owner)) == _packed(problems)


def noted(connection: Connection, now: datetime) -> list[Problem]:
    """What the living processes see, each problem once."""
    query = select(owners.c.trouble).where(owners.c.lease_until > now, owners.c.trouble != "[]").order_by(owners.c.id)
    found = (json.loads(trouble) for trouble in connection.scalars(query))
    return list({key: Problem(key=key, text=text, halts=halts) for some in found for key, text, halts in some}.values())


def _packed(problems: Sequence[Problem]) -> str:
    return json.dumps([[problem.key, problem.text, problem.halts] for problem in problems], ensure_ascii=False)


def _is(way: str, key: str) -> ColumnElement[bool]:
    return and_(alerts.c.way == way, alerts.c.key == key)


def _columns(standing: Standing) -> dict[str, object]:
    """What a look may change; what was told is `settle`'s."""
    return {name: getattr(standing, name) for name in ("text", "since", "gone_at")}
