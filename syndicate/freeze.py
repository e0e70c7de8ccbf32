"""freeze: decide that an edition is due, choose its articles, render it once, and freeze text and audience together.

Rendering happens between two transactions; the second one finds the slot free or leaves everything as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from syndicate import letter
from syndicate.article import Article
from syndicate.config import DigestSettings, EmailSettings, Settings
from syndicate.crashpoint import crashpoint
from syndicate.edition import Contents
from syndicate.errors import SyndicateError
from syndicate.letter import Rendered
from syndicate.logs import get
from syndicate.pacing import span
from syndicate.render import Templates
from syndicate.slots import last_slot
from syndicate.store import articles, checks, editions, freezing, letters, pauses
from syndicate.store.database import Store

log = get(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """What turns articles into frozen letters."""

    settings: Settings
    email: EmailSettings
    templates: Templates

    @property
    def live(self) -> bool:
        return self.email.live


class Due(StrEnum):
    """What a slot that has come asks for."""

    FREEZE = "frozen"
    SKIP = "skipped"
    EXPIRE = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The articles an edition may take, and what is to be done with them."""

    due: Due
    contents: Contents
    slot: datetime | None
    after: datetime | None
    until: datetime
    reason: str
    why: Mapping[str, str]  # of each article in it: its place and score


# --- deciding ---------------------------------------------------------------------------------------------------------


def due_window(connection: Connection, press: Press, digest: DigestSettings, now: datetime) -> Window | None:
    """The edition whose slot has come and is not done; None: nothing to do.

    While a person has stopped it nothing is frozen: `late_limit` decides when he resumes, and no old news goes out.
    """
    zone = press.settings.site.zone
    slot = last_slot(digest.schedule, zone, now)
    if slot is None or editions.slot_done(connection, digest.name, slot):
        return None
    if pauses.by_person(connection, [letters.CHANNEL, f"digest:{digest.name}"]):
        return None
    late = now - slot > digest.late_limit
    if late and slot < (editions.since(connection, digest.name) or now):
        return None
    last = editions.last(connection, digest.name, press.live)
    after = last[0] if last else None
    window = editions.candidates(connection, digest.name, press.live, slot, now)
    chosen = _contents(connection, press, digest, window, slot)
    count = len(chosen[0].cards)
    if late:
        was = f"{slot.astimezone(zone):%a %d %b %H:%M}"
        reason = f"expired: its slot was {was}, digests.late_limit is {span(digest.late_limit)}"
        return _window(Due.EXPIRE, chosen, slot, after, slot, reason)
    if count < max(1, digest.min_articles):
        reason = f"skipped: {count} new articles, {max(1, digest.min_articles)} are the least"
        return _window(Due.SKIP, chosen, slot, after, slot, reason)
    return _window(Due.FREEZE, chosen, slot, after, slot)


def window_by_hand(connection: Connection, press: Press, digest: DigestSettings, now: datetime) -> Window:
    """An edition beside the slots: all ready articles that were in no live edition of this digest."""
    window = editions.ready(connection, now)
    chosen = _contents(connection, press, digest, window, now)
    if chosen[0].cards:
        return _window(Due.FREEZE, chosen, None, None, now)
    return _window(Due.SKIP, chosen, None, None, now, "no ready article that is new to it")


def _window(
    due: Due, chosen: tuple[Contents, Mapping[str, str]], slot: datetime | None, after: datetime | None,
    until: datetime, reason: str = "",
) -> Window:  # fmt: skip
    contents, why = chosen
    return Window(due=due, contents=contents, slot=slot, after=after, until=until, reason=reason, why=why)


def _contents(
    connection: Connection, press: Press, digest: DigestSettings, window: Sequence[Article], moment: datetime
) -> tuple[Contents, dict[str, str]]:
    """What an edition of that moment holds, and of each article why."""
    filling = editions.choose(connection, digest, window, moment, live=press.live)
    texts = articles.many(connection, [one.id for one in filling.cards])
    whole = {one.id: one for one in checks.dress(connection, texts, believe=not press.live)}
    local = moment.astimezone(press.settings.site.zone)
    contents = Contents(
        slug=editions.free_slug(connection, f"{digest.name}-{local:%Y-%m-%d}"),
        digest=digest.name,
        title=press.settings.site.title,
        date=local,
        cards=tuple(whole[one.id] for one in filling.cards),
        headlines=filling.headlines,
        covered=filling.covered,
        more=filling.more,
    )
    return contents, {one.id: filling.why(one) for one in (*filling.cards, *filling.headlines)}


