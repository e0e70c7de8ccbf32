"""What the newsroom's pages need from the rest of the program. Names it, never implements it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from syndicate.store.catalogue import Listed, Reader, Try
from syndicate.store.stories import Event
from syndicate.store.today import Owed
from syndicate.web.today import Today

Cursor = tuple[datetime, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticlePage:
    """One article with its whole story."""

    listed: Listed
    repairs: Sequence[str]
    description: str
    authors: Sequence[str]
    image: str
    image_state: str
    story: Sequence[Event]
    deliveries: Sequence[Owed]
    channels: Sequence[str]  # where it can be previewed


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPage:
    """One delivery's log."""

    owed: Owed
    seen: str  # of one that is held: tells the text of its article or edition from every other
    tries: Sequence[Try]
    people: Mapping[str, int]  # letters by state
    why: Mapping[str, str] = field(default_factory=dict)  # of an edition: article -> why it is in


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonPage:
    """One person, and what was kept of him."""

    reader: Reader
    story: Sequence[Event]


class Newsroom(Protocol):
    """The ledger, for its owner's eyes. Nothing here changes anything."""

    async def today(self) -> Today:
        """The first page: looked up once, however many look, and never from before `forget`."""
        ...

    def now(self) -> datetime: ...

    def forget(self) -> None:
        """Something was done: what was looked up before is old."""
        ...

    async def counts(self) -> Mapping[str, int]:
        """Articles by state."""
        ...

    async def articles(self, state: str, before: Cursor | None) -> Sequence[Listed]:
        """One more than a page holds."""
        ...

    async def article(self, article: str) -> ArticlePage | None: ...

    async def deliveries(self, channel: str, state: str, before: int | None) -> Sequence[Owed]:
        """One more than a page holds, of a channel and a state."""
        ...

    async def delivery(self, delivery: int) -> DeliveryPage | None: ...

    async def people(self, begins: str, before: int | None) -> Sequence[Reader]:
        """One more than a page holds."""
        ...

    async def person(self, person: int) -> PersonPage | None: ...

    async def preview_delivery(self, delivery: int, part: str) -> str | None:
        """What was frozen for a delivery, or would be now: as HTML, or where `part` is text as that."""
        ...

    async def preview_article(self, article: str, channel: str) -> str | None:
        """What one channel would make of an article now, as HTML."""
        ...

    async def preview_digest(self, name: str) -> str | None:
        """The edition that waits, or would be made now, as HTML."""
        ...

    @property
    def channels(self) -> Mapping[str, bool]:
        """Every channel there is, and whether it is live."""
        ...
