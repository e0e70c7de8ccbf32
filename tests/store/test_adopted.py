"""Moving from another feed: its ids are read before ours are shown, given once, and kept whatever comes."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from syndicate import adopting, config, health
from syndicate.app import make_looker
from syndicate.errors import SyndicateError
from syndicate.publish import Published, publish, publish_if_changed
from syndicate.store import adopted
from syndicate.store.database import Store
from tests.doubles.clock import StillClock
from tests.doubles.website import Website, moved, said, website
from tests.store.conftest import Database
from tests.store.room import HOUR, MINUTE, Room

Make = Callable[..., Room]


class Site:
    """A site that moves: its former feed beside a newsroom that reads its folder."""

    def __init__(self, room: Room, old: Website) -> None:
        self.room = room
        self.old = old
        self.clock = StillClock(room.now)

    @property
    def settings(self) -> config.Settings:
        return self.room.settings

    def shows(self, *items: tuple[str, str], status: int = 200) -> None:
        """What the former feed says: slugs with their ids, newest first."""
        listed = [{"id": known, "url": f"http://www.example.org/{slug}", "content_text": "x"} for slug, known in items]
        text = json.dumps({"version": "https://jsonfeed.org/version/1", "title": "Old", "items": listed})
        self.old.pages["/index.json"] = said(status, text.encode())

    async def learn(self, after: timedelta = timedelta(0), *, first: bool = False) -> bool:
        self.clock.moment += after
        looker = make_looker(self.settings)
        try:
            return await adopting.learn(
                self.room.store, looker, self.settings, self.clock, random.Random(7), first=first
            )  # fmt: skip
        finally:
            await looker.aclose()

    async def publish(self) -> Published:
        return await publish_if_changed(self.room.store, self.settings)

    def ids(self) -> dict[str, str]:
        """What our JSON Feed shows: id by slug."""
        feed = json.loads((self.settings.output_folder / "feed.json").read_text(encoding="utf-8"))
        return {item["url"].rstrip("/").rpartition("/")[2]: item["id"] for item in feed["items"]}

    def own(self, path: str) -> str:
        return f"urn:uuid:{self.room.article(path).id}"

    def problems(self) -> list[str]:
        found = self.room.store.read_now(health.problems, self.settings, self.clock.moment)
        return [one.text for one in found if one.key == "feeds.adopt"]


@pytest.fixture
async def site(make_room: Make, tmp_path: Any) -> AsyncIterator[Site]:
    async with website() as old:
        site = Site(make_room(more=f'[feeds]\nadopt = "{old.url}/index.json"'), old)
        site.room.write("one.md")
        site.room.write("two.md")
        await site.room.scan()
        yield site


async def test_an_item_with_the_same_link_keeps_its_id_in_all_formats(site: Site) -> None:
    site.shows(("one/", "https://example.org/?p=1"), ("elsewhere/", "9"))
    assert await site.learn(first=True)
    await site.publish()
    assert site.ids() == {"one": "https://example.org/?p=1", "two": site.own("two.md")}
    folder = site.settings.output_folder
    assert b'<guid isPermaLink="false">https://example.org/?p=1</guid>' in (folder / "feed.xml").read_bytes()
    assert b"<id>https://example.org/?p=1</id>" in (folder / "atom.xml").read_bytes()
    assert site.room.store.read_now(adopted.reading, site.settings.feeds.adopt).read_at == site.clock.moment


async def test_atom_keeps_its_own_id_where_the_former_is_no_iri(site: Site) -> None:
    site.shows(("one/", "5f3e8a9c1b2d"))
    await site.learn(first=True)
    await site.publish()
    atom = (site.settings.output_folder / "atom.xml").read_text(encoding="utf-8")
    assert site.ids()["one"] == "5f3e8a9c1b2d" not in atom
    assert f"<id>{site.own('one.md')}</id>" in atom


async def test_an_id_that_no_index_could_hold_is_not_kept(site: Site) -> None:
    chance = random.Random(7)
    site.shows(("one/", "".join(chr(chance.randrange(0x4E00, 0x9FA5)) for _ in range(1_000))), ("two/", "2"))
    await site.learn(first=True)
    await site.publish()
    assert site.ids() == {"one": site.own("one.md"), "two": "2"}


async def test_no_feed_of_ours_is_shown_before_theirs_was_read(site: Site) -> None:
    site.shows(("one/", "1"), status=500)
    assert not await site.learn(first=True)
    waiting = await site.publish()
    assert "feeds.adopt: answered 500" in waiting.waits
    assert not site.settings.output_folder.exists()
    with pytest.raises(SyndicateError, match="feeds wait for its ids: mend the address, or remove the key"):
        await publish(site.room.store, site.settings)
    assert site.problems() == [waiting.waits]
    site.shows(("one/", "1"))
    assert not await site.learn(first=True)  # it rests a while after a failure
    assert await site.learn(16 * MINUTE, first=True)
    assert (await site.publish()).written
    assert site.ids()["one"] == "1"
    assert site.problems() == []


async def test_feeds_that_are_there_wait_for_nobody(site: Site, tmp_path: Any) -> None:
    keys = site.room.settings
    site.room.configure(tmp_path)
    await site.publish()
    site.room.settings = keys
    site.shows(("one/", "1"), status=500)
    await site.learn(first=True)
    assert (await site.publish()).waits == ""
    site.room.write("three.md")
    await site.room.scan(HOUR)
    assert (await site.publish()).written
    for _ in range(2):
        await site.learn(7 * HOUR)
    (problem,) = site.problems()
    assert "answered 500" in problem
    assert "remove the key" in problem


async def test_an_article_that_comes_after_the_reading_gets_its_id_too(site: Site) -> None:
    site.shows(("three/", "3"), ("one/", "1"))
    await site.learn(first=True)
    await site.publish()
    site.room.write("three.md")
    await site.room.scan(HOUR)
    await site.publish()
    assert site.ids() == {"three": "3", "two": site.own("two.md"), "one": "1"}


async def test_an_id_stays_through_rename_edit_removal_return_and_without_the_key(site: Site, tmp_path: Any) -> None:
    site.shows(("one/", "1"))
    await site.learn(first=True)
    await site.publish()
    room = site.room
    before = site.own("one.md")
    room.configure(tmp_path)  # the key is gone
    room.move("one.md", "moved.md")
    await room.scan(HOUR)
    await site.publish()
    assert (site.ids()["moved"], site.own("moved.md")) == ("1", before)
    room.write("moved.md", "Another title", text="Another text.")
    await room.scan(HOUR)
    await site.publish()
    assert site.ids()["moved"] == "1"
    room.remove("moved.md")
    for _ in range(2):
        await room.scan(HOUR)
    await site.publish()
    assert "moved" not in site.ids()
    room.write("moved.md", "Another title", text="Another text.")
    await room.scan(HOUR)
    await site.publish()
    assert site.ids()["moved"] == "1"


async def test_it_is_read_again_each_hour_and_a_first_id_stands(site: Site) -> None:
    site.shows(("one/", "1"))
    await site.learn(first=True)
    await site.publish()
    site.shows(("one/", "another"), ("two/", "2"))
    assert not await site.learn(59 * MINUTE)
    assert len(site.old.asked) == 1
    assert not await site.learn(HOUR, first=True)  # what runs beside the passes reads it again, not they
    assert await site.learn()
    assert (await site.publish()).written
    assert site.ids() == {"one": "1", "two": "2"}
    assert not await site.learn(HOUR)
    assert (await site.publish()).written == ()


async def test_once_its_address_leads_to_us_it_is_read_no_more(site: Site) -> None:
    site.shows(("one/", "1"))
    await site.learn(first=True)
    await site.publish()
    site.old.pages |= {
        "/index.json": moved("/feed.json", 301),
        "/feed.json": said(200, (site.settings.output_folder / "feed.json").read_bytes()),
    }
    assert not await site.learn(HOUR)
    assert (await site.publish()).written == ()
    asked = len(site.old.asked)
    assert not await site.learn(HOUR)
    assert len(site.old.asked) == asked
    # Another article has that link one day: it is not the one whose id we saw there.
    room = site.room
    room.remove("two.md")
    for _ in range(2):
        await room.scan(HOUR)
    room.write("other.md", "Quite another", slug="two")
    await room.scan(HOUR)
    await site.publish()
    assert site.ids()["two"] == site.own("other.md")


async def test_of_two_articles_at_one_address_the_older_gets_the_id(site: Site) -> None:
    room = site.room
    room.write("late.md", "A later one", permalink="http://www.example.org/one/index.html")
    await room.scan(HOUR)
    site.shows(("one/", "1"))
    await site.learn(first=True)
    await site.publish()
    shown = json.loads((site.settings.output_folder / "feed.json").read_text(encoding="utf-8"))["items"]
    assert {item["title"]: item["id"] for item in shown}["one"] == "1"
    assert len({item["id"] for item in shown}) == len(shown) == 3


async def test_two_machines_give_an_id_once(database: Database, site: Site) -> None:
    site.shows(("one/", "1"))
    await site.learn(first=True)
    other: Store = database.open()
    one, two = (site.room.article(path).id for path in ("one.md", "two.md"))
    assert site.room.store.write_now(adopted.give, {one: "1"}) == {one: "1"}
    assert other.write_now(adopted.give, {two: "1", one: "2"}) == {one: "1"}
    assert other.read_now(adopted.ids, {one: "www.example.org/one", two: "www.example.org/two"}) == ({one: "1"}, {})
