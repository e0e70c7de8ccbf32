"""The newsroom, over the running program: the ledger's answers put together for its owner's eyes. Changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from syndicate import health, preview
from syndicate.alert import Problem
from syndicate.channels.base import Channel
from syndicate.deliver import announce
from syndicate.errors import SyndicateError, UsageError
from syndicate.forecast import Row, forecast
from syndicate.pacing import day_start
from syndicate.pipeline import App
from syndicate.publics import paces
from syndicate.slots import next_slots
from syndicate.store import articles as catalogue_rows
from syndicate.store import (
    catalogue,
    checks,
    holding,
    mailings,
    pauses,
    retention,
    stories,
    subscribers,
    today,
    vitals,
)
from syndicate.store.letters import CHANNEL
from syndicate.store.today import Owed
from syndicate.web import ahead
from syndicate.web.kept import Kept
from syndicate.web.newsroom_office import ArticlePage, Cursor, DeliveryPage, PersonPage
from syndicate.web.today import Card, Sending, Today, Trouble, Wanted

LAST = 10  # of what went out
CARDS = 12  # of what waits for a person, shown as it will look
SHOWN_BELOW = ("review.max_new", "unknown:", "approve:")  # problems that stand among what needs a person
DAYS = 180  # of growth


class ProgramNewsroom:
    """Fulfils `syndicate.web.newsroom_office.Newsroom`."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._today = Kept(self._look)
        self._slow = Kept(self._count)
        self._rows = Kept(self._forecast)
        self._problems = Kept(self._judge)

    @property
    def channels(self) -> Mapping[str, bool]:
        return self._app.settings.channels

    def now(self) -> datetime:
        return self._app.clock.now()

    def forget(self) -> None:
        for kept in (self._today, self._slow, self._rows, self._problems):
            kept.forget()

    # The first page

    async def today(self) -> Today:
        return await self._today.get()

    async def _look(self) -> Today:
        app, now = self._app, self._app.clock.now()
        rows, people, problems = await self._rows.get(), await self._slow.get(), await self._problems.get()
        return await app.store.read(_read, app, now, rows, people, problems)

    async def _count(self) -> tuple[Mapping[str, int], Sequence[tuple[str, int]]]:
        return await self._app.store.read(_people)

    async def _forecast(self) -> Sequence[Row]:
        app = self._app
        return await app.store.read(forecast, app.settings, paces(app.settings), app.clock.now(), 1)

    async def _judge(self) -> Sequence[Problem]:
        app = self._app
        found = await app.store.read(health.problems, app.settings, app.clock.now())
        return list({one.key: one for one in (*found, *app.alarm.here())}.values())

    # Lists

    async def counts(self) -> Mapping[str, int]:
        return await self._app.store.read(catalogue_rows.counts)

    async def articles(self, state: str, before: Cursor | None) -> Sequence[catalogue.Listed]:
        return await self._app.store.read(catalogue.page, state, before)

    async def article(self, article: str) -> ArticlePage | None:
        return await self._app.store.read(_article, article, list(self.channels))

    async def deliveries(self, channel: str, state: str, before: int | None) -> Sequence[Owed]:
        return await self._app.store.read(today.of_state, channel, state, catalogue.PAGE + 1, before)

    async def delivery(self, delivery: int) -> DeliveryPage | None:
        return await self._app.store.read(_delivery, delivery)

    async def people(self, begins: str, before: int | None) -> Sequence[catalogue.Reader]:
        return await self._app.store.read(catalogue.people, begins, before)

    async def person(self, person: int) -> PersonPage | None:
        return await self._app.store.read(_person, person, self._app.keys.lasting)

    # Previews

    async def preview_delivery(self, delivery: int, part: str) -> str | None:
        return await asyncio.to_thread(self._of_delivery, delivery, part)

    def _of_delivery(self, delivery: int, part: str) -> str | None:
        try:
            shown = preview.of_delivery(self._app.store, delivery, self._adapter)
            one = self._app.store.read_now(today.owed, [delivery])[delivery]
        except UsageError:
            return None
        if shown is None and one.kind == "article":
            return self._of_article(one.subject, one.channel, part)
        return (shown.text if part == "text" else shown.html) if shown else None

    async def preview_article(self, article: str, channel: str) -> str | None:
        return await asyncio.to_thread(self._of_article, article, channel)

    def _of_article(self, article: str, channel: str, part: str = "html") -> str | None:
        app = self._app
        try:
            shown = preview.of_article(app.store, article, channel, self._adapter, app.press, app.clock.now())
        except UsageError:
            return None
        return shown.text if part == "text" else shown.html

    async def preview_digest(self, name: str) -> str | None:
        return await asyncio.to_thread(self._of_digest, name)

    def _of_digest(self, name: str) -> str | None:
        app = self._app
        digest = next((one for one in app.settings.digests if one.name == name), None)
        if digest is None or app.press is None:
            return None
        try:
            return preview.of_digest(app.store, app.press, digest, app.clock.now()).html
        except UsageError:
            return None

    def _adapter(self, name: str) -> Channel | None:
        return self._app.publics[name].channel if name in self._app.publics else None


