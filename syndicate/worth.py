"""What an article is worth: one fixed score of named parts, for posts and digests alike; and which titles are twins.

Pure. Who wins, and when, is for `pacing` and `edition` to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from unicodedata import normalize

APART = timedelta(days=2)
"""No two near-twins go out closer than this."""

NEAR = 0.55
"""Twins share this much of their words: in a sample of 290 real titles 11 pairs do, and a reader would take each pair
for one piece."""

_LONG, _MOST = 4, 300  # letters of a word that says something; characters of a title that are looked at
_WORD = re.compile(r"\d+(?:[.,]\d+)*|\w+")


class Words(NamedTuple):
    """What a title says: its words of four letters and more, its numbers, its last word."""

    all: frozenset[str]
    numbers: frozenset[str]


def words(title: str) -> Words:
    """The words by which two titles are compared; where there are hardly any, the short ones too."""
    return _words(title[:_MOST])


@lru_cache(maxsize=4096)  # each title of a channel meets each other's, several times a pass
def _words(title: str) -> Words:
    found = _WORD.findall(normalize("NFKC", title).casefold())
    numbers = frozenset(word for word in found if any(map(str.isdigit, word)))
    long = frozenset(word for word in found if len(word) >= _LONG) | numbers | frozenset(found[-1:])
    return Words(long if len(long) > 1 else frozenset(found), numbers)


def likeness(one: str, other: str) -> float:
    """How far two titles share their words: 0 to 1 (Jaccard)."""
    first, second = words(one).all, words(other).all
    shared = len(first & second)
    return shared / (len(first) + len(second) - shared) if shared else 0.0


def is_twin(one: str, other: str) -> bool:
    """Whether a reader would take both for one piece. Parts of a series are none: their numbers differ."""
    first, second = words(one).numbers, words(other).numbers
    return (first <= second or second <= first) and likeness(one, other) >= NEAR


@dataclass(frozen=True, slots=True, kw_only=True)
class Aired:
    """A title that went out, or is about to."""

    title: str
    moment: datetime
    authors: tuple[str, ...] = ()


class Heard:
    """Titles that went out around a moment, found again by any of their words."""

    def __init__(self, aired: Iterable[Aired], now: datetime) -> None:
        self._aired: list[Aired] = []
        self._places: dict[str, list[int]] = {}  # word -> which of them say it
        self._plain: set[int] = set()  # those without a number
        for one in aired:
            if abs(now - one.moment) < APART:
                self.add(one)

    def add(self, one: Aired) -> None:
        said = words(one.title)
        for word in said.all:
            self._places.setdefault(word, []).append(len(self._aired))
        if not said.numbers:
            self._plain.add(len(self._aired))
        self._aired.append(one)

    def twin(self, title: str) -> Aired | None:
        """The latest near-twin of a title.

        It shares so many words that it has one of the rarest, and where both have numbers it shares one: which leaves
        hardly a title to compare.
        """
        said, numbers = words(title)
        rarest = sorted((self._places.get(word, []) for word in said), key=len)[: len(said) - int(NEAR * len(said)) + 1]
        met = set[int]().union(*rarest)
        if numbers:
            met = (met & self._plain).union(*(met.intersection(self._places.get(one, ())) for one in numbers))
        twins = [one for place in met if is_twin(title, (one := self._aired[place]).title)]
        return max(twins, key=lambda one: one.moment, default=None)


@dataclass(frozen=True, slots=True)
class Score:
    """A fixed sum of named parts, 100 at most."""

    freshness: int  # 0 to 40
    image: int  # 0 or 15
    description: int  # 0, 10 or 20
    author: int  # 0 or 10
    topic: int  # 0 to 15

    @property
    def total(self) -> int:
        return self.freshness + self.image + self.description + self.author + self.topic

    def __str__(self) -> str:
        return (
            f"score {self.total} = freshness {self.freshness} + image {self.image} + description {self.description}"
            f" + author {self.author} + topic {self.topic}"
        )

    def lead(self, other: Score) -> str:
        """By how much this one is ahead and in which parts, what decided first: "by 12: image +15, freshness -3"."""
        parts = [(getattr(self, part.name) - getattr(other, part.name), part.name) for part in fields(self)]
        told = [f"{name} {ahead:+d}" for ahead, name in sorted(parts, key=lambda one: -one[0]) if ahead]
        by = self.total - other.total
        return f"by {by}: {', '.join(told)}" if by else "by its date alone: the scores are equal"


def rate(
    *, age: timedelta, span: timedelta, has_image: bool, title: str, description: str, authors: Sequence[str],
    late_authors: Sequence[str], late_titles: Sequence[str],
) -> Score:  # fmt: skip
    """Value an article: fresh within `span`, with a picture, well described, and unlike what went out lately."""
    youth = max(0.0, 1 - max(timedelta(0), age) / span)
    length = len(description)
    return Score(
        freshness=round(40 * youth),
        image=15 if has_image else 0,
        description=20 if 60 <= length <= 400 else 10 if length else 0,
        author=0 if set(authors).intersection(late_authors) else 10,
        topic=round(15 * (1 - max((likeness(title, late) for late in late_titles), default=0.0))),
    )


def quoted(title: str) -> str:
    """A title as it is named in a reason: on one line, and not all of a long one."""
    return repr(title if len(title) <= 60 else f"{title[:59]}…")
