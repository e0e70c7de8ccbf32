"""Editions: each released article is covered once, by the slot it belongs to, whatever happened to the slots before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from syndicate.freeze import Due, due_window, freeze, freeze_due, window_by_hand
from syndicate.store import deliveries, editions, ledger, letters, stories
from syndicate.store.database import open_store
from syndicate.store.schema import edition_articles
from syndicate.store.schema import editions as table
from tests.store.room import DAY, HOUR, MINUTE, Room
from tests.store.rows import join, open_mailings

Make = Callable[..., Room]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


# The digest's slot is 09:00 in Berlin, 08:00 UTC; rooms open on the 24th at 08:00.
MONDAY = utc("2026-11-23T15:00")
SLOTS = [utc(f"2026-11-{day}T08:00") for day in (24, 25, 26, 27, 28)]


def held(room: Room, *, live: bool | None = None) -> dict[str, list[str]]:
    """Edition -> titles in it, cards first."""
    titles = {one.id: one.title for one in room.all().values()}

    def read(connection: Connection) -> dict[str, list[str]]:
        e = edition_articles.c
        found: dict[str, list[str]] = {}
        query = select(edition_articles).order_by(e.edition, e.place, e.position)
        for row in connection.execute(query if live is None else query.where(e.live == live)):
            found.setdefault(row.edition, []).append(titles[row.article])
        return found

    return room.store.read_now(read)


def slots(room: Room) -> Mapping[datetime, tuple[str, str | None]]:
    def read(connection: Connection) -> Mapping[datetime, tuple[str, str | None]]:
        rows = connection.execute(select(table).where(table.c.slot.is_not(None)))
        return {row.slot: (row.state, row.reason) for row in rows}

    return room.store.read_now(read)


@pytest.fixture
async def digest(make_room: Make) -> Room:
    """A live weekly digest, begun the day before its slot, with a reader."""
    room = make_room(email=True)
    join(room.store, "ada")
    room.now = MONDAY
    await room.look()
    return room


async def add(room: Room, *names: str, after: Any = MINUTE) -> None:
    for name in names:
        room.write(f"{name}.md")
    await room.scan(after)


async def at(room: Room, moment: datetime) -> list[str]:
    room.now = moment
    await room.scan()
    return await room.freeze()


# --- windows ----------------------------------------------------------------------------------------------------------


async def test_an_edition_holds_what_was_released_up_to_its_slot(digest: Room) -> None:
    await add(digest, "a", "b")
    assert await digest.freeze() == []  # its slot has not come
    digest.now = SLOTS[0] + MINUTE
    await add(digest, "late", after=MINUTE)
    assert await digest.freeze() == ["weekly-2026-11-24"]
    assert sorted(held(digest)["weekly-2026-11-24"]) == ["a", "b"]
    assert await digest.freeze() == []  # once
    assert await at(digest, SLOTS[1]) == ["weekly-2026-11-25"]
    assert held(digest)["weekly-2026-11-25"] == ["late"]


async def test_its_text_and_its_letters_are_frozen_with_it(digest: Room) -> None:
    await add(digest, "a")
    await at(digest, SLOTS[0])
    [row] = digest.store.read_now(deliveries.listing, None, "email")
    assert (row["kind"], row["subject"], row["state"], row["planned_for"]) == (
        "edition",
        "weekly-2026-11-24",
        "claimed",
        SLOTS[0],
    )
    assert row["people"] == {"due": 1}
    [mailing] = open_mailings(digest.store, digest.now)
    assert mailing.digest == "weekly"


async def test_nothing_older_than_the_digest_is_in_it(make_room: Make) -> None:
    room = make_room()
    room.now = MONDAY - DAY
    await room.scan()
    await add(room, "before")
    room.configure(room.content.parent, email=True)
    room.now = MONDAY
    await room.look()
    await add(room, "after")
    await at(room, SLOTS[0])
    assert held(room) == {"weekly-2026-11-24": ["after"]}


async def test_the_baseline_is_in_no_edition_of_the_calendar(make_room: Make) -> None:
    room = make_room(email=True)
    room.now = MONDAY
    room.write("old.md")
    await room.look()
    assert await at(room, SLOTS[0]) == []
    assert slots(room)[SLOTS[0]] == ("skipped", "skipped: 0 new articles, 1 are the least")


async def test_a_first_scan_that_announces_is_covered_once(make_room: Make) -> None:
    room = make_room(email=True, first_run="announce")
    room.now = MONDAY
    for day in (1, 9, 19):
        room.write(f"{day}.md", created_date=f"2026-11-{day:02}")
    await room.look()
    await at(room, SLOTS[0])
    assert held(room) == {"weekly-2026-11-24": ["19", "9", "1"]}
    await add(room, "new")
    await at(room, SLOTS[1])
    assert held(room)["weekly-2026-11-25"] == ["new"]


async def test_a_second_source_that_announces_dated_back_is_covered_by_the_next_edition(
    make_room: Make, tmp_path: Path
) -> None:
    room = make_room(email=True, first_run="announce")
    room.now = MONDAY
    await room.look()
    await add(room, "a")
    await at(room, SLOTS[0])
    second = tmp_path / "second"
    second.mkdir()
    room.configure(tmp_path, email=True, first_run="announce", more='[[sources]]\nname = "second"\npath = "second"\n')
    first, room.content = room.content, second
    room.write("old.md", created_date="2026-10-01")
    room.content = first
    await room.scan(HOUR)
    assert room.article("old.md").released == utc("2026-09-30T22:00")
    await at(room, SLOTS[1])
    assert held(room)["weekly-2026-11-25"] == ["old"]
    await add(room, "c")
    await at(room, SLOTS[2])
    assert held(room)["weekly-2026-11-26"] == ["c"]


async def test_a_slot_with_too_little_is_skipped_and_leaves_it_to_the_next(make_room: Make) -> None:
    room = make_room(email=True, least=2)
    join(room.store, "ada")
    room.now = MONDAY
    await room.look()
    await add(room, "a")
    assert await at(room, SLOTS[0]) == []
    assert slots(room)[SLOTS[0]] == ("skipped", "skipped: 1 new articles, 2 are the least")
    await add(room, "b")
    assert await room.freeze() == []  # the slot is done
    await at(room, SLOTS[1])
    assert sorted(held(room)["weekly-2026-11-25"]) == ["a", "b"]


async def test_a_slot_missed_for_too_long_expires_and_leaves_it_to_the_next(digest: Room) -> None:
    await add(digest, "a")
    assert await at(digest, SLOTS[0] + 6 * HOUR + MINUTE) == []
    state, reason = slots(digest)[SLOTS[0]]
    assert state == "expired"
    assert reason is not None
    assert "late_limit is 6h" in reason
    await at(digest, SLOTS[1])
    assert held(digest) == {"weekly-2026-11-25": ["a"]}


async def test_a_slot_missed_for_a_while_is_made_up_for(digest: Room) -> None:
    await add(digest, "a")
    assert await at(digest, SLOTS[0] + 6 * HOUR) == ["weekly-2026-11-24"]


async def test_of_many_missed_slots_only_the_latest_is_made(digest: Room) -> None:
    await add(digest, "a")
    assert await at(digest, SLOTS[3] + HOUR) == ["weekly-2026-11-27"]
    assert list(slots(digest)) == [SLOTS[3]]
    assert await digest.freeze() == []


async def test_a_slot_long_before_the_digest_began_is_no_slot(make_room: Make) -> None:
    room = make_room(email=True)
    room.now = SLOTS[0] + 9 * HOUR
    await room.look()
    assert slots(room) == {}


async def test_what_is_counted_is_covered_and_does_not_come_again(make_room: Make) -> None:
    room = make_room(email=True, cards=1)  # one card, one headline
    room.now = MONDAY
    await room.look()
    await add(room, "a", "b", "c", "d")
    await at(room, SLOTS[0])
    assert len(held(room)["weekly-2026-11-24"]) == 2
    await add(room, "e")
    await at(room, SLOTS[1])
    assert held(room)["weekly-2026-11-25"] == ["e"]


async def test_no_near_twin_is_in_an_edition_or_in_the_next_within_two_days_and_both_are_told_why(digest: Room) -> None:
    digest.write("a.md", "The ferry returns to the harbour", description="x" * 80)
    digest.write("b.md", "Ferry returns to harbour at last")
    await digest.scan()
    await at(digest, SLOTS[0])
    digest.write("c.md", "The ferry returns to its harbour")
    await add(digest, "d")
    await at(digest, SLOTS[1])
    await add(digest, "e")
    await at(digest, SLOTS[2])
    digest.write("f.md", "Now the ferry returns to harbour", description="x" * 80)
    await digest.scan(MINUTE)
    await at(digest, SLOTS[3])
    assert list(held(digest).values()) == [
        ["The ferry returns to the harbour"], ["d"], ["e"], ["Now the ferry returns to harbour"]
    ]  # fmt: skip
    story = digest.store.read_now(stories.of_article, digest.article("a.md").id)
    [told] = [one.text for one in story if one.what == "edition"]
    assert told.startswith("weekly-2026-11-24: card: score 71 = freshness 26 + image 0 + description 20 + ")


async def test_articles_that_do_not_want_email_are_in_no_edition(digest: Room) -> None:
    digest.write("a.md", syndicate="{channels: [linkedin]}")
    await add(digest, "b")
    await at(digest, SLOTS[0])
    assert held(digest) == {"weekly-2026-11-24": ["b"]}


async def test_a_file_that_was_missed_once_is_not_in_it(digest: Room) -> None:
    await add(digest, "a", "b")
    digest.remove("b.md")
    await digest.scan(HOUR)
    assert await digest.freeze(SLOTS[0] - digest.now) == ["weekly-2026-11-24"]
    assert held(digest) == {"weekly-2026-11-24": ["a"]}


# --- rehearsals -------------------------------------------------------------------------------------------------------


async def test_rehearsed_editions_use_nothing_up(make_room: Make) -> None:
    room = make_room(email=True, live=False)
    join(room.store, "ada")
    room.now = MONDAY
    await room.look()
    await add(room, "a")
    assert await at(room, SLOTS[0]) == ["weekly-2026-11-24"]
    room.configure(room.content.parent, email=True, live=True)
    await add(room, "b", after=HOUR)
    assert await at(room, SLOTS[1]) == ["weekly-2026-11-25"]
    assert held(room, live=True) == {"weekly-2026-11-25": ["b"]}  # a is from before email went live
    by_hand = room.store.read_now(window_by_hand, room.press, room.settings.digests[0], room.now)
    assert [one.title for one in by_hand.contents.cards] == ["a"]


async def test_rehearsals_follow_each_other_like_editions(make_room: Make) -> None:
    room = make_room(email=True, live=False)
    room.now = MONDAY
    await room.look()
    await add(room, "a")
    await at(room, SLOTS[0])
    await add(room, "b")
    await at(room, SLOTS[1])
    assert held(room) == {"weekly-2026-11-24": ["a"], "weekly-2026-11-25": ["b"]}


# --- by hand ----------------------------------------------------------------------------------------------------------


async def make_by_hand(room: Room) -> int | None:
    digest = room.settings.digests[0]
    window = room.store.read_now(window_by_hand, room.press, digest, room.now)
    if window.due is Due.SKIP:
        return None
    return await freeze(room.press, room.store, digest, window, room.now, by_hand=True)


async def test_by_hand_it_holds_all_that_was_in_none_baseline_and_counted_ones_too(make_room: Make) -> None:
    room = make_room(email=True, cards=1)
    room.now = MONDAY
    room.write("old.md", created_date="2026-01-01")
    await room.look()
    await add(room, "a", "b", "c")
    await at(room, SLOTS[0])
    first = set(held(room)["weekly-2026-11-24"])
    room.configure(room.content.parent, email=True, cards=9)
    assert await make_by_hand(room) is not None
    assert set(held(room)["weekly-2026-11-24-2"]) == {"old", "a", "b", "c"} - first
    assert await make_by_hand(room) is None


async def test_by_hand_leaves_the_calendar_its_window(digest: Room) -> None:
    await add(digest, "a")
    await make_by_hand(digest)
    await add(digest, "b")
    assert await at(digest, SLOTS[0]) == ["weekly-2026-11-24"]
    assert held(digest) == {"weekly-2026-11-23": ["a"], "weekly-2026-11-24": ["b"]}


# --- at once ----------------------------------------------------------------------------------------------------------


async def test_two_processes_freeze_one_slot_as_one_edition(digest: Room) -> None:
    await add(digest, "a")
    digest.now = SLOTS[0]
    beside = open_store(digest.store.house, upgrade=False)
    made = await asyncio.gather(*(freeze_due(digest.press, one, digest.now) for one in (digest.store, beside)))
    beside.close()
    assert sorted(made) == [[], ["weekly-2026-11-24"]]
    assert digest.store.read_now(editions.count) == 1
    assert digest.store.read_now(letters.counts) == {"due": 1}


async def test_two_by_hand_at_once_share_no_article(digest: Room) -> None:
    await add(digest, "a", "b")
    made = await asyncio.gather(make_by_hand(digest), make_by_hand(digest))
    assert sorted(one is None for one in made) == [False, True]
    assert digest.store.read_now(editions.count) == 1


async def test_what_went_between_choosing_and_freezing_is_not_sent(digest: Room) -> None:
    await add(digest, "a", "b")
    digest.now = SLOTS[0]
    settings = digest.settings.digests[0]
    window = digest.store.read_now(due_window, digest.press, settings, digest.now)
    assert window is not None
    digest.reject("b.md")
    assert await freeze(digest.press, digest.store, settings, window, digest.now) is None
    assert await digest.freeze() == ["weekly-2026-11-24"]
    assert held(digest) == {"weekly-2026-11-24": ["a"]}


async def test_a_channel_that_goes_live_begins_there(make_room: Make) -> None:
    room = make_room(email=True, live=False)
    room.now = MONDAY
    await room.look()
    await add(room, "before")
    room.configure(room.content.parent, email=True, live=True)
    room.now = SLOTS[0] - HOUR
    assert await room.scan() is not None
    assert room.store.read_now(letters.channel_since) == room.now
    await add(room, "after")
    await at(room, SLOTS[0])
    assert held(room) == {"weekly-2026-11-24": ["after"]}
    assert not room.store.read_now(ledger.channels_differ, {"email": True, "linkedin": True})
