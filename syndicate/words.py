"""What is said after a pass: what happened, what happens next, and whether anything left the machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from syndicate.config import EmailSettings, Pace, Settings
from syndicate.pacing import span
from syndicate.pipeline import Report
from syndicate.slots import next_daily, next_slots
from syndicate.store.pauses import NOT_MADE, called

Counts = Mapping[str, Mapping[str, int]]


def after_pass(
    report: Report, done: Counts, settings: Settings, now: datetime, *, ready: int, paused: Mapping[str, str]
) -> Iterator[str]:
    """The lines printed by `run --once`, and by the daemon after its first pass; `ready` counts all ready articles."""
    scanned, published = report.scanned, report.published
    if scanned.first:
        yield from _after_baseline(report, settings, now, ready)
    else:
        released = f"{scanned.released} {'article' if scanned.released == 1 else 'articles'} released"
        yield f"{_files(scanned.files)}, {scanned.parsed} read, {released}"
    yield from _hints(report, settings)
    if published.written:
        yield f"feeds: {published.items} items in {settings.output_folder}"
    for name, states in done.items():
        told = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        yield f"{name}: {told}"
    for key, reason in paused.items():
        if key.startswith(NOT_MADE):
            continue  # told as a problem
        yield f"paused: {called(key)}: {reason}"
    yield from _rehearsal(settings)


def upcoming(settings: Settings, now: datetime) -> dict[str, str]:
    """The next three moments of each calendar, in the site's zone."""
    zone = settings.site.zone
    named = {f"digest {digest.name}": next_slots(digest.schedule, zone, now, 3) for digest in settings.digests}
    named |= {
        name: next_daily(table.pace.slots, zone, now, 3) for name, table in settings.publics.items() if table.pace.slots
    }
    return {
        name: ", ".join(f"{slot.astimezone(zone):%a %Y-%m-%d %H:%M}" for slot in slots)
        for name, slots in named.items()
        if slots
    }


def sending(*, edition: str, subject: str, people: int, email: EmailSettings, speed: float | None) -> str:
    """What a person must know before letters leave: which, to how many, from whom, for how long, and that for good.

    `speed`: letters a second of the last mailing, if that is known.
    """
    return (
        f"edition {edition} · subject {subject!r} · {people:,} people · from {email.sender}"
        f" · {lasting(people, email, speed)} · it cannot be recalled"
    )


def lasting(people: int, email: EmailSettings, speed: float | None) -> str:
    """How long so many letters take."""
    known = min((one for one in (email.smtp.rate, speed) if one), default=None)
    if known is None:
        return f"as fast as {email.smtp.host} takes them"
    minutes = people / known / 60
    if minutes < 1:
        return "less than a minute"
    if minutes < 90:
        return f"about {minutes:.0f} {'minute' if round(minutes) == 1 else 'minutes'}"
    return f"about {minutes / 60:.0f} hours"


def _articles(count: int) -> str:
    return f"{count} {'article' if count == 1 else 'articles'}"


def _files(count: int) -> str:
    return f"{count} {'file' if count == 1 else 'files'}"


def _hints(report: Report, settings: Settings) -> Iterator[str]:
    scanned = report.scanned
    if scanned.unsettled:
        settle = span(settings.review.settle)
        yield f"{_files(scanned.unsettled)} changed less than {settle} ago: taken in the next pass (review.settle)"
    for name in report.elsewhere:
        yield f"{name}: another `syndicate run` on this database reads it"
    if not scanned.files and not scanned.problems and not report.elsewhere:
        folders = ", ".join(str(source.path) for source in settings.sources)
        yield f"no file in {folders} matches sources.include: is sources.path the folder of your articles?"


def _after_baseline(report: Report, settings: Settings, now: datetime, ready: int) -> Iterator[str]:
    yield f"First look: {_files(report.scanned.files)}, {_articles(ready)} ready."
    yield "They are in the feeds; none of them will be announced."
    if names := [*settings.publics, *(["email"] if settings.email else [])]:
        yield f"  see one as it would go out     syndicate preview ARTICLE --channel {names[0]}"
        yield f"  announce one on purpose        syndicate send ARTICLE --to {','.join(names)}"
    yield "  all of them, with verdicts     syndicate articles"
    yield f"The next new article: {_next(settings, now)}"


def _next(settings: Settings, now: datetime) -> str:
    delay = settings.review.delay
    after = f"{span(delay)} after it is seen" if delay > timedelta(0) else "as soon as it is seen"
    parts = ["goes into the feeds at once"]
    parts += [f"is a candidate for {name} {after}{_limits(table.pace)}" for name, table in settings.publics.items()]
    zone = settings.site.zone
    for digest in settings.digests:
        slots = next_slots(digest.schedule, zone, now, 1)
        if not slots:
            parts.append(f"goes to the readers of {digest.name} as a letter of its own {after}")
            continue
        parts.append(f"stands in the next edition of {digest.name} ({slots[0].astimezone(zone):%a %d %b %H:%M})")
    return ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1] + "."


def _limits(pace: Pace) -> str:
    limits = [f"at {slot:%H:%M}" for slot in pace.slots]
    if pace.max_per_day:
        limits.append(f"{pace.max_per_day} a day at most")
    if pace.hours:
        limits.append(f"between {pace.hours}")
    return f" ({', '.join(limits)})" if limits else ""


def _rehearsal(settings: Settings) -> Iterator[str]:
    rehearsing = [name for name, is_live in settings.channels.items() if not is_live]
    if rehearsing:
        where = settings.data / "outbox"
        yield f"Rehearsal: what {' and '.join(rehearsing)} would send is written into {where} instead (live = false)."
