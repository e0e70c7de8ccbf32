"""What the text of a digest's `schedule` means. `slots` computes the moments."""

from __future__ import annotations

from syndicate.config.values import shown, time_of_day

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MEANT = 'write five fields as in crontab ("0 9 * * FRI"), "FRI 09:00", "daily 09:00" or "each"'


def cron(schedule: str) -> str | None:
    """The crontab(5) expression a schedule stands for; None for "each" (no calendar: an article as it comes).

    "FRI 09:00" is "0 9 * * 5" and "daily 09:00" is "0 9 * * *"; five fields stand for themselves (0 and 7 are Sunday).
    Raises ValueError with a sentence for the owner.
    """
    words = schedule.split()
    if words == ["each"]:
        return None
    if len(words) == 2:
        at = time_of_day(words[1])
        return f"{at.minute} {at.hour} * * {_weekday(words[0].lower())}"
    if len(words) != 5 or len(schedule) > 200:
        raise ValueError(f"{shown(schedule)} is not a schedule: {_MEANT}")
    expression = " ".join(words)
    _must_come(expression)
    return expression


def _weekday(word: str) -> str:
    if word == "daily":
        return "*"
    for number, name in enumerate(WEEKDAYS):
        if word in (name, name[:3]):
            return str(number)
    raise ValueError(f'{shown(word)} is not a weekday: write MON to SUN, or "daily 09:00"')


def _must_come(expression: str) -> None:
    from datetime import datetime

    from cronsim import CronSim, CronSimError

    try:
        next(CronSim(expression, datetime(2024, 1, 1)))  # noqa: DTZ001 - a day on the wall calendar, in no zone
    except StopIteration:
        raise ValueError(f"{shown(expression)} never comes: no month has such a day") from None
    except CronSimError as error:
        raise ValueError(f"{shown(expression)} is not a schedule ({str(error).lower()}): {_MEANT}") from None
