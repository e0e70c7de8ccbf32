"""What will go out when, and what will not and why: the planner asked about the days ahead. Stores nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from syndicate import pacing, single
from syndicate.article import Article
from syndicate.config import DigestSettings, EmailSettings, Settings
from syndicate.edition import Filling
from syndicate.pacing import Candidate, Choice, Pacing, Past
from syndicate.press import is_each
from syndicate.slots import last_slot, next_daily, next_slots
from syndicate.store import articles, editions, holding, ledger, letters, pauses
from syndicate.worth import Aired


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One candidate on one channel."""

    article: str
    title: str
    channel: str
    state: str
    planned_for: datetime | None
    reason: str

    def as_json(self) -> dict[str, Any]:
        return {
            "article": self.article, "title": self.title, "channel": self.channel, "state": self.state,
            "planned_for": self.planned_for, "reason": self.reason,
        }  # fmt: skip


def forecast(
    connection: Connection, settings: Settings, rules: dict[str, Pacing], now: datetime, days: int
) -> list[Row]:
    """Every candidate of every channel with its moment, or with why it has none before the days are over."""
    until = now + timedelta(days=days)
    standing = pauses.quotas(connection, now) | pauses.standing(connection)
    rows: list[Row] = []
    for channel, pace in rules.items():
        rows += _paused(_under_way(connection, channel), standing, channel)
        rows += _paused(_public(connection, channel, pace, now, until), standing, channel)
    if settings.email:
        rows += _paused(_under_way(connection, letters.CHANNEL), standing, letters.CHANNEL)
        for digest in settings.digests:
            found = [*_waiting(connection, digest), *_singles(connection, settings, digest, now)]
            found += _digest(connection, settings.email, digest, settings.site.zone, now)
            rows += _paused(found, standing, letters.CHANNEL, f"digest:{digest.name}")
    return rows


def _paused(rows: Iterable[Row], standing: dict[str, str], *keys: str) -> Iterator[Row]:
    """The same rows, each with the pauses it waits for as well."""
    because = "; ".join(
        f"paused: {standing[key]}" for key in (pauses.EVERYTHING, pauses.CLOCK, *keys) if key in standing
    )
    for row in rows:
        yield replace(row, reason=f"{because}; {row.reason}") if because else row


def _under_way(connection: Connection, channel: str) -> Iterator[Row]:
    for one in ledger.under_way(connection, channel):
        yield Row(
            article=one.subject, title=one.title, channel=channel, state=one.state, planned_for=one.planned_for,
            reason="; ".join(said for said in (one.reason, "by hand" if one.by_hand else one.why) if said) or one.state,
        )  # fmt: skip


def _public(connection: Connection, channel: str, pace: Pacing, now: datetime, until: datetime) -> list[Row]:
    waiting = ledger.candidates(connection, channel)
    past = ledger.past(connection, channel, pacing.day_start(now, pace.zone))
    past = replace(past, recent=ledger.recent(connection, channel, now))
    chosen: list[Row] = []
    others: dict[int, tuple[Candidate, str, str]] = {}
    if past.under_way:  # it goes out first
        past = replace(past, last=now, last_slot=now, today=past.today + 1, under_way=0)
    moment: datetime | None = now
    while waiting and moment is not None and moment <= until:
        left, before, again = [], len(chosen), list[datetime]()
        for decision in pacing.choose(waiting, past, pace, moment):
            candidate = decision.candidate
            if decision.choice is Choice.PLAN:
                chosen.append(_row(candidate, channel, "planned", decision.planned_for, decision.reason))
                past = _after(past, candidate, moment, pace)
            else:
                reason = decision.reason
                if decision.choice is Choice.EXPIRE and candidate.delivery in others:
                    reason = f"{others[candidate.delivery][2]}; then {reason}"  # what it waited for in vain
                others[candidate.delivery] = (candidate, decision.choice.value, reason)
                if decision.choice is not Choice.EXPIRE and decision.choice is not Choice.CANCEL:
                    left.append(candidate)
                    again += [decision.again] if decision.again else []
        waiting = left
        later = _next(moment, past, pace, min(again, default=None), stuck=len(chosen) == before)
        if later and pacing.day_start(later, pace.zone) > pacing.day_start(moment, pace.zone):
            past = replace(past, today=0)
        moment = later
    planned = {row.article for row in chosen}
    rest = [_row(c, channel, state, None, reason) for c, state, reason in others.values() if c.article not in planned]
    return chosen + rest


