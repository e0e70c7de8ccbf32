"""A whole newsroom in one process: a folder, a real database, processes that can die, and a world that can fail.

Time stands still until somebody moves it. A death is an exception at a crash point, after which nothing of that process
is closed: its claims stand, its file lock is free.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from syndicate import app as composition
from syndicate import config, crashpoint
from syndicate.alarm import Alarm
from syndicate.channels.base import Announcement, Payload, Shown
from syndicate.clock import SystemClock
from syndicate.config import Settings
from syndicate.deliver import PublicChannel
from syndicate.delivery import Receipt, RetryPolicy
from syndicate.desk import Desk
from syndicate.errors import InDoubt, Refused, Unavailable
from syndicate.mail import Post as Mail
from syndicate.pipeline import App, Report, look, send
from syndicate.press import Press
from syndicate.publics import pacing_of
from syndicate.signer import Keys, Signer
from syndicate.sources.folder import Folder
from syndicate.store.database import Store, open_ledger
from syndicate.store.owners import Owner
from syndicate.store.timekeeping import Timekeeper
from syndicate.transports.base import Envelope, Fate, Hear, May, Verdict, always
from tests.invariants import Copy, Post, World

SECRET = b"a secret of the simulation"
CHANNEL = "linkedin"
REPEAT_WITHIN = timedelta(minutes=10)
REMEMBERED = REPEAT_WITHIN + timedelta(hours=1)  # the clock may be set back an hour while nobody watches it
START = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)

CONFIG = """
data = "data"
[site]
title = "The Courier"
url = "https://www.example.org"
timezone = "Europe/Berlin"
[[sources]]
path = "content"
[review]
min_words = 1
settle = "0s"
delay = "1m"
[linkedin]
live = true
author = "urn:li:person:abc"
access_token = "token"
hours = "00:00-24:00"
min_gap = "30m"
max_per_day = 0
max_age = "0s"
retry_for = "2d"
[email]
live = true
sender = "News <news@example.net>"
postal_address = "Quay 1"
retry_for = "2d"
[[digests]]
name = "daily"
schedule = "0 9 * * *"
subject = "The Courier"
max_articles = 3
headlines = 2
late_limit = "6h"
"""


class Time:
    """What passes for everybody: the seconds that only ever run on, and a wall clock that somebody may set."""

    def __init__(self) -> None:
        self.running = 1_000_000.0
        self.set_by = 0.0
        self.jumps = 0

    def wall(self) -> float:
        return START.timestamp() + self.running - 1_000_000.0 + self.set_by

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.wall(), UTC)

    def pass_by(self, time: timedelta) -> None:
        self.running += time.total_seconds()

    def jump(self, by: timedelta) -> None:
        self.set_by += by.total_seconds()
        self.jumps += 1


class ProcessClock(SystemClock):
    """The program's own clock over that time; sleeping lets it pass."""

    def __init__(self, time: Time) -> None:
        self._time = time
        super().__init__(wall=time.wall, running=lambda: time.running)

    def monotonic(self) -> float:
        return self._time.running

    async def sleep(self, seconds: float) -> None:
        self._time.pass_by(timedelta(seconds=seconds))
        await asyncio.sleep(0)


class Died(BaseException):
    """The process is gone; what says `except Exception` does not see it."""


class Weather:
    """How the world answers now."""

    def __init__(self) -> None:
        self.posts = self.mail = "fine"
        self.dead_boxes: set[str] = set()


class Wall:
    """A public channel. It knows a post again for a while; one that comes later stands there twice."""

    name = CHANNEL
    live = True
    by_hand = False

    def __init__(self, world: World, weather: Weather, time: Time) -> None:
        self._world = world
        self._weather = weather
        self._time = time
        self._known: dict[str, float] = {}
        self.moments: list[tuple[str, datetime, int]] = []  # address, when, after how many jumps of the clock
        self.refused: set[str] = set()

    def compose(self, announcement: Announcement) -> Payload:
        return {"v": 1, "address": announcement.article.url}

    def preview(self, payload: Payload) -> Shown:
        return Shown.plain(payload["address"])

    async def prepare(self, key: str, payload: Payload) -> Payload:
        return payload

    async def send(self, key: str, payload: Payload) -> Receipt:
        return self._take(payload["address"], repeat=False)

    async def reconcile(self, key: str, payload: Payload) -> Receipt:
        return self._take(payload["address"], repeat=True)

    async def retract(self, external_id: str) -> Receipt:
        raise Refused("nobody asks for that here")

    async def unable(self) -> str | None:
        return None

    async def aclose(self) -> None:
        pass

    def _take(self, address: str, *, repeat: bool) -> Receipt:
        match self._weather.posts:
            case "down":
                raise Unavailable("it is down")
            case "busy":
                raise Unavailable("too much", status=429, retry_after=timedelta(hours=1))
            case "login":
                raise Unavailable("the token is dead", status=401, pauses="log in anew")
            case "refuse":
                self.refused.add(address)
                raise Refused("it does not like this one", status=400)
            case "vanish":
                raise InDoubt("the answer got lost, and the post as well")
        now = self._time.running
        seen = self._known.get(address)
        if not (repeat and seen is not None and now - seen <= REMEMBERED.total_seconds()):
            self._world.posts.append(Post(CHANNEL, address))
            self._known[address] = now
            self.moments.append((address, self._time.now(), self._time.jumps))
        crashpoint.crashpoint("wall.taken")
        match self._weather.posts:
            case "lost":
                raise InDoubt("the answer got lost")
            case "bug":
                raise RuntimeError("nobody thought of this")
        return Receipt(external_id=f"urn:{len(self._world.posts)}", url=address, status=201)


