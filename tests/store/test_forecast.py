"""What will go out when: the forecast is held to what happens then."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from syndicate import config, pacing
from syndicate.forecast import Row, forecast
from syndicate.publics import paces
from syndicate.store import claims, deliveries, pauses
from tests.store.room import DAY, HOUR, MINUTE, Room
from tests.store.rows import sent

Make = Callable[..., Room]
QUARTER = 15 * MINUTE


def foresee(room: Room, days: int = 3) -> list[Row]:
    rules = paces(room.settings)
    return room.store.read_now(forecast, room.settings, rules, room.now, days)


def on(rows: list[Row], channel: str = "linkedin") -> dict[str, Row]:
    return {row.title: row for row in rows if row.channel == channel}


async def live_through(room: Room, length: timedelta) -> list[tuple[str, datetime]]:
    """A pass every quarter of an hour: plan, send; returns what went out and when."""
    titles = {one.id: one.title for one in room.all().values()}
    pace, out, until = paces(room.settings)["linkedin"], [], room.now + length
    while room.now <= until:
        now = room.now
        await room.plan()
        claim = room.store.write_now(
            claims.claim_one, "linkedin", "me", True, now, pacing.day_start(now, pace.zone),
            lambda past: pacing.earliest(past, pace, now),  # noqa: B023 - used at once
        )  # fmt: skip
        if claim:
            assert room.store.write_now(claims.begin_attempt, claim, {"v": 1}, now)
            assert room.store.write_now(claims.record, claim, sent(now), now)
            out.append((titles[claim.subject], now))
        room.now += QUARTER
    return out


PACES = {
    "gap": 'min_gap = "2h"',
    "hours": 'hours = "08:00-11:30"\nmin_gap = "90m"',
    "day": 'max_per_day = 2\nmin_gap = "0s"\nhours = "00:00-24:00"',
    "slots": 'slots = ["09:00", "12:30", "23:59"]\nmin_gap = "0s"',
    "all": 'slots = ["09:00", "12:30"]\nhours = "10:00-18:00"\nmin_gap = "3h"\nmax_per_day = 1',
}


def with_pace(make: Make, name: str, **settings: object) -> Room:
    room = make(**settings)
    path = room.content.parent / "syndicate.toml"
    lines = path.read_text(encoding="utf-8").splitlines()
    pace = PACES.get(name, name)
    keys = {line.split(" = ")[0] for line in pace.splitlines()}
    kept = [line for line in lines if line.split(" = ")[0] not in keys]
    at = kept.index("[linkedin]") + 1
    path.write_text("\n".join([*kept[:at], pace, *kept[at:]]) + "\n", encoding="utf-8")
    room.settings = config.load(path, {})
    return room


@pytest.mark.parametrize("name", PACES)
async def test_what_is_foreseen_happens(make_room: Make, name: str) -> None:
    room = with_pace(make_room, name)
    await room.scan()
    for number in range(5):
        room.write(f"{number}.md", f"Number {number}", description="x" * (number * 40))
    await room.scan(HOUR)
    rows = [row for row in foresee(room, 2) if row.state == "planned"]
    assert rows
    happened = await live_through(room, 2 * DAY)
    assert [title for title, _ in happened] == [row.title for row in rows]
    for (_, at), row in zip(happened, rows, strict=True):
        assert row.planned_for is not None
        late = name == "all" or (name == "slots" and row is rows[0])  # its slot had come before
        assert timedelta(0) <= at - row.planned_for <= (DAY if late else QUARTER)


async def test_the_delay_is_foreseen(make_room: Make) -> None:
    room = make_room(delay="10m")
    await room.scan()
    room.write("a.md")
    await room.scan(HOUR)
    seen = on(foresee(room))["a"]
    assert (seen.state, seen.planned_for) == ("planned", room.now + 10 * MINUTE)


async def test_who_finds_no_place_is_told_why(make_room: Make) -> None:
    room = with_pace(make_room, "day")
    await room.scan()
    for number in range(5):
        room.write(f"{number}.md")
    await room.scan(HOUR)
    states = [row.state for row in foresee(room, 1)]
    assert states.count("planned") == 4
    [waiting] = [row for row in foresee(room, 1) if row.state == "waiting"]
    assert "is ahead by its date alone" in waiting.reason


async def test_what_waits_for_a_person_waits_in_the_forecast_too_and_costs_no_time(make_room: Make) -> None:
    room = make_room(approve=True, max_new=1000)
    await room.scan()
    for number in range(300):
        room.write(f"{number}.md")
    await room.scan(HOUR)
    begun = time.monotonic()
    rows = foresee(room, 14)
    assert time.monotonic() - begun < 2
    assert {row.state for row in rows} == {"held"}
    assert all(row.reason.startswith("approve:") for row in rows)


async def test_who_grows_too_old_is_told_what_he_waited_for(make_room: Make) -> None:
    room = with_pace(make_room, "slots", approve=True)
    await room.scan()
    room.write("a.md")
    await room.scan(HOUR)
    assert [(row.state, row.reason) for row in foresee(room, 7)] == [
        ("expired", "approve: waits for a person's approval; then max-age: waited longer than 2d for its turn")
    ]


async def test_one_that_is_planned_already_goes_first_and_sets_the_pace(room: Room) -> None:
    room.write("a.md")
    await room.look()
    room.write("b.md")
    await room.scan()
    rows = on(foresee(room))
    assert (rows["a"].state, rows["b"].state) == ("planned", "planned")
    assert rows["b"].planned_for == room.now + 2 * HOUR


@pytest.mark.parametrize("key", ["linkedin", pauses.EVERYTHING, pauses.CLOCK])
async def test_a_pause_is_told_with_each_row(room: Room, key: str) -> None:
    room.write("a.md")
    await room.scan()
    room.store.write_now(pauses.pause, key, "holiday", room.now)
    assert on(foresee(room))["a"].reason.startswith("paused: holiday; ")


async def test_the_next_edition_is_foreseen(make_room: Make) -> None:
    room = make_room(email=True, cards=1)
    await room.scan()
    for number in range(3):
        room.write(f"{number}.md")
    await room.look(HOUR)
    rows = on(foresee(room), "email")
    parts = "score 46 = freshness 21 + image 0 + description 0 + author 10 + topic 15"
    told = sorted((row.state, row.reason) for row in rows.values())
    assert told[:2] == [("planned", f"weekly: card: {parts}"), ("planned", f"weekly: headline: {parts}")]
    [headline] = [row.title for row in rows.values() if "headline" in row.reason]
    ahead = f"{headline!r} is ahead by its date alone: the scores are equal"
    assert told[2:] == [("waiting", f"weekly: only counted: {parts}; {ahead}")]
    slot = {row.planned_for for row in rows.values() if row.planned_for}
    assert slot == {datetime.fromisoformat("2026-11-25T08:00:00+00:00")}


@pytest.mark.parametrize("key", ["all", "email", "digest:weekly"])
async def test_a_pause_of_a_digest_is_told_with_its_articles_alone(make_room: Make, key: str) -> None:
    room = make_room(email=True)
    await room.scan()
    room.write("a.md")
    await room.scan(HOUR)
    room.store.write_now(pauses.pause, key, "holiday", room.now)
    rows = foresee(room)
    assert on(rows, "email")["a"].reason.startswith("paused: holiday; weekly: card: score ")
    assert on(rows)["a"].reason.startswith("paused: holiday; ") is (key == "all")


async def test_an_edition_that_would_hold_too_little_is_foreseen_as_none(make_room: Make) -> None:
    room = make_room(email=True, least=2)
    await room.scan()
    room.write("a.md")
    await room.scan(HOUR)
    row = on(foresee(room), "email")["a"]
    assert (row.state, row.planned_for) == ("waiting", None)
    assert row.reason.startswith("weekly: skipped unless more come, 2 are the least; card: score ")


async def test_letters_that_were_put_on_a_later_day_by_hand_are_foreseen(make_room: Make) -> None:
    room = make_room(email=True, first_run="baseline")
    room.write("a.md")
    await room.scan()
    one = {"id": room.article("a.md").id, "title": "a"}
    room.store.write_now(deliveries.put, "email", one, room.now + DAY, room.now, again=False)
    [row] = foresee(room)
    assert (row.channel, row.state, row.planned_for, row.reason) == ("email", "planned", room.now + DAY, "by hand")


@pytest.mark.parametrize("pace", ['min_gap = "2h"', 'slots = ["09:00", "12:30"]\nmin_gap = "0s"'])
async def test_near_twins_are_foreseen_two_days_apart_and_so_it_happens(make_room: Make, pace: str) -> None:
    room = with_pace(make_room, f'{pace}\nmax_age = "0s"')
    await room.scan()
    room.write("a.md", "The ferry returns to the harbour", description="x" * 80)
    room.write("b.md", "Ferry returns to harbour at last")
    room.write("c.md", "Bees swarm over the town")
    await room.scan(HOUR)
    rows = {row.title: row.planned_for for row in foresee(room, 3)}
    first, twin = rows["The ferry returns to the harbour"], rows["Ferry returns to harbour at last"]
    assert first is not None
    assert twin is not None
    assert twin - first >= 2 * DAY
    happened = dict(await live_through(room, 3 * DAY))
    assert set(happened) == set(rows)
    late = happened["Ferry returns to harbour at last"] - twin  # the slot had come an hour before it was free
    assert timedelta(0) <= late <= HOUR
    assert happened["Ferry returns to harbour at last"] - happened["The ferry returns to the harbour"] >= 2 * DAY


async def test_nothing_is_stored(room: Room) -> None:
    room.write("a.md")
    await room.scan()
    before = room.owed()
    assert foresee(room) == foresee(room)
    assert room.owed() == before == {"a.md": "waiting"}
