"""Groups of letters: one transaction settles what connections sent and claims what they send next (rule 17). Never
decides what becomes of a letter.

All of email passes through here, so the statements are made once and not for each group; a test counts them. Locks come
in this order everywhere: letters, mailings, pauses, the count of what was begun.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Update,
    and_,
    bindparam,
    case,
    exists,
    literal,
    literal_column,
    select,
    update,
)  # fmt: skip

from syndicate.delivery import LetterSettlement, LetterState
from syndicate.store import aftermath, highwater, mailings, pauses, throttles
from syndicate.store.among import among
from syndicate.store.database import AnyRow
from syndicate.store.letters import CHANNEL, Mailing, note_attempt
from syndicate.store.pauses import Gate, Known
from syndicate.store.schema import deliveries, editions, letters, subscribers, subscriptions
from syndicate.store.subscribers import reachable
from syndicate.store.throttles import Trouble as Trouble
from syndicate.store.values import UtcTime

ASIDE, ASIDE_TIMES = 1000, 20  # letters looked over at once, and how often at most in one claim


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
    mailing: Mailing | None = None
    probe: bool = False


@dataclass(slots=True)
class Done:
    """What one connection has to tell of letters of one mailing. The many that were accepted are told by their ids."""

    mailing: Mailing
    away: list[int] = field(default_factory=list)  # accepted, or rehearsed
    others: list[LetterSettlement] = field(default_factory=list)
    trouble: Trouble | None = None
    resting: dict[str, str] = field(default_factory=dict)  # recipient domain that takes no more for a while -> why

    def __bool__(self) -> bool:
        return bool(self.away or self.others or self.trouble or self.resting)


def exchange(
    connection: Connection,
    owner: str,
    told: Sequence[Done],
    wanted: Sequence[int],
    open_mailings: Sequence[Mailing],
    now: datetime,
    secret: bytes,
    *,
    alone: bool = False,
) -> tuple[int, list[Group]]:
    """Settle what connections sent, and claim a group of at most so many letters for each entry of `wanted` (rule 17).

    Returns what this ledger has begun in all, for the high-water mark (0: nothing live was claimed), and the groups;
    the mailings take turns. Who left, rests, is suppressed or was erased since the freeze gets nothing: that is read
    here, not at the freeze. `alone` claims only letters that were in hand when the program died, which no group may
    hold: what kills the program then kills nobody else's letter, and is found (rule 6).
    """
    settle(connection, owner, told, now, secret)
    known = _throttled(connection, told, now)
    groups = [Group()] * len(wanted)
    hungry, ready = [n for n, most in enumerate(wanted) if most > 0], list(open_mailings)
    while hungry and ready:
        for mailing, served in _dealt(hungry, ready):
            most = sum(wanted[n] for n in served)
            people, gate = _claimed(connection, mailing, owner, known, now, most, alone)
            if len(people) < most:
                ready.remove(mailing)
            for n in served:
                if people:
                    groups[n] = Group(people[: wanted[n]], mailing, gate is Gate.PROBE)
                    people = people[wanted[n] :]
            if gate is Gate.PROBE:
                known = pauses.known(connection)
        hungry = [n for n in hungry if not groups[n].people]
    live = any(group.mailing and group.mailing.live for group in groups)
    return highwater.begun(connection) if live else 0, groups


def _dealt(hungry: Sequence[int], ready: Sequence[Mailing]) -> list[tuple[Mailing, list[int]]]:
    """Which mailing serves whom: all alike, so that a large one holds up no small one."""
    return [(one, served) for turn, one in enumerate(ready) if (served := list(hungry[turn :: len(ready)]))]


@dataclass(frozen=True, slots=True)
class Waiting:
    """What may go now."""

    mailings: Sequence[tuple[int, datetime]] = ()  # delivery and moment of its freezing, oldest first
    letters: int = 0  # up to as many as were asked for


def waiting(connection: Connection, now: datetime, live: bool, most: int) -> Waiting:
    """Mailings with letters that may go now, as far as pauses and resting domains let them. Reads only."""
    known = pauses.known(connection)
    rested = throttles.probing(known, now)
    domains = [domain for domain in throttles.closed(known) if domain not in rested]
    found: list[tuple[int, datetime]] = []
    count = 0
    for delivery, frozen_at, digest in connection.execute(_OPEN, {"live": live}).all():
        if pauses.is_open(connection, _keys(digest), now, known):
            told = {"mailing": delivery, "now": now, "resting": domains, "most": max(1, most - count)}
            due = len(connection.execute(_DUE, told).all())
            count += due
            found += [(delivery, frozen_at)] if due else []
    return Waiting(found, min(count, most))


def opened(connection: Connection, delivery: int) -> Mailing | None:
    """A frozen email delivery with all that its letters have in common; None: it is over."""
    mine = select(deliveries, editions.c.digest).outerjoin_from(
        deliveries, editions, editions.c.slug == deliveries.c.subject
    )
    row = connection.execute(mine.where(deliveries.c.id == delivery, deliveries.c.state == "claimed")).first()
    if row is None or row.payload is None:
        return None
    return Mailing(
        delivery=row.id, subject=row.subject, digest=row.digest, live=row.live, frozen_at=row.due_at,
        payload=json.loads(row.payload),
    )  # fmt: skip


def paused_of(connection: Connection, some: Iterable[Mailing], now: datetime) -> set[int]:
    """Deliveries of which what was claimed and has not left should not leave either."""
    known = pauses.known(connection)
    return {one.delivery for one in some if not pauses.is_open(connection, _keys(one.digest), now, known)}


def _keys(digest: str | None) -> list[str]:
    return [CHANNEL, throttles.QUOTA_KEY, *([f"digest:{digest}"] if digest else [])]


def _throttled(connection: Connection, told: Sequence[Done], now: datetime) -> Known:
    """Write what connections were told of our pace and of us; returns what is paused now."""
    troubles = [one.trouble for one in told if one.trouble]
    resting = {domain: words for one in told for domain, words in one.resting.items()}
    accepted = [letter for one in told if one.mailing.live for letter in one.away]
    gravest = max(troubles, key=lambda trouble: trouble.rest, default=None)
    return throttles.told(connection, gravest, resting, accepted, now)


# --- claiming ---------------------------------------------------------------------------------------------------------

_due = letters.c.state == literal_column("'due'")  # a parameter would hide that the index of those due will do
_DUE = (
    select(letters.c.id)
    .where(letters.c.delivery == bindparam("mailing"), _due, letters.c.due_at <= bindparam("now"))
    .where(~among(letters.c.domain, "resting"))
    .limit(bindparam("most"))
)
_OPEN = (
    select(deliveries.c.id, deliveries.c.due_at, editions.c.digest)
    .outerjoin_from(deliveries, editions, editions.c.slug == deliveries.c.subject)
    .where(deliveries.c.channel == literal(CHANNEL), deliveries.c.state == literal("claimed", literal_execute=True))
    .where(deliveries.c.live == bindparam("live"))
    .order_by(deliveries.c.id)
)


def _claiming(which: ColumnElement[bool]) -> Update:
    still_open = exists().where(deliveries.c.id == bindparam("mailing"), deliveries.c.state == "claimed")
    picked = (
        select(letters.c.id)
        .where(letters.c.delivery == bindparam("mailing"), _due, letters.c.due_at <= bindparam("now"), still_open)
        .where(which)
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


_open = ~among(letters.c.domain, "resting")
_of_domain = letters.c.domain == bindparam("rested")
_CLAIM = _claiming(and_(letters.c.crashes == 0, _open))
_CLAIM_ALONE = _claiming(and_(letters.c.crashes > 0, _open))
_CLAIM_OF = _claiming(and_(letters.c.crashes == 0, _of_domain))
_window = (
    select(letters.c.id)
    .where(letters.c.delivery == bindparam("mailing"), _due, letters.c.due_at <= bindparam("now"))
    .where(letters.c.crashes == 0)
    .order_by(letters.c.due_at, letters.c.id)
    .limit(ASIDE)
    .with_for_update(skip_locked=True)
    .cte("ahead")
)
_ASIDE = (
    update(letters)
    .where(letters.c.id.in_(select(_window.c.id)), among(letters.c.domain, "asleep"), _due)
    .values(due_at=bindparam("until"))
)
_ahead = (  # no further is looked for a letter of one domain: the others that are before it go first
    select(letters.c.domain)
    .where(letters.c.delivery == bindparam("mailing"), _due, letters.c.due_at <= bindparam("now"))
    .where(letters.c.crashes == 0)
    .order_by(letters.c.due_at, letters.c.id)
    .limit(1000)
    .subquery()
)
_FIRST_OF = select(_ahead.c.domain).where(_ahead.c.domain == bindparam("rested")).limit(1)
_PEOPLE = select(subscribers.c.id, subscribers.c.email, subscribers.c.name).where(
    among(subscribers.c.id, "people"), reachable(bindparam("now", type_=UtcTime()))
)
_READERS = _PEOPLE.where(  # asked for these few alone, not for the whole digest
    exists().where(subscriptions.c.subscriber == subscribers.c.id, subscriptions.c.digest == bindparam("of"))
)


def _claimed(
    connection: Connection,
    mailing: Mailing,
    owner: str,
    known: Known,
    now: datetime,
    most: int,
    alone: bool,
) -> tuple[list[Recipient], Gate]:
    """Claim so many letters, in order, as far as what is paused lets them."""
    keys = _keys(mailing.digest)
    gate = pauses.gate(connection, keys, now, known)
    if not gate:
        return [], gate
    most = 1 if alone or gate is Gate.PROBE else most
    rested = throttles.probing(known, now)
    resting = [domain for domain in throttles.closed(known) if not (alone and domain in rested)]
    told = {"mailing": mailing.delivery, "now": now, "resting": resting, "me": owner}
    if resting and not alone:
        _step_aside(connection, mailing, known, now)
    people: list[Recipient] = []
    for domain in () if alone or gate is Gate.PROBE else rested[:most]:
        one = told | {"rested": domain, "most": 1}
        if connection.execute(_FIRST_OF, one).first() and throttles.take_probe(connection, domain, now):
            people += _taken(connection, mailing, _CLAIM_OF, one)
    if left := most - len(people):
        people += _taken(connection, mailing, _CLAIM_ALONE if alone else _CLAIM, told | {"most": left})
    if gate is Gate.PROBE and people:
        pauses.probed(connection, keys, now)
    return people, gate


def _step_aside(connection: Connection, mailing: Mailing, known: Known, now: datetime) -> None:
    """Let the first letters due wait until their domain has rested: looked over at each claim, they would make one
    cost as much as they are many.
    """
    asleep = throttles.asleep(known, now)
    if not asleep:
        return
    told = {"mailing": mailing.delivery, "now": now, "asleep": list(asleep), "until": min(asleep.values())}
    for _ in range(ASIDE_TIMES):
        if connection.execute(_ASIDE, told).rowcount < ASIDE * 3 // 4:  # enough others are among them
            return


def _taken(connection: Connection, mailing: Mailing, claim: Update, told: Mapping[str, Any]) -> list[Recipient]:
    """The letters of one claim; those of people who left meanwhile end here, and others are claimed for them."""
    while True:
        found = sorted(connection.execute(claim, told).all(), key=itemgetter(0))
        people = _with_people(connection, mailing, found, told["now"])
        if people or not found:
            return people


def _with_people(connection: Connection, mailing: Mailing, claimed: Sequence[AnyRow], now: datetime) -> list[Recipient]:
    if not claimed:
        return []
    told = {"people": [row[1] for row in claimed], "now": now}
    if mailing.digest is None:
        found = connection.execute(_PEOPLE, told)
    else:
        found = connection.execute(_READERS, {**told, "of": mailing.digest})
    people = {subscriber: (email, name) for subscriber, email, name in found.all()}
    left = [row[0] for row in claimed if row[1] not in people]
    if left:
        connection.execute(
            update(letters)
            .where(letters.c.id.in_(left))
            .values(state="suppressed", owner=None, due_at=None, answer="left before it was sent")
        )
        ended = {LetterState.SUPPRESSED.value: len(left)}
        mailings.note(connection, mailing.delivery, settled=len(left), sent=0, hard=0, now=now, others=ended)
    return [
        Recipient(letter, subscriber, *people[subscriber], domain, attempt, crashes)
        for letter, subscriber, domain, attempt, crashes in claimed
        if subscriber in people
    ]


# --- settling ---------------------------------------------------------------------------------------------------------

_MINE = update(letters).where(
    among(letters.c.id, "group"), letters.c.state == "claimed", letters.c.owner == bindparam("me")
)
_AWAY = _MINE.values(state=bindparam("end"), sent_at=bindparam("now"), owner=None, due_at=None)


def settle(connection: Connection, owner: str, told: Sequence[Done], now: datetime, secret: bytes) -> None:
    """Write what became of letters, and count it; those that were taken back meanwhile are left as they are."""
    by_mailing: dict[int, list[Done]] = {}
    for one in sorted((one for one in told if one), key=lambda one: one.mailing.delivery):
        by_mailing.setdefault(one.mailing.delivery, []).append(one)
    written = [_settle_mailing(connection, owner, ones, now) for ones in by_mailing.values()]
    for delivery, (away, others) in zip(by_mailing, written, strict=True):
        aftermath.follow(connection, delivery, away, others, secret, now)


def _settle_mailing(
    connection: Connection, owner: str, ones: Sequence[Done], now: datetime
) -> tuple[int, list[tuple[LetterSettlement, int]]]:
    """How many of its letters are away now, and which others were written, with their subscribers."""
    away = [letter for one in ones for letter in one.away]
    count = 0
    if away:
        end = LetterState.SENT if ones[0].mailing.live else LetterState.REHEARSED
        told = {"group": sorted(away), "me": owner, "end": end, "now": now}
        count = connection.execute(_AWAY, told).rowcount
    written = []
    for other in sorted((other for one in ones for other in one.others), key=lambda other: other.letter):
        subscriber = _settle_one(connection, ones[0].mailing.delivery, owner, other, now)
        if subscriber is not None:
            written.append((other, subscriber))
    return count, written


def _settle_one(connection: Connection, delivery: int, owner: str, one: LetterSettlement, now: datetime) -> int | None:
    """The subscriber, where it was ours to settle."""
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
        ).returning(letters.c.attempts, letters.c.answer, letters.c.subscriber),
        {"group": [one.letter], "me": owner},
    ).first()
    if row is not None and one.tried:
        answer = (row.answer or "")[:500]
        key = (delivery, one.letter, row.attempts)
        note_attempt(connection, key, one.state, now, status=one.code, answer=answer)
    return None if row is None else row.subscriber
