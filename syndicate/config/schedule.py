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


def in_words(schedule: str) -> str:
    """When a digest comes, for a reader: "every Friday at 09:00"; "" for a calendar that is no short sentence."""
    expression = cron(schedule)
    if expression is None:
        return "every article as it appears"
    minute, hour, day, month, weekday = expression.split()
    if not (minute.isdecimal() and hour.isdecimal() and month == "*"):
        return ""
    at = f"at {int(hour):02}:{int(minute):02}"
    if weekday == "*":
        if day == "*":
            return f"every day {at}"
        return f"on day {int(day)} of each month {at}" if day.isdecimal() else ""
    names = [_named(one) for one in weekday.replace(",", "-").split("-")]
    if day != "*" or not all(names) or (len(names) > 2 and "-" in weekday):
        return ""
    if "-" in weekday:
        return f"{names[0]} to {names[1]} {at}"
    names = list(dict.fromkeys(names))
    return f"every {' and '.join([', '.join(names[:-1]), names[-1]] if names[1:] else names)} {at}"


def _named(weekday: str) -> str:
    """Friday for 5 and FRI; "" for anything else."""
    number = int(weekday) % 7 if weekday.isdecimal() and len(weekday) == 1 and weekday <= "7" else None
    for at, word in enumerate(WEEKDAYS):
        if number == at or (number is None and weekday.lower() == word[:3]):
            return word.capitalize()
    return ""
