"""What was looked up in the world about articles: does the public page answer, does the hero image exist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urljoin

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, or_, select, update

from syndicate.article import Article
from syndicate.store.database import insert_or_ignore
from syndicate.store.schema import articles, channels, checks, deliveries

PAGE, IMAGE = "page", "image"
UNKNOWN, GOOD, BAD = "unknown", "good", "bad"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look up."""

    article: str
    what: str
    url: str
    tries: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a look found: `due_at` None = settled."""

    check: Check
    state: str
    due_at: datetime | None = None
    type: str | None = None
    length: int | None = None


def page_answers(connection: Connection, article: str, url: str, now: datetime) -> bool:
    """Whether the article's page was seen alive; the first question puts it on the list."""
    row = connection.execute(select(checks).where(checks.c.article == article, checks.c.what == PAGE)).first()
    if row is not None and row.url == url:
        return bool(row.state == GOOD)
    _want(connection, article, PAGE, url, now)
    return False


def _want(connection: Connection, article: str, what: str, url: str, now: datetime) -> None:
    forget(connection, article, what)
    row = {"article": article, "what": what, "url": url, "state": UNKNOWN, "tries": 0, "since": now, "due_at": now}
    connection.execute(insert_or_ignore(connection, checks).values(row))


def forget(connection: Connection, article: str, what: str) -> None:
    """What was known is about another address."""
    connection.execute(delete(checks).where(checks.c.article == article, checks.c.what == what))


def forget_other_image(connection: Connection, article: str, address: str | None) -> None:
    """An edit names another image: what was known of the one before says nothing of it."""
    other = and_(checks.c.article == article, checks.c.what == IMAGE, checks.c.url != (address or ""))
    connection.execute(delete(checks).where(other))


def unseen_images(connection: Connection, newest: int, limit: int) -> list[Any]:
    """Articles in view (the newest ready ones, and whatever waits for a channel) whose image nobody looked at."""
    front = (
        select(articles.c.id)
        .where(articles.c.state == "ready")
        .order_by(articles.c.released.desc(), articles.c.id)
        .limit(newest)
        .subquery()
    )
    waiting = select(deliveries.c.subject).where(
        deliveries.c.channel.in_(select(channels.c.name)), deliveries.c.state == "waiting"
    )
    ready = articles.c.state.concat("") == "ready"  # no term of an index: by that, all ready ones would be read
    seen = exists().where(checks.c.article == articles.c.id, checks.c.what == IMAGE)
    query = select(articles.c.id, articles.c.url, articles.c.fields).where(
        articles.c.id.in_(select(front.c.id).union(waiting)), ready, ~seen
    )
    return list(connection.execute(query.limit(limit)))


def want_images(connection: Connection, wanted: Sequence[tuple[str, str | None]], now: datetime) -> None:
    """Put images (article, address) on the list; an article without one is settled at once."""
    rows = [
        {"article": article, "what": IMAGE, "url": url or "", "state": UNKNOWN if url else BAD, "tries": 0,
         "since": now, "due_at": now if url else None}
        for article, url in wanted
    ]  # fmt: skip
    if rows:
        connection.execute(insert_or_ignore(connection, checks), rows)


def due(connection: Connection, now: datetime, limit: int) -> list[Check]:
    """What is to be looked up now: a page only while its article waits for it."""
    wanted = or_(checks.c.what == IMAGE, _is_awaited())
    query = select(checks).where(checks.c.due_at <= now, wanted).order_by(checks.c.due_at).limit(limit)
    return [Check(row.article, row.what, row.url, row.tries, row.since) for row in connection.execute(query)]


def record(connection: Connection, results: Sequence[Result]) -> None:
    """Write what was found; an address that changed meanwhile is left alone."""
    for one in results:
        key = and_(
            checks.c.article == one.check.article, checks.c.what == one.check.what, checks.c.url == one.check.url
        )
        connection.execute(
            update(checks)
            .where(key)
            .values(state=one.state, tries=one.check.tries + 1, due_at=one.due_at, type=one.type, length=one.length)
        )


def images(connection: Connection, ids: Sequence[str]) -> dict[str, Any]:
    """What is known of the images of these articles: id -> row (url, state, type, length)."""
    query = select(checks).where(checks.c.what == IMAGE, checks.c.article.in_(ids))
    return {row.article: row for row in connection.execute(query)}


def dress(connection: Connection, shown: Sequence[Article], *, believe: bool) -> list[Article]:
    """These articles with the absolute address of their hero image, where it is known to be there.

    With `believe` also where nobody could look yet: a rehearsal shows what is stated.
    """
    known = images(connection, [article.id for article in shown])
    return [_dressed(article, known.get(article.id), believe=believe) for article in shown]


def dress_one(connection: Connection, article: Article) -> tuple[Article, str | None]:
    """An article to be announced, and the image that it states in vain: known not to be there, and so taken off it."""
    (dressed,) = dress(connection, [article], believe=True)
    return dressed, article.manuscript.hero_image if dressed.manuscript.hero_image is None else None


def _dressed(article: Article, known: Any, *, believe: bool) -> Article:
    stated = article.manuscript.hero_image
    if stated is None:
        return article
    address = image_address(article.url, stated)
    state = known.state if known is not None and known.url == (address or "") else UNKNOWN
    there = state == GOOD or (believe and state == UNKNOWN)
    image = address if there else None
    return replace(article, manuscript=replace(article.manuscript, hero_image=image))


def image_address(page: str, stated: str | None) -> str | None:
    """The absolute address of a hero image as stated; None for what is no address ("https://[image]/a.png")."""
    try:
        return urljoin(page, stated) if stated else None
    except ValueError:
        return None


def dead_pages(connection: Connection, before: datetime) -> tuple[int, str | None]:
    """Pages that are waited for and have not answered since then: how many, and one address."""
    silent = and_(checks.c.what == PAGE, checks.c.state != GOOD, checks.c.since <= before)
    waiting = select(func.count(), func.min(checks.c.url)).join_from(
        articles, checks, checks.c.article == articles.c.id
    )
    row = connection.execute(waiting.where(silent, _waits())).one()
    return int(row[0]), row[1]


def _is_awaited() -> ColumnElement[bool]:
    return exists().where(articles.c.id == checks.c.article, _waits())


def _waits() -> ColumnElement[bool]:
    """An article that was approved, rejected, withdrawn or removed meanwhile waits for no page."""
    return and_(articles.c.state == "scheduled", articles.c.reasons.startswith('["not-live: ', autoescape=True))
