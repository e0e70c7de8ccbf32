"""Editions: which articles each issue of a digest held, and which slots are done. `holding` has those that wait."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select, update

from syndicate.article import Article
from syndicate.config import DigestSettings
from syndicate.edition import Contents, Filling, fill
from syndicate.store import articles as catalogue
from syndicate.store import checks, letters
from syndicate.store.among import among
from syndicate.store.database import insert_or_ignore
from syndicate.store.schema import articles, deliveries, digests, edition_articles, editions
from syndicate.worth import APART, Aired

_EVER = datetime.min.replace(tzinfo=UTC)
_SLACK = timedelta(days=1)  # longer than edits can put an article off


def sync_digests(connection: Connection, names: Sequence[str], now: datetime) -> None:
    """Note the digests there are; a new one starts from here."""
    for name in names:
        connection.execute(insert_or_ignore(connection, digests).values(name=name, since=now))


def digests_differ(connection: Connection, names: Sequence[str]) -> bool:
    """Whether one of these digests is new."""
    return not set(names) <= set(connection.scalars(select(digests.c.name)))


def since(connection: Connection, digest: str) -> datetime | None:
    """When the digest began."""
    return connection.scalar(select(digests.c.since).where(digests.c.name == digest))


def candidates(connection: Connection, digest: str, live: bool, until: datetime, now: datetime) -> list[Article]:
    """What the edition of a slot `until` may hold: released after the last one, and nothing older than the digest
    or than the moment at which email went live. Newest first, without texts.
    """
    began = since(connection, digest) or now
    went_live = letters.channel_since(connection) if live else None
    window = catalogue.for_edition(
        connection, after=last(connection, digest, live), entered_from=max(began, went_live or began),
        released_until=until,
    )  # fmt: skip
    return _for_mail(window)


def ready(connection: Connection, now: datetime) -> list[Article]:
    """What an edition beside the slots may hold: every ready article, newest first, without texts."""
    return _for_mail(
        catalogue.for_edition(connection, after=None, entered_from=None, released_until=now, baseline=True)
    )


def _for_mail(window: Sequence[Article]) -> list[Article]:
    """Those whose front matter lets them be mailed (rule 11)."""
    return [one for one in window if one.manuscript.channels is None or letters.CHANNEL in one.manuscript.channels]


def lock(connection: Connection, digest: str) -> None:
    """Make those who freeze an edition of a digest wait for each other: its row is their mutex."""
    connection.execute(select(digests.c.name).where(digests.c.name == digest).with_for_update())


def slot_done(connection: Connection, digest: str, slot: datetime) -> bool:
    """Whether that slot was filled, skipped or expired."""
    query = select(editions.c.slug).where(editions.c.digest == digest, editions.c.slot == slot)
    return connection.execute(query).first() is not None


def last(connection: Connection, digest: str, live: bool) -> tuple[datetime, datetime] | None:
    """The last frozen edition beside a slot: its slot, where the next one's window begins, and when it was made."""
    row = connection.execute(
        select(editions.c.slot, editions.c.made_at)
        .where(editions.c.digest == digest, editions.c.state == "frozen", editions.c.live == live)
        .where(editions.c.slot.is_not(None))
        .order_by(editions.c.slot.desc())
        .limit(1)
    ).first()
    return (row.slot, row.made_at) if row else None


def used(connection: Connection, digest: str, beside: str = "") -> set[str]:
    """Articles that are in a live edition of this digest, `beside` one; those that wait for approval count."""
    e = edition_articles.c
    return set(connection.scalars(select(e.article).where(e.digest == digest, e.live, e.edition != beside)))


def holds(connection: Connection, digest: str, article: str, live: bool) -> bool:
    """Whether an edition of this digest was made for that article, or passed over."""
    query = (
        select(editions.c.slug)
        .join_from(edition_articles, editions, editions.c.slug == edition_articles.c.edition)
        .where(edition_articles.c.article == article, editions.c.digest == digest, editions.c.live == live)
    )
    return connection.execute(query.limit(1)).first() is not None


