"""When somebody is told of a problem: once it has stood a while, and once when it has stayed away. It tells nobody."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

STANDING = timedelta(seconds=60)  # what is gone sooner is told to nobody
CLEAN = timedelta(minutes=5)  # away so long, a problem is over; doubled each time it comes back
LONGEST_CLEAN = timedelta(hours=2)
MEMORY = timedelta(days=1)  # so long after it was over it counts as one that comes back


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that is wrong now."""

    key: str  # the same as long as it is the same problem, however its words change
    text: str  # a sentence that names the command or the key that mends it
    halts: bool = False  # the program does not do its work, and waits for nobody's decision
    mend: str = ""  # the command that mends it, where there is one
    act: tuple[str, ...] = ()  # the same as a button of the newsroom: act, subject, and what it was shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A loop of the daemon that fails again and again."""

    times: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is remembered of one problem in one way of telling."""

    text: str
    since: datetime
    gone_at: datetime | None = None  # first look that did not find it
    told_at: datetime | None = None  # when it was told; None again when it was told that it is over
    times: int = 0  # it was told of late


Book = Mapping[str, Standing]
"""Key of a problem -> what is remembered of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Keys of what should be told now."""

    begun: tuple[str, ...] = ()
    over: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.begun or self.over)


def seen(book: Book, texts: Mapping[str, str], now: datetime) -> dict[str, Standing]:
    """The book after a look that found these problems (key -> text)."""
    after = {}
    for key, known in book.items():
        if key in texts:
            after[key] = _back(known, texts[key], now)
        elif known.gone_at is None:
            after[key] = replace(known, gone_at=now)
        elif not _is_forgotten(known, now):
            after[key] = known
    for key, text in texts.items():
        if key not in book:
            after[key] = Standing(text=text, since=now)
    return after


def news(book: Book, now: datetime) -> News:
    """What the book says should be told now."""
    begun = [
        key
        for key, known in book.items()
        if known.told_at is None and known.gone_at is None and now - known.since >= STANDING
    ]
    over = [
        key for key, known in book.items() if known.told_at and known.gone_at and now - known.gone_at >= patience(known)
    ]
    return News(begun=tuple(sorted(begun)), over=tuple(sorted(over)))


def told(book: Book, keys: Collection[str], now: datetime) -> dict[str, Standing]:
    """The book after these were told."""
    after = dict(book)
    for key in keys:
        known = book[key]
        after[key] = (
            replace(known, told_at=None) if known.told_at else replace(known, told_at=now, times=known.times + 1)
        )
    return after


def patience(known: Standing) -> timedelta:
    """How long it must be away to be over: what came back before is believed less."""
    doublings = min(max(known.times - 1, 0), 10)
    return min(CLEAN * (1 << doublings), LONGEST_CLEAN)


def _back(known: Standing, text: str, now: datetime) -> Standing:
    if known.gone_at is None:
        return known
    if known.told_at is None and now - known.gone_at >= patience(known):  # a new case of it
        return replace(known, text=text, since=now, gone_at=None)
    return replace(known, gone_at=None)


def _is_forgotten(known: Standing, now: datetime) -> bool:
    if known.told_at or known.gone_at is None:
        return False
    return now - known.gone_at >= (MEMORY if known.times else CLEAN)