class Mailbox:
    """A mail server."""

    live = True
    connections = 2

    def __init__(self, world: World, weather: Weather) -> None:
        self._world = world
        self._weather = weather

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Mailbox]:
        yield self

    async def send(self, group: Sequence[Envelope], hear: Hear, may: May = always) -> None:
        for envelope in group:
            await asyncio.sleep(0)  # others have their turn between two letters
            if not may():
                return
            verdict = self._take(envelope)
            crashpoint.crashpoint("mailbox.taken")
            if not hear(verdict) or verdict.fate is Fate.CHANNEL:
                return

    def _take(self, envelope: Envelope) -> Verdict:
        letter = envelope.letter
        match self._weather.mail:
            case "down":
                return Verdict(letter=letter, fate=Fate.CHANNEL, answer="connection refused")
            case "login":
                return Verdict(letter=letter, fate=Fate.CHANNEL, code=535, answer="no", pauses="check the password")
            case "grey":
                return Verdict(letter=letter, fate=Fate.DEFERRED, code=451, answer="again later")
            case "blame":
                return Verdict(letter=letter, fate=Fate.BLAMED, code=554, status="5.7.1", answer="spam")
        if envelope.recipient in self._weather.dead_boxes:
            return Verdict(letter=letter, fate=Fate.REJECTED, code=550, status="5.1.1", answer="nobody here")
        data = b"".join(envelope.pieces).decode()
        name = data.partition("Message-ID: ")[2].partition("\r\n")[0]
        self._world.copies.append(Copy(envelope.recipient, name, data))
        if self._weather.mail == "lost":
            self._world.doubts += 1
            return Verdict(letter=letter, fate=Fate.DEFERRED, in_doubt=True, answer="connection lost")
        return Verdict(letter=letter, fate=Fate.ACCEPTED, code=250, answer="queued")


class Process:
    """One `syndicate run` without loops: each pass is asked for."""

    def __init__(self, town: Town) -> None:
        self.store: Store = open_ledger(town.settings, upgrade=True)
        clock = ProcessClock(town.time)
        self.owner = Owner(self.store, clock, "run")
        self.owner.open()
        self.timekeeper = Timekeeper(self.store, clock)
        self.timekeeper.start()
        self.app = _connected(town, self.store, self.owner, clock)

    async def run(self) -> Report:
        """One pass of the whole flow."""
        self.owner.renew()
        self.timekeeper.look()
        report = await look(self.app)
        await send(self.app)
        return report

    def stop(self) -> None:
        """As after SIGTERM."""
        self.owner.close()
        self.store.close()

    def vanish(self) -> None:
        """As after SIGKILL: the system lets go of the file lock, and of nothing in the database."""
        self.owner._lock.release(remove=False)
        self.store.close()


class Town:
    """Everything there is; `folder` may be used again, with `empty` copied into it."""

    def __init__(self, folder: Path, settings: Settings, press: Press, chance: random.Random) -> None:
        self.content = folder / "content"
        self.settings = settings
        self.press = press
        self.chance = chance
        self.time = Time()
        self.world = World(connections=2 * Mailbox.connections)
        self.weather = Weather()
        self.wall = Wall(self.world, self.weather, self.time)
        self.mailbox = Mailbox(self.world, self.weather)

    def dying(self, hit: int) -> Callable[[str], None]:
        """Die at the Nth crash point from here, and at each one after it: the dead do nothing more."""
        left = hit

        def die(name: str) -> None:
            nonlocal left
            left -= 1
            if left <= 0:
                raise Died(name)

        return die


def settle_in(folder: Path) -> Settings:
    """A folder with a configuration and no database."""
    (folder / "content").mkdir(parents=True)
    (folder / "syndicate.toml").write_text(CONFIG, encoding="utf-8")
    return config.load(folder / "syndicate.toml", {})


def _connected(town: Town, store: Store, owner: Owner, clock: SystemClock) -> App:
    settings = town.settings
    assert settings.linkedin is not None and settings.email is not None
    policy = RetryPolicy(retry_for=settings.linkedin.retry_for, repeat_within=REPEAT_WITHIN)
    public = PublicChannel(channel=town.wall, pacing=pacing_of(settings, settings.linkedin), policy=policy)
    post = Mail(
        transport=town.mailbox,
        policy=RetryPolicy(retry_for=settings.email.retry_for, repeat_within=settings.email.retry_for),
        signer=Signer(SECRET),
        secret=SECRET,
        public_url="http://127.0.0.1:8080",
    )
    return App(
        settings=settings, store=store, owner=owner, clock=clock, chance=town.chance, desk=Desk(settings, (CHANNEL,)),
        sources=[Folder(source) for source in settings.sources], looker=composition.make_looker(settings),
        publics={CHANNEL: public}, keys=Keys(reading=(SECRET,)), signer=Signer(SECRET), press=town.press, post=post,
        alarm=Alarm(settings=settings, store=store, owner=owner, clock=clock, ways=()), stop=asyncio.Event(),
    )  # fmt: skip
