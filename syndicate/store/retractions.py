"""Retractions: where an article is out by now, and the notes of what was taken back of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, func, select, update

from syndicate.delivery import OPEN
from syndicate.store import ledger, letters, retention
from syndicate.store.database import AnyRow
from syndicate.store.schema import attempts, deliveries, edition_articles, editions

RETRACTED = "retracted"
REFUSED = "not-retracted"

_OPEN = [state.value for state in OPEN]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A delivery that bears the article, as far as it is out or may be."""

    id: int
    channel: str
    state: str
    external_id: str | None = None
    url: str | None = None
    edition: str | None = None  # its slug: the article is one of several there
    people: Mapping[str, int] | None = None  # letters by state


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """Everything of an article that waits, is under way, or is out. Rehearsals reached nobody and are none of it."""

    open: tuple[Standing, ...]  # has not begun
    under_way: tuple[Standing, ...]  # on the wire of a public channel
    unknown: tuple[Standing, ...]  # may be there
    posts: tuple[Standing, ...]  # sent to a public channel, and not taken back
    retracted: tuple[Standing, ...]  # posts that were
    letters: tuple[Standing, ...]  # mailings of this article alone, and editions that hold it


def traces(connection: Connection, article: str) -> Traces:
    """Where an article is."""
    d = deliveries.c
    own = connection.execute(
        select(deliveries).where(d.subject == article, d.kind == "article", d.live).order_by(d.id)
    ).all()
    waiting = connection.execute(
        select(deliveries).where(d.subject == article, d.kind == "article", d.state.in_(_OPEN)).order_by(d.id)
    ).all()
    held_in = connection.execute(
        select(deliveries, editions.c.slug)
        .join_from(deliveries, editions, and_(editions.c.slug == d.subject, d.kind == "edition"))
        .join(edition_articles, edition_articles.c.edition == editions.c.slug)
        .where(edition_articles.c.article == article, d.live)
        .order_by(d.id)
    ).all()
    mailed = [row for row in own if row.channel == letters.CHANNEL and row.state not in _OPEN]
    people = retention.counts_of(connection, [row.id for row in (*mailed, *held_in)])

    def standing(row: AnyRow, edition: str | None = None) -> Standing:
        return Standing(
            id=row.id, channel=row.channel, state=row.state, external_id=row.external_id, url=row.url,
            edition=edition, people=people.get(row.id),
        )  # fmt: skip

    public = [row for row in own if row.channel != letters.CHANNEL]
    sent = [row for row in public if row.state == "sent"]
    return Traces(
        open=tuple(standing(row) for row in waiting),
        under_way=tuple(standing(row) for row in public if row.state == "claimed"),
        unknown=tuple(standing(row) for row in public if row.state == "unknown"),
        posts=tuple(standing(row) for row in sent if row.retracted_at is None),
        retracted=tuple(standing(row) for row in sent if row.retracted_at is not None),
        letters=(*(standing(row) for row in mailed), *(standing(row, row.slug) for row in held_in)),
    )


def withdraw(connection: Connection, article: str) -> list[int]:
    """Cancel what has not begun, and the letters still due of mailings of this article alone; returns their ids.

    Editions hold other articles too: they are left to a person.
    """
    found = traces(connection, article)
    ledger.cancel_open(connection, [article], RETRACTED)
    mailings = [one.id for one in found.letters if one.edition is None and (one.people or {}).get("due")]
    for mailing in mailings:
        letters.cancel_due(connection, mailing)
    return sorted([*(one.id for one in found.open), *mailings])


def note(
    connection: Connection,
    delivery: int,
    begun: datetime,
    now: datetime,
    *,
    status: int | None,
    answer: str,
    done: bool,
) -> None:
    """Write down a try at taking a post back. The delivery stays `sent`: it was (I7)."""
    a = attempts.c
    last = connection.scalar(select(func.max(a.number)).where(a.delivery == delivery, a.letter == 0)) or 0
    connection.execute(
        attempts.insert().values(
            delivery=delivery, letter=0, number=last + 1, started_at=begun, ended_at=now,
            outcome=RETRACTED if done else REFUSED, status=status, answer=answer[:500],
        )
    )  # fmt: skip
    if done:
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id == delivery, deliveries.c.retracted_at.is_(None))
            .values(retracted_at=now)
        )
