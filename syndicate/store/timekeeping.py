"""Stops everything while the clock cannot be believed: one that jumps would expire, repeat and date things wrongly.

The process's own clock runs on as before (see `clock`); the pause is for a person, who says which time is right.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select

from syndicate.clock import Clock
from syndicate.logs import get
from syndicate.store import pauses
from syndicate.store.database import Store
from syndicate.store.schema import channels, deliveries, settings

LAG = timedelta(days=1)  # further than this behind what was sent already no clock can be
_ASKED = "clock-asked"

log = get(__name__)


class Timekeeper:
    """Watches one clock; `look` is called every few seconds."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._told = timedelta(0)  # the jump that stands paused

    def start(self) -> None:
        """Pause where the clock is behind what this ledger has seen; one that a person shifted may be. Once a case."""
        newest = self._store.read_now(newest_sent)
        if newest is not None and newest - self._clock.now() > LAG and not self._clock.pretends:
            self._store.write_now(_ask, newest, self._clock.now())

    def look(self) -> None:
        """Pause when the clock jumped; go by it once a person resumed; go on by ourselves when it is back."""
        moved = self._clock.jumped()
        if not moved:
            if self._told:
                self._store.write_now(pauses.heal, pauses.CLOCK)
                log.info("the clock is right again")
        elif not _is_as_told(moved, self._told):
            log.error("the clock jumped", by=str(moved))
            self._store.write_now(pauses.by_fault, pauses.CLOCK, _sentence(moved), self._clock.now(), rest=None)
        elif not self._store.read_now(pauses.stands, pauses.CLOCK):
            self._clock.accept()
            moved = timedelta(0)
        self._told = moved


def _is_as_told(moved: timedelta, told: timedelta) -> bool:
    return bool(told) and abs(moved - told) < timedelta(minutes=1)


def _sentence(moved: timedelta) -> str:
    how = "ahead" if moved > timedelta(0) else "back"
    return (
        f"the clock was set {how} by {_span(abs(moved))} while the program ran; nothing is planned or sent. Set it"
        " right, and it goes on by itself; if the new time is right, say `syndicate resume`"
    )


def _span(length: timedelta) -> str:
    if length >= timedelta(days=2):
        return f"{length.days:,} days"
    return f"{length / timedelta(hours=1):.1f} hours" if length >= timedelta(hours=2) else f"{length.seconds // 60} min"


def newest_sent(connection: Connection) -> datetime | None:
    """When the last live delivery went out."""
    d = deliveries.c
    last = select(func.max(d.sent_at)).where(d.channel == channels.c.name, d.live).scalar_subquery()
    return max((moment for moment in connection.scalars(select(last).select_from(channels)) if moment), default=None)


def _ask(connection: Connection, newest: datetime, now: datetime) -> None:
    """A person who was asked about this very moment and resumed has answered for good."""
    known = connection.scalar(select(settings.c.value).where(settings.c.key == _ASKED))
    if known == newest.isoformat():
        return
    connection.execute(delete(settings).where(settings.c.key == _ASKED))
    connection.execute(settings.insert().values(key=_ASKED, value=newest.isoformat()))
    reason = (
        f"it is {now:%Y-%m-%d %H:%M} UTC by the clock, but something was sent on {newest:%Y-%m-%d %H:%M} already;"
        " nothing is planned or sent. Set the clock right, then say `syndicate resume`"
    )
    pauses.by_fault(connection, pauses.CLOCK, reason, now, rest=None)
