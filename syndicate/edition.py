"""What one issue of a digest holds. Pure values; rendering and sending happen elsewhere."""

from __future__ import annotations

from collections.abc import Sequence, Set
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """Which articles of a window become what."""

    cards: tuple[Article, ...]
    headlines: tuple[Article, ...]
    covered: int
    more: int


def fill(window: Sequence[Article], used: Set[str], *, cards: int, headlines: int) -> Filling:
    """Choose the articles of an edition: the best as cards, the next as headlines, the rest only counted (rule 18).

    `window` is newest first. An article that was in an edition of this digest is not in it again.
    """
    free = [article for article in window if article.id not in used]
    ranked = sorted(free, key=_worth, reverse=True)
    chosen, others = ranked[:cards], ranked[cards : cards + headlines]
    lead, rest = chosen[:1], chosen[1:]
    newest = {article.id: place for place, article in enumerate(free)}
    return Filling(
        cards=(*lead, *sorted(rest, key=lambda article: newest[article.id])),
        headlines=tuple(sorted(others, key=lambda article: newest[article.id])),
        covered=len(free),
        more=len(free) - len(chosen) - len(others),
    )


def _worth(article: Article) -> tuple[int, float]:
    """A picture and a fair description make a card; among equals the newest."""
    said = article.manuscript
    length = len(said.description)
    good = 2 if 60 <= length <= 400 else 1 if length else 0
    return good + (2 if said.hero_image else 0), (article.released or article.first_seen).timestamp()
