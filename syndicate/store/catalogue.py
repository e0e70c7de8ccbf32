"""The newsroom's lists: pages of articles and of people, each as long as a screen, however many there are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, tuple_

from syndicate.article import Article
from syndicate.store.articles import article_of
from syndicate.store.database import AnyRow
from syndicate.store.schema import articles, attempts, deliveries, growth, subscribers

PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An article in a list."""

    id: str
    title: str
    path: str
    source: str
    url: str
    hash: str  # tells its text from every other
    state: str
    reasons: Sequence[str]
    repairs: int
    at: datetime  # released, or first seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A person in a list."""

    id: int
    email: str
    name: str
    state: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One attempt at a delivery."""

    number: int
    at: datetime
    ended: datetime | None
    outcome: str
    status: int | None
    answer: str


def page(connection: Connection, state: str, before: tuple[datetime, str] | None) -> list[Listed]:
    """Articles of one state, one more than a page holds: what is ready by its release, all else as it was first seen,
    the newest first; or those after that (moment, id).
    """
    a = articles.c
    moment = a.released if state == "ready" else a.first_seen
    query = select(a.id, a.path, a.source, a.url, a.hash, a.state, a.reasons, a.fields, moment.label("at"))
    query = query.where(a.state == state, moment.is_not(None)).order_by(moment.desc(), a.id.desc())
    if before is not None:
        at, last = before
        query = query.where(tuple_(moment, a.id) < tuple_(at, last))
    return [_listed(row) for row in connection.execute(query.limit(PAGE + 1))]


def one(connection: Connection, article: str) -> tuple[Listed, Article] | None:
    """One article: as a list shows it, and whole; None where there is none of that id."""
    row = connection.execute(select(articles).where(articles.c.id == article)).first()
    if row is None:
        return None
    found = article_of(row)
    return Listed(
        id=found.id, title=found.title, path=found.path, source=found.source, url=found.url, hash=row.hash,
        state=found.state.value, reasons=found.reasons, repairs=len(found.manuscript.repairs),
        at=found.released or found.first_seen,
    ), found  # fmt: skip


def why(connection: Connection, delivery: int) -> dict[str, str]:
    """Why each article is in an edition, by its title."""
    told = connection.scalar(select(deliveries.c.why).where(deliveries.c.id == delivery))
    reasons: dict[str, str] = json.loads(told) if told and told.startswith("{") else {}
    rows = connection.execute(select(articles.c.id, articles.c.fields).where(articles.c.id.in_(list(reasons)[:PAGE])))
    titles = {row.id: json.loads(row.fields).get("title") or row.id for row in rows}
    return {titles[one]: reason for one, reason in reasons.items() if one in titles}


def _listed(row: AnyRow) -> Listed:
    said: dict[str, Any] = json.loads(row.fields)
    return Listed(
        id=row.id, title=said.get("title", ""), path=row.path, source=row.source, url=row.url, hash=row.hash,
        state=row.state, reasons=json.loads(row.reasons), repairs=len(said.get("repairs", ())), at=row.at,
    )  # fmt: skip


def people(connection: Connection, begins: str, before: int | None) -> list[Reader]:
    """People, one more than a page holds: the newest first, or those with an address that `begins` so, by address."""
    s = subscribers.c
    query = select(s.id, s.email, s.name, s.state, s.since, s.address_key).limit(PAGE + 1)
    if begins:
        key = begins.casefold()
        query = query.where(s.address_key >= key, s.address_key < key + "\U0010ffff").order_by(s.address_key)
    else:
        query = query.order_by(s.id.desc())
        query = query.where(s.id < before) if before is not None else query
    return [
        Reader(id=row.id, email=row.email, name=row.name, state=row.state, since=row.since)
        for row in connection.execute(query)
    ]  # fmt: skip


def person(connection: Connection, number: int) -> tuple[Reader, str] | None:
    """One person, and the key of his address."""
    s = subscribers.c
    row = connection.execute(select(subscribers).where(s.id == number)).first()
    if row is None:
        return None
    return Reader(id=row.id, email=row.email, name=row.name, state=row.state, since=row.since), row.address_key


def tries(connection: Connection, delivery: int, limit: int = PAGE) -> list[Try]:
    """The last attempts at a delivery itself, in order; those at its letters are counted, not listed."""
    query = (
        select(attempts)
        .where(attempts.c.delivery == delivery, attempts.c.letter == 0)
        .order_by(attempts.c.number.desc())
        .limit(limit)
    )
    rows = reversed(connection.execute(query).all())
    return [
        Try(
            number=row.number, at=row.started_at, ended=row.ended_at, outcome=row.outcome or "nobody knows",
            status=row.status, answer=row.answer or "",
        )
        for row in rows
    ]  # fmt: skip


def grown(connection: Connection, limit: int) -> list[tuple[str, int]]:
    """Active people at the end of each day, of the last so many that were noted, in order."""
    query = select(growth.c.day, growth.c.count).where(growth.c.state == "active").order_by(growth.c.day.desc())
    return [(row.day, row.count) for row in reversed(connection.execute(query.limit(limit)).all())]
