"""Buttons and commands: one way to do each thing, once, whoever does it and however often."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from syndicate import config, hand, health
from syndicate.alert import Problem
from syndicate.app import open_app
from syndicate.cli import run
from syndicate.clock import SystemClock
from syndicate.errors import UsageError
from syndicate.hand import Hand
from syndicate.store import acts, articles, highwater, holding, pauses
from syndicate.store.database import Store, house_of, open_store
from syndicate.store.metadata import metadata
from syndicate.store.schema import deliveries as rows
from syndicate.web.hand_program import WHO, ProgramHand
from syndicate.web.office import Said, Wish
from tests.doubles.clock import TwoClocks
from tests.store.conftest import Database, only
from tests.store.room import HOUR, Room
from tests.store.rows import join
from tests.store.test_editions import MONDAY

Make = Callable[..., Room]

MINE = ("owners",)  # rows of the process itself
POST = "https://www.linkedin.com/feed/update/urn:li:share:1/"


async def busy(make_room: Make) -> Room:
    """A desk with something of everything to decide."""
    room = make_room(approve=True, email=True, keys="approve = true", max_new=2)
    join(room.store, "ada")
    room.now = MONDAY
    await room.look()
    for name in ("held", "unknown", "by-hand", "failed", "waiting"):
        room.write(f"{name}.md")
        await room.look(HOUR)
    room.write("twin.md", "held", text="another text")
    await room.look(HOUR)
    for number in range(3):
        room.write(f"flood-{number}.md")
    await room.look(HOUR)
    while not room.store.read_now(holding.waiting):
        await room.look(HOUR)
    stand(room, "unknown", state="unknown", reason="no answer")
    stand(room, "by-hand", state="held", reason="by-hand: post it yourself")
    stand(room, "failed", state="failed", reason="refused")
    stand(room, "waiting", state="waiting", reason=None)
    return room


def stand(room: Room, name: str, **values: Any) -> None:
    def put(connection: Connection) -> None:
        connection.execute(update(rows).where(rows.c.subject == room.article(f"{name}.md").id).values(values))

    room.store.write_now(put)


def number(room: Room, name: str) -> str:
    return str(room.row(f"{name}.md")["id"])


def edition(room: Room) -> holding.Waiting:
    [one] = room.store.read_now(holding.waiting)
    return one


# button -> the command that does the same; both from the room as it stands
DEEDS: Mapping[str, Callable[[Room], tuple[Wish, list[str]]]] = {
    "approve a post": lambda room: (
        Wish(act="approve", subjects=[room.article("held.md").id], seen=[text(room, "held")[:12]]),
        ["approve", "held.md"],
    ),
    "into the feeds only": lambda room: (
        Wish(act="approve-quiet", subjects=[room.article("twin.md").id]),
        ["approve", "twin.md", "--quiet"],
    ),
    "reject": lambda room: (
        Wish(act="reject", subjects=[room.article("twin.md").id], because="said before"),
        ["reject", "twin.md", "--because", "said before"],
    ),
    "a flood": lambda room: (
        Wish(act="approve-rule", subjects=["max-new"], seen=["3"]),
        ["approve", "--rule", "max-new"],
    ),
    "all that waits for approval": lambda room: (
        Wish(act="approve-rule", subjects=["approve"], seen=["2"]),
        ["approve", "--rule", "approve"],
    ),
    "an edition": lambda room: (
        Wish(act="approve-edition", subjects=[edition(room).slug], seen=[holding.mark(edition(room))]),
        ["approve", edition(room).slug],
    ),
    "stop everything": lambda room: (
        Wish(act="pause", subjects=["all"], because="holidays"),
        ["pause", "--because", "holidays"],
    ),
    "stop a digest": lambda room: (
        Wish(act="pause", subjects=["weekly"], because="no"),
        ["pause", "weekly", "--because", "no"],
    ),
    "go on": lambda room: (Wish(act="resume", subjects=["all"]), ["resume"]),
    "it is there": lambda room: (
        Wish(act="resolve-sent", subjects=[number(room, "unknown")], seen=["unknown"], url=POST),
        ["deliveries", "resolve", number(room, "unknown"), "--sent", POST],
    ),
    "it is there, somewhere": lambda room: (
        Wish(act="resolve-sent", subjects=[number(room, "unknown")], seen=["unknown"]),
        ["deliveries", "resolve", number(room, "unknown"), "--sent", ""],
    ),
    "it is not": lambda room: (
        Wish(act="resolve-not-sent", subjects=[number(room, "unknown")], seen=["unknown"]),
        ["deliveries", "resolve", number(room, "unknown"), "--not-sent"],
    ),
    "I posted it": lambda room: (
        Wish(act="posted", subjects=[number(room, "by-hand")], seen=["held"], url=POST),
        ["deliveries", "resolve", number(room, "by-hand"), "--sent", POST],
    ),
    "skip": lambda room: (
        Wish(act="skip", subjects=[f"{room.article('waiting.md').id}@linkedin"]),
        ["deliveries", "cancel", number(room, "waiting")],
    ),
    "no such edition": lambda room: (
        Wish(act="cancel", subjects=[str(edition(room).delivery)], seen=["held"]),
        ["deliveries", "cancel", str(edition(room).delivery)],
    ),
    "try again": lambda room: (
        Wish(act="retry", subjects=[number(room, "failed")], seen=["failed"]),
        ["deliveries", "retry", number(room, "failed")],
    ),
}


def text(room: Room, name: str) -> str:
    [one] = room.store.read_now(articles.texts, [room.article(f"{name}.md").id])
    return str(one.hash)


def dump(store: Store) -> dict[str, list[Any]]:
    """Every row of every table, moments to the hour: what is compared was done a moment apart."""

    def read(connection: Connection) -> dict[str, list[Any]]:
        tables = [table for table in metadata.sorted_tables if table.name not in MINE]
        return {table.name: [tuple(map(plain, row)) for row in connection.execute(select(table))] for table in tables}

    return store.read_now(read)


def plain(value: Any) -> Any:
    return value.replace(minute=0, second=0, microsecond=0) if isinstance(value, datetime) else value


async def press(folder: Path, now: datetime, *wishes: Wish) -> list[Said]:
    settings = config.load(folder / "syndicate.toml", {})
    async with open_app(settings, SystemClock.at(now), "send") as app:
        made = ProgramHand(app)
        return [await made.do(wish) for wish in wishes]


def opened(folder: Path) -> Store:
    return open_store(house_of("", folder / "data"), upgrade=False)


def seen(folder: Path) -> tuple[dict[str, list[Any]], list[Any]]:
    store = opened(folder)
    try:
        found = dump(store)
        return {name: of for name, of in found.items() if name != "acts"}, found["acts"]
    finally:
        store.close()


@only("sqlite")
def test_a_button_does_what_its_command_does_and_a_double_click_does_it_once(
    make_room: Make, database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    room = asyncio.run(busy(make_room))
    room.now = room.now.replace(minute=1)
    deeds = {name: made(room) for name, made in DEEDS.items()}
    database.close()
    site = shutil.copytree(tmp_path, tmp_path.with_name(f"{tmp_path.name}-site"))
    for place, (name, (wish, command)) in enumerate(deeds.items()):
        typed, pressed = (shutil.copytree(site, tmp_path / "copies" / f"{place}-{how}") for how in ("typed", "pressed"))
        before = seen(site)
        if wish.act == "resume":  # something to end
            for one in (typed, pressed):
                asyncio.run(press(one, room.now, Wish(act="pause", subjects=["linkedin"], because="x")))
        assert run(["--config", str(typed / "syndicate.toml"), "--now", room.now.isoformat(), *command]) == 0, name
        said, again = asyncio.run(press(pressed, room.now, wish, wish))
        assert said.good, (name, said)
        assert again.text, name
        (as_typed, typed_acts), (as_pressed, pressed_acts) = seen(typed), seen(pressed)
        assert as_pressed == as_typed, name
        assert as_pressed != before[0] or wish.act == "resume", name
        who = [column.name for column in acts.acts.c].index("who")
        assert {row[who] for row in pressed_acts} <= {WHO}
        assert [row[:who] + row[who + 1 :] for row in pressed_acts] == [
            row[:who] + row[who + 1 :] for row in typed_acts
        ], name
        assert bool(pressed_acts) == (wish.act not in ("pause", "resume")), name
    assert "Traceback" not in capsys.readouterr().err


# --- two tabs, two machines -------------------------------------------------------------------------------------------


def hands(room: Room, database: Database) -> tuple[Hand, Hand]:
    """Two processes on one database."""
    clock = TwoClocks()
    clock.moment = room.now
    parts: Any = {"settings": room.settings, "clock": clock, "who": WHO, "press": room.press}
    return Hand(store=room.store, **parts), Hand(store=database.open(), **parts)


async def test_two_at_once_are_one_act(make_room: Make, database: Database) -> None:
    room = await busy(make_room)
    one, other = hands(room, database)
    held, twin, slug = room.article("held.md").id, room.article("twin.md").id, edition(room).slug
    await asyncio.gather(*(hand.approve(each, [held]) for each in (one, other)))
    await asyncio.gather(*(hand.reject(each, twin, "said before") for each in (one, other)))
    told = await asyncio.gather(*(hand.approve_edition(each, slug) for each in (one, other)))
    assert sorted(each.verdict for each in told) == ["already", "approved"]

    async def cancel(each: Hand) -> str:
        return await each.store.write(hand.cancel, int(number(room, "waiting")), WHO, room.now)

    answers = await asyncio.gather(*(cancel(each) for each in (one, other)), return_exceptions=True)
    assert sorted(type(answer) is UsageError for answer in answers) == [False, True]
    for subject in (held, twin, slug, room.article("waiting.md").id):
        assert len(room.store.read_now(acts.of, subject)) == 1


async def test_what_was_edited_since_it_was_looked_at_is_not_approved(make_room: Make, database: Database) -> None:
    room = await busy(make_room)
    mine, _ = hands(room, database)
    article, before, looked = room.article("held.md").id, text(room, "held"), edition(room)
    room.write("held.md", text="other words than those that were read")
    await room.scan(HOUR)
    with pytest.raises(UsageError, match=r"held\.md was edited since"):
        await hand.approve(mine, [article], seen={article: before[: hand.MARK]})
    told = await hand.approve_edition(mine, looked.slug, "0" * 12)
    assert (told.verdict, edition(room).state) == ("held", "held")
    assert room.row("held.md")["state"] == "held"
    assert not room.store.read_now(acts.of, article)


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        (Wish(act="approve-rule", subjects=["max-new"], seen=["2"]), "3 are held by max-new by now"),
        (Wish(act="approve-rule", subjects=["max-new"]), "3 are held by max-new by now"),
        (Wish(act="approve", subjects=["nobody"]), "There is no article 'nobody'"),
        (Wish(act="reject", subjects=["held.md"]), "Say why"),
        (Wish(act="pause", subjects=["pigeon"]), "'pigeon' is neither a channel nor a digest"),
        (Wish(act="pause"), "does not say what is meant"),
        (Wish(act="retry", subjects=["9" * 30]), "There is no such delivery"),
        (Wish(act="retry", subjects=["٣"]), "There is no such delivery"),
        (Wish(act="retry", subjects=["4711"]), "There is no delivery 4711"),
        (Wish(act="skip", subjects=["nobody@linkedin"]), "Nothing of this article waits for linkedin"),
    ],
)
@only("sqlite")
def test_what_cannot_be_done_is_told_and_not_done(
    make_room: Make, database: Database, tmp_path: Path, wish: Wish, says: str
) -> None:
    room = asyncio.run(busy(make_room))
    before = dump(room.store)
    [said] = asyncio.run(press(tmp_path, room.now, wish))
    assert (said.good, says in said.text) == (False, True), said
    assert dump(room.store) == before


@only("sqlite")
def test_an_old_tab_is_told_that_there_was_nothing_to_do(make_room: Make, tmp_path: Path) -> None:
    room = asyncio.run(busy(make_room))
    wishes = [Wish(act=act, subjects=[number(room, "by-hand")], seen=["held"], url=POST) for act in ("posted", "skip")]
    there, too_late = asyncio.run(press(tmp_path, room.now, *wishes))
    assert there.text == f"“by-hand”: delivery {number(room, 'by-hand')} is sent."
    assert too_late == Said(text=f"Delivery {number(room, 'by-hand')} is sent by now: nothing was done.")
    [posted] = asyncio.run(press(tmp_path, room.now, Wish(act="posted", subjects=[number(room, "held")])))
    assert (posted.good, "give the address" in posted.text.lower()) == (False, True)


def test_a_pause_does_not_write_over_the_one_that_guards_a_restored_backup(room: Room) -> None:
    reason = f"{highwater.BEHIND}look what went out"
    room.store.write_now(pauses.pause, pauses.EVERYTHING, reason, room.now)
    assert room.store.write_now(hand.pause, room.settings, "", "holidays", room.now) == reason
    with pytest.raises(UsageError, match="a backup was restored"):
        room.store.write_now(hand.resume, room.settings, "", room.now)
    assert room.store.read_now(pauses.standing) == {pauses.EVERYTHING: reason}


def test_a_mailing_of_which_nothing_is_due_any_more_is_not_cancelled_twice(room: Room) -> None:
    room.write("a.md")
    asyncio.run(room.look(HOUR))
    delivery = int(number(room, "a"))

    def as_mailing(connection: Connection) -> None:
        connection.execute(update(rows).where(rows.c.id == delivery).values(channel="email", state="claimed"))

    room.store.write_now(as_mailing)
    with pytest.raises(UsageError, match="no letter that is still due"):
        room.store.write_now(hand.cancel, delivery, WHO, room.now)
    assert not room.store.read_now(acts.of, room.article("a.md").id)


@only("sqlite")
def test_the_button_of_a_problem_and_its_command_mend_it(make_room: Make, database: Database, tmp_path: Path) -> None:
    room = asyncio.run(busy(make_room))
    for key in ("linkedin", "digest:weekly", pauses.CLOCK):
        room.store.write_now(pauses.by_fault, key, "it does not answer", room.now)
    mendable = {one.key: one for one in problems(room) if one.act}
    slug = edition(room).slug
    assert set(mendable) == {
        "review.max_new", "paused:linkedin", "paused:digest:weekly", "paused:clock", f"approve:{slug}",
    }  # fmt: skip
    database.close()
    for place, (key, problem) in enumerate(mendable.items()):
        act, subject, *shown = problem.act
        folders = [tmp_path / f"mended-{place}-{how}" for how in ("pressed", "typed")]
        for folder in folders:
            shutil.copytree(tmp_path / "data", folder / "data")
            shutil.copy(tmp_path / "syndicate.toml", folder)
        [said] = asyncio.run(press(folders[0], room.now, Wish(act=act, subjects=[subject], seen=shown)))
        assert said.good, (key, said)
        words = problem.mend.removeprefix("syndicate ").split()
        now = ["--config", str(folders[1] / "syndicate.toml"), "--now", room.now.isoformat()]
        assert run([*now, *words]) == 0, key
        for folder in folders:
            store = opened(folder)
            assert key not in {one.key for one in store.read_now(health.problems, room.settings, room.now)}, folder
            store.close()


def problems(room: Room) -> list[Problem]:
    return room.store.read_now(health.problems, room.settings, room.now)
