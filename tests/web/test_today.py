"""The newsroom's sentence, its line of growth, and the forecast as it tells it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from syndicate.forecast import Row
from syndicate.web import ahead, chart
from syndicate.web.today import Today, Trouble, verdict

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
TROUBLE = Trouble(text="linkedin: paused", since=None, waits=0, mend="", act=())


def today(**values: Any) -> Today:
    given: dict[str, Any] = {"now": NOW, "live": {"linkedin": True}, "paused": {}, "sent_today": {}, "people": {}}
    return Today(**given | values)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "All is well."),
        (
            {"sent_today": {"linkedin": 3, "email": 1}, "next_mail": ("weekly", NOW + timedelta(hours=20))},
            "All is well. 3 posts today, weekly mail tomorrow 09:00.",
        ),
        ({"live": {"linkedin": False}}, "All is well. This is a rehearsal: nothing leaves the machine."),
        ({"troubles": [TROUBLE], "wanted_count": 2}, "1 problem stands and 2 things wait for you."),
        (
            {"paused": {"all": "by hand"}, "troubles": [TROUBLE]},
            "Everything is paused: by hand. Nothing is lost, and nothing is sent until you resume.",
        ),
    ],
)
def test_one_sentence_tells_how_things_stand(values: dict[str, Any], sentence: str) -> None:
    assert verdict(today(**values), BERLIN) == sentence


def row(article: str, reason: str, **values: Any) -> Row:
    given = {"channel": "email", "state": "planned", "planned_for": NOW + timedelta(hours=3)}
    return Row(article=article, title=article.upper(), reason=reason, **(given | values))


@pytest.mark.parametrize("before", ["", "paused: by hand, for now; really; "])
def test_an_edition_is_one_line_also_while_it_is_paused(before: str) -> None:
    rows = [row("a", f"{before}weekly: card: score 72"), row("b", f"{before}weekly: headline")]
    (line,) = ahead.coming(rows, NOW, {}, ["weekly"])
    assert (line.digest, line.more, line.why) == ("weekly", 1, "card: score 72")


def test_what_does_not_go_is_counted_by_why() -> None:
    rows = [
        *(row(str(n), "delay: too young until 13:00", channel="linkedin", planned_for=None) for n in range(3)),
        row("late", "max-per-day: 3 of 3", channel="linkedin", planned_for=NOW + timedelta(days=2)),
        row("soon", "its turn", channel="linkedin"),
    ]
    (others,) = ahead.others(rows, NOW)
    assert (others.count, list(others.reasons)) == (4, [("too young still", 3), ("the day is full", 1)])


def test_a_line_of_growth_stays_inside_and_rises_with_the_numbers() -> None:
    assert chart.line([("now", 3)], 320, 56) == ""
    points = [tuple(map(float, pair.split(","))) for pair in chart.line([("a", 1), ("b", 9)], 320, 56).split()]
    assert points == [(3.0, 53.0), (317.0, 3.0)]
