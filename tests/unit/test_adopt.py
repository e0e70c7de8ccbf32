"""Which items of a former feed are which articles: addresses that are alike, ids that can be kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.adopt import LONGEST, key, pairs
from syndicate.sources.feedread import read
from tests.unit.test_feedread import atom, json_feed, rss

PAGE = "https://example.org/quay/Walk/"


@pytest.mark.parametrize(
    "other",
    [
        "http://example.org/quay/Walk/",
        "https://EXAMPLE.org./quay/Walk",
        "https://example.org:443/quay/Walk/#top",
        "http://example.org:80/quay/Walk/index.html",
        "https://example.org/quay/Walk/?utm_source=rss&UTM_medium=feed",
        "https://example.org/quay/%57alk/",
        " https://reader:secret@example.org/quay/Walk// ",
    ],
)
def test_addresses_of_one_page_are_alike(other: str) -> None:
    assert key(other) == key(PAGE)


@pytest.mark.parametrize(
    "other",
    [
        "https://example.org/quay/walk/",
        "https://www.example.org/quay/Walk/",
        "https://example.org:8443/quay/Walk/",
        "https://example.org/quay/Walk/?p=1",
        "https://example.org/quay%2FWalk/",
        "https://example.org/quay/Walk/index.htm",
    ],
)
def test_what_may_be_another_page_is_one(other: str) -> None:
    assert key(other) not in ("", key(PAGE))


def test_letters_beyond_ascii_are_the_same_however_they_are_written() -> None:
    assert key("https://bücher.example/größe/?q=ä") == key("http://xn--bcher-kva.example/gr%c3%b6%C3%9Fe?q=%C3%A4")
    assert (
        key("https://example.org/?p=7&utm_id=1") == key("https://example.org/?p=7") != key("https://example.org/?p=8")
    )


@pytest.mark.parametrize("other", ["", "urn:uuid:1", "mailto:a@example.org", "/quay/", "http://[x", "http:///x", "a:b"])
def test_what_is_no_address_of_a_page_is_like_none(other: str) -> None:
    assert key(other) == ""


@given(st.text(max_size=60))
def test_any_path_is_alike_to_its_own_key(path: str) -> None:
    once = key(f"https://example.org/{path}")
    assert once == "" or key(f"http://{once}") == once


def test_the_first_of_two_items_counts_for_a_link_and_for_an_id() -> None:
    found, unfit = pairs(
        [
            ("https://example.org/a/", "1"),
            ("http://example.org/a", "2"),
            ("https://example.org/b/", "1"),
            ("https://example.org/c/", " 3 "),
        ]
    )
    assert (found, unfit) == ({"example.org/a": "1", "example.org/c": "3"}, 0)


def test_what_is_too_long_or_leads_nowhere_is_not_kept_and_counted() -> None:
    long = "x" * (LONGEST + 1)
    given_items = [("https://example.org/a/", long), (f"https://example.org/{long}", "1"), ("tag:nowhere", "2")]
    assert pairs(given_items) == ({}, 3)


HUGO = rss("<title>A</title><link>https://example.org/a/</link><guid>https://example.org/a/</guid>")
JEKYLL = atom('<title>A</title><link href="https://example.org/a.html" rel="alternate"/><id>https://example.org/a</id>')
GHOST = rss('<title>A</title><link>https://example.org/a/</link><guid isPermaLink="false">5f3e8a9c1b2d4e0039</guid>')
WORDPRESS = rss(
    '<title>A</title><link>https://example.org/2026/a/</link><guid isPermaLink="false">https://example.org/?p=1</guid>'
)
NUMBERS = json_feed({"id": 17, "url": "https://example.org/a/", "content_text": "x"})
NO_GUID = rss("<title>A</title><link>https://example.org/a/?utm_source=rss</link>")
GUID_ALONE = rss("<title>A</title><guid>https://example.org/a/</guid>")


@pytest.mark.parametrize(
    ("document", "link", "known"),
    [
        (HUGO, "https://example.org/a/", "https://example.org/a/"),
        (JEKYLL, "https://example.org/a.html", "https://example.org/a"),
        (GHOST, "https://example.org/a/", "5f3e8a9c1b2d4e0039"),
        (WORDPRESS, "https://example.org/2026/a/", "https://example.org/?p=1"),
        (NUMBERS, "https://example.org/a/", "17"),
        (NO_GUID, "https://example.org/a/", "https://example.org/a/?utm_source=rss"),
        (GUID_ALONE, "https://example.org/a/", "https://example.org/a/"),
    ],
    ids=["hugo", "jekyll", "ghost", "wordpress", "numbers", "without guid", "guid alone"],
)
def test_ids_are_kept_as_readers_know_them(document: str, link: str, known: str) -> None:
    items = read(document.encode(), "", "https://example.org/feed").items
    assert pairs((one.manuscript.link or one.guid, one.guid) for one in items)[0] == {key(link): known}
