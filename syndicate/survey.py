"""What a site shows of itself, and how its addresses are formed: pages and articles in, guesses out.

Pure: it asks nobody and writes nothing. Everything it reads was written by others.
"""

from __future__ import annotations

import html
import io
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

from syndicate.article import public_address
from syndicate.config.rules import language
from syndicate.config.values import web_address
from syndicate.errors import SourceError

NEWEST = 20  # articles that a pattern is measured by
MOST_URLS = 50_000  # of one sitemap (sitemaps.org, protocol)
LARGEST = 10_000_000  # bytes of a sitemap, unpacked
_HEAD = 200_000  # characters of a page; what it says of itself stands at its beginning
_LONGEST_URL = 2_048
_LOOK_ALIKES = 20  # addresses with one article's name that are learned from


# --- the home page ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """What a home page says of its site; empty where it says nothing usable. Addresses are absolute."""

    name: str = ""  # the site's own name, as stated for others
    title: str = ""  # the page's, often with more in it
    language: str = ""  # BCP 47
    description: str = ""
    image: str = ""
    feeds: tuple[str, ...] = ()  # in the page's order; no feeds of comments
    sitemaps: tuple[str, ...] = ()


_FEEDS = frozenset({"application/rss+xml", "application/atom+xml", "application/feed+json"})
_TAG = re.compile(r"""<(?:html|base|meta|link)\b(?:[^"'<>]|"[^"]{0,3000}"|'[^']{0,3000}'){0,500}+>""", re.I)
_TITLE = re.compile(r"<title\b[^<>]{0,200}>([^<]{0,1000})", re.I)
_OF_COMMENTS = re.compile(r"\bcomments?\b", re.I)


