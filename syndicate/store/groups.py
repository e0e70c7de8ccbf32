"""Groups of letters: one transaction settles the last and claims the next (rule 17). Never decides what becomes of one.

All of email passes through here, so the statements are made once and not for each group; a test counts them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import NamedTuple

from sqlalchemy import Connection, Update, bindparam, case, exists, literal_column, select, update

from syndicate.delivery import LetterSettlement, LetterState
from syndicate.store import highwater, pauses
from syndicate.store.among import among
from syndicate.store.database import AnyRow
from syndicate.store.letters import CHANNEL, Mailing, note_attempt
from syndicate.store.pauses import Gate, Known
from syndicate.store.schema import deliveries, letters, subscribers, subscriptions

DOMAIN_REST = timedelta(minutes=10)


class Recipient(NamedTuple):
    """One claimed letter with its person; a tuple, as each group makes 25 of them."""

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


@dataclass(frozen=True, slots=True)
class Trouble:
    """An answer that concerns the whole channel: why, and how long it rests before a probe."""

    reason: str
    rest: timedelta


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
    sent = any(one.state is LetterState.SENT for one in settled)
    known = _paused(connection, trouble, resting, now, sent=sent)
    keys = _pausable(mailing)
    gate = pauses.gate(connection, keys, now, known) if limit > 0 else Gate.SHUT
    if not gate:
        return Group()
    rest = pauses.resting(connection, f"{CHANNEL}:", now, known)
    domains = [key.removeprefix(f"{CHANNEL}:") for key in rest]
    claimed: list[Recipient] = []
    while not claimed:
        found = _claim(connection, mailing, owner, domains, now, 1 if alone or gate is Gate.PROBE else limit, alone)
        if not found:
            return Group()
        claimed = _with_people(connection, mailing, found)
    if gate is Gate.PROBE:
        pauses.probed(connection, keys, now)
    return Group(claimed, probe=gate is Gate.PROBE, begun=highwater.begun(connection) if mailing.live else 0)


def is_paused(connection: Connection, mailing: Mailing, now: datetime) -> bool:
    """Whether what was claimed and has not left should not leave either."""
    return not pauses.is_open(connection, _pausable(mailing), now)


def _pausable(mailing: Mailing) -> list[str]:
    return [CHANNEL, f"digest:{mailing.digest}"] if mailing.digest else [CHANNEL]


def _paused(
    connection: Connection, trouble: Trouble | None, resting: Mapping[str, str], now: datetime, *, sent: bool
) -> Known:
    """Write what the last group told of the channel; returns what is paused now."""
    known = pauses.known(connection)
    healed = sent and CHANNEL in known and known[CHANNEL].by_fault
    if healed:
        pauses.heal(connection, CHANNEL)
    if trouble:
        pauses.by_fault(connection, CHANNEL, trouble.reason, now, rest=trouble.rest)
    for domain, words in resting.items():
        pauses.by_fault(connection, f"{CHANNEL}:{domain}", words, now, rest=DOMAIN_REST)
    return pauses.known(connection) if healed or trouble or resting else known


# --- claiming ---------------------------------------------------------------------------------------------------------


def _claiming(*, alone: bool) -> Update:
    due = letters.c.state == literal_column("'due'")  # a parameter would hide that the index of those due will do
    still_open = exists().where(deliveries.c.id == bindparam("mailing"), deliveries.c.state == "claimed")
    picked = (
        select(letters.c.id)
        .where(letters.c.delivery == bindparam("mailing"), due, letters.c.due_at <= bindparam("now"), still_open)
        .where(letters.c.crashes > 0 if alone else letters.c.crashes == 0, ~among(letters.c.domain, "resting"))
        .order_by(letters.c.due_at, letters.c.id)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
        .cte("picked")  # so that it is asked once, whatever PostgreSQL believes of the table, and then holds these rows
    )
    return (
        update(letters)
        .where(letters.c.id.in_(select(picked.c.id)))
        .values(state="claimed", owner=bindparam("me"), attempts=letters.c.attempts + 1)
        .returning(letters.c.id, letters.c.subscriber, letters.c.domain, letters.c.attempts, letters.c.crashes)
    )


_CLAIM, _CLAIM_ALONE = _claiming(alone=False), _claiming(alone=True)
_PEOPLE = select(subscribers.c.id, subscribers.c.email, subscribers.c.name).where(
    among(subscribers.c.id, "people"), subscribers.c.state == "active"
)
_READERS = _PEOPLE.where(  # asked for these few alone, not for the whole digest
    exists().where(subscriptions.c.subscriber == subscribers.c.id, subscriptions.c.digest == bindparam("of"))
)


def _claim(
    connection: Connection,
    mailing: Mailing,
    owner: str,
    resting: Sequence[str],
    now: datetime,
    limit: int,
    alone: bool,
) -> list[AnyRow]:
    told = {"mailing": mailing.delivery, "now": now, "resting": resting, "most": limit, "me": owner}
    return sorted(connection.execute(_CLAIM_ALONE if alone else _CLAIM, told).all(), key=itemgetter(0))


def _with_people(connection: Connection, mailing: Mailing, group: Sequence[AnyRow]) -> list[Recipient]:
    told = {"people": [subscriber for _, subscriber, *_ in group]}
    if mailing.digest is None:
        found = connection.execute(_PEOPLE, told)
    else:
        found = connection.execute(_READERS, {**told, "of": mailing.digest})
    people = {subscriber: (email, name) for subscriber, email, name in found.all()}
    left = [letter for letter, subscriber, *_ in group if subscriber not in people]
    if left:
        connection.execute(
            update(letters)
            .where(letters.c.id.in_(left))
            .values(state="suppressed", owner=None, due_at=None, answer="left before it was sent")
        )
    return [
        Recipient(letter, subscriber, *people[subscriber], *rest)
        for letter, subscriber, *rest in group
        if subscriber in people
    ]


# --- settling ---------------------------------------------------------------------------------------------------------

_AWAY = (LetterState.SENT, LetterState.REHEARSED)
_MINE = update(letters).where(
    among(letters.c.id, "group"), letters.c.state == "claimed", letters.c.owner == bindparam("me")
)
_SENT = _MINE.values(state=bindparam("end"), sent_at=bindparam("now"), owner=None, due_at=None)


def settle(
    connection: Connection, delivery: int, owner: str, settled: Sequence[LetterSettlement], now: datetime
) -> None:
    """Write what became of a group; letters that were taken back meanwhile are left as they are."""
    sent = [one for one in settled if one.state in _AWAY]
    if sent:
        told = {"group": [one.letter for one in sent], "me": owner, "end": sent[0].state, "now": now}
        connection.execute(_SENT, told)
    for one in settled:
        if one.state not in _AWAY:
            _settle_one(connection, delivery, owner, one, now)


def _settle_one(connection: Connection, delivery: int, owner: str, one: LetterSettlement, now: datetime) -> None:
    still_there = exists().where(subscribers.c.id == letters.c.subscriber)  # nothing is noted of who was erased
    row = connection.execute(
        _MINE.values(
            state=one.state,
            due_at=one.due_at,
            owner=None,
            answer=case((still_there, one.answer or None), else_=None),
            crashes=letters.c.crashes + int(one.in_doubt),
            attempts=letters.c.attempts
            if one.tried
            else case((letters.c.attempts > 0, letters.c.attempts - 1), else_=0),
        ).returning(letters.c.attempts, letters.c.answer),
        {"group": [one.letter], "me": owner},
    ).first()
    if row is not None and one.tried:
        answer = (row.answer or "")[:500]
        key = (delivery, one.letter, row.attempts)
        note_attempt(connection, key, one.state, now, status=one.code, answer=answer)
