"""Looks a site up for `init`: its home page, feed, sitemap and newest articles.

Every failure is a sentence and none is the end. It asks a few things at a time, and `PATIENCE` seconds in all.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urljoin, urlsplit, urlunsplit

from syndicate import __version__, survey
from syndicate.errors import DeliveryError, SourceError
from syndicate.fetch import Answer, origin
from syndicate.guarded import GuardedFetcher, trusted
from syndicate.survey import Fit, Home, Piece

T = TypeVar("T")

PATIENCE = 18.0  # seconds for everything
CONNECT, DEADLINE = 3.0, 6.0  # seconds for one request
AT_ONCE = 6
TRIED = 3  # newest articles that are asked for under every usual pattern, until one answers
ENOUGH = 0.8  # share of the pages that must answer before review.check_url may wait for pages
_NO_PAGE = "no-such-article-3f9a1c"
_ANY = "{site_url}/{slug}/"
_MOST_SITEMAPS = 30  # of an index
_FEEDS = ("feed.xml", "rss.xml", "atom.xml", "index.xml", "feed/", "feed.json")  # where readers look too
_SITEMAPS = ("sitemap.xml", "sitemap-index.xml", "sitemap_index.xml")


@dataclass(slots=True)
class Sight:
    """What could be seen; `missed` says what could not, and why."""

    url: str  # of the site, as it redirects
    home: Home | None = None
    feed: str = ""
    items: int = 0  # of the feed
    sitemap: str = ""
    pages: int = 0  # in the sitemap
    known: list[str] = field(default_factory=list)  # addresses of the sitemap and the feed
    fit: Fit | None = None
    asked: int = 0  # newest articles that were asked for at their address
    answered: int = 0
    missed: list[str] = field(default_factory=list)

    @property
    def answers(self) -> bool:
        """Whether pages were seen to answer, so that the review may wait for them."""
        return self.asked > 0 and self.answered >= ENOUGH * self.asked


async def look_up(
    url: str,
    pieces: Sequence[Piece],
    patterns: Sequence[str],
    *,
    patience: float = PATIENCE,
    deadline: float = DEADLINE,
) -> Sight:
    """Look at the site at `url`; `patterns` are tried where neither sitemap nor feed name its articles.

    `patience` is the seconds for everything, `deadline` those for one request.
    """
    sight = Sight(url=url)
    hosts = trusted(url, _secure(url))
    fetcher = GuardedFetcher(
        f"syndicate/{__version__} (+{url})", allow_private=hosts, resolve=_names, connect=CONNECT, deadline=deadline
    )
    try:
        async with asyncio.timeout(patience):
            await _Walk(fetcher, sight, pieces, patterns).go()
    except TimeoutError:
        sight.missed.append(f"could not look up everything: {origin(url)} took longer than {patience:.0f} s")
        sight.fit = sight.fit or survey.fit(pieces, sight.known, sight.url)
    finally:
        await fetcher.aclose()
    return sight


async def _names(host: str, port: int) -> Sequence[str]:
    """As the system names them, by a thread that nobody waits for: a dead resolver takes its time to say so."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Sequence[str]] = loop.create_future()

    def settle(found: Sequence[str] | OSError | UnicodeError) -> None:
        if answer.done():
            return
        if isinstance(found, OSError | UnicodeError):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def ask() -> None:
        found: Sequence[str] | OSError | UnicodeError
        try:
            found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except (OSError, UnicodeError) as error:
            found = error
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, found)

    threading.Thread(target=ask, name="names", daemon=True).start()
    return await answer


def _secure(url: str) -> str:
    """The same host by the other scheme: most sites send from one to the other."""
    parts = urlsplit(url)
    return urlunsplit(("https" if parts.scheme == "http" else "http", parts.hostname or "", "", "", ""))


