"""A LinkedIn post for the eye: what the fold hides, what the card says, and that no text becomes more than text."""

from __future__ import annotations

import json
import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.channels.base import Payload, Shown
from syndicate.channels.linkedin import compose, page
from syndicate.markdown import graphemes
from tests.unit.test_linkedin_compose import HOSTILE, composed

EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(1)> 'onload=' &lt; {style} {0} %s"
FAMILY = "👩‍👩‍👧‍👦"


class Tags(HTMLParser):
    """What a browser takes for markup."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes.update(name for name, _ in attrs)


def post(picture: dict[str, Any] | None = None, note: str = "", **more: Any) -> Payload:
    given = {"picture": picture, "note": note}
    bare = {name: value for name, value in composed(**more).items() if name not in given}
    return {**bare, **{name: value for name, value in given.items() if value}}


def words_of(html: str) -> str:
    return unescape(re.sub(r"<[^>]*>", "\n", html))


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("One.", "One."),
        ("One.\n\nTwo.", "One.\n\nTwo."),
        ("One.\n\nTwo.\n\nThree.", "One.\n\nTwo."),
        ("word " * 60, ("word " * 42).strip()),
        ("x" * 300, "x" * 210),
        (FAMILY * 211, FAMILY * 210),
        ("", ""),
    ],
)
def test_the_fold_is_after_three_lines_or_210_characters_at_a_word(text: str, first: str) -> None:
    seen, hidden = page.fold(text.strip())
    assert seen == first
    assert seen + hidden == text.strip()


@given(st.text(st.sampled_from("ab \n" + FAMILY), max_size=600))
def test_the_fold_loses_nothing_and_parts_no_emoji(text: str) -> None:
    text = text.strip()
    seen, hidden = page.fold(text)
    assert seen + hidden == text
    assert list(graphemes(seen)) == list(graphemes(text))[: len(list(graphemes(seen)))]


def test_the_terminal_shows_the_text_to_copy_then_the_card_then_the_fold() -> None:
    picture = {"url": "https://example.org/a.jpg", "alt": "A lamp", "width": 1200, "height": 627}
    payload = post(picture, title="A (B)", summary="One (1). Two.", tags=("rss",), url="https://www.example.org/x/")
    assert page.as_text(payload) == (
        "One (1).\n\nTwo.\n\nhttps://www.example.org/x/\n\n#Rss\n\n"
        "[ A (B)\n  example.org\n  After forty years the keeper hands over the keys.\n"
        "  picture: https://example.org/a.jpg (1200 x 627)\n"
        "  described for those who cannot see it as: A lamp ]\n\n"
        "Before “…more”: One (1). Two."
    )


@pytest.mark.parametrize(
    ("picture", "note", "words"),
    [
        (None, "", "no picture: neither the article nor site.image has one"),
        (None, "picture left out: 404", "picture left out: 404"),
        ({"url": "https://e.org/a.jpg", "alt": ""}, "", "picture: https://e.org/a.jpg"),
    ],
)
def test_why_there_is_no_picture_is_said(picture: dict[str, Any] | None, note: str, words: str) -> None:
    found = page.show(post(picture, note))
    assert words in found.text
    assert words in words_of(found.html)


def test_hashtags_and_addresses_are_blue_and_nothing_else_is() -> None:
    html = page.as_html(post(summary="A #fake one in C# here.", tags=("rss",), cta="See https://e.org/?a=1&b=<2>"))
    assert re.findall(r"<b>(.*?)</b>", html) == [
        "https://e.org/?a=1&amp;b=", "https://example.org/lighthouse-keeper/", "#Rss",
    ]  # fmt: skip


@pytest.mark.parametrize("text", [EVIL, HOSTILE, "\u202eevil\x1b[2J\x00", "</style></title></details>", "🎉" * 5_000])
def test_no_text_becomes_markup(text: str) -> None:
    picture = {"url": f"https://e.org/{text}", "alt": text, "width": 1, "height": 1}
    payload = post(picture, text, title=text, description=text, summary=text, cta=text, tags=(text,))
    found = page.show(payload)
    reader = Tags()
    reader.feed(found.html)
    assert reader.names <= {
        "html", "head", "meta", "title", "style", "body", "main", "article", "header", "div", "p", "br", "b", "details",
        "summary", "a", "img", "strong", "span", "small", "ul", "li",
    }  # fmt: skip
    assert reader.attributes <= {
        "lang", "charset", "name", "content", "http-equiv", "class", "dir", "href", "rel", "src", "alt",
        "referrerpolicy",
    }  # fmt: skip
    assert found.html.count("<img ") == 1
    assert "\x1b" not in found.text + found.html


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//e.org/x", "https://[", ""]
)
def test_only_addresses_of_the_web_are_opened_or_loaded(url: str) -> None:
    html = page.as_html(post({"url": url, "alt": "x"}, url=url))
    assert "<img" not in html
    assert "href" not in html


def test_of_a_channel_without_looks_the_text_is_shown() -> None:
    found = Shown.plain("<b>\n&")
    assert (found.text, "&lt;b&gt;\n&amp;" in found.html) == ("<b>\n&", True)
    assert "default-src 'none'" in found.html and 'name="viewport"' in found.html


def test_where_nobody_said_who_posts_the_page_names_no_placeholder() -> None:
    made = post()
    named = made["body"].replace(json.loads(made["body"])["author"], compose.REHEARSAL_AUTHOR)
    html = page.as_html({**made, "body": named})
    assert "whoever is logged in" in html and "REHEARSAL" not in html


def test_in_a_terminal_a_family_stays_one_and_nothing_is_turned_around() -> None:
    found = page.as_text(post({"url": "https://e.org/x.png", "alt": f"\u202e{FAMILY}\x1b"}, title=FAMILY))
    card = found[found.index("[ ") :]
    assert card.startswith(f"[ {FAMILY}\n") and f"see it as: {FAMILY} ]" in card
    assert not {"\u202e", "\x1b"} & set(found)
