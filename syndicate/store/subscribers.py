"""People: who gets letters, of which digest, and who must never get one again."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    and_,
    cast,
    delete,
    func,
    or_,
    select,
    update,
)

from syndicate.crashpoint import crashpoint
from syndicate.store import retention, wishes
from syndicate.store.database import AnyRow, insert_or_ignore
from syndicate.store.schema import confirmations, settings, subscribers, subscriptions, suppressions
from syndicate.subscriber import Address, State

NOTHING_ASKED = {"subscriber": None, "digests": "[]", "consent": "{}", "answer": None, "due_at": None}
_ERASED = "erased"  # the setting that holds the highest number of an erased person


def reachable(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """Who gets letters at that moment: the active, but for those who asked for a rest that lasts.

    A parameter instead of a moment suits a statement that is made once.
    """
    paused_until = subscribers.c.paused_until
    return and_(subscribers.c.state == State.ACTIVE, or_(paused_until.is_(None), paused_until <= now))


def address_hash(secret: bytes, key: str) -> str:
    """What is left of an address after erasure."""
    return hmac.digest(secret, b"suppression\n" + key.encode(), "sha256").hex()[:40]


def add(
    connection: Connection,
    address: Address,
    *,
    name: str,
    tags: str,
    state: State,
    digests: Sequence[str],
    consent: Mapping[str, Any],
    hashed: str,
    now: datetime,
    lifts: bool,
) -> str:
    """Add a person, or these digests to one who is there. Returns what became of it.

    "added", "updated", "known" (nothing to change), "suppressed" (left or bounced before; only `lifts`, an explicit
    act of the owner for this one address, brings him back), or the state he was added in.
    """
    suppressed = connection.scalar(select(suppressions.c.reason).where(suppressions.c.address_hash == hashed))
    if suppressed and state in (State.ACTIVE, State.PENDING):
        if not lifts:
            return "suppressed"
        connection.execute(delete(suppressions).where(suppressions.c.address_hash == hashed))
    row = connection.execute(select(subscribers).where(subscribers.c.address_key == address.key)).first()
    said = json.dumps(dict(consent), ensure_ascii=False)
    if row is None:
        person = connection.execute(
            subscribers.insert()
            .values(
                address_key=address.key, email=address.email, domain=address.domain, name=name, tags=tags,
                state=state, since=now, consent=said,
                reason=None if state is State.ACTIVE else f"{state}: so imported", **free_number(connection),
            )
            .returning(subscribers.c.id)
        ).scalar_one()  # fmt: skip
        outcome = "added" if state is State.ACTIVE else state.value
    else:
        person = row.id
        outcome = _change(connection, row, name, state, said if lifts else None, now)
    if state not in (State.ACTIVE, State.PENDING):
        suppress(connection, hashed, state.value, now)
        return outcome
    added = 0
    for digest in digests:
        values = {"subscriber": person, "digest": digest}
        added += connection.execute(insert_or_ignore(connection, subscriptions).values(values)).rowcount
    return "updated" if outcome == "known" and added else outcome


def free_number(connection: Connection) -> dict[str, Any]:
    """The number of one new person, as a value to insert."""
    return {"id": numbers(connection, 1)[0]}


def numbers(connection: Connection, count: int) -> Sequence[int]:
    """Numbers for new people, none that somebody bore who was erased: letters and links of old bear his.

    PostgreSQL gives no number twice; SQLite gives these to nobody else before the transaction ends.
    """
    if connection.dialect.name != "sqlite":
        following = func.nextval(func.pg_get_serial_sequence(subscribers.name, subscribers.c.id.name))
        return list(connection.scalars(select(following).select_from(func.generate_series(1, count))))
    erased = connection.scalar(select(settings.c.value).where(settings.c.key == _ERASED))
    first = max(int(erased or 0), connection.scalar(select(func.max(subscribers.c.id))) or 0) + 1
    return range(first, first + count)


def _change(connection: Connection, row: AnyRow, name: str, state: State, vouched: str | None, now: datetime) -> str:
    """`vouched`: the consent of an explicit act, by which somebody may come back; what he agreed to before is over."""
    values: dict[str, Any] = {}
    if name and not row.name:
        values["name"] = name
    back = state is State.ACTIVE and row.state != State.ACTIVE and vouched is not None
    leaving = state not in (State.ACTIVE, State.PENDING) and row.state == State.ACTIVE
    if back or leaving:
        values |= {"state": state, "since": now, "reason": None if back else f"{state}: so imported"}
    if back:
        values["consent"] = vouched
    if not values:
        return "known" if row.state == state or row.state == State.ACTIVE else row.state
    connection.execute(update(subscribers).where(subscribers.c.id == row.id).values(values))
    return state.value if leaving else "updated"


def choose(
    connection: Connection, person: int, digests: Sequence[str], paused_until: datetime | None, now: datetime
) -> bool:
    """What one person wants from now on: exactly these digests, and a rest up to a moment (None or past: no rest).

    False, and nothing changed: nobody there, or not active. Only an act of his own makes somebody active again.
    """
    row = connection.execute(
        select(subscribers.c.state).where(subscribers.c.id == person).with_for_update()  # against one who leaves
    ).first()
    if row is None or row.state != State.ACTIVE:
        return False
    rest = paused_until if paused_until is not None and paused_until > now else None
    connection.execute(update(subscribers).where(subscribers.c.id == person).values(paused_until=rest))
    theirs = subscriptions.c.subscriber == person
    connection.execute(delete(subscriptions).where(theirs, subscriptions.c.digest.not_in(list(digests))))
    for digest in dict.fromkeys(digests):
        values = {"subscriber": person, "digest": digest}
        connection.execute(insert_or_ignore(connection, subscriptions).values(values))
    return True


def introduce(connection: Connection, address: Address, name: str, tags: str) -> None:
    """Fill in a name and tags for somebody who has none."""
    theirs = subscribers.c.address_key == address.key
    for column, value in ((subscribers.c.name, name), (subscribers.c.tags, tags)):
        if value:
            connection.execute(update(subscribers).where(theirs, column == "").values({column: value}))


def suppress(connection: Connection, hashed: str, reason: str, now: datetime) -> None:
    """Never again, whatever is imported later."""
    connection.execute(insert_or_ignore(connection, suppressions).values(address_hash=hashed, reason=reason, since=now))


def leave(connection: Connection, person: int, state: State, reason: str, secret: bytes, now: datetime) -> bool:
    """End everything for one person; a second time changes nothing. False: nobody there."""
    row = connection.execute(select(subscribers).where(subscribers.c.id == person)).first()
    if row is None:
        return False
    if row.state in (State.ACTIVE, State.PENDING):
        connection.execute(
            update(subscribers).where(subscribers.c.id == person).values(state=state, since=now, reason=reason)
        )
    suppress(connection, address_hash(secret, row.address_key), state.value, now)
    crashpoint("unsub.commit")
    return True


def erase(connection: Connection, key: str) -> bool:
    """Delete a person; False: nobody there. What stays is the suppression, a bare hash, and what `forget` leaves."""
    person = connection.scalar(select(subscribers.c.id).where(subscribers.c.address_key == key))
    if person is None:
        return False
    if connection.dialect.name == "sqlite":  # else what is deleted stays in the file until something is written over it
        connection.exec_driver_sql("PRAGMA secure_delete = ON").close()
    forget(connection, person)
    return True


def forget(connection: Connection, person: int) -> None:
    """Delete what letters, reports, wishes and lists of people say of one; of what was asked of him only the count
    stays, and so does his number in the ledger: nothing is sent to it again, and nobody else gets it.
    """
    retention.scrub(connection, person)
    wishes.forget(connection, person)
    connection.execute(update(confirmations).where(confirmations.c.subscriber == person).values(NOTHING_ASKED))
    last = {"key": _ERASED, "value": str(person)}
    connection.execute(insert_or_ignore(connection, settings).values(last))
    lower = cast(settings.c.value, BigInteger) < person
    connection.execute(update(settings).where(settings.c.key == _ERASED, lower).values(value=str(person)))
    connection.execute(delete(subscriptions).where(subscriptions.c.subscriber == person))
    connection.execute(delete(subscribers).where(subscribers.c.id == person))


def by_key(connection: Connection, key: str) -> dict[str, Any] | None:
    row = connection.execute(select(subscribers).where(subscribers.c.address_key == key)).first()
    return _person(connection, [row])[0] | {"id": row.id, "consent": json.loads(row.consent)} if row else None


def by_id(connection: Connection, person: int) -> dict[str, Any] | None:
    row = connection.execute(select(subscribers).where(subscribers.c.id == person)).first()
    return _person(connection, [row])[0] | {"id": row.id, "consent": json.loads(row.consent)} if row else None


def listing(connection: Connection, batch: int = 1000) -> Iterator[dict[str, Any]]:
    """All people in batches by key, so that memory does not grow with the list."""
    after = 0
    while rows := connection.execute(
        select(subscribers).where(subscribers.c.id > after).order_by(subscribers.c.id).limit(batch)
    ).all():
        after = rows[-1].id
        yield from _person(connection, rows)


def _person(connection: Connection, rows: Sequence[AnyRow]) -> list[dict[str, Any]]:
    chosen: dict[int, list[str]] = {row.id: [] for row in rows}
    for link in connection.execute(
        select(subscriptions).where(subscriptions.c.subscriber.in_(list(chosen))).order_by(subscriptions.c.digest)
    ):
        chosen[link.subscriber].append(link.digest)
    return [
        {
            "email": row.email, "name": row.name, "state": row.state, "digests": chosen[row.id],
            "since": row.since, "reason": row.reason, "tags": row.tags, "paused_until": row.paused_until,
        }
        for row in rows
    ]  # fmt: skip


def counts(connection: Connection) -> dict[str, int]:
    query = select(subscribers.c.state, func.count()).group_by(subscribers.c.state)
    return dict(connection.execute(query).all())


def domains(connection: Connection) -> Iterable[str]:
    """Recipient domains of the active, each once."""
    return connection.scalars(select(subscribers.c.domain).where(subscribers.c.state == State.ACTIVE).distinct())


def audience(connection: Connection, digest: str | None, now: datetime) -> int:
    """How many people an edition of this digest (None: everybody reachable) would go to at that moment."""
    query = select(func.count()).select_from(subscribers).where(reachable(now))
    if digest is not None:
        query = query.where(
            subscribers.c.id.in_(select(subscriptions.c.subscriber).where(subscriptions.c.digest == digest))
        )
    return connection.scalar(query) or 0
