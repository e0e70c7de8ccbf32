"""Editions: which articles each issue of a digest held, and which slots are done."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select

from syndicate.article import Article
from syndicate.config import DigestSettings
from syndicate.edition import Contents, Filling, fill
from syndicate.store import articles as catalogue
from syndicate.store import checks, letters
from syndicate.store.database import insert_or_ignore
from syndicate.store.schema import articles, digests, edition_articles, editions
from syndicate.worth import APART, Aired


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


def used(connection: Connection, digest: str) -> set[str]:
    """Articles that were in a live edition of this digest."""
    query = select(edition_articles.c.article).where(edition_articles.c.digest == digest, edition_articles.c.live)
    return set(connection.scalars(query))


def recent(connection: Connection, digest: str, now: datetime) -> list[Aired]:
    """What went out in live editions of this digest less than `APART` ago."""
    query = (
        select(articles.c.fields, editions.c.made_at)
        .join_from(editions, edition_articles, edition_articles.c.edition == editions.c.slug)
        .join(articles, articles.c.id == edition_articles.c.article)
        .where(editions.c.digest == digest, editions.c.live, editions.c.made_at > now - APART)
    )
    rows = [(json.loads(row.fields), row.made_at) for row in connection.execute(query)]
    return [
        Aired(title=said.get("title", ""), moment=made_at, authors=tuple(said.get("authors", ())))
        for said, made_at in rows
    ]


def choose(
    connection: Connection, digest: DigestSettings, window: Sequence[Article], moment: datetime, *, live: bool
) -> Filling:
    """Which articles of a window the edition of that moment holds; only a picture that is there counts."""
    return fill(
        checks.dress(connection, window, believe=not live),
        used(connection, digest.name),
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
) -> bool:
    """Note a frozen edition and its articles.

    False: that slot is done already by somebody else, or since the choice an article went or was in another edition.
    """
    assert contents.digest is not None
    lock(connection, contents.digest)
    if not _still_free(connection, [one.id for one in (*contents.cards, *contents.headlines)], contents.digest, live):
        return False
    made = connection.execute(
        insert_or_ignore(connection, editions).values(
            slug=contents.slug, digest=contents.digest, slot=slot, since=after, until=until, state="frozen",
            live=live, made_at=now,
        )
    )  # fmt: skip
    if not made.rowcount:
        return False
    rows = [
        {"edition": contents.slug, "article": article.id, "digest": contents.digest, "live": live, "place": place,
         "position": position}
        for place, chosen in (("card", contents.cards), ("headline", contents.headlines))
        for position, article in enumerate(chosen)
    ]  # fmt: skip
    if rows:
        connection.execute(edition_articles.insert(), rows)
    return True


def _still_free(connection: Connection, ids: Sequence[str], digest: str, live: bool) -> bool:
    a = articles.c
    ready = connection.scalar(select(func.count()).where(a.id.in_(ids), a.state == "ready", a.missed_at.is_(None)))
    return ready == len(ids) and not (live and used(connection, digest) & set(ids))


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


def count(connection: Connection) -> int:
    """Frozen editions, ever."""
    return connection.scalar(select(func.count()).select_from(editions).where(editions.c.state == "frozen")) or 0