def recent(connection: Connection, digest: str, now: datetime) -> list[Aired]:
    """What went out in live editions of this digest less than `APART` ago."""
    query = (
        select(articles.c.fields, editions.c.made_at)
        .join_from(editions, edition_articles, edition_articles.c.edition == editions.c.slug)
        .join(articles, articles.c.id == edition_articles.c.article)
        .where(editions.c.digest == digest, editions.c.live, editions.c.made_at > now - APART)
        .where(editions.c.state == "frozen")
    )
    rows = [(json.loads(row.fields), row.made_at) for row in connection.execute(query)]
    return [
        Aired(title=said.get("title", ""), moment=made_at, authors=tuple(said.get("authors", ())))
        for said, made_at in rows
    ]


def choose(
    connection: Connection, digest: DigestSettings, window: Sequence[Article], moment: datetime, *, live: bool,
    beside: str = "",
) -> Filling:  # fmt: skip
    """Which articles of a window the edition of that moment holds, `beside` the one that it takes the place of.

    Only a picture that is there counts.
    """
    return fill(
        checks.dress(connection, window, believe=not live),
        used(connection, digest.name, beside),
        cards=digest.max_articles,
        headlines=digest.headlines,
        now=moment,
        recent=recent(connection, digest.name, moment),
    )


def free_slug(connection: Connection, wanted: str) -> str:
    """That slug, or the next free one counted on."""
    slug, count = wanted, 1
    while connection.execute(select(editions.c.slug).where(editions.c.slug == slug)).first():
        count += 1
        slug = f"{wanted}-{count}"
    return slug


def save(
    connection: Connection,
    contents: Contents,
    *,
    slot: datetime | None,
    after: datetime | None,
    until: datetime,
    live: bool,
    now: datetime,
    state: str = "frozen",
) -> bool:
    """Note an edition and its articles.

    False: that slot is done already by somebody else, or since the choice an article went or was in another edition.
    """
    assert contents.digest is not None
    lock(connection, contents.digest)
    if not _still_free(connection, [one.id for one in (*contents.cards, *contents.headlines)], contents.digest, live):
        return False
    made = connection.execute(
        insert_or_ignore(connection, editions).values(
            slug=contents.slug, digest=contents.digest, slot=slot, since=after, until=until, state=state,
            live=live, made_at=now,
        )
    )  # fmt: skip
    if not made.rowcount:
        return False
    _fill(connection, contents, live)
    return True


def change(connection: Connection, contents: Contents, *, live: bool, now: datetime) -> bool:
    """Let an edition of which no letter exists hold these articles instead. Its digest is locked.

    False: an article went, or is in another edition by now.
    """
    assert contents.digest is not None
    ids = [one.id for one in (*contents.cards, *contents.headlines)]
    if not _still_free(connection, ids, contents.digest, live, contents.slug):
        return False
    connection.execute(edition_articles.delete().where(edition_articles.c.edition == contents.slug))
    _fill(connection, contents, live)
    connection.execute(update(editions).where(editions.c.slug == contents.slug).values(made_at=now))
    return True


def let_go(connection: Connection, slug: str) -> None:
    """Free the articles of an edition that comes to nothing: what it would have held is told by its rows yet."""
    connection.execute(update(edition_articles).where(edition_articles.c.edition == slug).values(live=False))


def _fill(connection: Connection, contents: Contents, live: bool) -> None:
    rows = [
        {"edition": contents.slug, "article": article.id, "digest": contents.digest, "live": live, "place": place,
         "position": position}
        for place, chosen in (("card", contents.cards), ("headline", contents.headlines))
        for position, article in enumerate(chosen)
    ]  # fmt: skip
    if rows:
        connection.execute(edition_articles.insert(), rows)


def _still_free(connection: Connection, ids: Sequence[str], digest: str, live: bool, beside: str = "") -> bool:
    return len(texts(connection, ids)) == len(ids) and not (live and used(connection, digest, beside) & set(ids))


