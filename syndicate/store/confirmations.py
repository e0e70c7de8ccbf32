"""Confirmations: who asked for mail and must say once more, from his own mailbox, that he wants it.

A row is one confirmation mail. Its address's hash and its number outlive the person: they are what limits how many
mails an address that never answers gets. `due_at` is when somebody must look at it next: to mail it, then to end it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from sqlalchemy import Connection, and_, case, delete, func, literal, null, or_, select, update

from syndicate.delivery import QUARANTINE
from syndicate.store import subscribers as people
from syndicate.store import wishes
from syndicate.store.database import AnyRow, insert_or_ignore
from syndicate.store.schema import confirmations, subscribers, subscriptions, suppressions
from syndicate.subscriber import Address, State

GOOD_FOR = timedelta(days=2)  # that a link confirms
APART = timedelta(days=1)  # between two mails to one address
MOST = 3  # to one address that never answers
AT_ONCE = 100  # that are ended in one transaction: a list of any length may have been asked, and nobody answered
CROWD, CROWD_MOST, HOUR = "signup in all", 200, 3600  # the count of all who ask in so many seconds; it holds no secret

Asked = Literal["asked", "known", "limited"]
Work = Literal["owed", "ended"]

_c = confirmations.c


class Step(StrEnum):
    """Where a link stands."""

    OPEN = "open"  # waits for its button
    CONFIRMED = "confirmed"  # now
    AGAIN = "again"  # was before, and it still holds
    STALE = "stale"  # too old, or what it confirmed is over


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A confirmation mail that is claimed."""

    id: int
    email: str
    digests: Sequence[str]
    asked_at: datetime
    until: datetime
    attempts: int  # with this one
    crashes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of one. `due_at` None: no further mail is owed, whether one was `mailed` or not."""

    id: int
    mailed: bool = False
    due_at: datetime | None = None
    tried: bool = True  # false: not its fault, the attempt does not count
    in_doubt: bool = False  # it may have arrived: counts like a crash
    answer: str | None = None


# --- asking -----------------------------------------------------------------------------------------------------------


def ask(
    connection: Connection,
    *,
    address: Address,
    hashed: str,
    digests: Sequence[str],
    consent: Mapping[str, Any],
    now: datetime,
) -> Asked:
    """Owe a confirmation mail to this address, and note the person as pending where he is new.

    Only the link in that mail gives him anything. "known": he is active and has these digests; "limited": one was owed
    in the last 24 hours, or three in all. `hashed` as for suppressions, `consent` what was shown, where and when.
    """
    row = connection.execute(select(subscribers).where(subscribers.c.address_key == address.key)).first()
    if row is not None and row.state == State.ACTIVE:
        query = select(subscriptions.c.digest).where(subscriptions.c.subscriber == row.id)
        if not set(digests) - set(connection.scalars(query)):
            return "known"
    said = json.dumps(dict(consent), ensure_ascii=False)
    number = _next_number(connection, hashed, now)
    if number is None:
        return "limited"
    values = {"address_hash": hashed, "number": number, "asked_at": now, "until": now + GOOD_FOR, "due_at": now}
    insert = insert_or_ignore(connection, confirmations).values(
        **values, digests=json.dumps(list(dict.fromkeys(digests))), consent=said
    )
    made = connection.execute(insert.returning(_c.id)).scalar()
    if made is None:
        return "limited"  # somebody asked for the same at the same time
    person = _pending(connection, address, said, now)
    connection.execute(update(confirmations).where(_c.id == made).values(subscriber=person))
    wishes.note(connection, person, "asked", {**consent, "digests": list(digests)}, now)
    return "asked"


def _next_number(connection: Connection, hashed: str, now: datetime) -> int | None:
    """Of the next mail to an address; None: it gets none now. Those that were answered have numbers below zero."""
    theirs = select(func.max(_c.number), func.max(_c.asked_at)).where(_c.address_hash == hashed, _c.number > 0)
    number, last = connection.execute(theirs).one()
    if number is None:
        return 1
    return None if number >= MOST or last > now - APART else int(number) + 1


def _pending(connection: Connection, address: Address, consent: str, now: datetime) -> int:
    """The person's number; noted as pending where he is new. Whoever left stays so until he confirms.

    A pending one begins anew, so that he is not dropped with his first mail while his second is on its way.
    """
    values = {
        "address_key": address.key, "email": address.email, "domain": address.domain, "state": State.PENDING.value,
        "since": now, "consent": consent, "reason": "asked to confirm",
    }  # fmt: skip
    connection.execute(insert_or_ignore(connection, subscribers).values(**values, **people.free_number(connection)))
    theirs = subscribers.c.address_key == address.key
    connection.execute(update(subscribers).where(theirs, subscribers.c.state == State.PENDING).values(since=now))
    return int(connection.execute(select(subscribers.c.id).where(theirs)).scalar_one())


# --- mailing ----------------------------------------------------------------------------------------------------------


def due(connection: Connection, now: datetime) -> set[Work]:
    """What there is to do now: mails are "owed", or links have "ended"."""
    ended = case((_c.until > now, "owed"), else_="ended")
    return set(connection.scalars(select(ended).where(_c.due_at <= now).distinct()))


def claim(connection: Connection, owner: str, now: datetime, limit: int) -> list[Owed]:
    """Take up mails that are owed now, the oldest first; committed before the first byte leaves.

    One that was in hand when the program died comes alone, after all others: what kills the program is found so.
    An owner claims after it told what became of its last ones: what it still holds, nobody knows of.
    """
    take_back(connection, [owner], now)
    owed = and_(_c.due_at <= now, _c.owner.is_(None), _c.mailed_at.is_(None), _c.until > now)
    query = select(_c.id).where(owed).order_by(_c.due_at, _c.id).with_for_update(skip_locked=True)
    ids = list(connection.scalars(query.where(_c.crashes == 0).limit(limit)))
    ids = ids or list(connection.scalars(query.limit(min(1, limit))))
    taken = {"owner": owner, "due_at": None, "attempts": _c.attempts + 1}
    connection.execute(update(confirmations).where(_c.id.in_(ids)).values(taken))
    people_of = select(confirmations, subscribers.c.email).join(subscribers, subscribers.c.id == _c.subscriber)
    rows = connection.execute(people_of.where(_c.id.in_(ids)).order_by(_c.id)).all()
    return [_owed(row) for row in rows]


def _owed(row: AnyRow) -> Owed:
    return Owed(
        id=row.id, email=row.email, digests=json.loads(row.digests), asked_at=row.asked_at, until=row.until,
        attempts=row.attempts, crashes=row.crashes,
    )  # fmt: skip


def settle(connection: Connection, owner: str, settled: Sequence[Settled], now: datetime) -> int:
    """Note what became of claimed mails; returns how many. One that was taken back meanwhile is left alone."""
    count = 0
    for one in settled:
        values: dict[str, Any] = {"owner": None, "due_at": _next_look(one.due_at), "answer": one.answer}
        if one.mailed:
            values["mailed_at"] = now
        if not one.tried:
            values["attempts"] = _c.attempts - 1
        if one.in_doubt:
            values["crashes"] = _c.crashes + 1
        ours = and_(_c.id == one.id, _c.owner == owner)
        count += connection.execute(update(confirmations).where(ours).values(values)).rowcount
    return count


def _next_look(moment: datetime | None) -> Any:
    """When to look at a row next: to mail it, else to end it. Never, once it was confirmed or its person erased."""
    over = or_(_c.confirmed_at.is_not(None), _c.subscriber.is_(None))
    return case((over, null()), else_=_c.until if moment is None else literal(moment, _c.due_at.type))


def claimants(connection: Connection) -> set[str]:
    """Owners that hold a claimed mail."""
    return {owner for owner in connection.scalars(select(_c.owner).where(_c.owner.is_not(None)).distinct()) if owner}


def take_back(connection: Connection, owners: Sequence[str], now: datetime, *, crashed: bool = True) -> int:
    """Mails of dead owners are owed again, with the same Message-ID; after the third crash no more (rule 6).

    Not `crashed`: the owner left in order.
    """
    theirs = and_(_c.owner.is_not(None), _c.owner.in_(owners))
    given_up = _c.crashes + int(crashed) >= QUARANTINE
    words = f"given up: in hand at {QUARANTINE} ends of the program"
    back = {
        "owner": None,
        "crashes": _c.crashes + int(crashed),
        "due_at": case((given_up, _next_look(None)), else_=_next_look(now)),
        "mailed_at": case((given_up, literal(now, _c.mailed_at.type)), else_=_c.mailed_at),  # it may well have arrived
        "answer": case((given_up, words), else_=_c.answer),
    }
    return connection.execute(update(confirmations).where(theirs).values(back)).rowcount


# --- the link ---------------------------------------------------------------------------------------------------------


def look(connection: Connection, confirmation: int, now: datetime) -> Step | None:
    """Where a link stands; None: there is no such confirmation."""
    row = connection.execute(select(confirmations).where(_c.id == confirmation)).first()
    return None if row is None else _step(row, _state(connection, row.subscriber), now)


def asked_for(connection: Connection, confirmation: int) -> list[str]:
    """The digests that its link would give."""
    text = connection.scalar(select(_c.digests).where(_c.id == confirmation))
    return [str(name) for name in json.loads(text or "[]")]


def confirm(connection: Connection, confirmation: int, told: Mapping[str, Any], now: datetime) -> Step | None:
    """The person pressed the button in his mail: he is active from now on, and has what he asked for.

    Only this lifts a suppression, also one after a complaint: nobody else reads his mail. Mails to him are counted
    anew. `told` is where and when he pressed it. None: there is no such confirmation.
    """
    row = connection.execute(select(confirmations).where(_c.id == confirmation).with_for_update()).first()
    if row is None:
        return None
    person = connection.execute(select(subscribers).where(subscribers.c.id == row.subscriber).with_for_update()).first()
    step = _step(row, person.state if person else None, now)
    if step is not Step.OPEN or person is None:
        return step
    connection.execute(delete(suppressions).where(suppressions.c.address_hash == row.address_hash))
    values: dict[str, Any] = {"consent": json.dumps({**json.loads(row.consent), "confirmed": told}, ensure_ascii=False)}
    values["paused_until"] = None  # who asks for more does not want to rest
    if person.state != State.ACTIVE:
        values |= {"state": State.ACTIVE.value, "since": now, "reason": None}
    connection.execute(update(subscribers).where(subscribers.c.id == person.id).values(values))
    digests = json.loads(row.digests)
    for digest in digests:
        wanted = {"subscriber": person.id, "digest": digest}
        connection.execute(insert_or_ignore(connection, subscriptions).values(wanted))
    theirs = _c.address_hash == row.address_hash
    connection.execute(update(confirmations).where(theirs, _c.number > 0).values(number=-_c.id))
    connection.execute(update(confirmations).where(_c.id == row.id).values(confirmed_at=now, due_at=None))
    back = person.state not in (State.ACTIVE, State.PENDING)
    wishes.note(connection, person.id, "came-back" if back else "confirmed", {**told, "digests": digests}, now)
    return Step.CONFIRMED


def _step(row: AnyRow, state: str | None, now: datetime) -> Step:
    if row.confirmed_at is not None:
        return Step.AGAIN if state == State.ACTIVE else Step.STALE  # who left since does not come back by it
    return Step.OPEN if state is not None and row.until > now else Step.STALE


def _state(connection: Connection, person: int | None) -> str | None:
    return connection.scalar(select(subscribers.c.state).where(subscribers.c.id == person))


# --- ending -----------------------------------------------------------------------------------------------------------


def expire(connection: Connection, now: datetime) -> int:
    """End what nobody confirmed in time, `AT_ONCE` of it: hash and times stay, and who was never more than asked is
    forgotten. Returns how many people were. Who asked again meanwhile stays: `since` is when he asked last.
    """
    over = and_(_c.due_at <= now, _c.until <= now, _c.owner.is_(None), _c.confirmed_at.is_(None))
    oldest = select(_c.id, _c.subscriber).where(over).order_by(_c.due_at, _c.id).limit(AT_ONCE)
    rows = connection.execute(oldest.with_for_update(skip_locked=True)).all()
    connection.execute(update(confirmations).where(_c.id.in_([row.id for row in rows])).values(people.NOTHING_ASKED))
    unanswered = and_(
        subscribers.c.id.in_({row.subscriber for row in rows}),
        subscribers.c.state == State.PENDING,
        subscribers.c.since <= now - GOOD_FOR,
    )
    dropped = list(connection.scalars(select(subscribers.c.id).where(unanswered).with_for_update()))
    for person in dropped:
        people.forget(connection, person)
    return len(dropped)
