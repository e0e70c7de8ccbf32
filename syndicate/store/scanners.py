"""Who scans which source: one `run` at a time, so that two machines whose folders differ do not contradict each other.

A command for one pass looks beside an owner of its own machine, whose files are the same, and never becomes one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select, update

from syndicate.store.database import insert_or_ignore
from syndicate.store.schema import owners, sources

DAEMON = "run"  # what such an owner calls itself


@dataclass(frozen=True, slots=True)
class Sharing:
    """How the sources of one process are shared out."""

    mine: frozenset[str]  # it scans these
    near: frozenset[str]  # nobody on another machine does
    vacant: frozenset[str]  # nobody does
    alone: bool  # no other `run` is known


def sharing(connection: Connection, names: Collection[str], me: str, host: str) -> Sharing:
    """Who has which of these sources now."""
    query = select(sources.c.name, sources.c.owner, owners.c.host).join(owners, owners.c.id == sources.c.owner)
    taken = {row.name: row for row in connection.execute(query.where(sources.c.name.in_(names)))}
    return Sharing(
        mine=frozenset(name for name, row in taken.items() if row.owner == me),
        near=frozenset(name for name in names if name not in taken or taken[name].host == host),
        vacant=frozenset(names) - taken.keys(),
        alone=connection.execute(select(owners.c.id).where(_is_another_daemon(me))).first() is None,
    )


def take(connection: Connection, names: Collection[str], me: str) -> None:
    """Become the one who scans these sources, where nobody does or who did is gone."""
    for name in sorted(names):
        connection.execute(insert_or_ignore(connection, sources).values(name=name))
        nobody = or_(sources.c.owner.is_(None), ~exists().where(owners.c.id == sources.c.owner))
        connection.execute(update(sources).where(sources.c.name == name, nobody).values(owner=me))


def let_go(connection: Connection, names: Collection[str], me: str) -> None:
    """Leave these sources to another who can read them."""
    connection.execute(update(sources).where(sources.c.name.in_(names), sources.c.owner == me).values(owner=None))


def leave(connection: Connection, who: Collection[str]) -> None:
    """These owners are gone: their sources are anybody's."""
    connection.execute(update(sources).where(sources.c.owner.in_(who)).values(owner=None))


def asks(connection: Connection, me: str, host: str | None) -> bool:
    """Whether this process asks the world about articles: who scans the first source does, else whoever comes.

    With `host`, a command for one pass, beside an owner of that machine too.
    """
    first = connection.execute(
        select(sources.c.owner, owners.c.host)
        .join(owners, owners.c.id == sources.c.owner)
        .order_by(sources.c.name)
        .limit(1)
    ).first()
    return first is None or first.owner == me or first.host == host


def _is_another_daemon(me: str) -> ColumnElement[bool]:
    return and_(owners.c.what == DAEMON, owners.c.id != me)
