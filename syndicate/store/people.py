"""All that is kept of one person, for himself to be told, or for whoever must answer him. Changes nothing."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Select, select

from syndicate.store import retention, subscribers, wishes
from syndicate.store.schema import confirmations, returns, suppressions


def everything(connection: Connection, key: str, hashed: str) -> dict[str, Any] | None:
    """All that is stored about one address: the person, every letter with its tries, what he said, how he was asked,
    what came back from him, and what keeps him out.

    None: nothing at all. Of an erased person only `email` (as asked for), `suppressed` and `asked` are left.
    """
    row = connection.execute(select(suppressions).where(suppressions.c.address_hash == hashed)).first()
    suppressed = {"reason": row.reason, "since": row.since} if row else None
    asked = _asked(connection, hashed)
    person = subscribers.by_key(connection, key)
    if person is None:
        return {"email": key, "suppressed": suppressed, "asked": asked} if suppressed or asked else None
    return person | {
        "suppressed": suppressed,
        "wishes": wishes.of_person(connection, person["id"]),
        "asked": asked,
        "returns": _returned(connection, person["id"]),
        "letters": _letters(connection, person["id"]),
    }


def _rows(connection: Connection, query: Select[Any]) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(query)]


def _asked(connection: Connection, hashed: str) -> list[dict[str, Any]]:
    """The mails that asked this address to confirm."""
    c = confirmations.c
    shown = (c.asked_at, c.until, c.digests, c.mailed_at, c.confirmed_at, c.answer, c.consent)
    rows = _rows(connection, select(*shown).where(c.address_hash == hashed).order_by(c.id))
    return [row | {name: json.loads(row[name]) for name in ("digests", "consent")} for row in rows]


def _returned(connection: Connection, person: int) -> list[dict[str, Any]]:
    """Delivery reports and complaints."""
    c = returns.c
    shown = (c.received_at, c.provider, c.kind, c.delivery, c.status, c.answer, c.raw)
    return _rows(connection, select(*shown).where(c.subscriber == person).order_by(c.id))


def _letters(connection: Connection, person: int) -> list[dict[str, Any]]:
    tries: dict[int, list[dict[str, Any]]] = {}
    for one in retention.tries_of(connection, person):
        said = {"at": one.started_at, "outcome": one.outcome, "status": one.status, "answer": one.answer}
        tries.setdefault(one.delivery, []).append(said)
    return [
        {
            "delivery": one.delivery, "subject": one.subject, "title": one.title, "state": one.state,
            "frozen_at": one.frozen_at, "sent_at": one.sent_at, "attempts": one.attempts, "answer": one.answer,
            "tries": tries.get(one.delivery, []),
        }
        for one in retention.of_person(connection, person)
    ]  # fmt: skip
