"""Health from the ledger: counts, what is paused, what is overdue, and each problem with what mends it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from syndicate.alert import Failure, Problem
from syndicate.config import PacedSettings, Settings
from syndicate.fetch import origin
from syndicate.publish import why_waiting
from syndicate.store import (
    adopted,
    alerts,
    articles,
    checks,
    confirmations,
    deliveries,
    editions,
    feedstates,
    highwater,
    holding,
    hubs,
    letters,
    limits,
    mailings,
    pauses,
    subscribers,
    tokens,
    vitals,
)

DARK = timedelta(hours=2)  # a page that has not answered so long is a problem
OVERDUE = timedelta(minutes=15)  # after which something due is a problem
SILENT = timedelta(minutes=2)  # without a lease, after which a process is missed
QUIET = timedelta(days=3)  # without a post although there was something to post
DYING = (14, 7, 3, 1, 0)  # days before a login ends, when its owner is told
STUBBORN = 5  # pings in a row that a hub did not take, after which that is a problem
FAILING = 3  # failures of a loop in a row that are a problem
RECENT = timedelta(days=14)  # an edition older than that is nobody's care any more


def status(connection: Connection, settings: Settings, now: datetime, remarks: Sequence[str] = ()) -> dict[str, Any]:
    """The contract's object: counts, what is paused, how long something waits that is due, and the problems.

    `remarks` are what should be known although all is well; they are its `notes`. `logins` are the days that each has
    left, where that is known; `progress` is how far each mailing is that is under way.
    """
    ends = login_ends(connection, settings)
    return {
        **counts(connection, now),
        "progress": [asdict(one) for one in mailings.progress(connection, now).values()],
        "rehearsal": {name: not live for name, live in settings.channels.items()},
        "logins": {"linkedin": max(0, (ends - now).days)} if ends else {},
        "problems": list(dict.fromkeys(problem.text for problem in problems(connection, settings, now))),
        "notes": [*remarks, *(f"{channel}: {why}" for channel, why in pauses.quotas(connection, now).items())],
    }


def counts(connection: Connection, now: datetime) -> dict[str, Any]:
    """The part of the status that is counted, without a judgement."""
    standing = pauses.standing(connection)
    paused = {key.removeprefix("digest:"): why for key, why in standing.items() if not key.startswith(pauses.NOT_MADE)}
    return {
        "articles": articles.counts(connection),
        "deliveries": deliveries.counts(connection),
        "letters": letters.counts(connection),
        "subscribers": subscribers.counts(connection),
        "editions": editions.count(connection),
        "paused": paused,
        "oldest_due_seconds": oldest_due_seconds(connection, now),
    }


def oldest_due_seconds(connection: Connection, now: datetime) -> int | None:
    """How long the oldest thing that is due waits; None where nothing is."""
    oldest = deliveries.oldest_due(connection, now)
    return max(0, round((now - oldest).total_seconds())) if oldest else None


def problems(connection: Connection, settings: Settings, now: datetime) -> list[Problem]:
    """What is wrong now, as the ledger shows and as living processes noted in it; never counts all letters."""
    found = [
        *_of_sources(connection, settings, now),
        *_of_feeds(connection, settings),
        *_of_articles(connection, now),
        *_of_pauses(connection),
        *_of_logins(connection, settings, now),
        *_of_deliveries(connection, now),
        *_of_editions(connection),
        *_of_silence(connection, settings, now),
        *_of_signups(connection, now),
        *alerts.noted(connection, now),
    ]
    return list({problem.key: problem for problem in found}.values())


def here(trouble: str | None, failing: Mapping[str, Failure], host: str) -> list[Problem]:
    """What only a running process sees: a database that takes nothing, loops that fail."""
    if trouble:  # whatever else fails, fails for that
        return [Problem(key="database", text=f"{trouble}; nothing is sent meanwhile", halts=True)]
    return [
        Problem(
            key=f"loop:{name}@{host}", halts=True,
            text=f"{name} has failed {FAILING} times and more on {host}: {failure.error}; the log of `syndicate run`"
            " has more",
        )
        for name, failure in sorted(failing.items())
        if failure.times >= FAILING
    ]  # fmt: skip


# --- from the ledger --------------------------------------------------------------------------------------------------


def _of_sources(connection: Connection, settings: Settings, now: datetime) -> Iterator[Problem]:
    for name, problem, since in vitals.outages(connection):
        when = f" (since {since.astimezone(settings.site.zone):%Y-%m-%d %H:%M})" if since else ""
        yield Problem(key=f"source:{name}", text=f"{problem}{when}")
    for name, lag in vitals.lags(connection, now - feedstates.PATIENCE):
        yield Problem(key=f"pull:{name}", text=lag)


def _of_feeds(connection: Connection, settings: Settings) -> Iterator[Problem]:
    text = why_waiting(connection, settings)
    if not text and settings.feeds.adopt:
        state = adopted.reading(connection, settings.feeds.adopt).state
        if state.failures >= FAILING:
            text = f"{state.problem}; if the site has moved, remove the key: the ids that were read stay"
    if text:
        yield Problem(key="feeds.adopt", text=text)
    for hub in hubs.failing(connection, settings.feeds.hubs, STUBBORN) if settings.feeds.hubs else ():
        text = (
            f"feeds.hubs: {origin(hub.hub)} has not taken the news {hub.tries} times: {hub.problem}; it is tried again"
            " within the hour: is its address right?"
        )
        yield Problem(key=f"hub:{origin(hub.hub)}", text=text)


def _of_articles(connection: Connection, now: datetime) -> Iterator[Problem]:
    count, page = checks.dead_pages(connection, now - DARK)
    if count:
        text = (
            f"review.check_url: {count} pages have not answered for two hours, such as {page}: is"
            " sources.article_url right, and the site deployed? `syndicate approve` releases an article all the same"
        )
        yield Problem(key="review.check_url", text=text, mend="syndicate check --online")
    held = articles.held_by(connection, "max-new")
    if held:
        text = f"review.max_new: {len(held)} articles came at once and are held: `syndicate approve --rule max-new`"
        mend, act = "syndicate approve --rule max-new", ("approve-rule", "max-new", str(len(held)))
        yield Problem(key="review.max_new", text=text, mend=mend, act=act)


def _of_pauses(connection: Connection) -> Iterator[Problem]:
    faults = set(pauses.faults(connection))
    for key, reason in pauses.standing(connection).items():
        if key.startswith(pauses.NOT_MADE):
            text = f"digests.{key.removeprefix(pauses.NOT_MADE)}: its edition cannot be made: {reason}"
            yield Problem(key=key, text=text, mend="syndicate check")
        elif key == pauses.CLOCK:
            text = f"everything is paused: {reason}"
            yield Problem(key="paused:clock", text=text, mend="syndicate resume", act=("resume", pauses.EVERYTHING))
        elif key in faults:
            name = pauses.called(key)
            text = f"{key}: paused by a fault: {reason}; `syndicate resume {name}` tries at once"
            if "`syndicate resume" in reason:  # an edition stopped for a person to decide
                text = f"{letters.CHANNEL}: {name}: {reason}"
            yield Problem(key=f"paused:{key}", text=text, mend=f"syndicate resume {name}", act=("resume", name))
        elif reason.startswith(highwater.BEHIND):
            yield Problem(key="restored", text=reason, mend="syndicate resume --assume-sent | --assume-unsent")


def _of_logins(connection: Connection, settings: Settings, now: datetime) -> Iterator[Problem]:
    """Logins that end soon: a problem for each step passed, all with one text, so that each tells anew and all end
    together with a new login.
    """
    ends, linkedin = login_ends(connection, settings), settings.linkedin
    if linkedin is None or ends is None:
        return
    command = "" if linkedin.access_token else "syndicate linkedin login"
    mend = f"`{command}` renews it" if command else "set linkedin.access_token anew"
    text = f"linkedin: its login is good until {ends:%Y-%m-%d %H:%M} UTC: {mend}"
    for days in DYING:
        if ends - now <= timedelta(days=days):
            yield Problem(key=f"login:linkedin:{days}", text=text, mend=command)


def _of_signups(connection: Connection, now: datetime) -> Iterator[Problem]:
    """More want mail than are let in: a happy day, or somebody who fills in forms with others' addresses."""
    most = confirmations.CROWD_MOST
    if limits.taken(connection, confirmations.CROWD, confirmations.HOUR, now) >= most:
        text = f"sign-up: {most} asked within the hour, which is all that are let in: it opens again by itself;"
        mend = "syndicate subscribers list"
        yield Problem(key="signup", text=f"{text} `{mend}` shows who is pending", mend=mend)


