"""Letters: one email delivery owed to one person; frozen together, claimed and settled in groups."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, case, exists, func, literal, select, update

from syndicate.delivery import QUARANTINE, TO_RETRY, LetterSettlement, LetterState
from syndicate.store import highwater, pauses, retention
from syndicate.store.database import AnyRow
from syndicate.store.pauses import Gate
from syndicate.store.retention import counts as counts  # whoever asks for letters need not know where they lie
from syndicate.store.retention import counts_of as counts_of
from syndicate.store.schema import (
    attempts,
    channels,
    deliveries,
    editions,
    letters,
    subscribers,
    subscriptions,
)

CHANNEL = "email"
DOMAIN_REST = timedelta(minutes=10)
QUARANTINED = f"quarantined: the program died {QUARANTINE} times with it in hand; it may have arrived"


@dataclass(frozen=True, slots=True)
class Recipient:
    """One claimed letter with its person."""

    letter: int
    subscriber: int
    email: str
    name: str
    domain: str
    attempt: int
    crashes: int = 0  # times it was in hand when the program died, or no answer came to its final dot


@dataclass(frozen=True, slots=True)
class Group:
    """What one connection sends next; a probe is one letter that tells whether a fault is over."""

    people: Sequence[Recipient] = ()
    probe: bool = False
    begun: int = 0  # what this ledger has begun in all, for the high-water mark; 0 in rehearsal


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailing:
    """A frozen email delivery with letters still to go."""

    delivery: int
    subject: str  # the edition's slug, or the article's id
    digest: str | None
    live: bool
    frozen_at: datetime
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trouble:
    """An answer that concerns the whole channel: why, and how long it rests before a probe."""

    reason: str
    rest: timedelta


# --- sending ----------------------------------------------------------------------------------------------------------


def open_mailings(connection: Connection, now: datetime, live: bool) -> list[Mailing]:
    """Frozen deliveries with a letter due now, oldest first; only those for the transport that is there."""
    due = exists().where(letters.c.delivery == deliveries.c.id, letters.c.state == "due", letters.c.due_at <= now)
    rows = connection.execute(
        select(deliveries, editions.c.digest)
        .outerjoin_from(deliveries, editions, editions.c.slug == deliveries.c.subject)
        .where(deliveries.c.channel == CHANNEL, deliveries.c.state == "claimed", due)
        .where(deliveries.c.live == live)
        .order_by(deliveries.c.id)
    )
    return [
        Mailing(
            delivery=row.id, subject=row.subject, digest=row.digest, live=row.live, frozen_at=row.due_at,
            payload=json.loads(row.payload),
        )
        for row in rows
    ]  # fmt: skip


def settle_and_claim(
    connection: Connection,
    mailing: Mailing,
    owner: str,
    settled: Sequence[LetterSettlement],
    trouble: Trouble | None,
    resting: Mapping[str, str],
    now: datetime,
    limit: int,
    *,
    alone: bool = False,
) -> Group:
    """Settle the last group and claim the next in one transaction (rule 17).

    Who left, is suppressed or was erased since the freeze gets nothing: that is read here, not at the freeze.
    `trouble` pauses the channel; `resting` names recipient domains that take no more for a while, with their words.
    `alone` claims one of the letters that were in hand when the program died, which no group may hold: what kills
    the program then kills nobody else's letter, and is found (rule 6).
    """
    settle(connection, mailing.delivery, owner, settled, now)
    if any(one.state is LetterState.SENT for one in settled):
        pauses.heal(connection, CHANNEL)
    if trouble:
        pauses.by_fault(connection, CHANNEL, trouble.reason, now, rest=trouble.rest)
    for domain, words in resting.items():
        pauses.by_fault(connection, f"{CHANNEL}:{domain}", words, now, rest=DOMAIN_REST)
    keys = _pausable(mailing)
    gate = pauses.gate(connection, keys, now) if limit > 0 else Gate.SHUT
    if not gate:
        return Group()
    claimed: list[Recipient] = []
    while not claimed:
        found = _claim(connection, mailing, owner, now, 1 if alone or gate is Gate.PROBE else limit, alone)
        if not found:
            return Group()
        claimed = _with_people(connection, mailing, found)
    pauses.probed(connection, keys, now)
    return Group(claimed, probe=gate is Gate.PROBE, begun=highwater.begun(connection) if mailing.live else 0)


def is_paused(connection: Connection, mailing: Mailing, now: datetime) -> bool:
    """Whether what was claimed and has not left should not leave either."""
    return not pauses.is_open(connection, _pausable(mailing), now)


def _pausable(mailing: Mailing) -> list[str]:
    return [CHANNEL, f"digest:{mailing.digest}"] if mailing.digest else [CHANNEL]


def _claim(
    connection: Connection, mailing: Mailing, owner: str, now: datetime, limit: int, alone: bool
) -> dict[int, AnyRow]:
    resting = [key.removeprefix(f"{CHANNEL}:") for key in pauses.resting(connection, f"{CHANNEL}:", now)]
    still_open = exists().where(deliveries.c.id == mailing.delivery, deliveries.c.state == "claimed")
    picked = (
        select(letters.c.id)
        .where(letters.c.delivery == mailing.delivery, letters.c.due_at <= now, still_open)
        .where(letters.c.state == literal("due", literal_execute=True), letters.c.domain.not_in(resting))
        .where(letters.c.crashes > 0 if alone else letters.c.crashes == 0)
        .order_by(letters.c.due_at, letters.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("picked")  # so that it is asked once, whatever PostgreSQL believes of the table, and then holds these rows
    )
    rows = connection.execute(
        update(letters)
        .where(letters.c.id.in_(select(picked.c.id)))
        .values(state="claimed", owner=owner, attempts=letters.c.attempts + 1)
        .returning(letters.c.id, letters.c.subscriber, letters.c.attempts, letters.c.domain, letters.c.crashes)
    )
    return {row.id: row for row in sorted(rows)}


def _with_people(connection: Connection, mailing: Mailing, group: Mapping[int, AnyRow]) -> list[Recipient]:
    query = select(subscribers.c.id, subscribers.c.email, subscribers.c.name).where(
        subscribers.c.id.in_([row.subscriber for row in group.values()]), subscribers.c.state == "active"
    )
    if mailing.digest is not None:
        chosen = and_(subscriptions.c.subscriber == subscribers.c.id, subscriptions.c.digest == mailing.digest)
        query = query.where(exists().where(chosen))  # asked for these few alone, not for the whole digest
    people = {row.id: row for row in connection.execute(query)}
    left = [row.id for row in group.values() if row.subscriber not in people]
    if left:
        connection.execute(
            update(letters)
            .where(letters.c.id.in_(left))
            .values(state="suppressed", owner=None, due_at=None, answer="left before it was sent")
        )
    return [
        Recipient(row.id, person.id, person.email, person.name, row.domain, row.attempts, row.crashes)
        for row in group.values()
        if (person := people.get(row.subscriber)) is not None
    ]


def settle(
    connection: Connection, delivery: int, owner: str, settled: Sequence[LetterSettlement], now: datetime
) -> None:
    """Write what became of a group; letters that were taken back meanwhile are left as they are."""
    still_there = exists().where(subscribers.c.id == letters.c.subscriber)  # nothing is noted of who was erased
    sent = [one.letter for one in settled if one.state in (LetterState.SENT, LetterState.REHEARSED)]
    if sent:
        state = next(one.state for one in settled if one.letter == sent[0])
        values = {"state": state, "sent_at": now, "owner": None, "due_at": None}
        connection.execute(update(letters).where(_mine(sent, owner)).values(values))
    for one in settled:
        if one.letter in sent:
            continue
        row = connection.execute(
            update(letters)
            .where(_mine([one.letter], owner))
            .values(
                state=one.state,
                due_at=one.due_at,
                owner=None,
                answer=case((still_there, one.answer or None), else_=None),
                crashes=letters.c.crashes + int(one.in_doubt),
                attempts=letters.c.attempts
                if one.tried
                else case((letters.c.attempts > 0, letters.c.attempts - 1), else_=0),
            )
            .returning(letters.c.attempts, letters.c.answer)
        ).first()
        if row is not None and one.tried:
            _note(connection, delivery, one, row, now)


def _mine(ids: Sequence[int], owner: str) -> Any:
    return letters.c.id.in_(ids) & (letters.c.state == "claimed") & (letters.c.owner == owner)


def _note(connection: Connection, delivery: int, one: LetterSettlement, row: AnyRow, now: datetime) -> None:
    answer = (row.answer or "")[:500]
    _attempt(connection, (delivery, one.letter, row.attempts), one.state, now, status=one.code, answer=answer)


def _attempt(connection: Connection, key: tuple[int, int, int], outcome: str, now: datetime, **said: Any) -> None:
    """Write what came of an attempt: (delivery, letter, number)."""
    named = dict(zip(("delivery", "letter", "number"), key, strict=True))
    connection.execute(attempts.delete().where(*(attempts.c[name] == value for name, value in named.items())))
    connection.execute(attempts.insert().values(**named, started_at=now, ended_at=now, outcome=outcome, **said))


def ended(connection: Connection) -> list[int]:
    """Frozen deliveries that have no letter due or claimed any more."""
    of_it = letters.c.delivery == deliveries.c.id  # a condition each: both are answered from a small partial index
    due = exists().where(of_it, letters.c.state == literal("due", literal_execute=True))
    claimed = exists().where(of_it, letters.c.state == literal("claimed", literal_execute=True))
    d = deliveries.c
    frozen = and_(d.channel == CHANNEL, d.state == "claimed", d.owner.is_(None))
    return list(connection.scalars(select(d.id).where(frozen, ~due, ~claimed)))


def close(connection: Connection, now: datetime) -> list[int]:
    """End the frozen deliveries that have no letter due or claimed any more; returns their ids.

    Each row is locked before it is asked again: a `retry` at the same time comes before or after.
    """
    over = ended(connection)
    if over:
        connection.execute(select(deliveries.c.id).where(deliveries.c.id.in_(over)).with_for_update())
        over = [one for one in ended(connection) if one in over]
    for delivery in over:
        state, reason = _ending(retention.recount(connection, delivery))
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id == delivery)
            .values(state=state, reason=reason, sent_at=now if state == "sent" else None)
        )
    return over


def _ending(people: Mapping[str, int]) -> tuple[str, str | None]:
    for state in ("sent", "rehearsed"):
        if people.get(state):
            return state, None
    for state, ending in (("unknown", "failed"), ("failed", "failed"), ("expired", "expired")):
        if people.get(state):
            return ending, f"{people[state]} letters {state}, none sent"
    return "skipped", "nobody: everybody left before it was sent"


def cancel_due(connection: Connection, delivery: int) -> int:
    """End the letters still due of a delivery."""
    return connection.execute(
        update(letters)
        .where(letters.c.delivery == delivery, letters.c.state == "due")
        .values(state="expired", due_at=None, answer="cancelled")
    ).rowcount


def retry_failed(connection: Connection, delivery: int, now: datetime) -> int:
    """Make the letters of a delivery due again that failed, expired or are in doubt, past ones too."""
    retention.fetch_back(connection, delivery)
    count = connection.execute(
        update(letters)
        .where(letters.c.delivery == delivery, letters.c.state.in_([state.value for state in TO_RETRY]))
        .values(state="due", due_at=now, attempts=0, crashes=0, answer=None)
    ).rowcount
    if count:
        retention.note(connection, delivery, None)
    return count


def resolve_doubt(connection: Connection, delivery: int, now: datetime, *, sent: bool) -> int:
    """A person says of the letters in doubt that they arrived, or that they did not; returns how many."""
    said = {"state": "sent", "sent_at": now} if sent else {"state": "failed", "answer": "a person says it is not there"}
    count = connection.execute(
        update(letters).where(letters.c.delivery == delivery, letters.c.state == "unknown").values(said)
    ).rowcount
    if count and connection.scalar(select(deliveries.c.people).where(deliveries.c.id == delivery)) is not None:
        state, reason = _ending(retention.recount(connection, delivery))
        values = {"state": state, "reason": reason, "sent_at": now if state == "sent" else None}
        failed = and_(deliveries.c.id == delivery, deliveries.c.state == "failed")
        connection.execute(update(deliveries).where(failed).values(values))
    return count


# --- owners and counts ------------------------------------------------------------------------------------------------


def claimants(connection: Connection) -> set[str]:
    """Owners that hold a claimed letter."""
    query = select(letters.c.owner).where(letters.c.state == "claimed").distinct()
    return {owner for owner in connection.scalars(query) if owner}


def take_back(connection: Connection, owners: Sequence[str], now: datetime, *, crashed: bool = True) -> int:
    """Letters of dead owners are due again: mail may be resent, with the same Message-ID and bytes (rule 5).

    After the third crash a letter waits for a person: whatever kills the program, nobody gets more than three copies.
    Not `crashed`: the owner left in order, or lost count of what it had claimed.
    """
    claimed = literal("claimed", literal_execute=True)
    theirs = and_(letters.c.state == claimed, letters.c.owner.in_(owners))
    poisonous = connection.execute(
        update(letters)
        .where(theirs, letters.c.crashes + int(crashed) >= QUARANTINE)
        .values(state="unknown", owner=None, due_at=None, crashes=letters.c.crashes + int(crashed), answer=QUARANTINED)
        .returning(letters.c.delivery, letters.c.id, letters.c.attempts)
    ).all()
    for row in poisonous:
        _attempt(connection, (row.delivery, row.id, row.attempts), LetterState.UNKNOWN, now, answer=QUARANTINED)
    back = {"state": "due", "due_at": now, "owner": None, "crashes": letters.c.crashes + int(crashed)}
    return len(poisonous) + connection.execute(update(letters).where(theirs).values(back)).rowcount


def due_count(connection: Connection, delivery: int, now: datetime, most: int) -> int:
    """How many letters of a delivery are due now, up to `most`: no more of them are looked at."""
    due = select(letters.c.id).where(
        letters.c.delivery == delivery, letters.c.state == literal("due", literal_execute=True), letters.c.due_at <= now
    )
    return connection.scalar(select(func.count()).select_from(due.limit(most).subquery())) or 0


def is_due(connection: Connection, now: datetime) -> bool:
    """Whether any letter waits to be sent now."""
    due = letters.c.state == literal("due", literal_execute=True)
    mailing = and_(deliveries.c.channel == CHANNEL, deliveries.c.state == "claimed")
    of_it = exists().where(letters.c.delivery == deliveries.c.id, due, letters.c.due_at <= now)
    return connection.scalar(select(deliveries.c.id).where(mailing, of_it).limit(1)) is not None


def channel_since(connection: Connection) -> datetime | None:
    """When email began, or went live."""
    return connection.scalar(select(channels.c.since).where(channels.c.name == CHANNEL))


def oldest_due(connection: Connection, now: datetime) -> datetime | None:
    """The moment since which a due letter waits."""
    still_open = select(deliveries.c.id).where(deliveries.c.channel == CHANNEL, deliveries.c.state == "claimed")
    return oldest_due_of(connection, connection.scalars(still_open).all(), now)


def oldest_due_of(connection: Connection, ids: Iterable[int], now: datetime) -> datetime | None:
    """The same for these deliveries: one step along the index for each, however many letters are due."""
    le = letters.c
    due = select(le.due_at).where(le.state == literal("due", literal_execute=True), le.due_at <= now)
    first = due.order_by(le.due_at, le.id).limit(1)
    oldest = (connection.scalar(first.where(le.delivery == delivery)) for delivery in ids)
    return min((moment for moment in oldest if moment), default=None)


def failed_since(connection: Connection, moment: datetime) -> dict[int, int]:
    """How many letters of which delivery failed for good, or were left in doubt, since then."""
    query = (
        select(attempts.c.delivery, func.count())
        .where(attempts.c.letter > 0, attempts.c.ended_at >= moment, attempts.c.outcome.in_(["failed", "unknown"]))
        .group_by(attempts.c.delivery)
        .order_by(attempts.c.delivery)
    )
    return dict(connection.execute(query).all())
