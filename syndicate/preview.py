"""preview: exactly what would be sent, or was frozen, for a person to look at. Sends and stores nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from syndicate.errors import UsageError
from syndicate.store import articles, checks, deliveries, holding
from syndicate.store.database import Store

if TYPE_CHECKING:
    from syndicate.channels.base import Channel
    from syndicate.config import DigestSettings
    from syndicate.freeze import Window
    from syndicate.press import Press

EMAIL = "email"

Adapter = Callable[[str], "Channel | None"]
"""The public channel of a name; it is asked to compose and to show only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """One thing that would be sent."""

    text: str
    html: str  # a page of its own; hostile where an article is: show it in a sandbox
    document: Mapping[str, Any]
    frozen: Mapping[str, Any] | None = None  # of a letter: as it would be kept, each reader's links still marks


def of_digest(store: Store, press: Press, digest: DigestSettings, now: datetime, slug: str | None = None) -> Preview:
    """The edition that waits (of that slug, or the first), else the one that `digest NAME` would make now.

    Of a digest that mails each article by itself, the letter of the first. Raises UsageError where there is none.
    """
    from syndicate.press import render_edition

    for one in store.read_now(holding.waiting, digest.name, slug):
        if frozen := store.read_now(deliveries.frozen, one.delivery)[1]:
            return of_letter(frozen)
    windows = by_hand(store, press, digest, now)
    if not windows:
        raise UsageError(f"{digest.name}: no ready article that is new to it")
    return of_letter(render_edition(press, digest, windows[0].contents, now)[1])


def by_hand(store: Store, press: Press, digest: DigestSettings, now: datetime) -> list[Window]:
    """What `digest NAME` would send now: one edition, or a letter for each article; none where nothing is new."""
    from syndicate.freeze import windows_by_hand

    return store.read_now(windows_by_hand, press, digest, now)


def of_article(
    store: Store, reference: str, channel: str, adapter: Adapter, press: Press | None, now: datetime
) -> Preview:  # fmt: skip
    """One article on one channel. Raises UsageError."""
    article = store.read_now(articles.find, reference)
    if channel == EMAIL:
        from syndicate.press import as_sent, render_letter

        if press is None:
            raise UsageError("there is no [email] in the configuration: a letter has no way to people")
        return of_letter(render_letter(press, store.read_now(as_sent, press, article), now))
    from syndicate.deliver import announce

    made = adapter(channel)
    if made is None:
        raise UsageError(f"there is no channel {channel!r} in the configuration")
    dressed, lost_image = store.read_now(checks.dress_one, article)
    payload = made.compose(announce(dressed, channel, lost_image))
    return _as_shown(made, payload)


def of_delivery(store: Store, delivery: int, adapter: Adapter) -> Preview | None:
    """What was frozen for a delivery; None where its text is not written yet, or its channel is none any more.

    Raises UsageError where there is no such delivery.
    """
    row, payload = store.read_now(deliveries.frozen, delivery)
    if payload is None or row["channel"] == EMAIL:
        return of_letter(payload) if payload else None
    channel = adapter(row["channel"])
    return _as_shown(channel, payload) if channel else None


def of_letter(payload: Mapping[str, Any]) -> Preview:
    """A frozen letter; its links lead nowhere."""
    from syndicate.letter import fill_marks

    links = {"unsubscribe_url": "#unsubscribe", "preferences_url": "#preferences"}
    html, text = fill_marks(payload["html"], **links), fill_marks(payload["text"], **links)
    shown = f"Subject: {payload['subject']}\n{payload['preheader']}\n\n{text}"
    return Preview(text=shown, html=html, document={**payload, "html": html, "text": text}, frozen=payload)


def _as_shown(channel: Channel, payload: Mapping[str, Any]) -> Preview:
    shown = channel.preview(payload)
    return Preview(text=shown.text, html=shown.html, document={**payload, "body": json.loads(payload["body"])})
