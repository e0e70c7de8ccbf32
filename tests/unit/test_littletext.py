"""Little text: what is escaped comes back, and LinkedIn's own reading of it is what was meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.channels.linkedin.littletext import RESERVED, decode, encode, escape, hashtags, hashtags_in, unescape
from tests.doubles.linkedin import parse_commentary

TEXT = st.text(st.one_of(st.sampled_from(RESERVED + "#ab1 \n"), st.characters(exclude_categories=["Cs"])))


@given(TEXT)
def test_unescape_gives_back_what_was_escaped(text: str) -> None:
    assert unescape(escape(text)) == text


@given(TEXT)
def test_linkedin_stores_exactly_what_was_escaped(text: str) -> None:
    assert parse_commentary(escape(text)) == (text, text)


@given(TEXT)
def test_nothing_is_lost_with_hashtags_in_it(text: str) -> None:
    assert parse_commentary(encode(text, hashtags_in(text)))[1] == text
    assert decode(encode(text, hashtags_in(text))) == text


@given(st.lists(st.text()))
def test_hashtags_made_of_any_tags_are_words_linkedin_reads(tags: list[str]) -> None:
    made = hashtags(tags)
    text = " ".join(f"#{tag}" for tag in made)
    assert len(made) <= 3
    stored, shown = parse_commentary(encode(text, made))
    assert shown == text
    assert stored.count("{hashtag|") == len(made)


@pytest.mark.parametrize("character", RESERVED)
def test_each_reserved_character_alone_survives(character: str) -> None:
    assert escape(character) == f"\\{character}"
    assert parse_commentary(escape(f"a {character} b"))[0] == f"a {character} b"


def test_there_are_fifteen_reserved_characters() -> None:
    assert sorted(RESERVED) == sorted("|{}@[]()<>#\\*_~")


def test_the_double_loses_what_follows_an_unescaped_character() -> None:
    assert parse_commentary("This is a test. (This is also a test.)")[0] == "This is a test. "


def test_a_named_hashtag_becomes_a_template_and_every_other_sign_is_escaped() -> None:
    assert encode("C# is #1 in #Rust, see https://e.org/#Rust #rust", {"Rust"}) == (
        "C\\# is \\#1 in {hashtag|\\#|Rust}, see https://e.org/\\#Rust \\#rust"
    )


def test_text_that_spells_a_template_is_shown_as_it_was_written() -> None:
    text = "{hashtag|\\#|evil} and \\(this\\)"
    assert decode(encode(text)) == text
    assert parse_commentary(encode(text))[1] == text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("#rss and #Künstliche", {"rss", "Künstliche"}),
        ("#news, #two. (#three)", {"news", "two"}),
        ("C# a#b #1 #a_b ##x https://e.org/#part", set()),
    ],
)
def test_hashtags_are_found_where_people_write_them(text: str, found: set[str]) -> None:
    assert hashtags_in(text) == found


@pytest.mark.parametrize(
    ("tags", "made"),
    [
        (["machine learning", "AI", "next.js"], ("MachineLearning", "AI", "NextJs")),
        (["#Data-Science", "data science", "  iOS "], ("DataScience", "IOS")),
        (["C#", "C++", "1984", "", "🎉", "a" * 41, "(x)"], ()),
        (["人工智能", "cafe\u0301"], ("人工智能", "Café")),
        (["one", "two", "three", "four"], ("One", "Two", "Three")),
    ],
)
def test_tags_become_hashtags_in_camel_case(tags: list[str], made: tuple[str, ...]) -> None:
    assert hashtags(tags) == made
