"""What the text of a digest's `schedule` means. `slots` computes the moments."""

from __future__ import annotations

import re

from syndicate.config.values import shown, time_of_day

WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


def cron(schedule: str) -> str | None:
    """The crontab(5) expression a schedule stands for; None for "each" (no calendar: an article as it comes).

    "FRI 09:00" is "0 9 * * 5" and "daily 09:00" is "0 9 * * *"; five fields stand for themselves (0 and 7 are Sunday).
    Raises ValueError with a sentence for the owner.
    """
    words = schedule.split()
    if words == ["each"]:
        return None
    if len(words) == 2 and ":" in words[1]:
        at = time_of_day(words[1])
        return f"{at.minute} {at.hour} * * {_weekday(words[0])}"
    expression = " ".join(words)
    _check(schedule, expression)
    return expression


def _weekday(word: str) -> str:
    if word.lower() in ("daily", "every"):
        return "*"
    if word[:3].upper() in WEEKDAYS and re.fullmatch(r"[A-Za-z]{3}|[A-Za-z]+day", word):
        return str(WEEKDAYS.index(word[:3].upper()))
    raise ValueError(f'{shown(word)} is not a weekday: write MON to SUN, or "daily 09:00"')


def _check(schedule: str, expression: str) -> None:
    from datetime import UTC, datetime

    from cronsim import CronSim, CronSimError

    meant = 'write five fields as in crontab ("0 9 * * FRI"), "FRI 09:00", "daily 09:00" or "each"'
    if len(expression.split()) != 5:
        raise ValueError(f"{shown(schedule)} is not a schedule: {meant}")
    try:
        next(CronSim(expression, datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise ValueError(f"{shown(schedule)} is not a schedule ({str(error).lower()}): {meant}") from None
    except StopIteration:
        raise ValueError(f"{shown(schedule)} never comes: no month has such a day") from None
