"""hand: what a person decides -> catalogue, ledger. Verdicts, pauses, and what became of a delivery: each has one way
that the commands and the newsroom share.

What is done already is not done, nor noted, again; where a person was shown something else than what stands by now
(`seen`), nothing is done. Asks nobody and prints nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from syndicate.clock import Clock
from syndicate.config import Settings
from syndicate.errors import UsageError
from syndicate.store import (
    acts,
    articles,
    deliveries,
    highwater,
    holding,
    ledger,
    pauses,
    subscribers,
    suppressing,
    verdicts,
)
from syndicate.store.database import AnyRow, Store
from syndicate.store.holding import Waiting
from syndicate.store.suppressing import Resumed

if TYPE_CHECKING:
    from syndicate.config import DigestSettings
    from syndicate.freeze import Window
    from syndicate.press import Press

RULE = "approve"  # holds posts and editions of channels and digests with `approve = true`
LOOKS = 3  # at an edition that changes as often while it is being approved
MARK = 12  # characters of a text's hash that people are shown


class Stale(UsageError):
    """A delivery is further than was shown: there was nothing to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """Whose hand it is, and what it can reach."""

    store: Store
    settings: Settings
    clock: Clock
    who: str
    press: Press | None = None  # for editions


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of an edition."""

    edition: str
    verdict: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """What a rule holds: ids of articles, slugs of editions."""

    articles: Sequence[str] = ()
    editions: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.articles) + len(self.editions)


# --- verdicts ---------------------------------------------------------------------------------------------------------


def meant(connection: Connection, rule: str | None, *, quiet: bool = False) -> Meant:
    """All that a rule holds; with None all that is held. Into the feeds alone (`quiet`) goes no edition."""
    ids = articles.held_by(connection, rule)
    if rule not in (None, RULE):
        return Meant(articles=ids)
    ids = list(dict.fromkeys([*ids, *ledger.held_for_approval(connection)]))
    return Meant(articles=ids, editions=() if quiet else held_editions(connection))


def held_editions(connection: Connection) -> list[str]:
    """Slugs of the editions that wait for a person."""
    return [one.slug for one in holding.waiting(connection) if one.state == "held"]


async def approve(
    hand: Hand, ids: Sequence[str], *, quiet: bool = False, seen: Mapping[str, str] | None = None
) -> list[AnyRow]:
    """Release these articles and their held deliveries; returns (id, path, hash) of each as it was when that was
    written. `seen`: id -> the first characters of the hash of the text that was looked at.
    """
    return await _rule(hand, ids, "approved", None, quiet=quiet, seen=seen or {})


async def reject(hand: Hand, article: str, because: str) -> list[AnyRow]:
    """Reject an article for good: it leaves the feeds, and what was open is cancelled."""
    return await _rule(hand, [article], "rejected", because)


async def _rule(
    hand: Hand, ids: Sequence[str], verdict: str, because: str | None, *, quiet: bool = False,
    seen: Mapping[str, str] | None = None,
) -> list[AnyRow]:  # fmt: skip
    from syndicate.desk import Desk
    from syndicate.publish import publish_if_changed

    desk = Desk(hand.settings, tuple(hand.settings.publics))

    def decide(connection: Connection) -> list[AnyRow]:
        articles.lock(connection)
        texts = articles.texts(connection, ids)
        _look(texts, seen or {})
        fresh = verdicts.open_to(connection, ids, verdict, because, quiet=quiet)
        if ruled := [one for one in ids if one in fresh]:
            desk.rule(connection, ruled, verdict, because, hand.clock.now(), quiet=quiet, who=hand.who)
        return texts

    texts = await hand.store.write(decide)
    await publish_if_changed(hand.store, hand.settings)
    return texts


def _look(texts: Sequence[AnyRow], seen: Mapping[str, str]) -> None:
    """Raises UsageError where a text is another than the one that was looked at."""
    for one in texts:
        if not one.hash.startswith(seen.get(one.id, "")):
            raise UsageError(f"{one.path} was edited since you looked at it: look again, then decide")


# --- editions ---------------------------------------------------------------------------------------------------------


async def approve_edition(hand: Hand, slug: str, seen: str = "") -> Told:
    """Approve of an edition with the text that was frozen, as long as that is the text.

    One whose text is another by now is frozen anew, and waits for a second look. `seen`: the mark of what was looked
    at. Raises UsageError.
    """
    press = hand.press
    if press is None:
        raise UsageError("there is no [email] in the configuration: an edition has no way to people")
    for _ in range(LOOKS):
        [*found] = await hand.store.read(holding.waiting, None, slug)
        if not found or found[0].state != "held":
            text = "was approved, or has ended, by somebody else just now"
            return Told(edition=slug, verdict="already", text=text)
        if seen and holding.mark(found[0]) != seen:
            return _changed(slug)
        if told := await _approve(hand, press, found[0]):
            return told
    raise UsageError(f"{slug} changes all the time: try again")


async def _approve(hand: Hand, press: Press, one: Waiting) -> Told | None:
    """None: somebody moved it meanwhile."""
    from syndicate.freeze import what_now

    now, digest = hand.clock.now(), _digest(press, one)
    fate = await hand.store.read(what_now, press, digest, one, now, heed=False)
    if isinstance(fate, tuple):
        ended = await hand.store.write(holding.end, one, *fate)
        return Told(edition=one.slug, verdict=fate[0], text=fate[1]) if ended else None
    if fate is not None:
        return await _hold_anew(hand, press, digest, one, fate, now)
    if not await hand.store.write(_sign, one, hand.who, now):
        return None
    return Told(edition=one.slug, verdict="approved", text=await hand.store.read(_when, hand.settings, one, now))


async def _hold_anew(
    hand: Hand, press: Press, digest: DigestSettings, one: Waiting, window: Window, now: datetime
) -> Told | None:
    from syndicate.freeze import hold_anew

    return _changed(one.slug) if await hold_anew(press, hand.store, digest, one, window, now) else None


def _changed(slug: str) -> Told:
    text = f"its text was edited: look at it (`syndicate preview --digest {slug}`) and approve it again"
    return Told(edition=slug, verdict="held", text=text)


def _digest(press: Press, one: Waiting) -> DigestSettings:
    for digest in press.settings.digests:
        if digest.name == one.digest:
            return digest
    raise UsageError(f"{one.slug}: there is no digest {one.digest!r} in the configuration any more")


def _sign(connection: Connection, one: Waiting, who: str, now: datetime) -> bool:
    if not holding.approve(connection, one, now):
        return False
    acts.note(connection, [one.slug], "approved", who, now)
    return True


def _when(connection: Connection, settings: Settings, one: Waiting, now: datetime) -> str:
    [now_waiting] = holding.waiting(connection, slug=one.slug) or [one]
    due = now_waiting.due_at or now
    people = subscribers.audience(connection, one.digest, due)
    when = f"at its slot, {due.astimezone(settings.site.zone):%a %d %b %H:%M}" if due > now else "now"
    return f"{one.title!r} goes to {people:,} people {when}, by `syndicate run`"


# --- pauses -----------------------------------------------------------------------------------------------------------


def key_of(connection: Connection, settings: Settings, name: str) -> str:
    """What a pause of that name is kept under; "" is everything. Raises UsageError for a name of nothing."""
    if not name:
        return pauses.EVERYTHING
    channels, digests = list(settings.channels), [digest.name for digest in settings.digests]
    if name in channels or (name.startswith("email:") and pauses.stands(connection, name)):  # a domain that rests
        return name
    if name in digests:
        return f"digest:{name}"
    raise UsageError(f"{name!r} is neither a channel nor a digest: one of {', '.join([*channels, *digests]) or 'none'}")


def pause(connection: Connection, settings: Settings, name: str, because: str, now: datetime) -> str:
    """Stop everything (""), a channel or a digest; returns the reason that stands.

    A pause that keeps a restored backup from sending twice is not written over: it would end with any `resume`.
    """
    key = key_of(connection, settings, name)
    if key == pauses.EVERYTHING and highwater.is_behind(connection):
        return pauses.standing(connection)[key]
    pauses.pause(connection, key, because, now)
    return because


def resume(
    connection: Connection, settings: Settings, name: str, now: datetime, forgive: bytes | None = None
) -> Resumed:
    """End every pause (""), or one; `forgive`, the secret, takes people back first. Raises UsageError."""
    key = key_of(connection, settings, name) if name else None
    if forgive is not None and (key is None or (key != "email" and not key.startswith("digest:"))):
        raise UsageError("--forgive needs the name of the digest whose people are to come back, or email")
    if key is None and highwater.is_behind(connection):
        raise UsageError("a backup was restored: say --assume-sent or --assume-unsent; `syndicate status` tells why")
    return suppressing.resume(connection, key, now, forgive)


# --- deliveries -------------------------------------------------------------------------------------------------------


def retry(connection: Connection, delivery: int, who: str, now: datetime, seen: str = "") -> str:
    """Try again what did not go out. Raises UsageError, as do the others."""
    _stands(connection, delivery, seen)
    return acts.change(connection, "retried", who, now, deliveries.retry, delivery, now)


def cancel(connection: Connection, delivery: int, who: str, now: datetime, seen: str = "") -> str:
    """Cancel what has not gone out."""
    _stands(connection, delivery, seen)
    return acts.change(connection, "cancelled", who, now, deliveries.cancel, delivery)


def resolve(
    connection: Connection, delivery: int, url: str | None, who: str, now: datetime, seen: str = ""
) -> str:  # fmt: skip
    """Say that it is there, at this address, or with None that it is not."""
    _stands(connection, delivery, seen)
    return acts.change(connection, "resolved", who, now, deliveries.resolve, delivery, url, now)


def _stands(connection: Connection, delivery: int, seen: str) -> None:
    """Raises Stale where a delivery is not in the state that was `seen`.

    No lock: two at once both pass here, and the second finds in `deliveries` that there is nothing left to do.
    """
    if seen and (state := deliveries.state_of(connection, delivery)) != seen:
        raise Stale(f"delivery {delivery} is {state} by now: nothing was done")
