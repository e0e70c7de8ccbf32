"""The daemon: starts clock, loops and web, and stops them in order, finishing what is on the wire.

A `worker` is the same without eyes: it delivers and mails for the `run`s on its database.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from functools import partial

from syndicate.alarm import watch
from syndicate.app import WORKER, open_app
from syndicate.clock import Clock
from syndicate.config import Settings
from syndicate.errors import SyndicateError
from syndicate.logs import get
from syndicate.pipeline import App, deliver_channel, learn, look, mail_letters, takeable, tell_hubs, tidy_up
from syndicate.sources.folder import Folder
from syndicate.store import articles, pauses, scanners
from syndicate.store.owners import FileLock
from syndicate.store.scanners import DAEMON
from syndicate.supervisor import inherited, tell
from syndicate.ticker import Job, Ticker
from syndicate.watch import hints
from syndicate.words import after_pass, upcoming

LEARN_EVERY = 5.0  # seconds between looks for a page or an image to ask for
HUBS_EVERY = 2.0  # seconds between looks for a hub that does not know the feeds
WATCH_EVERY = 15.0  # seconds between looks for what is wrong
TIDY_EVERY = 60.0  # seconds between looks for letters that may leave the hot path
SEND_EVERY = 1.0  # seconds between looks for something due
INHERIT_EVERY = 5.0  # seconds between looks for a source that nobody scans
GRACE = 30.0  # seconds in which the wire is finished after SIGTERM

log = get(__name__)
Say = Callable[[str], None]
Jobs = Mapping[str, tuple[float, Job]]


async def serve(settings: Settings, clock: Clock, say: Say) -> int:
    """`run`: everything, until SIGTERM or SIGINT.

    Raises SyndicateError: a second daemon, a taken port, an unusable database.
    """
    with _alone(settings):
        async with open_app(settings, clock, DAEMON) as app, _web(app) as address:
            tell(os.environ, "READY=1")
            say(f"syndicate runs; stop it with Ctrl-C.{f' Feeds and pages at {address}' if address else ''}")
            for name, slots in upcoming(settings, clock.now()).items():
                say(f"{name}: next {slots} ({settings.site.timezone})")
            await _work(app, jobs(app, say))
    return 0


async def help_out(settings: Settings, clock: Clock, say: Say) -> int:
    """`worker`: deliver and mail what is due, until SIGTERM or SIGINT. Raises SyndicateError: an unusable database."""
    async with open_app(settings, clock, WORKER) as app:
        tell(os.environ, "READY=1")
        say("syndicate helps to deliver and mail; stop it with Ctrl-C.")
        await _work(app, sending(app))
    return 0


@contextlib.contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """A SQLite file has one `run`; on PostgreSQL several share the work. Raises SyndicateError: another has it."""
    if settings.database.url.reveal().startswith("postgresql"):
        yield
        return
    lock = FileLock(settings.data / "daemon.lock")
    if not lock.acquire():
        raise SyndicateError(f"another `syndicate run` works on {settings.data}: stop it first")
    try:
        yield
    finally:
        lock.release()


# --- working ----------------------------------------------------------------------------------------------------------


def jobs(app: App, say: Say) -> Jobs:
    """What a `run` does again and again: name -> seconds between, and the job."""
    poll = min(source.poll.total_seconds() for source in app.settings.sources)
    return {
        "look": (poll, _Looking(app, say)),
        "learn": (LEARN_EVERY, _unless_stopping(app, partial(_learn, app))),
        "hubs": (HUBS_EVERY, _unless_stopping(app, partial(tell_hubs, app))),
        "tidy": (TIDY_EVERY, _unless_stopping(app, partial(tidy_up, app))),
        **sending(app),
    }


def sending(app: App) -> Jobs:
    """The jobs that touch the world, and the watch over them; a `worker` has no others."""
    return {
        **{
            f"deliver {name}": (SEND_EVERY, _unless_stopping(app, partial(deliver_channel, app, name)))
            for name in app.publics
        },
        "mail": (SEND_EVERY, _unless_stopping(app, partial(mail_letters, app))),
        "alarm": (WATCH_EVERY, _unless_stopping(app, partial(watch, app.alarm))),
    }


def _unless_stopping(app: App, job: Callable[[], Awaitable[object]]) -> Job:
    async def start() -> None:
        if not app.stop.is_set():
            await job()

    return start


async def _learn(app: App) -> None:
    if not await app.store.read(pauses.stands, pauses.CLOCK):
        await learn(app, app.clock.now())


async def _work(app: App, jobs: Jobs) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, app.stop.set)
    busy = _Busy()
    ticker = Ticker({name: (seconds, busy(job)) for name, (seconds, job) in jobs.items()}, app.alarm.failing)
    ticker.start()
    async with asyncio.TaskGroup() as tasks:
        if "look" in jobs:
            tasks.create_task(_hints(app, ticker))
            tasks.create_task(_inherit(app, ticker))
        await app.stop.wait()
    tell(os.environ, "STOPPING=1")
    log.info("stopping", running=busy.count)
    try:
        await asyncio.wait_for(busy.idle.wait(), GRACE)
    except TimeoutError:
        log.warning("cut off", running=busy.count, after=GRACE)
    ticker.stop()


async def _inherit(app: App, ticker: Ticker) -> None:
    """Hurry the next look when nobody scans a source any more: its machine is gone, and its poll may be an hour."""
    names = [source.name for source in app.sources]
    while not app.stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(app.stop.wait(), INHERIT_EVERY)
        with contextlib.suppress(SyndicateError):  # the jobs tell what is wrong with the database
            shared = await app.store.read(scanners.sharing, names, app.owner.id, app.owner.host)
            if not shared.alone and takeable(app, shared):
                ticker.hurry("look")


async def _hints(app: App, ticker: Ticker) -> None:
    """Hurry the next look when a folder says that it changed; without such hints the next tick finds it."""
    folders = [source.path for source in app.sources if isinstance(source, Folder)]
    settle = app.settings.review.settle.total_seconds()
    if folders:
        await hints(folders, settle, app.stop, lambda: ticker.hurry("look"))


class _Busy:
    """Counts the jobs that run, so that a stop can wait for them: the scheduler itself would cancel them."""

    def __init__(self) -> None:
        self.count = 0
        self.idle = asyncio.Event()
        self.idle.set()

    def __call__(self, job: Job) -> Job:
        async def counted() -> None:
            self.count += 1
            self.idle.clear()
            try:
                await job()
            finally:
                self.count -= 1
                if not self.count:
                    self.idle.set()

        return counted


class _Looking:
    """scan, publish, plan; the first time it says what it found."""

    def __init__(self, app: App, say: Say) -> None:
        self._app = app
        self._say: Say | None = say

    async def __call__(self) -> None:
        app = self._app
        if app.stop.is_set():
            return
        report = await look(app)
        if self._say:
            ready = (await app.store.read(articles.counts)).get("ready", 0)
            paused = await app.store.read(pauses.standing)
            for line in after_pass(report, {}, app.settings, app.clock.now(), ready=ready, paused=paused):
                self._say(line)
            if not report.scanned.unsettled:  # else the words about the first look come with the next pass
                self._say = None
        elif report.scanned.changed or report.planned or report.frozen:
            log.info(
                "looked", files=report.scanned.files, parsed=report.scanned.parsed, released=report.scanned.released,
                planned=report.planned, editions=len(report.frozen),
            )  # fmt: skip
        for problem in report.scanned.problems:
            log.warning("source", problem=problem)


# --- web --------------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _web(app: App) -> AsyncIterator[str]:
    """Serve the pages while the body runs; yields their address, empty where web.enabled is false."""
    web = app.settings.web
    if not web.enabled:
        yield ""
        return
    from syndicate.web import peer
    from syndicate.web.app import build
    from syndicate.web.program import NewsroomOffice
    from syndicate.web.server import Server

    handed = inherited(os.environ, os.getpid())
    uncounted = (*peer.HOUSE, *web.trusted_proxies)
    server = Server(build(NewsroomOffice(app)), web.host, web.port, handed=handed, uncounted=uncounted)
    server.bind()
    serving = asyncio.create_task(server.serve())
    try:
        yield f"http://{web.host}:{server.port}/"
    finally:
        server.should_exit = True
        await asyncio.gather(serving, return_exceptions=True)
        server.release()
