"""What will go out when, and what will not and why: the planner asked about the days ahead. Stores nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from syndicate import pacing
from syndicate.config import DigestSettings, Settings
from syndicate.edition import fill
from syndicate.pacing import Candidate, Choice, Pacing, Past
from syndicate.slots import last_slot, next_daily, next_slots
from syndicate.store import deliveries, editions, ledger, letters, pauses


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
    rows: list[Row] = []
    for channel, pace in rules.items():
        rows += _under_way(connection, channel)
        rows += _public(connection, channel, pace, now, until)
    for digest in settings.digests if settings.email else ():
        rows += _digest(connection, settings, digest, now)
    standing = pauses.standing(connection)
    return [_paused(row, standing) for row in rows]


def _paused(row: Row, standing: dict[str, str]) -> Row:
    because = standing.get(pauses.EVERYTHING) or standing.get(row.channel)
    return replace(row, reason=f"paused: {because}; {row.reason}") if because else row


def _under_way(connection: Connection, channel: str) -> Iterator[Row]:
    for state in ("planned", "claimed", "unknown"):
        for one in deliveries.listing(connection, state, channel):
            yield Row(
                article=one["subject"], title=one["title"], channel=channel, state=state,
                planned_for=one["planned_for"], reason=one["error"] or state,
            )  # fmt: skip


def _public(connection: Connection, channel: str, pace: Pacing, now: datetime, until: datetime) -> list[Row]:
    waiting = ledger.candidates(connection, channel)
    past = ledger.past(connection, channel, pacing.day_start(now, pace.zone))
    chosen: list[Row] = []
    others: dict[int, tuple[Candidate, str, str]] = {}
    if past.under_way:  # it goes out first
        past = replace(past, last=now, last_slot=now, today=past.today + 1, under_way=0)
    moment: datetime | None = now
    while waiting and moment is not None and moment <= until:
        left, before = [], len(chosen)
        for decision in pacing.choose(waiting, past, pace, moment):
            candidate = decision.candidate
            if decision.choice is Choice.PLAN:
                chosen.append(_row(candidate, channel, "planned", decision.planned_for, decision.reason))
                past = _after(past, candidate, moment, pace)
            else:
                others[candidate.delivery] = (candidate, decision.choice.value, decision.reason)
                if decision.choice is not Choice.EXPIRE and decision.choice is not Choice.CANCEL:
                    left.append(candidate)
        waiting = left
        later = _next(moment, past, pace, waiting, stuck=len(chosen) == before)
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
    )  # fmt: skip


def _next(moment: datetime, past: Past, pace: Pacing, waiting: list[Candidate], *, stuck: bool) -> datetime | None:
    """The next moment at which something may go out; None where only a person could change anything.

    `stuck`: nobody was chosen at `moment`.
    """
    ripe = min((at for one in waiting if (at := one.delay_from + pace.delay) > moment), default=None)
    allowed = pacing.earliest(past, pace, moment)
    if pace.slots:  # one that has come may be filled late: when the other limits allow it, or somebody is old enough
        slot = next_daily(pace.slots, pace.zone, moment, 1)[0]
        return min(at for at in (slot, allowed, ripe) if at and at > moment)
    if stuck and allowed <= moment:
        return ripe
    return max(allowed, moment + timedelta(minutes=1))


def _next_slot(connection: Connection, settings: Settings, digest: DigestSettings, now: datetime) -> datetime | None:
    """The slot that has come and is not done, else the next one."""
    zone = settings.site.zone
    come = last_slot(digest.schedule, zone, now)
    if come and now - come <= digest.late_limit and not editions.slot_done(connection, digest.name, come):
        return come
    return next(iter(next_slots(digest.schedule, zone, now, 1)), None)


def _digest(connection: Connection, settings: Settings, digest: DigestSettings, now: datetime) -> Iterator[Row]:
    """What the next edition would hold if its slot came with what is there now."""
    email = settings.email
    slot = _next_slot(connection, settings, digest, now)
    if email is None or slot is None:
        return
    wanted = editions.candidates(connection, digest.name, email.live, slot, now)
    filling = fill(
        wanted, editions.used(connection, digest.name), cards=digest.max_articles, headlines=digest.headlines
    )
    places = {one.id: "card" for one in filling.cards} | {one.id: "headline" for one in filling.headlines}
    for one in wanted:
        place = places.get(one.id)
        yield Row(
            article=one.id, title=one.title, channel=letters.CHANNEL, state="planned" if place else "waiting",
            planned_for=slot if place else None,
            reason=f"{digest.name}: {place}" if place else f"{digest.name}: covered, only counted",
        )  # fmt: skip
