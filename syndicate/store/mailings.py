"""How far each mailing is: one narrow row beside its delivery, moved in the transaction that settles a group.

Whoever asks how an edition stands reads that row: nobody counts a million letters. Which state the few have that are
neither under way nor sent stands in a setting of its own. Locks come in this order: letters, mailings, settings.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Integer, Select, and_, bindparam, case, cast, func, literal, select, update

from syndicate.store.database import AnyRow, insert_or_ignore
from syndicate.store.schema import deliveries, letters, letters_past, mailings, settings
from syndicate.store.values import UtcTime

UNDER_WAY = ("due", "claimed")
AWAY = ("sent", "rehearsed")
WINDOW = timedelta(seconds=30)  # over which speed is measured, half of it at least
STILL = 2 * WINDOW  # nothing settled for so long: what comes next is measured anew
WAVE = 20  # mailboxes that do not exist, which stop an edition …
WAVE_PART = 10  # … where they are more than one in so many; a list in good order has less than one in fifty
_OTHERS = "mailing:"  # and a delivery: the setting with the letters that ended otherwise than sent, by state
_ALLOWED = "allowed:"  # and a delivery: it goes on although many of its addresses do not exist
_EVERYBODY: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one mailing is."""

    subject: str  # the edition's slug, or the article's id
    total: int  # letters
    done: int  # neither due nor claimed any more
    per_second: float | None  # over the last half minute; None: nothing moves, or nobody knows yet
    done_at: datetime | None  # at this speed


@dataclass(frozen=True, slots=True)
class Standing:
    """A mailing's counters after a group was settled."""

    total: int
    settled: int
    sent: int  # or rehearsed
    hard: int  # mailboxes that do not exist
    blamed: int  # people in a row, refused for what we are or sent

    @property
    def is_wave(self) -> bool:
        """Whether so many mailboxes do not exist that the list or the mail server must be wrong."""
        return self.hard >= WAVE and self.hard * WAVE_PART > self.settled


# --- writing ----------------------------------------------------------------------------------------------------------


def open(connection: Connection, delivery: int, total: int) -> None:
    """Begin to count a mailing, in the transaction that made its letters, `total` of them; or begin anew."""
    made = insert_or_ignore(connection, mailings).values(delivery=delivery, total=total)
    if not connection.execute(made).rowcount:
        recount(connection, delivery)


_m = mailings.c
_MINE = _m.delivery == bindparam("of")
_SENT = bindparam("away", type_=Integer())
_NOTE = (
    update(mailings)
    .where(_MINE)
    .values(
        settled=_m.settled + bindparam("ended", type_=Integer()),
        sent=_m.sent + _SENT,
        hard=_m.hard + bindparam("nobody", type_=Integer()),
        blamed=case((_SENT > 0, 0), else_=_m.blamed + bindparam("refused", type_=Integer())),
        began_at=func.coalesce(_m.began_at, bindparam("now", type_=UtcTime())),
        last_at=bindparam("now", type_=UtcTime()),
    )
    .returning(_m.total, _m.settled, _m.sent, _m.hard, _m.blamed, _m.mark_at, _m.mark_count)
)
_MARK = update(mailings).where(_MINE).values(mark_at=bindparam("since"), mark_count=bindparam("had"))


def note(
    connection: Connection,
    delivery: int,
    *,
    settled: int,
    sent: int,
    hard: int,
    now: datetime,
    blamed: int = 0,
    others: Mapping[str, int] = _EVERYBODY,
) -> Standing:
    """Count what a group came to, after its letters were written and in the same transaction.

    `settled` letters ended, `sent` of them accepted (or rehearsed), the rest as `others` says by state; `hard` of them
    went to nobody; `blamed` people were refused for what we are or sent, and one accepted letter ends that row.
    """
    told = {"of": delivery, "ended": settled, "away": sent, "nobody": hard, "refused": blamed, "now": now}
    row = connection.execute(_NOTE, told).first()
    if row is None:  # frozen by a program that did not count
        recount(connection, delivery)
        row = connection.execute(_NOTE, told | {"ended": 0, "away": 0}).one()
    elif others:
        _add_others(connection, delivery, others)
    _move_mark(connection, delivery, row, now)
    return Standing(row.total, row.settled, row.sent, row.hard, row.blamed)


def came_back(connection: Connection, delivery: int, hard: int) -> Standing | None:
    """Count addresses that do not exist although their letters were accepted; None: it is not under way any more."""
    under_way = select(deliveries.c.id).where(deliveries.c.id == delivery, deliveries.c.state == "claimed")
    counted = update(mailings).where(mailings.c.delivery == delivery).values(hard=mailings.c.hard + hard)
    row = connection.execute(counted.returning(_m.total, _m.settled, _m.sent, _m.hard, _m.blamed)).first()
    if row is None or connection.scalar(under_way) is None:
        return None
    return Standing(row.total, row.settled, row.sent, row.hard, row.blamed)


def _move_mark(connection: Connection, delivery: int, row: AnyRow, now: datetime) -> None:
    """Keep the moment from which speed is measured between half a window and a whole one ago: the older half is let
    go, as if it had gone evenly.
    """
    age = now - row.mark_at if row.mark_at else None
    if age is None or age > STILL or age < timedelta(0):
        since, had = now, row.settled
    elif age >= WINDOW:
        since, had = row.mark_at + age / 2, row.mark_count + (row.settled - row.mark_count) // 2
    else:
        return
    connection.execute(_MARK, {"of": delivery, "since": since, "had": had})


