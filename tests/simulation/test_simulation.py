"""Years of a newsroom in half a minute: whatever happens in whatever order, the world is what the promise says.

A step is one thing that happens: a file, a reader, a person at the screen, the weather, the clock, a pass of one of two
processes, a death in the middle of one. After each pass the invariants are asked; at the end everything is given its
turn, and what the small model here expects must be in the world.

    ACCEPTANCE_SEED=7 pytest tests/simulation          another run, printed beside a failure
    SIMULATION_RUNS=2000 pytest tests/simulation       a longer one
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from syndicate import app as composition
from syndicate import crashpoint
from syndicate.config import Settings
from syndicate.errors import UsageError
from syndicate.press import Press
from syndicate.store import deliveries, pauses, subscribers
from syndicate.store.database import Store, open_ledger
from syndicate.subscriber import State, parse_address
from tests.invariants import Ledger, broken, feed_ids, undone
from tests.simulation.town import CHANNEL, SECRET, Died, Process, Town, settle_in

SEED = int(os.environ.get("ACCEPTANCE_SEED") or 20_261_124)
RUNS = int(os.environ.get("SIMULATION_RUNS") or 36)
STEPS = 50
PHASES = (Phase.generate, Phase.shrink) if os.environ.get("SIMULATION_SHRINK") else (Phase.generate,)
STORIES, READERS = 12, 8  # at most, in one run
MIN_GAP = timedelta(minutes=30)
POSTS = ("down", "busy", "login", "refuse", "vanish", "lost", "bug")
MAIL = ("down", "login", "grey", "blame", "lost")
KEYS = ("all", CHANNEL, "email", "digest:daily")


@dataclass(slots=True)
class Story:
    """What the model knows of one article."""

    number: int
    path: str
    baseline: bool = False
    edition: int = 1  # of its text
    there: bool = True
    missed: int = 0  # whole passes that did not find it

    @property
    def title(self) -> str:
        return f"Lantern{self.number} harbour{self.number} quarrel{self.number}"

    @property
    def address(self) -> str:
        return f"https://www.example.org/s{self.number}/"

    @property
    def text(self) -> str:
        return (
            f"---\ntitle: {self.title}\nslug: s{self.number}\ncreated_date: 2026-11-20\n---\n"
            f"The {self.edition}. text about number {self.number}, which nobody else tells.\n"
        )


class Ground:
    """What all runs share: one folder, the database as it is before anything happens, and what is costly to make."""

    folder: Path
    settings: Settings
    press: Press
    steps = passes = deaths = 0

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = settle_in(folder)
        press = composition.press(self.settings)
        assert press is not None
        self.press = press
        self.empty = folder / "empty"

    def clear(self) -> None:
        shutil.rmtree(self.folder / "content")
        (self.folder / "content").mkdir()
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        if self.empty.exists():
            shutil.copytree(self.empty, self.folder / "data")


def step(**drawn: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A rule whose use is counted."""

    def decorate(what: Callable[..., None]) -> Callable[..., None]:
        @wraps(what)
        def counted(self: Newsroom, *args: Any, **kwargs: Any) -> None:
            self.ground.steps += 1
            what(self, *args, **kwargs)

        rules: Any = rule  # hypothesis does not say what comes back
        decorated: Callable[..., None] = rules(**drawn)(counted)
        return decorated

    return decorate


