"""The whole story of one article or one person, told from the ledger alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, and_, select

from syndicate.store import acts, people, retention
from syndicate.store import articles as catalogue
from syndicate.store.database import AnyRow
from syndicate.store.letters import CHANNEL
from syndicate.store.schema import articles, attempts, checks, deliveries, edition_articles, editions

MOST_LETTERS = 200
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened or holds; `at` is None for what has no moment."""

    at: datetime | None
    what: str  # a fixed word, one of those below; `explain` adds "forecast" for what is to come
    text: str


def of_article(connection: Connection, article: str) -> list[Event]:
    """What happened to an article and where it went, or why not, in order."""
    row = connection.execute(select(articles).where(articles.c.id == article)).one()
    events = [*_catalogue(row), *_checks(connection, article), *_deliveries(connection, article)]
    events += [*_editions(connection, article), *_people(connection, row)]
    end = max(event.at or row.first_seen for event in events)
    return sorted(events, key=lambda event: _place(event, row.first_seen, end))


def _place(event: Event, first: datetime, end: datetime) -> tuple[datetime, int]:
    """In order of time. What has no moment follows upon the first sight; a delivery's state is its last word."""
    if event.what == "state":
        return event.at or end, 3
    if event.at is None:
        return first, 1
    return event.at, 0 if event.what == "seen" else 2


def _people(connection: Connection, article: AnyRow) -> Iterator[Event]:
    done = acts.of(connection, article.id)
    for row in done:
        yield Event(row.at, "person", f"{row.what} by {row.who}{f': {row.because}' if row.because else ''}")
    if article.verdict and not any(row.what == article.verdict for row in done):  # before it was noted who
        because = f": {article.verdict_because}" if article.verdict_because else ""
        yield Event(None, "person", f"{article.verdict}{because}")


def _catalogue(row: AnyRow) -> Iterator[Event]:
    said = catalogue.manuscript_of(row)
    yield Event(row.first_seen, "seen", f"{row.path} in source {row.source}")
    for repair in said.repairs:
        yield Event(row.first_seen, "repaired", repair)
    if row.updated > row.first_seen:
        yield Event(row.updated, "edited", "its text changed; nothing is announced again for that")
    if row.released:
        yield Event(row.entered, "released", f"ready; released {row.released:%Y-%m-%d %H:%M} UTC")
    if row.baseline:
        yield Event(row.first_seen, "baseline", "shown in the feeds, never announced unless sent by hand")
    reasons = "; ".join(json.loads(row.reasons))
    verdict = reasons if reasons.startswith(f"{row.state}: ") else ": ".join(one for one in (row.state, reasons) if one)
    yield Event(None, "verdict", verdict)


def _checks(connection: Connection, article: str) -> Iterator[Event]:
    for row in connection.execute(select(checks).where(checks.c.article == article)):
        if row.url:
            yield Event(row.since, row.what, f"{row.url}: {row.state} after {row.tries} looks")


def _deliveries(connection: Connection, article: str) -> Iterator[Event]:
    rows = connection.execute(
        select(deliveries)
        .where(deliveries.c.subject == article, deliveries.c.kind == "article")
        .order_by(deliveries.c.id)
    ).all()
    people = retention.counts_of(connection, [row.id for row in rows if row.channel == CHANNEL])
    for row in rows:
        by_hand = " by hand" if row.by_hand else ""
        yield Event(row.created_at, "owed", f"{row.channel}{by_hand} (delivery {row.id})")
        if row.planned_for:
            why = "by hand" if row.by_hand else row.why or "its turn"
            yield Event(row.planned_for, "planned", f"{row.channel}: {why}")
        yield from _attempts(connection, row)
        told = [row.url, row.external_id, _counted(people.get(row.id, {})), row.reason]
        where = "".join(f": {one}" for one in told if one)
        yield Event(row.sent_at, "state", f"{row.channel} {row.state}{where}")
        if row.retracted_at:
            yield Event(row.retracted_at, "retracted", f"{row.channel}: taken back")


def _counted(people: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in people.items())


def _attempts(connection: Connection, delivery: AnyRow) -> Iterator[Event]:
    query = select(attempts).where(attempts.c.delivery == delivery.id, attempts.c.letter == 0)
    for row in connection.execute(query.order_by(attempts.c.number)):
        status = f" {row.status}" if row.status else ""
        answer = f": {row.answer}" if row.answer else ""
        outcome = row.outcome or "nobody knows"
        yield Event(row.started_at, "attempt", f"{delivery.channel} {row.number}: {outcome}{status}{answer}")


