"""What is done between composing and the first byte: once, before the request is frozen, and never in a doubt's way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from syndicate.errors import InDoubt, Unavailable
from syndicate.store import pauses
from syndicate.store.database import Store
from syndicate.store.owners import Owner
from tests.doubles.clock import TwoClocks
from tests.store.rows import HOUR, LINKEDIN, MINUTE, NOON, attempts, planned, states
from tests.store.test_sending import Desk, StageChannel


class Uploading(StageChannel):
    """Adds a picture to what it composed, as long as there is none."""

    def __init__(self, *acts: Any, upload: Callable[[], Any] = lambda: None, **more: Any) -> None:
        super().__init__(*acts, **more)
        self.uploads = 0
        self.upload = upload

    async def prepare(self, key: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        if "picture" in payload:
            return payload
        self.upload()
        self.uploads += 1
        return {**payload, "picture": self.uploads}


Deliver = Callable[..., Any]


@pytest.fixture
def deliver_on(store: Store, owner: Owner, clock: TwoClocks) -> Deliver:
    return lambda channel, after=timedelta(0): Desk(store, owner, clock, channel).deliver(after)


async def test_what_was_prepared_is_frozen_and_not_prepared_again(store: Store, deliver_on: Deliver) -> None:
    planned(store, 1)
    channel = Uploading(Unavailable("busy", status=429), InDoubt("no answer"))
    for after in (0, 5, 2):
        await deliver_on(channel, after * MINUTE)
    assert channel.uploads == 1
    assert [(verb, payload["picture"]) for verb, _, payload in channel.world] == [
        ("send", 1), ("send", 1), ("reconcile", 1),
    ]  # fmt: skip
    assert states(store) == {1: "sent"}


async def test_a_repeat_in_doubt_is_not_prepared(store: Store, deliver_on: Deliver) -> None:
    planned(store, 1)
    bare = StageChannel(InDoubt("no answer"))
    await deliver_on(bare)
    channel = Uploading()
    await deliver_on(channel, MINUTE)
    assert channel.uploads == 0
    ((verb, _, payload),) = channel.world
    assert verb == "reconcile"
    assert payload == bare.world[0][2]


async def test_what_concerns_the_channel_pauses_it_before_anything_is_tried(store: Store, deliver_on: Deliver) -> None:
    planned(store, 1)

    def refuse() -> None:
        raise Unavailable("401", status=401, pauses="log in again")

    channel = Uploading(upload=refuse)
    await deliver_on(channel)
    assert channel.world == []
    assert states(store) == {1: "planned"}
    assert attempts(store, 1) == []
    assert "log in again" in store.read_now(pauses.standing)["linkedin"]


async def test_a_probe_that_came_no_further_than_preparing_was_the_probe(store: Store, deliver_on: Deliver) -> None:
    planned(store, 1, 2, 3)
    store.write_now(pauses.by_fault, LINKEDIN, "it does not work", NOON - HOUR)
    asked = []

    def refuse() -> None:
        asked.append("upload")
        raise Unavailable("busy", status=429)

    await deliver_on(Uploading(upload=refuse))
    assert len(asked) == 1


async def test_a_preparation_that_fails_in_no_known_way_does_not_stop_the_post(
    store: Store, deliver_on: Deliver
) -> None:
    planned(store, 1)
    channel = Uploading(upload=lambda: 1 // 0)
    await deliver_on(channel)
    assert states(store) == {1: "sent"}
    assert "picture" not in channel.world[0][2]


async def test_whoever_lost_the_lease_while_preparing_sends_nothing(
    store: Store, deliver_on: Deliver, clock: TwoClocks
) -> None:
    planned(store, 1)
    channel = Uploading(upload=lambda: clock.pass_by(60))
    await deliver_on(channel)
    assert channel.world == []
    assert states(store) == {1: "planned"}


async def test_what_waits_for_a_hand_is_not_prepared(store: Store, deliver_on: Deliver) -> None:
    planned(store, 1)
    channel = Uploading(by_hand=True)
    await deliver_on(channel)
    assert (channel.uploads, states(store)) == (0, {1: "held"})
