"""When the next announcement of a channel may go out, and which candidate it is. Pure; nothing is planned ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from syndicate.slots import last_daily, next_daily
from syndicate.worth import APART, Aired, Heard, Score, quoted, rate

NOTHING = timedelta(0)
UNAPPROVED = "approve: waits for a person's approval"
EDITED = "approve: its text was edited since a person approved it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """A channel's rules. Zero means no limit; `hours` (None = always) and `slots` are in `zone`."""

    zone: ZoneInfo
    slots: tuple[time, ...] = ()
    hours: tuple[time, time] | None = None
    min_gap: timedelta = NOTHING
    max_per_day: int = 0
    max_age: timedelta = NOTHING
    delay: timedelta = NOTHING
    approve: bool = False

    @property
    def unlimited(self) -> bool:
        return not (self.slots or self.hours or self.min_gap or self.max_per_day)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What the channel did lately: sent, on the wire and unknown alike. By hand counts too."""

    last: datetime | None = None  # newest of them
    last_slot: datetime | None = None  # newest slot that was filled
    today: int = 0  # since midnight in the channel's zone
    under_way: int = 0  # planned or claimed, not by hand
    authors: tuple[str, ...] = ()  # of the last few that went out
    titles: tuple[str, ...] = ()
    recent: tuple[Aired, ...] = ()  # went out, or is planned, close enough to rule out a near-twin


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An article that may be announced on this channel, as the ledger's waiting row knows it."""

    delivery: int
    article: str
    title: str
    released: datetime
    entered: datetime
    delay_from: datetime
    description: str = ""
    authors: tuple[str, ...] = ()
    has_image: bool = False
    approved: bool = False  # this very text, by a person, for this channel
    edited: bool = False  # since a person approved it
    missing: bool = False  # its file was not there in the last scan
    unwanted: str | None = None  # why this channel no longer takes it: front matter, not ready
    tried: bool = False  # by hand, or once on the wire: `retry_for` says how long, not `max_age`
    held: str | None = None  # the reason for it, as the ledger has it