class Newsroom(RuleBasedStateMachine):
    """One run."""

    ground: ClassVar[Ground]

    def __init__(self) -> None:
        super().__init__()
        ground = self.ground
        ground.clear()
        self.loop = asyncio.Runner()
        self.town = Town(ground.folder, ground.settings, ground.press, random.Random(0))
        self.stories: list[Story] = []
        self.readers: dict[str, bool] = {}  # address -> whether he is still there
        self.paused: set[str] = set()
        self.was_set_back = False
        self.by_hand: set[str] = set()  # addresses that a person had sent past their pace
        self.ids: dict[str, str] = {}  # title -> id in the feeds
        self.feeds: dict[str, bytes] = {}
        self.publish(baseline=True)
        self.processes: list[Process | None] = [None, None]
        self.audit: Store = open_ledger(ground.settings, upgrade=True)
        self.before = Ledger.read(self.audit, SECRET)
        self.go(0)
        for _ in range(2):
            self.publish()
            self.subscribe()

    # --- files -------------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.stories) < STORIES)
    @step()
    def publish(self, baseline: bool = False) -> None:
        number = len(self.stories)
        self.stories.append(Story(number, f"{number}.md", baseline))
        self.write(self.stories[-1])

    def write(self, story: Story) -> None:
        (self.town.content / story.path).write_text(story.text, encoding="utf-8")

    def some(self, index: int, *, there: bool) -> Story | None:
        found = [story for story in self.stories if story.there is there]
        return found[index % len(found)] if found else None

    @step(index=st.integers(0, 9))
    def edit(self, index: int) -> None:
        if story := self.some(index, there=True):
            story.edition += 1
            self.write(story)

    @step(index=st.integers(0, 9))
    def rename(self, index: int) -> None:
        if story := self.some(index, there=True):
            old = self.town.content / story.path
            story.path = f"moved-{story.path}" if len(story.path) < 30 else f"{story.number}.md"
            old.rename(self.town.content / story.path)

    @precondition(lambda self: sum(not story.there and not story.missed for story in self.stories) < 2)
    @step(index=st.integers(0, 9))
    def delete(self, index: int) -> None:  # three at once would be an outage
        if story := self.some(index, there=True):
            (self.town.content / story.path).unlink()
            story.there, story.missed = False, 0

    @step(index=st.integers(0, 9))
    def restore(self, index: int) -> None:
        if story := self.some(index, there=False):
            self.write(story)
            story.there = True

    # --- people ------------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.readers) < READERS)
    @step()
    def subscribe(self) -> None:
        email = f"reader{len(self.readers)}@readers.test"
        address = parse_address(email)
        self.audit.write_now(
            subscribers.add, address, name="", tags="", state=State.ACTIVE, digests=["daily"], consent={},
            hashed=subscribers.address_hash(SECRET, address.key), now=self.town.time.now(), lifts=False,
        )  # fmt: skip
        self.readers[email] = True
        self.town.world.earlier[email] = {row.slug for row in Ledger.read(self.audit, SECRET).editions}

    @step(index=st.integers(0, 9))
    def leave(self, index: int) -> None:
        there = [email for email, stays in self.readers.items() if stays]
        if there:
            email = there[index % len(there)]
            person = self.audit.read_now(subscribers.by_key, parse_address(email).key)
            assert person is not None
            self.audit.write_now(
                subscribers.leave, person["id"], State.UNSUBSCRIBED, "by link", SECRET, self.town.time.now()
            )
            self.readers[email] = False
            self.town.world.left[email] = len(self.town.world.copies)

    # --- the screen --------------------------------------------------------------------------------------------------

    @step(key=st.sampled_from(KEYS))
    def pause(self, key: str) -> None:
        self.audit.write_now(pauses.pause, key, "a person wants it", self.town.time.now())
        self.paused.add(key)

    @step(key=st.sampled_from(KEYS))
    def resume(self, key: str) -> None:
        self.audit.write_now(pauses.resume, key)
        self.paused.discard(key)

    @step()
    def look_after(self) -> None:
        """A person settles what waits for him, by what he sees in the world."""
        now = self.town.time.now()
        addresses = {row.id: row.url for row in Ledger.read(self.audit, SECRET).articles}
        for row in self.audit.read_now(deliveries.listing):
            address = addresses.get(row["subject"], "")
            if row["channel"] == CHANNEL and row["state"] in ("unknown", "held"):
                if any(post.address == address for post in self.town.world.posts):
                    self.audit.write_now(deliveries.resolve, row["id"], address, now)
                else:
                    self.audit.write_now(deliveries.resolve, row["id"], None, now)
                    self.audit.write_now(deliveries.retry, row["id"], now)
                    self.by_hand.add(address)
            elif row["channel"] == "email" and (row["people"] or {}).keys() & {"failed", "expired", "unknown"}:
                with contextlib.suppress(UsageError):  # nothing of it can be tried again
                    self.audit.write_now(deliveries.retry, row["id"], now)

    # --- world and time ----------------------------------------------------------------------------------------------

    @step(posts=st.sampled_from(("fine", *POSTS)), mail=st.sampled_from(("fine", *MAIL)))
    def fail(self, posts: str, mail: str) -> None:
        self.town.weather.posts, self.town.weather.mail = posts, mail

    @precondition(lambda self: self.readers)
    @step(index=st.integers(0, 9))
    def a_box_dies(self, index: int) -> None:
        self.town.weather.dead_boxes.add(list(self.readers)[index % len(self.readers)])

    @step()
    def heal(self) -> None:
        self.town.weather.posts = self.town.weather.mail = "fine"

    @step(hours=st.sampled_from([1, 24]))
    def the_clock_jumps(self, hours: int) -> None:
        self.town.time.jump(timedelta(hours=hours))

    @precondition(lambda self: not self.was_set_back)
    @step()
    def the_clock_is_set_back(self) -> None:
        self.was_set_back = True
        self.town.time.jump(timedelta(hours=-1))

    # --- processes ---------------------------------------------------------------------------------------------------

    @step(which=st.integers(0, 1), minutes=st.sampled_from([0, 0.5, 1, 11, 31]))
    def tick(self, which: int, minutes: float) -> None:
        self.town.time.pass_by(timedelta(minutes=minutes))
        self.go(which)

    @step(which=st.integers(0, 1), hours=st.sampled_from([1, 4, 24]))
    def tick_later(self, which: int, hours: int) -> None:
        self.tick(which, minutes=60 * hours)

    @step(which=st.integers(0, 1), hit=st.integers(1, 8))
    def die_reading(self, which: int, hit: int) -> None:
        self.die(which, 0, hit)

    @step(which=st.integers(0, 1), hit=st.integers(6, 18))
    def die_posting(self, which: int, hit: int) -> None:
        self.die(which, 1, hit)

    @step(which=st.integers(0, 1), hit=st.integers(10, 45))
    def die_mailing(self, which: int, hit: int) -> None:
        self.die(which, 24, hit)

    def die(self, which: int, hours: int, hit: int) -> None:
        """A pass with something to do that ends at its Nth crash point."""
        if len(self.stories) < STORIES:
            self.publish()
        self.town.time.pass_by(timedelta(hours=hours))
        process = self.process(which)
        crashpoint.arm(self.town.dying(hit))
        try:
            self.loop.run(process.run())
        except BaseException as error:
            if not _is_death(error):
                raise
            process.vanish()
            self.processes[which] = None
            self.town.world.kills += 1
            self.ground.deaths += 1
        finally:
            crashpoint.arm(None)
        self.look_at_the_world()

    @step(which=st.integers(0, 1))
    def restart(self, which: int) -> None:
        if process := self.processes[which]:
            process.stop()
            self.processes[which] = None

    def process(self, which: int) -> Process:
        found = self.processes[which] or Process(self.town)
        self.processes[which] = found
        return found

    def go(self, which: int) -> None:
        world = self.town.world
        posts, copies = len(world.posts), len(world.copies)
        report = self.loop.run(self.process(which).run())
        self.ground.passes += 1
        if self.paused & {"all", CHANNEL}:
            assert len(world.posts) == posts, "it posted while it was paused"
        if self.paused & {"all", "email", "digest:daily"}:
            assert len(world.copies) == copies, "it mailed while it was paused"
        self.look_at_the_world()
        if report.scanned.files:  # else the other process has the source, or the clock is not believed
            for story in self.stories:
                story.missed = 0 if story.there else story.missed + 1
            self.look_at_the_feeds()

    # --- judging -----------------------------------------------------------------------------------------------------

    def look_at_the_world(self) -> None:
        ledger = Ledger.read(self.audit, SECRET)
        assert broken(self.town.world, ledger) == []
        assert undone(self.before, ledger) == []
        self.before = ledger
        quiet = {story.address for story in self.stories if story.baseline}
        assert not [post for post in self.town.world.posts if post.address in quiet], "a baseline was announced"
        moments = self.town.wall.moments
        for (_, earlier, before), (address, later, after) in pairwise(moments):
            if before == after and address not in self.by_hand:
                assert later - earlier >= MIN_GAP, f"{address} came {later - earlier} after the one before"

    def look_at_the_feeds(self) -> None:
        folder = self.ground.settings.output_folder
        files = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith(".tmp")}
        if files == self.feeds:
            return
        self.feeds = files
        found = feed_ids(files)
        for story in self.stories:
            if story.there:
                assert story.title in found, f"{story.title} is not in the feeds"
            if story.title in found:
                assert self.ids.setdefault(story.title, found[story.title]) == found[story.title], "its id changed"

    def teardown(self) -> None:
        try:
            self.drain()
            self.expect()
        finally:
            for process in self.processes:
                if process:
                    process.stop()
            self.audit.close()
            self.loop.close()

    def drain(self) -> None:
        """Give everything its turn: nothing fails any more, and a person looks after what waits for him."""
        self.heal()
        for key in KEYS:
            self.resume(key)
        for turn in range(STORIES + 12):
            self.town.time.pass_by(timedelta(minutes=61))
            self.go(turn % 2)
            self.audit.write_now(pauses.resume, None)
            if turn == STORIES:
                self.look_after()
            if turn > 3 and not self.open():
                break

    def open(self) -> bool:
        rows = self.audit.read_now(deliveries.counts)
        states = {state for counts in rows.values() for state in counts}
        return bool(states & {"waiting", "planned", "claimed", "unknown", "held"})

    def expect(self) -> None:
        ledger = Ledger.read(self.audit, SECRET)
        assert broken(self.town.world, ledger, drained=True) == []
        assert self.audit.check() == []
        posted = {post.address for post in self.town.world.posts}
        subjects = {row.id: row.url for row in ledger.articles}
        rows = {subjects[row.subject]: row for row in ledger.deliveries if row.channel == CHANNEL}
        for story in self.stories:
            if story.there and not story.baseline and story.address not in posted:
                assert story.address in self.town.wall.refused, (
                    f"{story.title} was forgotten: {rows.get(story.address)}"
                )
        people = {row.id: row.email for row in ledger.subscribers}
        for letter in ledger.letters:
            email = people[letter.subscriber]
            if letter.state == "failed":
                assert email in self.town.weather.dead_boxes, letter
            if letter.state == "suppressed":
                assert not self.readers[email], letter


def _is_death(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(_is_death(one) for one in error.exceptions)
    return isinstance(error, Died)


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """In memory where the system offers that: nobody cuts the power here."""
    memory = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        made = Ground(Path(folder))
        open_ledger(made.settings, upgrade=True).close()
        (made.folder / "data").rename(made.empty)
        Newsroom.ground = made
        yield made


def test_whatever_happens_the_world_is_what_was_promised(ground: Ground) -> None:
    print(f"ACCEPTANCE_SEED={SEED}")
    how = settings(
        max_examples=RUNS, stateful_step_count=STEPS, deadline=None, database=None, phases=PHASES,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    run_state_machine_as_test(seed(SEED)(Newsroom), settings=how)
    print(f"{ground.steps} steps, {ground.passes} passes, {ground.deaths} deaths")
    assert ground.steps >= 20 * RUNS and ground.deaths >= RUNS // 3, "it did little"
