"""Deliveries as people see and steer them: listing, one-off sends, retry, cancel, resolve."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select, update

from syndicate.delivery import NOT_SENT, OPEN
from syndicate.errors import UsageError
from syndicate.store import holding, letters, mailings, retention
from syndicate.store.database import AnyRow
from syndicate.store.ledger import text_of
from syndicate.store.mailings import Progress
from syndicate.store.schema import attempts, channels, deliveries

_SHOWN = [column for column in deliveries.c if column.name != "payload"]
_NOT_SENT = [state.value for state in NOT_SENT]
_OPEN = [state.value for state in OPEN]


# --- seeing -----------------------------------------------------------------------------------------------------------


def listing(
    connection: Connection,
    state: str | None = None,
    channel: str | None = None,
    ids: Sequence[int] | None = None,
    now: datetime | None = None,
) -> list[dict[str, Any]]:
    """Deliveries in the contract's shape, newest first; how far each mailing is under way where `now` is given."""
    query = select(*_SHOWN).order_by(deliveries.c.id.desc())
    if state:
        query = query.where(deliveries.c.state == state)
    if channel:
        query = query.where(deliveries.c.channel == channel)
    if ids is not None:
        query = query.where(deliveries.c.id.in_(ids))
    rows = connection.execute(query).all()
    people = retention.counts_of(connection, [row.id for row in rows if row.channel == letters.CHANNEL])
    moving = mailings.progress(connection, now) if now else {}
    return [
        {
            "id": row.id, "channel": row.channel, "kind": row.kind, "subject": row.subject, "title": row.title,
            "state": row.state, "planned_for": row.planned_for, "attempts": row.attempts, "sent_at": row.sent_at,
            "retracted_at": row.retracted_at, "external_id": row.external_id, "url": row.url, "error": row.reason,
            "people": people.get(row.id, {}) if row.channel == letters.CHANNEL else None,
            "progress": _progress(moving[row.id]) if row.id in moving else None,
        }
        for row in rows
    ]  # fmt: skip


def _progress(one: Progress) -> dict[str, Any]:
    return {"total": one.total, "done": one.done, "per_second": one.per_second, "done_at": one.done_at}


def frozen(connection: Connection, delivery: int) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """One delivery, and what was frozen for it, if that still stands. Raises UsageError."""
    found = listing(connection, ids=[delivery])
    if not found:
        raise UsageError(f"there is no delivery {delivery}")
    payload = connection.scalar(select(deliveries.c.payload).where(deliveries.c.id == delivery))
    return found[0], json.loads(payload) if payload else None


def state_of(connection: Connection, delivery: int) -> str:
    """Its state. Raises UsageError."""
    state = connection.scalar(select(deliveries.c.state).where(deliveries.c.id == delivery))
    if state is None:
        raise UsageError(f"there is no delivery {delivery}: `syndicate deliveries` lists them")
    return str(state)


def title_of(connection: Connection, delivery: int) -> str:
    """Its title; "" where there is no such delivery."""
    return connection.scalar(select(deliveries.c.title).where(deliveries.c.id == delivery)) or ""


def owed_to(connection: Connection, channel: str, article: str) -> int:
    """The delivery of an article to a channel that has not ended. Raises UsageError where there is none."""
    d = deliveries.c
    query = select(d.id).where(d.channel == channel, d.subject == article, d.kind == "article", d.state.in_(_OPEN))
    found = connection.scalar(query.order_by(d.round.desc()).limit(1))
    if found is None:
        raise UsageError(f"nothing of this article waits for {channel}")
    return int(found)


def counts(connection: Connection) -> dict[str, dict[str, int]]:
    """How many deliveries of each channel are in each state."""
    result: dict[str, dict[str, int]] = {}
    query = select(deliveries.c.channel, deliveries.c.state, func.count().label("n"))
    for row in connection.execute(query.group_by(deliveries.c.channel, deliveries.c.state)):
        result.setdefault(row.channel, {})[row.state] = row.n
    return result


