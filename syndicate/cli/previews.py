"""What would be sent, as commands show it: the parts that a preview needs, a file, or the browser."""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from syndicate.cli.session import Session
from syndicate.errors import UsageError
from syndicate.preview import Adapter, Preview

if TYPE_CHECKING:
    from syndicate.channels.base import Channel
    from syndicate.config import DigestSettings
    from syndicate.freeze import Window
    from syndicate.press import Press
    from syndicate.store.database import Store


def for_file(shown: Preview, suffix: str) -> str:
    """Its content for a file of that kind."""
    if suffix == ".json":
        return json.dumps(shown.document, ensure_ascii=False, indent=2, default=str) + "\n"
    return shown.text + "\n" if suffix == ".txt" else shown.html


def in_browser(shown: Preview, data: Path) -> None:
    """Show it in the browser."""
    page = data.absolute() / "preview.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(shown.html, encoding="utf-8")
    webbrowser.open(page.as_uri())


def of_digest(session: Session, store: Store, digest: DigestSettings, slug: str | None = None) -> Preview:
    """The edition that waits, or that would be made now. Raises UsageError."""
    from syndicate import preview

    return preview.of_digest(store, press_of(session), digest, session.clock.now(), slug)


def by_hand(session: Session, store: Store, digest: DigestSettings) -> list[Window]:
    """What `digest NAME` would send now. Raises UsageError."""
    from syndicate import preview

    return preview.by_hand(store, press_of(session), digest, session.clock.now())


def of_article(session: Session, store: Store, reference: str, channel: str) -> Preview:
    """One article on one channel. Raises UsageError."""
    from syndicate import preview

    press = press_of(session) if channel == preview.EMAIL else None
    return preview.of_article(store, reference, channel, adapters(session), press, session.clock.now())


def of_delivery(session: Session, store: Store, delivery: int) -> Preview | None:
    """What was frozen for a delivery, if anything."""
    from syndicate import preview

    return preview.of_delivery(store, delivery, adapters(session))


def press_of(session: Session) -> Press:
    """What renders letters here. Raises UsageError."""
    from syndicate.app import press

    made = press(session.settings)
    if made is None:
        raise UsageError("there is no [email] in the configuration: a digest has no way to people")
    return made


def adapters(session: Session) -> Adapter:
    """Public channels that only compose and show: they open nothing."""

    def adapter(name: str) -> Channel | None:
        from syndicate import publics
        from syndicate.app import make_fetcher
        from syndicate.clock import system_chance

        if name not in session.settings.publics:
            return None
        fetcher = make_fetcher(session.settings, session.clock, system_chance())
        parts = publics.Parts(settings=session.settings, fetcher=fetcher, clock=session.clock)
        return publics.channel(name, parts)

    return adapter
