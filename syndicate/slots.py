"""The moments a calendar names: digest schedules and daily times, in the site's zone.

A local time that a clock change leaves out comes once, right after the gap; one that it repeats comes once, the first
time. So the calendar is walked in wall-clock time and each wall time is turned into one moment (APScheduler's
`from_crontab` numbers weekdays otherwise, and cron daemons differ in what they do on such nights).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from syndicate.config.schedule import cron

__all__ = ["cron", "last_daily", "last_slot", "next_daily", "next_slots"]

_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)


def next_slots(schedule: str, zone: ZoneInfo, after: datetime, count: int) -> list[datetime]:
    """The first `count` moments later than `after`, aware UTC, earliest first; none for "each".

    `schedule` as in the configuration; ValueError where it is not one.
    """
    expression = cron(schedule)
    if expression is None:
        return []
    from cronsim import CronSim

    return _following(CronSim(expression, _wall(after, zone)), zone, after, count)


def last_slot(schedule: str, zone: ZoneInfo, until: datetime) -> datetime | None:
    """The latest moment not later than `until`, aware UTC; None for "each"."""
    expression = cron(schedule)
    if expression is None:
        return None
    from cronsim import CronSim

    return _latest(CronSim(expression, _beyond(until, zone), reverse=True), zone, until)


def next_daily(times: Sequence[time], zone: ZoneInfo, after: datetime, count: int) -> list[datetime]:
    """The first `count` moments later than `after` at which one of the local `times` comes, aware UTC."""
    return _following(_days(sorted(times), _wall(after, zone), _DAY), zone, after, count)


def last_daily(times: Sequence[time], zone: ZoneInfo, until: datetime) -> datetime | None:
    """The latest moment not later than `until` at which one of the local `times` came, aware UTC."""
    return _latest(_days(sorted(times, reverse=True), _beyond(until, zone), -_DAY), zone, until)


def _days(times: Sequence[time], start: datetime, step: timedelta) -> Iterator[datetime]:
    """Wall times day by day; none ever when there are no times."""
    day = start.date()
    while times:
        yield from (datetime.combine(day, at) for at in times)
        day += step


def _following(walls: Iterable[datetime], zone: ZoneInfo, after: datetime, count: int) -> list[datetime]:
    return list(islice(_later(walls, zone, after), count))


def _later(walls: Iterable[datetime], zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """The moments of ascending wall times, each moment once."""
    for wall in walls:
        moment = _moment(wall, zone)
        if moment > after:
            yield moment
            after = moment


def _latest(walls: Iterable[datetime], zone: ZoneInfo, until: datetime) -> datetime | None:
    """The first moment of descending wall times that is not too late."""
    return next((moment for wall in walls if (moment := _moment(wall, zone)) <= until), None)


def _moment(wall: datetime, zone: ZoneInfo) -> datetime:
    """The one moment a wall time stands for: the first of two; the end of the gap where there is none."""
    while (moment := wall.replace(tzinfo=zone).astimezone(UTC)).astimezone(zone).replace(tzinfo=None, fold=0) != wall:
        wall += _MINUTE
    return moment


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _beyond(moment: datetime, zone: ZoneInfo) -> datetime:
    """A whole wall minute past every wall time whose moment is not later than `moment`.

    In the second of two repeated hours the wall clock has shown later times already.
    """
    local = moment.astimezone(zone)
    first, second = local.replace(fold=0).utcoffset(), local.replace(fold=1).utcoffset()
    assert first is not None
    assert second is not None
    repeated = max(first - second, timedelta(0)) if local.fold else timedelta(0)
    return _wall(moment, zone).replace(second=0, microsecond=0) + repeated + _MINUTE
