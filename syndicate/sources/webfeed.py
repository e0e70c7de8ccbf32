"""Another site's feed: asks for it politely and hands its items on. Stores nothing: its state goes in and out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b

from syndicate.clock import Chance, Clock
from syndicate.config import SourceSettings
from syndicate.errors import Refused, SourceError, Unavailable
from syndicate.feedstate import State as State
from syndicate.fetch import LONGEST_WAIT, Answer, retry_after
from syndicate.guarded import GuardedFetcher
from syndicate.sources import feedread
from syndicate.sources.feedread import FeedItem

LARGEST = 10_000_000  # bytes, unpacked
LONGEST_REST = timedelta(hours=6)
POLITE = timedelta(minutes=15)  # between two questions, where the owner names no `poll`
_ACCEPT = "application/rss+xml, application/atom+xml, application/feed+json, application/xml;q=0.9, */*;q=0.5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What one look at a feed gave: nothing where it did not change."""

    state: State
    items: tuple[FeedItem, ...] = ()
    notes: tuple[str, ...] = ()


class FeedError(SourceError):
    """A feed that could not be read; `state` says when it is asked again, and is to be stored like any other."""

    def __init__(self, reason: str, state: State) -> None:
        super().__init__(reason)
        self.state = state


class WebFeed:
    """A source of kind "feed": RSS, Atom or JSON Feed of any site.

    A feed shows only its newest items: `complete` says that what it no longer shows is not gone. Items of the same
    guid are the same article, whatever else changes; the guid is their id and makes their path.
    """

    complete = False

    def __init__(
        self, settings: SourceSettings, fetcher: GuardedFetcher, clock: Clock, chance: Chance, *, key: str = ""
    ) -> None:
        """`fetcher` must trust the host of `settings.url` where it is private (`guarded.trusted`).

        `key` is where the owner wrote the address, if that is no source's.
        """
        self.name = settings.name
        self._key = key or f"sources.{settings.name}.url"
        self.url = settings.url
        self._poll = settings.poll
        polite = settings.poll if "poll" in settings.model_fields_set else max(settings.poll, POLITE)
        self._rest = polite.total_seconds()
        self._asked: float | None = None  # by the monotonic clock; a new process asks at once
        self._fetcher = fetcher
        self._clock = clock
        self._chance = chance

    def rests(self) -> bool:
        """Whether this process asked so lately that asking again would be impolite."""
        return self._asked is not None and self._clock.monotonic() - self._asked < self._rest

    async def look(self, state: State) -> Gathered:
        """Ask the feed, unless it said or failed so that it is to be left alone; the items of a new document.

        The new state belongs into the transaction that takes in the items: a document is handed on once. Raises
        FeedError for what could not be read, and until it is asked again.
        """
        if state.url != self.url:
            state = State(url=self.url)
        now = self._clock.now()
        self._asked = self._clock.monotonic()
        if state.retry_at is not None and now < state.retry_at <= now + LONGEST_WAIT:  # else the clock was put back
            raise FeedError(state.problem, state)
        try:
            answer = await self._fetcher.get(self.url, headers=_conditions(state), limit=LARGEST)
        except (Refused, Unavailable) as error:
            raise self._failed(state, error.reason) from None
        if answer.status == 304 and state.hash:
            return Gathered(state=_healthy(state))
        if answer.status != 200 or not answer.whole:
            raise self._unusable(state, answer, now)
        return await self._read(state, answer)

    async def _read(self, state: State, answer: Answer) -> Gathered:
        seen = replace(
            _healthy(state),
            etag=_sendable(answer.headers.get("etag", "")),
            modified=_sendable(answer.headers.get("last-modified", "")),
            hash=blake2b(answer.body, digest_size=16).hexdigest(),
        )
        if seen.hash == state.hash:  # many servers know no conditions
            return Gathered(state=seen)
        kind = answer.headers.get("content-type", "")
        try:
            feed = await asyncio.to_thread(feedread.read, answer.body, kind, answer.url or self.url)
        except SourceError as error:
            raise self._failed(state, str(error)) from error
        return Gathered(state=seen, items=feed.items, notes=tuple(f"sources.{self.name}: {n}" for n in feed.notes))

    def _unusable(self, state: State, answer: Answer, now: datetime) -> FeedError:
        if answer.status == 200:
            return self._failed(state, f"more than {LARGEST // 1_000_000} MB: no feed is that long")
        if answer.status == 410:
            return self._failed(state, "gone for good, says its server (410): remove the source or change its url", 99)
        if answer.status == 304:
            return self._failed(replace(state, etag="", modified=""), "unchanged, says its server, but never read")
        wish = retry_after(answer.headers, now) if answer.status in (429, 503) else None
        hint = {401: ": it wants a password", 403: ": it is not for us", 404: ": nothing is there, look at its url"}
        return self._failed(state, f"answered {answer.status}{hint.get(answer.status, '')}", wish=wish)

    def _failed(self, state: State, reason: str, weight: int = 1, wish: timedelta | None = None) -> FeedError:
        """Each failure in a row doubles the rest, from `poll` to 6 hours; a longer wish of the server is granted."""
        failures = state.failures + weight
        rest = min(max(self._poll, timedelta(minutes=1)) * 2 ** min(failures - 1, 20), LONGEST_REST)
        rest *= 0.75 + 0.25 * self._chance.random()  # so that many sources do not come back together
        problem = f"{self._key}: {reason}"
        retry_at = self._clock.now() + max(rest, wish or timedelta(0))
        return FeedError(problem, replace(state, retry_at=retry_at, failures=failures, problem=problem))


def _healthy(state: State) -> State:
    return replace(state, retry_at=None, failures=0, problem="")


def _conditions(state: State) -> dict[str, str]:
    """Both validators, as some servers know only one (RFC 9110 section 13.1)."""
    given = {"Accept": _ACCEPT, "If-None-Match": state.etag, "If-Modified-Since": state.modified}
    return {name: value for name, value in given.items() if value}


def _sendable(value: str) -> str:
    return value if value.isascii() and value.isprintable() and len(value) <= 1_000 else ""