def oldest_due(connection: Connection, now: datetime) -> datetime | None:
    """The moment since which something that is due waits."""
    moments = [
        connection.scalar(
            select(func.min(deliveries.c.due_at)).where(deliveries.c.state == "planned", deliveries.c.due_at <= now)
        ),
        letters.oldest_due(connection, now),
    ]
    return min((moment for moment in moments if moment), default=None)


def troubled_since(connection: Connection, moment: datetime) -> list[str]:
    """What attempts since then left failed or unknown, a line each; of a mailing, how many letters."""
    query = (
        select(deliveries.c.id, deliveries.c.channel, deliveries.c.state, deliveries.c.title, deliveries.c.reason)
        .where(deliveries.c.state.in_(["failed", "unknown"]))
        .where(
            deliveries.c.id.in_(
                select(attempts.c.delivery).where(
                    or_(attempts.c.started_at >= moment, attempts.c.ended_at >= moment), attempts.c.letter == 0
                )
            )
        )
        .order_by(deliveries.c.id)
    )
    posts = [f"{row.channel} {row.id} {row.state}: {row.title}: {row.reason}" for row in connection.execute(query)]
    mailings = [
        f"{letters.CHANNEL} {delivery}: letters failed or in doubt: {count}; `syndicate deliveries retry {delivery}`"
        " repeats them"
        for delivery, count in letters.failed_since(connection, moment).items()
    ]
    return posts + mailings


# --- steering ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Put:
    """What a one-off send found: a row to send, or that it was sent already."""

    delivery: int
    already: str | None = None  # when and where it went, as a sentence
    fresh: bool = True  # no row was taken up again


def put(
    connection: Connection, channel: str, article: Mapping[str, str], at: datetime, now: datetime, *, again: bool
) -> Put:
    """Owe one article (id, title) to one channel by hand at `at`, past its pacing.

    Who sends it approves of its text as it is now. What did not reach anybody is taken up again in its own row; what
    was sent is only sent anew with `again`, as a new round. Raises UsageError where one is under way or unknown.
    """
    row = _latest(connection, channel, article["id"])
    live = _is_live(connection, channel)
    values = {
        "state": "planned", "planned_for": at, "due_at": at, "by_hand": True, "live": live,
        "approved_hash": text_of(article["id"]),
    }  # fmt: skip
    if row is None or (row.state == "sent" and again):
        made = connection.execute(
            deliveries.insert()
            .values(
                channel=channel, kind="article", subject=article["id"], title=article["title"], created_at=now,
                round=row.round + 1 if row else 1, **values,
            )
            .returning(deliveries.c.id)
        )  # fmt: skip
        return Put(int(made.scalar_one()))
    if row.state == "sent":
        where = f": {row.url}" if row.url else ""
        back = ", and taken back" if row.retracted_at else ""
        return Put(row.id, already=f"sent to {channel} on {row.sent_at:%Y-%m-%d %H:%M} UTC{where}{back}")
    if row.state in ("claimed", "unknown"):
        raise UsageError(f"delivery {row.id} to {channel} is {row.state}: {row.reason or 'somebody is at it'}")
    taken = {**values, "reason": None, "owner": None, "crashes": 0, "payload": None}  # attempts only ever grow
    connection.execute(update(deliveries).where(deliveries.c.id == row.id).values(taken))
    _forget_doubt(connection, row.id)
    return Put(row.id, fresh=False)


def _latest(connection: Connection, channel: str, subject: str) -> AnyRow | None:
    return connection.execute(
        select(deliveries)
        .where(deliveries.c.channel == channel, deliveries.c.subject == subject)
        .order_by(deliveries.c.round.desc())
        .limit(1)
        .with_for_update()
    ).first()


def _is_live(connection: Connection, channel: str) -> bool:
    return bool(connection.scalar(select(channels.c.live).where(channels.c.name == channel)))


def _row(connection: Connection, delivery: int) -> AnyRow:
    """The row, held: nobody claims or closes it until what a person decides of it is written."""
    row = connection.execute(select(deliveries).where(deliveries.c.id == delivery).with_for_update()).first()
    if row is None:
        raise UsageError(f"there is no delivery {delivery}: `syndicate deliveries` lists them")
    return row


