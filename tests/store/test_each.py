"""`schedule = "each"`: every article is a letter of its own, once, to those who chose that digest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, select

from syndicate import forecast
from syndicate.config import DigestSettings
from syndicate.freeze import freeze_rendered, windows_by_hand
from syndicate.press import render_edition
from syndicate.publics import paces
from syndicate.single import freeze_singles
from syndicate.store import deliveries, letters, pauses, stories
from syndicate.store.database import open_store
from syndicate.store.schema import editions
from tests.store.room import HOUR, MINUTE, Room
from tests.store.rows import join, open_mailings

Make = Callable[..., Room]


@pytest.fixture
async def each(make_room: Make) -> Room:
    """A live digest of single articles with a reader, and an article of before."""
    room = make_room(email=True, schedule="each")
    join(room.store, "ada")
    room.write("old.md")
    await room.look()
    return room


def states(room: Room) -> dict[str, tuple[str, str | None]]:
    """Slug -> state and reason of each edition."""

    def read(connection: Connection) -> dict[str, tuple[str, str | None]]:
        return {row.slug: (row.state, row.reason) for row in connection.execute(select(editions))}

    return room.store.read_now(read)


def digest(room: Room) -> DigestSettings:
    return room.settings.digests[0]


async def test_each_new_article_is_an_edition_of_its_own_once_and_the_oldest_goes_first(each: Room) -> None:
    each.write("a.md")
    await each.scan(MINUTE)
    each.write("b.md", text="All of b is in its letter.")
    await each.scan(MINUTE)
    assert await each.freeze() == ["weekly-a", "weekly-b"]
    assert await each.freeze() == []
    rows = each.store.read_now(deliveries.listing, None, "email")
    assert [(row["subject"], row["title"], row["people"]) for row in reversed(rows)] == [
        ("weekly-a", "The Courier", {"due": 1}),
        ("weekly-b", "The Courier", {"due": 1}),
    ]
    [_, b] = open_mailings(each.store, each.now)
    assert b.digest == "weekly"
    assert "All of b is in its letter." in b.payload["text"]
    story = each.store.read_now(stories.of_article, each.article("b.md").id)
    assert [one.text for one in story if one.what == "edition"] == ["weekly-b: a letter of its own; claimed; 1 due"]


async def test_it_waits_for_the_delay_of_an_article_that_is_edited(make_room: Make) -> None:
    room = make_room(email=True, schedule="each", delay="10m")
    join(room.store, "ada")
    await room.look()
    room.write("a.md")
    await room.scan(MINUTE)
    [planned] = [
        row
        for row in room.store.read_now(forecast.forecast, room.settings, paces(room.settings), room.now, 1)
        if row.channel == "email"
    ]
    assert (planned.state, planned.planned_for) == ("planned", room.now + 10 * MINUTE)
    assert await room.freeze(9 * MINUTE) == []
    room.write("a.md", text="Another text.")
    await room.scan()
    assert await room.freeze(9 * MINUTE) == []
    assert await room.freeze(MINUTE) == ["weekly-a"]


async def test_what_is_older_than_late_limit_is_told_as_expired_and_an_edition_by_hand_may_hold_it(each: Room) -> None:
    each.write("a.md")
    await each.scan(MINUTE)
    each.write("b.md")
    await each.scan(HOUR)
    assert await each.freeze(5 * HOUR + MINUTE) == ["weekly-b"]
    state, reason = states(each)["weekly-a"]
    assert (state, reason) == ("expired", "expired: released longer ago than digests.late_limit (6h)")
    assert await each.freeze(HOUR) == []
    assert await by_hand(each) == ["weekly-a-2", "weekly-old"]


async def by_hand(room: Room) -> list[str]:
    windows = room.store.read_now(windows_by_hand, room.press, digest(room), room.now)
    made = []
    for window in windows:
        contents, payload = render_edition(room.press, digest(room), window.contents, room.now)
        assert room.store.write_now(freeze_rendered, room.press, contents, payload, window, room.now, True)
        made.append(contents.slug)
    return sorted(made)


async def test_an_article_that_was_sent_by_hand_gets_no_second_letter(each: Room) -> None:
    each.write("a.md")
    await each.scan(MINUTE)
    row = {"id": each.article("a.md").id, "title": "a"}
    each.store.write_now(deliveries.put, "email", row, each.now, each.now, again=False)
    assert await each.freeze() == []
    assert await by_hand(each) == ["weekly-a", "weekly-old"]  # asked for on purpose


async def test_while_a_person_stopped_it_nothing_is_written_and_late_limit_decides_afterwards(each: Room) -> None:
    each.write("a.md")
    await each.scan(MINUTE)
    each.store.write_now(pauses.pause, "digest:weekly", "wait", each.now)
    assert await each.freeze(3 * HOUR) == []
    each.store.write_now(pauses.resume, "digest:weekly")
    each.write("b.md")
    await each.scan()
    assert await each.freeze() == ["weekly-a", "weekly-b"]
    assert states(each).keys() == {"weekly-a", "weekly-b"}


async def test_a_rehearsed_article_is_rehearsed_once_and_used_up_by_it_for_nobody(make_room: Make) -> None:
    room = make_room(email=True, live=False, schedule="each")
    join(room.store, "ada")
    await room.look()
    room.write("a.md")
    await room.scan(MINUTE)
    assert await room.freeze() == ["weekly-a"]
    assert await room.freeze(MINUTE) == []
    room.configure(room.content.parent, email=True, schedule="each")
    room.write("b.md")
    await room.scan(MINUTE)
    assert await room.freeze() == ["weekly-b"]  # a is from before email went live
    assert await by_hand(room) == ["weekly-a-2"]


async def test_one_pass_freezes_ten_and_the_next_goes_on(each: Room) -> None:
    for number in range(12):
        each.write(f"{number}.md", f"A title of its own, number {number}")
    await each.scan(MINUTE)
    assert [len(await each.freeze()) for _ in range(3)] == [10, 2, 0]


async def test_two_processes_make_one_letter_of_one_article(each: Room) -> None:
    each.write("a.md")
    await each.scan(MINUTE)
    beside = open_store(each.store.house, upgrade=False)
    made = await asyncio.gather(*(freeze_singles(each.press, one, each.now) for one in (each.store, beside)))
    beside.close()
    assert sorted(made) == [[], ["weekly-a"]]
    assert each.store.read_now(letters.counts) == {"due": 1}


async def test_with_two_digests_only_who_chose_both_gets_the_article_twice(make_room: Make) -> None:
    more = '[[digests]]\nname = "everything"\nschedule = "each"\n'
    room = make_room(email=True, schedule="each", keys=more)
    join(room.store, "ada", digests=("weekly", "everything"))
    join(room.store, "ben", digests=("everything",))
    await room.look()
    room.write("a.md")
    await room.scan(MINUTE)
    assert await room.freeze() == ["weekly-a", "everything-a"]
    rows = room.store.read_now(deliveries.listing, None, "email")
    assert {row["subject"]: row["people"] for row in rows} == {"weekly-a": {"due": 1}, "everything-a": {"due": 2}}


async def test_with_approval_each_article_waits_for_its_own_word(make_room: Make) -> None:
    room = make_room(email=True, schedule="each", keys="approve = true")
    join(room.store, "ada")
    await room.look()
    room.write("a.md")
    await room.scan(MINUTE)
    assert await room.freeze() == []
    assert states(room) == {"weekly-a": ("held", None)}
    assert room.store.read_now(letters.counts) == {}
    assert await room.freeze(6 * HOUR + MINUTE) == []
    assert states(room)["weekly-a"][0] == "expired"
    assert await room.freeze(MINUTE) == []  # and is not held anew


async def test_a_broken_template_holds_up_no_other_article_and_is_told(each: Room) -> None:
    folder = each.content.parent / "templates" / "email"
    folder.mkdir(parents=True)
    (folder / "article.mjml").write_text("{% if", encoding="utf-8")
    each.configure(each.content.parent, email=True, schedule="each", more="")
    text = (each.content.parent / "syndicate.toml").read_text(encoding="utf-8")
    (each.content.parent / "syndicate.toml").write_text(f'templates = "templates"\n{text}', encoding="utf-8")
    from syndicate import config

    each.settings = config.load(each.content.parent / "syndicate.toml", {})
    each.write("a.md")
    await each.scan(MINUTE)
    assert await each.freeze() == []
    assert "edition:weekly" in each.store.read_now(pauses.standing)
    (folder / "article.mjml").unlink()
    assert await each.freeze() == ["weekly-a"]
    assert "edition:weekly" not in each.store.read_now(pauses.standing)
