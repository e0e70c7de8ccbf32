"""verify: articles -> the world -> what is known of them. Does the public page answer, does the hero image exist?

Nothing is sent but questions; a dead network leaves everything as it was. One article never delays another.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection

from syndicate.desk import Desk
from syndicate.errors import DeliveryError, Refused
from syndicate.store import articles, checks
from syndicate.store.checks import Check, Result
from syndicate.store.database import Store

AT_ONCE = 8  # questions under way
PER_PASS = 64
GIVE_UP = timedelta(days=1)  # an image that nobody could look at so long is taken for missing
WAITS = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))  # then hourly


class Found(Protocol):
    """What a look at an address shows."""

    @property
    def status(self) -> int: ...
    @property
    def content_type(self) -> str: ...
    @property
    def length(self) -> int | None: ...


class Looker(Protocol):
    """Looks at addresses that articles name, guarded against private ones."""

    async def look(self, url: str) -> Found:
        """Raises Refused for what may never be asked, Unavailable for what did not answer."""
        ...


async def verify(store: Store, looker: Looker, desk: Desk, now: datetime) -> int:
    """Look up what is due; returns how much became known."""
    await _collect(store, desk.settings.feeds.items, now)
    due = await store.read(checks.due, now, PER_PASS)
    if not due:
        return 0
    gate = asyncio.Semaphore(AT_ONCE)
    results = await asyncio.gather(*(_look(one, looker, gate, now) for one in due))
    return await store.write(_record, desk, results, now)


async def _collect(store: Store, newest: int, now: datetime) -> None:
    unseen = await store.read(checks.unseen_images, newest, PER_PASS)
    if unseen:
        wanted = [(row.id, checks.image_address(row.url, json.loads(row.fields).get("hero_image"))) for row in unseen]
        await store.write(checks.want_images, wanted, now)


async def _look(check: Check, looker: Looker, gate: asyncio.Semaphore, now: datetime) -> Result:
    async with gate:
        try:
            found = await looker.look(check.url)
        except Refused:
            return Result(
                check=check, state=checks.BAD, due_at=_again(check, now) if check.what == checks.PAGE else None
            )
        except DeliveryError:
            return _later(check, now)
    if check.what == checks.PAGE:
        if found.status == 200:
            return Result(check=check, state=checks.GOOD)
        return Result(check=check, state=checks.BAD, due_at=_again(check, now))
    if found.status == 200 and found.content_type.startswith("image/"):
        return Result(check=check, state=checks.GOOD, type=found.content_type, length=found.length)
    if found.status in (408, 425, 429) or found.status >= 500:
        return _later(check, now)
    may_come = check.tries < len(WAITS)  # with the deploy that brings the article's page
    return Result(check=check, state=checks.BAD, due_at=_again(check, now) if may_come else None)


def _later(check: Check, now: datetime) -> Result:
    """Nobody answered: an image is given up after a day, a page never."""
    if check.what == checks.IMAGE and now - check.since > GIVE_UP:
        return Result(check=check, state=checks.BAD)
    return Result(check=check, state=checks.UNKNOWN, due_at=_again(check, now))


def _again(check: Check, now: datetime) -> datetime:
    return now + (WAITS[check.tries] if check.tries < len(WAITS) else timedelta(hours=1))


def _record(connection: Connection, desk: Desk, results: Sequence[Result], now: datetime) -> int:
    articles.lock(connection)
    checks.record(connection, results)
    good = [one.check.article for one in results if one.state == checks.GOOD and one.check.what == checks.PAGE]
    if good:
        desk.judge_again(connection, good, now)
    settled = [one for one in results if one.state != checks.UNKNOWN]
    if settled:
        articles.revise(connection)
    return len(settled)
