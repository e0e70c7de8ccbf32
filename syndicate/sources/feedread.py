"""The bytes of a feed -> its items: RSS, Atom and JSON Feed. Pure; the one module that knows feedparser."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from typing import Any
from urllib.parse import unquote, urlsplit

from syndicate import markdown, markup, stated
from syndicate.article import Manuscript, compared
from syndicate.errors import SourceError
from syndicate.sources.feedtext import LONGEST_NAME, MOST, MOST_CHILDREN, decoded, legal, one_line, tidied

LONGEST_SUMMARY = 1_000  # characters of plain text; what is longer is no description but the article


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedItem:
    """One item of a feed as an article. `path` stands for a file's: it depends on the guid alone."""

    path: str
    guid: str
    manuscript: Manuscript
    updated: str | None  # as stated, ISO 8601
    hash: str  # of what the feed says, without `updated`: equal = not edited


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """What a feed holds, in its order; `notes` say what could not be read and why."""

    items: tuple[FeedItem, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stated:
    """One item in the feed's words, whatever its format; texts are HTML, the title is plain."""

    guid: str = ""
    link: str = ""
    title: str = ""
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    summary: str = ""
    content: str = ""
    published: str = ""
    image: str = ""
    updated: str = ""


def read(body: bytes, content_type: str, base: str) -> Feed:
    """The items of a feed; `base` is its address, for relative ones. Raises SourceError for what is no feed."""
    text = decoded(body, content_type).lstrip("\ufeff \t\r\n")
    notes: list[str] = []
    said = _json_items(text, base, notes) if text.startswith("{") else _xml_items(text, base, notes)
    if len(said) > MOST:
        notes.append(f"{len(said)} items: the first {MOST} are read")
    items: dict[str, FeedItem] = {}
    doubles = nameless = 0
    for one in said[:MOST]:
        guid = one.guid or one.link
        if not guid:
            nameless += 1
        elif guid in items:
            doubles += 1
        else:
            items[guid] = _item(one, guid, base, notes)
    if nameless:
        notes.append(f"{nameless} of {len(said)} items have neither an id nor a link: skipped")
    if doubles:
        notes.append(f"{doubles} of {len(said)} items bear the id of another: only the first of each is read")
    return Feed(items=tuple(items.values()), notes=tuple(notes))


# --- one item ---------------------------------------------------------------------------------------------------------


def _item(said: _Stated, guid: str, base: str, notes: list[str]) -> FeedItem:
    link = said.link or None
    near = link or base
    body, words = _body(said.content or said.summary, near)
    summary = " ".join(markdown.to_text(markup.as_body(said.summary[: 4 * LONGEST_SUMMARY], near)).split())
    if (said.content or said.summary) and not body:
        notes.append(f"{said.title[:60] or guid[:60]}: more text than an article has: only its summary is read")
        body, words = _body(markup.from_text(summary), near)
    image = said.image or markup.first_picture(said.content or said.summary, near)
    published = _date(said.published, notes) or _date(said.updated, notes)
    return FeedItem(
        path=f"{blake2b(guid.encode(), digest_size=10).hexdigest()}.html",
        guid=guid,
        manuscript=Manuscript(
            title=said.title,
            description=summary if len(summary) <= LONGEST_SUMMARY else "",
            authors=said.authors,
            tags=said.tags,
            hero_image=image,
            published=published,
            guid=compared(guid),
            slug=_slug(link, said.title),
            link=link,
            words=words,
            body=body,
        ),
        updated=_date(said.updated, notes),
        hash=blake2b(json.dumps(astuple(said)[:-1]).encode(), digest_size=16).hexdigest(),
    )


def _body(text: str, base: str) -> tuple[str, int]:
    """A body with its words; empty where it is longer than `markdown` reads."""
    if len(text) > markdown.LONGEST:
        return "", 0
    body = markup.as_body(text, base)
    if markdown.to_text(body).startswith("<div>"):  # nested so deep that it would be shown with its tags
        body = markup.as_body(markup.from_text(markup.without_tags(text)), base)
    return (body, markdown.count_words(body)) if len(body) <= markdown.LONGEST else ("", 0)


def _date(text: str, notes: list[str]) -> str | None:
    """As stated, with its zone; feeds that leave it out mean UTC."""
    if not text:
        return None
    moment = stated.when(text, UTC) or _mail_date(text)
    if moment is None:
        notes.append(f"a date that cannot be read: {text[:80]!r}")
    return moment


def _mail_date(text: str) -> str | None:
    """RFC 822 as it was, with years of two digits, and asctime."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def _slug(link: str | None, title: str) -> str:
    """The last name in the link's path, else the title's words (rule 10)."""
    try:
        path = unquote(urlsplit(link or "").path)
    except ValueError:
        path = ""
    name = path.rstrip("/").rpartition("/")[2]
    stem = re.sub(r"\.[A-Za-z]{2,5}$", "", name)
    for text in ("" if stem == "index" else stem, title.lower()):
        if slug := "-".join(re.findall(r"[\w~]+", text[:200]))[:120].strip("-"):
            return slug
    return "article"


def _names(texts: Sequence[str]) -> tuple[str, ...]:
    """Names once each; an address that stands for one is nobody's to publish."""
    return tuple(dict.fromkeys(name for text in texts if (name := one_line(text, LONGEST_NAME)) and "@" not in name))


# --- XML --------------------------------------------------------------------------------------------------------------


def _xml_items(text: str, base: str, notes: list[str]) -> list[_Stated]:
    import feedparser

    tidy = tidied(text, base, notes)
    headers = {"content-type": "application/xml; charset=utf-8", "content-location": base}
    try:
        found = feedparser.parse(
            io.BytesIO(tidy), response_headers=headers, resolve_relative_uris=False, sanitize_html=False
        )
    except Exception as error:  # whatever hostile input makes of it
        raise SourceError(f"a feed that cannot be read ({type(error).__name__})") from error
    feed_author = _xml_authors(found.feed)
    return [_xml_item(entry, base, feed_author) for entry in found.entries]


def _xml_item(entry: Any, base: str, feed_author: tuple[str, ...]) -> _Stated:
    contents = [_html_of(detail) for detail in entry.get("content", [])]
    content = max(contents, key=len, default="")
    summary = _html_of(entry.get("summary_detail") or {"value": entry.get("summary", "")})
    title = entry.get("title_detail") or {"value": entry.get("title", "")}
    is_html = title.get("type") in ("text/html", "application/xhtml+xml")
    link = markup.absolute(one_line(entry.get("feedburner_origlink")) or one_line(entry.get("link")), base) or ""
    return _Stated(
        guid=one_line(entry.get("id")),
        link=link,
        title=one_line(markup.without_tags(title["value"]) if is_html else title["value"]),
        authors=_xml_authors(entry) or feed_author,
        tags=_names([tag.get("label") or tag.get("term") or "" for tag in entry.get("tags", [])]),
        summary="" if summary == content else summary,
        content=content,
        published=_xml_date(entry, "published") or _xml_date(entry, "created"),
        image=next(_xml_images(entry, link or base), ""),
        updated=_xml_date(entry, "updated"),
    )


def _xml_date(entry: Any, name: str) -> str:
    """As stated; feedparser's own reading guesses a day where it knows none."""
    return one_line(dict.get(entry, name))  # its own `get` falls back on another date, and warns


def _html_of(detail: Mapping[str, Any]) -> str:
    value = legal(detail.get("value") or "")
    return markup.from_text(value) if detail.get("type") == "text/plain" else value


def _xml_authors(holder: Any) -> tuple[str, ...]:
    details = [author.get("name") or "" for author in holder.get("authors", [])]
    return _names(details) or _names([holder.get("author_detail", {}).get("name") or "", holder.get("author") or ""])


def _xml_images(entry: Any, base: str) -> Iterator[str]:
    """Addresses of the item's picture, best first: Media RSS, enclosure, iTunes, thumbnail."""
    media = [m for m in entry.get("media_content", []) if m.get("url")]
    links = [link for link in entry.get("links", []) if link.get("rel") == "enclosure"]
    stated_images = [
        *(m.get("url") for m in media if m.get("medium") == "image" or _is_image(m.get("type"), m.get("url"))),
        *(link.get("href") for link in links if _is_image(link.get("type"), link.get("href"))),
        *([entry["image"].get("href")] if isinstance(entry.get("image"), dict) else []),
        *(m.get("url") for m in entry.get("media_thumbnail", [])),
    ]
    for address in stated_images:
        if whole := markup.absolute(one_line(address), base):
            yield whole


def _is_image(media_type: str | None, url: str | None) -> bool:
    if media_type:
        return media_type.lower().startswith("image/")
    return bool(re.search(r"\.(?:jpe?g|png|gif|webp|avif)(?:$|\?)", url or "", re.I))


# --- JSON Feed (jsonfeed.org/version/1.1) -----------------------------------------------------------------------------


def _json_items(text: str, base: str, notes: list[str]) -> list[_Stated]:
    try:
        feed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"not a feed: JSON that cannot be read ({one_line(str(error), 100)})") from error
    items = feed.get("items")
    if not isinstance(items, list) or "jsonfeed.org" not in str(feed.get("version", "")):
        raise SourceError('not a feed: JSON without the "version" and "items" of a JSON Feed')
    feed_authors = _json_authors(feed)
    return [_json_item(item, base, feed_authors) for item in items[: MOST + 1] if isinstance(item, dict)]


