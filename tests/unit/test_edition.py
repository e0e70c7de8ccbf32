"""Which articles of a window an edition holds, and how."""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.article import Article
from syndicate.edition import Contents, Filling, fill
from syndicate.worth import Aired
from tests.factories import NOON, make_article


def article(number: int, *, image: bool = False, description: str = "", hours: int | None = None) -> Article:
    age = timedelta(hours=number if hours is None else hours)
    hero = "https://example.org/a.jpg" if image else None
    title = f"Number {number}"
    return make_article(
        slug=f"a{number}", title=title, released=NOON - age, hero_image=hero, description=description
    )  # fmt: skip


def filled(
    window: list[Article], used: Set[str] = frozenset(), *, cards: int, headlines: int, recent: Sequence[Aired] = ()
) -> Filling:
    return fill(window, used, cards=cards, headlines=headlines, now=NOON, recent=recent)


def slugs(articles: tuple[Article, ...]) -> list[str]:
    return [one.slug for one in articles]


def test_an_empty_window_gives_nothing() -> None:
    found = filled([], cards=12, headlines=20)
    assert (found.cards, found.headlines, found.covered, found.more) == ((), (), 0, 0)


def test_the_best_leads_and_the_other_cards_are_newest_first() -> None:
    window = [article(1), article(2, description="x" * 100), article(3, image=True, description="x" * 100), article(4)]
    found = filled(window, cards=3, headlines=20)
    assert slugs(found.cards) == ["a3", "a1", "a2"]
    assert slugs(found.headlines) == ["a4"]


def test_what_is_neither_card_nor_headline_is_counted() -> None:
    found = filled([article(number) for number in range(9)], cards=2, headlines=3)
    assert (len(found.cards), len(found.headlines), found.covered, found.more) == (2, 3, 9, 4)


def test_headlines_are_newest_first_whatever_they_are_worth() -> None:
    best = article(4, image=True, description="x" * 100)
    window = [article(1), article(2), article(3, image=True), best]
    assert slugs(filled(window, cards=1, headlines=3).headlines) == ["a1", "a2", "a3"]


def test_no_headlines_are_wanted() -> None:
    found = filled([article(1), article(2)], cards=1, headlines=0)
    assert (slugs(found.headlines), found.more) == ([], 1)


def test_what_was_in_an_edition_of_this_digest_is_neither_in_it_nor_counted() -> None:
    window = [article(number) for number in range(4)]
    used = {window[0].id, window[2].id}
    found = filled(window, used, cards=12, headlines=20)
    assert slugs(found.cards) == ["a1", "a3"]
    assert found.covered == 2


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (article(2, image=True), article(1)),
        (article(2, description="x" * 60), article(1, description="x" * 59)),
        (article(2, description="x" * 400), article(1, description="x" * 401)),
        (article(2, description="x"), article(1)),
        (article(2, image=True), article(1, description="x")),
        (article(1), article(2)),
    ],
)
def test_a_picture_and_a_fair_description_make_the_lead_then_age(better: Article, worse: Article) -> None:
    window = sorted([better, worse], key=lambda one: one.slug)
    assert filled(window, cards=1, headlines=0).cards == (better,)


def test_the_date_of_an_edition_needs_its_zone() -> None:
    with pytest.raises(ValueError, match="zone"):
        Contents(slug="w", digest="weekly", title="T", date=datetime(2026, 1, 1), cards=(), covered=0)  # noqa: DTZ001


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 500), st.integers(0, 3)), max_size=12),
    st.sets(st.integers(0, 11)),
    st.integers(0, 5),
    st.integers(0, 5),
)
def test_every_free_article_is_in_one_place_and_counted_once(
    window: list[tuple[bool, int, int]], used: set[int], cards: int, headlines: int
) -> None:
    articles = [
        article(number, image=image, description="x" * length, hours=hours)
        for number, (image, length, hours) in enumerate(window)
    ]
    taken = {one.id for number, one in enumerate(articles) if number in used}
    found = filled(articles, taken, cards=cards, headlines=headlines)
    inside = [one.id for one in (*found.cards, *found.headlines)]
    assert len(inside) == len(set(inside))
    assert not taken & set(inside)
    assert len(found.cards) == min(cards, len(articles) - len(taken))
    assert found.covered == len(articles) - len(taken) == len(inside) + found.more