def _row(candidate: Candidate, channel: str, state: str, moment: datetime | None, reason: str) -> Row:
    return Row(
        article=candidate.article,
        title=candidate.title,
        channel=channel,
        state=state,
        planned_for=moment,
        reason=reason,
    )


def _after(past: Past, sent: Candidate, moment: datetime, pace: Pacing) -> Past:
    return replace(
        past, last=moment, last_slot=moment, today=past.today + 1,
        authors=(*sent.authors, *past.authors)[:3], titles=(sent.title, *past.titles)[:10],
        recent=(*past.recent, Aired(title=sent.title, moment=moment)),
    )  # fmt: skip


def _next(moment: datetime, past: Past, pace: Pacing, ripe: datetime | None, *, stuck: bool) -> datetime | None:
    """The next moment at which something may go out; None where only a person could change anything.

    `ripe`: when the first of those that time holds up is free; `stuck`: nobody was chosen at `moment`.
    """
    allowed = pacing.earliest(past, pace, moment)
    if pace.slots:  # one that has come may be filled late: when the other limits allow it, or somebody is old enough
        slot = next_daily(pace.slots, pace.zone, moment, 1)[0]
        return min(at for at in (slot, allowed, ripe) if at and at > moment)
    if stuck and allowed <= moment:
        return ripe
    return max(allowed, moment + timedelta(minutes=1))


def _next_slots(connection: Connection, digest: DigestSettings, zone: ZoneInfo, now: datetime) -> list[datetime]:
    """The slot that has come and is not done, if there is one, and the next: before it its edition may be held."""
    come = last_slot(digest.schedule, zone, now)
    if come and (now - come > digest.late_limit or editions.slot_done(connection, digest.name, come)):
        come = None
    ahead = [
        slot
        for slot in next_slots(digest.schedule, zone, now, 2)
        if not editions.slot_done(connection, digest.name, slot)
    ]
    return [*([come] if come else []), *ahead[:1]]


def _digest(
    connection: Connection, email: EmailSettings, digest: DigestSettings, zone: ZoneInfo, now: datetime
) -> Iterator[Row]:
    """What the next edition would hold if its slot came with what is there now."""
    least = max(1, digest.min_articles)
    covered: set[str] = set()
    slots = _next_slots(connection, digest, zone, now)
    for slot in slots:
        window = editions.candidates(connection, digest.name, email.live, slot, now)
        window = [one for one in window if one.id not in covered]
        found = editions.choose(connection, digest, window, slot, live=email.live)
        few = len(found.cards) < least
        if few and slot != slots[-1]:  # it leaves them to the next
            continue
        covered |= {one.id for one in window}
        yield from _of_edition(digest.name, slot, window, found, least if few else 0)


def _waiting(connection: Connection, digest: DigestSettings) -> Iterator[Row]:
    """What stands in editions without letters: those that wait for approval, and approved ones."""
    for one in holding.waiting(connection, digest.name):
        for article in articles.many(connection, list(one.texts)):
            yield Row(
                article=article.id, title=article.title, channel=letters.CHANNEL, state=one.state,
                planned_for=one.due_at or one.slot, reason=f"{one.slug}: {one.reason}",
            )  # fmt: skip


def _singles(connection: Connection, settings: Settings, digest: DigestSettings, now: datetime) -> Iterator[Row]:
    """What is owed a letter of its own; what is too young for it yet is among them."""
    if not is_each(digest) or settings.email is None:
        return
    for one in editions.singles(
        connection, digest.name, settings.email.live, now, delay=timedelta(0), late_limit=digest.late_limit
    ):
        late = single.is_late(one, digest, now)
        moment = max((one.entered or now) + settings.review.delay, now)
        reason = single.too_late(digest) if late else "a letter of its own"
        yield Row(
            article=one.id, title=one.title, channel=letters.CHANNEL, state="expired" if late else "planned",
            planned_for=None if late else moment, reason=f"{digest.name}: {reason}",
        )  # fmt: skip


def _of_edition(digest: str, slot: datetime, window: list[Article], found: Filling, least: int) -> Iterator[Row]:
    """`least`: as many as would have to be in it and are not; 0 where there are enough."""
    inside = {one.id for one in found.ranked} if not least else set()
    few = f"skipped unless more come, {least} are the least; " if least else ""
    for one in window:
        if one.id in found.scores:
            planned = one.id in inside
            yield Row(
                article=one.id, title=one.title, channel=letters.CHANNEL, state="planned" if planned else "waiting",
                planned_for=slot if planned else None, reason=f"{digest}: {few}{found.why(one)}",
            )  # fmt: skip
