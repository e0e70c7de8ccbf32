"""Health from the ledger: counts, what is paused, what is overdue, and each problem with what mends it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from syndicate.config import Settings
from syndicate.store import articles, checks, deliveries, editions, feedstates, highwater, letters, pauses, subscribers

DARK = timedelta(hours=2)  # a page that has not answered so long is a problem
OVERDUE = 900  # seconds after which something due is a problem


def status(connection: Connection, settings: Settings, now: datetime) -> dict[str, Any]:
    """The contract's object: counts, what is paused, how long something waits that is due, and the problems."""
    oldest = deliveries.oldest_due(connection, now)
    standing = pauses.standing(connection)
    paused = {key.removeprefix("digest:"): why for key, why in standing.items() if not key.startswith(pauses.NOT_MADE)}
    overdue = max(0, round((now - oldest).total_seconds())) if oldest else 0
    return {
        "articles": articles.counts(connection),
        "deliveries": deliveries.counts(connection),
        "letters": letters.counts(connection),
        "subscribers": subscribers.counts(connection),
        "editions": editions.count(connection),
        "paused": paused,
        "oldest_due_seconds": overdue if oldest else None,
        "rehearsal": {name: not live for name, live in settings.channels.items()},
        "problems": list(_problems(connection, paused, overdue, now)),
    }


def _problems(connection: Connection, paused: Mapping[str, str], overdue: int, now: datetime) -> Iterator[str]:
    yield from articles.outages(connection).values()
    yield from feedstates.lags(connection, now)
    count, page = checks.dead_pages(connection, now - DARK)
    if count:
        yield (
            f"review.check_url: {count} pages have not answered for two hours, such as {page}: is"
            " sources.article_url right, and the site deployed? `syndicate approve` releases an article all the same"
        )
    faults = set(pauses.faults(connection))
    held = articles.held_by(connection, "max-new")
    if held:
        yield f"review.max_new: {len(held)} articles came at once and are held: `syndicate approve --rule max-new`"
    for key, reason in pauses.standing(connection).items():
        if key.startswith(pauses.NOT_MADE):
            yield f"digests.{key.removeprefix(pauses.NOT_MADE)}: its edition cannot be made: {reason}"
        elif key in faults:
            yield f"{key}: paused by a fault: {reason}; `syndicate resume {key}` tries at once"
        elif reason.startswith(highwater.BEHIND):
            yield reason
    unknown = {name: n for name, states in deliveries.counts(connection).items() if (n := states.get("unknown"))}
    for name, count in unknown.items():
        mend = "`syndicate deliveries --state unknown` lists them, `deliveries resolve ID` settles one"
        yield f"{name}: {count} deliveries are unknown: {mend}"
    if overdue > OVERDUE and not paused:
        yield f"something is due since {overdue // 60} minutes: is `syndicate run` running?"


def as_text(found: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    """The status for people."""
    for name, is_live in settings.channels.items():
        how = _how(name, settings) if is_live else "rehearsal: nothing leaves the machine"
        yield f"{name:<14}{how}{_paused(found, name)}"
    yield f"{'articles':<14}{_counts(found['articles'])}"
    for name, states in found["deliveries"].items():
        yield f"{name + ' owed':<14}{_counts(states)}"
    if found["letters"]:
        yield f"{'letters':<14}{_counts(found['letters'])}"
    yield f"{'people':<14}{_counts(found['subscribers'])}"
    yield f"{'editions':<14}{found['editions']}"
    if any(states.get("held") for states in found["deliveries"].values()):
        yield "for you       `syndicate deliveries --state held` lists what waits for your hand"
    if "all" in found["paused"]:
        yield f"paused        everything: {found['paused']['all']}"
    for problem in found["problems"]:
        yield f"PROBLEM       {problem}"
    if not found["problems"] and not found["paused"]:
        yield "All is well."


def _how(name: str, settings: Settings) -> str:
    linkedin = settings.linkedin
    if name == "linkedin" and linkedin and not (linkedin.access_token or linkedin.client_id):
        return "by hand: no linkedin.access_token, so due posts wait for you to post them"
    return "live"


def _paused(found: Mapping[str, Any], name: str) -> str:
    return f", paused: {found['paused'][name]}" if name in found["paused"] else ""


def _counts(states: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none"
