"""publish: catalogue -> feeds, whenever the catalogue changed. Each file is whole or as it was before."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from syndicate import adopt, feedfiles, feeds
from syndicate.article import Article
from syndicate.config import Settings
from syndicate.crashpoint import crashpoint
from syndicate.errors import SyndicateError
from syndicate.feeditem import Image
from syndicate.store import adopted, articles, checks
from syndicate.store.database import Store


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing did; `written` names the files whose bytes changed."""

    items: int = 0
    written: tuple[str, ...] = ()
    waits: str = ""  # why there are no feeds yet

    def __add__(self, later: Published) -> Published:
        """Both, one after the other."""
        written = tuple(dict.fromkeys(self.written + later.written))
        return Published(later.items or self.items, written, later.waits)


async def publish(store: Store, settings: Settings, folder: Path | None = None) -> Published:
    """Write the feeds of the newest ready articles into `folder` (None: where the configuration says).

    Raises SyndicateError where the folder cannot be written, or while the former feed's ids are waited for.
    """
    if why := await store.read(why_waiting, settings):
        raise SyndicateError(why)
    newest = await store.read(articles.newest_released, feeds.MOST)
    count = feeds.shown([released for _, released in newest], settings.feeds.items, settings.feeds.keep)
    shown = await store.read(articles.many, [article for article, _ in newest[:count]])
    images, ids = await store.read(_images, shown), await _ids(store, shown)
    files = await asyncio.to_thread(
        feeds.build, shown, settings.site, settings.feeds, settings.web.public_url, images=images, ids=ids
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


async def _ids(store: Store, shown: Sequence[Article]) -> Mapping[str, str]:
    """The item ids that these articles (newest first) have from the site's former feed.

    What is found out here is given for good; of two articles at one address the older one gets it.
    """
    keys = {article.id: adopt.key(article.url) for article in reversed(shown)}
    given, wanted = await store.read(adopted.ids, keys)
    if wanted:
        given |= await store.write(adopted.give, wanted)
        crashpoint("adopt.filled")
    return given


async def publish_if_changed(store: Store, settings: Settings) -> Published:
    """Write the feeds unless they show the catalogue as it stands.

    The catalogue counts its revisions, and the one that was published is noted after the files: a process that dies
    between the two publishes again.
    """
    revision = await store.read(articles.revision)
    mark = f"{revision} {_fingerprint(settings)}"
    note = _note(settings)
    complete = all((settings.output_folder / name).exists() for name in (feeds.RSS, feeds.ATOM, feeds.JSON))
    if complete and note.exists() and note.read_text(encoding="utf-8") == mark:
        return Published()
    if why := await store.read(why_waiting, settings):
        return Published(waits=why)
    published = await publish(store, settings)
    crashpoint("feed.written")
    draft = note.with_suffix(".tmp")
    draft.write_text(mark, encoding="utf-8")
    draft.replace(note)
    return published


def has_published(settings: Settings) -> bool:
    """Whether this machine ever wrote our feeds: readers may know their ids."""
    return _note(settings).exists()


def _note(settings: Settings) -> Path:
    return settings.data / "published"


def why_waiting(connection: Connection, settings: Settings) -> str:
    """Why there may be no feeds yet; "" = they may be written.

    Ids once shown are what readers know: those of the former feed are read before the first of ours is written.
    """
    url = settings.feeds.adopt
    state = adopted.reading(connection, url).state if url and not has_published(settings) else None
    if state is None or state.hash:
        return ""
    why = state.problem or "feeds.adopt: it was not read yet, `syndicate run` does"
    return f"{why}; our feeds wait for its ids: mend the address, or remove the key"


def _fingerprint(settings: Settings) -> str:
    """Changes with every setting that shows in the feeds."""
    shown = (settings.site, settings.feeds, settings.web.public_url, settings.output_folder)
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]
