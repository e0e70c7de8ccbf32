"""The short way through flat front matter gives what libyaml gives, or steps aside."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from syndicate import flat, yamlish
from syndicate.errors import ContentError

MARKS = ["'", '"', "''", "\\", ":", ": ", " #", "#", "-", "- ", "|", ">", "&a", "*a", "!", "%", "@", "`", "{", "[", "~",
         "null", "true", "2025-03-03", "1:2", "\t", "\xa0", "\x85", "\u2028", "\ufeff", "\ud800", "\x07", "…", "é",
         "日本", "😀", "https://a.example/b?c=d#e", "...", "---", "<<", "=", "a",
         "word", " ", "  ", "\n", "\n  ", "/x"]  # fmt: skip
PIECES = st.lists(st.sampled_from(MARKS), max_size=6).map("".join)
NAMES = st.sampled_from(["title", "heroImage", "a-b", "null", "Null", "x_1", "a.b", "é", "'q'", "two words", "a "])
FORMS = st.sampled_from(
    [
        "{}: {}\n",
        "{}: '{}'\n",
        '{}: "{}"\n',
        "{}: |\n  {}\n",
        "{}: >\n  {}\n\n",
        "{}:{}\n",
        "{}:  '{}'  \n\n",
        "{}: |\n{}\n",
    ]
)
BLOCKS = st.lists(st.builds(lambda form, name, value: form.format(name, value), FORMS, NAMES, PIECES), max_size=4)


def by_libyaml(block: str) -> object:
    """The fields, and a note for each repair; None for what it refuses."""
    notes: list[str] = []
    try:
        return yamlish._strict(block, 2, notes), notes
    except (yaml.YAMLError, yamlish._UnsoundError, UnicodeError, ContentError):
        return None


@settings(max_examples=1_500)
@given(BLOCKS.map("".join))
def test_what_is_read_the_short_way_is_what_libyaml_reads(block: str) -> None:
    if found := flat.read(block):
        assert (found, []) == by_libyaml(block)


@pytest.mark.parametrize(
    ("block", "fields"),
    [
        ("title: 'It''s here'\nread_time: '8 mins'\n", {"title": "It's here", "read_time": "8 mins"}),
        ('title: "Two: parts # one"\nsubtitle: ""\n', {"title": "Two: parts # one", "subtitle": ""}),
        ("image: https://a.example/b#top\ndraft: true\n", {"image": "https://a.example/b#top", "draft": "true"}),
        ("empty:\ntilde: null\n", {"empty": None, "tilde": None}),
        ("description: |\n  One line: 'quoted' # kept\n\nauthor: Ann Bell  \n",
         {"description": "One line: 'quoted' # kept\n", "author": "Ann Bell"}),
        ("title: one\ntitle: two\n", {"title": "two"}),
    ],
)  # fmt: skip
def test_the_commonest_fields_take_the_short_way(block: str, fields: dict[str, str | None]) -> None:
    assert flat.read(block) == fields
    assert by_libyaml(block) == (fields, [])


def test_more_fields_than_are_read_are_refused_by_either_way() -> None:
    with pytest.raises(ContentError, match="values in the front matter"):
        yamlish.read("a: b\n" * yamlish.MAX_VALUES)
