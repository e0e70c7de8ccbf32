"""One article as the feeds show it: every text cleaned, every address absolute. It knows no format and no clock."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from syndicate import logs, markdown
from syndicate.language import direction

if TYPE_CHECKING:
    from syndicate.article import Article
    from syndicate.config import Site

log = logs.get(__name__)

SUMMARY = 500  # characters

# What XML 1.0 section 2.2 leaves out of `Char`; a single one makes the whole document unreadable.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")  # RFC 3987: what an absolute IRI begins with


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture that is known to be there."""

    url: str  # absolute
    type: str = ""  # media type, "image/png"; "" = not known
    length: int = 0  # bytes; 0 = not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One article as all formats show it; every text can stand in XML."""

    id: str
    atom_id: str  # an absolute IRI (RFC 4287 section 4.2.6); the same as `id` where that is one
    url: str
    title: str  # plain, never empty
    summary: str  # plain
    content: str | None  # HTML; None = the summary is all there is
    authors: tuple[str, ...]
    tags: tuple[str, ...]
    image: Image | None
    released: datetime  # UTC, whole seconds
    updated: datetime  # the same, never before


def rendered(
    article: Article,
    site: Site,
    *,
    images: Mapping[str, Image] | None,
    ids: Mapping[str, str],
    full: bool,
) -> Item | None:
    """The article as an item; None, and an error in the log, where it cannot be one.

    `images` and `ids` as in `feeds.build`; `full`: with its whole text.
    """
    try:
        return _item(article, site, images, ids, full=full)
    except Exception:
        # Article text is hostile, and one article must not take the others out of the feed.
        log.exception("article left out of the feeds", article=article.id, path=article.path)
        return None


def _item(
    article: Article, site: Site, images: Mapping[str, Image] | None, ids: Mapping[str, str], *, full: bool
) -> Item:
    said = article.manuscript
    if article.released is None:
        raise ValueError("it has no moment of release")
    if not is_web(article.url):
        raise ValueError("its address is not absolute")
    url, body = clean(article.url), clean(said.body)
    sentences = markdown.plain(clean(said.description)) or markdown.lead(body, title=clean(said.title))
    summary = line(markdown.summary(sentences, SUMMARY))
    title = line(said.title) or markdown.cut(summary, 80) or article.slug
    content = None
    if full:
        content = clean(markdown.to_html(body, base_url=url, title=clean(said.title)))
        if direction(site.language) == "rtl":
            content = f'<div dir="rtl">{content}</div>'  # readers do not take it from the feed's language
    released = _second(article.released)
    own = f"urn:uuid:{article.id}"
    known = ids.get(article.id, own)
    return Item(
        id=known,
        atom_id=known if _SCHEME.fullmatch(known) else own,
        url=url,
        title=title,
        summary=summary or title,
        content=content,
        authors=names(said.authors) or names([site.author]),
        tags=names(said.tags),
        image=_image(article) if images is None else images.get(article.id),
        released=released,
        updated=max(_second(article.updated), released),
    )


def _image(article: Article) -> Image | None:
    stated = article.manuscript.hero_image
    try:
        url = clean(urljoin(article.url, stated.strip())) if stated else ""
    except ValueError:
        return None
    return Image(url=url) if is_web(url) else None


def _second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


# Texts and addresses ---------------------------------------------------------------------------------------------


def is_web(url: str) -> bool:
    """Whether this is an absolute http or https address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def clean(text: str) -> str:
    """A text without what XML cannot hold."""
    return _NOT_XML.sub("", text)


def line(text: str) -> str:
    """The same on one line."""
    return " ".join(clean(text).split())


def names(texts: Sequence[str]) -> tuple[str, ...]:
    """Lines that hold something, each once."""
    return tuple(dict.fromkeys(one for text in texts if (one := line(text))))
