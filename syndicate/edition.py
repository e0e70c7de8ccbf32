"""What one issue of a digest holds. Pure values; rendering and sending happen elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from syndicate.article import Article


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The articles of one edition, in their order, and the counts that are told with them (rule 18)."""

    slug: str
    digest: str | None  # None: an article as a letter of its own
    title: str
    date: datetime  # aware, in the site's zone: it is shown
    cards: tuple[Article, ...]
    headlines: tuple[Article, ...] = ()
    covered: int  # all articles of the window
    more: int = 0  # counted, neither card nor headline

    def __post_init__(self) -> None:
        if self.date.tzinfo is None:
            raise ValueError("the date of an edition needs its zone")
