"""What stays of letters: finished ones leave the hot path and are unique and counted for ever; one person's are told
and scrubbed on request.

An ended mailing's letters are counted once, into its row and into a sum over all: nothing counts every letter again.
Those of a mailing under way are counted as they end (`mailings`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    Connection,
    Select,
    and_,
    cast,
    delete,
    func,
    insert,
    literal,
    null,
    select,
    tuple_,
    union_all,
    update,
)

from syndicate.delivery import TO_RETRY
from syndicate.store import mailings
from syndicate.store.database import AnyRow, insert_or_ignore
from syndicate.store.schema import attempts, deliveries, letters, letters_past, returns, settings, subscribers

KEEP = timedelta(days=7)  # that letters stay at hand after their mailing ended
BATCH = 5000  # letters that move in one transaction
ENDED = ("sent", "failed", "expired", "rehearsed", "skipped", "cancelled")

_SUM = "letters"  # the setting that holds the sum over all counted mailings
_MOVED = ("delivery", "subscriber", "state", "attempts", "sent_at", "answer")
_AGAIN = [state.value for state in TO_RETRY]


# --- counting ---------------------------------------------------------------------------------------------------------


def counts(connection: Connection) -> dict[str, int]:
    """All letters there ever were, by state: the sum of what ended, and those of open mailings."""
    total = Counter(_sum(connection))
    for people in mailings.counts(connection, _uncounted(connection)).values():
        total.update(people)
    return {state: count for state, count in sorted(total.items()) if count}


def counts_of(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """Letters by state for each of these deliveries."""
    rows = connection.execute(select(deliveries.c.id, deliveries.c.people).where(deliveries.c.id.in_(ids))).all()
    told = {row.id: json.loads(row.people) for row in rows if row.people is not None}
    return told | mailings.counts(connection, [row.id for row in rows if row.people is None])


def note(connection: Connection, delivery: int, people: Mapping[str, int] | None) -> None:
    """Write what an ended mailing's letters came to; None: it is open again."""
    if people is not None:
        mailings.forget(connection, delivery)
    _lock_sum(connection)
    known = connection.scalar(select(deliveries.c.people).where(deliveries.c.id == delivery))
    total = Counter(_sum(connection))
    total.update(people or {})
    total.subtract(json.loads(known) if known else {})
    text = json.dumps(people) if people is not None else None
    connection.execute(update(deliveries).where(deliveries.c.id == delivery).values(people=text))
    left = json.dumps({state: count for state, count in total.items() if count})
    connection.execute(update(settings).where(settings.c.key == _SUM).values(value=left))


def recount(connection: Connection, delivery: int) -> dict[str, int]:
    """Count a mailing's letters, here and past, and note it; returns them by state."""
    people = mailings.count(connection, [delivery]).get(delivery, {})
    note(connection, delivery, people)
    return people


def _sum(connection: Connection) -> dict[str, int]:
    text = connection.scalar(select(settings.c.value).where(settings.c.key == _SUM))
    return json.loads(text) if text else {}


def _lock_sum(connection: Connection) -> None:
    connection.execute(insert_or_ignore(connection, settings).values(key=_SUM, value="{}"))
    connection.execute(select(settings.c.key).where(settings.c.key == _SUM).with_for_update())


def _uncounted(connection: Connection) -> list[int]:
    query = select(deliveries.c.id).where(deliveries.c.id.in_(_hot_ids()), deliveries.c.people.is_(None))
    return list(connection.scalars(query))


def _hot_ids() -> Select[Any]:
    """Deliveries with a letter at hand, found by a step along the index for each of them, not for each letter."""
    first = select(func.min(letters.c.delivery).label("delivery"))
    hot: CTE = first.cte("hot", recursive=True)
    following = select(func.min(letters.c.delivery)).where(letters.c.delivery > hot.c.delivery).scalar_subquery()
    hot = hot.union_all(select(following).where(hot.c.delivery.is_not(None)))
    return select(hot.c.delivery).where(hot.c.delivery.is_not(None))


# --- moving -----------------------------------------------------------------------------------------------------------


def is_ripe(connection: Connection, now: datetime) -> bool:
    """Whether a mailing ended so long ago that its letters may leave the hot path."""
    return connection.scalar(_ripe(now).limit(1)) is not None


