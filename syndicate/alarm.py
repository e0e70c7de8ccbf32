"""alarm: problems -> book -> alerts. Tells the owner of each problem once, and once when it is over.

Of several processes one tells; a death in between tells a second time rather than never. While the database takes
nothing, what is told of that is remembered here alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field

from syndicate import alert, health
from syndicate.alert import Failure, News, Problem, Standing
from syndicate.clock import Clock
from syndicate.config import Settings
from syndicate.errors import DeliveryError, StoreError
from syndicate.logs import get
from syndicate.store import alerts
from syndicate.store.database import Store
from syndicate.store.owners import Owner
from syndicate.transports.alerts import Alert, Way, alert_id, why

FIRST_REST = 60.0  # seconds until the next try, where nobody could be told; doubled each time
LONGEST_REST = 3600.0

log = get(__name__)


@dataclass(slots=True)
class _Rest:
    """A way that did not work."""

    until: float
    seconds: float
    reason: str


@dataclass(slots=True, kw_only=True)
class Alarm:
    """One process's part in it."""

    settings: Settings
    store: Store
    owner: Owner
    clock: Clock
    ways: Sequence[Way]
    failing: dict[str, Failure] = field(default_factory=dict)  # loops; the ticker counts
    _rests: dict[str, _Rest] = field(default_factory=dict)
    _own: dict[str, dict[str, Standing]] = field(default_factory=dict)  # way -> book of what no ledger could take

    def here(self) -> list[Problem]:
        """What is wrong with this process, as it sees itself."""
        found = health.here(self.store.trouble, self.failing, self.owner.host)
        return found + [
            Problem(key=f"alerts.{way}", text=f"alerts.{way}: you could not be told: {rest.reason}")
            for way, rest in sorted(self._rests.items())
        ]

    async def look(self) -> None:
        """Note what this process sees, look what is wrong, and tell what is to be told."""
        here = self.here()
        for way in self.ways:
            await self._tell_own(way, [problem for problem in here if problem.key == "database"])
        if self.store.trouble:
            return  # nothing can be noted; the renewal of the lease finds out when it is over
        if not await self.store.read(alerts.is_noted, self.owner.id, here):
            await self.store.write(alerts.note, self.owner.id, here)
        if self.ways:
            found = await self.store.read(health.problems, self.settings, self.clock.now())
            for way in self.ways:
                await self._tell(way, {one.key: one.text for one in found if one.key != f"alerts.{way.name}"})

    async def _tell(self, way: Way, texts: Mapping[str, str]) -> None:
        now = self.clock.now()
        book = await self.store.read(alerts.book, way.name)
        after = alert.seen(book, texts, now)
        tells = not self._rests_now(way)
        if after == book and not (tells and alert.news(book, now)):
            return
        news = await self.store.write(alerts.look, way.name, texts, self.owner.id, now, tells=tells)
        if not news:
            return
        told = await self._send(way, after, news)
        when = self.clock.now() if told else None
        await self.store.write(alerts.settle, way.name, [*news.begun, *news.over], self.owner.id, when)

    async def _tell_own(self, way: Way, problems: Sequence[Problem]) -> None:
        book = self._own.get(way.name, {})
        now = self.clock.now()
        book = self._own[way.name] = alert.seen(book, {one.key: one.text for one in problems}, now)
        news = alert.news(book, now)
        if news and not self._rests_now(way) and await self._send(way, book, news):
            self._own[way.name] = alert.told(book, [*news.begun, *news.over], now)

    async def _send(self, way: Way, book: alert.Book, news: News) -> bool:
        parts = [f"{way.name} {key} {book[key].since} {book[key].gone_at}" for key in (*news.begun, *news.over)]
        message = Alert(
            id=alert_id(parts),
            site=self.settings.site.title,
            begun=list(dict.fromkeys(book[key].text for key in news.begun)),
            over=list(dict.fromkeys(book[key].text for key in news.over)),
        )
        return await self._tried(way, way.tell(message))

    async def _tried(self, way: Way, telling: Awaitable[None]) -> bool:
        before = self._rests.get(way.name)
        try:
            await telling
        except DeliveryError as error:
            asked = getattr(error, "retry_after", None)
            seconds = min(before.seconds * 2, LONGEST_REST) if before else FIRST_REST
            rest = max(seconds, asked.total_seconds() if asked else 0.0)
            self._rests[way.name] = _Rest(self.clock.monotonic() + rest, seconds, why(error))
            if before is None or before.reason != why(error):
                log.warning("alert not told", way=way.name, error=why(error))
            return False
        self._rests.pop(way.name, None)
        log.info("alert told", way=way.name)
        return True

    def _rests_now(self, way: Way) -> bool:
        rest = self._rests.get(way.name)
        return rest is not None and self.clock.monotonic() < rest.until


async def watch(alarm: Alarm) -> None:
    """One look; a database that cannot be asked is told by the other loops, and by `/healthz`."""
    try:
        await alarm.look()
    except StoreError as error:
        log.debug("no look at what is wrong", error=str(error))
