"""The clock: small corrections are followed, a jump is not believed until somebody says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from syndicate.clock import AHEAD, BACK, SystemClock, jump

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Machine:
    """A wall clock that may be set, and seconds that only pass."""

    def __init__(self) -> None:
        self.wall = NOON
        self.running = 4000.0
        self.clock = SystemClock(wall=lambda: self.wall.timestamp(), running=lambda: self.running)

    def pass_by(self, length: timedelta) -> None:
        self.wall += length
        self.running += length.total_seconds()


@pytest.mark.parametrize(
    ("set_by", "is_one"),
    [
        (timedelta(0), False),
        (SECOND, False),
        (-BACK, False),
        (-BACK - SECOND, True),
        (AHEAD, False),
        (AHEAD + SECOND, True),
        (3650 * DAY, True),
        (-3650 * DAY, True),
    ],
)
def test_what_counts_as_a_jump(set_by: timedelta, is_one: bool) -> None:
    assert jump(DAY, DAY + set_by) == (set_by if is_one else timedelta(0))
    machine = Machine()
    machine.wall += set_by
    assert machine.clock.now() == (NOON if is_one else NOON + set_by)
    assert machine.clock.jumped() == (set_by if is_one else timedelta(0))


def test_after_a_jump_it_runs_on_as_before() -> None:
    machine = Machine()
    machine.wall += 3650 * DAY
    machine.pass_by(HOUR)
    assert machine.clock.now() == NOON + HOUR
    assert machine.clock.jumped() == 3650 * DAY


def test_it_is_right_again_when_the_clock_is_set_right() -> None:
    machine = Machine()
    machine.wall -= 30 * DAY
    machine.clock.now()
    machine.pass_by(HOUR)
    machine.wall += 30 * DAY + SECOND
    assert machine.clock.jumped() == timedelta(0)
    assert machine.clock.now() == NOON + HOUR + SECOND


def test_a_time_that_somebody_accepts_is_the_time() -> None:
    machine = Machine()
    machine.wall += 30 * DAY
    machine.clock.accept()
    assert machine.clock.jumped() == timedelta(0)
    assert machine.clock.now() == NOON + 30 * DAY


def test_small_corrections_add_up_to_no_jump() -> None:
    machine = Machine()
    for _ in range(10):
        machine.wall -= 4 * MINUTE
        machine.clock.now()
    assert machine.clock.now() == NOON - 40 * MINUTE


def test_who_follows_a_shared_clock_asks_his_own_no_more() -> None:
    machine = Machine()
    machine.clock.follow(NOON + 2 * DAY)  # however far apart they were at first
    machine.wall += 3650 * DAY
    machine.running += 60
    assert machine.clock.now() == NOON + 2 * DAY + MINUTE
    machine.clock.follow(NOON + 2 * DAY + MINUTE + SECOND)
    assert machine.clock.now() == NOON + 2 * DAY + MINUTE + SECOND
    machine.clock.follow(NOON - 300 * DAY)
    assert machine.clock.now() == NOON + 2 * DAY + MINUTE + SECOND
    assert machine.clock.jumped() < -300 * DAY


def test_a_shift_by_hand_stays() -> None:
    machine = Machine()
    machine.clock.offset = -DAY
    assert machine.clock.pretends
    assert machine.clock.now() == NOON - DAY
    machine.clock.follow(NOON + HOUR)
    assert machine.clock.now() == NOON + HOUR - DAY


def test_the_real_one_tells_the_time() -> None:
    clock = SystemClock()
    assert abs(clock.now() - datetime.now(UTC)) < SECOND
    assert not clock.pretends
    assert abs(SystemClock.at(NOON).now() - NOON) < SECOND
