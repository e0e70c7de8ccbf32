"""How far a mailing is: its counters say the same as its letters, its speed is that of the last half minute."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from syndicate.store import mailings
from syndicate.store.database import Store
from syndicate.store.mailings import Progress, Standing
from syndicate.store.schema import mailings as table
from tests.store.rows import NOON, SECOND, begin, frozen, join, mailing, take


@pytest.fixture
def delivery(store: Store) -> int:
    """An edition to four people, counted."""
    begin(store, channels=("email",))
    join(store, "ada", "bo", "cy", "dee")
    return frozen(store)[0]


def note(
    store: Store, delivery: int, settled: int, sent: int | None = None, *, at: datetime = NOON, **more: object
) -> Standing:
    counted = {"settled": settled, "sent": settled if sent is None else sent, "hard": 0, "now": at} | more
    return store.write_now(lambda c: mailings.note(c, delivery, **counted))  # type: ignore[arg-type]


def progress(store: Store, delivery: int, at: datetime) -> Progress:
    return store.read_now(mailings.progress, at, delivery)[delivery]


def test_the_counters_say_what_the_letters_say(store: Store, delivery: int) -> None:
    assert store.read_now(mailings.counts, [delivery]) == store.read_now(mailings.count, [delivery])
    take(store, mailing(store, delivery), limit=2)
    assert store.read_now(mailings.counts, [delivery]) == {delivery: {"claimed": 2, "due": 2}}
    note(store, delivery, 2, 1, others={"failed": 1})
    # the letters are not written here: this is what the counters alone say
    assert store.read_now(mailings.counts, [delivery]) == {delivery: {"claimed": 2, "failed": 1, "sent": 1}}


def test_counters_that_do_not_hold_all_are_not_believed(store: Store, delivery: int) -> None:
    note(store, delivery, 2, 1)  # an older program did not say what the other one is
    assert store.read_now(mailings.counts, [delivery]) == {delivery: {"due": 4}}


def test_what_an_older_program_froze_is_counted_when_its_first_group_is_settled(store: Store) -> None:
    begin(store, channels=("email",))
    join(store, "ada", "bo")
    delivery, _ = frozen(store)
    store.write_now(lambda c: c.execute(table.delete()))
    assert note(store, delivery, 1, hard=1) == Standing(total=2, settled=0, sent=0, hard=1, blamed=0)
    assert store.read_now(mailings.counts, [delivery]) == {delivery: {"due": 2}}


def test_a_row_of_refusals_is_ended_by_one_letter_that_is_accepted(store: Store, delivery: int) -> None:
    assert note(store, delivery, 0, blamed=2).blamed == 2
    assert note(store, delivery, 0, blamed=1).blamed == 3
    assert note(store, delivery, 1, blamed=1).blamed == 0


def test_speed_is_that_of_the_last_half_minute(store: Store, delivery: int) -> None:
    def reset_total(c: object) -> None:
        c.execute(table.update().values(total=10_000))  # type: ignore[attr-defined]

    store.write_now(reset_total)
    assert progress(store, delivery, NOON) == Progress(
        subject="weekly-1", total=10_000, done=0, per_second=None, done_at=None
    )
    for second in range(60):  # ten a second, then a hundred a second
        note(store, delivery, 10, at=NOON + second * SECOND)
    now = NOON + 59 * SECOND
    slow = progress(store, delivery, now)
    assert slow.per_second == pytest.approx(10, rel=0.1)
    assert slow.done_at is not None
    assert slow.done_at - now == pytest.approx(timedelta(seconds=940), rel=0.1)
    for second in range(60, 120):
        note(store, delivery, 100, at=NOON + second * SECOND)
    assert progress(store, delivery, NOON + 119 * SECOND).per_second == pytest.approx(100, rel=0.1)


def test_nobody_is_told_a_speed_where_nothing_moves(store: Store, delivery: int) -> None:
    note(store, delivery, 1)
    note(store, delivery, 1, at=NOON + 10 * SECOND)
    assert progress(store, delivery, NOON + 10 * SECOND).per_second == pytest.approx(0.1)
    assert progress(store, delivery, NOON + 45 * SECOND).per_second is None
    note(store, delivery, 1, at=NOON + 900 * SECOND)  # a rest is no part of the speed
    note(store, delivery, 1, at=NOON + 902 * SECOND)
    assert progress(store, delivery, NOON + 902 * SECOND).per_second == pytest.approx(0.5)


def test_what_something_else_than_sending_changed_is_counted_anew(store: Store, delivery: int) -> None:
    note(store, delivery, 3)
    store.write_now(mailings.recount, delivery)
    assert progress(store, delivery, NOON) == Progress(
        subject="weekly-1", total=4, done=0, per_second=None, done_at=None
    )
    assert store.read_now(mailings.counts, [delivery]) == {delivery: {"due": 4}}
