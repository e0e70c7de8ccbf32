"""An article as text that is written by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.cards import WIDTH, wrap, written

URL = "https://example.org/story/"
TWENTY = ("word " * 20).strip()
SIX = ("word " * 6).strip()


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("See [the map](/map) here.", "See the map [1] here.\n\n[1] https://example.org/map"),
        ("[a](/x), [b](/y), [c](/x).", "a [1], b [2], c [1].\n\n[1] https://example.org/x\n[2] https://example.org/y"),
        ("<https://example.org/x?a=1&b=2> it is.", "https://example.org/x?a=1&b=2 it is."),
        ("Write <ann@example.org>.", "Write ann@example.org."),
        ("[![alt](/i.png)](/x) and so on.", "and so on."),
        ("Said[^1], [seen](/x).\n\n[^1]: A note.", "Said[1], seen [2].\n\n[1] A note.\n\n[2] https://example.org/x"),
        ("## How it works\n\nSo.", "How it works\n------------\n\nSo."),
        ("### A third\n\nSo.", "A third\n\nSo."),
        ("# The *title*\n\nSo.", "So."),
        ("> One.\n>\n> Two.\n\nThree.", "> One.\n>\n> Two.\n\nThree."),
        ("> Out.\n>\n> > In.", "> Out.\n>\n> > In."),
        (f"> {TWENTY}", f"> {TWENTY[:69]}\n> {SIX}"),
        ("> - a\n> - b", "> - a\n> - b"),
        ("", ""),
    ],
)
def test_an_article_is_written_as_by_hand(body: str, text: str) -> None:
    assert written(body, base_url=URL, title="The title") == text


@given(st.text(alphabet=st.sampled_from("ab >#[](/)*_-1.\n<blockquote>&\x00\x01\x02")))
def test_no_body_breaks_its_text(body: str) -> None:
    text = wrap(written(body, base_url=URL, title="T"))
    assert not set(text) & set("\x00\x01\x02\x03")


def test_quotes_in_quotes_lose_no_word() -> None:
    text = written(">" * 60 + " deep\n\nafter " + "<blockquote>" * 40 + "end", base_url=URL, title="T")
    assert [word for word in ("deep", "after", "end") if word not in text] == []


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (f"- {TWENTY}", f"- {TWENTY[:69]}\n  {SIX}"),
        (f"  10. {TWENTY}", f"  10. {TWENTY[:64]}\n      {SIX} word"),
        (f"> {TWENTY}", f"> {TWENTY[:69]}\n> {SIX}"),
        ("[1] https://example.org/" + "x" * 80, "[1] https://example.org/" + "x" * 80),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_what_follows_a_line_stands_below_its_words(line: str, wanted: str) -> None:
    assert wrap(line) == wanted
    assert all(len(part) <= WIDTH or "://" in part for part in wrap(line).split("\n"))