class Choice(StrEnum):
    PLAN = "planned"
    WAIT = "waiting"
    EXPIRE = "expired"
    HOLD = "held"
    CANCEL = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of one candidate, and why."""

    candidate: Candidate
    choice: Choice
    reason: str
    planned_for: datetime | None = None
    again: datetime | None = None  # when time alone may change it


def score(candidate: Candidate, past: Past, rules: Pacing, now: datetime) -> Score:
    """Value a candidate beside what its channel did lately."""
    return rate(
        age=now - candidate.entered,
        span=rules.max_age or APART,
        has_image=candidate.has_image,
        title=candidate.title,
        description=candidate.description,
        authors=candidate.authors,
        late_authors=past.authors,
        late_titles=past.titles,
    )


def earliest(past: Past, rules: Pacing, now: datetime) -> datetime:
    """The first moment from `now` on at which `hours`, `min_gap` and `max_per_day` let something go out."""
    moment = now
    if rules.max_per_day and past.today >= rules.max_per_day:
        moment = _midnight(now, rules.zone, 1)
    if past.last and rules.min_gap:
        moment = max(moment, past.last + rules.min_gap)
    if rules.hours:
        moment = _opening(moment, rules.hours, rules.zone)
    return moment


def day_start(now: datetime, zone: ZoneInfo) -> datetime:
    """The last midnight in the zone."""
    return _midnight(now, zone, 0)


def _midnight(now: datetime, zone: ZoneInfo, days: int) -> datetime:
    local = now.astimezone(zone)
    day = (local + timedelta(days=days)).date()
    return datetime.combine(day, time(0), tzinfo=zone).astimezone(now.tzinfo)


def _opening(moment: datetime, hours: tuple[time, time], zone: ZoneInfo) -> datetime:
    start, end = hours
    local = moment.astimezone(zone)
    clock = local.time()
    open_now = start <= clock < end if start < end else (clock >= start or clock < end)
    if open_now or start == end:
        return moment
    days = 1 if start < end and clock >= end else 0
    day = (local + timedelta(days=days)).date()
    opening = datetime.combine(day, start, tzinfo=zone).astimezone(moment.tzinfo)
    if opening < moment:  # the clock was put back: this hour comes a second time today
        opening = datetime.combine(day, start.replace(fold=1), tzinfo=zone).astimezone(moment.tzinfo)
    return min(opening, next_daily((start,), zone, moment, 1)[0].astimezone(moment.tzinfo))  # or in spring's gap


def choose(waiting: Sequence[Candidate], past: Past, rules: Pacing, now: datetime) -> list[Decision]:
    """Decide about every candidate of one channel: the chosen first, then the others with why not now."""
    decisions: list[Decision] = []
    competing: list[Candidate] = []
    for candidate in waiting:
        if verdict := _rule_out(candidate, rules, now):
            decisions.append(verdict)
        else:
            competing.append(candidate)
    take = _all if rules.unlimited else _best
    return [*take(competing, past, rules, now), *decisions]


def _all(competing: Sequence[Candidate], past: Past, rules: Pacing, now: datetime) -> list[Decision]:
    """Everybody at once, oldest first; of near-twins the first."""
    heard = Heard(past.recent, now)
    chosen, echoes = [], []
    for candidate in sorted(competing, key=lambda one: (one.released, one.article)):
        if verdict := _echo(candidate, heard, rules):
            echoes.append(verdict)
        else:
            heard.add(Aired(title=candidate.title, moment=now))
            chosen.append(_plan(candidate, now, "no pacing: goes out at once"))
    return chosen + echoes


def _best(competing: Sequence[Candidate], past: Past, rules: Pacing, now: datetime) -> list[Decision]:
    """The one with the highest score, if its moment has come; the others are told who is ahead, and in what."""
    heard = Heard(past.recent, now)
    echoes = [verdict for candidate in competing if (verdict := _echo(candidate, heard, rules))]
    held_up = {one.candidate.delivery for one in echoes}
    rated = [(score(one, past, rules, now), one) for one in competing if one.delivery not in held_up]
    if not rated:
        return echoes
    rated.sort(key=lambda one: (-one[0].total, -one[1].released.timestamp(), one[1].article))
    (top, best), *others = rated
    moment, why = _moment(past, rules, now)
    if moment is None:
        first, then = _wait(best, f"{top}; {why}"), why
    else:
        ahead = f"; {_ahead(top, *others[0], len(others))}" if others else ""
        first = _plan(best, moment, f"{top}; {why}{ahead}")
        _, then = _moment(replace(past, last=now, last_slot=now, today=past.today + 1), rules, now)
    title = quoted(best.title)
    lost = [_wait(one, f"{own}; {title} is ahead {top.lead(own)}; {then}") for own, one in others]
    return [first, *lost, *echoes]


def _ahead(top: Score, second: Score, runner_up: Candidate, others: int) -> str:
    return f"ahead of {others} other{'s' if others > 1 else ''}, of {quoted(runner_up.title)} {top.lead(second)}"


def withdraw(placed: Sequence[Candidate], rules: Pacing, now: datetime) -> list[Decision]:
    """Decide what was planned and may not go out any more: not ready, edited since its approval, too old untried."""
    return [
        verdict for candidate in placed if (verdict := _over(candidate, rules, now) or _unapproved(candidate, rules))
    ]


def _over(candidate: Candidate, rules: Pacing, now: datetime) -> Decision | None:
    if candidate.unwanted:
        return Decision(candidate=candidate, choice=Choice.CANCEL, reason=candidate.unwanted)
    if rules.max_age and not candidate.tried and now - candidate.entered > rules.max_age:
        reason = f"max-age: waited longer than {span(rules.max_age)} for its turn"
        return Decision(candidate=candidate, choice=Choice.EXPIRE, reason=reason)
    return None


def _unapproved(candidate: Candidate, rules: Pacing) -> Decision | None:
    if not rules.approve or candidate.approved:
        return None
    reason = UNAPPROVED if not candidate.edited else EDITED
    return Decision(candidate=candidate, choice=Choice.HOLD, reason=reason)


def _rule_out(candidate: Candidate, rules: Pacing, now: datetime) -> Decision | None:
    if over := _over(candidate, rules, now):
        return over
    if candidate.missing:
        return Decision(candidate=candidate, choice=Choice.WAIT, reason="missing: the last scan did not find its file")
    if unapproved := _unapproved(candidate, rules):
        return unapproved
    ripe = candidate.delay_from + rules.delay
    if now < ripe:
        reason = f"delay: too young until {_when(ripe, rules.zone)}"
        return Decision(candidate=candidate, choice=Choice.WAIT, reason=reason, again=ripe)
    return None


def _echo(candidate: Candidate, heard: Heard, rules: Pacing) -> Decision | None:
    """A near-twin of what goes out around now waits until that is long enough ago."""
    if (twin := heard.twin(candidate.title)) is None:
        return None
    free = twin.moment + APART
    reason = (
        f"near-twin: of {quoted(twin.title)} of {_when(twin.moment, rules.zone)}, free again {_when(free, rules.zone)}"
    )
    return Decision(candidate=candidate, choice=Choice.WAIT, reason=reason, again=free)


def _moment(past: Past, rules: Pacing, now: datetime) -> tuple[datetime | None, str]:
    """The moment that may be filled now (None: not yet), and the sentence that says so."""
    if past.under_way:
        return None, "another announcement of this channel is under way"
    soonest = earliest(past, rules, now)
    if not rules.slots:
        if soonest <= now:
            return now, "hours, gap and day allow it"
        return None, f"next at {_when(soonest, rules.zone)}: {_limit(past, rules, now)}"
    slot = last_daily(rules.slots, rules.zone, now)
    filled = max((moment for moment in (past.last, past.last_slot) if moment), default=None)
    if slot is None or (filled is not None and filled >= slot):
        upcoming = next_daily(rules.slots, rules.zone, now, 1)[0]
        return None, f"next slot {_when(upcoming, rules.zone)}"
    if soonest > now:
        return None, f"next at {_when(soonest, rules.zone)}: {_limit(past, rules, now)}"
    return slot, f"slot {_when(slot, rules.zone)}"


def _limit(past: Past, rules: Pacing, now: datetime) -> str:
    if rules.max_per_day and past.today >= rules.max_per_day:
        return f"max-per-day: {past.today} of {rules.max_per_day} went out today"
    if past.last and rules.min_gap and past.last + rules.min_gap > now:
        return f"min-gap: {span(rules.min_gap)} after the last one"
    return "hours: closed now"


def _plan(candidate: Candidate, moment: datetime, reason: str) -> Decision:
    return Decision(candidate=candidate, choice=Choice.PLAN, reason=reason, planned_for=moment)


def _wait(candidate: Candidate, reason: str) -> Decision:
    return Decision(candidate=candidate, choice=Choice.WAIT, reason=reason)


def span(length: timedelta) -> str:
    """A duration as it is written in the configuration: "2d", "90m"."""
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _when(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%a %d %b %H:%M}"