def texts(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """What tells the texts of these articles as they are now from every other; of those that may go out."""
    a = articles.c
    there = select(a.id, a.hash).where(a.id.in_(list(ids)), a.state == "ready", a.missed_at.is_(None))
    return {row.id: row.hash for row in connection.execute(there)}


def pass_over(
    connection: Connection, digest: str, slug: str, slot: datetime, state: str, reason: str, live: bool, now: datetime
) -> None:
    """Note a slot that gave no edition: skipped (too little in it) or expired (too late)."""
    lock(connection, digest)
    connection.execute(
        insert_or_ignore(connection, editions).values(
            slug=free_slug(connection, slug), digest=digest, slot=slot, until=slot, state=state, reason=reason,
            live=live, made_at=now,
        )
    )  # fmt: skip


def pass_by(connection: Connection, digest: str, article: Article, reason: str, live: bool, now: datetime) -> None:
    """Note an article that gets no letter of its own any more; an edition made by hand may yet hold it."""
    lock(connection, digest)
    if holds(connection, digest, article.id, live):
        return
    slug = free_slug(connection, f"{digest}-{article.slug}")
    connection.execute(
        editions.insert().values(
            slug=slug, digest=digest, until=article.released or now, state="expired", reason=reason, live=live,
            made_at=now,
        )
    )  # fmt: skip
    row = {"edition": slug, "article": article.id, "digest": digest, "live": False, "place": "card", "position": 0}
    connection.execute(edition_articles.insert().values(row))


def singles(
    connection: Connection, digest: str, live: bool, now: datetime, *, delay: timedelta, late_limit: timedelta
) -> list[Article]:
    """Articles that are owed a letter of their own and have rested for `delay` since their last edit; oldest first,
    without texts.

    What was on time when the last one was made is not looked for again: the catalogue is long, and read often.
    """
    began = max(since(connection, digest) or now, (letters.channel_since(connection) if live else None) or _EVER)
    made = select(func.max(editions.c.made_at)).where(editions.c.digest == digest, editions.c.live == live)
    latest = connection.scalar(made)
    horizon = latest - late_limit - _SLACK if latest else began
    window = catalogue.for_edition(
        connection, after=(horizon, horizon) if latest else None, entered_from=began, released_until=now
    )
    found = {one.id: one for one in reversed(_for_mail(window))}
    for passed in (_made_for(digest, live, horizon), _mailed_by_hand(), _still_young(now - delay)):
        if not found:
            return []
        for article in connection.scalars(passed, {"ids": [*found]}):
            found.pop(article, None)
    return list(found.values())


def _made_for(digest: str, live: bool, horizon: datetime) -> Select[Any]:
    return (
        select(edition_articles.c.article)
        .join_from(edition_articles, editions, editions.c.slug == edition_articles.c.edition)
        .where(editions.c.digest == digest, editions.c.live == live, editions.c.made_at >= horizon)
        .where(among(edition_articles.c.article, "ids"))
    )


def _mailed_by_hand() -> Select[Any]:
    d = deliveries.c
    mine = and_(d.channel == letters.CHANNEL, d.kind == "article", d.live)
    return select(d.subject).where(among(d.subject, "ids"), mine, d.state.in_(["planned", "claimed", "sent"]))


def _still_young(until: datetime) -> Select[Any]:
    return select(articles.c.id).where(among(articles.c.id, "ids"), articles.c.delay_from > until)


def unfinished(connection: Connection, digest: str) -> list[int]:
    """Deliveries of this digest's editions with letters still to go, newest first."""
    d = deliveries.c
    query = (
        select(d.id)
        .join_from(deliveries, editions, and_(editions.c.slug == d.subject, d.kind == "edition"))
        .where(editions.c.digest == digest, d.channel == letters.CHANNEL, d.state == "claimed")
    )
    return list(connection.scalars(query.order_by(d.id.desc())))


def count(connection: Connection) -> int:
    """Frozen editions, ever."""
    return connection.scalar(select(func.count()).select_from(editions).where(editions.c.state == "frozen")) or 0
