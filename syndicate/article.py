"""An article: what one file says (`Manuscript`), and what the catalogue knows of it (`Article`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from hashlib import blake2b
from urllib.parse import quote, urljoin, urlsplit

LONGEST_COMPARED = 200  # characters


class State(StrEnum):
    """The verdict of review."""

    READY = "ready"  # in the feeds, may be announced
    HELD = "held"  # needs a person
    SCHEDULED = "scheduled"  # becomes ready by itself
    DRAFT = "draft"  # the author says: not yet
    REJECTED = "rejected"  # no article, or a person said no
    GONE = "gone"  # its file is no longer there


@dataclass(frozen=True, slots=True, kw_only=True)
class Manuscript:
    """What one file says, repaired and mapped to our fields, before anybody judged it.

    `published` and `created` are as stated: "YYYY-MM-DD" for a bare day, else ISO 8601 with its zone (the site's
    where none is given). `hero_image` is as stated, with https:// where a scheme was missing. `authors` and `tags`
    are plain strings. `body` is Markdown, without front matter.
    """

    title: str = ""
    subtitle: str = ""
    description: str = ""
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    cta: str = ""
    hero_image: str | None = None
    hero_alt: str = ""  # what is to be seen on it, for those who do not see it
    published: str | None = None
    created: str | None = None
    guid: str | None = None  # `id` or `guid` of the front matter
    slug: str = ""  # rule 10; never empty
    link: str | None = None  # `permalink`, `url`, `canonicalURL`: absolute, or relative to the site
    draft: bool = False
    expires: str | None = None
    channels: tuple[str, ...] | None = None  # rule 11: None = all; () = feeds only
    own_words: Mapping[str, str] = field(default_factory=dict)  # channel -> the text to use there
    words: int = 0
    body: str = ""
    repairs: tuple[str, ...] = ()  # "line 3: title: unescaped apostrophe"

    def goes_to(self, channel: str) -> bool:
        """Whether its author wants it there (rule 11); `channels` is kept casefolded."""
        return self.channels is None or channel.casefold() in self.channels


def compared(text: str) -> str:
    """A text that is only ever compared, at a length that every index keeps: for a long one stands its digest."""
    return (
        text
        if len(text) <= LONGEST_COMPARED
        else blake2b(text.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One article as the catalogue knows it. All moments are aware UTC."""

    id: str  # uuid
    source: str
    path: str  # relative to the source's folder, with /
    slug: str
    url: str  # absolute
    manuscript: Manuscript
    state: State
    reasons: tuple[str, ...] = ()  # each begins with its rule's fixed code
    first_seen: datetime
    updated: datetime  # last change of the text
    released: datetime | None = None  # orders feeds, editions and choices
    entered: datetime | None = None  # when it became a candidate by our clock: first ready
    baseline: bool = False  # in the feeds, never announced unless sent by hand

    @property
    def title(self) -> str:
        return self.manuscript.title

    @property
    def reading_time(self) -> int:
        """Minutes, computed: what files state is off by half or more in 94 % of the first owner's."""
        return max(1, round(self.manuscript.words / 230)) if self.manuscript.words else 0


def _joined(site: str, link: str) -> str | None:
    """The link as an address below the site; None where it is none, as `http://[x` and `http:///x`."""
    try:
        whole = urljoin(site + "/", link)
        parts = urlsplit(whole)
        return whole if parts.hostname and (parts.port is None or parts.port) else None
    except ValueError:
        return None


def public_address(pattern: str, *, site_url: str, link: str | None, slug: str, path: str, day: date) -> str:
    """Where an article can be read (rule 10): its own `link`, else `article_url` filled in.

    `path` is relative to the source's folder, without its ending; `day` is in the site's zone.
    """
    site = site_url.rstrip("/")
    if link and (whole := _joined(site, link)):
        return whole
    year, month, of_month = day.isoformat()[:10].split("-")
    return pattern.format(site_url=site, slug=quote(slug), path=quote(path), year=year, month=month, day=of_month)
