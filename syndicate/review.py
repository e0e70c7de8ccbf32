"""The verdict on one article: ready, held, scheduled, draft or rejected, each with its reasons.

Owns the rules and their codes. Pure: the catalogue's part (twins, clashes, a person's verdict) is handed in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo
from typing import Protocol

from syndicate import junk
from syndicate.article import Manuscript, State, compared
from syndicate.manuscript import NAMES
from syndicate.markdown import count_words, cut, folded_words

APPROVED, REJECTED = "approved", "rejected"


class Rules(Protocol):
    """The part of `[review]` that judges (config.ReviewRules)."""

    @property
    def require(self) -> tuple[str, ...]: ...
    @property
    def min_words(self) -> int: ...
    @property
    def reject_titles(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """An earlier article with the same title, first seen inside the duplicate window."""

    path: str
    first_seen: datetime | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A state, the reasons for it (each begins with its rule's code), and when time alone may change it (UTC)."""

    state: State
    reasons: tuple[str, ...] = ()
    look_again: datetime | None = None


def title_key(title: str) -> str:
    """What makes two titles the same: case-folded words under NFKC, punctuation and white space aside."""
    return compared(folded_words(title))


def judge(
    manuscript: Manuscript,
    rules: Rules,
    now: datetime,
    zone: tzinfo,
    *,
    twin: Twin | None = None,
    clash: str | None = None,
    verdict: str | None = None,
) -> Judgement:
    """The verdict on what one file says.

    A person's `verdict` ("approved", "rejected", "rejected: TEXT") stands for good; then rejected goes before draft,
    draft before scheduled, scheduled before held; all reasons of the state that won are told. `zone` is the site's:
    a bare day means its 00:00 there. `clash` is the path of the article that holds the same address.
    """
    if verdict == APPROVED:
        return Judgement(State.READY)
    if verdict and verdict.startswith(REJECTED):
        return Judgement(State.REJECTED, (verdict if ":" in verdict else f"{REJECTED}: a person said no",))
    expires = moment(manuscript.expires, zone)
    published = moment(manuscript.published, zone)
    if no := tuple(_rejections(manuscript, rules, now, expires)):
        return Judgement(State.REJECTED, no)
    if manuscript.draft:
        return Judgement(State.DRAFT, ("draft: the front matter says so",))
    if published is not None and published > now:
        return Judgement(State.SCHEDULED, (f"future: its date is {manuscript.published}",), published)
    if doubts := tuple(_doubts(manuscript, rules, twin, clash)):
        return Judgement(State.HELD, doubts, expires)
    return Judgement(State.READY, (), expires)


def moment(stated: str | None, zone: tzinfo) -> datetime | None:
    """A stated date as a moment, aware, UTC; a bare day is its 00:00 in `zone`. None for nothing and for nonsense."""
    if not stated:
        return None
    try:
        said = datetime.fromisoformat(stated)
    except ValueError:
        return None
    if len(stated) <= len("YYYY-MM-DD"):
        said = datetime.combine(said, time())
    try:
        return (said if said.tzinfo else said.replace(tzinfo=zone)).astimezone(UTC)
    except (OverflowError, ValueError):  # at the ends of the calendar, as 9999-12-31 for "never"
        return said.replace(tzinfo=UTC)


# --- rejected ---------------------------------------------------------------------------------------------------------


def _rejections(said: Manuscript, rules: Rules, now: datetime, expires: datetime | None) -> Iterator[str]:
    yield from _missing(said, rules.require)
    if not _without_comments(said.body).strip():
        yield "empty: the file has no text after its front matter"
    yield from map(str, junk.evidence(said))
    for pattern in rules.reject_titles:
        if re.search(pattern, said.title):
            shown = getattr(pattern, "pattern", pattern)
            yield f"reject-titles: the title matches {cut(str(shown), 80)} (review.reject_titles)"
    if expires is not None and expires <= now:
        yield f"expired: on {said.expires}"


def unknown_fields(required: tuple[str, ...]) -> list[str]:
    """Those of `review.require` that are no field known here."""
    return [name for name in required if _folded(name) not in _FIELDS]


def _missing(said: Manuscript, required: tuple[str, ...]) -> Iterator[str]:
    for name in required:
        ours = _FIELDS.get(_folded(name))
        if ours is None:
            yield f"required: {name} is no field that is known here (review.require)"
        elif not any(_filled(getattr(said, field)) for field in ours):
            yield (
                "no-title: the file has no title"
                if "title" in ours
                else f"required: {name} is missing (review.require)"
            )


def _folded(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


def _filled(value: object) -> bool:
    return bool(value.strip() if isinstance(value, str) else value)


def _fields() -> dict[str, tuple[str, ...]]:
    """Every name a required field may go by -> the manuscript's fields that hold it."""
    known: dict[str, tuple[str, ...]] = {}
    for ours in ("title", "subtitle", "description", "authors", "tags", "cta", "hero_image", "published", "created"):
        known[_folded(ours)] = (ours,)
    for ours in ("guid", "slug", "link", "expires", "body"):
        known[_folded(ours)] = (ours,)
    known["date"] = ("published", "created")
    for ours, names in NAMES.items():
        for name in names:
            target = "tags" if ours == "categories" else ours
            if _folded(target) in known:
                known.setdefault(_folded(name), (target,))
    return known


_FIELDS = _fields()
_COMMENT = re.compile(r"<!--.*?-->", re.S)


def _without_comments(body: str) -> str:
    return _COMMENT.sub("", body) if len(body) < 2_000 else body  # so much is no comment


# --- held -------------------------------------------------------------------------------------------------------------


def _doubts(said: Manuscript, rules: Rules, twin: Twin | None, clash: str | None) -> Iterator[str]:
    words = said.words or count_words(said.body)
    if words < rules.min_words:
        noun = "word" if words == 1 else "words"
        yield f"too-short: {words} {noun}, {rules.min_words} are the least (review.min_words)"
    if twin is not None:
        seen = f", first seen {twin.first_seen:%Y-%m-%d}" if twin.first_seen else ""
        yield f"duplicate-title: {twin.path} has the same title{seen} (review.duplicate_window)"
    if clash is not None:
        yield f"clash: {clash} has the same address"
    if other := junk.mismatch(said):
        yield f"junk-mismatch: {other}"