def _json_item(item: Mapping[str, Any], base: str, feed_authors: tuple[str, ...]) -> _Stated:
    guid = item.get("id")
    if isinstance(guid, int | float) and not isinstance(guid, bool):
        guid = str(guid)  # section "items": a number is to be taken for its digits
    link = markup.absolute(one_line(item.get("url")), base) or ""
    content = _text(item, "content_html") or markup.from_text(_text(item, "content_text"))
    pictures = [item.get("image"), item.get("banner_image"), *_attached_images(item)]
    tags = item.get("tags")
    return _Stated(
        guid=one_line(guid),
        link=link,
        title=one_line(item.get("title")),
        authors=_json_authors(item) or feed_authors,
        tags=_names([tag for tag in tags if isinstance(tag, str)][:MOST_CHILDREN]) if isinstance(tags, list) else (),
        summary=markup.from_text(_text(item, "summary")),
        content=content,
        published=one_line(item.get("date_published")),
        image=next((whole for one in pictures if (whole := markup.absolute(one_line(one), link or base))), ""),
        updated=one_line(item.get("date_modified")),
    )


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    return legal(value) if isinstance(value, str) else ""


def _attached_images(item: Mapping[str, Any]) -> list[str]:
    attachments = item.get("attachments")
    found = [one for one in attachments if isinstance(one, dict)] if isinstance(attachments, list) else []
    return [one_line(one.get("url")) for one in found if one_line(one.get("mime_type")).lower().startswith("image/")]


def _json_authors(holder: Mapping[str, Any]) -> tuple[str, ...]:
    """`authors`, or the `author` of version 1.0."""
    stated_authors = holder.get("authors")
    people = stated_authors if isinstance(stated_authors, list) else [holder.get("author")]
    return _names([one_line(one.get("name")) for one in people[:MOST_CHILDREN] if isinstance(one, dict)])