def retry(connection: Connection, delivery: int, now: datetime) -> str:
    """Make a delivery due again that did not reach anybody; of an email, its failed letters."""
    row = _row(connection, delivery)
    if row.channel == letters.CHANNEL and row.payload:
        count = letters.retry_failed(connection, delivery, now)
        if not count:
            raise UsageError(f"delivery {delivery} has no failed letter")
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id == delivery)
            .values(state="claimed", owner=None, reason=None, due_at=now)  # `retry_for` begins anew
        )
        return f"{count} letters of delivery {delivery} are due again"
    if row.state not in _NOT_SENT:
        hint = "; `syndicate deliveries resolve` settles it" if row.state == "unknown" else ""
        raise UsageError(f"delivery {delivery} is {row.state}: only what did not go out is tried again{hint}")
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery)
        .values(
            state="planned", planned_for=now, due_at=now, by_hand=True, reason=None, crashes=0, payload=None,
            live=_is_live(connection, row.channel), approved_hash=text_of(row.subject),
        )
    )  # fmt: skip
    _forget_doubt(connection, delivery)
    return f"delivery {delivery} is due again"


def cancel(connection: Connection, delivery: int) -> str:
    """Cancel what has not gone out; an edition that waits leaves its articles to the next."""
    for one in holding.waiting(connection, delivery=delivery):
        if holding.end(connection, one, "skipped", "cancelled by hand"):
            return f"delivery {delivery} is cancelled: the next edition may hold its articles"
    row = _row(connection, delivery)
    if row.channel == letters.CHANNEL and row.state == "claimed":
        count = letters.cancel_due(connection, delivery)
        if not count:
            raise UsageError(f"delivery {delivery} has no letter that is still due")
        return f"{count} letters of delivery {delivery} will not go out"
    if row.state not in _OPEN:
        raise UsageError(f"delivery {delivery} is {row.state}: only what has not begun can be cancelled")
    connection.execute(
        update(deliveries).where(deliveries.c.id == delivery).values(state="cancelled", reason="cancelled by hand")
    )
    return f"delivery {delivery} is cancelled"


def resolve(connection: Connection, delivery: int, url: str | None, now: datetime) -> str:
    """A person says what became of it: there (with its address, where he knows that), or not there (None); of a
    mailing, its letters in doubt. A post by hand is there only with its address.
    """
    row = _row(connection, delivery)
    if row.channel == letters.CHANNEL and row.payload:
        count = letters.resolve_doubt(connection, delivery, now, sent=url is not None)
        if not count:
            raise UsageError(f"delivery {delivery} has no letter in doubt")
        again = f"failed; `syndicate deliveries retry {delivery}` sends them" if url is None else "sent"
        return f"{count} letters of delivery {delivery} are {again}"
    if row.state not in ("unknown", "held"):
        raise UsageError(f"delivery {delivery} is {row.state}: only unknown and by-hand ones are resolved")
    if url is None:
        values: dict[str, Any] = {"state": "failed", "reason": "a person says it is not there", "due_at": None}
    else:
        if not url.startswith(("http://", "https://")) and (url or row.state == "held"):
            raise UsageError(f"{url!r} is no address: give the post's, with https://")
        values = {"state": "sent", "url": url or row.url, "sent_at": now, "due_at": None, "reason": None}
    connection.execute(update(deliveries).where(deliveries.c.id == delivery).values(values))
    _forget_doubt(connection, delivery)
    again = f"; `syndicate deliveries retry {delivery}` sends it" if url is None else ""
    return f"delivery {delivery} is {values['state']}{again}"


def _forget_doubt(connection: Connection, delivery: int) -> None:
    """The doubt was settled by a person: the next attempt is a first one."""
    connection.execute(
        update(attempts)
        .where(attempts.c.delivery == delivery, attempts.c.letter == 0)
        .where(or_(attempts.c.outcome.is_(None), attempts.c.outcome == "in-doubt"))
        .values(outcome="resolved")
    )
