"""A person's verdict over articles: which of them it would still change. The desk gives it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, or_, select

from syndicate.store.among import among
from syndicate.store.schema import articles, deliveries


def open_to(connection: Connection, ids: Sequence[str], verdict: str, because: str | None, *, quiet: bool) -> set[str]:
    """Those of these articles on which the verdict does not stand yet, or that have a delivery it would let go."""
    a, d = articles.c, deliveries.c
    stands = and_(a.verdict == verdict, a.verdict_because.is_not_distinct_from(because))
    if quiet:
        stands = and_(stands, a.baseline)
    unruled = select(a.id).where(among(a.id, "ids"), or_(a.verdict.is_(None), ~stands))
    found = set(connection.scalars(unruled, {"ids": list(ids)}))
    if verdict == "approved" and not quiet:
        waits = or_(d.reason.startswith("approve:"), d.reason.startswith("quarantined:"))
        held = select(d.subject).where(among(d.subject, "ids"), d.kind == "article", d.state == "held", waits)
        found |= set(connection.scalars(held, {"ids": list(ids)}))
    return found
