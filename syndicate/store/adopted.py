"""Ids that the site's former feed gave its items: read from it, kept for good, and given to our articles once."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime

from sqlalchemy import Connection, bindparam, exists, select, update

from syndicate.feedstate import State
from syndicate.store import articles as catalogue
from syndicate.store.among import among
from syndicate.store.database import insert_or_ignore
from syndicate.store.schema import adopted, articles, settings

_KEY = "adopt"
_OURS = "urn:uuid:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is known of the former feed; `state.hash` is empty until it was read once."""

    state: State = field(default_factory=State)
    read_at: datetime | None = None
    ours: bool = False  # its address shows our own feed by now: the site has moved


def reading(connection: Connection, url: str) -> Reading:
    """What is known of the feed at this address."""
    stored = connection.scalar(select(settings.c.value).where(settings.c.key == _KEY))
    said = json.loads(stored) if stored else {}
    if said.get("state", {}).get("url") != url:
        return Reading(state=State(url=url))
    state = said["state"] | {"retry_at": _moment(said["state"]["retry_at"])}
    return Reading(state=State(**state), read_at=_moment(said["read_at"]), ours=said["ours"])


def keep(connection: Connection, now: Reading) -> None:
    """Store what is known of the feed."""
    said = json.dumps(asdict(now), default=datetime.isoformat)
    connection.execute(insert_or_ignore(connection, settings).values(key=_KEY, value=said))
    connection.execute(update(settings).where(settings.c.key == _KEY).values(value=said))


def take(connection: Connection, pairs: Mapping[str, str], now: datetime) -> tuple[int, bool]:
    """Keep the ids of links (by `adopt.key`) that have none yet; how many, and whether some are our own articles'.

    A first id stays for ever. Our own are not kept: another article may have that link one day.
    """
    catalogue.lock(connection)
    mine = _our_own(connection, pairs.values())
    there = set(connection.scalars(select(adopted.c.link).where(among(adopted.c.link, "links")), {"links": [*pairs]}))
    rows = [
        {"link": link, "feed_id": known, "first_seen": now}
        for link, known in pairs.items()
        if link not in there and known not in mine
    ]
    if rows:
        connection.execute(insert_or_ignore(connection, adopted), rows)
        catalogue.revise(connection)
    return len(rows), bool(mine)


def _our_own(connection: Connection, ids: Collection[str]) -> set[str]:
    asked = [known.removeprefix(_OURS) for known in ids if known.startswith(_OURS)]
    found = connection.scalars(select(articles.c.id).where(among(articles.c.id, "ids")), {"ids": asked})
    return {_OURS + article for article in found}


def ids(connection: Connection, keys: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Of these articles (id -> `adopt.key` of its address) the ids they were given, and those they can be given now."""
    a = articles.c
    query = select(a.id, a.feed_id).where(among(a.id, "ids"), a.feed_id.is_not(None))
    given = {row.id: row.feed_id for row in connection.execute(query, {"ids": [*keys]})}
    wanted = {article: link for article, link in keys.items() if article not in given}
    known = select(adopted.c.link, adopted.c.feed_id).where(among(adopted.c.link, "links"))
    found = {row.link: row.feed_id for row in connection.execute(known, {"links": [*wanted.values()]})}
    return given, {article: found[link] for article, link in wanted.items() if link in found}


def give(connection: Connection, wanted: Mapping[str, str]) -> dict[str, str]:
    """Give articles (id -> item id) the ids of the former feed: each id to one, the first named; returns who has one.

    An article keeps its id for good, wherever it moves.
    """
    catalogue.lock(connection)
    other = articles.alias()
    taken = exists().where(other.c.feed_id == bindparam("known"))
    free = (articles.c.id == bindparam("article"), articles.c.feed_id.is_(None), ~taken)
    connection.execute(
        update(articles).where(*free).values(feed_id=bindparam("known")),
        [{"article": article, "known": known} for article, known in wanted.items()],
    )
    query = select(articles.c.id, articles.c.feed_id).where(
        among(articles.c.id, "ids"), articles.c.feed_id.is_not(None)
    )
    return {row.id: row.feed_id for row in connection.execute(query, {"ids": [*wanted]})}


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
