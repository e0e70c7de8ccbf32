"""Editions that wait for a person: nothing goes out before his word, and only the text that he could see."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, select

from syndicate import forecast, health
from syndicate.freeze import freeze_due, hold_anew, release_due, what_now
from syndicate.publics import paces
from syndicate.store import deliveries, editions, holding, letters, pauses
from syndicate.store.database import open_store
from syndicate.store.holding import Waiting
from syndicate.store.schema import deliveries as rows
from syndicate.store.schema import editions as table
from tests.store.room import DAY, HOUR, MINUTE, Room
from tests.store.rows import join
from tests.store.test_editions import MONDAY, SLOTS, add, at, held

Make = Callable[..., Room]


@pytest.fixture
async def room(make_room: Make) -> Room:
    """A live weekly digest of which every edition must be approved, begun the day before its slot, with a reader."""
    return await opened(make_room)


async def opened(make_room: Make, keys: str = "", **more: Any) -> Room:
    room = make_room(email=True, keys=f"approve = true\n{keys}", **more)
    join(room.store, "ada")
    room.now = MONDAY
    await room.look()
    return room


def waiting(room: Room) -> list[Waiting]:
    return room.store.read_now(holding.waiting)


def one_of(room: Room) -> Waiting:
    [one] = waiting(room)
    return one


def approve(room: Room) -> bool:
    return room.store.write_now(holding.approve, one_of(room), room.now)


async def release(room: Room) -> list[str]:
    return await release_due(room.press, room.store, room.now)


def state(room: Room, slug: str = "weekly-2026-11-24") -> tuple[str, str, str | None]:
    """Of the edition and of its delivery, and why."""

    def read(connection: Connection) -> tuple[str, str, str | None]:
        both = select(table.c.state, rows.c.state, rows.c.reason).join_from(table, rows, rows.c.subject == table.c.slug)
        return tuple(connection.execute(both.where(table.c.slug == slug)).one())

    return room.store.read_now(read)


def payload(room: Room) -> dict[str, Any]:
    latest = select(rows.c.payload).where(rows.c.channel == "email").order_by(rows.c.id.desc()).limit(1)
    return json.loads(room.store.read_now(lambda c: c.scalars(latest).one()))


def coming(room: Room) -> list[forecast.Row]:
    """What mail is foreseen."""
    rows = room.store.read_now(forecast.forecast, room.settings, paces(room.settings), room.now, 1)
    return [row for row in rows if row.channel == "email"]


# --- waiting ----------------------------------------------------------------------------------------------------------


async def test_it_waits_without_letters_and_is_mailed_when_a_person_approves(room: Room) -> None:
    await add(room, "a")
    assert await at(room, SLOTS[0]) == []
    [problem] = room.store.read_now(health.problems, room.settings, room.now)
    assert problem.text == (
        "edition weekly-2026-11-24 waits for you: `syndicate preview --digest weekly-2026-11-24`, then"
        " `syndicate approve weekly-2026-11-24`, until Tue 24 Nov 15:00"
    )
    [row] = coming(room)
    assert (row.title, row.state, row.planned_for) == ("a", "held", SLOTS[0])
    room.now += HOUR
    assert await room.freeze() == []
    assert await release(room) == []
    assert room.store.read_now(letters.counts) == {}
    assert approve(room)
    assert await release(room) == ["weekly-2026-11-24"]
    assert room.store.read_now(letters.counts) == {"due": 1}
    assert state(room) == ("frozen", "claimed", None)
    assert payload(room)["date"] == room.now.isoformat()
    assert waiting(room) == []
    assert await release(room) == []


async def test_who_joins_until_it_is_approved_gets_it_too(room: Room) -> None:
    await add(room, "a")
    await at(room, SLOTS[0])
    join(room.store, "ben")
    assert approve(room)
    await release(room)
    assert room.store.read_now(letters.counts) == {"due": 2}


async def test_the_next_window_goes_on_where_the_approved_one_ended(room: Room) -> None:
    await add(room, "a")
    await at(room, SLOTS[0])
    await add(room, "b")
    assert approve(room)
    await release(room)
    await at(room, SLOTS[1])
    assert held(room) == {"weekly-2026-11-24": ["a"], "weekly-2026-11-25": ["b"]}


@pytest.mark.parametrize(("late", "reason"), [
    (6 * HOUR + MINUTE, "expired: nobody approved it within digests.late_limit (6h)"),
    (DAY, "expired: nobody approved it within digests.late_limit (6h)"),
])  # fmt: skip
async def test_one_that_nobody_approves_leaves_its_articles_to_the_next(room: Room, late: Any, reason: str) -> None:
    await add(room, "a")
    await at(room, SLOTS[0])
    await at(room, SLOTS[0] + late)
    assert state(room) == ("expired", "expired", reason)
    await at(room, SLOTS[1])
    assert held(room, live=True) == {"weekly-2026-11-25": ["a"]}


async def test_a_new_slot_ends_the_one_before_that_nobody_approved(make_room: Make) -> None:
    room = await opened(make_room, schedule="0 9,11 * * *")
    await add(room, "a")
    await at(room, SLOTS[0])
    await add(room, "b")
    await at(room, SLOTS[0] + 2 * HOUR)
    assert state(room) == ("expired", "expired", "expired: nobody approved it before the next one's turn")
    assert {slug: sorted(titles) for slug, titles in held(room, live=True).items()} == {
        "weekly-2026-11-24-2": ["a", "b"]
    }


async def test_an_approved_one_that_was_stopped_too_long_does_not_go_out_as_old_news(room: Room) -> None:
    await add(room, "a")
    await at(room, SLOTS[0])
    assert approve(room)
    room.store.write_now(pauses.pause, "digest:weekly", "wait", room.now)
    assert await release(room) == []
    room.now += 7 * HOUR
    room.store.write_now(pauses.resume, "digest:weekly")
    assert await release(room) == []
    await room.freeze()
    assert state(room)[0] == "expired"


async def test_cancelled_it_is_skipped_and_leaves_its_articles_to_the_next(room: Room) -> None:
    await add(room, "a")
    await at(room, SLOTS[0])
    told = room.store.write_now(deliveries.cancel, one_of(room).delivery)
    assert "cancelled" in told
    assert state(room) == ("skipped", "cancelled", "cancelled by hand")
    await at(room, SLOTS[1])
    assert held(room, live=True) == {"weekly-2026-11-25": ["a"]}


async def test_what_waited_when_email_went_live_is_given_up(make_room: Make) -> None:
    room = await opened(make_room, live=False)
    await add(room, "a")
    await at(room, SLOTS[0])
    room.configure(room.content.parent, email=True, keys="approve = true")
    await room.scan(MINUTE)
    assert not approve(room) or await release(room) == []
    await room.freeze()
    assert state(room) == ("skipped", "skipped", "before-live: the channel went live after it")


# --- its text ---------------------------------------------------------------------------------------------------------


async def test_an_edited_article_holds_it_anew_with_the_text_of_now(room: Room) -> None:
    room.write("a.md", description="The first words of it.")
    await room.scan()
    await at(room, SLOTS[0])
    assert approve(room)
    room.write("a.md", description="Quite other words of it.")
    await room.scan()
    assert await release(room) == []  # not with a text that is not the article's any more
    await room.freeze()
    assert state(room)[1] == "held"
    assert (state(room)[2] or "").startswith("approve: edited since: ")
    assert "Quite other words" in payload(room)["html"]
    assert approve(room)
    assert await release(room) == ["weekly-2026-11-24"]


async def test_an_article_that_is_taken_back_leaves_it_and_the_last_one_ends_it(room: Room) -> None:
    await add(room, "a", "b")
    await at(room, SLOTS[0])
    assert approve(room)
    room.reject("b.md")
    assert await release(room) == []
    await room.freeze()
    assert held(room) == {"weekly-2026-11-24": ["a"]}
    assert state(room)[1] == "held"
    room.reject("a.md")
    assert not approve(room)
    await room.freeze()
    assert state(room)[0] == "skipped"


async def test_by_hand_an_edition_takes_nothing_from_one_that_waits(room: Room) -> None:
    from syndicate.freeze import windows_by_hand

    await add(room, "a")
    await at(room, SLOTS[0])
    assert room.store.read_now(windows_by_hand, room.press, room.settings.digests[0], room.now) == []
    await add(room, "b")
    [window] = room.store.read_now(windows_by_hand, room.press, room.settings.digests[0], room.now)
    assert [one.title for one in window.contents.cards] == ["b"]


# --- with a proof -----------------------------------------------------------------------------------------------------


async def test_with_a_proof_it_waits_before_its_slot_and_is_mailed_at_it(make_room: Make) -> None:
    room = await opened(make_room, 'proof = "2h"', more='[alerts]\nemail = "me@example.net"\n')
    await add(room, "a")
    await at(room, SLOTS[0] - 2 * HOUR - MINUTE)
    assert waiting(room) == []
    await at(room, SLOTS[0] - 2 * HOUR)
    assert approve(room)
    assert one_of(room).due_at == SLOTS[0]
    await add(room, "b", after=HOUR)
    await room.freeze()
    assert await release(room) == []
    assert {row.title: row.planned_for for row in coming(room)} == {"a": SLOTS[0], "b": SLOTS[1]}
    room.now = SLOTS[0]
    assert await release(room) == ["weekly-2026-11-24"]
    assert await at(room, SLOTS[0] + MINUTE) == []
    await at(room, SLOTS[1])
    assert held(room) == {"weekly-2026-11-24": ["a"], "weekly-2026-11-25": ["b"]}


# --- at once ----------------------------------------------------------------------------------------------------------


async def test_two_processes_hold_one_slot_as_one_edition_and_approve_it_once(room: Room) -> None:
    await add(room, "a")
    room.now = SLOTS[0]
    beside = open_store(room.store.house, upgrade=False)
    stores = (room.store, beside)
    await asyncio.gather(*(freeze_due(room.press, one, room.now) for one in stores))
    one = one_of(room)
    approved = await asyncio.gather(*(store.write(holding.approve, one, room.now) for store in stores))
    assert sorted(approved) == [False, True]
    released = await asyncio.gather(*(release_due(room.press, store, room.now) for store in stores))
    beside.close()
    assert sorted(released) == [[], ["weekly-2026-11-24"]]
    assert room.store.read_now(letters.counts) == {"due": 1}
    assert room.store.read_now(editions.count) == 1


async def test_what_somebody_approved_of_a_text_that_was_just_replaced_is_not_approved(room: Room) -> None:
    await add(room, "a")
    await at(room, SLOTS[0])
    seen = one_of(room)
    room.write("a.md", description="Other words.")
    await room.scan()
    assert not room.store.write_now(holding.approve, seen, room.now)
    digest = room.settings.digests[0]
    window = room.store.read_now(what_now, room.press, digest, seen, room.now)
    assert not isinstance(window, tuple)
    assert window is not None
    both = (hold_anew(room.press, room.store, digest, seen, window, room.now) for _ in range(2))
    assert sorted(await asyncio.gather(*both)) == [False, True]
    assert not room.store.write_now(holding.approve, seen, room.now)
    assert approve(room)
