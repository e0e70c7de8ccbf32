"""What people said themselves: asked, confirmed, chose, paused, left. Append-only; never what their owner did."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, delete, select

from syndicate.store.database import AnyRow
from syndicate.store.schema import wishes

What = Literal["asked", "confirmed", "chose", "paused", "resumed", "left", "came-back"]


def note(connection: Connection, person: int, what: What, told: Mapping[str, Any], now: datetime) -> None:
    """Write down what a person said, and where, to what words: `told` is kept as JSON {from, ip, digests, shown}."""
    text = json.dumps(dict(told), ensure_ascii=False)
    connection.execute(wishes.insert().values(subscriber=person, at=now, what=what, told=text))


def of_person(connection: Connection, person: int) -> list[dict[str, Any]]:
    """What one person said, in order: at, what, told."""
    rows = connection.execute(select(wishes).where(wishes.c.subscriber == person).order_by(wishes.c.id))
    return [_wish(row) for row in rows]


def _wish(row: AnyRow) -> dict[str, Any]:
    return {"at": row.at, "what": row.what, "told": json.loads(row.told)}


def forget(connection: Connection, person: int) -> None:
    """Delete all of it, where the person is erased."""
    connection.execute(delete(wishes).where(wishes.c.subscriber == person))
