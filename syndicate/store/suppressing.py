"""Who must get nothing any more because of what a mail server said, and how that is undone. In the transaction that
settles the letter; never decides what an answer means (`transports.verdicts` does).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Select, and_, func, literal, select, union_all, update

from syndicate.store import mailings, pauses
from syndicate.store.among import among
from syndicate.store.inserting import insert_or_ignore
from syndicate.store.letters import CHANNEL
from syndicate.store.schema import deliveries, editions, letters, letters_past, returns, subscribers, suppressions
from syndicate.store.schema import mailings as rows
from syndicate.store.subscribers import address_hash
from syndicate.subscriber import State

SMTP = "smtp"
MISSES = 5  # editions in a row that could not reach somebody, after which nobody is expected there any more
MISSING_FOR = timedelta(days=10)  # between the first and the last of them

_THESE = among(subscribers.c.id, "people")
_PEOPLE = select(subscribers.c.id, subscribers.c.address_key, subscribers.c.state).where(_THESE)


def bounced(
    connection: Connection,
    delivery: int | None,
    people: Mapping[int, str],
    secret: bytes,
    now: datetime,
    via: str = SMTP,
) -> int:
    """End everything for people whose mailbox does not exist; returns how many were active until now.

    `people`: subscriber -> the server's words, without his address. Who left or complained stays what he is.
    """
    count = 0
    for row in connection.execute(_PEOPLE.order_by(subscribers.c.id), {"people": list(people)}).all():
        if row.state in (State.ACTIVE, State.PENDING):
            values = {"state": State.BOUNCED, "since": now, "reason": people[row.id]}
            connection.execute(update(subscribers).where(subscribers.c.id == row.id).values(values))
            count += 1
        hashed = address_hash(secret, row.address_key)
        values = {"address_hash": hashed, "reason": State.BOUNCED, "since": now, "delivery": delivery, "via": via}
        connection.execute(insert_or_ignore(connection, suppressions).values(values))
    return count


def complained(
    connection: Connection, delivery: int | None, people: Mapping[int, str], secret: bytes, now: datetime, via: str
) -> None:
    """End everything for people who called a letter spam, whatever they were before: only they can come back.

    `people`: subscriber -> how it was reported.
    """
    for row in connection.execute(_PEOPLE.order_by(subscribers.c.id), {"people": list(people)}).all():
        if row.state != State.COMPLAINED:
            values = {"state": State.COMPLAINED, "since": now, "reason": people[row.id]}
            connection.execute(update(subscribers).where(subscribers.c.id == row.id).values(values))
        hashed = address_hash(secret, row.address_key)
        values = {"reason": State.COMPLAINED, "since": now, "delivery": delivery, "via": via}
        kept = insert_or_ignore(connection, suppressions).values(address_hash=hashed, **values)
        if not connection.execute(kept).rowcount:
            theirs = and_(suppressions.c.address_hash == hashed, suppressions.c.reason != State.COMPLAINED)
            connection.execute(update(suppressions).where(theirs).values(values))


# --- who could not be reached -----------------------------------------------------------------------------------------


def missed(
    connection: Connection, delivery: int, people: Mapping[int, str], secret: bytes, now: datetime, via: str = SMTP
) -> None:
    """Note whom an edition could not reach, once an edition, and keep away who is not reached any more.

    `people`: subscriber -> the server's words, without his address.
    """
    for person, words in people.items():
        known = {"provider": via, "event": f"{delivery}.{person}", "received_at": now, "applied_at": now}
        said = {"kind": "soft", "delivery": delivery, "subscriber": person, "proved": True, "answer": words}
        connection.execute(insert_or_ignore(connection, returns).values(**known, **said))
    count_misses(connection, delivery, people, secret, now, via)


def count_misses(
    connection: Connection, delivery: int, people: Mapping[int, str], secret: bytes, now: datetime, via: str
) -> None:
    """Keep away whom so many editions in a row have missed, by what stands in `returns`.

    A letter that was accepted and never came back ends the row.
    """
    weary = {}
    for person, words in people.items():
        moments = _misses(connection, person)
        if len(moments) >= MISSES and now - min(moments) >= MISSING_FOR:
            since = f"{min(moments):%Y-%m-%d}"
            weary[person] = f"{len(moments)} editions in a row could not reach him since {since}: {words}"
    if weary:
        bounced(connection, delivery, weary, secret, now, via)


def _misses(connection: Connection, person: int) -> list[datetime]:
    """When each edition missed him, as far back as the last one that reached him."""
    r = returns.c
    soft = and_(r.subscriber == person, r.kind == "soft", r.delivery.is_not(None))
    query = select(r.delivery, func.min(r.received_at).label("at")).where(soft).group_by(r.delivery)
    misses = {row.delivery: row.at for row in connection.execute(query)}
    reached = [
        connection.scalar(
            select(func.max(table.c.sent_at)).where(
                table.c.subscriber == person, table.c.state == "sent", table.c.delivery.not_in(list(misses))
            )
        )
        for table in (letters, letters_past)
    ]
    last = max((moment for moment in reached if moment), default=None)
    return [moment for moment in misses.values() if last is None or moment > last]


# --- undoing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Resumed:
    """What came of going on."""

    ended: Sequence[str]  # keys that were paused
    forgiven: int = 0  # people taken back


def resume(connection: Connection, key: str | None, now: datetime, forgive: bytes | None = None) -> Resumed:
    """End a pause, or all of them; an edition that was stopped for addresses that do not exist goes on.

    `forgive`, the secret, takes the people back whom the latest edition of this digest (or of email) lost that way,
    and makes their letters due again where it is still under way: the mail server was wrong about them.
    """
    forgiven = 0
    if forgive is None:
        wave = and_(rows.c.hard >= mailings.WAVE, rows.c.hard * mailings.WAVE_PART > rows.c.settled)
        for delivery in connection.scalars(_bouncing(key).where(deliveries.c.state == "claimed", wave)).all():
            mailings.allow(connection, delivery)
    else:
        for delivery in connection.scalars(_bouncing(key).limit(1)).all():
            forgiven = _take_back(connection, delivery, forgive, now)
    return Resumed(pauses.resume(connection, key), forgiven)


def _bouncing(key: str | None) -> Select[int]:
    """Mailings that met addresses that do not exist, of what a pause's key stands for, the latest first."""
    d = deliveries.c
    query = (
        select(rows.c.delivery)
        .join_from(rows, deliveries, d.id == rows.c.delivery)
        .outerjoin(editions, and_(d.kind == "edition", editions.c.slug == d.subject))
        .where(rows.c.hard > 0)
        .order_by(rows.c.delivery.desc())
    )
    return query if key in (None, CHANNEL) else query.where(literal("digest:") + editions.c.digest == key)


