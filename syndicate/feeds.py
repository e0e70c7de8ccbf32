"""The feeds: ready articles as RSS 2.0, Atom 1.0 and JSON Feed 1.1, and their files.

The one module that knows feedgen, and the one place where feedgen's traps are worked around. It never asks the clock:
the same articles give the same bytes, so that readers' conditional requests go on answering 304.
"""

from __future__ import annotations

import fcntl
import html
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from syndicate import logs, markdown
from syndicate.crashpoint import crashpoint
from syndicate.errors import SyndicateError
from syndicate.language import direction

if TYPE_CHECKING:
    from syndicate.article import Article
    from syndicate.config import FeedSettings, Site

log = logs.get(__name__)

RSS, ATOM, JSON = "feed.xml", "atom.xml", "feed.json"
MEDIA_TYPES = {RSS: "application/rss+xml", ATOM: "application/atom+xml", JSON: "application/feed+json"}

MOST = 1000  # items, whatever the settings say: a larger document is a burden on every reader
SUMMARY = 500  # characters
NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # when a feed without articles was last changed

# What XML 1.0 section 2.2 leaves out of `Char`; a single one makes the whole document unreadable.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DC = "{http://purl.org/dc/elements/1.1/}"

_one_at_a_time = threading.Lock()  # feedgen switches the locale of the whole process for every date it writes


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture that is known to be there."""

    url: str  # absolute
    type: str = ""  # media type, "image/png"; "" = not known
    length: int = 0  # bytes; 0 = not known


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """One article as all three formats show it; every text can stand in XML."""

    id: str
    url: str
    title: str  # plain, never empty
    summary: str  # plain
    content: str | None  # HTML; None = the summary is all there is
    authors: tuple[str, ...]
    tags: tuple[str, ...]
    image: Image | None
    released: datetime
    updated: datetime


def shown(released: Sequence[datetime], items: int, keep: timedelta) -> int:
    """Count how many of these moments, newest first, belong in the feed.

    The newest `items`, and all within `keep` of the newest, so that no burst is lost between two polls; 1,000 at most.
    """
    recent = sum(1 for moment in released if released[0] - moment <= keep)
    return min(max(items, recent), len(released), MOST)


def build(
    articles: Sequence[Article],
    site: Site,
    feeds: FeedSettings,
    public_url: str,
    *,
    images: Mapping[str, Image] | None = None,
) -> dict[str, bytes]:
    """Make the three feeds of these articles, by file name: "feed.xml", "atom.xml", "feed.json".

    `public_url` is where the feeds are served. `images` holds, by article id, the hero images that somebody looked at
    and found; None says that nobody looked, and what an article states is believed. An article that cannot be
    rendered is left out and named in the log.
    """
    full = feeds.content == "full"
    kept = [item for article in articles if (item := _rendered(article, site, images, full=full))]
    kept.sort(key=lambda item: (item.released, item.id), reverse=True)
    base, hubs = public_url.rstrip("/"), tuple(feeds.hubs)
    with _one_at_a_time:
        rss = _generator(kept, site, f"{base}/{RSS}", hubs, atom=False).rss_str()
        atom = _generator(kept, site, f"{base}/{ATOM}", hubs, atom=True).atom_str()
    return {RSS: rss, ATOM: atom, JSON: _json_feed(kept, site, f"{base}/{JSON}", hubs)}


# One article -----------------------------------------------------------------------------------------------------


def _rendered(article: Article, site: Site, images: Mapping[str, Image] | None, *, full: bool) -> _Item | None:
    try:
        return _item(article, site, images, full=full)
    except Exception:
        # Article text is hostile, and one article must not take the others out of the feed.
        log.exception("article left out of the feeds", article=article.id, path=article.path)
        return None


def _item(article: Article, site: Site, images: Mapping[str, Image] | None, *, full: bool) -> _Item:
    said = article.manuscript
    if article.released is None:
        raise ValueError("it has no moment of release")
    if not _is_web(article.url):
        raise ValueError("its address is not absolute")
    url, body = _clean(article.url), _clean(said.body)
    sentences = markdown.plain(_clean(said.description)) or markdown.lead(body, title=_clean(said.title))
    summary = _line(markdown.summary(sentences, SUMMARY))
    title = _line(said.title) or markdown.cut(summary, 80) or article.slug
    content = None
    if full:
        content = _clean(markdown.to_html(body, base_url=url, title=_clean(said.title)))
        if direction(site.language) == "rtl":
            content = f'<div dir="rtl">{content}</div>'  # readers do not take it from the feed's language
    released = _second(article.released)
    return _Item(
        id=f"urn:uuid:{article.id}",
        url=url,
        title=title,
        summary=summary or title,
        content=content,
        authors=_names(said.authors) or _names([site.author]),
        tags=_names(said.tags),
        image=_image(article) if images is None else images.get(article.id),
        released=released,
        updated=max(_second(article.updated), released),
    )


def _image(article: Article) -> Image | None:
    stated = article.manuscript.hero_image
    try:
        url = _clean(urljoin(article.url, stated.strip())) if stated else ""
    except ValueError:
        return None
    return Image(url=url) if _is_web(url) else None


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _clean(text: str) -> str:
    return _NOT_XML.sub("", text)


def _line(text: str) -> str:
    return " ".join(_clean(text).split())


def _names(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line for text in texts if (line := _line(text))))


def _second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _newest(items: Sequence[_Item]) -> datetime:
    return max((item.updated for item in items), default=NEVER)


# RSS and Atom ----------------------------------------------------------------------------------------------------


def _generator(items: Sequence[_Item], site: Site, self_url: str, hubs: Sequence[str], *, atom: bool) -> Any:
    from feedgen.feed import FeedGenerator

    feed = FeedGenerator()
    feed.id(_clean(site.url))
    feed.title(_line(site.title))
    feed.description(_line(site.description) or _line(site.title))
    feed.language(site.language)
    feed.generator("syndicate")
    feed.author({"name": _line(site.author) or _line(site.title)})
    feed.updated(_newest(items))  # and lastBuildDate; feedgen's own default is the present moment
    if _is_web(site.image):
        feed.image(url=_clean(site.image), title=_line(site.title), link=_clean(site.url))
    feed.link(href=self_url, rel="self", type=MEDIA_TYPES[ATOM if atom else RSS])
    for hub in hubs:
        feed.link(href=hub, rel="hub")
    feed.link(href=_clean(site.url), rel="alternate")  # last: RSS takes whichever link came last as the site's
    feed.register_extension("ours", lambda: _FeedExtras(hubs), _EntryExtras)
    for item in items:
        _fill(feed.add_entry(order="append"), item, atom=atom)
    return feed


def _fill(entry: Any, item: _Item, *, atom: bool) -> None:
    entry.id(item.id)  # sets the guid too, with isPermaLink="false"
    entry.title(item.title)
    entry.link(href=item.url, rel="alternate")
    entry.summary(item.summary if atom else _as_html(item.summary))  # without one RSS would lose content:encoded
    if item.content is not None:
        entry.content(item.content, type="html")
    entry.published(item.released)
    entry.updated(item.updated)
    if item.tags:
        entry.category([{"term": tag} for tag in item.tags])
    if atom and item.authors:
        entry.author([{"name": name} for name in item.authors])
    if item.image and item.image.type and item.image.length:
        entry.enclosure(item.image.url, str(item.image.length), item.image.type)
    entry.ours.show(item, entry.link())


def _as_html(text: str) -> str:
    """RSS readers take a description for HTML: escape plain text where it would read as something else."""
    return text if html.unescape(text) == text and "<" not in text else html.escape(text, quote=False)


class _FeedExtras:
    """What feedgen leaves out of a feed: the hubs, in RSS (WebSub section 4)."""

    def __init__(self, hubs: Sequence[str]) -> None:
        self.hubs = hubs

    def extend_ns(self) -> dict[str, str]:
        return {"dc": _DC[1:-1], "media": "http://search.yahoo.com/mrss/"}

    def extend_rss(self, rss: Any) -> None:
        from lxml.etree import SubElement

        for hub in self.hubs:
            SubElement(rss.find("channel"), "{http://www.w3.org/2005/Atom}link", href=hub, rel="hub")

    def extend_atom(self, feed: Any) -> None:
        pass


class _EntryExtras:
    """What feedgen 1.0.0 leaves out of an entry or gets wrong.

    Its Atom links lose every attribute but href (lkiesow/python-feedgen issue 135), so that an enclosure would pass
    for the article; its RSS drops authors without an address; its media:content sits in a group.
    """

    def show(self, item: _Item, links: Sequence[Mapping[str, str]]) -> None:
        self.item = item
        self.links = links

    def extend_rss(self, element: Any) -> None:
        from lxml.etree import SubElement

        for name in self.item.authors:
            SubElement(element, f"{_DC}creator").text = name
        self._add_image(element)

    def extend_atom(self, element: Any) -> None:
        for found, link in zip(element.iterfind("link"), self.links, strict=True):
            found.attrib.update({key: value for key, value in link.items() if value})
        self._add_image(element)

    def _add_image(self, element: Any) -> None:
        from lxml.etree import SubElement

        if image := self.item.image:
            media = SubElement(element, "{http://search.yahoo.com/mrss/}content", url=image.url, medium="image")
            if image.type:
                media.set("type", image.type)
            if image.length:
                media.set("fileSize", str(image.length))


# JSON Feed (jsonfeed.org/version/1.1) ----------------------------------------------------------------------------


def _json_feed(items: Sequence[_Item], site: Site, self_url: str, hubs: Sequence[str]) -> bytes:
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": _line(site.title),
        "home_page_url": _clean(site.url),
        "feed_url": self_url,
        "description": _line(site.description),
        "language": site.language,
        "authors": _json_authors(_names([site.author])),
        "hubs": [{"type": "WebSub", "url": hub} for hub in hubs],
    }
    # "items" is required even when there are none.
    whole = _stated(feed) | {"items": [_json_item(item) for item in items]}
    return (json.dumps(whole, ensure_ascii=False) + "\n").encode()


def _json_item(item: _Item) -> dict[str, Any]:
    image = item.image
    return _stated(
        {
            "id": item.id,
            "url": item.url,
            "title": item.title,
            "content_html": item.content,
            "content_text": item.summary if item.content is None else None,
            "summary": item.summary,
            "image": image.url if image else None,
            "date_published": _rfc3339(item.released),
            "date_modified": _rfc3339(item.updated),
            "authors": _json_authors(item.authors),
            "tags": list(item.tags),
        }
    )


def _json_authors(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


def _rfc3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _stated(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None and value != [] and value != ""}


# The files -------------------------------------------------------------------------------------------------------


def write(files: Mapping[str, bytes], folder: Path) -> list[str]:
    """Write those files whose bytes changed, each whole or not at all, and name them.

    Whoever reads the folder meanwhile, or after a crash, finds the old file or the new one. Raises SyndicateError.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _held(folder):
            return [name for name, content in files.items() if _replace(folder / name, content)]
    except OSError as error:
        raise SyndicateError(f"cannot write the feeds into {folder}: {error.strerror or error}") from error


def _replace(target: Path, content: bytes) -> bool:
    temporary = target.with_name(f".{target.name}.tmp")
    temporary.unlink(missing_ok=True)  # left behind by a killed process
    with suppress(FileNotFoundError):
        if target.read_bytes() == content:
            return False
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        crashpoint("feed.tmp")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return True


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """One writer at a time, a command beside the daemon included; the renames are on disk when it ends."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # some network file systems lock no folders; there the last writer wins
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