def _editions(connection: Connection, article: str) -> Iterator[Event]:
    d = deliveries.c
    query = (
        select(editions.c.slug, editions.c.made_at, editions.c.live, edition_articles.c.place, d.id, d.state, d.why)
        .join_from(edition_articles, editions, editions.c.slug == edition_articles.c.edition)
        .outerjoin(deliveries, and_(d.subject == editions.c.slug, d.kind == "edition"))
        .where(edition_articles.c.article == article)
    )
    rows = connection.execute(query.order_by(editions.c.made_at)).all()
    people = retention.counts_of(connection, [row.id for row in rows if row.id])
    for row in rows:
        why = json.loads(row.why or "{}").get(article, row.place)
        went = "; ".join(one for one in (row.state, _counted(people.get(row.id, {}))) if one)
        rehearsal = "" if row.live or row.state == "rehearsed" else "in rehearsal; "
        yield Event(row.made_at, "edition", f"{row.slug}: {why}; {rehearsal}{went}")


def of_person(connection: Connection, key: str, hashed: str) -> list[Event] | None:
    """What one person consented to, said and got, with which answers, in order; None: nothing is known of the address.

    `hashed` is what is left of it after erasure: who is gone, and kept out, is told so.
    """
    told = people.everything(connection, key, hashed)
    if told is None:
        return None
    events = [*_kept_out(told), *_asked(told["asked"])]
    if "state" in told:
        reason = f": {told['reason']}" if told["reason"] else ""
        events += [_consent(told["consent"]), Event(told["since"], "state", f"{told['state']}{reason}")]
        events += [Event(one["at"], "wish", _wish(one)) for one in told["wishes"]]
        events += [_returned(one) for one in told["returns"]]
        for letter in reversed(told["letters"][:MOST_LETTERS]):
            events += _letter(letter)
    told_in_order = sorted((event for event in events if event.at), key=lambda event: event.at or _NEVER)
    return [*(event for event in events if not event.at), *told_in_order, *_stands(told)]


def _stands(told: Mapping[str, Any]) -> Iterator[Event]:
    """What holds now."""
    if "state" not in told:
        yield Event(None, "person", "nobody of this address is stored")
        return
    yield Event(None, "digests", ", ".join(told["digests"]) or "none")
    if told["paused_until"]:
        yield Event(told["paused_until"], "rests", "gets nothing up to then, as he wished")


def _kept_out(told: Mapping[str, Any]) -> Iterator[Event]:
    if kept := told["suppressed"]:
        yield Event(kept["since"], "kept out", f"{kept['reason']}: a hash of the address is kept, no import lifts it")


def _asked(mails: Sequence[Mapping[str, Any]]) -> Iterator[Event]:
    for mail in mails:
        wanted = f" for {', '.join(mail['digests'])}" if mail["digests"] else ""
        yield Event(mail["asked_at"], "asked", f"to confirm{wanted}, until {mail['until']:%Y-%m-%d %H:%M} UTC")
        answer = f": {mail['answer']}" if mail["answer"] else ""
        if mail["mailed_at"]:
            yield Event(mail["mailed_at"], "mailed", f"what asks to confirm{answer}")
        elif answer:
            yield Event(mail["asked_at"], "try", f"what asks to confirm{answer}")
        if mail["confirmed_at"]:
            yield Event(mail["confirmed_at"], "confirmed", "by the link in that mail")


def _wish(one: Mapping[str, Any]) -> str:
    told = one["told"]
    words = [
        f"{name} {', '.join(value) if isinstance(value, list) else value}" for name, value in told.items() if value
    ]
    return ": ".join(part for part in (one["what"], ", ".join(words)) if part)


def _returned(one: Mapping[str, Any]) -> Event:
    of = f" of delivery {one['delivery']}" if one["delivery"] else ""
    said = " ".join(part for part in (one["status"], one["answer"]) if part)
    return Event(one["received_at"], "return", f"{one['provider']}: {one['kind']}{of}{f': {said}' if said else ''}")


def _letter(letter: Mapping[str, Any]) -> Iterator[Event]:
    for attempt in letter["tries"]:
        said = " ".join(str(part) for part in (attempt["status"], attempt["answer"]) if part)
        outcome = attempt["outcome"] or "nobody knows"
        yield Event(attempt["at"], "try", f"{letter['title']}: {outcome}{f': {said}' if said else ''}")
    answer = f" ({letter['answer']})" if letter["answer"] else ""
    yield Event(letter["sent_at"] or letter["frozen_at"], "letter", f"{letter['title']}: {letter['state']}{answer}")


def _consent(noted: Mapping[str, str]) -> Event:
    """When somebody agreed, where, and to what words, as it was noted then."""
    told = ", ".join(f"{name} {value}" for name, value in noted.items() if value and name not in ("at", "shown"))
    text = ": ".join(one for one in (told, noted.get("shown")) if one)
    return Event(datetime.fromisoformat(noted["at"]) if noted.get("at") else None, "consent", text or "not noted")
