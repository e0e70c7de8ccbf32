"""A newsroom without a world: a folder of files, a real database, and everything between them up to sending."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from syndicate import config, plan
from syndicate.app import press
from syndicate.article import Article
from syndicate.desk import Desk
from syndicate.freeze import freeze_due
from syndicate.pacing import Pacing
from syndicate.press import Press
from syndicate.publics import paces
from syndicate.scan import Scanned, scan
from syndicate.single import freeze_singles
from syndicate.sources.folder import Folder
from syndicate.store import articles, deliveries, editions, ledger
from syndicate.store.database import Store

START = datetime.fromisoformat("2026-11-24T08:00:00+00:00")
LONG_AGO = datetime.fromisoformat("2026-11-01T00:00:00+00:00")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

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
delay = "{delay}"
max_new = {max_new}
first_run = "{first_run}"
[linkedin]
live = true
author = "urn:li:person:abc"
access_token = "token"
approve = {approve}
hours = "00:00-24:00"
min_gap = "2h"
max_per_day = 0
{more}
"""
EMAIL = """
[email]
live = {live}
sender = "News <news@example.net>"
postal_address = "Quay 1"
[[digests]]
name = "weekly"
schedule = "{schedule}"
subject = "The Courier"
max_articles = {cards}
headlines = 1
min_articles = {least}
late_limit = "6h"
{keys}
"""


class PacedName:
    """What planning must know of a channel."""

    def __init__(self, name: str, pacing: Pacing) -> None:
        self.name = name
        self.pacing = pacing


class Room:
    """`now` stands still until somebody moves it."""

    def __init__(self, folder: Path, store: Store, **settings: Any) -> None:
        self.store = store
        self.now = START
        self._written = timedelta(0)
        self.content = folder / "content"
        self.content.mkdir(exist_ok=True)
        self.configure(folder, **settings)

    def configure(
        self, folder: Path, *, delay: str = "0s", max_new: int = 50, first_run: str = "baseline",
        approve: bool = False, email: bool = False, live: bool = True, cards: int = 12, least: int = 1, more: str = "",
        schedule: str = "0 9 * * *", keys: str = "",
    ) -> None:  # fmt: skip
        tables = ""
        if email:
            tables = EMAIL.format(live=str(live).lower(), cards=cards, least=least, schedule=schedule, keys=keys)
        text = CONFIG.format(
            delay=delay, max_new=max_new, first_run=first_run, approve=str(approve).lower(), more=more + tables
        )
        (folder / "syndicate.toml").write_text(text, encoding="utf-8")
        self.settings = config.load(folder / "syndicate.toml", {})
        self.desk = Desk(self.settings, ("linkedin",))
        self.sources = [Folder(source) for source in self.settings.sources]
        self._live = {"linkedin": True} | ({"email": live} if email else {})

    # --- files -------------------------------------------------------------------------------------------------------

    def write(self, name: str, title: str | None = None, *, text: str = "", **front: object) -> Path:
        """A file that was written long ago."""
        said = {"title": name.removesuffix(".md") if title is None else title, **front}
        lines = "".join(f"{key}: {value}\n" for key, value in said.items())
        path = self.content / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"---\n{lines}---\n{text or f'It says {said}.'}\n", encoding="utf-8")
        self._written += MINUTE
        self.age(name, by=self._written)
        return path

    def age(self, name: str, by: timedelta = timedelta(0)) -> None:
        moment = (LONG_AGO + by).timestamp()
        os.utime(self.content / name, (moment, moment))

    def move(self, old: str, new: str) -> None:
        (self.content / new).parent.mkdir(parents=True, exist_ok=True)
        (self.content / old).rename(self.content / new)

    def remove(self, *names: str) -> None:
        for name in names:
            (self.content / name).unlink()

    # --- passes ------------------------------------------------------------------------------------------------------

    async def scan(self, after: timedelta = timedelta(0)) -> Scanned:
        self.now += after
        names = [digest.name for digest in self.settings.digests]
        self.store.write_now(ledger.sync_channels, self._live, self.now)
        self.store.write_now(editions.sync_digests, names, self.now)
        return await scan(self.sources, self.store, self.desk, self.now)

    async def plan(self, after: timedelta = timedelta(0)) -> int:
        self.now += after
        return await plan.plan(self.store, self.channels, self.now)

    async def freeze(self, after: timedelta = timedelta(0)) -> list[str]:
        self.now += after
        made = await freeze_due(self.press, self.store, self.now)
        return [*made, *await freeze_singles(self.press, self.store, self.now)]

    async def look(self, after: timedelta = timedelta(0)) -> Scanned:
        """A whole pass, short of sending."""
        found = await self.scan(after)
        await self.plan()
        if self.settings.email:
            await self.freeze()
        return found

    @property
    def channels(self) -> Sequence[PacedName]:
        return [PacedName(name, pace) for name, pace in paces(self.settings).items()]

    @property
    def press(self) -> Press:
        made = press(self.settings)
        assert made is not None
        return made

    # --- a person ----------------------------------------------------------------------------------------------------

    def approve(self, *paths: str, quiet: bool = False) -> None:
        ids = [self.article(path).id for path in paths]
        self.store.write_now(self.desk.rule, ids, "approved", None, self.now, quiet=quiet)

    def reject(self, *paths: str, because: str = "no") -> None:
        ids = [self.article(path).id for path in paths]
        self.store.write_now(self.desk.rule, ids, "rejected", because, self.now)

    # --- seeing ------------------------------------------------------------------------------------------------------

    def all(self) -> Mapping[str, Article]:
        """The catalogue by path; of several at one path the one whose file is there."""
        found = sorted(self.store.read_now(articles.listing), key=lambda one: one.state != "gone")
        return {one.path: one for one in found}

    def article(self, path: str) -> Article:
        return self.all()[path]

    def states(self) -> dict[str, str]:
        return {path: one.state.value for path, one in sorted(self.all().items())}

    def owed(self) -> dict[str, str]:
        """Path -> state of what is owed to LinkedIn."""
        paths = {one.id: one.path for one in self.all().values()}
        rows = self.store.read_now(deliveries.listing, None, "linkedin")
        return {paths[row["subject"]]: row["state"] for row in rows}

    def row(self, path: str) -> Any:
        wanted = self.article(path).id
        [row] = [one for one in self.store.read_now(deliveries.listing, None, "linkedin") if one["subject"] == wanted]
        return row
