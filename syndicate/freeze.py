"""freeze: decide that an edition is due, choose its articles, render it once, and freeze text and audience together.

Rendering happens between two transactions; the second one finds the slot free or leaves everything as it is. With
`approve` the text is frozen and held for a person, and the audience follows when he has approved.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection

from syndicate.article import Article
from syndicate.config import DigestSettings
from syndicate.crashpoint import crashpoint
from syndicate.edition import Contents
from syndicate.errors import SyndicateError
from syndicate.logs import get
from syndicate.pacing import span
from syndicate.press import Press, as_sent, is_each, render_edition, render_letter, whole_articles
from syndicate.slots import last_slot, next_slots
from syndicate.store import articles, editions, freezing, holding, letters, pauses
from syndicate.store.database import Store
from syndicate.store.holding import Waiting

log = get(__name__)


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
    texts: Mapping[str, str] = field(default_factory=dict)  # of each article in it: a hash of the text that was read


# --- deciding ---------------------------------------------------------------------------------------------------------


def due_window(connection: Connection, press: Press, digest: DigestSettings, now: datetime) -> Window | None:
    """The edition whose slot has come and is not done; None: nothing to do.

    While a person has stopped it nothing is frozen: `late_limit` decides when he resumes, and no old news goes out.
    """
    zone = press.settings.site.zone
    slot = last_slot(digest.schedule, zone, now)
    if slot is None or editions.slot_done(connection, digest.name, slot) or is_stopped(connection, digest.name):
        return None
    late = now - slot > digest.late_limit
    if late and slot < (editions.since(connection, digest.name) or now):
        return None
    window = window_of(connection, press, digest, slot, now)
    count = len(window.contents.cards)
    if late:
        return replace(window, due=Due.EXPIRE, reason=_too_late(press, digest, slot))
    if count < max(1, digest.min_articles):
        reason = f"skipped: {count} new articles, {max(1, digest.min_articles)} are the least"
        return replace(window, due=Due.SKIP, reason=reason)
    return window


def coming_window(connection: Connection, press: Press, digest: DigestSettings, now: datetime) -> Window | None:
    """The next edition as it would be now, once `proof` lets its owner see it; None: not yet, or too little in it."""
    slot = next(iter(next_slots(digest.schedule, press.settings.site.zone, now, 1)), None)
    if slot is None or not digest.proof or now < slot - digest.proof:
        return None
    if editions.slot_done(connection, digest.name, slot) or is_stopped(connection, digest.name):
        return None
    window = window_of(connection, press, digest, slot, now)
    return window if len(window.contents.cards) >= max(1, digest.min_articles) else None


def window_of(connection: Connection, press: Press, digest: DigestSettings, slot: datetime, now: datetime) -> Window:
    """What the edition of a slot holds with what is there now, released up to the slot."""
    last = editions.last(connection, digest.name, press.live)
    found = editions.candidates(connection, digest.name, press.live, min(slot, now), now)
    return _window(connection, press, digest, found, slot, after=last[0] if last else None, until=slot)


def window_by_hand(connection: Connection, press: Press, digest: DigestSettings, now: datetime) -> Window:
    """An edition beside the slots: all ready articles that were in no live edition of this digest."""
    window = _window(connection, press, digest, editions.ready(connection, now), None, until=now)
    if window.contents.cards:
        return window
    return replace(window, due=Due.SKIP, reason="no ready article that is new to it")


def windows_by_hand(connection: Connection, press: Press, digest: DigestSettings, now: datetime) -> list[Window]:
    """What a person gets who asks for the digest now: one edition, or of its best articles a letter each; or none."""
    window = window_by_hand(connection, press, digest, now)
    cards = window.contents.cards
    if not is_each(digest):
        return [window] if cards else []
    return [window_of_one(connection, press, digest, [article], now) for article in cards]


def is_stopped(connection: Connection, digest: str) -> bool:
    """Whether a person paused it, or all mail."""
    return pauses.by_person(connection, [letters.CHANNEL, f"digest:{digest}"])


def _too_late(press: Press, digest: DigestSettings, slot: datetime) -> str:
    was = f"{slot.astimezone(press.settings.site.zone):%a %d %b %H:%M}"
    return f"expired: its slot was {was}, digests.late_limit is {span(digest.late_limit)}"


def _window(
    connection: Connection, press: Press, digest: DigestSettings, found: Sequence[Article], slot: datetime | None,
    *, until: datetime, after: datetime | None = None, slug: str = "",
) -> Window:  # fmt: skip
    """What an edition of that moment holds, and of each article why; a `slug` says that one takes its own place."""
    moment = slot or until
    filling = editions.choose(connection, digest, found, moment, live=press.live, beside=slug)
    whole = {one.id: one for one in whole_articles(connection, press, filling.cards)}
    local = moment.astimezone(press.settings.site.zone)
    contents = Contents(
        slug=slug or editions.free_slug(connection, f"{digest.name}-{local:%Y-%m-%d}"),
        digest=digest.name,
        title=press.settings.site.title,
        date=local,
        cards=tuple(whole[one.id] for one in filling.cards),
        headlines=filling.headlines,
        covered=filling.covered,
        more=filling.more,
    )
    inside = (*filling.cards, *filling.headlines)
    return Window(
        due=Due.FREEZE, contents=contents, slot=slot, after=after, until=until, reason="",
        why={one.id: filling.why(one) for one in inside},
        texts=editions.texts(connection, [one.id for one in inside]),
    )  # fmt: skip


# --- freezing ---------------------------------------------------------------------------------------------------------


async def freeze_due(press: Press, store: Store, now: datetime) -> list[str]:
    """Freeze every edition whose slot has come, or hold it for approval; returns the slugs of those frozen."""
    made = []
    waiting = await store.read(holding.waiting)
    for digest in press.settings.digests:
        try:
            await _look_after(press, store, digest, [one for one in waiting if one.digest == digest.name], now)
            made += await _freeze_digest(press, store, digest, now)
        except (SyndicateError, ValueError) as error:  # a broken template: this digest waits, all else goes on
            log.error("no edition", digest=digest.name, error=str(error))
            await store.write(pauses.by_fault, f"{pauses.NOT_MADE}{digest.name}", str(error), now)
    return made


async def _freeze_digest(press: Press, store: Store, digest: DigestSettings, now: datetime) -> list[str]:
    window = await store.read(due_window, press, digest, now)
    if window is None and digest.approve:
        window = await store.read(coming_window, press, digest, now)
    if window is None:
        return []
    if window.due is not Due.FREEZE:
        await store.write(_pass_over, press, digest, window, now)
        log.info("no edition", digest=digest.name, reason=window.reason)
        return []
    slugs = await freeze_or_hold(press, store, digest, window, now)
    await store.write(pauses.heal, f"{pauses.NOT_MADE}{digest.name}")
    return slugs


async def freeze_or_hold(
    press: Press, store: Store, digest: DigestSettings, window: Window, now: datetime
) -> list[str]:
    """Freeze an edition that no person asked for, or hold it where one must approve; returns its slug if frozen."""
    if not digest.approve:
        made = await freeze(press, store, digest, window, now)
        return [] if made is None else [window.contents.slug]
    contents, payload = await asyncio.to_thread(render_edition, press, digest, window.contents, now)
    crashpoint("freeze.rendered")
    held = await store.write(_hold, press, digest, contents, payload, window, now)
    crashpoint("edition.held")
    if held is not None:
        log.info("edition held", edition=contents.slug, articles=len(contents.cards))
    return []


async def freeze(
    press: Press, store: Store, digest: DigestSettings, window: Window, now: datetime, *, by_hand: bool = False
) -> int | None:
    """Render and freeze one edition; returns its delivery, None where somebody else was first."""
    contents, payload = await asyncio.to_thread(render_edition, press, digest, window.contents, now)
    crashpoint("freeze.rendered")
    return await store.write(freeze_rendered, press, contents, payload, window, now, by_hand)


def freeze_rendered(
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


# --- approval ---------------------------------------------------------------------------------------------------------


def _hold(
    connection: Connection, press: Press, digest: DigestSettings, contents: Contents, payload: dict[str, object],
    window: Window, now: datetime,
) -> int | None:  # fmt: skip
    until = (window.slot or window.until) + digest.late_limit
    return holding.hold(
        connection, contents, payload, slot=window.slot, after=window.after, until=window.until, live=press.live,
        texts=_inside(window.texts, contents), why=window.why, now=now,
        reason=f"approve: {_asked(press, contents.slug, until)}",
    )  # fmt: skip


def _asked(press: Press, slug: str, until: datetime) -> str:
    local = until.astimezone(press.settings.site.zone)
    return f"`syndicate preview --digest {slug}`, then `syndicate approve {slug}`, until {local:%a %d %b %H:%M}"


def _inside(texts: Mapping[str, str], contents: Contents) -> dict[str, str]:
    """Of those that are in it: some may not have fitted."""
    return {one.id: texts[one.id] for one in (*contents.cards, *contents.headlines) if one.id in texts}


async def _look_after(
    press: Press, store: Store, digest: DigestSettings, waiting: Sequence[Waiting], now: datetime
) -> None:
    """End the editions that waited in vain, and hold those anew whose text is another by now."""
    for one in waiting:
        found = await store.read(what_now, press, digest, one, now)
        if isinstance(found, Window):
            await hold_anew(press, store, digest, one, found, now)
        elif found is not None and await store.write(holding.end, one, *found):
            log.info("no edition", digest=digest.name, edition=one.slug, reason=found[1])


def what_now(
    connection: Connection, press: Press, digest: DigestSettings, one: Waiting, now: datetime, *, heed: bool = True
) -> Window | tuple[str, str] | None:
    """What becomes of an edition that waits: it ends (as what, and why), is held with another text, or waits on.

    While a person stopped its digest it waits, unless that is not to be `heed`ed.
    """
    if heed and is_stopped(connection, digest.name):
        return None
    if one.state not in ("held", "planned") or one.live != press.live:
        return "skipped", f"given up: its delivery is {one.state}" if one.live == press.live else "email.live changed"
    if now - one.begun > digest.late_limit:
        return "expired", f"expired: nobody approved it within digests.late_limit ({span(digest.late_limit)})"
    if one.slot and not one.is_approved and one.slot < (_turn(press, digest, now) or one.slot):
        return "expired", "expired: nobody approved it before the next one's turn"
    if holding.is_current(connection, one):
        return None
    window = _again(connection, press, digest, one, now)
    if len(window.contents.cards) < (1 if is_each(digest) else max(1, digest.min_articles)):
        return "skipped", "skipped: articles went that were in it, and too few are left"
    return window


def _turn(press: Press, digest: DigestSettings, now: datetime) -> datetime | None:
    """The slot whose edition is to be made by now."""
    zone = press.settings.site.zone
    return last_slot(digest.schedule, zone, now + digest.proof if digest.proof else now)


def _again(connection: Connection, press: Press, digest: DigestSettings, one: Waiting, now: datetime) -> Window:
    if one.slot is None:
        ids = list(editions.texts(connection, one.texts))
        return window_of_one(connection, press, digest, articles.many(connection, ids), now, slug=one.slug)
    found = editions.candidates(connection, digest.name, press.live, min(one.until, now), now)
    return _window(connection, press, digest, found, one.slot, after=one.since, until=one.until, slug=one.slug)


async def hold_anew(
    press: Press, store: Store, digest: DigestSettings, one: Waiting, window: Window, now: datetime
) -> bool:
    """Hold an edition with the text of this moment, approved or not; false where somebody else was first."""
    contents, payload = await asyncio.to_thread(render_edition, press, digest, window.contents, now)
    crashpoint("freeze.rendered")
    reason = f"approve: edited since: {_asked(press, one.slug, (one.slot or one.until) + digest.late_limit)}"
    texts = _inside(window.texts, contents)
    changed = await store.write(
        holding.change, one, contents, payload, texts=texts, why=window.why, reason=reason, now=now
    )
    crashpoint("edition.held")
    return changed


async def release_due(press: Press, store: Store, now: datetime) -> list[str]:
    """Write the letters of approved editions whose moment has come; returns their slugs."""
    released = []
    for one in await store.read(_approved, press, now):
        people = await store.write(holding.release, one, now)
        if people is not None:
            released.append(one.slug)
            log.info("edition frozen", edition=one.slug, people=people)
    return released


def _approved(connection: Connection, press: Press, now: datetime) -> list[Waiting]:
    limits = {digest.name: digest.late_limit for digest in press.settings.digests}
    return [
        one
        for one in holding.approved(connection, now, press.live)
        if now - one.begun <= limits.get(one.digest, timedelta(0)) and not is_stopped(connection, one.digest)
    ]


# --- letters of their own ---------------------------------------------------------------------------------------------


def window_of_one(
    connection: Connection, press: Press, digest: DigestSettings, found: Sequence[Article], now: datetime,
    *, slug: str = "",
) -> Window:  # fmt: skip
    """The edition of a digest that mails each article by itself; without cards where it is gone."""
    whole = tuple(whole_articles(connection, press, found[:1]))
    contents = Contents(
        slug=slug or editions.free_slug(connection, f"{digest.name}-{whole[0].slug}"),
        digest=digest.name,
        title=press.settings.site.title,
        date=now.astimezone(press.settings.site.zone),
        cards=whole,
        covered=len(whole),
    )
    return Window(
        due=Due.FREEZE, contents=contents, slot=None, after=None, reason="",
        until=(whole[0].released or now) if whole else now, why={one.id: "a letter of its own" for one in whole},
        texts=editions.texts(connection, [one.id for one in whole]),
    )  # fmt: skip


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
