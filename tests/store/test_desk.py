"""What scans make of a folder's files: who is who, when each is released, and what is owed of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from syndicate.desk import Reading
from syndicate.store import articles, ledger
from syndicate.store.database import open_store
from syndicate.store.schema import deliveries
from syndicate.store.sqlite import Sqlite
from tests.store.room import DAY, HOUR, LONG_AGO, MINUTE, Room

Make = Callable[..., Room]


# --- identity (rule 7) ------------------------------------------------------------------------------------------------


async def test_a_touch_changes_nothing(room: Room) -> None:
    room.write("a.md")
    await room.scan()
    before = room.article("a.md")
    revision = room.store.read_now(articles.revision)
    room.age("a.md", by=DAY)
    found = await room.scan(HOUR)
    assert (found.parsed, found.changed, found.released) == (1, 0, 0)
    assert room.article("a.md") == before
    assert room.store.read_now(articles.revision) == revision
    assert (await room.scan(HOUR)).parsed == 0


async def test_an_edit_is_the_same_article_and_announces_nothing_again(room: Room) -> None:
    room.write("a.md", "First title")
    await room.scan()
    before = room.article("a.md")
    room.write("a.md", "Another title altogether", text="All is different.")
    assert (await room.scan(HOUR)).released == 0
    after = room.article("a.md")
    assert (after.id, after.first_seen, after.released, after.entered) == (
        before.id,
        before.first_seen,
        before.released,
        before.entered,
    )
    assert (after.title, after.updated) == ("Another title altogether", before.updated + HOUR)
    assert list(room.owed()) == ["a.md"]


@pytest.mark.parametrize("new", ["b.md", "deep/er/a.md", "a.markdown", "a/index.md"])
async def test_a_renamed_file_is_the_same_article(room: Room, new: str) -> None:
    room.write("a.md")
    await room.scan()
    before = room.article("a.md")
    room.move("a.md", new)
    assert (await room.scan(HOUR)).released == 0
    after = room.article(new)
    assert (after.id, after.released, after.updated) == (before.id, before.released, before.updated)
    assert room.states() == {new: "ready"}
    assert list(room.owed().values()) == ["waiting"]
    await room.scan(HOUR)
    assert room.states() == {new: "ready"}


async def test_renamed_and_edited_at_once_it_is_told_by_its_slug_and_date(room: Room) -> None:
    room.write("a.md", slug="stays", date="2026-11-20")
    await room.scan()
    before = room.article("a.md")
    room.remove("a.md")
    room.write("moved.md", "Edited", slug="stays", date="2026-11-20", text="Another text.")
    await room.scan(HOUR)
    assert room.article("moved.md").id == before.id


@pytest.mark.parametrize(
    ("dated", "otherwise", "is_same"),
    [
        ("2026-11-20", "2026-11-20T00:00:00Z", True),
        ("2026-11-20 10:00:00 +0200", "2026-11-20T08:00:00Z", True),
        ("2026-11-20 00:30:00 +0200", "2026-11-19T22:30:00Z", True),
        ("2026-11-20", "2026-11-21", False),
        ("2026-11-20", "2026-11-21T00:00:00Z", False),
        ("2026-11-20T10:00:00Z", "2026-11-21T10:00:00Z", False),
    ],
)
async def test_another_generator_states_the_same_date_otherwise(
    room: Room, dated: str, otherwise: str, is_same: bool
) -> None:
    room.write("_posts/2026-11-20-stays.md", "Told", date=dated)
    await room.scan()
    before = room.article("_posts/2026-11-20-stays.md")
    room.remove("_posts/2026-11-20-stays.md")
    room.write("posts/stays/index.md", "Told", date=otherwise, text="Converted.")
    await room.scan(HOUR)
    assert (room.article("posts/stays/index.md").id == before.id) is is_same


async def test_renamed_and_edited_at_once_it_is_told_by_its_own_id(room: Room) -> None:
    room.write("a.md", id="abc")
    await room.scan()
    before = room.article("a.md")
    room.remove("a.md")
    room.write("moved.md", "Edited", id="abc", date="2020-01-01", text="Another text.")
    await room.scan(HOUR)
    assert room.article("moved.md").id == before.id


async def test_a_whole_folder_renamed_is_no_outage_and_nobody_is_new(room: Room) -> None:
    for number in range(12):
        room.write(f"posts/{number}.md", f"Number {number}")
    await room.scan()
    before = {one.id for one in room.all().values()}
    room.move("posts", "blog")
    found = await room.scan(HOUR)
    assert (found.problems, found.released) == ((), 0)
    assert {one.id for one in room.all().values()} == before
    assert set(room.states()) == {f"blog/{number}.md" for number in range(12)}
    assert set(room.states().values()) == {"ready"}
    await room.scan(HOUR)
    assert set(room.states().values()) == {"ready"}


async def test_two_files_that_change_names_are_two_edits(room: Room) -> None:
    room.write("a.md", "One")
    room.write("b.md", "Two")
    await room.scan()
    ids = {path: one.id for path, one in room.all().items()}
    room.move("a.md", "c.md")
    room.move("b.md", "a.md")
    room.move("c.md", "b.md")
    room.age("a.md", by=DAY)
    room.age("b.md", by=DAY)
    await room.scan(HOUR)
    assert {path: one.id for path, one in room.all().items()} == ids
    assert room.article("a.md").title == "Two"


async def test_a_deleted_and_restored_file_is_the_same_article(room: Room) -> None:
    path = room.write("a.md")
    await room.scan()
    before, content = room.article("a.md"), path.read_bytes()
    room.remove("a.md")
    await room.scan(HOUR)
    await room.scan(HOUR)
    assert room.states() == {"a.md": "gone"}
    path.write_bytes(content)
    room.age("a.md")
    assert (await room.scan(HOUR)).released == 0
    after = room.article("a.md")
    assert (after.id, after.state, after.released) == (before.id, "ready", before.released)
    assert room.owed() == {"a.md": "waiting"}


@pytest.mark.parametrize(
    ("before", "path", "after", "is_same"),
    [
        ({"slug": "stays", "date": "2026-11-20"}, "elsewhere.md", {"slug": "stays", "date": "2026-11-20"}, True),
        ({"date": "2026-11-20"}, "a.md", {"date": "2026-11-20"}, True),
        ({"date": "2026-11-20"}, "a.md", {"date": "2026-11-21"}, False),
        ({"slug": "stays"}, "a.md", {"slug": "stays"}, True),
        ({"slug": "stays"}, "elsewhere.md", {"slug": "stays"}, False),
        ({}, "a.md", {"date": "2026-11-20"}, False),
    ],
)
async def test_what_comes_back_corrected_is_told_by_its_slug_and_date_and_not_announced_again(
    room: Room, before: dict[str, str], path: str, after: dict[str, str], is_same: bool
) -> None:
    room.write("a.md", "Told once", **before)
    await room.scan()
    first = room.article("a.md").id
    room.remove("a.md")
    await room.scan(HOUR)
    await room.scan(HOUR)
    room.write(path, "Told once", text="Corrected.", **after)
    done = await room.scan(40 * DAY)
    assert (room.article(path).id == first) is is_same
    assert done.released == (0 if is_same else 1)


async def test_another_text_at_a_path_that_was_given_up_is_another_article(room: Room) -> None:
    room.write("a.md", "Old")
    await room.scan()
    before = room.article("a.md").id
    room.remove("a.md")
    await room.scan(HOUR)
    await room.scan(HOUR)
    room.write("a.md", "New", text="Something else.")
    assert (await room.scan(HOUR)).released == 1
    assert room.article("a.md").id != before


async def test_an_id_borne_by_two_files_holds_the_later_also_when_it_is_edited(room: Room) -> None:
    room.write("a.md", "One", id="abc")
    await room.scan()
    room.write("copy.md", "Two", id="abc")
    await room.scan(HOUR)
    assert room.states() == {"a.md": "ready", "copy.md": "held"}
    room.write("copy.md", "Two, edited", id="abc")
    await room.scan(HOUR)
    assert room.states() == {"a.md": "ready", "copy.md": "held"}
    room.write("a.md", "One, edited", id="abc")
    await room.scan(HOUR)
    assert room.states() == {"a.md": "ready", "copy.md": "held"}


async def test_a_lost_database_gives_the_same_ids(make_room: Make, tmp_path: Path) -> None:
    room = make_room()
    for number in range(3):
        room.write(f"{number}.md")
    await room.scan()
    again = Room(tmp_path, open_store(Sqlite(tmp_path / "other.db"), upgrade=True))
    await again.scan()
    again.store.close()
    assert {path: one.id for path, one in room.all().items()} != {}
    other = open_store(Sqlite(tmp_path / "other.db"), upgrade=True)
    found = {one.path: one.id for one in other.read_now(articles.listing)}
    other.close()
    assert found == {path: one.id for path, one in room.all().items()}


# --- missing and gone (rule 8) ----------------------------------------------------------------------------------------


async def test_missed_once_it_waits_missed_twice_it_is_gone(room: Room) -> None:
    room.write("a.md")
    await room.scan()
    room.remove("a.md")
    await room.scan(HOUR)
    assert room.states() == {"a.md": "ready"}
    await room.plan()
    assert room.owed() == {"a.md": "waiting"}
    await room.scan(MINUTE)
    assert room.states() == {"a.md": "gone"}
    assert room.owed() == {"a.md": "cancelled"}


async def test_two_looks_at_once_are_one(room: Room) -> None:
    room.write("a.md")
    await room.scan()
    room.remove("a.md")
    await room.scan(HOUR)
    await room.scan()
    assert room.states() == {"a.md": "ready"}


async def test_a_file_that_is_saved_anew_is_never_gone(room: Room) -> None:
    """Editors delete and write: a look between the two finds nothing."""
    path = room.write("a.md")
    await room.scan()
    content = path.read_bytes()
    room.remove("a.md")
    await room.scan(HOUR)
    path.write_bytes(content)
    room.age("a.md")
    await room.scan(HOUR)
    room.remove("a.md")
    await room.scan(HOUR)
    assert room.states() == {"a.md": "ready"}


async def test_much_missing_at_once_is_an_outage_and_nothing_is_withdrawn(room: Room) -> None:
    for number in range(10):
        room.write(f"{number}.md")
    await room.scan()
    room.remove(*(f"{number}.md" for number in range(4)))
    for _ in range(3):
        found = await room.scan(HOUR)
        assert "4 of 10 files are missing at once" in found.problems[0]
    assert set(room.states().values()) == {"ready"}
    assert room.store.read_now(articles.outages) != {}


async def test_a_few_missing_from_a_small_folder_are_deletions(room: Room) -> None:
    for number in range(3):
        room.write(f"{number}.md")
    await room.scan()
    room.remove("0.md", "1.md")
    await room.scan(HOUR)
    await room.scan(HOUR)
    assert room.states() == {"0.md": "gone", "1.md": "gone", "2.md": "ready"}


async def test_a_folder_that_cannot_be_read_is_an_outage_until_it_can(room: Room) -> None:
    room.write("a.md")
    await room.scan()
    room.content.rename(room.content.with_name("away"))
    for _ in range(3):
        assert (await room.scan(HOUR)).problems
    assert room.states() == {"a.md": "ready"}
    room.content.with_name("away").rename(room.content)
    assert (await room.scan(HOUR)).problems == ()
    assert room.store.read_now(articles.outages) == {}


async def test_a_file_that_vanishes_between_look_and_read_is_not_misread(room: Room) -> None:
    room.write("a.md")
    await room.scan()
    room.write("a.md", "Edited")
    source = room.sources[0]
    look = source.look

    class Racing:
        """A source whose file is deleted right after the look."""

        def __getattr__(self, name: str) -> object:
            return getattr(source, name)

        def look(self) -> object:
            found = look()
            room.remove("a.md")
            return found

    room.sources = [Racing()]  # type: ignore[list-item]  # in all but its name a folder
    await room.scan(HOUR)
    assert room.article("a.md").title == "a"
    assert room.states() == {"a.md": "ready"}


# --- one bad file -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "front",
    [
        "title: X\ndate: 0001-01-01",
        "title: X\ndate: 9999-12-31",
        "title: X\ndate: 9999-12-31T23:59:59-12:00",
        'title: "\\ud800 half a pair"',
        'title: "nul \\0 inside"',
        "title: [a, list, of, [lists]]",
        "title: {a: map}",
        "title: X\ntags: {a: b}\nauthors: 7\nslug: ''",
        "title: X\nslug: ../../etc/passwd",
        "title: X\npermalink: javascript:alert(1)",
        "title: X\nurl: 'http://[bad'",
        "title: X\nid: [1]\nguid: {}",
        "title: " + "x" * 100_000,
        "title: X\nsyndicate: {channels: 5, linkedin: [1]}",
        "&a [*a]",
        "title: !!python/object:os.system x",
    ],
)
async def test_one_hostile_file_stops_no_other(room: Room, front: str) -> None:
    (room.content / "bad.md").write_text(f"---\n{front}\n---\nText.\n", encoding="utf-8")
    room.age("bad.md")
    room.write("good.md")
    await room.scan()
    assert set(room.states()) == {"bad.md", "good.md"}
    assert room.article("good.md").state == "ready"
    assert (await room.scan(HOUR)).parsed == 0


async def test_a_file_that_the_program_itself_fails_on_stops_no_other(room: Room) -> None:
    class Faulty(type(room.desk)):  # type: ignore[misc]  # the desk's own class
        def address(self, reading: Reading, first_seen: datetime) -> str:
            if reading.manuscript.title == "bad":
                raise ZeroDivisionError
            return str(super().address(reading, first_seen))

    room.desk = Faulty(room.settings, ("linkedin",))
    room.write("bad.md")
    room.write("good.md")
    await room.scan()
    assert room.states() == {"bad.md": "rejected", "good.md": "ready"}
    assert "ZeroDivisionError" in room.article("bad.md").reasons[0]


async def test_a_name_that_is_not_utf8_is_an_article_like_others(room: Room) -> None:
    with open(os.fsencode(room.content) + b"/caf\xe9.md", "wb") as file:
        file.write(b"---\ntitle: Coffee\n---\nText.\n")
    os.utime(os.fsencode(room.content) + b"/caf\xe9.md", (LONG_AGO.timestamp(),) * 2)
    await room.scan()
    assert room.states() == {r"caf\xe9.md": "ready"}
    assert (await room.scan(HOUR)).parsed == 0


async def test_a_file_that_is_still_being_written_is_left_for_later(room: Room) -> None:
    path = room.write("a.md")
    os.utime(path, ((room.now - MINUTE).timestamp(), (room.now + HOUR).timestamp() - 1))
    found = await room.scan(HOUR)
    assert (found.unsettled, room.states()) == (1, {})
    await room.scan(MINUTE)
    assert room.states() == {"a.md": "ready"}


async def test_a_file_from_the_future_counts_as_settled(room: Room) -> None:
    path = room.write("a.md")
    os.utime(path, ((room.now + DAY).timestamp(),) * 2)
    await room.scan()
    assert room.states() == {"a.md": "ready"}


# --- released, entered, baseline (rule 9) -----------------------------------------------------------------------------


async def test_the_first_scan_is_shown_and_never_announced(make_room: Make) -> None:
    room = make_room()
    room.write("a.md", created_date="2026-10-01")
    room.write("b.md", date="2026-10-02")
    room.write("c.md")
    room.write("d.md", created_date="2031-01-01")
    assert (await room.scan()).first == 4
    released = {path: one.released for path, one in room.all().items()}
    assert released["a.md"] == datetime(2026, 9, 30, 22, tzinfo=UTC)  # midnight in Berlin
    assert released["b.md"] == datetime(2026, 10, 1, 22, tzinfo=UTC)
    assert released["c.md"] == released["d.md"] == room.now  # never later than now
    assert {one.entered for one in room.all().values()} == {room.now}
    assert all(one.baseline for one in room.all().values())
    assert room.owed() == {}
    await room.plan(DAY)
    assert room.owed() == {}


async def test_what_comes_after_the_first_scan_is_released_when_it_is_seen(room: Room) -> None:
    room.write("a.md", created_date="2020-01-01", date="2020-01-01")
    assert (await room.scan()).released == 1
    one = room.article("a.md")
    assert (one.released, one.entered, one.baseline) == (room.now, room.now, False)
    assert room.owed() == {"a.md": "waiting"}


async def test_a_first_scan_that_is_not_complete_goes_on_as_one(make_room: Make) -> None:
    room = make_room()
    room.write("a.md")
    path = room.write("b.md")
    os.utime(path, ((room.now + HOUR).timestamp() - 1,) * 2)
    await room.scan(HOUR)
    await room.scan(MINUTE)
    assert all(one.baseline for one in room.all().values())
    room.write("c.md")
    await room.scan(MINUTE)
    assert not room.article("c.md").baseline


async def test_a_draft_or_a_dated_article_of_the_first_scan_is_announced_when_it_comes_out(make_room: Make) -> None:
    room = make_room()
    room.write("draft.md", draft="true")
    room.write("dated.md", date="2026-11-25")
    room.write("old.md")
    await room.scan()
    assert room.states() == {"dated.md": "scheduled", "draft.md": "draft", "old.md": "ready"}
    room.write("draft.md")
    await room.scan(HOUR)
    await room.scan(DAY)
    assert room.states() == {"dated.md": "ready", "draft.md": "ready", "old.md": "ready"}
    assert set(room.owed()) == {"dated.md", "draft.md"}


async def test_an_old_article_made_a_draft_for_a_while_is_not_announced(make_room: Make) -> None:
    room = make_room()
    room.write("old.md")
    await room.scan()
    room.write("old.md", draft="true")
    await room.scan(HOUR)
    room.write("old.md")
    await room.scan(HOUR)
    assert room.states() == {"old.md": "ready"}
    assert room.owed() == {}


async def test_a_new_channel_begins_with_what_comes_after_it(make_room: Make) -> None:
    room = make_room()
    room._live = {}
    await room.scan()
    room.write("before.md")
    await room.scan(HOUR)
    room._live = {"linkedin": True}
    await room.look(HOUR)
    room.write("after.md")
    await room.scan(HOUR)
    assert room.owed() == {"after.md": "waiting"}


async def test_first_run_announce_announces(make_room: Make) -> None:
    room = make_room(first_run="announce")
    room.write("a.md", created_date="2026-10-01")
    await room.scan()
    assert room.owed() == {"a.md": "waiting"}
    assert room.article("a.md").released == datetime(2026, 9, 30, 22, tzinfo=UTC)


async def test_a_dated_article_is_released_when_its_day_comes(room: Room) -> None:
    room.write("a.md", date="2026-11-26")
    await room.scan()
    assert room.states() == {"a.md": "scheduled"}
    room.now = datetime(2026, 11, 25, 22, 59, tzinfo=UTC)
    await room.scan()
    assert room.states() == {"a.md": "scheduled"}
    await room.scan(MINUTE)
    assert room.states() == {"a.md": "ready"}
    assert (room.article("a.md").released, room.owed()) == (room.now, {"a.md": "waiting"})


async def test_an_article_expires_by_itself(room: Room) -> None:
    room.write("a.md", expires="2026-11-26")
    await room.scan()
    assert room.owed() == {"a.md": "waiting"}
    await room.scan(3 * DAY)
    assert room.states() == {"a.md": "rejected"}
    assert room.owed() == {"a.md": "cancelled"}


async def test_too_many_at_once_are_all_held_until_a_person_looked(make_room: Make) -> None:
    room = make_room(max_new=3)
    await room.scan()
    for number in range(4):
        room.write(f"{number}.md")
    assert (await room.scan(HOUR)).released == 0
    assert set(room.states().values()) == {"held"}
    assert room.owed() == {}
    assert len(room.store.read_now(articles.held_by, "max-new")) == 4
    await room.scan(DAY)
    assert set(room.states().values()) == {"held"}
    room.approve(*(f"{number}.md" for number in range(4)))
    assert set(room.owed().values()) == {"waiting"}


async def test_just_not_too_many_are_released(make_room: Make) -> None:
    room = make_room(max_new=3)
    await room.scan()
    for number in range(3):
        room.write(f"{number}.md")
    assert (await room.scan(HOUR)).released == 3


async def test_first_run_announce_obeys_max_new_and_a_baseline_does_not(make_room: Make) -> None:
    room = make_room(max_new=2, first_run="announce")
    for number in range(3):
        room.write(f"{number}.md")
    await room.scan()
    assert set(room.states().values()) == {"held"}


# --- doubles (rules 9 and 10) -----------------------------------------------------------------------------------------


async def test_a_second_article_with_the_same_title_is_held_for_thirty_days(room: Room) -> None:
    room.write("a.md", "The Ferry Returns")
    await room.scan()
    room.write("b.md", "the ferry returns!", slug="b")
    await room.scan(29 * DAY)
    assert room.article("b.md").reasons[0].startswith("duplicate-title: a.md")
    room.write("c.md", "THE FERRY RETURNS", slug="c")
    await room.scan(32 * DAY)
    assert room.states() == {"a.md": "ready", "b.md": "held", "c.md": "ready"}


async def test_of_two_in_one_scan_the_dated_one_comes_out_on_its_day_all_the_same(room: Room) -> None:
    """Judged again it must not give way to the one that was held because of it."""
    room.write("a.md", "Same", date="2026-11-26", slug="a")
    room.write("b.md", "Same", date="2026-11-27", slug="b")
    await room.scan()
    await room.scan(2 * DAY)
    assert room.states()["a.md"] == "ready"


async def test_of_two_at_one_address_the_later_is_held(room: Room) -> None:
    room.write("a.md", slug="here")
    await room.scan()
    room.write("b.md", slug="here")
    await room.scan(HOUR)
    assert room.article("b.md").reasons[0].startswith("clash: a.md")
    room.write("a.md", "a, edited", slug="here")
    await room.scan(HOUR)
    assert room.states() == {"a.md": "ready", "b.md": "held"}


# --- delay (rule 12) --------------------------------------------------------------------------------------------------


async def test_an_edit_in_the_delay_starts_it_anew_three_times_at_most(make_room: Make) -> None:
    room = make_room(delay="10m")
    await room.scan()
    room.write("a.md")
    await room.scan(HOUR)
    entered = room.now
    for edit in range(5):
        room.write("a.md", f"Edit {edit}")
        await room.scan(9 * MINUTE)
    [candidate] = room.store.read_now(ledger.candidates, "linkedin")
    assert candidate.entered == entered
    assert candidate.delay_from == entered + 27 * MINUTE
    assert await room.plan() == 1


async def test_an_edit_after_the_delay_does_not_start_it_anew(make_room: Make) -> None:
    room = make_room(delay="10m")
    await room.scan()
    room.write("a.md")
    await room.scan(HOUR)
    assert await room.plan(9 * MINUTE) == 0
    room.now += 2 * MINUTE
    room.write("a.md", "Edited")
    await room.scan()
    assert await room.plan() == 1


# --- a person's word --------------------------------------------------------------------------------------------------


async def test_approve_and_reject_stand_for_good(room: Room) -> None:
    room.write("junk.md", text="As an AI language model, I cannot write this article.")
    room.write("good.md")
    await room.scan()
    assert room.states() == {"good.md": "ready", "junk.md": "rejected"}
    room.approve("junk.md")
    room.reject("good.md", because="not true")
    assert room.states() == {"good.md": "rejected", "junk.md": "ready"}
    assert room.article("good.md").reasons == ("rejected: not true",)
    assert room.owed() == {"good.md": "cancelled", "junk.md": "waiting"}
    room.write("junk.md", text="As an AI language model, I still cannot.")
    room.write("good.md", text="Another text.")
    await room.scan(HOUR)
    assert room.states() == {"good.md": "rejected", "junk.md": "ready"}
    assert room.article("good.md").reasons == ("rejected: not true",)


async def test_approved_quietly_it_is_shown_and_never_announced(room: Room) -> None:
    room.write("a.md", "Same", slug="a")
    room.write("b.md", "Same", slug="b")
    await room.scan()
    room.approve("b.md", quiet=True)
    assert room.states() == {"a.md": "ready", "b.md": "ready"}
    assert room.owed() == {"a.md": "waiting"}


async def test_approval_lets_held_deliveries_compete(make_room: Make) -> None:
    room = make_room(approve=True)
    await room.scan()
    room.write("a.md")
    await room.look(HOUR)
    assert room.owed() == {"a.md": "held"}
    room.approve("a.md")
    assert room.owed() == {"a.md": "waiting"}
    assert await room.plan() == 1


async def test_a_word_about_what_is_gone_brings_nothing_back(room: Room) -> None:
    room.write("a.md", "Old")
    await room.scan()
    gone = room.article("a.md").id
    room.remove("a.md")
    await room.scan(HOUR)
    await room.scan(HOUR)
    room.write("a.md", "New", text="Something else.")
    await room.scan(HOUR)
    for verdict in ("approved", "rejected"):
        room.store.write_now(room.desk.rule, [gone], verdict, "x", room.now)
    assert room.states() == {"a.md": "ready"}
    found = room.store.read_now(articles.get, gone)
    assert found is not None
    assert found.state == "gone"


# --- front matter (rule 11) -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "owed"),
    [
        ("false", []),
        ("{channels: [email]}", []),
        ("{channels: [linkedin]}", ["a.md"]),
        ("{channels: [linkedin, email]}", ["a.md"]),
        ("{linkedin: own words}", ["a.md"]),
        ("true", ["a.md"]),
    ],
)
async def test_the_author_says_where_it_may_go(room: Room, wish: str, owed: list[str]) -> None:
    room.write("a.md", syndicate=wish)
    await room.scan()
    assert room.states() == {"a.md": "ready"}
    assert list(room.owed()) == owed


async def test_an_author_who_changes_his_mind_in_time_is_heard(room: Room) -> None:
    room.write("a.md")
    await room.scan()
    assert await room.plan() == 1
    room.write("a.md", syndicate="false")
    await room.scan(MINUTE)
    await room.plan()
    assert room.owed() == {"a.md": "cancelled"}


# --- planning through the store ---------------------------------------------------------------------------------------


async def test_what_is_planned_follows_its_article(room: Room) -> None:
    room.write("a.md")
    await room.look()
    assert room.owed() == {"a.md": "planned"}
    room.write("a.md", draft="true")
    await room.scan(HOUR)
    assert room.owed() == {"a.md": "cancelled"}
    room.write("a.md")
    await room.scan(HOUR)
    assert room.owed() == {"a.md": "waiting"}


async def test_what_was_planned_and_paused_for_too_long_expires(room: Room) -> None:
    room.write("a.md")
    await room.look()
    assert room.owed() == {"a.md": "planned"}
    await room.look(2 * DAY + MINUTE)
    assert room.owed() == {"a.md": "expired"}
    assert room.row("a.md")["error"].startswith("max-age:")


async def test_a_planned_one_that_went_while_on_the_wire_does_not_block_the_channel(room: Room) -> None:
    room.write("a.md")
    room.write("b.md")
    await room.look()
    [planned] = [path for path, state in room.owed().items() if state == "planned"]
    [other] = {"a.md", "b.md"} - {planned}
    row = room.row(planned)["id"]

    def set_state(state: str) -> None:
        change = update(deliveries).where(deliveries.c.id == row).values(state=state, attempts=1)
        room.store.write_now(lambda connection: connection.execute(change))

    set_state("claimed")
    room.remove(planned)
    await room.scan(HOUR)
    await room.scan(HOUR)
    set_state("planned")  # put off by a 503, after its article went
    await room.plan(3 * HOUR)
    assert room.owed() == {planned: "cancelled", other: "planned"}


async def test_two_scans_of_one_folder_at_once_are_as_good_as_one(make_room: Make, tmp_path: Path) -> None:
    room = make_room()
    await room.scan()
    beside = Room(tmp_path, open_store(room.store.house, upgrade=False))
    beside.now = room.now = room.now + HOUR
    for number in range(20):
        room.write(f"{number}.md")
    await asyncio.gather(room.scan(), beside.scan())
    assert len(room.all()) == len(room.owed()) == 20
    room.move("3.md", "moved.md")
    beside.now = room.now = room.now + HOUR
    await asyncio.gather(room.scan(), beside.scan())
    await room.scan(HOUR)
    await beside.scan(HOUR)
    beside.store.close()
    assert set(room.states().values()) == {"ready"}
    assert len(room.owed()) == 20


async def test_a_scan_that_dies_in_its_transaction_leaves_nothing_half_done(room: Room) -> None:
    room.write("a.md")

    class Dying(type(room.desk)):  # type: ignore[misc]  # the desk's own class
        def _send_on(self, *args: object, **more: object) -> int:
            raise KeyboardInterrupt

    usual, room.desk = room.desk, Dying(room.settings, ("linkedin",))
    with pytest.raises(KeyboardInterrupt):
        await room.scan()
    assert (room.all(), room.owed()) == ({}, {})
    room.desk = usual
    await room.scan()
    assert room.owed() == {"a.md": "waiting"}


async def test_whatever_is_long_in_a_file_is_taken_in_and_known_again(room: Room) -> None:
    """A tree of PostgreSQL's refuses what is longer than 2,704 bytes when it is packed, and with it the whole scan."""
    long = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(5_000))
    deep = "/".join(long[start : start + 80] for start in range(0, 1200, 80))
    room.write("a.md", long, id=long, slug=long)
    room.write("b.md", f"{long} and more", id=f"{long}2", slug=f"{long}2")
    room.write(f"{deep}/c.md", "Deep")
    room.write(f"{deep}/d.md", "Deeper")
    await room.scan(HOUR)
    known = {one.id for one in room.all().values()}
    assert len(known) == 4
    assert room.states()["a.md"] == "ready"
    room.move("a.md", "moved.md")
    await room.scan(HOUR)
    await room.scan(HOUR)
    assert {one.id for one in room.all().values() if one.state != "gone"} == known
    assert "moved.md" in room.states()
