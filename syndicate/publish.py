"""publish: catalogue -> feeds, whenever the catalogue changed. Each file is whole or as it was before."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from syndicate import feedfiles, feeds
from syndicate.article import Article
from syndicate.config import Settings
from syndicate.crashpoint import crashpoint
from syndicate.feeditem import Image
from syndicate.store import articles, checks
from syndicate.store.database import Store


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing did; `written` names the files whose bytes changed."""

    items: int = 0
    written: tuple[str, ...] = ()

    def __add__(self, later: Published) -> Published:
        """Both, one after the other."""
        return Published(later.items or self.items, tuple(dict.fromkeys(self.written + later.written)))


async def publish(store: Store, settings: Settings, folder: Path | None = None) -> Published:
    """Write the feeds of the newest ready articles into `folder` (None: where the configuration says).

    Raises SyndicateError where the folder cannot be written.
    """
    newest = await store.read(articles.newest_released, feeds.MOST)
    count = feeds.shown([released for _, released in newest], settings.feeds.items, settings.feeds.keep)
    shown = await store.read(articles.many, [article for article, _ in newest[:count]])
    images = await store.read(_images, shown)
    files = await asyncio.to_thread(
        feeds.build, shown, settings.site, settings.feeds, settings.web.public_url, images=images
    )
    written = await asyncio.to_thread(feedfiles.write, files, folder or settings.output_folder)
    return Published(items=len(shown), written=tuple(written))


def _images(connection: Connection, shown: Sequence[Article]) -> dict[str, Image]:
    """The pictures to show: those found, and those nobody could look at yet; never one that is known to be missing."""
    known = checks.images(connection, [article.id for article in shown])
    images = {}
    for article in checks.dress(connection, shown, believe=True):
        url, row = article.manuscript.hero_image, known.get(article.id)
        if url:
            images[article.id] = Image(
                url=url, type=(row.type or "") if row else "", length=(row.length or 0) if row else 0
            )
    return images


async def publish_if_changed(store: Store, settings: Settings) -> Published:
    """Write the feeds unless they show the catalogue as it stands.

    The catalogue counts its revisions, and the one that was published is noted after the files: a process that dies
    between the two publishes again.
    """
    revision = await store.read(articles.revision)
    mark = f"{revision} {_fingerprint(settings)}"
    note = settings.data / "published"
    complete = all((settings.output_folder / name).exists() for name in (feeds.RSS, feeds.ATOM, feeds.JSON))
    if complete and note.exists() and note.read_text(encoding="utf-8") == mark:
        return Published()
    published = await publish(store, settings)
    crashpoint("feed.written")
    draft = note.with_suffix(".tmp")
    draft.write_text(mark, encoding="utf-8")
    draft.replace(note)
    return published


def _fingerprint(settings: Settings) -> str:
    """Changes with every setting that shows in the feeds."""
    shown = (settings.site, settings.feeds, settings.web.public_url, settings.output_folder)
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]
