"""Approval is of a text: what a person did not see does not go out, whenever the article is edited."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from syndicate.deliver import PublicChannel, deliver
from syndicate.errors import Unavailable
from syndicate.pacing import EDITED, UNAPPROVED, Pacing
from syndicate.store import claims, deliveries, ledger
from syndicate.store.database import Store
from syndicate.store.owners import Owner
from tests.doubles.clock import TwoClocks
from tests.store.room import DAY, HOUR, MINUTE, Room
from tests.store.rows import NOON, begin, change, offer, set_article
from tests.store.rows import deliveries as rows
from tests.store.test_sending import POLICY, StageChannel


class EditedMeanwhile:
    """The ledger, while somebody edits the article just before its text is read for the post."""

    def __init__(self, store: Store, edit: Callable[[], Awaitable[None]]) -> None:
        self._store, self._edit = store, edit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def read(self, fn: Any, *arguments: Any) -> Any:
        if fn is claims.text:
            await self._edit()
        return await self._store.read(fn, *arguments)


class Newsroom:
    """A room that sends, with a channel that wants approval."""

    def __init__(self, room: Room, owner: Owner) -> None:
        self.room, self.owner = room, owner
        self.channel = StageChannel()

    async def send(self, store: Any = None) -> None:
        clock = TwoClocks()
        clock.moment = self.room.now
        public = PublicChannel(channel=self.channel, pacing=Pacing(zone=ZoneInfo("UTC"), approve=True), policy=POLICY)
        await deliver(public, store or self.room.store, self.owner, clock, random.Random(1), asyncio.Event())

    async def edit(self) -> None:
        self.room.write("a.md", "Two")
        await self.room.scan(MINUTE)

    @property
    def texts(self) -> list[str]:
        """Titles of what reached the world, tries that failed too."""
        return [payload["title"] for _, _, payload in self.channel.world]

    @property
    def stands(self) -> tuple[str, str | None]:
        row = self.room.row("a.md")
        return row["state"], row["error"]


@pytest.fixture
async def newsroom(make_room: Callable[..., Room], store: Store) -> AsyncIterator[Newsroom]:
    room = make_room(approve=True)
    await room.scan()
    room.write("a.md", "One")
    await room.look(HOUR)
    owner = Owner(store, TwoClocks(), "run")
    owner.open()
    yield Newsroom(room, owner)
    owner.close()


async def test_what_was_approved_goes_out(newsroom: Newsroom) -> None:
    assert newsroom.stands == ("held", UNAPPROVED)
    newsroom.room.approve("a.md")
    await newsroom.room.look(MINUTE)
    await newsroom.send()
    assert (newsroom.stands[0], newsroom.texts) == ("sent", ["One"])


@pytest.mark.parametrize("when", ["before planning", "before the claim", "before the text is read", "after a try"])
async def test_an_edit_undoes_the_approval_until_a_person_has_looked_again(newsroom: Newsroom, when: str) -> None:
    room = newsroom.room
    room.approve("a.md")
    if when != "before planning":
        await room.plan()
    if when == "after a try":
        newsroom.channel.acts.append(Unavailable("busy"))
        await newsroom.send()
        room.now += HOUR
    tried = newsroom.texts
    if when == "before the text is read":
        await newsroom.send(EditedMeanwhile(room.store, newsroom.edit))
        assert newsroom.stands == ("held", EDITED)
    else:
        await newsroom.edit()
        await newsroom.send()  # before any planning has seen the edit
    await room.plan()
    assert newsroom.stands == ("held", EDITED)
    await room.look(HOUR)
    await newsroom.send()
    assert newsroom.texts == tried
    room.approve("a.md")
    await room.look(HOUR)
    await newsroom.send()
    assert (newsroom.stands[0], newsroom.texts[len(tried) :]) == ("sent", ["Two"])


async def test_the_approved_text_come_back_is_approved_still(newsroom: Newsroom) -> None:
    newsroom.room.approve("a.md")
    await newsroom.edit()
    await newsroom.room.plan()
    assert newsroom.stands == ("held", EDITED)
    newsroom.room.write("a.md", "One")
    await newsroom.room.look(HOUR)
    assert newsroom.stands[0] == "planned"


@pytest.mark.parametrize("verb", ["put", "retry"])
async def test_who_sends_by_hand_approves_of_the_text_as_it_is_and_keeps_his_moment(
    newsroom: Newsroom, verb: str
) -> None:
    room = newsroom.room
    friday = room.now + 2 * DAY
    delivery_id = room.row("a.md")["id"]
    if verb == "put":
        row = {"id": room.article("a.md").id, "title": "One"}
        room.store.write_now(deliveries.put, "linkedin", row, friday, room.now, again=False)
    else:
        room.store.write_now(deliveries.cancel, delivery_id)
        room.store.write_now(deliveries.retry, delivery_id, friday)
    await room.plan()
    assert newsroom.stands[0] == "planned"
    await newsroom.edit()
    await room.plan()
    assert newsroom.stands == ("held", EDITED)
    room.approve("a.md")
    row = room.row("a.md")
    assert (row["state"], row["planned_for"]) == ("planned", friday)
    room.now = friday
    await newsroom.send()
    assert newsroom.texts == ["Two"]


def test_what_a_person_approves_too_late_for_its_moment_is_due_at_once(store: Store) -> None:
    begin(store)
    offer(store, 1, 2)
    change(store, 1, 2, state="held", reason="quarantined: x", by_hand=True, planned_for=NOON - DAY)
    set_article(store, 2, hash="other")
    store.write_now(ledger.approve_held, ["id-1", "id-2"], NOON)
    found = rows(store).values()
    assert [(row.state, row.planned_for, row.due_at, row.approved_hash) for row in found] == [
        ("planned", NOON, NOON, "hash-1"),
        ("planned", NOON, NOON, "other"),
    ]


async def test_without_the_wish_for_approval_an_edit_stops_nothing(make_room: Callable[..., Room]) -> None:
    room = make_room()
    await room.scan()
    room.write("a.md", "One")
    await room.look(HOUR)
    room.write("a.md", "Two")
    await room.look(MINUTE)
    assert room.owed() == {"a.md": "planned"}