class _Walk:
    """One look around."""

    def __init__(self, fetcher: GuardedFetcher, sight: Sight, pieces: Sequence[Piece], patterns: Sequence[str]) -> None:
        self._fetcher = fetcher
        self._sight = sight
        self._newest = survey.newest(pieces)
        self._patterns = patterns
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def go(self) -> None:
        sight = self._sight
        if not await self._home():
            return
        await asyncio.gather(self._find_feed(), self._find_sitemap())
        sight.fit = survey.fit(self._newest, sight.known, sight.url)
        if not self._newest or await self._answers_to_anything():
            return
        if all(piece.link for piece in self._newest):  # then the pattern is nothing to be found out
            await self._ask_newest(_ANY)
            return
        if sight.fit is None:
            sight.fit = await self._try_out()
        if sight.fit is not None:
            await self._ask_newest(sight.fit.pattern)

    def _miss(self, what: str, why: object) -> None:
        self._sight.missed.append(f"could not look up {what}: {why}")

    async def _get(self, url: str, limit: int) -> Answer:
        """The answer, if it is a page. Raises DeliveryError."""
        async with self._gate:
            answer = await self._fetcher.get(url, limit=limit)
        if answer.status != 200:
            raise DeliveryError(f"answered {answer.status}", status=answer.status)
        return answer

    # --- home page ---------------------------------------------------------------------------------------------------

    async def _home(self) -> bool:
        """Read the home page; False where nobody is there to be asked at all."""
        sight = self._sight
        try:
            answer = await self._get(sight.url + "/", survey.LARGEST // 10)
        except DeliveryError as error:
            self._miss(sight.url, error)
            return error.status is not None
        if survey.same_page(urljoin(answer.url, "/"), urljoin(sight.url, "/")):
            sight.url = _site(answer.url, sight.url)
        sight.home = survey.read_home(answer.text(), answer.url)
        return True

    # --- feed --------------------------------------------------------------------------------------------------------

    async def _find_feed(self) -> None:
        sight = self._sight
        stated = sight.home.feeds if sight.home else ()
        for address in stated[:3]:
            if await self._read_feed(address, said=True):
                return
        usual = [f"{sight.url}/{name}" for name in _FEEDS]
        for address in usual if not stated else ():
            if await self._read_feed(address, said=False):
                return

    async def _read_feed(self, address: str, *, said: bool) -> bool:
        from syndicate.sources import feedread

        sight = self._sight
        try:
            answer = await self._get(address, survey.LARGEST)
            kind = answer.headers.get("content-type", "")
            feed = await asyncio.to_thread(feedread.read, answer.body, kind, answer.url)
        except (DeliveryError, SourceError) as error:
            if said:
                self._miss(f"the feed {address}", error)
            return False
        sight.feed, sight.items = address, len(feed.items)
        sight.known += [item.manuscript.link for item in feed.items if item.manuscript.link]
        return True

    # --- sitemap -----------------------------------------------------------------------------------------------------

    async def _find_sitemap(self) -> None:
        sight = self._sight
        stated = list(sight.home.sitemaps if sight.home else ())
        try:
            robots = await self._get(urljoin(sight.url, "/robots.txt"), 500_000)
            stated += survey.read_robots(robots.text())
        except DeliveryError:
            pass  # few sites need one
        for address in dict.fromkeys(stated[:5]):
            if await self._read_sitemaps(address, said=True):
                return
        for address in dict.fromkeys(f"{sight.url}/{name}" for name in _SITEMAPS):
            if address not in stated and await self._read_sitemaps(address, said=False):
                return

    async def _read_sitemaps(self, address: str, *, said: bool) -> bool:
        sight = self._sight
        try:
            found = await self._sitemap(address, survey.LARGEST)
        except (DeliveryError, SourceError) as error:
            if said:
                self._miss(f"the sitemap {address}", error)
            return False
        pages = list(found.pages)
        below = found.sitemaps[:_MOST_SITEMAPS]
        share = survey.LARGEST // max(1, len(below))
        for part in await asyncio.gather(*(self._sitemap(one, share) for one in below), return_exceptions=True):
            if isinstance(part, survey.Sitemap):
                pages += part.pages
            elif not isinstance(part, DeliveryError | SourceError):
                raise part
        sight.sitemap, sight.pages = address, min(len(pages), survey.MOST_URLS)
        sight.known += pages[: survey.MOST_URLS]
        return True

    async def _sitemap(self, address: str, limit: int) -> survey.Sitemap:
        answer = await self._get(address, limit)
        return await asyncio.to_thread(survey.read_sitemap, answer.body)

    # --- articles ----------------------------------------------------------------------------------------------------

    async def _where(self, url: str) -> str | None:
        """Where a page answers; None where it does not, or sends us to another page."""
        try:
            async with self._gate:
                found = await self._fetcher.look(url)
        except DeliveryError:
            return None
        return found.url if found.status == 200 and survey.same_page(found.url, url) else None

    async def _answers_to_anything(self) -> bool:
        sight = self._sight
        pattern = sight.fit.pattern if sight.fit else _ANY
        nobody = Piece(slug=_NO_PAGE, path=_NO_PAGE, day=self._newest[0].day, at=self._newest[0].at)
        address = survey.address_of(pattern, nobody, sight.url)
        if address is None or await self._where(address) is None:
            return False
        self._miss("whether articles are there", f"{origin(sight.url)} answers 200 where there is no page")
        return True

    async def _try_out(self) -> Fit | None:
        """Ask for the newest articles at the usual places, and learn from where they answer."""
        sight = self._sight
        formed = [piece for piece in self._newest if not piece.link]
        for position, piece in enumerate(formed[:TRIED]):
            there = await self._ask((pattern, piece) for pattern in self._patterns)
            if there:
                others = formed[position + 1 : position + 4]
                more = await self._ask((pattern, other) for pattern in there for other in others)
                known = [address for found in (there, more) for places in found.values() for address in places]
                return survey.fit(self._newest, known, sight.url, self._patterns)
        self._miss("the addresses of articles", "none of the newest answers at a usual place")
        return None

    async def _ask(self, wanted: Iterable[tuple[str, Piece]]) -> dict[str, list[str]]:
        """Where articles answer, by pattern."""
        asked: dict[str, str] = {}  # some patterns form the same address
        for pattern, piece in wanted:
            address = survey.address_of(pattern, piece, self._sight.url)
            if address is not None:
                asked.setdefault(address, pattern)
        found: dict[str, list[str]] = {}
        for pattern, place in zip(asked.values(), await _all(self._where, asked), strict=True):
            if place is not None:
                found.setdefault(pattern, []).append(place)
        return found

    async def _ask_newest(self, pattern: str) -> None:
        sight = self._sight
        formed = [survey.address_of(pattern, piece, sight.url) for piece in self._newest]
        asked = [address for address in formed if address is not None]
        places = await _all(self._where, asked)
        sight.asked = len(self._newest)
        sight.answered = sum(place is not None for place in places)


async def _all(ask: Callable[[str], Awaitable[T]], addresses: Iterable[str]) -> list[T]:
    return list(await asyncio.gather(*map(ask, addresses)))


def _site(seen: str, asked: str) -> str:
    """The site's address by the scheme and host that answered in the end."""
    parts = urlsplit(seen)
    return urlunsplit((parts.scheme, parts.netloc, urlsplit(asked).path, "", "")).rstrip("/")