def _take_back(connection: Connection, delivery: int, secret: bytes, now: datetime) -> int:
    ours = and_(suppressions.c.delivery == delivery, suppressions.c.reason == State.BOUNCED)
    lost = set(connection.scalars(select(suppressions.c.address_hash).where(ours)))
    theirs = union_all(
        *(select(one.c.subscriber, one.c.state).where(one.c.delivery == delivery) for one in (letters, letters_past))
    ).subquery("theirs")
    people = connection.execute(
        select(theirs.c.subscriber, theirs.c.state, subscribers.c.address_key)
        .join_from(theirs, subscribers, subscribers.c.id == theirs.c.subscriber)
        .where(theirs.c.state.in_(("failed", "sent")), subscribers.c.state == State.BOUNCED)
        .order_by(theirs.c.subscriber)
    ).all()
    hashes = {row.subscriber: address_hash(secret, row.address_key) for row in people}
    back = [row for row in people if hashes[row.subscriber] in lost]
    if connection.scalar(select(deliveries.c.state).where(deliveries.c.id == delivery)) == "claimed":
        failed = and_(letters.c.delivery == delivery, among(letters.c.subscriber, "them"))
        due = update(letters).where(failed).values(state="due", due_at=now, attempts=0, answer=None)
        connection.execute(due, {"them": [row.subscriber for row in back if row.state == "failed"]})  # others got it
        mailings.recount(connection, delivery)
    connection.execute(update(rows).where(rows.c.delivery == delivery).values(hard=0))
    active = update(subscribers).where(_THESE).values(state=State.ACTIVE, since=now, reason=None)
    connection.execute(active, {"people": [row.subscriber for row in back]})
    gone = suppressions.delete().where(among(suppressions.c.address_hash, "hashes"))
    connection.execute(gone, {"hashes": [hashes[row.subscriber] for row in back]})
    return len(back)
