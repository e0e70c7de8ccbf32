"""The office behind the pages: the running program."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from syndicate import __version__, health, metrics
from syndicate.alert import Problem
from syndicate.config import FeedSettings, Settings, Site, WebSettings
from syndicate.errors import StoreError
from syndicate.logs import get
from syndicate.metrics import Counted
from syndicate.pipeline import App
from syndicate.signer import Signer
from syndicate.store import highwater, vitals
from syndicate.web.archive_program import ProgramArchive
from syndicate.web.hand_program import ProgramHand
from syndicate.web.hooks_program import ProgramHooks
from syndicate.web.kept import Kept
from syndicate.web.login_program import ProgramLogins
from syndicate.web.newsroom_program import ProgramNewsroom
from syndicate.web.signup_program import ProgramSignup, leave

ANSWER_TIME = 5.0  # seconds that the database may take for one

log = get(__name__)


class NewsroomOffice:
    """What the pages may ask of the program."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._settings = app.settings
        self.signer: Signer = app.signer
        mails = app.settings.email is not None and app.settings.digests
        self.logins = ProgramLogins(app.settings.web, app.store, app.clock, app.signer)
        self.newsroom = ProgramNewsroom(app)
        email = app.settings.email
        self.hooks = ProgramHooks(email.hooks, app.store, app.clock, app.keys, app.looker) if email else None
        self.archive = ProgramArchive(app.store, app.clock)
        self.hand = ProgramHand(app)
        self.signup = ProgramSignup(app.settings, app.store, app.clock, app.keys.lasting) if mails else None
        self._health = Kept(self._look, share=0)

    @property
    def site(self) -> Site:
        return self._settings.site

    @property
    def web(self) -> WebSettings:
        return self._settings.web

    @property
    def feeds(self) -> FeedSettings:
        return self._settings.feeds

    @property
    def feed_folder(self) -> Path:
        return self._settings.output_folder

    @property
    def templates(self) -> Path | None:
        return self._settings.templates

    async def unsubscribe(self, subscriber: int) -> bool:
        """End all mail to this person; returns after the commit."""
        return await self._app.store.write(leave, subscriber, self._app.keys.lasting, self._app.clock.now())

    async def health(self) -> Mapping[str, object]:
        """How many problems stand, and whether the program works; looked up once a second, however many ask."""
        return await self._health.get()

    async def _look(self) -> Mapping[str, object]:
        app = self._app
        found = app.alarm.here()
        try:
            async with asyncio.timeout(ANSWER_TIME):
                noted, oldest = await app.store.read(_health, self._settings, app.clock.now())
        except (StoreError, TimeoutError) as error:
            log.warning("health unknown", error=str(error) or "the database does not answer")
            return {"ok": False, "works": False, "problems": max(1, len(found)), "oldest_due_seconds": None}
        problems = {one.key: one for one in (*noted, *found)}.values()
        works = not any(one.halts for one in problems)
        return {"ok": not problems, "works": works, "problems": len(problems), "oldest_due_seconds": oldest}

    async def ready(self) -> bool:
        """Whether the database answers, and takes what is written. Not while stopping: a balancer asks elsewhere."""
        if self._app.stop.is_set():
            return False
        try:
            async with asyncio.timeout(ANSWER_TIME):
                return await self._app.store.read(vitals.answers) and self._app.store.trouble is None
        except (StoreError, TimeoutError):
            return False

    async def metrics(self) -> bytes:
        """The page of numbers."""
        app = self._app
        counted = await app.store.read(_counted, app, app.clock.now())
        return await asyncio.to_thread(metrics.exposition, counted)


def _health(connection: Connection, settings: Settings, now: datetime) -> tuple[list[Problem], int | None]:
    return health.problems(connection, settings, now), health.oldest_due_seconds(connection, now)


def _counted(connection: Connection, app: App, now: datetime) -> Counted:
    leases: dict[tuple[str, str], datetime] = {}
    for process in vitals.processes(connection):
        who = process.what, process.host
        leases[who] = min(process.lease_until, leases.get(who, process.lease_until))
    return Counted(
        version=__version__,
        now=now,
        counts=health.counts(connection, now),
        problems={one.key for one in (*health.problems(connection, app.settings, now), *app.alarm.here())},
        attempts=highwater.count(connection),
        leases=leases,
        scanned=vitals.scanned(connection),
        sent=vitals.last_sent(connection),
        failing={name: failure.times for name, failure in app.alarm.failing.items()},
        writes=app.store.trouble is None,
    )
