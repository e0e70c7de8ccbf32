"""The newsroom's first page as values, and the sentence above it. Pure: asks nobody, and knows no template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from syndicate.store.pauses import NOT_MADE, called
from syndicate.store.today import Held, Owed

Mode = Literal["paused", "rehearsal", "live"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A problem that stands."""

    text: str
    since: datetime | None
    waits: int  # deliveries or letters that it keeps
    mend: str  # the command that mends it; "" where the text says all there is
    act: tuple[str, ...]  # (act, subject) of the button that does the same; empty: none does


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A post as it will stand there."""

    words: str  # to copy
    title: str = ""
    host: str = ""
    description: str = ""
    picture: str = ""  # its size, never itself: the page asks nobody else for anything


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A delivery that waits for a person."""

    owed: Owed
    card: Card | None
    seen: str  # tells the text of its article or edition from every other


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """What goes out within the day."""

    at: datetime
    channel: str
    title: str
    why: str
    article: str  # "" for an edition
    digest: str  # "" for an article
    delivery: int | None
    more: int = 0  # articles of an edition besides the one it is named by


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """Articles that do not go to a channel within the day, and why."""

    channel: str
    count: int
    reasons: Sequence[tuple[str, int]]  # in words, the most frequent first


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """A mailing under way."""

    delivery: int
    title: str
    key: str  # what to pause: its digest, or the whole channel
    live: bool
    total: int
    done: int
    per_second: float | None
    done_at: datetime | None
    bounces: int
    paused: str  # why it stands; "" while it goes on


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """All of it at one moment."""

    now: datetime
    live: Mapping[str, bool]  # channel -> whether its last step leaves the machine
    paused: Mapping[str, str]  # key -> why
    troubles: Sequence[Trouble] = ()
    held: Sequence[Held] = ()
    wanted: Sequence[Wanted] = ()
    wanted_count: int = 0  # all there are: only the newest are shown
    coming: Sequence[Coming] = ()
    others: Sequence[Others] = ()
    sending: Sequence[Sending] = ()
    unknown: Sequence[Owed] = ()
    went: Sequence[Owed] = ()
    sent_today: Mapping[str, int]
    next_mail: tuple[str, datetime] | None = None  # digest, its next slot
    people: Mapping[str, int]
    growth: Sequence[tuple[str, int]] = ()
    token_days: int | None = None
    scanned: datetime | None = None

    @property
    def mode(self) -> Mode:
        """What the pill says."""
        if self.is_paused:
            return "paused"
        return "live" if any(self.live.values()) else "rehearsal"

    @property
    def is_paused(self) -> bool:
        """Whether everything stands still."""
        return bool(self.paused.keys() & {"all", "clock"})

    @property
    def resting(self) -> Sequence[tuple[str, str]]:
        """What somebody paused beside what goes on: its name and why. What a fault paused is a trouble."""
        told = {one.act[1] for one in self.troubles if one.act[:1] == ("resume",)}
        names = {called(key): why for key, why in self.paused.items() if not key.startswith(NOT_MADE)}
        return [] if self.is_paused else [(name, why) for name, why in names.items() if name not in told]

    @property
    def rehearsing(self) -> Sequence[str]:
        """Channels that rehearse beside live ones."""
        return [name for name, live in self.live.items() if not live] if self.mode == "live" else []

    @property
    def needs(self) -> int:
        """How many things wait for a person."""
        return sum(group.count for group in self.held) + self.wanted_count + len(self.unknown)


def verdict(today: Today, zone: ZoneInfo) -> str:
    """How things stand, in one sentence or two."""
    if today.is_paused:
        why = today.paused.get("all") or today.paused.get("clock", "")
        return f"Everything is paused: {_sentence(why)} Nothing is lost, and nothing is sent until you resume."
    parts = []
    if today.troubles:
        parts.append(f"{_many(len(today.troubles), 'problem stands', 'problems stand')}")
    if today.needs:
        parts.append(_many(today.needs, "thing waits for you", "things wait for you"))
    opening = f"{' and '.join(parts)}." if parts else "All is well."
    if today.mode == "rehearsal":
        opening += " This is a rehearsal: nothing leaves the machine."
    return f"{opening} {_outlook(today, zone)}".strip()


def _outlook(today: Today, zone: ZoneInfo) -> str:
    """ "3 posts today, weekly mail tomorrow 09:00." """
    said = [f"{one.total - one.done:,} letters are on their way" for one in today.sending]
    if posts := sum(count for name, count in today.sent_today.items() if name != "email"):
        said.append(_many(posts, "post today", "posts today"))
    ahead = [one for one in today.coming if not one.digest]
    if not posts and ahead and today.mode != "rehearsal":
        said.append(f"the next post {day(ahead[0].at, today.now, zone)} {ahead[0].at.astimezone(zone):%H:%M}")
    if today.next_mail:
        name, at = today.next_mail
        said.append(f"{name} mail {day(at, today.now, zone)} {at.astimezone(zone):%H:%M}")
    text = ", ".join(said)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def day(moment: datetime, now: datetime, zone: ZoneInfo) -> str:
    """today, tomorrow, yesterday, Friday, 4 December."""
    local, today = moment.astimezone(zone).date(), now.astimezone(zone).date()
    away = (local - today).days
    near = {-1: "yesterday", 0: "today", 1: "tomorrow"}.get(away)
    if near:
        return near
    if 0 < away < 7:
        return f"{local:%A}"
    year = "" if local.year == today.year else f" {local.year}"
    return f"{local.day} {local:%B}{year}"


def ago(moment: datetime, now: datetime) -> str:
    """How long ago, as people say it."""
    minutes = max(timedelta(0), now - moment) // timedelta(minutes=1)
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{_many(minutes, 'minute', 'minutes')} ago"
    hours = minutes // 60
    return f"{_many(hours, 'hour', 'hours')} ago" if hours < 48 else f"{hours // 24} days ago"


def _many(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"


def _sentence(text: str) -> str:
    text = text.strip().rstrip(".")
    return f"{text}." if text else ""
