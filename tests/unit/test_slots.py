"""Calendar slots: what schedules mean, and one run over each clock change."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syndicate.config import cron
from syndicate.config.schedule import in_words
from syndicate.slots import last_daily, last_slot, next_daily, next_slots

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
APIA = ZoneInfo("Pacific/Apia")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def walls(moments: list[datetime], zone: ZoneInfo) -> list[str]:
    return [f"{moment.astimezone(zone):%a %m-%d %H:%M %z}" for moment in moments]


@pytest.mark.parametrize(
    ("schedule", "expression"),
    [
        ("FRI 09:00", "0 9 * * 5"),
        ("sun 23:59", "59 23 * * 0"),
        ("Friday 9:05", "5 9 * * 5"),
        ("daily 09:00", "0 9 * * *"),
        ("0 9 * * FRI", "0 9 * * FRI"),
        ("  0  9 * * 1-5 ", "0 9 * * 1-5"),
        ("each", None),
    ],
)
def test_short_forms_stand_for_crontab_expressions(schedule, expression):
    assert cron(schedule) == expression


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("each", "every article as it appears"),
        ("FRI 09:00", "every Friday at 09:00"),
        ("daily 7:30", "every day at 07:30"),
        ("5 18 * * sun", "every Sunday at 18:05"),
        ("0 9 * * 0,7", "every Sunday at 09:00"),
        ("0 9 * * 1,3,FRI", "every Monday, Wednesday and Friday at 09:00"),
        ("0 9 * * MON-FRI", "Monday to Friday at 09:00"),
        ("0 9 1 * *", "on day 1 of each month at 09:00"),
        ("*/5 * * * *", ""),
        ("0 9,18 * * *", ""),
        ("0 9 1 1 *", ""),
        ("0 9 1 * MON", ""),
        ("0 9 * * MON#1", ""),
        ("0 9 * * 1-3,5", ""),
    ],
)
def test_a_schedule_is_told_to_readers_in_words_or_not_at_all(schedule, words):
    assert in_words(schedule) == words


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        ("", "is not a schedule"),
        ("weekly", "is not a schedule"),
        ("@daily", "is not a schedule"),
        ("FRY 09:00", "is not a weekday"),
        ("Friyay 09:00", "is not a weekday"),
        ("FRI 24:00", "is not a time of day"),
        ("FRI 0900", "is not a time of day"),
        ("0 9 * *", "is not a schedule"),
        ("0 0 9 * * *", "is not a schedule"),
        ("60 9 * * *", "bad minute"),
        ("0 9 * * 8", "bad day-of-week"),
        ("0 9 30 2 *", "day-of-month"),
        ("0 9 */0 * *", "bad day-of-month"),
        ("0 9 * * " + "1," * 200 + "1", "is not a schedule"),
        ("0 " + "9" * 190 + " * * *", "bad hour"),
    ],
)
def test_what_is_no_schedule_is_said_so(schedule, says):
    with pytest.raises(ValueError, match=says):
        cron(schedule)


@given(st.text(max_size=40) | st.from_regex(r"[0-9*,/#LW-]{1,6}( [0-9*,/#LWA-Z-]{1,6}){4}", fullmatch=True))
def test_any_text_is_a_schedule_or_a_value_error(text):
    try:
        expression = cron(text)
    except ValueError as error:
        assert str(error)
    else:
        assert expression is None or cron(expression) == expression


@pytest.mark.parametrize("weekday", ["0", "7", "SUN", "sun"])
def test_0_and_7_and_sun_are_sunday(weekday):
    found = next_slots(f"0 9 * * {weekday}", BERLIN, utc("2026-11-23 00:00"), 2)
    assert walls(found, BERLIN) == ["Sun 11-29 09:00 +0100", "Sun 12-06 09:00 +0100"]


def test_5_is_friday():
    assert walls(next_slots("0 9 * * 5", BERLIN, utc("2026-11-23 00:00"), 1), BERLIN) == ["Fri 11-27 09:00 +0100"]


NIGHTS = [
    # zone, schedule, after (UTC), the next moments on the wall
    (BERLIN, "30 2 * * *", "2026-03-28 12:00", ["Sun 03-29 03:00 +0200", "Mon 03-30 02:30 +0200"]),
    (BERLIN, "0 2 * * *", "2026-03-28 12:00", ["Sun 03-29 03:00 +0200", "Mon 03-30 02:00 +0200"]),
    (BERLIN, "0 3 * * *", "2026-03-28 12:00", ["Sun 03-29 03:00 +0200", "Mon 03-30 03:00 +0200"]),
    (BERLIN, "*/30 2 * * *", "2026-03-28 12:00", ["Sun 03-29 03:00 +0200", "Mon 03-30 02:00 +0200"]),
    (BERLIN, "*/30 * * * *", "2026-03-29 00:15", ["Sun 03-29 01:30 +0100", "Sun 03-29 03:00 +0200"]),
    (BERLIN, "30 2 * * *", "2026-10-24 12:00", ["Sun 10-25 02:30 +0200", "Mon 10-26 02:30 +0100"]),
    (BERLIN, "30 * * * *", "2026-10-25 00:00", ["Sun 10-25 02:30 +0200", "Sun 10-25 03:30 +0100"]),
    # 02:10 comes twice; after its second coming, 02:30 (second) is not a slot any more
    (BERLIN, "30 2 * * *", "2026-10-25 01:10", ["Mon 10-26 02:30 +0100", "Tue 10-27 02:30 +0100"]),
    (BERLIN, "0 3 * * *", "2026-10-24 12:00", ["Sun 10-25 03:00 +0100", "Mon 10-26 03:00 +0100"]),
    (NEW_YORK, "30 2 * * *", "2026-03-08 00:00", ["Sun 03-08 03:00 -0400", "Mon 03-09 02:30 -0400"]),
    (NEW_YORK, "30 1 * * *", "2026-11-01 00:00", ["Sun 11-01 01:30 -0400", "Mon 11-02 01:30 -0500"]),
    (NEW_YORK, "SUN 01:59", "2026-10-31 12:00", ["Sun 11-01 01:59 -0400", "Sun 11-08 01:59 -0500"]),
    (APIA, "daily 09:00", "2011-12-29 20:00", ["Sat 12-31 00:00 +1400", "Sat 12-31 09:00 +1400"]),  # no 30th at all
]


@pytest.mark.parametrize(("zone", "schedule", "after", "expected"), NIGHTS)
def test_a_clock_change_neither_loses_nor_doubles_a_slot(zone, schedule, after, expected):
    assert walls(next_slots(schedule, zone, utc(after), 2), zone) == expected


@pytest.mark.parametrize(
    ("schedule", "until", "expected"),
    [
        ("FRI 09:00", "2026-11-27 08:00:00", "2026-11-27 08:00"),  # at the very moment
        ("FRI 09:00", "2026-11-27 07:59:59.999999", "2026-11-20 08:00"),
        ("FRI 09:00", "2026-11-27 08:00:00.000001", "2026-11-27 08:00"),
        ("30 2 * * *", "2026-03-29 00:59:59", "2026-03-28 01:30"),  # the gap has not come yet
        ("30 2 * * *", "2026-03-29 01:00", "2026-03-29 01:00"),
        ("30 2 * * *", "2026-10-25 00:40", "2026-10-25 00:30"),
        ("50 2 * * *", "2026-10-25 01:10", "2026-10-25 00:50"),  # 02:10 again: 02:50 was an hour ago, and is over
        ("50 2 * * *", "2026-10-25 01:55", "2026-10-25 00:50"),
        ("0 9 29 2 *", "2027-01-01 00:00", "2024-02-29 08:00"),
    ],
)
def test_the_last_slot_is_the_latest_not_after(schedule, until, expected):
    assert last_slot(schedule, BERLIN, utc(until)) == utc(expected)


def test_each_has_no_slots():
    assert next_slots("each", BERLIN, utc("2026-11-23 00:00"), 3) == []
    assert last_slot("each", BERLIN, utc("2026-11-23 00:00")) is None


def test_no_times_of_day_give_no_moments():
    assert next_daily([], BERLIN, utc("2026-11-23 00:00"), 3) == []
    assert last_daily([], BERLIN, utc("2026-11-23 00:00")) is None


def test_daily_times_come_in_order_whatever_their_order():
    times = [time(16), time(9, 30)]
    found = next_daily(times, BERLIN, utc("2026-11-23 08:30"), 3)
    assert walls(found, BERLIN) == ["Mon 11-23 16:00 +0100", "Tue 11-24 09:30 +0100", "Tue 11-24 16:00 +0100"]
    assert last_daily(times, BERLIN, utc("2026-11-23 08:30")) == utc("2026-11-23 08:30")
    assert last_daily(times, BERLIN, utc("2026-11-23 08:29")) == utc("2026-11-22 15:00")


def test_daily_times_inside_a_gap_come_once_together():
    found = next_daily([time(2, 15), time(2, 45)], BERLIN, utc("2026-03-28 12:00"), 2)
    assert walls(found, BERLIN) == ["Sun 03-29 03:00 +0200", "Mon 03-30 02:15 +0200"]


zones = st.sampled_from(
    [
        BERLIN,
        NEW_YORK,
        ZoneInfo("UTC"),
        ZoneInfo("Australia/Lord_Howe"),
        ZoneInfo("Asia/Kolkata"),
        ZoneInfo("America/Havana"),
    ]
)
moments = st.integers(1_735_689_600, 1_830_000_000).map(lambda at: datetime.fromtimestamp(at, UTC)) | st.builds(
    # around the changes of Berlin and New York
    lambda start, seconds: start + timedelta(seconds=seconds),
    st.sampled_from(
        [utc("2026-03-29 01:00"), utc("2026-10-25 01:00"), utc("2026-03-08 07:00"), utc("2026-11-01 06:00")]
    ),
    st.integers(-7200, 7200),
)
of_day = st.builds(time, st.integers(0, 23), st.integers(0, 59))
schedules = st.builds(
    lambda day, at: f"{day} {at:%H:%M}", st.sampled_from(["daily", "SUN", "FRI"]), of_day
) | st.sampled_from(["*/7 * * * *", "30 * * * *", "15,45 1-3 * * *", "0 0 1 * *", "0 2 * 3,10 SUN"])


@given(schedules, zones, moments)
def test_next_and_last_agree(schedule, zone, moment):
    last = last_slot(schedule, zone, moment)
    assert last is not None
    following = next_slots(schedule, zone, moment, 3)
    assert last <= moment < following[0] < following[1] < following[2]
    assert next_slots(schedule, zone, last, 3) == following
    assert last_slot(schedule, zone, following[0]) == following[0]
    assert last_slot(schedule, zone, following[0] - timedelta(microseconds=1)) == last


@given(st.lists(of_day, min_size=1, max_size=5), zones, moments)
def test_daily_next_and_last_agree(times, zone, moment):
    last = last_daily(times, zone, moment)
    assert last is not None
    following = next_daily(times, zone, moment, 3)
    assert last <= moment < following[0] < following[1] < following[2]
    assert next_daily(times, zone, last, 3) == following
    assert last_daily(times, zone, following[1]) == following[1]


@settings(deadline=None)  # a year of days takes its time on a busy machine
@given(of_day, zones, st.integers(2025, 2027))
def test_a_daily_time_comes_exactly_once_on_every_day_of_the_year(at, zone, year):
    start = datetime(year, 1, 1, tzinfo=zone) - timedelta(microseconds=1)
    days = (date(year + 1, 1, 1) - date(year, 1, 1)).days
    found = next_daily([at], zone, start.astimezone(UTC), days)
    assert [moment.astimezone(zone).date() for moment in found] == [
        date(year, 1, 1) + timedelta(days=n) for n in range(days)
    ]
    assert found == next_slots(f"daily {at:%H:%M}", zone, start.astimezone(UTC), days)
