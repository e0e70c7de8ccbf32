"""What people did by hand: who, when, with what. Written in the transaction of the deed; never changed, never read to
decide anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from syndicate.store.database import AnyRow
from syndicate.store.schema import acts, deliveries


def note(
    connection: Connection, subjects: Sequence[str], what: str, who: str, now: datetime, because: str | None = None
) -> None:
    """Write down that somebody did something with these articles (their ids) or editions (their slugs)."""
    if subjects:
        connection.execute(
            acts.insert(),
            [{"subject": one, "what": what, "who": who, "at": now, "because": because} for one in subjects],
        )


def change(
    connection: Connection,
    what: str,
    who: str,
    now: datetime,
    fn: Callable[..., str],
    delivery: int,
    *arguments: Any,
) -> str:
    """Let `fn` change a delivery, and note who wanted it so."""
    words = fn(connection, delivery, *arguments)
    row = connection.execute(
        select(deliveries.c.subject, deliveries.c.channel).where(deliveries.c.id == delivery)
    ).one()
    note(connection, [row.subject], what, who, now, f"{row.channel}: {words}")
    return words


def of(connection: Connection, subject: str) -> Sequence[AnyRow]:
    """What was done with an article or an edition, in order: `at`, `who`, `what`, `because`."""
    return connection.execute(select(acts).where(acts.c.subject == subject).order_by(acts.c.id)).all()