# --- freezing ---------------------------------------------------------------------------------------------------------


async def freeze_due(press: Press, store: Store, now: datetime) -> list[str]:
    """Freeze every edition whose slot has come; returns their slugs."""
    made = []
    for digest in press.settings.digests:
        window = await store.read(due_window, press, digest, now)
        if window is None:
            continue
        if window.due is not Due.FREEZE:
            await store.write(_pass_over, press, digest, window, now)
            log.info("no edition", digest=digest.name, reason=window.reason)
            continue
        try:
            delivery = await freeze(press, store, digest, window, now)
        except (SyndicateError, ValueError) as error:  # a broken template: this digest waits, all else goes on
            log.error("no edition", digest=digest.name, error=str(error))
            await store.write(pauses.by_fault, f"{pauses.NOT_MADE}{digest.name}", str(error), now)
            continue
        await store.write(pauses.heal, f"{pauses.NOT_MADE}{digest.name}")
        if delivery is not None:
            made.append(window.contents.slug)
    return made


async def freeze(
    press: Press, store: Store, digest: DigestSettings, window: Window, now: datetime, *, by_hand: bool = False
) -> int | None:
    """Render and freeze one edition; returns its delivery, None where somebody else was first."""
    contents, payload = await asyncio.to_thread(render_edition, press, digest, window.contents, now)
    crashpoint("freeze.rendered")
    return await store.write(_freeze, press, contents, payload, window, now, by_hand)


def render_edition(
    press: Press, digest: DigestSettings, contents: Contents, now: datetime
) -> tuple[Contents, dict[str, object]]:
    """The edition as it came out (cards that did not fit became headlines) and its frozen payload."""
    fitted, rendered = press.templates.render_digest(contents, press.settings.site, digest, press.email)
    return fitted, compose(press, rendered, fitted.slug, digest.name, now)


def compose(press: Press, rendered: Rendered, slug: str, list_name: str, now: datetime) -> dict[str, object]:
    """The frozen payload of a rendered text."""
    email = press.email
    return letter.compose(
        rendered,
        sender=email.sender,
        reply_to=email.reply_to,
        list_id=letter.list_id(list_name, email.sender_domain),
        list_name=f"{press.settings.site.title} {list_name}",
        date=now,
        slug=slug,
    )


def _freeze(
    connection: Connection, press: Press, contents: Contents, payload: dict[str, object], window: Window,
    now: datetime, by_hand: bool,
) -> int | None:  # fmt: skip
    saved = editions.save(
        connection, contents, slot=window.slot, after=window.after, until=window.until, live=press.live, now=now
    )
    if not saved:
        return None
    assert contents.digest is not None
    delivery, people = freezing.freeze(
        connection,
        subject=contents.slug,
        digest=contents.digest,
        payload=payload,
        live=press.live,
        by_hand=by_hand,
        planned_for=window.slot or now,
        why=window.why,
        now=now,
    )
    log.info("edition frozen", edition=contents.slug, articles=len(contents.cards), people=people)
    return delivery


def _pass_over(connection: Connection, press: Press, digest: DigestSettings, window: Window, now: datetime) -> None:
    assert window.slot is not None
    editions.pass_over(
        connection, digest.name, window.contents.slug, window.slot, window.due.value, window.reason, press.live, now
    )


def render_letter(press: Press, article: Article, now: datetime) -> dict[str, object]:
    """One article as a letter of its own: the frozen payload."""
    site = press.settings.site
    rendered = press.templates.render_article(article, site, press.email, date=now.astimezone(site.zone))
    return compose(press, rendered, article.slug, "articles", now)


def as_sent(connection: Connection, press: Press, article: Article) -> Article:
    """An article as a letter shows it: with its picture only where that is there."""
    return checks.dress(connection, [article], believe=not press.live)[0]


async def freeze_planned(press: Press, store: Store, now: datetime) -> None:
    """Freeze the articles that were sent to email by hand and whose moment has come, each as a letter of its own."""
    for delivery, article in await store.read(freezing.planned, now, press.live):
        found = await store.read(articles.get, article)
        if found is None:
            continue
        shown = await store.read(as_sent, press, found)
        try:
            payload = await asyncio.to_thread(render_letter, press, shown, now)
        except (SyndicateError, ValueError) as error:  # a broken template holds up no other letter
            log.error("no letter", delivery=delivery, error=str(error))
            await store.write(freezing.refuse, delivery, f"cannot be written: {error}")
            continue
        await store.write(freezing.freeze_planned, delivery, payload, now)
