"""Double opt-in in the ledger: who is mailed how often, what a link gives, and what is left when nobody answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from syndicate.store import confirmations, limits, subscribers, wishes
from syndicate.store.confirmations import APART, GOOD_FOR, Asked, Settled, Step
from syndicate.store.database import Store
from syndicate.store.schema import confirmations as rows
from syndicate.store.schema import limits as counts
from syndicate.store.schema import returns, suppressions
from syndicate.store.schema import subscribers as people
from syndicate.store.schema import wishes as wishes_table
from syndicate.subscriber import State, parse_address
from tests.store.conftest import Database
from tests.store.rows import NOON

SECRET = b"a secret of the tests, long enough"
ANN = "ann@harbour.example"
SOON = timedelta(minutes=5)
CONSENT = {"from": "the form", "ip": "203.0.113.7", "shown": "Get it by mail"}


def ask(store: Store, now: datetime = NOON, digests: Sequence[str] = ("weekly",), email: str = ANN) -> Asked:
    address = parse_address(email)
    hashed = subscribers.address_hash(SECRET, address.key)
    return store.write_now(confirmations.ask, address=address, hashed=hashed, digests=digests, consent=CONSENT, now=now)


def person(store: Store, email: str = ANN) -> dict[str, Any] | None:
    return store.read_now(subscribers.by_key, parse_address(email).key)


def last(store: Store) -> int:
    number = store.read_now(lambda connection: connection.scalar(select(func.max(rows.c.id))))
    assert number is not None
    return int(number)


def confirm(store: Store, number: int | None = None, now: datetime = NOON + SOON) -> Step | None:
    return store.write_now(confirmations.confirm, number or last(store), {"ip": "203.0.113.8"}, now)


def mailed(store: Store, now: datetime = NOON) -> list[str]:
    """Mail what is owed, as if all went well; returns to whom."""
    owed = store.write_now(confirmations.claim, "me", now, 100)
    settled = [Settled(id=one.id, mailed=True) for one in owed]
    assert store.write_now(confirmations.settle, "me", settled, now) == len(owed)
    return [one.email for one in owed]


def suppress(store: Store, state: State, email: str = ANN) -> None:
    """A person who was active, and then was not any more."""
    address = parse_address(email)
    hashed = subscribers.address_hash(SECRET, address.key)
    for wanted in (State.ACTIVE, state):
        store.write_now(
            subscribers.add, address, name="", tags="", state=wanted, digests=["weekly"], consent={}, hashed=hashed,
            now=NOON, lifts=False,
        )  # fmt: skip


# Asking


def test_who_asks_is_pending_and_owed_one_mail_and_gets_nothing_else(store: Store) -> None:
    assert ask(store) == "asked"
    found = person(store)
    assert found is not None
    assert (found["state"], found["digests"], found["since"]) == (State.PENDING, [], NOON)
    assert found["consent"] == CONSENT
    said = store.read_now(wishes.of_person, found["id"])
    assert [(wish["what"], wish["told"]["digests"]) for wish in said] == [("asked", ["weekly"])]
    assert mailed(store) == [ANN]
    assert mailed(store, NOON + timedelta(hours=30)) == []


def test_an_address_is_mailed_once_a_day_and_three_times_in_all(store: Store) -> None:
    told, got = [], 0
    for hours in (0, 1, 23.9, 24, 30, 48, 49, 72, 2400):
        now = NOON + timedelta(hours=hours)
        told.append(ask(store, now))
        store.write_now(confirmations.expire, now)
        got += len(mailed(store, now))
    assert told == ["asked", "limited", "limited", "asked", "limited", "asked", "limited", "limited", "limited"]
    assert got == 3


def test_the_case_of_an_address_does_not_make_it_another(store: Store) -> None:
    assert [ask(store), ask(store, email=ANN.upper())] == ["asked", "limited"]


def test_asking_fifty_times_at_once_owes_one_mail(database: Database) -> None:
    stores = [database.open() for _ in range(5)]
    with ThreadPoolExecutor(10) as threads:
        told = list(threads.map(lambda n: ask(stores[n % 5]), range(50)))
    assert sorted(told) == ["asked"] + ["limited"] * 49
    assert mailed(stores[0]) == [ANN]


def test_an_active_person_is_mailed_only_for_what_is_new(store: Store) -> None:
    ask(store)
    confirm(store)
    assert ask(store, NOON + SOON) == "known"
    assert ask(store, NOON + SOON, ["weekly", "daily"]) == "asked"
    assert person(store)["digests"] == ["weekly"]  # type: ignore[index]
    store.write_now(subscribers.choose, person(store)["id"], ["weekly"], NOON + APART, NOON)  # type: ignore[index]
    assert confirm(store) is Step.CONFIRMED
    assert person(store)["paused_until"] is None  # type: ignore[index]
    assert person(store)["digests"] == ["daily", "weekly"]  # type: ignore[index]


# The link


def test_the_link_makes_active_once_and_says_so_again(store: Store) -> None:
    ask(store, digests=["weekly", "daily"])
    assert store.read_now(confirmations.look, last(store), NOON) is Step.OPEN
    assert store.read_now(confirmations.asked_for, last(store)) == ["weekly", "daily"]
    assert [confirm(store), confirm(store)] == [Step.CONFIRMED, Step.AGAIN]
    assert store.read_now(confirmations.look, last(store), NOON) is Step.AGAIN
    found = person(store)
    assert found is not None
    assert (found["state"], found["digests"], found["reason"]) == (State.ACTIVE, ["daily", "weekly"], None)
    assert found["consent"] == {**CONSENT, "confirmed": {"ip": "203.0.113.8"}}
    assert [wish["what"] for wish in store.read_now(wishes.of_person, found["id"])] == ["asked", "confirmed"]


def test_a_link_of_nothing_confirms_nothing(store: Store) -> None:
    assert confirm(store, 7) is None
    assert store.read_now(confirmations.look, 7, NOON) is None
    assert store.read_now(confirmations.asked_for, 7) == []


def test_a_link_is_too_old_after_two_days_whether_that_was_noted_or_not(store: Store) -> None:
    ask(store)
    over = NOON + GOOD_FOR
    assert confirm(store, now=over) is Step.STALE
    assert store.write_now(confirmations.expire, over) == 1  # never mailed, no more than that
    assert confirm(store, now=over) is Step.STALE


def test_what_nobody_confirms_leaves_a_hash_and_times(store: Store) -> None:
    ask(store)
    mailed(store)
    early, over = NOON + GOOD_FOR - SOON, NOON + GOOD_FOR
    assert store.read_now(confirmations.due, early) == set()
    assert store.read_now(confirmations.due, over) == {"ended"}
    assert store.write_now(confirmations.expire, over) == 1
    assert store.read_now(confirmations.due, over) == set()
    assert person(store) is None
    with store._reader.begin() as connection:
        left = connection.execute(select(rows)).one()
        assert (left.subscriber, left.digests, left.consent, left.number) == (None, "[]", "{}", 1)
        assert connection.execute(select(wishes_table)).all() == []
    assert confirm(store, now=over) is Step.STALE


def test_nothing_of_who_never_confirmed_falls_to_the_next_stranger(store: Store) -> None:
    store.write_now(
        subscribers.add, parse_address(ANN), name="", tags="", state=State.PENDING, digests=["weekly"], consent={},
        hashed="a hash", now=NOON, lifts=False,
    )  # fmt: skip
    ask(store)
    number = person(store)["id"]  # type: ignore[index]
    report = {"provider": "dsn", "event": "e", "received_at": NOON, "kind": "soft", "subscriber": number}
    told = report | {"proved": False, "answer": f"{ANN} is full", "raw": f"To: {ANN}"}
    store.write_now(lambda connection: connection.execute(returns.insert().values(told)))
    assert store.write_now(confirmations.expire, NOON + GOOD_FOR) == 1
    ask(store, NOON + GOOD_FOR, ["daily"], "bo@harbour.example")
    assert confirm(store, now=NOON + GOOD_FOR) is Step.CONFIRMED
    bo = person(store, "bo@harbour.example")
    assert bo is not None
    assert (bo["id"] > number, bo["digests"]) == (True, ["daily"])
    assert ANN not in str(store.read_now(lambda connection: connection.execute(select(returns)).all()))


def test_a_long_list_that_nobody_of_confirmed_ends_in_turns(store: Store) -> None:
    many = confirmations.AT_ONCE + 1

    def ask_all(connection: Connection) -> None:
        for number in range(many):
            address, hashed = parse_address(f"p{number}@harbour.example"), f"hash {number}"
            confirmations.ask(connection, address=address, hashed=hashed, digests=[], consent=CONSENT, now=NOON)

    store.write_now(ask_all)
    ended = []
    while "ended" in store.read_now(confirmations.due, NOON + GOOD_FOR):
        ended.append(store.write_now(confirmations.expire, NOON + GOOD_FOR))
    assert ended == [many - 1, 1]


def test_who_asks_again_is_not_dropped_with_the_first_mail(store: Store) -> None:
    ask(store)
    mailed(store)
    again = NOON + GOOD_FOR - SOON
    assert ask(store, again) == "asked"
    assert store.write_now(confirmations.expire, NOON + GOOD_FOR) == 0
    assert confirm(store, now=NOON + GOOD_FOR + SOON) is Step.CONFIRMED


def test_both_mails_of_one_person_hold_and_count_no_more(store: Store) -> None:
    ask(store, digests=["weekly"])
    first = last(store)
    ask(store, NOON + APART, ["daily"])
    assert confirm(store, now=NOON + APART) is Step.CONFIRMED
    assert confirm(store, first, NOON + APART + SOON) is Step.CONFIRMED
    assert person(store)["digests"] == ["daily", "weekly"]  # type: ignore[index]
    assert [ask(store, NOON + timedelta(days=n), [f"digest {n}"]) for n in (2, 3, 4, 5)] == [*["asked"] * 3, "limited"]


@pytest.mark.parametrize("state", [State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED])
def test_only_the_button_brings_back_who_left(store: Store, state: State) -> None:
    suppress(store, state)
    assert ask(store) == "asked"
    found = person(store)
    assert found is not None
    assert found["state"] == state
    assert store.write_now(confirmations.expire, NOON + GOOD_FOR - SOON) == 0
    assert confirm(store) is Step.CONFIRMED
    assert person(store)["state"] == State.ACTIVE  # type: ignore[index]
    with store._reader.begin() as connection:
        assert connection.execute(select(suppressions)).all() == []
    assert store.read_now(wishes.of_person, found["id"])[-1]["what"] == "came-back"


def test_who_left_does_not_come_back_by_a_link_he_used(store: Store) -> None:
    ask(store)
    confirm(store)
    number = person(store)["id"]  # type: ignore[index]
    store.write_now(subscribers.leave, number, State.UNSUBSCRIBED, "by link", SECRET, NOON + SOON)
    assert confirm(store) is Step.STALE
    assert person(store)["state"] == State.UNSUBSCRIBED  # type: ignore[index]


def test_who_was_brought_in_meanwhile_gets_what_he_asked_for_too(store: Store) -> None:
    ask(store, digests=["daily"])
    address = parse_address(ANN)
    with store._writer.begin() as connection:
        connection.execute(people.update().values(state=State.ACTIVE.value))
    assert store.write_now(confirmations.expire, NOON + GOOD_FOR) == 0
    assert person(store) is not None
    ask(store, NOON + GOOD_FOR, ["daily"], address.email)
    assert confirm(store, now=NOON + GOOD_FOR) is Step.CONFIRMED
    assert person(store)["digests"] == ["daily"]  # type: ignore[index]


def test_who_is_erased_meanwhile_confirms_nothing_and_is_not_mailed(store: Store) -> None:
    ask(store)
    (owed,) = store.write_now(confirmations.claim, "me", NOON, 10)
    store.write_now(subscribers.erase, parse_address(ANN).key)
    store.write_now(confirmations.settle, "me", [Settled(id=owed.id, due_at=NOON)], NOON)
    assert mailed(store) == []
    assert confirm(store) is Step.STALE
    assert ask(store, NOON + SOON) == "limited"  # it counts on
    assert store.read_now(confirmations.due, NOON + GOOD_FOR) == set()


# Mailing


def test_a_claim_is_for_one_owner_and_only_he_settles_it(store: Store) -> None:
    for n in range(3):
        ask(store, NOON + timedelta(seconds=n), email=f"p{n}@harbour.example")
    now = NOON + SOON
    first = store.write_now(confirmations.claim, "one", now, 2)
    assert [one.email for one in first] == ["p0@harbour.example", "p1@harbour.example"]
    assert (first[0].digests, first[0].attempts, first[0].until) == (["weekly"], 1, NOON + GOOD_FOR)
    second = store.write_now(confirmations.claim, "two", now, 5)
    assert [one.email for one in second] == ["p2@harbour.example"]
    assert store.read_now(confirmations.claimants) == {"one", "two"}
    assert store.write_now(confirmations.settle, "two", [Settled(id=first[0].id, mailed=True)], now) == 0


def test_what_a_dead_owner_held_is_owed_again_but_not_for_ever(store: Store) -> None:
    ask(store)
    for owner in ("a", "b", "c"):
        assert len(store.write_now(confirmations.claim, owner, NOON, 10)) == 1
        assert store.write_now(confirmations.take_back, [owner], NOON) == 1
    assert store.write_now(confirmations.claim, "d", NOON, 10) == []
    assert confirm(store) is Step.CONFIRMED  # it may have arrived all the same


def test_what_an_owner_gives_back_in_order_is_no_crash(store: Store) -> None:
    ask(store)
    for _ in range(4):
        assert len(store.write_now(confirmations.claim, "a", NOON, 10)) == 1
        store.write_now(confirmations.take_back, ["a"], NOON, crashed=False)


def test_what_was_put_off_waits_and_an_attempt_that_was_none_does_not_count(store: Store) -> None:
    ask(store)
    (owed,) = store.write_now(confirmations.claim, "me", NOON, 10)
    later = Settled(id=owed.id, due_at=NOON + SOON, answer="450 later")
    store.write_now(confirmations.settle, "me", [later], NOON)
    assert store.write_now(confirmations.claim, "me", NOON, 10) == []
    (owed,) = store.write_now(confirmations.claim, "me", NOON + SOON, 10)
    assert owed.attempts == 2
    store.write_now(confirmations.settle, "me", [Settled(id=owed.id, due_at=NOON, tried=False)], NOON)
    (owed,) = store.write_now(confirmations.claim, "me", NOON + SOON, 10)
    assert owed.attempts == 2


def test_what_was_confirmed_while_it_waited_is_not_mailed(store: Store) -> None:
    ask(store)
    confirm(store)
    assert mailed(store, NOON + SOON) == []


# Limits


def test_a_window_gives_so_many_and_the_next_begins_anew(store: Store) -> None:
    bucket = limits.bucket(SECRET, "network", "203.0.113.0/24")
    told = [store.write_now(limits.take, bucket, 3600, 2, NOON + timedelta(minutes=n)) for n in (0, 1, 59, 60, 61, 62)]
    assert told == [True, True, False, True, True, False]
    assert store.write_now(limits.take, limits.bucket(SECRET, "network", "other"), 3600, 2, NOON)
    assert not store.write_now(limits.take, bucket, 3600, 0, NOON + timedelta(days=1))
    assert "203" not in json.dumps(store.read_now(lambda c: c.execute(select(counts.c.bucket)).scalars().all()))


def test_nobody_gets_one_more_by_asking_at_once(database: Database) -> None:
    stores = [database.open() for _ in range(4)]
    with ThreadPoolExecutor(8) as threads:
        told = list(threads.map(lambda n: stores[n % 4].write_now(limits.take, "b", 60, 10, NOON), range(40)))
    assert sum(told) == 10


def test_counts_of_long_ago_are_dropped(store: Store) -> None:
    for days in (0, 1, 5):
        store.write_now(limits.take, "b", 3600, 9, NOON + timedelta(days=days))
    assert store.write_now(limits.forget, NOON + timedelta(days=5)) == 2
