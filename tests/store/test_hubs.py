"""Hubs are told of the bytes that are served: once, again until they take it, never instead of publishing."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from syndicate import feeds, health
from syndicate.fetch import Fetcher
from syndicate.hubs import LEASE, Teller, reachable
from syndicate.publish import publish_if_changed
from syndicate.store import hubs
from syndicate.store.database import Store
from syndicate.store.owners import Owner
from tests.doubles.clock import StillClock, TwoClocks
from tests.doubles.hub import Hub
from tests.doubles.website import Website, said, website
from tests.store.conftest import Database
from tests.store.room import HOUR, MINUTE, Room

NAMES = ["feed.xml", "atom.xml", "feed.json"]


class Press:
    """A newsroom whose feeds a web server shows, and a hub."""

    def __init__(self, room: Room, hub: Hub, site: Website, owner: Owner, fetcher: Fetcher, clock: StillClock) -> None:
        self.room = room
        self.hub = hub
        self.site = site
        self.owner = owner
        self.fetcher = fetcher
        self.clock = clock
        self.teller = self.another()

    def another(self, store: Store | None = None, owner: str = "") -> Teller:
        """What another process would have, or this one after a death."""
        return Teller(
            store or self.room.store, self.fetcher, self.room.settings, owner or self.owner.id, self.clock
        )  # fmt: skip

    async def news(self, *, upload: bool = True) -> dict[str, bytes]:
        """Something new, published; what the files hold now."""
        self.room.write(f"{random.random()}.md")
        await self.room.scan(HOUR)
        assert (await publish_if_changed(self.room.store, self.room.settings)).written
        files = {name: (self.room.settings.output_folder / name).read_bytes() for name in feeds.MEDIA_TYPES}
        moment = self.clock.moment.timestamp()
        for name in files:
            os.utime(self.room.settings.output_folder / name, (moment, moment))
        if upload:
            self.upload(files)
        return files

    def upload(self, files: dict[str, bytes]) -> None:
        self.site.pages |= {f"/{name}": said(200, content) for name, content in files.items()}

    async def tell(self, after: timedelta = timedelta(0)) -> int:
        self.clock.moment += after
        return await self.teller.tell_due()

    def known(self) -> hubs.Known:
        return self.room.store.read_now(hubs.known, [self.hub.url], self.clock.moment)[self.hub.url]

    def problems(self) -> list[str]:
        found = self.room.store.read_now(health.problems, self.room.settings, self.clock.moment)
        return [one.text for one in found if one.key.startswith("hub:")]


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        yield hub


@pytest.fixture
async def make(
    make_room: Callable[..., Room], hub: Hub, store: Store, owner: Owner, clock: TwoClocks
) -> AsyncIterator[Callable[..., Press]]:
    async with website() as site, AsyncExitStack() as stack:
        fetcher = Fetcher(clock, random.Random(7), "syndicate/test")
        stack.push_async_callback(fetcher.aclose)

        def made(*, enabled: bool = True) -> Press:
            more = (
                f'[feeds]\nhubs = ["{hub.url}"]\n[web]\nenabled = {str(enabled).lower()}\npublic_url = "{site.url}"\n'
            )
            return Press(make_room(more=more), hub, site, owner, fetcher, clock)

        yield made


@pytest.fixture
async def press(make: Callable[..., Press]) -> Press:
    return make()


async def test_a_hub_gets_the_new_bytes_when_it_asks_for_what_it_was_told_of(press: Press) -> None:
    assert await press.tell() == 0
    for times in (1, 2):
        files = await press.news()
        assert await press.tell() == 1
        assert press.hub.pings[-3:] == [(f"{press.site.url}/{name}", files[name]) for name in NAMES]
        assert len(press.hub.pings) == 3 * times
    assert await press.tell(HOUR) == 0
    assert press.known().due_at is None


async def test_a_hub_that_refuses_is_asked_less_and_less_often_and_shown_until_it_takes_it(press: Press) -> None:
    press.hub.faults = ["404"] * 5
    await press.news()
    for wait in (1, 2, 4, 8, 16):
        assert press.problems() == []
        assert await press.tell() == 0
        asked = press.hub.asked
        assert await press.tell(wait * MINUTE - timedelta(seconds=1)) == 0
        assert press.hub.asked == asked
        press.clock.moment += timedelta(seconds=1)
    (problem,) = press.problems()
    assert f"feeds.hubs: {press.hub.url.rstrip('/')} has not taken the news 5 times: it answers 404" in problem
    await press.news()  # and what it is told of then is what is there by then
    assert await press.tell() == 1
    assert press.problems() == []
    assert (await press.tell(HOUR), len(press.hub.pings)) == (0, 3)


async def test_a_hub_that_wants_to_be_left_alone_is(press: Press) -> None:
    press.hub.faults = ["429:1800"]
    await press.news()
    assert await press.tell() == 0
    assert await press.tell(29 * MINUTE) == 0
    assert press.hub.asked == 1
    assert await press.tell(MINUTE) == 1


async def test_a_hub_that_breaks_off_is_asked_again_within_seconds(press: Press) -> None:
    press.hub.faults = ["drop", "503"]
    await press.news()
    assert await press.tell() == 1
    assert (press.hub.asked, len(press.hub.pings)) == (5, 3)


async def test_nobody_is_told_while_the_site_shows_other_bytes(make: Callable[..., Press]) -> None:
    press = make(enabled=False)
    files = await press.news(upload=False)
    assert await press.tell() == 0
    press.upload(dict.fromkeys(files, b"former"))
    assert await press.tell(MINUTE) == 0
    assert press.hub.asked == 0
    press.upload(files)
    assert await press.tell(MINUTE) == 1
    await press.news(upload=False)  # this one never gets there
    for _ in range(9):
        assert await press.tell(MINUTE) == 0
    press.hub.faults = ["204"] * 3
    assert await press.tell(MINUTE) == 1


async def test_where_we_serve_ourselves_an_address_that_cannot_be_asked_from_here_is_believed(press: Press) -> None:
    await press.news(upload=False)  # 404, as a firewall might answer to us alone
    press.hub.take = lambda form: None  # type: ignore[method-assign]
    assert await press.tell() == 1


async def test_whoever_dies_before_between_or_after_the_ping_loses_none(press: Press, database: Database) -> None:
    await press.news()
    assert await press.another().tell_due() == 1  # nothing but the files said that there is news
    await press.news()
    store = database.open()
    dead = Owner(store, TwoClocks(), "run")
    dead.open()
    now = press.clock.moment
    store.write_now(hubs.note, [press.hub.url], "mark", now)
    assert store.write_now(hubs.claim, [press.hub.url], dead.id, now, now + LEASE) == [(press.hub.url, 0)]
    assert await press.tell() == 0  # he lives
    dead.close()
    assert await press.tell() == 1
    assert (len(press.hub.pings), await press.another().tell_due()) == (6, 0)


async def test_of_two_machines_one_tells(press: Press, database: Database) -> None:
    store = database.open()
    second = Owner(store, TwoClocks(), "run")
    second.open()
    other = press.another(store, second.id)
    await press.news()
    assert [await press.tell(), await other.tell_due(), await press.tell(), await other.tell_due()] == [1, 0, 0, 0]
    now = press.clock.moment
    press.room.store.write_now(hubs.note, [press.hub.url], "another mark", now)
    assert press.room.store.write_now(hubs.claim, [press.hub.url], press.owner.id, now, now + LEASE)
    assert store.write_now(hubs.claim, [press.hub.url], second.id, now, now + LEASE) == []
    store.write_now(hubs.told, press.hub.url, second.id, "another mark")  # who has not claimed settles nothing
    assert press.known().due_at == now + LEASE
    second.close()


async def test_two_machines_that_show_different_bytes_each_tell_once(press: Press, tmp_path: Path) -> None:
    await press.news()
    settings = press.room.settings
    stuck = settings.model_copy(update={"feeds": settings.feeds.model_copy(update={"output": tmp_path / "stuck"})})
    shutil.copytree(settings.output_folder, stuck.output_folder)
    old = Teller(press.room.store, press.fetcher, stuck, press.owner.id, press.clock)
    assert [await old.tell_due(), await press.tell()] == [1, 0]
    await press.news()
    assert [await press.tell(), await old.tell_due(), await press.tell()] == [1, 0, 0]
    press.clock.moment += HOUR
    restarted = Teller(press.room.store, press.fetcher, stuck, press.owner.id, press.clock)
    assert [await restarted.tell_due(), await press.tell(), await restarted.tell_due()] == [1, 0, 0]


def test_nothing_leaves_the_machine_while_the_feeds_are_on_no_other(make_room: Callable[..., Room]) -> None:
    there, here = "https://hub.example/", "http://127.0.0.1:9/"
    more = f'[feeds]\nhubs = ["{there}", "{here}"]\n'
    assert list(reachable(make_room(more=more).settings)) == [here]
    more += '[web]\npublic_url = "https://news.example.org"\n'
    assert list(reachable(make_room(more=more).settings)) == [there, here]
