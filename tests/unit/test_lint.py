"""What is objected to in a letter: each flaw by its code, and nothing in a letter that is right."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syndicate.letter import PREFERENCES, UNSUBSCRIBE, Rendered, compose
from syndicate.lint import lint

SITE = "https://news.example.org"
ADDRESS = "The Courier, 1 Quay Road, 12345 Harbour"
WORDS = "The keeper of the light retires after forty years of nights. " * 4
HTML = (
    '<!doctype html><html lang="en" dir="ltr"><head><title>T</title><style>p { margin: 0 }</style></head>'
    f'<body><div dir="ltr" lang="en"><p>{WORDS}</p><a href="https://courier.example.org/keeper/">Read on</a>'
    '<img src="https://courier.example.org/keeper.jpg" alt="The light">'
    f'<a href="{UNSUBSCRIBE}">Unsubscribe</a> <a href="{PREFERENCES}">Choose</a>'
    "<p>The Courier · 1 Quay Road · 12345 Harbour</p></div></body></html>"
)
TEXT = f"{WORDS}\nhttps://courier.example.org/keeper/\n\nUnsubscribe: {UNSUBSCRIBE}\nChoose: {PREFERENCES}\n{ADDRESS}\n"


def payload(**values: Any) -> dict[str, Any]:
    said = {"subject": "The keeper retires", "preheader": "And three more", "html": HTML, "text": TEXT, **values}
    return compose(
        Rendered(**said), sender="The Courier <news@news.example.org>", list_id="weekly.news.example.org",
        list_name="Der Börsen-Kurier", date=datetime(2026, 11, 20, tzinfo=UTC), slug="weekly-1",
    )  # fmt: skip


def codes(frozen: dict[str, Any], public_url: str = SITE, address: str = ADDRESS) -> list[tuple[str, str]]:
    return [(remark.code, remark.level) for remark in lint(frozen, public_url, postal_address=address)]


def test_nothing_is_said_about_a_letter_that_is_right() -> None:
    assert lint(payload(), SITE, postal_address=ADDRESS) == []


@pytest.mark.parametrize(
    "markup", ["<a href='mailto:ed@example-press.org'>Write</a>", "<a href='HTTPS://A.EXAMPLE/'>A</a>"]
)
def test_a_link_that_leads_somewhere_is_fine(markup: str) -> None:
    assert codes(payload(**put(markup))) == []


def put(markup: str) -> dict[str, str]:
    return {"html": HTML.replace("</div>", f"{markup}</div>")}


@pytest.mark.parametrize(
    ("changed", "code", "level"),
    [
        ({"subject": " "}, "subject-empty", "fail"),
        ({"subject": "Long words " * 15}, "subject-long", "warn"),
        ({"subject": "Re: your order"}, "subject-bait", "warn"),
        ({"subject": "FWD: look"}, "subject-bait", "warn"),
        ({"subject": "AW: Ihre Frage"}, "subject-bait", "warn"),
        ({"subject": "BUY NOW OR NEVER"}, "subject-capitals", "warn"),
        ({"subject": "{{ articles[0].title }}"}, "template-left", "warn"),
        ({"preheader": ""}, "preheader-empty", "warn"),
        (put("x" * 85_000), "size", "warn"),
        (put("x" * 105_000), "size", "fail"),
        (put("<script>1</script>"), "element", "fail"),
        (put("<form action='https://a.example/'></form>"), "element", "fail"),
        (put("<p onclick='x()'>a</p>"), "element", "fail"),
        (put("<input type='checkbox' disabled>"), "element", "warn"),
        (put("<link rel='stylesheet' href='https://fonts.example/x.css'>"), "third-party", "warn"),
        (put("<style>@import 'https://fonts.example/x.css';</style>"), "third-party", "warn"),
        (put("<style>" + "p { margin: 0 }\n" * 600 + "</style>"), "style", "warn"),
        (put("<img src='https://a.example/x.png'>"), "alt", "warn"),
        (put("<img alt='' src='data:image/png;base64,AAAA'>"), "picture", "warn"),
        (put("<img alt='' src='http://a.example/x.png'>"), "picture", "warn"),
        (put("<img alt='' src='https://a.example/x.webp?w=1'>"), "picture", "warn"),
        (put("<img alt='' src='https://a.example/x.SVG'>"), "picture", "warn"),
        (put("<a href='/keeper/'>Read</a>"), "link", "fail"),
        (put("<a href='#top'>Up</a>"), "link", "fail"),
        (put("<a>Nothing</a>"), "link", "fail"),
        (put("<a href='javascript:x()'>Run</a>"), "link", "fail"),
        (put("<a href='https://a.example/{{ slug }}'>Read</a>"), "link", "fail"),
        (put("<a href='http://localhost:1313/keeper/'>Read</a>"), "link-private", "warn"),
        (put("<a href='http://192.168.1.4/keeper/'>Read</a>"), "link-private", "warn"),
        (put("<a href='http://[::1]/keeper/'>Read</a>"), "link-private", "warn"),
        (put("<a href='http://nas/keeper/'>Read</a>"), "link-private", "warn"),
        (put("<a href='https://a.example/'><img src='https://a.example/x.png' alt=''></a>"), "link-silent", "warn"),
        ({"html": HTML.replace(' lang="en" dir="ltr">', ' dir="ltr">', 1)}, "language", "warn"),
        ({"html": HTML.replace('<html lang="en" dir="ltr">', '<html lang="und" dir="ltr">')}, "language", "warn"),
        ({"html": HTML.replace('<div dir="ltr"', "<div")}, "language", "warn"),
        ({**put(f"<p>{WORDS * 20}</p>"), "text": f"{UNSUBSCRIBE} {ADDRESS}"}, "text-short", "warn"),
        ({"html": HTML.replace("Quay", "Other")}, "postal-address", "fail"),
        ({"text": TEXT.replace("Quay", "Other")}, "postal-address", "fail"),
    ],
)  # fmt: skip
def test_a_flaw_is_named(changed: dict[str, str], code: str, level: str) -> None:
    assert codes(payload(**changed)) == [(code, level)]


def test_flaws_of_one_kind_are_told_once_and_counted_the_grave_ones_first() -> None:
    remarks = lint(payload(**put("<img alt=''><img src='http://a.example/b.png' alt=''><a href='/x'>r</a>")), SITE)
    assert [remark.code for remark in remarks] == ["link", "picture"]
    assert remarks[1].text.endswith("(and 1 more)")


@pytest.mark.parametrize("public_url", ["http://news.example.org", "http://127.0.0.1:8080"])
def test_a_way_out_without_tls_costs_the_button(public_url: str) -> None:
    assert codes(payload(), public_url) == [("one-click", "warn")]


@pytest.mark.parametrize(
    "change",
    [
        {"marks": {"html": [0, 0], "text": [0, 0]}},
        {"from": ["A\r\nBcc: x@example.com", "news@news.example.org"]},
        {"text": TEXT.replace(UNSUBSCRIBE, "https://elsewhere.example/")},
    ],
)
def test_what_no_letter_could_be_made_of_is_a_fault(change: dict[str, Any]) -> None:
    assert ("message", "fail") in codes({**payload(), **change})


@settings(deadline=None)  # it parses a whole message each time
@given(st.text(max_size=300), st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=100))
def test_whatever_an_article_holds_it_is_judged(markup: str, subject: str) -> None:
    lint(payload(html=HTML + markup, subject=subject), SITE, postal_address=ADDRESS)
