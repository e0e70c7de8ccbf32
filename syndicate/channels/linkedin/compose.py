"""From an announcement to the frozen request of a LinkedIn post. Pure."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syndicate.article import Article
from syndicate.channels.base import Announcement, Payload
from syndicate.channels.linkedin import littletext
from syndicate.errors import ConfigError, Problem
from syndicate.markdown import graphemes, sentences, summary, utf16_len
from syndicate.prose import TURNS

if TYPE_CHECKING:
    from jinja2 import Template

    from syndicate.config import Site

PAYLOAD_VERSION = 2
UNDERSTOOD = (1, 2)  # versions of what is frozen already; the first knew no pictures
REHEARSAL_AUTHOR = "urn:li:person:REHEARSAL"
COMMENTARY_LIMIT = 3000  # the server's words; unit unknown, so: UTF-16 units after escaping
TITLE_LIMIT = 400
ALT_LIMIT = 4000
DESCRIPTION_LIMIT = 4000  # refused somewhere above 4,084
HEADLINE_LIMIT = 200  # of a title that stands in for it: above the fold

_BLANK_LINES = re.compile(r"\n{3,}")
_LINE_ENDS = re.compile(r"\r\n?|[\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_LAST_BLANK = re.compile(r"\s(?=\S*$)")
_HAS_LINK = re.compile(r"https?://|www\.", re.IGNORECASE)

Shorten = Callable[[str, int], str]
"""(text, limit) -> at most `limit` graphemes of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostTemplate:
    """A loaded template and the hashtags its owner wrote into it."""

    template: Template
    name: str  # for messages
    hashtags: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """What a text is made of and may be shortened by; plain, without control characters."""

    summary: str
    hashtags: str
    cta: str
    link: str


def load_template(folder: Path | None, name: str = "linkedin") -> PostTemplate:
    """Load NAME.txt from the owner's folder, else the one shipped. Raises ConfigError for a broken or missing one."""
    from jinja2 import StrictUndefined, TemplateSyntaxError
    from jinja2.sandbox import SandboxedEnvironment

    own = folder / f"{name}.txt" if folder else None
    shown = str(own) if own and own.is_file() else "post.txt"
    try:
        if own and own.is_file():
            source = own.read_text("utf-8")
        elif name == "linkedin":
            source = (files("syndicate.channels.linkedin") / "post.txt").read_text("utf-8")
        else:
            raise ConfigError([Problem("linkedin.template", f"there is no {name}.txt in the folder `templates`")])
        template = SandboxedEnvironment(undefined=StrictUndefined).from_string(source)
    except TemplateSyntaxError as exc:
        raise ConfigError([Problem("linkedin.template", f"{shown} line {exc.lineno}: {exc.message}")]) from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError([Problem("linkedin.template", f"{shown} cannot be read: {exc}")]) from exc
    return PostTemplate(template=template, name=shown, hashtags=littletext.hashtags_in(source))


def compose(
    announcement: Announcement, *, template: PostTemplate, site: Site, author: str, api_url: str, version: str
) -> Payload:
    """Make the request of one post. Raises ConfigError when the owner's template fails.

    The body is text already, so that a repeat is the same to the byte: that is how LinkedIn knows a duplicate.
    """
    article = announcement.article
    title = _line(article.title) or _line(announcement.summary) or site.title
    card = {"source": _line(article.url), "title": _within(title, TITLE_LIMIT)}
    if description := _within(_line(article.manuscript.description or announcement.summary), DESCRIPTION_LIMIT):
        card["description"] = description
    body = {
        "author": author,
        "commentary": _commentary(announcement, template, site),
        "visibility": "PUBLIC",
        "distribution": {"feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": []},
        "content": {"article": card},
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": False,
    }
    return {
        "v": PAYLOAD_VERSION,
        **_picture(announcement, site),
        "method": "POST",
        "url": f"{api_url}/rest/posts",
        "headers": {
            "Linkedin-Version": version,
            "X-Restli-Protocol-Version": "2.0.0",
            "Content-Type": "application/json",
        },
        "body": json.dumps(body, ensure_ascii=False),
    }


def _picture(announcement: Announcement, site: Site) -> dict[str, Any]:
    """Which picture the card is to have (`images.prepare` gives it one), and why it is not the article's own."""
    said, lost = announcement.article.manuscript, announcement.lost_image
    url = said.hero_image or site.image
    alt = _within(_line(said.hero_alt), ALT_LIMIT) if said.hero_image else ""
    why = {"lost": f"{_line(lost)[:200]} was not there when it was looked up"} if lost else {}
    if not url:
        return {"note": f"picture left out: {why['lost']}"} if lost else {}
    return {"picture": {"url": url, "alt": alt, **why}}


