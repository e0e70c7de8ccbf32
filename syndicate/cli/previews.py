"""Exactly what would be sent, for the eye, for a file, or as JSON."""

from __future__ import annotations

import json
import webbrowser
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syndicate.cli.session import Session
from syndicate.errors import UsageError

if TYPE_CHECKING:
    from syndicate.channels.base import Channel, Shown
    from syndicate.config import DigestSettings
    from syndicate.freeze import Window
    from syndicate.press import Press
    from syndicate.store.database import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """One thing that would be sent."""

    text: str
    html: str
    document: Mapping[str, Any]
    frozen: Mapping[str, Any] | None = None  # of a letter: as it would be kept, each reader's links still marks

    def for_file(self, suffix: str) -> str:
        """Its content for a file of that kind."""
        if suffix == ".json":
            return json.dumps(self.document, ensure_ascii=False, indent=2, default=str) + "\n"
        return self.text + "\n" if suffix == ".txt" else self.html

    def open(self, data: Path) -> None:
        """Show it in the browser."""
        page = data.absolute() / "preview.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(self.html, encoding="utf-8")
        webbrowser.open(page.as_uri())


def of_digest(session: Session, store: Store, digest: DigestSettings, slug: str | None = None) -> Preview:
    """The edition that waits (of that slug, or the first), else the one that `digest NAME` would make now.

    Of a digest that mails each article by itself, the letter of the first.
    """
    from syndicate.press import render_edition
    from syndicate.store import deliveries, holding

    made = press_of(session)
    for one in store.read_now(holding.waiting, digest.name, slug):
        if frozen := store.read_now(deliveries.frozen, one.delivery)[1]:
            return of_letter(frozen)
    windows = by_hand(session, store, digest)
    if not windows:
        raise UsageError(f"{digest.name}: no ready article that is new to it")
    return of_letter(render_edition(made, digest, windows[0].contents, session.clock.now())[1])


def by_hand(session: Session, store: Store, digest: DigestSettings) -> list[Window]:
    """What `digest NAME` would send now: one edition, or a letter for each article; none where nothing is new."""
    from syndicate.freeze import windows_by_hand

    return store.read_now(windows_by_hand, press_of(session), digest, session.clock.now())


def press_of(session: Session) -> Press:
    """What renders letters here. Raises UsageError."""
    from syndicate.app import press

    made = press(session.settings)
    if made is None:
        raise UsageError("there is no [email] in the configuration: a digest has no way to people")
    return made


def of_article(session: Session, store: Store, reference: str, channel: str) -> Preview:
    """One article on one channel."""
    from syndicate.store import articles

    article = store.read_now(articles.find, reference)
    if channel == "email":
        from syndicate.press import as_sent, render_letter

        made = press_of(session)
        return of_letter(render_letter(made, store.read_now(as_sent, made, article), session.clock.now()))
    if channel in session.settings.publics:
        from syndicate.deliver import announce
        from syndicate.store import checks

        adapter = _adapter(session, channel)
        dressed, lost_image = store.read_now(checks.dress_one, article)
        payload = adapter.compose(announce(dressed, channel, lost_image))
        shown = adapter.preview(payload)
        document = {**payload, "body": json.loads(payload["body"])}
        return Preview(text=shown.text, html=shown.html, document=document)
    raise UsageError(f"there is no channel {channel!r} in the configuration")


def shown(session: Session, channel: str, payload: Mapping[str, Any]) -> Shown:
    """What was frozen for a public channel, as people see it there."""
    return _adapter(session, channel).preview(payload)


def _adapter(session: Session, channel: str) -> Channel:
    """A public channel that only composes and shows: it opens nothing."""
    from syndicate import publics
    from syndicate.app import make_fetcher
    from syndicate.clock import system_chance

    fetcher = make_fetcher(session.settings, session.clock, system_chance())
    return publics.channel(channel, publics.Parts(settings=session.settings, fetcher=fetcher, clock=session.clock))


def of_letter(payload: Mapping[str, Any]) -> Preview:
    """A frozen letter; its links lead nowhere."""
    from syndicate.letter import fill_marks

    links = {"unsubscribe_url": "#unsubscribe", "preferences_url": "#preferences"}
    html, text = fill_marks(payload["html"], **links), fill_marks(payload["text"], **links)
    shown = f"Subject: {payload['subject']}\n{payload['preheader']}\n\n{text}"
    return Preview(text=shown, html=html, document={**payload, "html": html, "text": text}, frozen=payload)
