"""adopt: the site's former feed -> the ids of our items, so that moving to ours makes nothing unread again.

It is read before our first feed is written, and hourly while it is still theirs. It writes no feed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from syndicate import adopt
from syndicate.clock import Chance, Clock
from syndicate.config import Settings, SourceSettings
from syndicate.guarded import GuardedFetcher
from syndicate.logs import get
from syndicate.sources.webfeed import FeedError, Gathered, WebFeed
from syndicate.store import adopted
from syndicate.store.adopted import Reading
from syndicate.store.database import Store

AGAIN = timedelta(hours=1)  # they publish on until the site has moved
LONGEST_WAIT = timedelta(minutes=15)  # while our feeds wait for it
LONGEST_REST = timedelta(days=7)  # that its server may ask for

log = get(__name__)


async def learn(
    store: Store, looker: GuardedFetcher, settings: Settings, clock: Clock, chance: Chance, *, first: bool
) -> bool:
    """Read the former feed if it is time to; whether that changed an id of ours.

    With `first` only if it was never read. What cannot be read is noted, and asked again later.
    """
    url, now = settings.feeds.adopt, clock.now()
    if not url:
        return False
    known = await store.read(adopted.reading, url)
    if not _is_time(known, now) or (first and known.state.hash):
        return False
    source = SourceSettings(name="adopt", kind="feed", url=url)
    try:
        gathered = await WebFeed(source, looker, clock, chance, key="feeds.adopt").look(known.state)
    except FeedError as error:
        await store.write(adopted.keep, _failed(known, error, now))
        log.warning("former feed not read", problem=str(error))
        return False
    return await store.write(_take, gathered, now)


def _is_time(known: Reading, now: datetime) -> bool:
    again = known.state.retry_at
    if known.ours or (again is not None and now < again <= now + LONGEST_REST):  # else the clock was put back
        return False
    return known.read_at is None or not known.read_at <= now < known.read_at + AGAIN


def _failed(known: Reading, error: FeedError, now: datetime) -> Reading:
    state = error.state
    if not state.hash and state.retry_at is not None:
        state = replace(state, retry_at=min(state.retry_at, now + LONGEST_WAIT))
    return replace(known, state=state)


def _take(connection: Connection, gathered: Gathered, now: datetime) -> bool:
    stated = [(item.manuscript.link or item.guid, item.guid) for item in gathered.items]
    pairs, unfit = adopt.pairs(stated)
    count, ours = adopted.take(connection, pairs, now)
    adopted.keep(connection, Reading(state=gathered.state, read_at=now, ours=ours))
    if count or unfit or ours:
        log.info("former feed read", kept=count, unfit=unfit, ours=ours)
    return count > 0
