"""The forecast as the newsroom tells it: what comes, a line each, and why the others do not. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from syndicate.channels.linkedin import littletext
from syndicate.forecast import Row
from syndicate.store.letters import CHANNEL
from syndicate.web.today import Card, Coming, Others

AHEAD = timedelta(hours=24)
MOST = 12  # of what comes: a channel without limits has many
REASONS = 4

_WORDS = {
    "score": "others are better",
    "max-per-day": "the day is full",
    "max-age": "too old by then",
    "too-old": "too old by then",
    "approve": "wait for your approval",
    "delay": "too young still",
    "too-young": "too young still",
    "min-gap": "too soon after the last",
    "hours": "outside its hours",
    "front-matter": "their authors do not want it there",
    "not-ready": "the article is not ready",
    "not-live": "the page does not answer",
    "near-twin": "told of the same lately",
    "by-hand": "wait to be posted by hand",
    "paused": "it is paused",
    "missing": "the file is missing",
}


def coming(
    rows: Sequence[Row], now: datetime, ids: Mapping[tuple[str, str], int], digests: Sequence[str]
) -> list[Coming]:
    """What has its moment within the day, the next first; an edition's articles are one line."""
    editions: dict[tuple[str, datetime], list[Row]] = {}
    found: list[Coming] = []
    for row in rows:
        if row.planned_for is None or row.planned_for > now + AHEAD or row.state == "unknown":
            continue
        if row.channel == CHANNEL and (digest := _digest(row, digests)):
            editions.setdefault((digest, row.planned_for), []).append(row)
            continue
        found.append(
            Coming(
                at=row.planned_for, channel=row.channel, title=row.title, why=row.reason, article=row.article,
                digest="", delivery=ids.get((row.channel, row.article)),
            )
        )  # fmt: skip
    for (digest, moment), inside in editions.items():
        first, why = inside[0], inside[0].reason.rpartition(f"{digest}: ")[2]
        found.append(
            Coming(
                at=moment, channel=CHANNEL, title=first.title, why=why, article="", digest=digest, delivery=None,
                more=len(inside) - 1,
            )
        )  # fmt: skip
    return sorted(found, key=lambda one: (one.at, one.channel))[:MOST]


def _digest(row: Row, names: Sequence[str]) -> str:
    """The digest whose edition will hold an article: its reason names it, after the pauses it waits for."""
    return next((name for name in names if f"; {name}: " in f"; {row.reason}"), "")


def others(rows: Sequence[Row], now: datetime) -> list[Others]:
    """How many do not go to each public channel within the day, grouped by why."""
    counted: dict[str, Counter[str]] = {}
    for row in rows:
        late = row.planned_for is None or row.planned_for > now + AHEAD
        if late and row.channel != CHANNEL and row.state != "unknown":
            counted.setdefault(row.channel, Counter())[_why(row.reason)] += 1
    return [
        Others(channel=name, count=reasons.total(), reasons=reasons.most_common(REASONS))
        for name, reasons in counted.items()
    ]


def _why(reason: str) -> str:
    """The code that a reason begins with, as people say it."""
    code, colon, _ = reason.partition(":")
    if colon and " " not in code:
        return _WORDS.get(code, code.replace("-", " "))
    return reason.partition(";")[0].partition(",")[0][:80] or "no reason was told"


def card(payload: Mapping[str, Any]) -> Card | None:
    """A LinkedIn post's words and card; None for what is none."""
    try:
        body = json.loads(payload["body"])
        words, told = littletext.decode(body["commentary"]), body["content"]["article"]
    except (KeyError, TypeError, ValueError):
        return None
    picture = payload.get("picture") or {}
    size = f"{picture['width']} × {picture['height']}" if "width" in picture else ""
    return Card(
        words=words,
        title=told.get("title", ""),
        host=_host(told.get("source", "")),
        description=told.get("description", ""),
        picture=f"picture {size}".strip() if picture.get("url") else "no picture",
    )


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""
