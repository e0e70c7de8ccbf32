"""The score of an article, and which titles are near-twins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.worth import APART, Aired, Heard, Score, is_twin, likeness, quoted, rate, words

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def score(**parts: int) -> Score:
    return Score(**({"freshness": 0, "image": 0, "description": 0, "author": 0, "topic": 0} | parts))


# --- titles -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        pytest.param("The Ferry Returns", "the ferry returns!", 1, id="case and points"),
        pytest.param("The ferry sinks", "The ferry returns", 1 / 3, id="one word of three"),
        pytest.param("Bees swarm", "Ferry returns", 0, id="nothing"),
        pytest.param("", "", 0, id="nothing said"),
        pytest.param("A of is", "A of is", 1, id="only short words: they count"),
        pytest.param("Cafe\u0301 life", "Café life", 1, id="an accent as its own character"),
        pytest.param("ﬁne words", "fine words", 1, id="a ligature"),
        pytest.param("x" * 400 + " one", "x" * 400 + " two", 1, id="the first 300 characters"),
    ],
)
def test_titles_are_compared_by_the_words_that_say_something(one: str, other: str, shared: float) -> None:
    assert likeness(one, other) == likeness(other, one) == pytest.approx(shared)


@pytest.mark.parametrize(
    ("one", "other", "twins"),
    [
        pytest.param("The ferry returns to the harbour", "Ferry returns to harbour at last", True, id="a word more"),
        pytest.param("Ten ways to grow a garden", "Ten ways to grow your garden", True, id="a short word differs"),
        pytest.param("The mill's last winter", "The mill’s last winter", True, id="another apostrophe"),
        pytest.param("Slow bread: why patience wins", "Why patience wins: slow bread", True, id="turned round"),
        pytest.param("How rain is changing farming", "How rain is changing fishing", False, id="the same frame"),
        pytest.param("Interview with a diver", "Interview with a baker", False, id="a column of the same name"),
        pytest.param("Number 1", "Number 2", False, id="counted"),
        pytest.param("Notes from the long road home, week 12", "Notes from the long road home, week 13", False,
                     id="parts of a series"),
        pytest.param("Pump 3.0 is out now", "Pump 3.0.1 is out now", False, id="versions"),
        pytest.param("Summer of boats 2025", "Summer of boats 2026", False, id="years"),
        pytest.param("5 ways to mend a net quickly", "Ways to mend a net quickly", True, id="a number that one lacks"),
        pytest.param("Test article A", "Test article B", False, id="letters at the end"),
        pytest.param("Plan B", "Plan C", False, id="hardly a word"),
        pytest.param("", "", False, id="nothing said"),
        pytest.param("港の灯台", "港の灯台", True, id="no blanks between words: the same"),
        pytest.param("港の灯台", "山の小屋", False, id="no blanks between words: another"),
    ],
)  # fmt: skip
def test_near_twins_are_what_a_reader_takes_for_one_piece(one: str, other: str, twins: bool) -> None:
    assert is_twin(one, other) is is_twin(other, one) is twins


@given(st.text(max_size=60))
def test_every_title_that_says_anything_is_its_own_twin(title: str) -> None:
    assert is_twin(title, title) is bool(words(title).all)


@given(st.lists(st.text(alphabet="abcd 12", max_size=24), max_size=12), st.text(alphabet="abcd 12", max_size=24))
def test_what_was_heard_is_found_as_if_each_were_compared(titles: list[str], title: str) -> None:
    aired = [Aired(title=one, moment=NOON - number * SECOND) for number, one in enumerate(titles)]
    assert Heard(aired, NOON).twin(title) == next((one for one in aired if is_twin(title, one.title)), None)


def test_what_was_heard_is_found_for_every_length_and_overlap() -> None:
    """The rarest words that are looked at are just enough of them."""
    letters = [f"word{letter}" for letter in "abcdefghijklmnopqrstu"]
    titles = [" ".join(letters[start:end]) for start, end in combinations(range(len(letters)), 2)]
    for one in titles:
        heard = Heard([Aired(title=one, moment=NOON)], NOON)
        common = Heard([Aired(title=title, moment=NOON) for title in (*titles, one)], NOON)
        for other in titles:
            assert (heard.twin(other) is not None) is is_twin(one, other)
        assert common.twin(one) is not None


@pytest.mark.parametrize(
    ("moment", "counts"),
    [
        (NOON, True),
        (NOON - APART + SECOND, True),
        (NOON - APART, False),
        (NOON + APART - SECOND, True),
        (NOON + APART, False),
    ],
)
def test_two_days_around_now_count(moment: datetime, counts: bool) -> None:
    heard = Heard([Aired(title="The ferry returns", moment=moment)], NOON)
    assert (heard.twin("Ferry returns") is not None) is counts


@pytest.mark.corpus
def test_few_of_the_first_owners_titles_are_near_twins(corpus: Path) -> None:
    folder = corpus / "magick-news"
    lines = [
        line for path in sorted(folder.rglob("*.md")) for line in path.read_text("utf-8", "replace").split("\n")[:9]
    ]
    titles = sorted({line.partition(":")[2].strip() for line in lines if line.startswith("title:")})
    assert len(titles) > 200
    twins = sum(is_twin(one, other) for one, other in combinations(titles, 2))
    assert 5 <= twins <= 20


# --- the score --------------------------------------------------------------------------------------------------------


@given(
    st.timedeltas(), st.timedeltas(min_value=SECOND), st.booleans(), st.text(), st.text(), st.lists(st.text()),
    st.lists(st.text()), st.lists(st.text()),
)  # fmt: skip
def test_a_score_is_between_nothing_and_100(
    age: timedelta, span: timedelta, has_image: bool, title: str, description: str, authors: list[str],
    late_authors: list[str], late_titles: list[str],
) -> None:  # fmt: skip
    found = rate(
        age=age, span=span, has_image=has_image, title=title, description=description, authors=authors,
        late_authors=late_authors, late_titles=late_titles,
    )  # fmt: skip
    assert 0 <= found.total <= 100
    assert str(found).startswith(f"score {found.total} = ")


@pytest.mark.parametrize(
    ("winner", "loser", "told"),
    [
        pytest.param(score(image=15), score(), "by 15: image +15", id="one part"),
        pytest.param(
            score(image=15, freshness=3), score(description=10, freshness=5), "by 3: image +15, freshness -2,"
            " description -10", id="the part that decided is first",
        ),
        pytest.param(score(), score(), "by its date alone: the scores are equal", id="a tie"),
        pytest.param(
            score(image=15), score(topic=15), "by its date alone: the scores are equal", id="a tie of unlike parts"
        ),
    ],
)  # fmt: skip
def test_a_lead_names_how_much_and_which_part_decided(winner: Score, loser: Score, told: str) -> None:
    assert winner.lead(loser) == told


@pytest.mark.parametrize(
    ("title", "named"),
    [("Bees", "'Bees'"), ("x" * 61, "'" + "x" * 59 + "…'"), ("a\n\x1b[31mb", r"'a\n\x1b[31mb'")],
)
def test_a_title_is_named_on_one_line_and_in_part(title: str, named: str) -> None:
    assert quoted(title) == named
