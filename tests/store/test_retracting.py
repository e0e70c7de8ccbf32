"""retract against a real ledger: who is at work on the article meanwhile, and what is written of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from syndicate.deliver import PublicChannel, deliver
from syndicate.errors import InDoubt, Unavailable
from syndicate.pacing import Pacing
from syndicate.retract import Retraction, beyond_recall, retract
from syndicate.store import claims, deliveries
from syndicate.store.owners import Owner
from tests.doubles.clock import TwoClocks
from tests.store.room import HOUR, MINUTE, Room
from tests.store.test_sending import POLICY, RECEIPT, StageChannel


class RetractedMeanwhile:
    """The ledger, while somebody takes the article back just before its text is read for the post."""

    def __init__(self, room: Room, undo: Callable[[], Awaitable[object]]) -> None:
        self._store, self._undo = room.store, undo

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def read(self, fn: Any, *arguments: Any) -> Any:
        if fn is claims.text:
            undoing = asyncio.create_task(self._undo())  # it waits until the claim is settled
            await asyncio.sleep(0.3)
            self.undoing = undoing
        return await self._store.read(fn, *arguments)


class Newsroom:
    """A room with one planned article, and a process that sends."""

    def __init__(self, room: Room, owner: Owner) -> None:
        self.room, self.owner = room, owner
        self.channel = StageChannel()
        self.clock = TwoClocks()

    async def send(self, store: Any = None) -> None:
        self.clock.moment = self.room.now
        public = PublicChannel(channel=self.channel, pacing=Pacing(zone=ZoneInfo("UTC")), policy=POLICY)
        await deliver(public, store or self.room.store, self.owner, self.clock, random.Random(1), asyncio.Event())

    async def retract(self) -> Retraction:
        self.room.now += MINUTE
        clock = TwoClocks()
        clock.moment = self.room.now
        clock.sleep = asyncio.sleep  # type: ignore[method-assign]  # it waits for another process
        return await retract(
            self.room.article("a.md").id, self.room.settings, self.room.store, self.room.desk,
            {"linkedin": self.channel}, clock,
        )  # fmt: skip

    @property
    def reached(self) -> list[tuple[str, str]]:
        return [(verb, key) for verb, key, _ in self.channel.world]

    @property
    def row(self) -> Any:
        return self.room.row("a.md")


@pytest.fixture
async def newsroom(room: Room) -> AsyncIterator[Newsroom]:
    room.write("a.md")
    await room.look(HOUR)
    owner = Owner(room.store, TwoClocks(), "run")
    owner.open()
    yield Newsroom(room, owner)
    owner.close()


async def test_what_was_sent_is_deleted_once_and_stays_sent(newsroom: Newsroom) -> None:
    await newsroom.send()
    done = await newsroom.retract()
    assert (done.complete, [post.why for post in done.posts]) == (True, [None])
    assert newsroom.reached[1:] == [("retract", RECEIPT.external_id)]
    assert (newsroom.row["state"], newsroom.row["retracted_at"]) == ("sent", newsroom.room.now)
    assert newsroom.room.states() == {"a.md": "rejected"}
    again = await newsroom.retract()
    assert (again.complete, again.posts, len(newsroom.reached)) == (True, (), 2)


async def test_what_waits_never_goes_out(newsroom: Newsroom) -> None:
    done = await newsroom.retract()
    assert done.cancelled == (newsroom.row["id"],)
    assert (newsroom.row["state"], newsroom.row["error"]) == ("cancelled", "retracted")
    await newsroom.send()
    assert newsroom.reached == []


async def test_a_claim_that_has_not_begun_does_not_begin(newsroom: Newsroom) -> None:
    meanwhile = RetractedMeanwhile(newsroom.room, newsroom.retract)
    await newsroom.send(meanwhile)
    done = await meanwhile.undoing
    assert newsroom.reached == []
    assert (done.complete, done.cancelled, newsroom.row["state"]) == (True, (newsroom.row["id"],), "cancelled")


async def test_a_doubt_is_not_repeated_and_left_to_a_person(newsroom: Newsroom) -> None:
    newsroom.channel.acts.append(InDoubt("no answer"))
    await newsroom.send()
    done = await newsroom.retract()
    assert any(f"deliveries resolve {newsroom.row['id']}" in line for line in beyond_recall(done.traces))
    await newsroom.send()
    assert newsroom.reached == [("send", f"linkedin-{newsroom.row['id']}")]
    url = "https://example.org/post"
    newsroom.room.store.write_now(deliveries.resolve, newsroom.row["id"], url, newsroom.room.now)
    await newsroom.retract()
    assert newsroom.reached[1:] == [("retract", url)]


@pytest.mark.parametrize("failure", [Unavailable("busy", pauses="set a token"), RuntimeError("a defect")])
async def test_what_fails_is_told_and_tried_again(newsroom: Newsroom, failure: Exception) -> None:
    await newsroom.send()
    newsroom.channel.acts.append(failure)
    done = await newsroom.retract()
    assert not done.complete
    assert [str(failure) in (post.why or "") for post in done.posts] == [True]
    assert newsroom.row["retracted_at"] is None
    done = await newsroom.retract()
    assert done.complete
    assert newsroom.row["retracted_at"] is not None
