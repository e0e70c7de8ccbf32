"""Freezing: the text of an email delivery and the letters to its audience, in one transaction (rule 16)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, exists, func, literal, select, update

from syndicate.crashpoint import crashpoint
from syndicate.store import mailings, pauses, retention
from syndicate.store import subscribers as people
from syndicate.store.letters import CHANNEL
from syndicate.store.schema import articles, deliveries, letters, letters_past, subscribers, subscriptions


def freeze(
    connection: Connection,
    *,
    subject: str,
    digest: str,
    payload: Mapping[str, Any],
    live: bool,
    by_hand: bool,
    planned_for: datetime,
    now: datetime,
    why: Mapping[str, str] | None = None,
) -> tuple[int, int]:
    """Freeze an edition's text and audience in one transaction (rule 16): from here on its letters do the work.

    `why` tells of each of its articles how it came to be in it. Returns the delivery's id and how many letters are
    due. With nobody to write to it is skipped, and says so.
    """
    delivery = connection.execute(
        deliveries.insert()
        .values(
            channel=CHANNEL, kind="edition", subject=subject, title=payload["subject"], state="claimed",
            created_at=now, planned_for=planned_for, due_at=now, by_hand=by_hand, live=live,
            payload=json.dumps(payload, ensure_ascii=False), why=json.dumps(why or {}, ensure_ascii=False),
        )
        .returning(deliveries.c.id)
    ).scalar_one()  # fmt: skip
    return int(delivery), _write_letters(connection, int(delivery), digest, now)


def planned(connection: Connection, now: datetime, live: bool) -> list[tuple[int, str]]:
    """Articles sent to email by hand whose moment has come: (delivery, article)."""
    d = deliveries.c
    query = (
        select(d.id, d.subject)
        .join_from(deliveries, articles, articles.c.id == d.subject)
        .where(d.channel == CHANNEL, d.kind == "article", d.state == "planned", d.due_at <= now, d.live == live)
        .where(articles.c.state == "ready", articles.c.missed_at.is_(None))
    )
    if not pauses.is_open(connection, [CHANNEL], now):
        return []
    return [(row.id, row.subject) for row in connection.execute(query.order_by(d.due_at, d.id))]


def refuse(connection: Connection, delivery: int, reason: str) -> None:
    """End a planned letter that cannot be written."""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery, deliveries.c.state == "planned")
        .values(state="failed", reason=reason)
    )


def freeze_planned(connection: Connection, delivery: int, payload: Mapping[str, Any], now: datetime) -> int:
    """Freeze such an article to everybody active; its letters that reached nobody before become due anew."""
    taken = connection.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery, deliveries.c.state == "planned")
        .values(state="claimed", owner=None, due_at=now, payload=json.dumps(payload, ensure_ascii=False), reason=None)
    )
    if not taken.rowcount:
        return 0
    retention.clear_unsent(connection, delivery)
    return _write_letters(connection, delivery, None, now)


def release(connection: Connection, delivery: int, digest: str, now: datetime) -> int:
    """Address an edition that was frozen before, and approved: its letters bear the date of this moment.

    Returns how many letters are due.
    """
    payload = json.loads(
        connection.execute(select(deliveries.c.payload).where(deliveries.c.id == delivery)).scalar_one()
    )
    payload["date"] = now.replace(microsecond=0).isoformat()
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery)
        .values(state="claimed", owner=None, due_at=now, reason=None, payload=json.dumps(payload, ensure_ascii=False))
    )
    return _write_letters(connection, delivery, digest, now)


def _write_letters(connection: Connection, delivery: int, digest: str | None, now: datetime) -> int:
    crashpoint("freeze.fill")
    there, past = (
        exists().where(table.c.delivery == delivery, table.c.subscriber == subscribers.c.id)
        for table in (letters, letters_past)
    )
    audience: Select[Any] = select(
        literal(delivery), subscribers.c.id, subscribers.c.domain, literal("due"), literal(now, letters.c.due_at.type)
    ).where(people.reachable(now), ~there, ~past)
    if digest is not None:
        audience = audience.where(
            subscribers.c.id.in_(select(subscriptions.c.subscriber).where(subscriptions.c.digest == digest))
        )
    columns = ["delivery", "subscriber", "domain", "state", "due_at"]
    connection.execute(letters.insert().from_select(columns, audience.order_by(subscribers.c.id)))
    due = select(func.count()).where(letters.c.delivery == delivery, letters.c.state == "due")
    count = connection.scalar(due) or 0
    if not count:
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id == delivery)
            .values(state="skipped", reason="nobody: no active subscriber" + (f" of {digest}" if digest else ""))
        )
    else:
        mailings.open(connection, delivery, count)
    return count
