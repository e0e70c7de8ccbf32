"""What came back: each report once, stored before it is answered, and whose letter it names. Decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, select, union_all, update

from syndicate.store.database import AnyRow
from syndicate.store.inserting import insert_or_ignore
from syndicate.store.schema import deliveries, letters, letters_past, returns

KEEP = timedelta(days=30)  # for which a report is kept as it came
RAW_LIMIT = 64_000  # characters of it
AT_ONCE = 100  # that are applied in one transaction

WENT = ("sent", "claimed", "unknown")  # states of letters that went out, or may have
HARD, SOFT, COMPLAINT, LEFT, OTHER = "hard", "soft", "complaint", "left", "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """One report about one person."""

    provider: str  # dsn | arf | ses | postmark
    event: str  # the provider's id of it
    kind: str  # HARD ... OTHER
    subscriber: int | None = None
    delivery: int | None = None
    proved: bool = False  # whether it must be believed
    status: str = ""
    answer: str = ""
    raw: str = ""


def keep(connection: Connection, one: Return, now: datetime) -> int | None:
    """Store a report, to be applied; returns its id. None: it is known already."""
    values = {
        "provider": one.provider, "event": one.event, "received_at": now, "kind": one.kind, "delivery": one.delivery,
        "letter": _letter(connection, one), "subscriber": one.subscriber, "proved": one.proved,
        "status": one.status or None, "answer": storable(one.answer) or None,
        "raw": storable(one.raw)[:RAW_LIMIT] or None,
    }  # fmt: skip
    if not connection.execute(insert_or_ignore(connection, returns).values(values)).rowcount:
        return None
    same = and_(returns.c.provider == one.provider, returns.c.event == one.event)
    return connection.scalar(select(returns.c.id).where(same))


def storable(text: str) -> str:
    """Text that every database takes: PostgreSQL has no place for NUL, and nobody for half a surrogate."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _letter(connection: Connection, one: Return) -> int | None:
    """The letter's number while it is at hand."""
    if one.delivery is None or one.subscriber is None:
        return None
    its = and_(letters.c.delivery == one.delivery, letters.c.subscriber == one.subscriber)
    return connection.scalar(select(letters.c.id).where(its))


def is_open(connection: Connection) -> bool:
    """Whether a report is stored that was not applied."""
    return connection.scalar(select(returns.c.id).where(returns.c.applied_at.is_(None)).limit(1)) is not None


def to_apply(connection: Connection) -> Sequence[AnyRow]:
    """The oldest of those, held against everybody else who applies some."""
    query = select(returns).where(returns.c.applied_at.is_(None)).order_by(returns.c.received_at, returns.c.id)
    return connection.execute(query.limit(AT_ONCE).with_for_update(skip_locked=True)).all()


def applied(connection: Connection, number: int, answer: str | None, now: datetime) -> None:
    """It is done with; `answer` is what is kept of its words."""
    connection.execute(update(returns).where(returns.c.id == number).values(applied_at=now, answer=answer))


def is_faded(connection: Connection, now: datetime) -> bool:
    """Whether a report is kept as it came for longer than it should be."""
    return connection.scalar(select(returns.c.id).where(_old(now)).limit(1)) is not None


def fade(connection: Connection, now: datetime) -> int:
    """Keep of old reports only what they came to."""
    return connection.execute(update(returns).where(_old(now)).values(raw=None)).rowcount


def _old(now: datetime) -> ColumnElement[bool]:
    return and_(returns.c.raw.is_not(None), returns.c.received_at < now - KEEP)


def letters_of(connection: Connection, subscriber: int) -> Sequence[AnyRow]:
    """All letters to one person, the newest first: delivery, state, sent_at (null: on its way, or never)."""
    here, past = letters.c, letters_past.c
    theirs = union_all(
        select(here.delivery, here.state, here.sent_at).where(here.subscriber == subscriber),
        select(past.delivery, past.state, past.sent_at).where(past.subscriber == subscriber),
    ).subquery("theirs")
    return connection.execute(select(theirs).order_by(theirs.c.delivery.desc())).all()


def written_at(connection: Connection, delivery: int, subscriber: int) -> datetime | None:
    """When a letter went out, else when it was frozen; None where nobody knows of it."""
    its = {table: and_(table.c.delivery == delivery, table.c.subscriber == subscriber) for table in _LETTERS}
    for table, condition in its.items():
        row = connection.execute(select(table.c.sent_at).where(condition)).first()
        if row is not None:
            frozen: datetime | None = connection.scalar(select(deliveries.c.due_at).where(deliveries.c.id == delivery))
            return row.sent_at or frozen
    return None


_LETTERS = (letters, letters_past)
