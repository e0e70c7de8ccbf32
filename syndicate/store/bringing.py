"""People brought in lists of any length: a few statements for thousands of them. Mails nobody, wins nobody back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select

from syndicate.crashpoint import crashpoint
from syndicate.store import confirmations
from syndicate.store import subscribers as people
from syndicate.store.among import among
from syndicate.store.database import AnyRow, insert_or_ignore
from syndicate.store.schema import subscribers, subscriptions, suppressions
from syndicate.subscriber import Address, State

_STAYS = (State.ACTIVE, State.PENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """One person of a list, as he would be added."""

    address: Address
    state: State
    digests: tuple[str, ...]
    consent: Mapping[str, Any]  # when, where from, what was shown
    name: str = ""
    tags: str = ""
    paused_until: datetime | None = None


def bring(connection: Connection, newcomers: Sequence[Newcomer], *, secret: bytes, now: datetime) -> Counter[str]:
    """Add people, or to those who are there what the list says of them; who left stays away. Returns how many of each.

    The words are those of `subscribers.add` without its `lifts`, and so is the outcome; only the number of statements
    does not grow with the number of people. Of two lines for one person both count, in their order.
    """
    hashes = {one.address.key: people.address_hash(secret, one.address.key) for one in newcomers}
    there = _there(connection, hashes)
    new: dict[str, Newcomer] = {}
    others: list[Newcomer] = []
    for one in newcomers:
        key = one.address.key
        if key in there or key in new:
            others.append(one)
        else:
            new[key] = one
    ids = _put(connection, list(new.values()), now)
    # Asked when they stand in the table: who leaves or is erased meanwhile is seen now, or sees them himself.
    kept_out = _kept_out(connection, hashes.values())
    outcomes: Counter[str] = Counter()
    stay = {key for key in ids if new[key].state in _STAYS}
    suppressed = {key for key in stay if hashes[key] in kept_out}
    _drop(connection, [ids[key] for key in suppressed])
    _subscribe(connection, [(ids[key], new[key].digests) for key in stay - suppressed])
    _keep_out(connection, {hashes[key]: new[key].state for key in ids.keys() - stay}, now)
    outcomes["suppressed"] += len(suppressed)
    outcomes.update(_word(new[key].state) for key in ids if key not in suppressed)
    chosen = _chosen(connection, [row.id for row in there.values()])
    for one in [*(new[key] for key in new.keys() - ids.keys()), *others]:
        key = one.address.key
        row = there.get(key)
        outcome = None if row is None else _settled(one, row, hashes[key] in kept_out, chosen.get(row.id, ()))
        if outcome is None:
            there.pop(key, None)  # what was read of him does not hold for his next line
            outcome = _add(connection, one, hashes[key], now)
        outcomes[outcome] += 1
    crashpoint("import.batch")
    return +outcomes


def ask(connection: Connection, newcomers: Sequence[Newcomer], *, secret: bytes, now: datetime) -> Counter[str]:
    """Owe a confirmation mail to each who is not there or not yet confirmed; leavers are brought as by `bring`.

    Returns how many are "asked", "known", "limited" (asked enough), "suppressed" (he left: nobody asks him for us), and
    what else `bring` says.
    """
    stay = [one for one in newcomers if one.state in _STAYS]
    outcomes = bring(connection, [one for one in newcomers if one.state not in _STAYS], secret=secret, now=now)
    hashes = [people.address_hash(secret, one.address.key) for one in stay]
    kept_out = _kept_out(connection, hashes)
    for one, hashed in zip(stay, hashes, strict=True):
        if hashed in kept_out:
            outcomes["suppressed"] += 1
            continue
        outcome = confirmations.ask(
            connection, address=one.address, hashed=hashed, digests=one.digests, consent=one.consent, now=now
        )
        outcomes[outcome] += 1
        if outcome == "asked":
            people.introduce(connection, one.address, one.name, one.tags)
    return outcomes


def _word(state: State) -> str:
    return "added" if state is State.ACTIVE else state.value


def _settled(one: Newcomer, row: AnyRow, kept_out: bool, chosen: Collection[str]) -> str | None:
    """What becomes of one for whom there is nothing to change; None: there is."""
    if one.name and not row.name:
        return None
    if one.state in _STAYS:
        if kept_out:
            return "suppressed"
        return "known" if row.state == State.ACTIVE and set(one.digests) <= set(chosen) else None
    return "known" if row.state == one.state and kept_out else None


def _add(connection: Connection, one: Newcomer, hashed: str, now: datetime) -> str:
    return people.add(
        connection, one.address, name=one.name, tags=one.tags, state=one.state, digests=one.digests,
        consent=one.consent, hashed=hashed, now=now, lifts=False,
    )  # fmt: skip


_THERE = select(subscribers.c.id, subscribers.c.address_key, subscribers.c.state, subscribers.c.name).where(
    among(subscribers.c.address_key, "keys")
)
_KEPT_OUT = select(suppressions.c.address_hash).where(among(suppressions.c.address_hash, "hashes"))
_CHOSEN = select(subscriptions.c.subscriber, subscriptions.c.digest).where(among(subscriptions.c.subscriber, "ids"))
_SUBSCRIBED = select(subscribers.c.id, bindparam("chosen", type_=subscriptions.c.digest.type)).where(
    among(subscribers.c.id, "ids")
)
_DROP = delete(subscribers).where(among(subscribers.c.id, "ids"))


def _there(connection: Connection, keys: Iterable[str]) -> dict[str, AnyRow]:
    return {row.address_key: row for row in connection.execute(_THERE, {"keys": sorted(keys)})}


def _kept_out(connection: Connection, hashes: Iterable[str]) -> set[str]:
    return set(connection.scalars(_KEPT_OUT, {"hashes": list(hashes)}))


def _chosen(connection: Connection, ids: Sequence[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for row in connection.execute(_CHOSEN, {"ids": ids}) if ids else ():
        found.setdefault(row.subscriber, []).append(row.digest)
    return found


def _put(connection: Connection, new: Sequence[Newcomer], now: datetime) -> dict[str, int]:
    """Insert these; returns the numbers of those whom nobody inserted meanwhile, by their key.

    In the order of the index, so that each of its pages is written once and not for each person on it.
    """
    if not new:
        return {}
    new = sorted(new, key=lambda one: one.address.key)
    numbers = people.numbers(connection, len(new))
    said = {id(one.consent): one.consent for one in new}  # most agreed to the same
    consents = {number: json.dumps(dict(consent), ensure_ascii=False) for number, consent in said.items()}
    rows = [
        {
            "id": number, "address_key": one.address.key, "email": one.address.email, "domain": one.address.domain,
            "name": one.name, "tags": one.tags, "state": one.state.value, "since": now,
            "consent": consents[id(one.consent)], "paused_until": one.paused_until,
            "reason": None if one.state is State.ACTIVE else f"{one.state}: so imported",
        }
        for number, one in zip(numbers, new, strict=True)
    ]  # fmt: skip
    connection.execute(insert_or_ignore(connection, subscribers), rows)
    ids = dict(zip((one.address.key for one in new), numbers, strict=True))
    if connection.dialect.name == "sqlite":  # one writer at a time: nobody was quicker
        return ids
    ours = set(numbers)
    return {key: row.id for key, row in _there(connection, ids).items() if row.id in ours}


def _drop(connection: Connection, ids: Sequence[int]) -> None:
    if ids:
        connection.execute(_DROP, {"ids": ids})


def _subscribe(connection: Connection, wanted: Iterable[tuple[int, tuple[str, ...]]]) -> None:
    theirs: dict[str, list[int]] = {}
    for person, digests in wanted:
        for digest in digests:
            theirs.setdefault(digest, []).append(person)
    insert = insert_or_ignore(connection, subscriptions).from_select(["subscriber", "digest"], _SUBSCRIBED)
    for digest, ids in theirs.items():
        connection.execute(insert, {"chosen": digest, "ids": ids})


def _keep_out(connection: Connection, leavers: Mapping[str, State], now: datetime) -> None:
    rows = [{"address_hash": hashed, "reason": state.value, "since": now} for hashed, state in leavers.items()]
    if rows:
        connection.execute(insert_or_ignore(connection, suppressions), rows)
