"""From a file's bytes to a Manuscript: which field of which dialect means what.

Owns the names of fields (`docs/front-matter.md` is the same table for readers), titles, slugs and addresses as stated.
Never judges whether it is an article (`review` does), never looks at a clock or a disk.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from syndicate import stated
from syndicate.article import Manuscript, compared
from syndicate.frontmatter import FrontMatter, decode, parse
from syndicate.markdown import count_words

# The first name that holds something usable counts. Case, "_", "-" and spaces in a name make no difference; a dot
# leads into a table. What is missing at the top is looked for in the tables `params` and `extra` (Hugo, Zola).
NAMES: Mapping[str, tuple[str, ...]] = {
    "title": ("title", "headline", "newstitle", "post_title", "page_title", "linkTitle", "name"),
    "subtitle": ("subtitle", "sub_title", "subheading", "tagline", "deck", "dek"),
    "description": (
        "description", "summary", "excerpt", "spoiler", "abstract", "teaser", "lead", "intro",
        "meta_description", "seo.description", "metadata.description", "subtitle",
    ),
    "authors": ("authors", "author", "by", "byline", "author_name", "author_staff_member", "writer", "creator"),
    "tags": ("tags", "tag", "taxonomies.tags", "keywords"),
    "categories": ("categories", "category", "taxonomies.categories"),
    "cta": ("cta", "call_to_action"),
    "hero_image": (
        "heroImage", "hero", "image", "cover", "coverImage", "featured_image", "feature_image", "featured", "banner",
        "thumbnail", "ogImage", "og.image", "social_image", "excerpt_image", "header.teaser", "header.image",
        "header.og_image", "images", "seo.image", "metadata.image",
    ),
    "hero_alt": (
        "heroImageAlt", "heroAlt", "hero.alt", "imageAlt", "image.alt", "coverAlt", "cover.alt", "coverImageAlt",
        "coverImage.alt", "featured_image_alt", "feature_image_alt", "banner.alt", "thumbnail.alt",
    ),
    "published": (
        "publish_date", "published_at", "published_date", "published_on", "date_published", "published", "pubDate",
        "date", "posted", "post_date",
    ),
    "created": ("created_date", "created_at", "created_on", "date_created", "created", "creation_date"),
    "expires": ("expiryDate", "expires", "expires_at", "expire", "unpublish", "unpublish_date"),
    "guid": ("guid", "id"),
    "slug": ("slug",),
    "link": ("permalink", "url", "canonicalURL", "canonical", "metadata.canonical", "seo.canonical"),
    "draft": ("draft", "published", "publish", "status"),
    "channels": ("syndicate",),
}  # fmt: skip

LONGEST_MARKED_UP = 1_000  # characters; markup in a longer title is left as it is
LONGEST_NAME = 300
_NESTED = ("params", "extra")
_TRUE = frozenset({"true", "yes", "on", "1", "y"})
_FALSE = frozenset({"false", "no", "off", "0", "n"})
_HIDDEN = frozenset({"draft", "hidden", "private", "unpublished", "pending", "wip"})
_JEKYLL_STYLES = frozenset({"pretty", "date", "none", "ordinal", "weekdate"})
_PICTURES = frozenset({"png", "jpg", "jpeg", "gif", "webp", "avif", "svg", "md", "html", "bmp", "tif", "tiff", "ico"})

_BLANKS = re.compile(r"[ \t\n\r\v\f\x85\u2028\u2029]+")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ud800-\udfff]")
_INLINE_TAG = re.compile(
    r"</?(?P<name>a|abbr|b|bdi|big|br|cite|code|del|em|font|i|ins|kbd|mark|p|q|s|samp|small|span|strike|strong|sub|sup|tt"
    r"|u|var|wbr|h[1-6])(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_LINK = re.compile(r"!?\[([^\[\]]*)\](?:\([^()\s]*(?:\s+\"[^\"]*\")?\)|\[[^\[\]]*\])")
_EMPHASIS = (
    re.compile(r"\*\*(?=\S)([^*]+)(?<=\S)\*\*"),
    re.compile(r"(?<![\w*])\*(?=[^\s*])([^*]+)(?<=[^\s*])\*(?![\w*])"),
    re.compile(r"(?<!\w)_(?=[^\s_])([^_]+)(?<=[^\s_])_(?!\w)"),
    re.compile(r"~~(?=\S)([^~]+)(?<=\S)~~"),
    re.compile(r"`([^`]+)`"),
)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}(#{1,6})(?=[ \t]|$)")
_DATE_AHEAD = re.compile(r"^\d{4}-\d{1,2}-\d{1,2}(?:[-_ ]+|$)")
_INDEX = re.compile(r"_?index(?:\.[A-Za-z]{2}(?:-[A-Za-z]{2})?)?")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_PLAIN_HOST = re.compile(r"https?://[\w.-]+(?:[/?#]|\Z)", re.ASCII)  # whatever follows it, an address
_PLACEHOLDER = re.compile(r"(?:^|[/_.-]):[A-Za-z_]|\{\{|\{%|<%|\[[A-Za-z]+\]")
_EMAIL = re.compile(r"\s*<[^<>]*@[^<>]*>")
_EMAIL_FIRST = re.compile(r"\S+@\S+\s+\(([^()]+)\)")


def read(raw: bytes, path: str, zone: ZoneInfo) -> Manuscript:
    """What the file at `path` (relative to its source, with /) says; `zone` is the site's.

    Raises ContentError with a line for what cannot be understood, and nothing else.
    """
    text, decoded = decode(raw)
    front = parse(text)
    file = _File(front, path, zone, [*decoded, *front.repairs])
    title = file.title()
    channels, own_words = file.syndication()
    return Manuscript(
        title=title,
        subtitle=file.line("subtitle"),
        description=file.line("description"),
        authors=file.authors(),
        tags=file.tags(),
        cta=file.line("cta"),
        hero_image=file.hero_image(),
        hero_alt=file.line("hero_alt"),
        published=file.when("published") or file.day_in_path(),
        created=file.when("created"),
        guid=compared(file.line("guid")) or None,
        slug=file.slug(title),
        link=file.link(),
        draft=file.draft(),
        expires=file.when("expires"),
        channels=channels,
        own_words=own_words,
        words=count_words(front.body),
        body=front.body,
        repairs=tuple(file.notes),
    )


@lru_cache(maxsize=1_000)
def _normal(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "").replace(" ", "")


# Our field -> its names: (at the top, further down, as told).
_NORMAL = {
    ours: tuple((first, tuple(steps), ".".join((first, *steps))) for first, *steps in named)
    for ours, names in NAMES.items()
    for named in [[map(_normal, name.split(".")) for name in names]]
}


def _table(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields by normal name; an empty one never hides one that says something."""
    table: dict[str, Any] = {}
    for name, value in fields.items():
        key = _normal(name)
        if value or key not in table:
            table[key] = value
    return table


