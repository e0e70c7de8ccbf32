"""When a problem is told: as a table of looks, each so many seconds after the first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate import alert
from syndicate.alert import CLEAN, LONGEST_CLEAN, MEMORY, STANDING, Standing

START = datetime(2026, 11, 24, 8, tzinfo=UTC)
LOOK = 15  # seconds between looks


def told_at(spans: list[tuple[int, int]], until: int) -> list[tuple[int, str]]:
    """What is told when of a problem that stands in these spans of seconds, looked for every 15 s."""
    book: dict[str, Standing] = {}
    told = []
    for second in range(0, until, LOOK):
        now = START + timedelta(seconds=second)
        found = {"k": "words"} if any(begin <= second < end for begin, end in spans) else {}
        book = alert.seen(book, found, now)
        due = alert.news(book, now)
        told += [(second, "begun") for _ in due.begun] + [(second, "over") for _ in due.over]
        book = alert.told(book, [*due.begun, *due.over], now)
    return told


@pytest.mark.parametrize(
    ("spans", "until", "told"),
    [
        pytest.param([], 3600, [], id="nothing"),
        pytest.param([(0, 45)], 3600, [], id="a blip"),
        pytest.param([(0, 3600)], 3600, [(60, "begun")], id="once, however long it stands"),
        pytest.param([(0, 600)], 3600, [(60, "begun"), (900, "over")], id="once, and once when it is over"),
        pytest.param([(0, 600), (720, 1200)], 3600, [(60, "begun"), (1500, "over")], id="a gap is not the end"),
        pytest.param([(0, 15), (120, 135), (240, 255)], 3600, [(120, "begun"), (555, "over")], id="blips in a row"),
        pytest.param(
            [(0, 600), (1200, 1800)], 7200,
            [(60, "begun"), (900, "over"), (1260, "begun"), (2400, "over")], id="back within a day: less believed",
        ),
    ],
)  # fmt: skip
def test_a_problem_is_told_once_and_once_when_it_is_over(
    spans: list[tuple[int, int]], until: int, told: list[tuple[int, str]]
) -> None:
    assert told_at(spans, until) == told


def test_what_comes_and_goes_all_day_is_soon_told_no_more() -> None:
    every_ten_minutes = [(begin, begin + 120) for begin in range(0, 86_400, 600)]
    assert len(told_at(every_ten_minutes, 86_400)) < 10


def test_patience_has_an_end() -> None:
    waits = [alert.patience(Standing(text="", since=START, times=times)) for times in (0, 1, 2, 3, 50, 5000)]
    assert waits == [CLEAN, CLEAN, CLEAN * 2, CLEAN * 4, LONGEST_CLEAN, LONGEST_CLEAN]


def test_the_book_forgets_what_is_long_over() -> None:
    blip = {"k": Standing(text="", since=START, gone_at=START)}
    told = {"k": Standing(text="", since=START, gone_at=START, times=1)}
    assert alert.seen(blip, {}, START + CLEAN) == {}
    assert alert.seen(told, {}, START + CLEAN) == told
    assert alert.seen(told, {}, START + MEMORY) == {}


@given(st.lists(st.booleans(), max_size=400))
def test_begun_and_over_take_turns_whatever_happens(looks: list[bool]) -> None:
    spans = [(n * LOOK, (n + 1) * LOOK) for n, stands in enumerate(looks) if stands]
    told = told_at(spans, len(looks) * LOOK)
    assert [what for _, what in told] == ["begun", "over"] * (len(told) // 2) + ["begun"] * (len(told) % 2)
    moments = [second for second, _ in told]
    for before, after in pairwise(moments):
        assert after - before >= min(STANDING, CLEAN).total_seconds()
