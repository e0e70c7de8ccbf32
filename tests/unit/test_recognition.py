"""Who a file is, where several files of one scan have to do with each other; against a real database."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syndicate import config
from syndicate.article import Article
from syndicate.desk import Desk
from syndicate.scan import Scanned, scan
from syndicate.sources.folder import Folder
from syndicate.store import articles
from syndicate.store.database import Store, open_ledger

MORNING = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
CONFIG = """
[site]
title = "The Courier"
url = "https://www.example.org"
[[sources]]
path = "content"
[review]
min_words = 1
"""


class Room:
    """A folder of files, its catalogue, and a clock that moves an hour with each scan."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.content = folder / "content"
        self.content.mkdir()
        settings = config.load(folder / "syndicate.toml", {})
        self.store = store
        self._desk = Desk(settings, ())
        self._sources = [Folder(source) for source in settings.sources]
        self._now = MORNING

    def write(self, name: str, title: str, **front: str) -> None:
        said = "".join(f"{key}: {value}\n" for key, value in {"title": title, **front}.items())
        (self.content / name).write_text(f"---\n{said}---\nIt says: {title}.\n", encoding="utf-8")

    async def scan(self) -> Scanned:
        self._now += timedelta(hours=1)
        return await scan(self._sources, self.store, self._desk, self._now)

    def catalogue(self) -> Mapping[str, Article]:
        """By path, without what is gone."""
        found = [one for one in self.store.read_now(articles.listing) if one.state != "gone"]
        assert len({one.path for one in found}) == len(found)
        return {one.path: one for one in found}

    def missed(self) -> list[str]:
        return list(self.store.read_now(articles.away, "articles", ()))


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    (tmp_path / "syndicate.toml").write_text(CONFIG, encoding="utf-8")
    store = open_ledger(config.load(tmp_path / "syndicate.toml", {}), upgrade=True)
    yield Room(tmp_path, store)
    store.close()


async def test_a_renamed_file_with_a_copy_is_one_old_and_one_new_article(room: Room) -> None:
    room.write("keeper.md", "The keeper retires")
    await room.scan()
    old = room.catalogue()["keeper.md"]
    text = (room.content / "keeper.md").read_bytes()
    (room.content / "keeper.md").unlink()
    (room.content / "first.md").write_bytes(text)
    (room.content / "second.md").write_bytes(text)
    await room.scan()
    found = room.catalogue()
    assert set(found) == {"first.md", "second.md"}
    assert [path for path, one in found.items() if one.id == old.id] == ["first.md"]
    assert found["second.md"].reasons == ("duplicate-title: first.md has the same title (review.duplicate_window)",)


async def test_an_article_with_an_id_moved_over_another_takes_its_place(room: Room) -> None:
    room.write("a.md", "One", guid="g1")
    room.write("b.md", "Two", guid="g2")
    await room.scan()
    before = room.catalogue()
    (room.content / "a.md").replace(room.content / "b.md")
    await room.scan()
    assert {path: one.id for path, one in room.catalogue().items()} == {"b.md": before["a.md"].id}
    other = room.store.read_now(articles.get, before["b.md"].id)
    assert other is not None
    assert other.reasons == ("gone: another article took its place",)
    await room.scan()
    assert set(room.catalogue()) == {"b.md"}


async def test_an_article_that_lost_its_place_comes_back_where_its_id_is_seen(room: Room) -> None:
    room.write("a.md", "One", guid="g1")
    room.write("b.md", "Two", guid="g2")
    await room.scan()
    two = room.catalogue()["b.md"]
    (room.content / "a.md").replace(room.content / "b.md")
    await room.scan()
    room.write("c.md", "Two", guid="g2")
    await room.scan()
    assert room.catalogue()["c.md"].id == two.id


async def test_a_renamed_article_is_not_missed(room: Room) -> None:
    room.write("keeper.md", "The keeper retires")
    await room.scan()
    (room.content / "keeper.md").rename(room.content / "retired.md")
    await room.scan()
    assert set(room.catalogue()) == {"retired.md"}
    assert room.missed() == []


async def test_a_file_that_comes_back_untouched_is_missed_no_more(room: Room, tmp_path: Path) -> None:
    for name in ("a.md", "b.md"):
        room.write(name, name)
    await room.scan()
    (room.content / "a.md").rename(tmp_path / "a.md")
    await room.scan()
    assert room.missed() == ["a.md"]
    (tmp_path / "a.md").rename(room.content / "a.md")  # all of its stat is as it was
    done = await room.scan()
    assert (done.parsed, room.missed()) == (0, [])
    await room.scan()
    assert room.catalogue()["a.md"].state == "ready"


async def test_one_file_that_is_touched_and_one_that_is_removed_are_told_among_many(room: Room) -> None:
    for number in range(9):
        room.write(f"{number}.md", f"Number {number}")
    await room.scan()
    (room.content / "3.md").unlink()
    os.utime(room.content / "5.md", (1, 1))
    done = await room.scan()
    assert (done.files, done.parsed, room.missed()) == (8, 1, ["3.md"])
    done = await room.scan()
    assert (done.files, done.parsed, room.missed()) == (8, 0, [])
    assert "3.md" not in room.catalogue()


async def test_of_two_new_files_with_one_title_the_later_is_held(room: Room) -> None:
    await room.scan()
    room.write("a.md", "The keeper retires", date="2026-11-01")
    room.write("b.md", "The Keeper, retires!", date="2026-11-02")
    await room.scan()
    found = room.catalogue()
    assert found["a.md"].state == "ready"
    assert found["b.md"].reasons == ("duplicate-title: a.md has the same title (review.duplicate_window)",)


async def test_of_two_new_files_at_one_address_the_later_is_held(room: Room) -> None:
    await room.scan()
    room.write("a.md", "One", date="2026-11-01", url="/here/")
    room.write("b.md", "Two", date="2026-11-02", url="/here/")
    await room.scan()
    assert room.catalogue()["b.md"].reasons == ("clash: a.md has the same address",)


async def test_a_title_given_up_in_the_same_scan_is_free(room: Room) -> None:
    room.write("a.md", "The keeper retires", date="2026-11-01")
    await room.scan()
    room.write("a.md", "The keeper stays after all", date="2026-11-01")
    room.write("b.md", "The keeper retires", date="2026-11-02")
    await room.scan()
    assert {one.state for one in room.catalogue().values()} == {"ready"}


async def test_an_id_borne_by_two_new_files_holds_the_later(room: Room) -> None:
    await room.scan()
    room.write("a.md", "One", date="2026-11-01", guid="g1")
    room.write("b.md", "Two", date="2026-11-02", guid="g1")
    await room.scan()
    assert room.catalogue()["b.md"].reasons == ("duplicate-id: another file bears the same id",)


async def test_many_files_touched_at_once_are_read_and_not_changed(room: Room) -> None:
    for number in range(30):
        room.write(f"n{number}.md", f"Number {number}")
    await room.scan()
    for path in room.content.iterdir():
        path.touch()
    assert (await room.scan()).changed == 0
    assert (await room.scan()).parsed == 0
