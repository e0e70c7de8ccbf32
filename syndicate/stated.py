"""Dates as files state them: "5 March 2024", "2024-03-05 14:00 +0100", "Tue, 05 Mar 2024 13:00:00 GMT".

Owns the spellings. Never mends a date, never guesses between day and month, never asks what time it is.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("jan", "january"),
            ("feb", "february"),
            ("mar", "march"),
            ("apr", "april"),
            ("may",),
            ("jun", "june"),
            ("jul", "july"),
            ("aug", "august"),
            ("sep", "sept", "september"),
            ("oct", "october"),
            ("nov", "november"),
            ("dec", "december"),
        ),
        1,
    )
    for name in names
}
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_MONTH = r"(?P<month>[A-Za-z]{3,9})\.?"
_YEAR = r"(?P<year>\d{4})"
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}\.?,?\s+)?"
_CLOCK = (
    r"(?:(?:T|,?\s+(?:at\s+)?)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?:\s*(?P<half>[ap])\.?m\.?)?)?"
)
_ZONE = (
    r"(?:\s*(?P<zone>[A-Za-z]{1,5})?\s*(?P<sign>[+-])?(?P<offset>(?<=[+-])\d{1,2}(?::?\d{2})?)?"
    r"(?:\s*\([^()]{1,60}\))?)?"
)
_SPELLINGS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_YEAR}-(?P<month>\d{{1,2}})-{_DAY}{_CLOCK}{_ZONE}",  # ISO 8601, RFC 3339 and their sloppy kin
        rf"{_YEAR}[/.](?P<month>\d{{1,2}})[/.]{_DAY}{_CLOCK}{_ZONE}",
        r"(?P<year>(?:19|20)\d{2})(?P<month>\d{2})(?P<day>\d{2})",
        rf"{_WEEKDAY}{_DAY}[\s-]+(?:of\s+)?{_MONTH}[\s,-]+{_YEAR}{_CLOCK}{_ZONE}",  # RFC 5322 section 3.3
        rf"{_WEEKDAY}{_MONTH}\s+{_DAY},?\s+{_YEAR}{_CLOCK}{_ZONE}",
        rf"(?P<day>\d{{1,2}})\.\s?(?P<month>\d{{1,2}})\.\s?{_YEAR}{_CLOCK}{_ZONE}",
        rf"(?P<first>\d{{1,2}})[/-](?P<other>\d{{1,2}})[/-]{_YEAR}{_CLOCK}{_ZONE}",
    )
)
_PLAIN_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EPOCH = re.compile(r"\d{10}(?:\d{3})?")
_HOURS = {
    "z": 0, "utc": 0, "gmt": 0, "ut": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6,
    "pst": -8, "pdt": -7, "cet": 1, "cest": 2, "eet": 2, "eest": 3, "jst": 9,
}  # fmt: skip  # RFC 5322 section 4.3, and those that mean one thing only
_IN_PATH = re.compile(r"(?:^|/)(\d{4})([-/])(\d{2})\2(\d{2})(?=$|[-_/. T])")


def when(text: str, zone: tzinfo) -> str | None:
    """A day as "YYYY-MM-DD", a moment as ISO 8601 with its zone (`zone` where none is stated); None if unreadable."""
    text = text.strip()
    if len(text) > 100:
        return None
    if _PLAIN_DAY.fullmatch(text):  # as most are
        with suppress(ValueError):
            return date.fromisoformat(text).isoformat()
    try:
        if _EPOCH.fullmatch(text):
            seconds = int(text) / (1000 if len(text) == 13 else 1)
            return _written(datetime.fromtimestamp(seconds, UTC))
        for spelling in _SPELLINGS:
            if match := spelling.fullmatch(text):
                return _read(match.groupdict(), zone)
    except (ValueError, OverflowError):
        return None
    return None


def in_path(path: str) -> str | None:
    """The day that a path states: "2024-01-02-name.md", "2024/01/02/name"."""
    for match in reversed(list(_IN_PATH.finditer(path))):
        try:
            return date(int(match[1]), int(match[3]), int(match[4])).isoformat()
        except ValueError:
            continue
    return None


def _read(part: dict[str, str | None], zone: tzinfo) -> str:
    day = date(int(part["year"] or 0), *_month_and_day(part))
    if part.get("hour") is None:
        if part.get("zone") or part.get("sign"):
            raise ValueError("a zone without a time")
        return day.isoformat()
    hour = int(part["hour"] or 0)
    if part["half"]:
        if not 1 <= hour <= 12:
            raise ValueError("an hour that no clock shows")
        hour = hour % 12 + (12 if part["half"].lower() == "p" else 0)
    fraction = int((part["fraction"] or "0").ljust(6, "0")[:6])
    moment = datetime.combine(day, time(hour, int(part["minute"] or 0), int(part["second"] or 0), fraction))
    return _written(moment.replace(tzinfo=_zone(part, zone)))


def _month_and_day(part: dict[str, str | None]) -> tuple[int, int]:
    if part.get("first"):  # 3/4/2024 is April in one country and March in another
        first, other = int(part["first"] or 0), int(part["other"] or 0)
        if first <= 12 and other <= 12 and first != other:
            raise ValueError("day or month")
        return (first, other) if other > 12 else (other, first)
    month = part["month"] or ""
    return int(month) if month.isdigit() else _MONTHS.get(month.lower(), 0), int(part["day"] or 0)


def _zone(part: dict[str, str | None], default: tzinfo) -> tzinfo:
    name = (part.get("zone") or "").lower()
    if name and name not in _HOURS:
        raise ValueError("an unknown zone")
    if part.get("sign"):
        digits = (part["offset"] or "").replace(":", "")
        if not digits:
            raise ValueError("a sign without an offset")
        hours, minutes = int(digits[:2]), int(digits[2:] or 0)
        if len(digits) == 3:
            hours, minutes = int(digits[0]), int(digits[1:])
        offset = timedelta(hours=hours, minutes=minutes)
        return timezone(offset if part["sign"] == "+" else -offset)
    return timezone(timedelta(hours=_HOURS[name])) if name else default


def _written(moment: datetime) -> str:
    whole = moment.microsecond % 1000 == 0
    return moment.isoformat(timespec="milliseconds" if whole and moment.microsecond else "auto")