class _Tags(HTMLParser):
    """Reads one tag at a time: a whole page of a hostile kind takes this parser minutes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in reversed(attrs)}))


def read_home(page: str, url: str) -> Home:
    """Read the tags at the beginning of a page; `url` is where it was found."""
    page = _without_comments(page[:_HEAD])
    tags = _Tags()
    for found in _TAG.finditer(page):
        tags.feed(found[0])
        tags.reset()
    base = next((_absolute(said.get("href", ""), url) for tag, said in tags.found if tag == "base"), "") or url
    metas: dict[str, str] = {}
    for tag, said in tags.found:
        if tag == "meta":
            metas.setdefault((said.get("property") or said.get("name") or "").lower(), _line(said.get("content", "")))
    title = _TITLE.search(page)
    links = [said for tag, said in tags.found if tag == "link"]
    return Home(
        name=_first(metas, "og:site_name", "application-name")[:200],
        title=_line(html.unescape(title[1]))[:200] if title else "",
        language=next((_language(said.get("lang", "")) for tag, said in tags.found if tag == "html"), ""),
        description=_first(metas, "description", "og:description")[:500],
        image=_absolute(_first(metas, "og:image", "og:image:url", "twitter:image"), base),
        feeds=_linked(links, base, "alternate", _FEEDS),
        sitemaps=_linked(links, base, "sitemap", None),
    )


def _without_comments(page: str) -> str:
    parts, at = [], 0
    while (begin := page.find("<!--", at)) >= 0:
        parts.append(page[at:begin])
        end = page.find("-->", begin + 4)
        if end < 0:
            return "".join(parts)
        at = end + 3
    return "".join([*parts, page[at:]])


def _linked(links: Sequence[Mapping[str, str]], base: str, rel: str, types: frozenset[str] | None) -> tuple[str, ...]:
    found = []
    for said in links[:200]:
        kind = said.get("type", "").partition(";")[0].strip().lower()
        if rel in said.get("rel", "").lower().split() and (types is None or kind in types):
            address = _absolute(said.get("href", ""), base)
            if address and not (types and _OF_COMMENTS.search(f"{said.get('title', '')} {urlsplit(address).path}")):
                found.append(address)
    return tuple(dict.fromkeys(found))


def _first(metas: Mapping[str, str], *names: str) -> str:
    return next((metas[name] for name in names if metas.get(name)), "")


def _line(text: str) -> str:
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


def _absolute(address: str, base: str) -> str:
    """An address that a configuration may hold, or nothing."""
    try:
        whole = web_address(urljoin(base, address.strip())) if address.strip() else ""
    except ValueError:
        return ""
    return whole if len(whole) <= _LONGEST_URL and whole.isprintable() else ""


def _language(tag: str) -> str:
    try:
        return language(tag.strip().replace("_", "-"))[:35]
    except ValueError:
        return ""


# --- robots.txt and sitemaps ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitemap:
    """What a sitemap lists: pages, or further sitemaps where it is an index."""

    pages: tuple[str, ...] = ()
    sitemaps: tuple[str, ...] = ()


def read_robots(text: str) -> tuple[str, ...]:
    """The sitemaps that a robots.txt names (sitemaps.org, "Specifying the Sitemap location")."""
    named = re.findall(r"^[ \t]*sitemap[ \t]*:[ \t]*(\S{1,2048})", text[:500_000], re.I | re.M)
    return tuple(dict.fromkeys(address for one in named[:100] if (address := _absolute(one, one))))


def read_sitemap(body: bytes) -> Sitemap:
    """Read a sitemap or an index of them (sitemaps.org), gzipped or not; what is cut off is read as far as it goes.

    Raises SourceError for what is none, and for one with a DOCTYPE: those bring entities along.
    """
    from lxml import etree

    if body.startswith(b"\x1f\x8b"):
        body = _unpacked(body)
    body = body[:LARGEST].lstrip(b"\xef\xbb\xbf \t\r\n")
    places: dict[str, list[str]] = {"url": [], "sitemap": []}
    parser: dict[str, Any] = {"resolve_entities": False, "no_network": True, "load_dtd": False, "recover": True}
    try:
        for event, element in etree.iterparse(io.BytesIO(body), events=("start", "end"), **parser):
            if element.getroottree().docinfo.doctype:
                raise SourceError("a sitemap with a DOCTYPE: such a one is not read")
            name = str(element.tag).rpartition("}")[2]
            if event == "start" and element.getparent() is None and name not in ("urlset", "sitemapindex"):
                raise SourceError(f"no sitemap, but <{_line(name)[:40]}>")
            if event == "end":
                _note_place(element, name, places)
            if len(places["url"]) >= MOST_URLS:
                break
    except (etree.XMLSyntaxError, LookupError, ValueError) as error:
        raise SourceError(f"no sitemap: {_line(str(error))[:120]}") from error
    return Sitemap(pages=tuple(dict.fromkeys(places["url"])), sitemaps=tuple(dict.fromkeys(places["sitemap"])))


def _note_place(element: Any, name: str, places: dict[str, list[str]]) -> None:
    """Note the `loc` of an entry when it ends; pictures and films have places of the same name in other namespaces."""
    parent = element.getparent()
    holder = "" if parent is None else str(parent.tag).rpartition("}")[2]
    if name == "loc" and holder in places and element.prefix == parent.prefix:
        address = _absolute(element.text or "", "")
        if address:
            places[holder].append(address)
    elif name in places:
        element.clear()
        while element.getprevious() is not None:
            del parent[0]


def _unpacked(body: bytes) -> bytes:
    try:
        return zlib.decompressobj(31).decompress(body, LARGEST)
    except zlib.error as error:
        raise SourceError("no sitemap: a gzip file that cannot be unpacked") from error


# --- addresses --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Of an article what its address is made of."""

    slug: str
    path: str  # relative to the source's folder, with /, without its ending
    day: date | None  # published, else created, in the site's zone; None: addresses with dates cannot be foretold
    at: datetime  # orders by newness
    link: str | None = None  # stated by the article itself, and no pattern's business


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A pattern for `article_url`; `hits` of the `of` newest articles have a known address that it forms."""

    pattern: str
    hits: int
    of: int


def newest(pieces: Iterable[Piece]) -> list[Piece]:
    """The articles that patterns are measured by."""
    return sorted(pieces, key=lambda one: (one.at, one.path), reverse=True)[:NEWEST]


def address_of(pattern: str, piece: Piece, site_url: str) -> str | None:
    """The address as the desk forms it (rule 10); None where the pattern wants a date that the article lacks."""
    if piece.day is None and not piece.link and re.search(r"\{(?:year|month|day)\}", pattern):
        return None
    day = piece.day or date.min
    return public_address(pattern, site_url=site_url, link=piece.link, slug=piece.slug, path=piece.path, day=day)


def fit(pieces: Iterable[Piece], known: Iterable[str], site_url: str, guesses: Sequence[str] = ()) -> Fit | None:
    """The pattern that forms most of the newest articles' addresses, learned from the known ones; ties to the simpler.

    None where none of them forms any.
    """
    articles = newest(pieces)
    formed = [one for one in articles if not one.link]
    names = {name for one in formed for name in (one.slug, one.path.rpartition("/")[2])}
    by_name: dict[str, list[str]] = {}
    keys = set()
    for address in known:
        keys.add(_key(address))
        for name in _names(address) & names:
            by_name.setdefault(name, []).append(address)
    patterns = Counter(guesses)
    for one in formed:
        alike = {url: None for name in (one.slug, one.path.rpartition("/")[2]) for url in by_name.get(name, ())}
        patterns.update({pattern for url in list(alike)[:_LOOK_ALIKES] for pattern in _learned(one, url, site_url)})
    best: Fit | None = None
    for pattern in sorted(patterns, key=_complexity):
        addresses = [address_of(pattern, one, site_url) for one in articles]
        hits = sum(address is not None and _key(address) in keys for address in addresses)
        if hits and (best is None or hits > best.hits):
            best = Fit(pattern=pattern, hits=hits, of=len(articles))
    return best


def same_page(one: str, other: str) -> bool:
    """Whether two addresses lead to the same page but for scheme, www, a slash or an ending."""
    (host, path), (other_host, other_path) = _key(one), _key(other)
    return host == other_host and _TAIL.sub("", path) == _TAIL.sub("", other_path)


_TAIL = re.compile(r"(?:/index\.html?|\.html?|\.php|/)?$")
_DATE_AHEAD = re.compile(r"^\d{4}-\d{2}-\d{2}[-_]")
_PART = re.compile(r"(?:^|/)(?:\d{4}-\d{2}-\d{2}[-_])?$")  # what may stand before a name
_A_YEAR = re.compile(r"/(?:19|20)\d\d(?=[/-])")


def _key(address: str) -> tuple[str, str]:
    """Host and path of an address as they are compared, whatever its escapes and its scheme."""
    try:
        parts = urlsplit(address)
        host = parts.netloc.lower().removeprefix("www.")
    except ValueError:
        return "", address
    return host, unicodedata.normalize("NFC", unquote(parts.path)) + (f"?{parts.query}" if parts.query else "")


def _names(address: str) -> set[str]:
    """The names an article with this address may have, its day left out or not."""
    name = _TAIL.sub("", _key(address)[1]).rpartition("/")[2]
    return {name, _DATE_AHEAD.sub("", name)} - {""}


def _learned(piece: Piece, address: str, site_url: str) -> Iterator[str]:
    """The patterns by which the article would have this address."""
    host, path = _key(address)
    site_host, site_path = _key(site_url.rstrip("/"))
    lead = "{site_url}"
    if host == site_host and path.startswith(site_path + "/"):
        path = path.removeprefix(site_path)
    else:
        lead = f"{urlsplit(address).scheme}://{urlsplit(address).netloc}"
    body = _TAIL.sub("", path)
    tail = path.removeprefix(body)
    for placeholder, value in (("{slug}", piece.slug), ("{path}", piece.path)):
        ahead = body.removesuffix(value)
        if not value or ahead == body or not _PART.search(ahead):
            continue
        ahead = _dated(quote(ahead), piece.day)
        if not _A_YEAR.search(ahead) and "{" not in lead.removeprefix("{site_url}"):
            yield f"{lead}{ahead}{placeholder}{tail}"


def _dated(text: str, day: date | None) -> str:
    """Placeholders where the text states the article's day, month or year."""
    if day is None:
        return text
    year, month, number = f"{day:%Y}", f"{day:%m}", f"{day:%d}"
    text = re.sub(rf"(?<=/){year}([/-]){month}(?:\1){number}(?=[/_-])", r"{year}\1{month}\1{day}", text)
    text = re.sub(rf"(?<=/){year}([/-]){month}(?=/)", r"{year}\1{month}", text)
    return re.sub(rf"(?<=/){year}(?=/)", "{year}", text)


def _complexity(pattern: str) -> tuple[int, int, bool, str]:
    literal = re.sub(r"\{\w+\}", "", pattern)
    return pattern.count("{"), len(literal), "{path}" in pattern, pattern


# --- how much comes at once -------------------------------------------------------------------------------------------


def busiest(days: Iterable[date]) -> tuple[date, int] | None:
    """The day with most articles, the later of two alike, and how many."""
    counts = Counter(days)
    return max(counts.items(), key=lambda one: (one[1], one[0]), default=None)


def room(most: int) -> tuple[int, int]:
    """`review.max_new` and `feeds.items` for a site that published `most` articles on its busiest day.

    Twice as many at once are still no accident; the feeds hold a whole such day, as far as they go.
    """
    return max(50, -(-2 * most // 10) * 10), min(1_000, max(50, -(-most // 10) * 10))
