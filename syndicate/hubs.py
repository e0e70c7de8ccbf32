"""hubs: feeds as served -> WebSub hubs, which fetch them at once and hand them on. It never holds up publishing.

What a hub was told of stands in the ledger, what there is to tell in the files: a process that dies between the two
loses no ping. Nothing leaves the machine while `web.public_url` is loopback: then only hubs on loopback are told.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from syndicate import feeds
from syndicate.clock import Clock
from syndicate.config import Settings, is_loopback_url
from syndicate.crashpoint import crashpoint
from syndicate.errors import DeliveryError
from syndicate.fetch import Answer, Fetcher, retry_after
from syndicate.logs import get
from syndicate.store import hubs
from syndicate.store.database import Store

DEADLINE = 10.0  # seconds for one exchange
LEASE = timedelta(minutes=5)  # in which one of us tells a hub; longer than all its exchanges
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)  # after a failure; doubled each time
PATIENCE = timedelta(minutes=10)  # with caches and uploads that still show the former bytes
_SOON, _LATER = timedelta(seconds=5), timedelta(minutes=1)  # between looks at them
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}

log = get(__name__)

Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class _Shown:
    """The feeds as their files are: `mark` tells these bytes from all others."""

    files: Mapping[str, bytes]
    mark: str
    written: datetime


def reachable(settings: Settings) -> Sequence[str]:
    """The hubs that may be told: all, or those on this machine where the feeds are on no other."""
    if is_loopback_url(settings.web.public_url):
        return [hub for hub in settings.feeds.hubs if is_loopback_url(hub)]
    return settings.feeds.hubs


class Teller:
    """Tells hubs of new bytes; remembers what it saw, so that a look costs three stats and one query."""

    def __init__(self, store: Store, fetcher: Fetcher, settings: Settings, owner: str, clock: Clock) -> None:
        """`owner` is the id of this process in the ledger."""
        self._store = store
        self._fetcher = fetcher
        self._settings = settings
        self._owner = owner
        self._clock = clock
        self._hubs = reachable(settings)
        self._stamp: Stamp = ()
        self._mark = ""
        self._knowing: set[str] = set()  # hubs that were told of these bytes, if of others since

    async def tell_due(self) -> int:
        """Tell every hub that does not know the feeds as they are; returns how many took it. Raises StoreError."""
        if not self._hubs or not await self._is_work():
            return 0
        now = self._clock.now()
        claimed = await self._store.write(hubs.claim, self._hubs, self._owner, now, now + LEASE)
        if not claimed:
            return 0
        names = [hub for hub, _ in claimed]
        shown = await asyncio.to_thread(_read, self._settings.output_folder)
        if shown is None or not await self._is_served(shown):
            age = now - shown.written if shown else PATIENCE
            await self._store.write(hubs.put_off, names, self._owner, now + min(max(_SOON, age / 2), _LATER))
            return 0
        return sum(await asyncio.gather(*(self._tell(hub, tries, shown.mark) for hub, tries in claimed)))

    async def _is_work(self) -> bool:
        """Whether a hub is due; notes those that do not know what the files hold by now.

        A hub that once knew these bytes is left alone: where two machines differ, each tells of its own once.
        """
        stamp = await asyncio.to_thread(_stamp, self._settings.output_folder)
        if not stamp:
            return False
        if stamp != self._stamp:
            shown = await asyncio.to_thread(_read, self._settings.output_folder)
            if shown is None:
                return False
            if shown.mark != self._mark:
                self._mark, self._knowing = shown.mark, set()
            self._stamp = stamp
        now = self._clock.now()
        known = await self._store.read(hubs.known, self._hubs, now)
        self._knowing |= {hub for hub, one in known.items() if one.told == self._mark}
        behind = [
            hub
            for hub in self._hubs
            if hub not in self._knowing and (hub not in known or known[hub].due_at is None)
        ]  # fmt: skip
        if behind:
            await self._store.write(hubs.note, behind, self._mark, now)
        return bool(behind) or any(one.is_due for one in known.values())

    async def _is_served(self, shown: _Shown) -> bool:
        """Whether a hub that asks now gets these bytes, as far as can be seen from here.

        An upload or a cache that shows others is waited for, ten minutes at most. What cannot be asked from this
        machine is believed to be served where we serve it ourselves.
        """
        if timedelta(0) <= self._clock.now() - shown.written < PATIENCE:
            for name, content in shown.files.items():
                served = await self._ask(feeds.address(self._settings.web.public_url, name))
                if served is None or served.status != 200:
                    return self._settings.web.enabled
                if not (content == served.body if served.whole else content.startswith(served.body)):
                    return False
        return True

    async def _ask(self, topic: str) -> Answer | None:
        try:
            return await self._fetcher.request("GET", topic, headers={}, repeatable=False, deadline=DEADLINE)
        except DeliveryError:
            return None

    async def _tell(self, hub: str, tries: int, mark: str) -> bool:
        why, wish = await self._ping(hub)
        crashpoint("hub.told")
        if not why:
            await self._store.write(hubs.told, hub, self._owner, mark)
            return True
        wait = max(min(FIRST_WAIT * 2 ** min(tries, 20), LONGEST_WAIT), wish)
        log.warning("hub not told", problem=why, tries=tries + 1)
        await self._store.write(hubs.failed, hub, self._owner, tries + 1, why, self._clock.now() + wait)
        return False

    async def _ping(self, hub: str) -> tuple[str, timedelta]:
        """Why it did not take the news ("" = it did), and how long it wants to be left alone.

        The form is that of the first hub, not of the standard: `hub.url`, by some called `hub.topic`. One topic a
        request, as some hubs read only the last of several.
        """
        for name in feeds.MEDIA_TYPES:
            topic = feeds.address(self._settings.web.public_url, name)
            form = urlencode({"hub.mode": "publish", "hub.url": topic, "hub.topic": topic}).encode()
            try:
                answer = await self._fetcher.request(
                    "POST", hub, headers=_FORM, content=form, repeatable=True, deadline=DEADLINE
                )  # fmt: skip
            except DeliveryError as error:
                return error.reason, timedelta(0)
            if not 200 <= answer.status < 300:
                return f"it answers {answer.status}", retry_after(answer.headers, self._clock.now()) or timedelta(0)
        return "", timedelta(0)


def _stamp(folder: Path) -> Stamp:
    """Changes with the files; () while one of them is missing."""
    try:
        found = [(folder / name).stat() for name in feeds.MEDIA_TYPES]
    except OSError:
        return ()
    return tuple((one.st_mtime_ns, one.st_size, one.st_ino) for one in found)


def _read(folder: Path) -> _Shown | None:
    try:
        files = {name: (folder / name).read_bytes() for name in feeds.MEDIA_TYPES}
        written = max((folder / name).stat().st_mtime for name in files)
    except OSError:
        return None
    mark = hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in files.values())).hexdigest()
    return _Shown(files, mark, datetime.fromtimestamp(written, UTC))
