"""Editions that wait: for a person's approval, and once approved for their moment. No letter of them exists yet.

What is approved is the text that was frozen: an edit, or an article that goes, holds the edition again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, select, update

from syndicate.delivery import OPEN
from syndicate.edition import Contents
from syndicate.store import editions, freezing
from syndicate.store.letters import CHANNEL
from syndicate.store.schema import deliveries
from syndicate.store.schema import editions as table

_OPEN = [state.value for state in OPEN]
_TEXTS = "texts"  # of the payload: article -> hash of the text that stands in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An edition without letters."""

    slug: str
    digest: str
    delivery: int
    state: str  # of its delivery: held, and planned once it is approved
    title: str
    reason: str  # what it waits for
    slot: datetime | None
    since: datetime | None
    until: datetime
    live: bool
    due_at: datetime | None  # when it is approved: its moment
    texts: Mapping[str, str]  # article -> hash of its text as it was frozen

    @property
    def is_approved(self) -> bool:
        return self.state == "planned"

    @property
    def begun(self) -> datetime:
        """Where `late_limit` counts from: its moment, or before it has one its slot; of one article, its release."""
        return self.due_at or self.slot or self.until


def hold(
    connection: Connection,
    contents: Contents,
    payload: Mapping[str, Any],
    *,
    slot: datetime | None,
    after: datetime | None,
    until: datetime,
    texts: Mapping[str, str],
    why: Mapping[str, str],
    live: bool,
    reason: str,
    now: datetime,
) -> int | None:
    """Freeze an edition's text, and wait; returns its delivery, None where somebody else was first."""
    if not editions.save(connection, contents, slot=slot, after=after, until=until, live=live, now=now, state="held"):
        return None
    made = connection.execute(
        deliveries.insert()
        .values(
            channel=CHANNEL, kind="edition", subject=contents.slug, title=payload["subject"], state="held",
            created_at=now, planned_for=slot or now, by_hand=False, live=live, reason=reason,
            payload=_with(payload, texts), why=json.dumps(why, ensure_ascii=False),
        )
        .returning(deliveries.c.id)
    )  # fmt: skip
    return int(made.scalar_one())


def waiting(
    connection: Connection, digest: str | None = None, slug: str | None = None, *, delivery: int | None = None
) -> list[Waiting]:
    """Those that wait, of one digest, or that one; what ended otherwise is among them with its delivery's state."""
    d, e = deliveries.c, table.c
    query = (
        select(
            *e, d.id.label("delivery"), d.state.label("stands"), d.title, d.due_at, d.payload, d.reason.label("asked")
        )
        .join_from(table, deliveries, and_(d.subject == e.slug, d.kind == "edition"))
        .where(e.state == "held")
        .order_by(e.made_at, e.slug)
    )
    if digest is not None:
        query = query.where(e.digest == digest)
    if delivery is not None:
        query = query.where(d.id == delivery)
    if slug is not None:
        query = query.where(e.slug == slug)
    return [
        Waiting(
            slug=row.slug, digest=row.digest, delivery=row.delivery, state=row.stands, title=row.title,
            reason=row.asked or "", slot=row.slot,
            since=row.since, until=row.until, live=row.live, due_at=row.due_at,
            texts=json.loads(row.payload).get(_TEXTS, {}),
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def mark(one: Waiting) -> str:
    """12 hex digits that tell its text from every other it may be given: what a person looked at."""
    said = json.dumps([one.title, sorted(one.texts.items())], ensure_ascii=False)
    return hashlib.sha256(said.encode()).hexdigest()[:12]


def approved(connection: Connection, now: datetime, live: bool) -> list[Waiting]:
    """Approved ones whose moment has come."""
    d = deliveries.c
    due = and_(d.channel == CHANNEL, d.kind == "edition", d.state == "planned", d.due_at <= now, d.live == live)
    slugs = connection.scalars(select(d.subject).where(due).order_by(d.due_at, d.id)).all()
    return [one for slug in slugs for one in waiting(connection, slug=slug)]


def is_current(connection: Connection, one: Waiting) -> bool:
    """Whether all its articles are there, with the texts that were frozen."""
    return editions.texts(connection, one.texts) == dict(one.texts)


def change(
    connection: Connection,
    was: Waiting,
    contents: Contents,
    payload: Mapping[str, Any],
    *,
    texts: Mapping[str, str],
    why: Mapping[str, str],
    reason: str,
    now: datetime,
) -> bool:
    """Hold it with another text, approved or not; false where somebody else moved it meanwhile."""
    if not _is_as_it_was(connection, was) or not editions.change(connection, contents, live=was.live, now=now):
        return False
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id == was.delivery)
        .values(
            state="held", reason=reason, due_at=None, title=payload["subject"],
            payload=_with(payload, texts), why=json.dumps(why, ensure_ascii=False),
        )
    )  # fmt: skip
    return True


def end(connection: Connection, was: Waiting, state: str, reason: str) -> bool:
    """It comes to nothing, and leaves its articles to the next; false where somebody else moved it meanwhile."""
    if not _is_as_it_was(connection, was):
        return False
    editions.let_go(connection, was.slug)
    connection.execute(update(table).where(table.c.slug == was.slug).values(state=state, reason=reason))
    still = and_(deliveries.c.id == was.delivery, deliveries.c.state.in_(_OPEN))
    ended = "cancelled" if reason.startswith("cancelled") else state
    connection.execute(update(deliveries).where(still).values(state=ended, reason=reason, due_at=None))
    return True


def approve(connection: Connection, was: Waiting, now: datetime) -> bool:
    """A person approves of the text as it was frozen; false where it is another by now, or somebody else moved it."""
    if not _is_as_it_was(connection, was) or not is_current(connection, was):
        return False
    moment = max(was.slot, now) if was.slot else now
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id == was.delivery, deliveries.c.state == "held")
        .values(state="planned", due_at=moment, reason="approved")
    )
    return True


def release(connection: Connection, was: Waiting, now: datetime) -> int | None:
    """The moment of an approved edition has come: its letters are written; returns how many, None where it waits on."""
    if not was.is_approved or not _is_as_it_was(connection, was) or not is_current(connection, was):
        return None
    connection.execute(update(table).where(table.c.slug == was.slug).values(state="frozen"))
    return freezing.release(connection, was.delivery, was.digest, now)


def _is_as_it_was(connection: Connection, was: Waiting) -> bool:
    """Whether it is what somebody looked at; whoever else would move it waits until this transaction is over."""
    editions.lock(connection, was.digest)
    return waiting(connection, slug=was.slug) == [was]


def _with(payload: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    return json.dumps({**payload, _TEXTS: texts}, ensure_ascii=False)