def login_ends(connection: Connection, settings: Settings) -> datetime | None:
    """When somebody must log in anew; None where nobody must, or nobody knows."""
    linkedin = settings.linkedin
    found = tokens.known(connection, "linkedin", linkedin.access_token.reveal().strip()) if linkedin else None
    return found.ends if found else None


def _of_deliveries(connection: Connection, now: datetime) -> Iterator[Problem]:
    for name, count in vitals.unknown(connection).items():
        mend = "syndicate deliveries --state unknown"
        text = f"{name}: deliveries are unknown ({count}): `{mend}` lists them, `deliveries resolve ID` settles one"
        yield Problem(key=f"unknown:{name}", text=text, mend=mend)
    for delivery, count in vitals.quarantined(connection, now - RECENT).items():
        mend = f"syndicate deliveries retry {delivery}"
        text = (
            f"email: of delivery {delivery} nobody knows whether {count} letters arrived: ask those people, or"
            f" `{mend}` sends them once more"
        )
        yield Problem(key=f"letters:{delivery}", text=text, mend=mend, act=("retry", str(delivery)))
    for name, since in vitals.overdue(connection, now - OVERDUE).items():
        minutes = round((now - since).total_seconds()) // 60
        text = f"{name}: something is due since {minutes} minutes: is `syndicate run` running?"
        # Posts may wait for the pace, which only planning knows; letters wait for nothing.
        yield Problem(key=f"overdue:{name}", text=text, halts=name == letters.CHANNEL, mend="syndicate run")


