"""What one issue of a digest holds. Pure values; rendering and sending happen elsewhere."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from syndicate.article import Article
from syndicate.worth import APART, Aired, Heard, Score, quoted, rate


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
    ranked: tuple[Article, ...]  # cards and headlines, the best first
    scores: dict[str, Score]  # of every article that was free, by its id
    twins: dict[str, Aired]  # left out for what they are near-twins of

    def why(self, article: Article) -> str:
        """What became of an article of the window, by which score, and who was ahead."""
        if twin := self.twins.get(article.id):
            return f"only counted: near-twin of {quoted(twin.title)}"
        own = self.scores[article.id]
        for place, chosen in (("card", self.cards), ("headline", self.headlines)):
            if any(one.id == article.id for one in chosen):
                return f"{place}: {own}"
        ahead = [f"; {quoted(last.title)} is ahead {self.scores[last.id].lead(own)}" for last in self.ranked[-1:]]
        return f"only counted: {own}{''.join(ahead)}"


def fill(
    window: Sequence[Article], used: Set[str], *, cards: int, headlines: int, now: datetime, recent: Sequence[Aired]
) -> Filling:
    """Choose the articles of an edition: the best as cards, the next as headlines, the rest only counted (rule 18).

    `window` is newest first; `recent` went out in editions of this digest. What was in one is not in it again, and no
    near-twin of that either, or of a better one in this edition.
    """
    free = [article for article in window if article.id not in used]
    scores = _scores(free, now, recent)
    ranked = sorted(free, key=lambda article: (-scores[article.id].total, -_released(article).timestamp()))
    heard, twins, inside = Heard(recent, now), dict[str, Aired](), list[Article]()
    for article in ranked:
        if len(inside) == cards + headlines:
            break
        if twin := heard.twin(article.title):
            twins[article.id] = twin
        else:
            inside.append(article)
            heard.add(Aired(title=article.title, moment=now))
    chosen, others = inside[:cards], inside[cards:]
    lead, rest = chosen[:1], chosen[1:]
    newest = {article.id: place for place, article in enumerate(free)}
    return Filling(
        cards=(*lead, *sorted(rest, key=lambda article: newest[article.id])),
        headlines=tuple(sorted(others, key=lambda article: newest[article.id])),
        covered=len(free),
        more=len(free) - len(inside),
        ranked=tuple(inside),
        scores=scores,
        twins=twins,
    )


def _scores(free: Sequence[Article], now: datetime, recent: Sequence[Aired]) -> dict[str, Score]:
    """The score of posts; fresh is what is young beside the oldest of the window."""
    ages = {article.id: now - _released(article) for article in free}
    span = max([APART, *ages.values()])
    authors = [author for one in recent for author in one.authors]
    titles = [one.title for one in recent]
    return {
        article.id: rate(
            age=ages[article.id],
            span=span,
            has_image=bool(article.manuscript.hero_image),
            title=article.title,
            description=article.manuscript.description,
            authors=article.manuscript.authors,
            late_authors=authors,
            late_titles=titles,
        )
        for article in free
    }


def _released(article: Article) -> datetime:
    return article.released or article.first_seen