def _commentary(announcement: Announcement, template: PostTemplate, site: Site) -> str:
    article = announcement.article
    if own := _lines(announcement.own_words or ""):
        draft = _Draft(summary=own, hashtags="", cta="", link=_line(article.url))
        return _fitted(draft, _own_words, littletext.hashtags_in(own), _cut)
    tags = littletext.hashtags(article.manuscript.tags)
    draft = _Draft(
        summary=_line(announcement.summary),
        hashtags=" ".join(f"#{tag}" for tag in tags),
        cta=_line(article.manuscript.cta),
        link=_line(article.url),
    )
    hashtags = template.hashtags.union(tags)
    return _fitted(draft, lambda draft: _written(draft, article, template, site), hashtags, summary)


def _own_words(draft: _Draft) -> str:
    held = re.search(rf"{re.escape(draft.link.rstrip('/'))}(?![\w/?&=%#.-]*[\w?&=%#-])", draft.summary)
    return draft.summary if held else f"{draft.summary}\n\n{draft.link}".strip()


def _written(draft: _Draft, article: Article, template: PostTemplate, site: Site) -> str:
    title = _line(article.title)
    headline, rest = first_sentence(draft.summary or _cut(title, HEADLINE_LIMIT) or site.title)
    cta_link = "" if not draft.cta or _HAS_LINK.search(draft.cta) else site.cta_url or draft.link
    try:
        text = template.template.render(
            headline=headline,
            rest=rest,
            cta=draft.cta,
            cta_link=cta_link,
            link="" if cta_link == draft.link else draft.link,
            hashtags=draft.hashtags,
            title=title,
            summary=draft.summary,
            url=_line(article.url),
            article=article,
            site=site,
        )
    except Exception as exc:  # whatever an owner's expression can raise
        raise ConfigError([Problem("linkedin.template", f"{template.name}: {exc}")]) from exc
    return _lines(text)


def _fitted(draft: _Draft, write: Callable[[_Draft], str], hashtags: Collection[str], shorten: Shorten) -> str:
    """Write and encode, shortened where too long: first the summary (by `shorten`), the call to action almost last."""

    def fits(text: str) -> bool:
        return utf16_len(littletext.encode(text, hashtags)) <= COMMENTARY_LIMIT

    def shortened(draft: _Draft, part: str) -> _Draft:
        def changed(text: str) -> _Draft:
            return replace(draft, **{part: text})

        if part in ("hashtags", "link"):  # half of one is worse than none
            return changed("")
        by = shorten if part == "summary" else _cut
        return changed(_longest(getattr(draft, part), lambda text: fits(write(changed(text))), by))

    for part in ("summary", "hashtags", "cta", "link"):
        if fits(write(draft)):
            break
        draft = shortened(draft, part)
    return littletext.encode(_longest(write(draft), fits, _cut), hashtags)


def _within(text: str, units: int) -> str:
    """`text`, cut to a number of UTF-16 units."""
    return _longest(text, lambda text: utf16_len(text) <= units, _cut)


def _longest(text: str, fits: Callable[[str], bool], shorten: Shorten) -> str:
    """As much of `text` as fits; empty where nothing does."""
    if fits(text):
        return text
    best, low, high = "", 0, min(len(text), DESCRIPTION_LIMIT)  # no limit here is higher
    while low < high:
        middle = (low + high + 1) // 2
        piece = shorten(text, middle)
        if fits(piece):
            best, low = piece, middle
        else:
            high = middle - 1
    return best if best.strip(" …") else ""


def _cut(text: str, limit: int) -> str:
    """At most `limit` graphemes, cut at a word; as `markdown.cut`, but lines stay lines."""
    room = list(islice(graphemes(text), limit + 1))
    if len(room) <= limit:
        return text
    head = "".join(room[: limit - 1])
    return (head if room[limit - 1].isspace() else whole_words(head)).rstrip() + "…"


def whole_words(head: str) -> str:
    """A text that was cut somewhere, up to its last blank; whole where that would take more than half of it."""
    blank = _LAST_BLANK.search(head)
    return head[: blank.start()] if blank and blank.start() >= len(head) // 2 else head


def first_sentence(text: str) -> tuple[str, str]:
    """Split one line after its first sentence."""
    first = next(iter(sentences(text)), "")
    return first, text[len(first) :].strip()


def _line(text: str) -> str:
    """One line of plain text: white space joined, control characters gone."""
    return " ".join(_lines(text).split())


def _lines(text: str) -> str:
    """Plain text: line ends as LinkedIn knows them, one empty line at most in a row, control characters gone."""
    text = _LINE_ENDS.sub("\n", text).replace("\t", " ").translate(TURNS)
    if not text.isprintable():
        text = "".join(c for c in text if c == "\n" or unicodedata.category(c) not in ("Cc", "Cs"))
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    return _BLANK_LINES.sub("\n\n", lines).strip()
