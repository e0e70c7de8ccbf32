"""Past editions, as the web shows them: live ones that went to people, or are on their way. Never a rehearsal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, select

from syndicate.store.letters import CHANNEL
from syndicate.store.schema import deliveries, editions


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One of them."""

    slug: str
    digest: str
    title: str  # its subject
    at: datetime


def listing(connection: Connection, before: str | None, limit: int) -> list[Issue]:
    """The newest, or those before the one of that slug; none where there is no such one."""
    d, e = deliveries.c, editions.c
    query = (
        select(d.subject, d.title, d.due_at, d.created_at, e.digest)
        .join_from(deliveries, editions, e.slug == d.subject)
        .where(_shown())
        .order_by(d.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(d.id < select(d.id).where(_shown(), d.subject == before).scalar_subquery())
    return [
        Issue(slug=row.subject, digest=row.digest, title=row.title, at=row.due_at or row.created_at)
        for row in connection.execute(query)
    ]


def html(connection: Connection, slug: str) -> str | None:
    """What its readers got, the links of each still marks; None where nothing of that name is to be seen."""
    payload = connection.scalar(select(deliveries.c.payload).where(_shown(), deliveries.c.subject == slug))
    found: dict[str, Any] = json.loads(payload) if payload else {}
    return found.get("html")


def _shown() -> ColumnElement[bool]:
    d = deliveries.c
    return and_(d.channel == CHANNEL, d.kind == "edition", d.live, d.state.in_(["sent", "claimed"]))
