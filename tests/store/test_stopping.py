"""What a person has stopped grows no queue of old news: the slot is looked at again when he resumes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from syndicate.store import deliveries, pauses
from tests.store.room import HOUR, MINUTE, Room
from tests.store.rows import join


@pytest.fixture
async def room(make_room: Callable[..., Room]) -> Room:
    """An hour before the slot of a daily digest (08:00 UTC) that has one article and a reader."""
    made = make_room(email=True)
    made.now = made.now.replace(hour=6, minute=0)
    await made.scan()
    join(made.store, "ada")
    made.write("a.md")
    await made.scan(HOUR)
    return made


def editions(room: Room) -> list[str]:
    return [row["state"] for row in room.store.read_now(deliveries.listing, None, "email")]


@pytest.mark.parametrize("key", [pauses.EVERYTHING, "email", "digest:weekly"])
@pytest.mark.parametrize(("after", "frozen"), [(5 * HOUR, True), (7 * HOUR, False)])
async def test_a_slot_that_came_in_a_pause_is_filled_on_resuming_if_it_is_not_too_late(
    room: Room, key: str, after: timedelta, frozen: bool
) -> None:
    room.store.write_now(pauses.pause, key, "no", room.now)
    assert await room.freeze(HOUR + MINUTE) == []
    assert await room.freeze(after) == []
    assert editions(room) == []
    room.store.write_now(pauses.resume, key)
    made = await room.freeze()
    assert (bool(made), editions(room)) == ((True, ["claimed"]) if frozen else (False, []))
    if not frozen:  # digests.late_limit is 6h; its article is in the next
        assert await room.freeze(24 * HOUR - after) != []


@pytest.mark.parametrize("key", ["email", pauses.EVERYTHING])
async def test_a_fault_does_not_keep_an_edition_from_being_frozen(room: Room, key: str) -> None:
    room.store.write_now(pauses.by_fault, key, "535: login", room.now)
    assert await room.freeze(HOUR + MINUTE) != []


async def test_another_digests_pause_is_none_of_its_business(room: Room) -> None:
    room.store.write_now(pauses.pause, "digest:other", "no", room.now)
    assert await room.freeze(HOUR + MINUTE) != []