def _people(connection: Connection) -> tuple[Mapping[str, int], Sequence[tuple[str, int]]]:
    return subscribers.counts(connection), catalogue.grown(connection, DAYS)


def _read(
    connection: Connection,
    app: App,
    now: datetime,
    rows: Sequence[Row],
    people: tuple[Mapping[str, int], Sequence[tuple[str, int]]],
    problems: Sequence[Problem],
) -> Today:
    """What a look at the ledger gives, in one transaction: few rows to each question."""
    settings, names = app.settings, list(app.settings.channels)
    standing = pauses.standing(connection)
    held = [one for name in names for one in today.of_state(connection, name, "held", today.MOST_HELD)]
    seen = _seen(connection, held)
    scans = [moment for moment in vitals.scanned(connection).values() if moment]
    return Today(
        now=now,
        live=settings.channels,
        paused=standing,
        troubles=_troubles(connection, problems, names),
        held=today.held_articles(connection),
        wanted=[
            Wanted(owed=one, card=_card(connection, app, one) if n < CARDS else None, seen=seen.get(one.subject, ""))
            for n, one in enumerate(held)
        ],
        wanted_count=sum(today.held_counts(connection, names).values()),
        coming=ahead.coming(rows, now, _ids(connection, rows), [one.name for one in settings.digests]),
        others=ahead.others(rows, now),
        sending=_sending(connection, now, standing),
        unknown=[one for name in names for one in today.of_state(connection, name, "unknown", today.MOST_HELD)],
        went=today.went_out(connection, names, LAST, now),
        sent_today=today.sent_since(connection, names, day_start(now, settings.site.zone)),
        next_mail=_next_mail(app, now),
        people=people[0],
        growth=people[1],
        token_days=_token_days(connection, app, now),
        scanned=max(scans, default=None),
    )


def _seen(connection: Connection, held: Sequence[Owed]) -> Mapping[str, str]:
    """By subject, what tells its text from every other: an approval counts for what was shown."""
    articles = [one.subject for one in held if one.kind == "article"]
    found = {row.id: row.hash for row in catalogue_rows.texts(connection, articles)}
    if len(articles) < len(held):
        found |= {one.slug: holding.mark(one) for one in holding.waiting(connection)}
    return found


def _ids(connection: Connection, rows: Sequence[Row]) -> Mapping[tuple[str, str], int]:
    wanted = [(row.channel, row.article) for row in rows if row.planned_for and row.channel != CHANNEL]
    return today.delivery_ids(connection, wanted[:100]) if wanted else {}


def _troubles(connection: Connection, problems: Sequence[Problem], names: Sequence[str]) -> list[Trouble]:
    """A problem for each text: some stand under several keys, so that each step of them is told."""
    if not problems:
        return []
    since, waiting = today.since(connection), today.waiting(connection, names)
    found: dict[str, Trouble] = {}
    for one in problems:
        if one.key.startswith(SHOWN_BELOW):
            continue
        moment, known = since.get(one.key), found.get(one.text)
        if known is None or (moment and (known.since is None or moment < known.since)):
            found[one.text] = Trouble(
                text=one.text, since=moment, waits=waiting.get(one.key.partition(":")[2], 0),
                mend=one.mend, act=one.act,
            )  # fmt: skip
    return list(found.values())