def fold(connection: Connection, now: datetime, limit: int = BATCH) -> int:
    """Move letters of one such mailing, up to `limit`, out of the hot path; returns how many.

    The mailing's row is the mutex: somebody who makes failed letters due again waits, or is waited for.
    """
    query = _ripe(now).order_by(deliveries.c.id).limit(1).with_for_update(skip_locked=True, of=deliveries)
    row = connection.execute(query.add_columns(deliveries.c.people)).first()
    if row is None:
        return 0
    if row.people is None:  # it ended before there were such counts
        recount(connection, row.id)
    mine = letters.c.delivery == row.id
    batch = select(letters.c.subscriber).where(mine).order_by(letters.c.subscriber).limit(limit).subquery()
    last = connection.scalar(select(func.max(batch.c.subscriber)))
    moved = and_(mine, letters.c.subscriber <= last)
    columns = [letters.c[name] for name in _MOVED]
    connection.execute(insert(letters_past).from_select(list(_MOVED), select(*columns).where(moved)))
    _forget_attempts(connection, moved)
    return connection.execute(delete(letters).where(moved)).rowcount


def _ripe(now: datetime) -> Select[Any]:
    d = deliveries.c
    long_ago = func.coalesce(d.sent_at, d.due_at, d.created_at) <= literal(now - KEEP, d.created_at.type)
    return select(d.id).where(d.id.in_(_hot_ids()), d.state.in_(ENDED), long_ago)


def _forget_attempts(connection: Connection, chosen: Any) -> None:
    """Each letter's last answer stays with it; the tries before go, and with them whose they were."""
    ids = select(letters.c.delivery, letters.c.id).where(chosen)
    connection.execute(delete(attempts).where(attempts.c.letter > 0, _of(ids)))


def _of(ids: Select[Any]) -> Any:
    return tuple_(attempts.c.delivery, attempts.c.letter).in_(ids)


def fetch_back(connection: Connection, delivery: int) -> None:
    """Bring a mailing's past letters that reached nobody back to hand."""
    past = letters_past.c
    chosen = and_(past.delivery == delivery, past.state.in_(_AGAIN))
    domain = func.coalesce(subscribers.c.domain, "")
    rows = (
        select(*(past[name] for name in _MOVED), domain)
        .outerjoin_from(letters_past, subscribers, subscribers.c.id == past.subscriber)
        .where(chosen)
    )
    connection.execute(insert(letters).from_select([*_MOVED, "domain"], rows))
    connection.execute(delete(letters_past).where(chosen))


def clear_unsent(connection: Connection, delivery: int) -> None:
    """Drop what reached nobody of a mailing that is to be addressed anew; who has his letter keeps it."""
    unsent = and_(letters.c.delivery == delivery, letters.c.state != "sent")
    _forget_attempts(connection, unsent)
    connection.execute(delete(letters).where(unsent))
    past = letters_past.c
    connection.execute(delete(letters_past).where(past.delivery == delivery, past.state != "sent"))
    note(connection, delivery, None)


# --- one person -------------------------------------------------------------------------------------------------------


def of_person(connection: Connection, subscriber: int) -> list[AnyRow]:
    """The letters of one person, at hand and past, newest first: delivery, subject, title, state, frozen_at, sent_at,
    attempts, answer, and letter (its id; null: past).
    """
    here, past = letters.c, letters_past.c
    shown = ("delivery", "state", "sent_at", "attempts", "answer")
    all_of_them = union_all(
        select(here.id.label("letter"), *(here[name] for name in shown)).where(here.subscriber == subscriber),
        select(cast(null(), here.id.type).label("letter"), *(past[name] for name in shown)).where(
            past.subscriber == subscriber
        ),
    ).subquery("theirs")
    query = (
        select(all_of_them, deliveries.c.subject, deliveries.c.title, deliveries.c.due_at.label("frozen_at"))
        .join_from(all_of_them, deliveries, deliveries.c.id == all_of_them.c.delivery)
        .order_by(all_of_them.c.delivery.desc())
    )
    return list(connection.execute(query).all())


def tries_of(connection: Connection, subscriber: int) -> Iterable[AnyRow]:
    """What servers answered for one person's letters at hand: delivery, number, started_at, outcome, status, answer."""
    ids = select(letters.c.delivery, letters.c.id).where(letters.c.subscriber == subscriber)
    order = (attempts.c.delivery, attempts.c.number)
    return connection.execute(select(attempts).where(attempts.c.letter > 0, _of(ids)).order_by(*order))


def scrub(connection: Connection, subscriber: int) -> None:
    """Take everything of a person out of his letters that is more than a number; the rows stay, so that he counts
    once, and what is due to him is dropped when its turn comes.
    """
    ids = select(letters.c.delivery, letters.c.id).where(letters.c.subscriber == subscriber)
    connection.execute(update(attempts).where(attempts.c.letter > 0, _of(ids)).values(answer=None))
    connection.execute(update(letters).where(letters.c.subscriber == subscriber).values(domain="", answer=None))
    told = and_(letters_past.c.subscriber == subscriber, letters_past.c.answer.is_not(None))
    connection.execute(update(letters_past).where(told).values(answer=None))
    connection.execute(update(returns).where(returns.c.subscriber == subscriber).values(answer=None, raw=None))
