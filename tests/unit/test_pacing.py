"""When a channel may send, which candidate it is, and what the others are told."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import combinations, pairwise
from time import process_time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.pacing import (
    Candidate,
    Choice,
    Decision,
    Pacing,
    Past,
    choose,
    day_start,
    earliest,
    score,
    span,
    withdraw,
)
from syndicate.worth import Aired, is_twin

BERLIN = ZoneInfo("Europe/Berlin")
HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def berlin(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).astimezone(UTC)


def rules(**overrides: object) -> Pacing:
    return Pacing(**{"zone": ZoneInfo("UTC"), **overrides})  # type: ignore[arg-type]  # keywords of one test


def candidate(number: int = 1, **overrides: object) -> Candidate:
    fields: dict[str, object] = {
        "delivery": number,
        "article": f"a{number}",
        "title": f"Number {number}",
        "released": NOON - HOUR,
        "entered": NOON - HOUR,
        "delay_from": NOON - HOUR,
    }
    return Candidate(**(fields | overrides))  # type: ignore[arg-type]  # keywords of one test


def by_delivery(decisions: list[Decision]) -> dict[int, Decision]:
    return {one.candidate.delivery: one for one in decisions}


def only(decisions: list[Decision]) -> Decision:
    [decision] = decisions
    return decision


# --- the first moment that is allowed ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "past", "pace", "expected"),
    [
        pytest.param(NOON, Past(), {}, NOON, id="no limits: now"),
        pytest.param(NOON, Past(last=NOON - HOUR), {"min_gap": 2 * HOUR}, NOON + HOUR, id="the gap runs from the last"),
        pytest.param(NOON, Past(last=NOON - 2 * HOUR), {"min_gap": 2 * HOUR}, NOON, id="the gap is over to the second"),
        pytest.param(NOON, Past(), {"min_gap": 2 * HOUR}, NOON, id="no gap after nothing"),
        pytest.param(NOON, Past(today=2), {"max_per_day": 3}, NOON, id="the day has room"),
        pytest.param(NOON, Past(today=3), {"max_per_day": 3}, utc("2026-11-24T00:00"), id="the day is full"),
        pytest.param(NOON, Past(today=9), {"max_per_day": 3}, utc("2026-11-24T00:00"), id="the day is more than full"),
        pytest.param(NOON, Past(), {"hours": (time(8), time(20))}, NOON, id="open"),
        pytest.param(
            utc("2026-11-23T08:00"), Past(), {"hours": (time(8), time(20))}, utc("2026-11-23T08:00"), id="opens now"
        ),
        pytest.param(
            utc("2026-11-23T20:00"), Past(), {"hours": (time(8), time(20))}, utc("2026-11-24T08:00"), id="closed by now"
        ),
        pytest.param(
            utc("2026-11-23T03:00"), Past(), {"hours": (time(8), time(20))}, utc("2026-11-23T08:00"), id="opens later"
        ),
        pytest.param(
            utc("2026-11-23T23:30"), Past(), {"hours": (time(22), time(2))}, utc("2026-11-23T23:30"), id="over midnight"
        ),
        pytest.param(
            utc("2026-11-24T01:59"), Past(), {"hours": (time(22), time(2))}, utc("2026-11-24T01:59"), id="past midnight"
        ),
        pytest.param(
            utc("2026-11-24T02:00"), Past(), {"hours": (time(22), time(2))}, utc("2026-11-24T22:00"), id="closed by day"
        ),
        pytest.param(NOON, Past(), {"hours": (time(9), time(9))}, NOON, id="equal hours: the whole day"),
        pytest.param(
            utc("2026-11-23T19:00"),
            Past(last=utc("2026-11-23T18:30"), today=1),
            {"min_gap": 2 * HOUR, "hours": (time(8), time(20))},
            utc("2026-11-24T08:00"),
            id="the gap ends after closing",
        ),
        pytest.param(
            NOON,
            Past(last=NOON, today=3),
            {"max_per_day": 3, "min_gap": 2 * HOUR, "hours": (time(8), time(20))},
            utc("2026-11-24T08:00"),
            id="a full day and closed at midnight",
        ),
        pytest.param(
            berlin("2026-11-23T23:30"),
            Past(today=3),
            {"zone": BERLIN, "max_per_day": 3},
            berlin("2026-11-24T00:00"),
            id="the day is the zone's",
        ),
        pytest.param(
            berlin("2026-10-25T02:10", fold=1),
            Past(),
            {"zone": BERLIN, "hours": (time(2, 30), time(5))},
            berlin("2026-10-25T02:30", fold=1),
            id="autumn: the hour before opening comes again",
        ),
        pytest.param(
            berlin("2026-10-25T23:50"),
            Past(today=1),
            {"zone": BERLIN, "max_per_day": 1},
            utc("2026-10-25T23:00"),
            id="autumn: a day of 25 hours ends at its midnight",
        ),
        pytest.param(
            berlin("2026-03-29T01:50"),
            Past(),
            {"zone": BERLIN, "hours": (time(2, 30), time(5))},
            utc("2026-03-29T01:00"),
            id="spring: an opening that is left out comes right after the gap",
        ),
        pytest.param(
            berlin("2026-03-29T04:00"),
            Past(today=1),
            {"zone": BERLIN, "max_per_day": 1},
            utc("2026-03-29T22:00"),
            id="spring: a day of 23 hours ends at its midnight",
        ),
        pytest.param(
            berlin("2026-03-29T01:30"),
            Past(last=berlin("2026-03-29T01:30")),
            {"zone": BERLIN, "min_gap": 2 * HOUR},
            berlin("2026-03-29T04:30"),
            id="spring: a gap is of hours that pass, not of those on the wall",
        ),
        pytest.param(
            utc("2026-11-30T08:00"),
            Past(last=utc("2026-11-23T19:00")),
            {"min_gap": 2 * HOUR, "hours": (time(8), time(20)), "max_per_day": 3},
            utc("2026-11-30T08:00"),
            id="after a week off nothing holds it",
        ),
    ],
)
def test_the_first_moment_allowed(now: datetime, past: Past, pace: dict[str, object], expected: datetime) -> None:
    assert earliest(past, rules(**pace), now) == expected


@pytest.mark.parametrize(
    ("now", "start"),
    [
        (berlin("2026-11-23T00:00"), berlin("2026-11-23T00:00")),
        (berlin("2026-11-23T23:59"), berlin("2026-11-23T00:00")),
        (berlin("2026-03-29T12:00"), utc("2026-03-28T23:00")),
        (berlin("2026-10-25T12:00"), utc("2026-10-24T22:00")),
    ],
)
def test_a_day_starts_at_the_zones_midnight(now: datetime, start: datetime) -> None:
    assert day_start(now, BERLIN) == start


# --- slots ------------------------------------------------------------------------------------------------------------

SLOTS = (time(9), time(12), time(17))


@pytest.mark.parametrize(
    ("now", "past", "planned"),
    [
        pytest.param("2026-11-23T09:00", Past(), "2026-11-23T09:00", id="to the second"),
        pytest.param("2026-11-23T08:59", Past(), "2026-11-22T17:00", id="yesterday's last was never filled"),
        pytest.param("2026-11-23T08:59", Past(last=utc("2026-11-22T17:00")), None, id="before the first of the day"),
        pytest.param("2026-11-23T11:00", Past(last=utc("2026-11-23T09:00")), None, id="filled once"),
        pytest.param("2026-11-23T09:30", Past(last_slot=utc("2026-11-23T09:00")), None, id="filled, sent a bit before"),
        pytest.param("2026-11-23T11:00", Past(last=utc("2026-11-23T10:00")), None, id="by hand since the slot"),
        pytest.param(
            "2026-11-23T11:00", Past(last=utc("2026-11-23T08:00")), "2026-11-23T09:00", id="sent before the slot"
        ),
        pytest.param(
            "2026-11-26T18:00", Past(last=utc("2026-11-23T09:00")), "2026-11-26T17:00", id="of missed ones the latest"
        ),
        pytest.param("2026-11-23T12:00", Past(under_way=1), None, id="one is under way"),
    ],
)
def test_a_slot_is_filled_once_and_only_the_latest_missed_one(now: str, past: Past, planned: str | None) -> None:
    decision = only(choose([candidate(entered=utc(now), delay_from=utc(now))], past, rules(slots=SLOTS), utc(now)))
    assert decision.planned_for == (utc(planned) if planned else None)
    assert decision.choice is (Choice.PLAN if planned else Choice.WAIT)


def test_who_comes_after_the_slot_may_have_it_while_it_is_empty() -> None:
    late = candidate(entered=utc("2026-11-23T10:40"), delay_from=utc("2026-11-23T10:40"))
    decision = only(choose([late], Past(), rules(slots=SLOTS), utc("2026-11-23T10:45")))
    assert decision.planned_for == utc("2026-11-23T09:00")


@pytest.mark.parametrize(
    ("slot", "moments", "expected"),
    [
        pytest.param(time(2, 30), [berlin("2026-03-29T03:00")], utc("2026-03-29T01:00"), id="left out: after the gap"),
        pytest.param(time(2, 30), [berlin("2026-10-25T02:30")], utc("2026-10-25T00:30"), id="repeated: the first time"),
    ],
)
def test_a_slot_in_a_night_of_clock_change_comes_once(slot: time, moments: list[datetime], expected: datetime) -> None:
    pace = rules(zone=BERLIN, slots=(slot,))
    past, filled = Past(last=expected - HOUR), []
    for minute in range(180):
        now = moments[0] + minute * MINUTE
        decision = only(choose([candidate(entered=now, delay_from=now)], past, pace, now))
        if decision.planned_for:
            filled.append(decision.planned_for)
            past = Past(last=now, last_slot=decision.planned_for)
    assert filled == [expected]


def test_slots_obey_hours_gap_and_day_too() -> None:
    now = utc("2026-11-23T12:00")
    pace = rules(slots=SLOTS, min_gap=4 * HOUR)
    decision = only(choose([candidate()], Past(last=utc("2026-11-23T09:00")), pace, now))
    assert decision.choice is Choice.WAIT
    assert "min-gap: 4h" in decision.reason


# --- who is not considered --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "pace", "choice", "reason"),
    [
        pytest.param({"entered": NOON - 49 * HOUR}, {"max_age": 2 * DAY}, Choice.EXPIRE, "max-age:", id="too old"),
        pytest.param({"entered": NOON - 48 * HOUR}, {"max_age": 2 * DAY}, Choice.PLAN, "", id="just not too old"),
        pytest.param({"entered": NOON - 999 * DAY}, {}, Choice.PLAN, "", id="no limit of age"),
        pytest.param({"delay_from": NOON - 9 * MINUTE}, {"delay": 10 * MINUTE}, Choice.WAIT, "delay:", id="too young"),
        pytest.param({"delay_from": NOON - 10 * MINUTE}, {"delay": 10 * MINUTE}, Choice.PLAN, "", id="old enough"),
        pytest.param({}, {"approve": True}, Choice.HOLD, "approve:", id="wants approval"),
        pytest.param({"approved": True}, {"approve": True}, Choice.PLAN, "", id="approved"),
        pytest.param({"missing": True}, {}, Choice.WAIT, "missing:", id="its file was missed once"),
        pytest.param({"unwanted": "not-ready: gone"}, {}, Choice.CANCEL, "not-ready:", id="no longer ready"),
        pytest.param(
            {"unwanted": "front-matter: no", "entered": NOON - 9 * DAY},
            {"max_age": DAY},
            Choice.CANCEL,
            "front-matter:",
            id="unwanted before too old",
        ),
        pytest.param(
            {"missing": True, "entered": NOON - 9 * DAY}, {"max_age": DAY}, Choice.EXPIRE, "max-age:", id="old, missing"
        ),
        pytest.param(
            {"entered": NOON - 9 * DAY}, {"max_age": DAY, "approve": True}, Choice.EXPIRE, "max-age:", id="old, held"
        ),
    ],
)
def test_each_rule_says_its_name(
    fields: dict[str, object], pace: dict[str, object], choice: Choice, reason: str
) -> None:
    decision = only(choose([candidate(**fields)], Past(), rules(**pace), NOON))
    assert decision.choice is choice
    assert decision.reason.startswith(reason)


def test_what_was_planned_is_withdrawn_when_its_article_went_or_it_is_too_old_before_its_first_try() -> None:
    old = NOON - 9 * DAY
    placed = [
        candidate(1),
        candidate(2, unwanted="not-ready: its article is gone"),
        candidate(3, entered=old),
        candidate(4, entered=old, tried=True),  # `retry_for` says how long
        candidate(5, missing=True),
    ]
    verdicts = withdraw(placed, rules(max_age=DAY), NOON)
    assert [(one.candidate.delivery, one.choice) for one in verdicts] == [(2, Choice.CANCEL), (3, Choice.EXPIRE)]


# --- who wins ---------------------------------------------------------------------------------------------------------


def test_the_better_candidate_wins_and_the_loser_is_told_why() -> None:
    good = candidate(1, title="The ferry returns", description="x" * 200, has_image=True)
    poor = candidate(2, title="Notes")
    pace = rules(min_gap=2 * HOUR)
    decisions = choose([poor, good], Past(), pace, NOON)
    assert [one.candidate for one in decisions] == [good, poor]
    assert decisions[0].choice is Choice.PLAN
    assert decisions[0].planned_for == NOON
    assert decisions[1].choice is Choice.WAIT
    assert decisions[0].reason == (
        "score 99 = freshness 39 + image 15 + description 20 + author 10 + topic 15; hours, gap and day allow it;"
        " ahead of 1 other, of 'Notes' by 35: description +20, image +15"
    )
    assert decisions[1].reason == (
        "score 64 = freshness 39 + image 0 + description 0 + author 10 + topic 15; 'The ferry returns' is ahead"
        " by 35: description +20, image +15; next at Mon 23 Nov 14:00: min-gap: 2h after the last one"
    )


def test_of_many_the_chosen_tells_who_came_next_and_each_other_by_how_much_it_lost() -> None:
    waiting = [candidate(number, title=f"Number {number}", entered=NOON - number * 4 * HOUR) for number in range(1, 6)]
    first, *others = choose(waiting, Past(), rules(slots=(time(12),)), NOON)
    assert first.reason.endswith("; slot Mon 23 Nov 12:00; ahead of 4 others, of 'Number 2' by 4: freshness +4")
    told = [one.reason.split("; ")[1] for one in others]
    assert told == [f"'Number 1' is ahead by {by}: freshness +{by}" for by in (4, 7, 10, 14)]


def test_while_nothing_may_go_out_the_order_is_told_all_the_same() -> None:
    waiting = [candidate(1, has_image=True), candidate(2)]
    best, other = choose(waiting, Past(last=NOON), rules(slots=SLOTS), NOON)
    assert (best.candidate.delivery, best.choice, other.choice) == (1, Choice.WAIT, Choice.WAIT)
    assert best.reason.endswith("topic 15; next slot Mon 23 Nov 17:00")
    assert other.reason.endswith("'Number 1' is ahead by 15: image +15; next slot Mon 23 Nov 17:00")


def test_of_equals_the_newer_wins_whatever_their_order() -> None:
    older = candidate(1, released=NOON - 2 * HOUR)
    newer = candidate(2)
    for waiting in ([older, newer], [newer, older]):
        first, second = choose(waiting, Past(), rules(min_gap=HOUR), NOON)
        assert first.candidate == newer
        assert "'Number 2' is ahead by its date alone: the scores are equal" in second.reason


def test_without_pacing_everything_goes_at_once_oldest_first() -> None:
    waiting = [candidate(number, released=NOON - number * MINUTE) for number in range(1, 6)]
    decisions = choose(waiting, Past(last=NOON, today=99, under_way=3), rules(), NOON)
    assert [one.candidate.delivery for one in decisions] == [5, 4, 3, 2, 1]
    assert {one.planned_for for one in decisions} == {NOON}


def test_without_pacing_delay_and_approval_still_hold() -> None:
    waiting = [candidate(1, delay_from=NOON), candidate(2)]
    decided = by_delivery(choose(waiting, Past(), rules(delay=HOUR), NOON))
    assert (decided[1].choice, decided[2].choice) == (Choice.WAIT, Choice.PLAN)


def test_nobody_waits_and_nothing_is_decided() -> None:
    assert choose([], Past(), rules(min_gap=HOUR), NOON) == []
    assert choose([], Past(), rules(), NOON) == []


@pytest.mark.parametrize(
    ("past", "pace", "told"),
    [
        (Past(today=3), {"max_per_day": 3}, "max-per-day: 3 of 3 went out today"),
        (Past(last=NOON), {"min_gap": 2 * HOUR}, "next at Mon 23 Nov 14:00: min-gap: 2h after the last one"),
        (Past(), {"hours": (time(14), time(15))}, "next at Mon 23 Nov 14:00: hours: closed now"),
        (Past(under_way=1), {"min_gap": HOUR}, "another announcement of this channel is under way"),
        (Past(last=NOON), {"slots": SLOTS}, "next slot Mon 23 Nov 17:00"),
    ],
)
def test_a_channel_that_may_not_send_says_since_which_rule_and_until_when(
    past: Past, pace: dict[str, object], told: str
) -> None:
    assert told in only(choose([candidate()], past, rules(**pace), NOON)).reason


# --- near-twins -------------------------------------------------------------------------------------------------------

FERRY = "The ferry returns to the harbour"
AT_LAST = "Ferry returns to harbour at last"


@pytest.mark.parametrize(
    ("went_out", "choice"),
    [
        pytest.param(NOON, Choice.WAIT, id="just now"),
        pytest.param(NOON - 2 * DAY + MINUTE, Choice.WAIT, id="not quite two days ago"),
        pytest.param(NOON - 2 * DAY, Choice.PLAN, id="two days ago"),
        pytest.param(NOON + DAY, Choice.WAIT, id="tomorrow, by hand"),
        pytest.param(NOON + 2 * DAY, Choice.PLAN, id="in two days, by hand"),
    ],
)
@pytest.mark.parametrize("pace", [{}, {"min_gap": HOUR}, {"slots": SLOTS}])
def test_a_near_twin_waits_until_two_days_lie_between(
    went_out: datetime, choice: Choice, pace: dict[str, object]
) -> None:
    past = Past(recent=(Aired(title=AT_LAST, moment=went_out),))
    decision = only(choose([candidate(title=FERRY)], past, rules(**pace), NOON))
    assert decision.choice is choice
    if choice is Choice.WAIT:
        assert decision.again == went_out + 2 * DAY


def test_a_near_twin_is_told_of_what_and_until_when() -> None:
    past = Past(recent=(Aired(title=AT_LAST, moment=NOON - DAY),))
    decision = only(choose([candidate(title=FERRY)], past, rules(zone=BERLIN), NOON))
    assert decision.reason == (f"near-twin: of {AT_LAST!r} of Sun 22 Nov 13:00, free again Tue 24 Nov 13:00")


def test_of_several_twins_the_latest_holds_it_up() -> None:
    past = Past(recent=(Aired(title=FERRY, moment=NOON - DAY), Aired(title=AT_LAST, moment=NOON - HOUR)))
    assert only(choose([candidate(title=FERRY)], past, rules(), NOON)).again == NOON + 2 * DAY - HOUR


def test_without_pacing_the_first_of_two_near_twins_goes_and_the_other_waits() -> None:
    waiting = [
        candidate(1, title=AT_LAST, released=NOON - MINUTE), candidate(2, title=FERRY), candidate(3, title="Bees swarm")
    ]  # fmt: skip
    decided = by_delivery(choose(waiting, Past(), rules(), NOON))
    assert [decided[number].choice for number in (1, 2, 3)] == [Choice.WAIT, Choice.PLAN, Choice.PLAN]
    assert decided[1].reason.startswith(f"near-twin: of {FERRY!r}")


def test_a_slot_passes_a_near_twin_over_for_a_poorer_one() -> None:
    best = candidate(1, title=FERRY, description="x" * 100, has_image=True)
    past = Past(recent=(Aired(title=AT_LAST, moment=NOON - DAY),))
    decisions = choose([best, candidate(2, title="Bees swarm")], past, rules(slots=SLOTS), NOON)
    assert [(one.candidate.delivery, one.choice) for one in decisions] == [(2, Choice.PLAN), (1, Choice.WAIT)]


def test_a_near_twin_that_is_too_old_or_unwanted_is_told_so_first() -> None:
    past = Past(recent=(Aired(title=AT_LAST, moment=NOON - HOUR),))
    old = candidate(1, title=FERRY, entered=NOON - 3 * DAY)
    assert only(choose([old], past, rules(max_age=2 * DAY), NOON)).choice is Choice.EXPIRE


# --- the score --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "past", "part", "value"),
    [
        pytest.param({"entered": NOON}, Past(), "freshness", 40, id="new"),
        pytest.param({"entered": NOON - DAY}, Past(), "freshness", 20, id="half of max_age gone"),
        pytest.param({"entered": NOON - 5 * DAY}, Past(), "freshness", 0, id="stale"),
        pytest.param({"entered": NOON + HOUR}, Past(), "freshness", 40, id="from the future"),
        pytest.param({"has_image": True}, Past(), "image", 15, id="picture"),
        pytest.param({}, Past(), "image", 0, id="no picture"),
        pytest.param({"description": "x" * 60}, Past(), "description", 20, id="good length"),
        pytest.param({"description": "x" * 401}, Past(), "description", 10, id="too long"),
        pytest.param({"description": "x"}, Past(), "description", 10, id="too short"),
        pytest.param({}, Past(), "description", 0, id="none"),
        pytest.param({"authors": ("Ada",)}, Past(authors=("Bo",)), "author", 10, id="another author"),
        pytest.param({"authors": ("Ada", "Cy")}, Past(authors=("Bo", "Cy")), "author", 0, id="the author of late"),
        pytest.param({}, Past(authors=("Bo",)), "author", 10, id="nobody named"),
        pytest.param({"title": "Ferry returns"}, Past(titles=("Ferry returns",)), "topic", 0, id="the same words"),
        pytest.param({"title": "Ferry returns"}, Past(titles=("Bees swarm",)), "topic", 15, id="other words"),
    ],
)
def test_each_part_of_the_score(fields: dict[str, object], past: Past, part: str, value: int) -> None:
    assert getattr(score(candidate(**fields), past, rules(), NOON), part) == value


def test_the_best_that_can_be_is_100_and_the_sum_is_told() -> None:
    best = score(candidate(entered=NOON, has_image=True, description="x" * 100), Past(), rules(), NOON)
    assert best.total == 100
    assert str(best) == "score 100 = freshness 40 + image 15 + description 20 + author 10 + topic 15"


@pytest.mark.parametrize(
    ("length", "written"),
    [(2 * DAY, "2d"), (90 * MINUTE, "90m"), (36 * HOUR, "36h"), (timedelta(seconds=61), "61s"), (timedelta(0), "0s")],
)
def test_a_span_is_written_as_in_the_configuration(length: timedelta, written: str) -> None:
    assert span(length) == written


# --- whatever comes ---------------------------------------------------------------------------------------------------

moments = st.integers(0, 275 * 24 * 60).map(lambda minutes: datetime(2026, 3, 1, tzinfo=UTC) + minutes * MINUTE)
times = st.times().map(lambda one: one.replace(second=0, microsecond=0))
paces = st.builds(
    Pacing,
    zone=st.sampled_from([BERLIN, ZoneInfo("UTC"), ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")]),
    slots=st.lists(times, max_size=4, unique=True).map(tuple),
    hours=st.none() | st.tuples(times, times),
    min_gap=st.sampled_from([timedelta(0), MINUTE, 2 * HOUR, 30 * HOUR]),
    max_per_day=st.integers(0, 3),
    max_age=st.sampled_from([timedelta(0), 2 * DAY]),
    delay=st.sampled_from([timedelta(0), 10 * MINUTE]),
    approve=st.booleans(),
)
pasts = st.builds(
    Past,
    last=st.none() | moments,
    last_slot=st.none() | moments,
    today=st.integers(0, 4),
    under_way=st.integers(0, 1),
    authors=st.just(("Ada",)),
    titles=st.just(("The ferry returns",)),
    recent=st.lists(
        st.builds(Aired, title=st.sampled_from(["Number 1", "Number 3 again", FERRY]), moment=moments), max_size=3
    ).map(tuple),
)


@st.composite
def crowds(draw: st.DrawFn) -> list[Candidate]:
    return [
        candidate(
            number,
            title=draw(st.sampled_from([f"Number {number}", FERRY, AT_LAST])),
            released=draw(moments),
            entered=draw(moments),
            delay_from=draw(moments),
            authors=draw(st.sampled_from([(), ("Ada",), ("Bo",)])),
            approved=draw(st.booleans()),
            missing=draw(st.booleans()),
            unwanted=draw(st.sampled_from([None, None, "not-ready: gone"])),
            has_image=draw(st.booleans()),
        )
        for number in range(draw(st.integers(0, 5)))
    ]


def is_open(moment: datetime, hours: tuple[time, time], zone: ZoneInfo) -> bool:
    """Asked otherwise than the program does: minutes of the day round the clock."""
    start, end = (one.hour * 60 + one.minute for one in hours)
    local = moment.astimezone(zone)
    return start == end or (local.hour * 60 + local.minute - start) % 1440 < (end - start) % 1440


@given(crowds(), pasts, paces, moments)
def test_every_candidate_gets_one_decision_and_the_order_of_asking_changes_none(
    waiting: list[Candidate], past: Past, pace: Pacing, now: datetime
) -> None:
    decisions = choose(waiting, past, pace, now)
    assert sorted(one.candidate.delivery for one in decisions) == sorted(one.delivery for one in waiting)
    assert by_delivery(choose(waiting[::-1], past, pace, now)) == by_delivery(decisions)
    assert all(one.reason for one in decisions)
    assert all((one.choice is Choice.PLAN) == (one.planned_for is not None) for one in decisions)


@given(crowds(), pasts, paces, moments)
def test_a_paced_channel_plans_one_at_most_and_only_inside_its_rules(
    waiting: list[Candidate], past: Past, pace: Pacing, now: datetime
) -> None:
    planned = [one for one in choose(waiting, past, pace, now) if one.choice is Choice.PLAN]
    for one in planned:
        assert one.candidate.unwanted is None
        assert not one.candidate.missing
        assert one.candidate.approved or not pace.approve
        assert now >= one.candidate.delay_from + pace.delay
        assert one.planned_for is not None
        assert one.planned_for <= now
    if pace.unlimited:
        return
    assert len(planned) <= 1
    if planned:
        assert pace.hours is None or is_open(now, pace.hours, pace.zone)
        assert not past.last or not pace.min_gap or now >= past.last + pace.min_gap
        assert not pace.max_per_day or past.today < pace.max_per_day
        assert not past.under_way


@given(crowds(), pasts, paces, moments)
def test_what_is_planned_is_no_near_twin_of_anything_around_it(
    waiting: list[Candidate], past: Past, pace: Pacing, now: datetime
) -> None:
    titles = [one.candidate.title for one in choose(waiting, past, pace, now) if one.choice is Choice.PLAN]
    out = [one.title for one in past.recent if abs(now - one.moment) < 2 * DAY]
    assert not any(is_twin(one, other) for one, other in combinations(titles, 2))
    assert not any(is_twin(one, other) for one in titles for other in out)


@given(pasts, paces, moments)
def test_the_first_moment_allowed_is_never_past_and_is_allowed_when_it_comes(
    past: Past, pace: Pacing, now: datetime
) -> None:
    moment = earliest(past, pace, now)
    assert moment >= now
    assert pace.hours is None or is_open(moment, pace.hours, pace.zone)


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=8), paces)
def test_played_through_no_two_go_out_closer_than_the_gap(arrivals: list[int], pace: Pacing) -> None:
    """A channel lived minute by minute: what is chosen is sent at once."""
    start = berlin("2026-10-24T22:00")
    seen = [start + minutes * MINUTE for minutes in arrivals]
    waiting = [
        candidate(number, released=at, entered=at, delay_from=at, approved=True) for number, at in enumerate(seen)
    ]
    sent: list[datetime] = []
    for step in range(0, 3000, 20):
        now = start + step * MINUTE
        today = sum(1 for one in sent if one >= day_start(now, pace.zone))
        past = Past(last=sent[-1] if sent else None, last_slot=sent[-1] if sent else None, today=today)
        there = [one for one in waiting if one.entered <= now]
        chosen = [one.candidate for one in choose(there, past, pace, now) if one.choice is Choice.PLAN]
        sent += [now for _ in chosen]
        waiting = [one for one in waiting if one not in chosen]
    if pace.min_gap:
        assert all(later - earlier >= pace.min_gap for earlier, later in pairwise(sent))


@pytest.mark.parametrize("pace", [{"slots": SLOTS}, {}], ids=["paced", "unlimited"])
def test_a_thousand_candidates_are_decided_about_in_50_ms(pace: dict[str, object]) -> None:
    """Of this thread's own time, so that a busy machine does not count; the best of five."""
    nouns = ("harbour", "orchard", "lantern", "railway", "kitchen", "glacier", "library")
    verbs = ("returns", "closes", "wanders", "remembers", "changes")
    waiting = [
        candidate(
            number, title=f"The {nouns[number % 7]} {verbs[number % 5]} in street {number % 300}, for good",
            description="x" * (number % 500), has_image=number % 3 == 0, authors=(f"Writer {number % 20}",),
        )
        for number in range(1000)
    ]  # fmt: skip
    recent = tuple(
        Aired(title=f"A {nouns[number % 7]} story of {number}", moment=NOON - number * MINUTE) for number in range(360)
    )
    titles = tuple(one.title for one in recent[:10])
    spent = []
    for _ in range(5):
        begun = process_time()
        decisions = choose(waiting, Past(titles=titles, recent=recent, authors=("Writer 1",)), rules(**pace), NOON)
        spent.append(process_time() - begun)
    assert len(decisions) == 1000
    assert min(spent) < 0.05
