"""RSS 2.0 and Atom 1.0 of items: the one module that knows feedgen, and where its traps are worked around.

It never asks the clock: the same items give the same bytes.
"""

from __future__ import annotations

import html
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from syndicate.feeditem import Item, clean, is_web, line

if TYPE_CHECKING:
    from syndicate.config import Site

NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # when a feed without articles was last changed

_TYPES = {False: "application/rss+xml", True: "application/atom+xml"}
_DC = "{http://purl.org/dc/elements/1.1/}"

_one_at_a_time = threading.Lock()  # feedgen switches the locale of the whole process for every date it writes


def rss(items: Sequence[Item], site: Site, self_url: str, hubs: Sequence[str]) -> bytes:
    """The RSS document that is served at `self_url`; `items` newest first."""
    with _one_at_a_time:
        document: bytes = _generator(items, site, self_url, hubs, atom=False).rss_str()
    return document


def atom(items: Sequence[Item], site: Site, self_url: str, hubs: Sequence[str]) -> bytes:
    """The Atom document that is served at `self_url`; `items` newest first."""
    with _one_at_a_time:
        document: bytes = _generator(items, site, self_url, hubs, atom=True).atom_str()
    return document


def _generator(items: Sequence[Item], site: Site, self_url: str, hubs: Sequence[str], *, atom: bool) -> Any:
    from feedgen.feed import FeedGenerator

    feed = FeedGenerator()
    feed.id(clean(site.url))
    feed.title(line(site.title))
    feed.description(line(site.description) or line(site.title))
    feed.language(site.language)
    feed.generator("syndicate")
    feed.author({"name": line(site.author) or line(site.title)})
    # And lastBuildDate; feedgen's own default is the present moment.
    feed.updated(max((_updated(item, atom=atom) for item in items), default=NEVER))
    if is_web(site.image):
        feed.image(url=clean(site.image), title=line(site.title), link=clean(site.url))
    feed.link(href=self_url, rel="self", type=_TYPES[atom])
    for hub in hubs:
        feed.link(href=hub, rel="hub")
    feed.link(href=clean(site.url), rel="alternate")  # last: RSS takes whichever link came last as the site's
    feed.register_extension("ours", lambda: _FeedExtras(hubs), _EntryExtras)
    for item in items:
        _fill(feed.add_entry(order="append"), item, atom=atom)
    return feed


def _fill(entry: Any, item: Item, *, atom: bool) -> None:
    entry.id(item.atom_id if atom else item.id)  # sets the guid too, with isPermaLink="false"
    entry.title(item.title)
    entry.link(href=item.url, rel="alternate")
    entry.summary(item.summary if atom else _as_html(item.summary))  # without one RSS would lose content:encoded
    if item.content is not None:
        entry.content(item.content, type="html")
    entry.published(item.released)
    entry.updated(_updated(item, atom=atom))
    if item.tags:
        entry.category([{"term": tag} for tag in item.tags])
    if atom and item.authors:
        entry.author([{"name": name} for name in item.authors])
    if item.image and item.image.type and item.image.length:
        entry.enclosure(item.image.url, str(item.image.length), item.image.type)
    entry.ours.show(item, entry.link())


def _updated(item: Item, *, atom: bool) -> datetime:
    """Atom's entries should differ in it (W3C: DuplicateUpdated), but those of one scan have one moment.

    So the part of the second, of which nobody keeps more, is made of the id: the same whenever it is asked for.
    """
    if not atom:
        return item.updated
    part = int.from_bytes(blake2b(item.atom_id.encode(), digest_size=8).digest()) % 1_000_000
    return item.updated + timedelta(microseconds=part)


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

    def show(self, item: Item, links: Sequence[Mapping[str, str]]) -> None:
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