def _sending(connection: Connection, now: datetime, standing: Mapping[str, str]) -> list[Sending]:
    moving = mailings.progress(connection, now)
    found = []
    for one in today.mailings_under_way(connection):
        progress, digest = moving.get(one.delivery), f"digest:{one.digest}"
        if progress is None or progress.done >= progress.total:
            continue
        found.append(
            Sending(
                delivery=one.delivery, title=one.title, key=one.digest or CHANNEL, live=one.live, total=progress.total,
                done=progress.done, per_second=progress.per_second, done_at=progress.done_at, bounces=one.hard,
                paused=next((standing[key] for key in ("all", "clock", CHANNEL, digest) if key in standing), ""),
            )
        )  # fmt: skip
    return found


def _next_mail(app: App, now: datetime) -> tuple[str, datetime] | None:
    """The digest that goes out next, and when; of one that mails each article nobody knows."""
    settings = app.settings
    if settings.email is None:
        return None
    slots = [
        (next_slots(digest.schedule, settings.site.zone, now, 1), digest.name)
        for digest in settings.digests
        if digest.schedule != "each"
    ]
    return min(((name, found[0]) for found, name in slots if found), key=lambda one: one[1], default=None)


def _token_days(connection: Connection, app: App, now: datetime) -> int | None:
    ends = health.login_ends(connection, app.settings)
    return max(0, (ends - now).days) if ends else None


# --- one of each ------------------------------------------------------------------------------------------------------


def _article(connection: Connection, article: str, channels: Sequence[str]) -> ArticlePage | None:
    found = catalogue.one(connection, article)
    if found is None:
        return None
    listed, said = found
    dressed, lost = checks.dress_one(connection, said)
    image = dressed.manuscript.hero_image
    return ArticlePage(
        listed=listed,
        repairs=said.manuscript.repairs,
        description=said.manuscript.description,
        authors=said.manuscript.authors,
        image=lost or image or "",
        image_state="not there" if lost else "" if image else "none",
        story=stories.of_article(connection, article),
        deliveries=today.of_subject(connection, article),
        channels=channels,
    )


def _delivery(connection: Connection, delivery: int) -> DeliveryPage | None:
    owed = today.owed(connection, [delivery]).get(delivery)
    if owed is None:
        return None
    return DeliveryPage(
        owed=owed,
        seen=_seen(connection, [owed]).get(owed.subject, "") if owed.state == "held" else "",
        tries=catalogue.tries(connection, delivery),
        people=retention.counts_of(connection, [delivery]).get(delivery, {}) if owed.channel == CHANNEL else {},
        why=catalogue.why(connection, delivery) if owed.kind == "edition" else {},
    )


def _person(connection: Connection, person: int, secret: bytes) -> PersonPage | None:
    found = catalogue.person(connection, person)
    if found is None:
        return None
    reader, key = found
    story = stories.of_person(connection, key, subscribers.address_hash(secret, key))
    return PersonPage(reader=reader, story=story or [])


# --- as it will look --------------------------------------------------------------------------------------------------


def _payload(connection: Connection, app: App, one: Owed) -> Mapping[str, Any] | None:
    """What was frozen, or what would be now; None where neither can be told."""
    frozen = today.payload(connection, one.id) if one.frozen else None
    if frozen is not None or one.kind != "article" or one.channel not in app.publics:
        return frozen
    try:
        article, lost = checks.dress_one(connection, catalogue_rows.find(connection, one.subject))
        return app.publics[one.channel].channel.compose(announce(article, one.channel, lost))
    except SyndicateError:
        return None


def _card(connection: Connection, app: App, one: Owed) -> Card | None:
    payload = _payload(connection, app, one)
    if payload is None or one.channel == CHANNEL:
        return None
    return ahead.card(payload) or Card(words=app.publics[one.channel].channel.preview(payload).text)
