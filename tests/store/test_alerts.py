"""The book of alerts, kept by several processes as one; what the ledger shows of the program's own health."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, update

from syndicate import health
from syndicate.alert import CLEAN, STANDING, Failure, News, Problem
from syndicate.config import Secret
from syndicate.health import OVERDUE, QUIET, SILENT
from syndicate.store import alerts, articles, feedstates, pauses, tokens, vitals
from syndicate.store.database import Store
from syndicate.store.schema import deliveries, editions, letters, owners
from tests.store.conftest import Database
from tests.store.room import Room
from tests.store.rows import DAY, HOUR, MINUTE, NOON, SECOND, begin, change, frozen, join, mailing, offer, take

WAY = "email"
Make = Callable[..., Room]


def owner(store: Store, name: str, *, what: str = "run", until: datetime = NOON + DAY, **more: Any) -> str:
    def register(connection: Connection) -> None:
        row = {"id": name, "what": what, "host": "quay", "pid": 7, "since": NOON, "lease_until": until, **more}
        connection.execute(insert(owners).values(row))

    store.write_now(register)
    return name


def edition(store: Store) -> int:
    """One with letters that are due; returns its delivery."""
    join(store, "ann", "bob", "cas")
    store.write_now(save_edition)
    return frozen(store)[0]


def save_edition(connection: Connection) -> None:
    row = {"slug": "weekly-1", "digest": "weekly", "until": NOON, "state": "frozen", "live": True, "made_at": NOON}
    connection.execute(insert(editions).values(row))


def look(store: Store, me: str, now: datetime, *keys: str) -> News:
    return store.write_now(alerts.look, WAY, {key: f"words of {key}" for key in keys}, me, now)


# --- the book ---------------------------------------------------------------------------------------------------------


def test_one_process_of_two_tells(store: Store) -> None:
    one, other = owner(store, "one"), owner(store, "other")
    assert not look(store, one, NOON, "a", "b")
    later = NOON + STANDING
    assert look(store, one, later, "a", "b") == News(begun=("a", "b"))
    assert not look(store, other, later, "a", "b"), "the first is at it"
    store.write_now(alerts.settle, WAY, ["a", "b"], one, later)
    assert not look(store, other, later + MINUTE, "a", "b"), "it was told"
    assert not look(store, one, later + MINUTE), "it may come back"
    assert look(store, other, later + MINUTE + CLEAN) == News(over=("a", "b"))
    store.write_now(alerts.settle, WAY, ["a", "b"], other, later + MINUTE + CLEAN)
    assert not look(store, one, later + MINUTE + CLEAN * 2)


def test_what_could_not_be_told_is_told_by_the_next(store: Store) -> None:
    one, other = owner(store, "one"), owner(store, "other")
    look(store, one, NOON, "a")
    assert look(store, one, NOON + STANDING, "a")
    store.write_now(alerts.settle, WAY, ["a"], one, None)
    assert look(store, other, NOON + STANDING, "a") == News(begun=("a",))


def test_what_a_dead_process_was_telling_is_told_again(store: Store) -> None:
    one, other = owner(store, "one", until=NOON + STANDING + SECOND), owner(store, "other")
    look(store, one, NOON, "a")
    assert look(store, one, NOON + STANDING, "a")
    assert not look(store, other, NOON + STANDING, "a")
    assert look(store, other, NOON + STANDING + MINUTE, "a") == News(begun=("a",))


def test_each_way_has_its_own_book(store: Store) -> None:
    me = owner(store, "one")
    look(store, me, NOON, "a")
    assert look(store, me, NOON + STANDING, "a")
    assert store.read_now(alerts.book, "webhook") == {}


def test_two_processes_that_look_at_once_tell_once(database: Database) -> None:
    stores = [database.open() for _ in range(2)]
    names = [owner(store, f"owner {n}") for n, store in enumerate(stores)]
    keys = [f"key {n}" for n in range(10)]
    told: list[str] = []

    def race(me: int, barrier: threading.Barrier, now: datetime) -> None:
        barrier.wait()
        told.extend(look(stores[me], names[me], now, *keys).begun)

    for now in (NOON, NOON + STANDING):
        barrier = threading.Barrier(2)
        threads = [threading.Thread(target=race, args=(me, barrier, now)) for me in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert sorted(told) == keys


def test_what_a_process_sees_is_read_by_all_as_long_as_it_lives(store: Store) -> None:
    problem = Problem(key="loop:mail@quay", text="it fails: “ü”", halts=True)
    for name in ("one", "two"):
        owner(store, name)
        assert not store.read_now(alerts.is_noted, name, [problem])
        store.write_now(alerts.note, name, [problem])
        assert store.read_now(alerts.is_noted, name, [problem])
    assert store.read_now(alerts.noted, NOON) == [problem]
    assert store.read_now(alerts.noted, NOON + 2 * DAY) == []


# --- problems ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def healthy(make_room: Make) -> Room:
    room = make_room(email=True)
    begin(room.store, at=NOON - 30 * DAY, channels=("linkedin", "email"))
    return room


def problems(room: Room, now: datetime = NOON) -> dict[str, str]:
    return {one.key: one.text for one in room.store.read_now(health.problems, room.settings, now)}


def halting(room: Room, now: datetime = NOON) -> set[str]:
    return {one.key for one in room.store.read_now(health.problems, room.settings, now) if one.halts}


def test_there_is_no_problem_in_a_quiet_house(healthy: Room) -> None:
    assert problems(healthy) == {}


def test_a_source_says_since_when_it_fails(healthy: Room) -> None:
    healthy.store.write_now(articles.outage, "articles", "content: permission denied", NOON - HOUR)
    healthy.store.write_now(feedstates.lag, "articles", "git: it is gone", NOON - HOUR)
    assert problems(healthy) == {
        "source:articles": "content: permission denied (since 2026-11-23 12:00)",  # Berlin
        "pull:articles": "git: it is gone",
    }


def test_pauses_by_fault_are_problems_and_those_of_a_person_are_not(healthy: Room) -> None:
    healthy.store.write_now(pauses.pause, "email", "holidays", NOON)
    healthy.store.write_now(pauses.by_fault, "linkedin", "401", NOON)
    healthy.store.write_now(pauses.by_fault, pauses.CLOCK, "the clock jumped", NOON)
    assert problems(healthy) == {
        "paused:linkedin": "linkedin: paused by a fault: 401; `syndicate resume linkedin` tries at once",
        "paused:clock": "everything is paused: the clock jumped",
    }
    assert halting(healthy) == set(), "each waits for a person"


@pytest.mark.parametrize("what", ["run", "worker", "send"])
def test_a_process_that_went_silent_is_missed(healthy: Room, what: str) -> None:
    owner(healthy.store, "gone", what=what, until=NOON - SILENT - SECOND)
    found = problems(healthy)
    assert set(found) == ({"silent:gone"} if what != "send" else set())
    assert all("process 7 on quay" in text for text in found.values())
    assert problems(healthy, NOON - MINUTE) == {}, "it may be busy"


def test_a_command_that_died_is_missed_while_it_holds_something(healthy: Room) -> None:
    owner(healthy.store, "gone", what="send", until=NOON - SILENT - SECOND)
    offer(healthy.store, 1, at=NOON - HOUR)
    change(healthy.store, 1, state="claimed", owner="gone")
    assert "holds what it had begun" in problems(healthy)["silent:gone"]


def test_a_post_that_is_overdue_is_a_problem_of_its_channel(healthy: Room) -> None:
    offer(healthy.store, 1, at=NOON - HOUR)
    change(healthy.store, 1, state="planned", due_at=NOON)
    assert problems(healthy, NOON + OVERDUE - SECOND) == {}
    later = NOON + OVERDUE + MINUTE
    assert problems(healthy, later) == {
        "overdue:linkedin": "linkedin: something is due since 16 minutes: is `syndicate run` running?"
    }
    healthy.store.write_now(pauses.pause, "email", "", NOON)
    assert problems(healthy, later), "another channel's pause hides nothing"
    healthy.store.write_now(pauses.pause, "linkedin", "", NOON)
    assert problems(healthy, later) == {}


def test_letters_that_wait_for_their_turn_are_no_problem(healthy: Room) -> None:
    store = healthy.store
    delivery = edition(store)
    late = NOON + OVERDUE + HOUR
    assert set(problems(healthy, late)) == {"overdue:email"}
    assert halting(healthy, late) == {"overdue:email"}, "letters wait for nobody"
    me = owner(store, "me", until=late + HOUR)
    assert take(store, mailing(store, delivery), me, at=NOON, limit=1).people
    assert problems(healthy, late) == {}, "one is on the wire"


def test_letters_of_a_paused_digest_or_a_resting_domain_are_no_problem(healthy: Room) -> None:
    edition(healthy.store)
    late = NOON + OVERDUE + HOUR
    for key in ("digest:weekly", "email:readers.test"):
        healthy.store.write_now(pauses.pause, key, "", NOON)
        assert problems(healthy, late) == {}
        healthy.store.write_now(pauses.resume, key)
    assert problems(healthy, late)


@pytest.mark.parametrize(
    ("state", "age", "sent_ago", "quiet"),
    [
        pytest.param("waiting", QUIET + HOUR, None, False, id="the pace asks for a gap besides"),
        pytest.param("waiting", QUIET + 3 * HOUR, None, True, id="never sent anything"),
        pytest.param("planned", QUIET + 3 * HOUR, QUIET + DAY, True, id="sent long ago"),
        pytest.param("waiting", QUIET + 3 * HOUR, DAY, False, id="sent yesterday"),
        pytest.param("waiting", DAY, 10 * DAY, False, id="nothing to send before"),
        pytest.param("waiting", QUIET + DAY, QUIET + 3 * HOUR, False, id="a loser of the last choice"),
        pytest.param("held", QUIET + DAY, None, False, id="waits for a person"),
        pytest.param("expired", QUIET + DAY, None, True, id="missed its time"),
        pytest.param("expired", 20 * DAY, None, False, id="missed it long ago"),
        pytest.param("skipped", QUIET + DAY, None, False, id="never to be sent"),
    ],
)  # fmt: skip
def test_a_channel_that_fell_silent_is_a_problem(
    healthy: Room, state: str, age: timedelta, sent_ago: timedelta | None, quiet: bool
) -> None:
    offer(healthy.store, 1, at=NOON - age)
    change(healthy.store, 1, state=state, created_at=NOON - age)
    if sent_ago:
        offer(healthy.store, 2, at=NOON - 20 * DAY)
        change(healthy.store, 2, state="sent", sent_at=NOON - sent_ago)
    assert set(problems(healthy)) == ({"quiet:linkedin"} if quiet else set())


def test_a_paused_channel_and_one_in_rehearsal_may_be_silent(healthy: Room) -> None:
    offer(healthy.store, 1, at=NOON - 10 * DAY)
    change(healthy.store, 1, created_at=NOON - 10 * DAY)
    assert set(problems(healthy)) == {"quiet:linkedin"}
    healthy.store.write_now(pauses.pause, "linkedin", "", NOON)
    assert problems(healthy) == {}
    healthy.store.write_now(pauses.resume, "linkedin")
    rehearsal = healthy.settings.linkedin.model_copy(update={"live": False})
    healthy.settings = healthy.settings.model_copy(update={"linkedin": rehearsal})
    assert problems(healthy) == {}


def test_letters_in_quarantine_are_named_until_their_edition_is_old(healthy: Room) -> None:
    edition(healthy.store)

    def end(connection: Connection) -> None:
        connection.execute(update(deliveries).values(state="sent", people='{"sent": 2, "unknown": 1}', created_at=NOON))
        connection.execute(update(letters).values(state="unknown"))

    healthy.store.write_now(end)
    (text,) = problems(healthy).values()
    assert "1 letters" in text and "deliveries retry" in text
    assert problems(healthy, NOON + 15 * DAY) == {}


def test_what_a_process_sees_is_a_problem_too(healthy: Room) -> None:
    owner(healthy.store, "one")
    failing = {"mail": Failure(times=3, error="KeyError: 'x'"), "look": Failure(times=2, error="no")}
    seen = health.here(None, failing, "quay")
    healthy.store.write_now(alerts.note, "one", seen)
    assert set(problems(healthy)) == {"loop:mail@quay"}
    assert halting(healthy) == {"loop:mail@quay"}


def test_a_database_that_takes_nothing_is_the_only_thing_wrong() -> None:
    (one,) = health.here("the disk is full", {"mail": Failure(times=9, error="")}, "quay")
    assert (one.key, one.halts) == ("database", True)


@pytest.mark.parametrize(
    ("left", "steps", "told"),
    [
        (None, [], ""),
        (15 * DAY, [], ""),
        (14 * DAY, [14], "until 2026-12-07 12:00 UTC"),
        (5 * DAY, [14, 7], "until 2026-11-28 12:00 UTC"),
        (DAY, [14, 7, 3, 1], "until 2026-11-24 12:00 UTC"),
        (-DAY, [14, 7, 3, 1, 0], "until 2026-11-22 12:00 UTC"),
    ],
)
def test_a_login_that_ends_is_a_problem_for_each_step_passed_and_shown_once(
    healthy: Room, left: timedelta | None, steps: list[int], told: str
) -> None:
    ends = None if left is None else NOON + left
    healthy.store.write_now(tokens.put, tokens.Login(channel="linkedin", sealed="x", obtained_at=NOON, expires_at=ends))
    assert problems(healthy) == {}, "the token in the configuration is another one"
    linkedin = healthy.settings.linkedin.model_copy(update={"access_token": Secret(), "client_id": "77app"})
    healthy.settings = healthy.settings.model_copy(update={"linkedin": linkedin})
    found = problems(healthy)
    assert set(found) == {f"login:linkedin:{step}" for step in steps}
    shown = healthy.store.read_now(health.status, healthy.settings, NOON)["problems"]
    assert len(shown) == bool(steps)
    assert all(told in text and "`syndicate linkedin login`" in text for text in shown)
    status = healthy.store.read_now(health.status, healthy.settings, NOON)
    days = {} if left is None else {"linkedin": max(0, left.days)}
    assert status["logins"] == days
    lines = list(health.as_text(status, healthy.settings))
    assert any("logged in for" in line for line in lines) is bool(days)


def test_status_tells_its_notes(healthy: Room) -> None:
    found = healthy.store.read_now(health.status, healthy.settings, NOON, ["an old SQLite"])
    assert found["notes"] == ["an old SQLite"]
    assert "note          an old SQLite" in list(health.as_text(found, healthy.settings))
    assert "All is well." in list(health.as_text(found, healthy.settings))


def test_the_database_answers(store: Store) -> None:
    assert store.read_now(vitals.answers)
    assert store.read_now(vitals.scanned) == {}
