"""A made-up edition: what `check` renders, so that a broken template shows before its day."""

from __future__ import annotations

from datetime import UTC, datetime

from syndicate.article import Article, Manuscript, State
from syndicate.config import Settings
from syndicate.edition import Contents

_TITLES = ("The ferry leaves early this week", "Bread at five in the morning", "What the tide table does not say")


def sample_moment() -> datetime:
    """A moment that never changes."""
    return datetime(2026, 3, 6, 9, 0, tzinfo=UTC)


def sample_contents(settings: Settings, digest: str) -> Contents:
    """Two cards and a headline."""
    made = [_article(settings, number, title) for number, title in enumerate(_TITLES)]
    return Contents(
        slug=f"{digest}-sample",
        digest=digest,
        title=settings.site.title,
        date=sample_moment().astimezone(settings.site.zone),
        cards=tuple(made[:2]),
        headlines=tuple(made[2:]),
        covered=9,
        more=6,
    )


def _article(settings: Settings, number: int, title: str) -> Article:
    said = Manuscript(
        title=title,
        description="A sample sentence stands here. A second one follows, so that a card has two.",
        authors=("Sam Sample",),
        cta="Follow us for more.",
        slug=f"sample-{number}",
        words=400,
        body="A sample paragraph.\n",
    )
    return Article(
        id=f"00000000-0000-5000-8000-00000000000{number}", source="sample", path=f"sample-{number}.md",
        slug=said.slug, url=f"{settings.site.url}/{said.slug}/", manuscript=said, state=State.READY,
        first_seen=sample_moment(), updated=sample_moment(), released=sample_moment(),
    )  # fmt: skip