@dataclass(slots=True)
class _File:
    """One file's front matter under its meanings; gathers the notes."""

    front: FrontMatter
    path: str
    zone: ZoneInfo
    notes: list[str]
    tables: list[dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        top = _table(self.front.fields)
        self.tables = [top, *(_table(top[name]) for name in _NESTED if isinstance(top.get(name), dict))]

    def stated(self, ours: str) -> Iterator[tuple[str, Any]]:
        """Each value that stands for one of our fields, with the name that the file gives it, best first."""
        for table in self.tables:
            for first, steps, name in _NORMAL[ours]:
                value = table.get(first)
                for step in steps:
                    value = _table(value).get(step) if isinstance(value, dict) else None
                if value:
                    yield name, value

    def line(self, ours: str) -> str:
        """A text of one line."""
        for _, value in self.stated(ours):
            for text in _texts(value, ("text", "title", "name", "label", "content")):
                if line := _one_line(text):
                    return _plain(line) if ours == "subtitle" else line
        return ""

    def title(self) -> str:
        for _, value in self.stated("title"):
            if title := _plain(_one_line(next(_texts(value, ("text", "name")), ""))):
                return title
        return _first_heading(self.front.body) or _readable(_stem(self.path))

    def authors(self) -> tuple[str, ...]:
        for name, value in self.stated("authors"):
            texts = list(_texts(value, ("name", "display_name", "title", "login")))
            if self.front.dialect == "header" and name == "authors" and isinstance(value, str):
                texts = value.split(";") if ";" in value else value.split(",")
            if authors := tuple(dict.fromkeys(filter(None, map(_author, texts)))):
                return authors
        return ()

    def tags(self) -> tuple[str, ...]:
        found: dict[str, str] = {}
        for ours in ("tags", "categories"):
            name, value = next(self.stated(ours), ("", None))
            texts = list(_texts(value, ("name", "title", "label", "slug", "id")))
            if isinstance(value, str):
                texts = self._parted(name, value)
            for text in texts:
                tag = _one_line(text).removeprefix("#").strip()
                if tag:
                    found.setdefault(tag.casefold(), tag)
        return tuple(found.values())

    def _parted(self, name: str, text: str) -> list[str]:
        """A string of tags: by commas where there are any, by blanks where Jekyll's customs hold, else it is one."""
        if "," in text or ";" in text:
            return re.split(r"[,;]", text)
        jekyll = "layout" in self.tables[0] or _DATE_AHEAD.match(self.path.rpartition("/")[2])
        plural = name.rpartition(".")[2] in ("tags", "categories", "keywords")
        return text.split() if jekyll and plural and self.front.dialect == "yaml" else [text]

    def hero_image(self) -> str | None:
        for name, value in self.stated("hero_image"):
            for text in _texts(value, ("image", "src", "url", "path", "href", "file", "filename", "relative")):
                if (image := _image(text)) and _is_address(image):
                    return image
                self.notes.append(f"{name}: not the address of an image: {text[:80]!r}")
        return None

    def when(self, ours: str) -> str | None:
        for name, value in self.stated(ours):
            text = _one_line(next(_texts(value, ("date", "time")), ""))
            if name == "published" and text.lower() in _TRUE | _FALSE:
                continue
            if moment := stated.when(text, self.zone):
                return moment
            self.notes.append(f"{name}: a date that cannot be read: {text[:80]!r}")
        return None

    def day_in_path(self) -> str | None:
        """The day in the file's own name, in the `path` that its front matter states, or in its folders."""
        name = _stem(self.path)
        own = self.tables[0].get("path")
        paths = (name, own if isinstance(own, str) else "", self.path)
        return next((day for path in paths if (day := stated.in_path(path))), None)

    def slug(self, title: str) -> str:
        candidates = (self.line("slug"), _undated(_stem(self.path)), title.lower())
        return next((slug for text in candidates if (slug := _url_safe(text))), "article")

    def link(self) -> str | None:
        for name, value in self.stated("link"):
            if not isinstance(value, str):
                continue
            link = _one_line(value)
            scheme = _SCHEME.match(link)
            if link.lower() in _TRUE | _FALSE | _JEKYLL_STYLES or (not scheme and _PLACEHOLDER.search(link)):
                continue  # a pattern for a generator, or a switch
            if " " in link or "\\" in link or (scheme and scheme[1].lower() not in ("http", "https")):
                self.notes.append(f"{name}: not the address of a page: {link[:80]!r}")
                continue
            return "https:" + link if link.startswith("//") else link
        return None

    def draft(self) -> bool:
        def says(name: str, words: frozenset[str]) -> bool:
            value = self.tables[0].get(name)
            return isinstance(value, str) and value.strip().lower() in words

        return (
            says("draft", _TRUE)
            or says("published", _FALSE)
            or says("publish", _FALSE)
            or says("status", _HIDDEN)
            or "_drafts" in self.path.split("/")[:-1]
        )

    def syndication(self) -> tuple[tuple[str, ...] | None, dict[str, str]]:
        """Rule 11: (channels or None for all, own words by channel)."""
        value = next((value for _, value in self.stated("channels")), None)
        if isinstance(value, list):
            value = {"channels": value}
        if isinstance(value, str) and value.strip().lower() in _FALSE:
            return (), {}
        if not isinstance(value, dict):
            if value is not None and value.strip().lower() not in _TRUE:
                self.notes.append(f"syndicate: neither true, false nor a table: {value[:80]!r}")
            return None, {}
        channels: tuple[str, ...] | None = None
        words: dict[str, str] = {}
        for name, item in value.items():
            if _normal(name) == "channels":
                channels = self._channels(item)
            elif isinstance(item, str) and item.strip().lower() not in _TRUE | _FALSE and _many_lines(item):
                words[name.strip().casefold()] = _many_lines(item)
            else:
                self.notes.append(f"syndicate.{name[:40]}: no text to use there")
        return channels, words

    def _channels(self, value: Any) -> tuple[str, ...] | None:
        names = re.split(r"[,\s]+", value) if isinstance(value, str) else list(_texts(value, ("name",)))
        names = [name.strip().casefold() for name in names if name.strip()]
        if names in (["all"], ["true"]):
            return None
        if names in (["none"], ["false"]):
            return ()
        if value is None or isinstance(value, dict):
            self.notes.append("syndicate.channels: not a list of channels")
            return None
        return tuple(dict.fromkeys(names))


# --- values ----------------------------------------------------------------------------------------------------------


def _texts(value: Any, names: tuple[str, ...], depth: int = 0) -> Iterator[str]:
    """The texts of a value: itself, each of a list, or of a table the first of `names` it has."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and depth < 4:
        for item in value:
            yield from _texts(item, names, depth + 1)
    elif isinstance(value, dict) and depth < 4:
        table = _table(value)
        for name in names:
            if inner := table.get(_normal(name)):
                yield from _texts(inner, names, depth + 1)
                return


def _one_line(text: str) -> str:
    text = text.strip()
    if text.isprintable() and "  " not in text:  # most are: no blank but single " ", no control
        return text
    return _CONTROLS.sub("", _BLANKS.sub(" ", text)).strip()


def _many_lines(text: str) -> str:
    return "\n".join(_CONTROLS.sub("", line).rstrip() for line in text.splitlines()).strip()


def _plain(text: str) -> str:
    """A title without tags, links and emphasis; `a < b`, `*args` and `__init__` are text and stay."""
    if len(text) > LONGEST_MARKED_UP:
        return text
    if "<" in text:
        text = _INLINE_TAG.sub(_if_paired, text)
    if "](" in text or "][" in text:
        text = _LINK.sub(r"\1", text)
    if any(mark in text for mark in "*_~`"):
        for emphasis in _EMPHASIS:
            text = emphasis.sub(r"\1", text)
    return _one_line(html.unescape(text) if "&" in text else text)


def _if_paired(tag: re.Match[str]) -> str:
    """Nothing for a tag whose partner is there too; "the <b> tag" is text."""
    name, text = tag["name"].lower(), tag.string.lower()
    partner = f"<{name}" if tag[0].startswith("</") else f"</{name}"
    return "" if name in ("br", "wbr") or partner in text else tag[0]


def _author(text: str) -> str:
    text = _one_line(text)[:LONGEST_NAME]
    if first := _EMAIL_FIRST.fullmatch(text):
        return first[1].strip()
    return _one_line(_EMAIL.sub("", _LINK.sub(r"\1", text))).strip(" ,;")


def _is_address(text: str) -> bool:
    """Whether it can be taken apart; "https://[image]/a.png" cannot."""
    if _PLAIN_HOST.match(text):
        return True
    try:
        urlsplit(text).port  # noqa: B018  # raises for what is none
    except ValueError:
        return False
    return True


def _image(text: str) -> str | None:
    """The address of an image as stated, with https:// where a host has no scheme."""
    text = _one_line(text)
    if markdown := re.fullmatch(r"!\[[^\]]*\]\(([^()\s]+)[^()]*\)", text):
        text = markdown[1]
    scheme = _SCHEME.match(text)
    if scheme and scheme[1].lower() in ("http", "https"):
        return text.split(" ")[0] if len(text) > len(scheme[0]) + 2 else None
    if "{{" in text or "{%" in text or text.lower() in _TRUE | _FALSE | {""} or (scheme and "/" not in scheme[1]):
        return None
    if text.startswith("//"):
        return "https:" + text
    host, slash, _ = text.partition("/")
    labels = host.split(".")
    if slash and len(labels) > 1 and all(labels) and labels[-1].isalpha() and labels[-1].lower() not in _PICTURES:
        return "https://" + text if re.fullmatch(r"[\w.-]+", host) else text
    return text


# --- names -----------------------------------------------------------------------------------------------------------


def _stem(path: str) -> str:
    """The name that a path gives: its file's, its folder's for an index file."""
    folder, _, name = path.rpartition("/")
    stem = name.rpartition(".")[0] if "." in name else name
    return folder.rpartition("/")[2] if _INDEX.fullmatch(stem) else stem


def _undated(stem: str) -> str:
    return _DATE_AHEAD.sub("", stem) or stem


def _readable(stem: str) -> str:
    words = _one_line(re.sub(r"[-_]+", " ", _undated(stem)))
    return words[:1].upper() + words[1:]


def _url_safe(text: str) -> str:
    """Letters of every script, digits, "-", "_", "~" and single dots inside; everything else parts words."""
    text = unicodedata.normalize("NFC", text)
    words = (word.strip("-") for word in re.split(r"[^\w.~-]+", text[:400]))
    text = re.sub(r"\.{2,}", ".", "-".join(filter(None, words))).strip("-.")
    return text[:120].strip("-.")


def _first_heading(body: str) -> str:
    """The first heading of the first rank; else one of another rank that opens the text."""
    fence = ""
    before = ""
    opening = ""
    begun = False
    for line in body.split("\n"):
        if match := _FENCE.match(line):
            fence = "" if fence and match[1].startswith(fence) else fence or match[1]
            begun = True
        elif fence or line.startswith(("    ", "\t")):
            begun = begun or bool(line.strip())
        elif heading := _HEADING.match(line):
            text = line[heading.end() :].strip()
            unclosed = text.rstrip("#")
            text = _plain(_one_line(unclosed if unclosed[-1:] in ("", " ", "\t") else text))
            if text and len(heading[1]) == 1:
                return text
            opening = opening or ("" if begun else text)
            begun = True
        elif before and re.fullmatch(r" {0,3}=+[ \t]*", line):
            return _plain(_one_line(before))
        elif line.strip():
            begun = begun or not line.startswith(("import ", "export ", "<!--"))
        before = "" if fence else line.strip()
    return opening