def recount(connection: Connection, delivery: int) -> None:
    """Count a mailing's letters one by one, after something other than sending changed them."""
    connection.execute(insert_or_ignore(connection, mailings).values(delivery=delivery, total=0))
    mine = mailings.c.delivery == delivery
    connection.execute(select(mailings.c.delivery).where(mine).with_for_update())  # whoever settles waits, or counted
    people = count(connection, [delivery]).get(delivery, {})
    ended = {state: number for state, number in people.items() if state not in UNDER_WAY}
    settled, sent = sum(ended.values()), sum(ended.get(state, 0) for state in AWAY)
    values = {"total": sum(people.values()), "settled": settled, "sent": sent, "mark_at": None, "mark_count": 0}
    connection.execute(update(mailings).where(mine).values(values))
    others = {state: number for state, number in ended.items() if state not in AWAY}
    connection.execute(settings.delete().where(settings.c.key == f"{_OTHERS}{delivery}"))
    if others:
        connection.execute(settings.insert().values(key=f"{_OTHERS}{delivery}", value=json.dumps(others)))


def allow(connection: Connection, delivery: int) -> None:
    """A person saw how many of its addresses do not exist, and lets it go on."""
    connection.execute(insert_or_ignore(connection, settings).values(key=f"{_ALLOWED}{delivery}", value="1"))


def is_allowed(connection: Connection, delivery: int) -> bool:
    """Whether somebody did."""
    return connection.scalar(select(settings.c.key).where(settings.c.key == f"{_ALLOWED}{delivery}")) is not None


def forget(connection: Connection, delivery: int) -> None:
    """Drop what is only of use while the mailing is under way."""
    gone = [f"{_OTHERS}{delivery}", f"{_ALLOWED}{delivery}"]
    connection.execute(settings.delete().where(settings.c.key.in_(gone)))


def _add_others(connection: Connection, delivery: int, more: Mapping[str, int]) -> None:
    key = settings.c.key == f"{_OTHERS}{delivery}"
    known = connection.scalar(select(settings.c.value).where(key))  # nobody else is at it: the mailing's row is ours
    text = json.dumps(Counter(json.loads(known) if known else {}) + Counter(more))
    if known is None:
        connection.execute(settings.insert().values(key=f"{_OTHERS}{delivery}", value=text))
    else:
        connection.execute(update(settings).where(key).values(value=text))


# --- reading ----------------------------------------------------------------------------------------------------------


def count(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """Letters by state for each of these deliveries, at hand and past, counted one by one."""
    result: dict[int, dict[str, int]] = {}
    if not ids:
        return result
    for table in (letters, letters_past):
        t = table.c
        query = select(t.delivery, t.state, func.count().label("n")).where(t.delivery.in_(ids))
        for row in connection.execute(query.group_by(t.delivery, t.state)):
            people = result.setdefault(row.delivery, {})
            people[row.state] = people.get(row.state, 0) + row.n
    return result


def counts(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """The same, from the counters where a mailing is under way; a delivery without letters is missing."""
    known = dict(filter(None, (_from_counters(row) for row in connection.execute(_counters(ids)))))
    return count(connection, [one for one in ids if one not in known]) | known


def _counters(ids: Sequence[int]) -> Select[Any]:
    """One statement, so that all its parts are of one moment."""
    d, m = deliveries.c, mailings.c
    claimed = and_(letters.c.delivery == m.delivery, letters.c.state == literal("claimed", literal_execute=True))
    return (
        select(
            m.delivery, m.total, m.settled, m.sent, d.live, settings.c.value.label("others"),
            select(func.count()).where(claimed).scalar_subquery().label("claimed"),
        )
        .join_from(mailings, deliveries, d.id == m.delivery)
        .outerjoin(settings, settings.c.key == literal(_OTHERS) + cast(m.delivery, settings.c.key.type))
        .where(m.delivery.in_(ids), d.state == "claimed")
    )  # fmt: skip


def _from_counters(row: AnyRow) -> tuple[int, dict[str, int]] | None:
    """None: the counters do not hold all, as those of a mailing that an older program had begun."""
    others: dict[str, int] = json.loads(row.others) if row.others else {}
    due = row.total - row.settled - row.claimed
    if row.sent + sum(others.values()) != row.settled or due < 0:
        return None
    people = {**others, "due": due, "claimed": row.claimed, AWAY[0] if row.live else AWAY[1]: row.sent}
    return row.delivery, {state: number for state, number in sorted(people.items()) if number}


def progress(connection: Connection, now: datetime, delivery: int | None = None) -> dict[int, Progress]:
    """How far the mailings under way are, or this one."""
    d, m = deliveries.c, mailings.c
    query = select(mailings, d.subject).join_from(mailings, deliveries, d.id == m.delivery).where(d.state == "claimed")
    if delivery is not None:
        query = query.where(m.delivery == delivery)
    return {row.delivery: _progress(row, now) for row in connection.execute(query.order_by(m.delivery))}


def _progress(row: AnyRow, now: datetime) -> Progress:
    speed = None
    if row.mark_at and row.last_at and now - row.last_at < WINDOW:
        seconds = (now - row.mark_at).total_seconds()
        speed = (row.settled - row.mark_count) / seconds if seconds >= 1 else None
    left = row.total - row.settled
    done_at = now + timedelta(seconds=left / speed) if speed and left > 0 else None
    return Progress(
        subject=row.subject, total=row.total, done=row.settled, per_second=round(speed, 1) if speed else None,
        done_at=done_at.replace(microsecond=0) if done_at else None,
    )  # fmt: skip
