"""A small real office behind the web: a signer, a folder of feeds and a set of people in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from syndicate.config import FeedSettings, Site, WebSettings
from syndicate.signer import Signer


@dataclass
class SmallOffice:
    """Fulfils `syndicate.web.office.Office`."""

    feed_folder: Path
    site: Site = field(
        default_factory=lambda: Site(
            title="The Harbour Post", url="https://harbour.example", description="News from the quay, and nowhere else."
        )
    )
    web: WebSettings = field(default_factory=WebSettings)
    feeds: FeedSettings = field(default_factory=FeedSettings)
    templates: Path | None = None
    signer: Signer = field(default_factory=lambda: Signer(b"a secret of the tests, long enough"))
    people: set[int] = field(default_factory=lambda: {7})
    healthy: bool = True
    working: bool = True
    broken: bool = False

    async def unsubscribe(self, subscriber: int) -> bool:
        if self.broken:
            raise RuntimeError("the database is on fire")
        known = subscriber in self.people
        self.people.discard(subscriber)
        return known

    async def health(self) -> Mapping[str, object]:
        return {"ok": self.healthy and self.working, "works": self.working, "problems": 0 if self.healthy else 1}

    async def ready(self) -> bool:
        return self.working

    async def metrics(self) -> bytes:
        return b"syndicate_problems 0.0\n"

    def link(self, purpose: str = "unsubscribe", subscriber: int = 7) -> str:
        return f"/{purpose}/{self.signer.token(purpose, subscriber)}"
