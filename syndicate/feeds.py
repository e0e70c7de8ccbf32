"""The feeds: ready articles as RSS 2.0, Atom 1.0 and JSON Feed 1.1, and where each is served.

It never asks the clock: the same articles give the same bytes, so that readers' conditional requests go on answering
304.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from syndicate import feedxml
from syndicate.feeditem import Image, Item, clean, line, names, rendered

if TYPE_CHECKING:
    from syndicate.article import Article
    from syndicate.config import FeedSettings, Site

RSS, ATOM, JSON = "feed.xml", "atom.xml", "feed.json"
MEDIA_TYPES = {RSS: "application/rss+xml", ATOM: "application/atom+xml", JSON: "application/feed+json"}

MOST = 1000  # items, whatever the settings say: a larger document is a burden on every reader


def address(public_url: str, name: str) -> str:
    """Where a feed is served, to the byte: a hub and its subscribers know it by nothing else (WebSub section 4)."""
    return f"{public_url.rstrip('/')}/{name}"


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
    ids: Mapping[str, str] | None = None,
) -> dict[str, bytes]:
    """Make the three feeds of these articles, by file name: "feed.xml", "atom.xml", "feed.json".

    `public_url` is where the feeds are served. `images` holds, by article id, the hero images that somebody looked at
    and found; None says that nobody looked, and what an article states is believed. `ids` holds, by article id, the
    item ids that the site's former feed gave; without one it is the article's own urn:uuid. An article that cannot be
    rendered is left out and named in the log.
    """
    full = feeds.content == "full"
    found = (rendered(article, site, images=images, ids=ids or {}, full=full) for article in articles)
    items = sorted(filter(None, found), key=lambda item: (item.released, item.atom_id), reverse=True)
    rss, atom, plain = (address(public_url, name) for name in (RSS, ATOM, JSON))
    return {
        RSS: feedxml.rss(items, site, rss, feeds.hubs),
        ATOM: feedxml.atom(items, site, atom, feeds.hubs),
        JSON: _json_feed(items, site, plain, feeds.hubs),
    }


# JSON Feed (jsonfeed.org/version/1.1) ----------------------------------------------------------------------------


def _json_feed(items: Sequence[Item], site: Site, self_url: str, hubs: Sequence[str]) -> bytes:
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": line(site.title),
        "home_page_url": clean(site.url),
        "feed_url": self_url,
        "description": line(site.description),
        "language": site.language,
        "authors": _json_authors(names([site.author])),
        "hubs": [{"type": "WebSub", "url": hub} for hub in hubs],
    }
    # "items" is required even when there are none.
    whole = _stated(feed) | {"items": [_json_item(item) for item in items]}
    return (json.dumps(whole, ensure_ascii=False) + "\n").encode()


def _json_item(item: Item) -> dict[str, Any]:
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
            "attachments": _attachments(image),
        }
    )


def _attachments(image: Image | None) -> list[dict[str, str | int]]:
    if image is None or not image.type or not image.length:
        return []
    return [{"url": image.url, "mime_type": image.type, "size_in_bytes": image.length}]


def _json_authors(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


def _rfc3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _stated(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None and value != [] and value != ""}
