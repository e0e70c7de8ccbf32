"""single: the digests of `schedule = "each"`: every article as an edition of its own, once, as soon as it may go.

Past `late_limit` an article is passed over and that is noted: after an outage nobody gets a hundred letters at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from syndicate.article import Article
from syndicate.config import DigestSettings
from syndicate.errors import SyndicateError
from syndicate.freeze import Window, freeze_or_hold, is_stopped, window_of_one
from syndicate.logs import get
from syndicate.pacing import span
from syndicate.press import Press, is_each
from syndicate.store import articles, editions, pauses
from syndicate.store.database import Store

AT_ONCE = 10  # letters at most that one pass freezes; the next pass goes on

log = get(__name__)


async def freeze_singles(press: Press, store: Store, now: datetime) -> list[str]:
    """Freeze, or hold for approval, what is owed letters of its own; returns the slugs of those frozen."""
    made: list[str] = []
    for digest in press.settings.digests:
        if is_each(digest):
            made += await _freeze_digest(press, store, digest, now)
    return made


async def _freeze_digest(press: Press, store: Store, digest: DigestSettings, now: datetime) -> list[str]:
    owed = await store.read(owed_singles, press, digest, now)
    if not owed:
        return []
    late = [article for article in owed if is_late(article, digest, now)]
    if late:
        await store.write(_pass_by, press, digest, late, now)
        log.info("no letters", digest=digest.name, articles=len(late), reason=too_late(digest))
    made, errors = list[str](), list[str]()
    for article in [one for one in owed if not is_late(one, digest, now)][:AT_ONCE]:
        try:
            window = await store.read(_window, press, digest, article, now)
            made += await freeze_or_hold(press, store, digest, window, now) if window else []
        except (SyndicateError, ValueError) as error:  # it holds up no other
            log.error("no edition", digest=digest.name, article=article.path, error=str(error))
            errors.append(f"{article.slug}: {error}")
    if errors:
        await store.write(pauses.by_fault, f"{pauses.NOT_MADE}{digest.name}", errors[0], now)
    else:
        await store.write(pauses.heal, f"{pauses.NOT_MADE}{digest.name}")
    return made


def owed_singles(connection: Connection, press: Press, digest: DigestSettings, now: datetime) -> list[Article]:
    """Articles that are owed a letter of their own now, oldest first, without texts; none while a person stopped it."""
    if is_stopped(connection, digest.name):
        return []
    delay = press.settings.review.delay
    return editions.singles(connection, digest.name, press.live, now, delay=delay, late_limit=digest.late_limit)


def is_late(article: Article, digest: DigestSettings, now: datetime) -> bool:
    """Whether it is no news any more."""
    return now - (article.released or now) > digest.late_limit


def too_late(digest: DigestSettings) -> str:
    """Why there is no letter."""
    return f"expired: released longer ago than digests.late_limit ({span(digest.late_limit)})"


def _pass_by(
    connection: Connection, press: Press, digest: DigestSettings, late: Sequence[Article], now: datetime
) -> None:
    for article in late:
        editions.pass_by(connection, digest.name, article, too_late(digest), press.live, now)


def _window(
    connection: Connection, press: Press, digest: DigestSettings, article: Article, now: datetime
) -> Window | None:
    """None: another process was first."""
    if editions.holds(connection, digest.name, article.id, press.live):
        return None
    found = articles.many(connection, [article.id])
    return window_of_one(connection, press, digest, found, now) if found else None
