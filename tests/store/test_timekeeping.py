"""A clock that jumps stops everything with a sentence, and goes on when it is right or a person says it is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from syndicate import config
from syndicate.app import open_app
from syndicate.clock import SystemClock
from syndicate.errors import SyndicateError
from syndicate.pipeline import catch_up, look
from syndicate.store import articles, pauses
from syndicate.store.database import Store
from syndicate.store.deliveries import listing
from syndicate.store.pauses import CLOCK, Gate
from syndicate.store.schema import deliveries
from syndicate.store.timekeeping import Timekeeper
from tests.store.rows import DAY, HOUR, MINUTE, NOON, SECOND, begin, claim, planned


class Machine:
    """One process of one machine, whose wall clock may be set."""

    def __init__(self, store: Store) -> None:
        self.wall, self.running = NOON, 4000.0
        self.clock = SystemClock(wall=lambda: self.wall.timestamp(), running=lambda: self.running)
        self.keeper = Timekeeper(store, self.clock)
        self.keeper.start()

    def pass_by(self, length: timedelta = 5 * SECOND) -> None:
        self.wall += length
        self.running += length.total_seconds()
        self.keeper.look()


def why(store: Store) -> str | None:
    return store.read_now(pauses.standing).get(CLOCK)


def sent(store: Store, number: int, at: object, *, live: bool = True) -> None:
    change = update(deliveries).where(deliveries.c.subject == f"id-{number}")
    store.write_now(lambda connection: connection.execute(change.values(state="sent", sent_at=at, live=live)))


@pytest.mark.parametrize("jump", [DAY, 3650 * DAY, -HOUR, -3650 * DAY])
def test_nothing_is_claimed_after_a_jump(store: Store, jump: timedelta) -> None:
    planned(store, 1)
    machine = Machine(store)
    machine.pass_by()
    assert why(store) is None
    machine.wall += jump
    machine.pass_by()
    assert "ahead" in str(why(store)) if jump > timedelta(0) else "back" in str(why(store))
    assert "syndicate resume" in str(why(store))
    for later in (timedelta(0), HOUR, 20 * 365 * DAY):
        assert not store.write_now(pauses.gate, [], machine.clock.now() + later)
    assert claim(store, at=machine.clock.now()) is None


def test_it_goes_on_by_itself_when_the_clock_is_right_again(store: Store) -> None:
    machine = Machine(store)
    machine.wall += 365 * DAY
    machine.pass_by()
    assert why(store)
    machine.wall -= 365 * DAY
    machine.pass_by()
    assert why(store) is None
    assert store.write_now(pauses.gate, [], NOON) is Gate.OPEN


def test_a_person_may_say_that_the_new_time_is_right(store: Store) -> None:
    machine, other = Machine(store), Machine(store)
    for one in (machine, other):
        one.wall += 365 * DAY
        one.pass_by()
    assert machine.clock.now() < NOON + DAY
    assert store.write_now(pauses.resume, None) == [CLOCK]
    for one in (machine, other):
        one.pass_by()
        assert abs(one.clock.now() - NOON - 365 * DAY) < MINUTE
    machine.pass_by()
    assert why(store) is None


def test_a_second_jump_is_told_anew(store: Store) -> None:
    machine = Machine(store)
    machine.wall += DAY
    machine.pass_by()
    first = why(store)
    machine.wall += 30 * DAY
    store.write_now(pauses.resume, None)  # meant the first
    machine.pass_by()
    assert why(store) not in (None, first)


def test_a_persons_pause_stands_beside_it(store: Store) -> None:
    machine = Machine(store)
    store.write_now(pauses.pause, pauses.EVERYTHING, "holidays", NOON)
    machine.wall += 365 * DAY
    machine.pass_by()
    assert store.write_now(pauses.resume, pauses.EVERYTHING) == [pauses.EVERYTHING]
    assert not store.write_now(pauses.gate, [], machine.clock.now())


# --- at the start -----------------------------------------------------------------------------------------------------


def test_a_clock_behind_what_was_sent_starts_paused_and_asks_once(store: Store) -> None:
    planned(store, 1)
    sent(store, 1, NOON + 2 * DAY)
    Machine(store)
    assert "2026-11-25 12:00" in str(why(store))
    store.write_now(pauses.resume, None)
    Machine(store)
    assert why(store) is None


@pytest.mark.parametrize(("after", "live"), [(timedelta(0), True), (23 * HOUR, True), (300 * DAY, False)])
def test_what_starts_as_usual(store: Store, after: timedelta, live: bool) -> None:
    planned(store, 1)
    sent(store, 1, NOON + after, live=live)
    Machine(store)
    assert why(store) is None


def test_a_moment_that_a_person_pretends_may_lie_behind(store: Store) -> None:
    planned(store, 1)
    sent(store, 1, NOON + 300 * DAY)
    Timekeeper(store, SystemClock.at(NOON)).start()
    assert why(store) is None


def test_an_empty_ledger_knows_no_time(store: Store) -> None:
    begin(store)
    Machine(store)
    assert why(store) is None


# --- what it saves ----------------------------------------------------------------------------------------------------

CONFIG = """
data = "data"
[site]
title = "The Courier"
url = "https://www.example.org"
[[sources]]
path = "content"
[review]
min_words = 1
first_run = "announce"
settle = "0s"
delay = "0s"
[email]
sender = "News <news@example.net>"
[[digests]]
name = "weekly"
schedule = "0 9 * * FRI"
[linkedin]
hours = "00:00-24:00"
approve = true
"""


async def test_by_a_clock_that_is_ten_years_ahead_nothing_expires_or_is_dated(tmp_path: Path) -> None:
    (tmp_path / "syndicate.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "one.md").write_text("---\ntitle: One\n---\nIt says so.\n", encoding="utf-8")
    settings = config.load(tmp_path / "syndicate.toml", {})
    async with open_app(settings, SystemClock.at(NOON), "once") as app:
        await look(app)
        before = (app.store.read_now(articles.listing), app.store.read_now(listing))
        app.store.write_now(pauses.by_fault, CLOCK, "the clock was set ahead", NOON, rest=None)
    assert [row["state"] for row in before[1]] == ["held"]
    (tmp_path / "content" / "two.md").write_text("---\ntitle: Two\n---\nIt says more.\n", encoding="utf-8")
    async with open_app(settings, SystemClock.at(NOON + 3650 * DAY), "once") as app:  # another process, who believes it
        assert (await look(app)).scanned.files == 0
        with pytest.raises(SyndicateError, match="the clock was set ahead"):
            await catch_up(app)
        assert (app.store.read_now(articles.listing), app.store.read_now(listing)) == before
        app.store.write_now(pauses.resume, None)
        assert (await look(app)).scanned.released == 1
        assert {row["state"] for row in app.store.read_now(listing)} == {"expired", "held"}