def _of_editions(connection: Connection) -> Iterator[Problem]:
    for one in holding.waiting(connection):
        if one.state == "held":
            asked = one.reason.removeprefix("approve: ")
            text, mend = f"edition {one.slug} waits for you: {asked}", f"syndicate approve {one.slug}"
            act = ("approve-edition", one.slug, holding.mark(one))
            yield Problem(key=f"approve:{one.slug}", text=text, mend=mend, act=act)


def _of_silence(connection: Connection, settings: Settings, now: datetime) -> Iterator[Problem]:
    for process in vitals.silent(connection, now - SILENT):
        until = f"{process.lease_until.astimezone(settings.site.zone):%Y-%m-%d %H:%M}"
        held = ", and holds what it had begun" if process.holds else ""
        text = (
            f"`syndicate {process.what}` (process {process.pid} on {process.host}) has been silent since {until}{held}:"
            " is it stopped, or its database out of reach? `syndicate run` takes over"
        )
        yield Problem(key=f"silent:{process.id}", text=text, mend="syndicate run")
    paused = pauses.standing(connection)
    for name, table in settings.publics.items():
        if not table.live or paused.keys() & {name, pauses.EVERYTHING, pauses.CLOCK}:
            continue
        # what its own pace asks for is no silence
        if since := vitals.quiet_since(connection, name, now - QUIET - table.pace.min_gap):
            keys = f" ({name}.slots, {name}.hours)" if isinstance(table, PacedSettings) else ""
            text = (
                f"{name}: nothing was posted since {since.astimezone(settings.site.zone):%Y-%m-%d %H:%M} although there"
                f" were articles for it: `syndicate plan` tells what each waits for{keys}"
            )
            yield Problem(key=f"quiet:{name}", text=text, mend="syndicate plan")


# --- for people -------------------------------------------------------------------------------------------------------


def as_text(found: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    """The status for people."""
    for name, is_live in settings.channels.items():
        how = _how(name, settings) if is_live else "rehearsal: nothing leaves the machine"
        left = f", logged in for {found['logins'][name]} days more" if name in found["logins"] else ""
        yield f"{name:<13} {how}{left}{_paused(found, name)}"
    yield f"{'articles':<14}{_counts(found['articles'])}"
    for name, states in found["deliveries"].items():
        yield f"{name + ' owed':<13} {_counts(states)}"
    if found["letters"]:
        yield f"{'letters':<14}{_counts(found['letters'])}"
    for one in found["progress"]:
        yield f"{'on its way':<14}{_moving(one, settings)}"
    yield f"{'people':<14}{_counts(found['subscribers'])}"
    yield f"{'editions':<14}{found['editions']}"
    if any(states.get("held") for states in found["deliveries"].values()):
        yield "for you       `syndicate deliveries --state held` lists what waits for your hand"
    if "all" in found["paused"]:
        yield f"paused        everything: {found['paused']['all']}"
    for problem in found["problems"]:
        yield f"PROBLEM       {problem}"
    for note in found["notes"]:
        yield f"note          {note}"
    if not found["problems"] and not found["paused"]:
        yield "All is well."


def _moving(one: Mapping[str, Any], settings: Settings) -> str:
    told = f"{one['subject']}: {one['done']:,} of {one['total']:,}"
    if one["per_second"]:
        told += f", {one['per_second']:,.{0 if one['per_second'] >= 10 else 1}f} a second"
    return f"{told}, done at {one['done_at'].astimezone(settings.site.zone):%Y-%m-%d %H:%M}" if one["done_at"] else told


def _how(name: str, settings: Settings) -> str:
    table = settings.publics.get(name)
    return f"by hand: {table.by_hand}, so due posts wait for you to post them" if table and table.by_hand else "live"


def _paused(found: Mapping[str, Any], name: str) -> str:
    return f", paused: {found['paused'][name]}" if name in found["paused"] else ""


def _counts(states: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none"
