"""What a LinkedIn post says: composed from anything, stored by LinkedIn as it was meant, never too long."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.channels.base import Announcement, Payload
from syndicate.channels.linkedin import compose as composing
from syndicate.channels.linkedin import littletext
from syndicate.channels.linkedin.compose import compose, first_sentence, load_template
from syndicate.channels.linkedin.page import as_text
from syndicate.config import Site
from syndicate.errors import ConfigError
from tests.doubles.linkedin import parse_commentary
from tests.factories import make_article

TEMPLATE = load_template(None)
PLAIN = Site(title="The Harbour News", url="https://example.org")
WITH_CTA = Site(title="The Harbour News", url="https://example.org", cta_url="https://www.linkedin.com/company/harbour")
LINK = "https://example.org/lighthouse-keeper/"
HOSTILE = "()[]{}<>@|\\~_*# (a) [b] {c} <d> @e |f| ~g~ _h_ *i* #j \\( \\"
ENDS = "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e\r"


def composed(
    *,
    summary: str = "",
    own_words: str | None = None,
    site: Site = PLAIN,
    template: composing.PostTemplate = TEMPLATE,
    **article: Any,
) -> Payload:
    announcement = Announcement(article=make_article(**article), summary=summary, own_words=own_words)
    return compose(
        announcement,
        template=template,
        site=site,
        author="urn:li:person:abcd1234",
        api_url="https://api.linkedin.com",
        version="202609",
    )


def body(payload: Payload) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(payload["body"])
    return document


def shown(payload: Payload) -> str:
    """The text as people see it, by the double's reading; and it must have lost nothing and be short enough."""
    commentary = body(payload)["commentary"]
    assert len(commentary.encode("utf-16-le")) // 2 <= 3000
    text = parse_commentary(commentary)[1]
    assert text == littletext.decode(commentary)
    return text


def test_a_post_has_its_first_sentence_alone_then_the_call_to_action_and_the_links() -> None:
    payload = composed(
        summary="The keeper retires. He lit the lamp for forty years (and never missed a night).",
        cta="Follow us on LinkedIn for more!",
        site=WITH_CTA,
        tags=("harbour life", "People", "C#"),
    )
    assert shown(payload) == (
        "The keeper retires.\n\n"
        "He lit the lamp for forty years (and never missed a night).\n\n"
        "Follow us on LinkedIn for more!\nhttps://www.linkedin.com/company/harbour\n\n"
        f"{LINK}\n\n"
        "#HarbourLife #People"
    )


def test_without_an_address_of_its_own_the_call_to_action_leads_to_the_article() -> None:
    assert shown(composed(summary="One.", cta="Read on", tags=())) == f"One.\n\nRead on\n{LINK}"


def test_a_call_to_action_with_a_link_in_it_gets_no_other() -> None:
    text = shown(composed(summary="One.", cta="Join https://e.org/x", site=WITH_CTA, tags=()))
    assert text == f"One.\n\nJoin https://e.org/x\n\n{LINK}"


def test_a_post_about_nothing_has_its_title_and_link() -> None:
    payload = composed(description="", cta="", tags=())
    assert shown(payload) == f"The lighthouse keeper retires\n\n{LINK}"
    assert body(payload)["content"]["article"] == {"source": LINK, "title": "The lighthouse keeper retires"}


def test_without_a_title_even_the_card_bears_the_name_of_the_site() -> None:
    payload = composed(title=" \u2028 ", description="", cta="", tags=())
    assert shown(payload) == f"The Harbour News\n\n{LINK}"
    assert body(payload)["content"]["article"]["title"] == "The Harbour News"


def test_the_request_has_all_that_linkedin_demands_and_no_token() -> None:
    payload = composed(summary="One.")
    assert payload["v"] == 2
    assert payload["method"] == "POST"
    assert payload["url"] == "https://api.linkedin.com/rest/posts"
    assert payload["headers"] == {
        "Linkedin-Version": "202609",
        "X-Restli-Protocol-Version": "2.0.0",
        "Content-Type": "application/json",
    }
    document = body(payload)
    assert document["author"] == "urn:li:person:abcd1234"
    assert document["visibility"] == "PUBLIC"
    assert document["lifecycleState"] == "PUBLISHED"
    assert document["distribution"]["feedDistribution"] == "MAIN_FEED"
    assert "thumbnail" not in document["content"]["article"]
    assert json.loads(json.dumps(payload)) == payload


def test_the_same_announcement_gives_the_same_bytes() -> None:
    assert composed(summary="One. Two.", cta="Do", tags=("a", "b")) == composed(
        summary="One. Two.", cta="Do", tags=("a", "b")
    )


@pytest.mark.parametrize(
    "text",
    [
        HOSTILE,
        "https://e.org/a_b(c)?x=~1#y",
        "👩‍👩‍👧‍👦 family 🏳️‍🌈 emoji 🇩🇪",
        "שלום (עולם) مرحبا [بالعالم]",
        "{hashtag|\\#|evil}",
        "@[Devtestco](urn:li:organization:2414183)",
        "Ends with a backslash \\",
        "left\u200eto\u200fright, marked",
    ],
)
def test_hostile_text_arrives_as_it_was_written(text: str) -> None:
    payload = composed(title=text, description=text, summary=text, cta=text, tags=(text,))
    assert shown(payload).count(text) >= 2
    card = body(payload)["content"]["article"]
    assert (card["title"], card["description"]) == (text, text)


def test_line_separators_and_control_characters_are_gone() -> None:
    payload = composed(title=f"A{ENDS}B\x00C\x1b", description=f"D{ENDS}E\t\x07F", summary=f"S{ENDS}T\x00", cta="\x00")
    assert body(payload)["content"]["article"]["title"] == "A BC"
    assert body(payload)["content"]["article"]["description"] == "D E F"
    assert shown(payload).startswith("S T\n")
    assert not set(payload["body"]) & set(ENDS + "\x00\x1b\x07")


def test_what_would_turn_the_text_after_it_is_gone() -> None:
    turned = "Price \u202e003\u202c, \u2066a\u2069b, \u202dc"
    payload = composed(title=turned, description=turned, summary=turned, cta=turned)
    assert body(payload)["content"]["article"]["title"] == "Price 003, ab, c"
    assert not set(payload["body"]) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def test_a_title_that_stands_in_for_a_summary_ends_above_the_fold() -> None:
    text = shown(composed(title="word " * 79, description="", cta="", tags=()))
    headline = text.split("\n")[0]
    assert (len(headline) <= 200, headline.endswith("word…")) == (True, True)


def test_a_lone_surrogate_does_not_break_the_request() -> None:
    assert "A B" in shown(composed(summary="A \ud83dB", title="\udc00")).encode().decode()


def test_a_long_summary_is_cut_and_the_call_to_action_is_whole() -> None:
    cta = "Follow us (really). " * 60
    payload = composed(summary="A sentence with (brackets) in it. " * 300, cta=cta, site=WITH_CTA)
    text = shown(payload)
    assert cta.strip() in text
    assert text.startswith("A sentence with (brackets) in it.\n\nA sentence")
    assert text.endswith(f"{WITH_CTA.cta_url}\n\n{LINK}\n\n#Harbour #People")
    assert len(body(payload)["commentary"]) > 2800  # room is used


def test_a_summary_of_nothing_but_reserved_characters_is_measured_escaped() -> None:
    text = shown(composed(summary="*_" * 5_000, cta="Do it"))
    assert "Do it" in text
    assert text.count("*_") > 600


def test_a_call_to_action_of_10_000_characters_is_cut_last() -> None:
    text = shown(composed(title="T", summary="Short.", cta="Follow us, please. " * 530))
    assert text.startswith("T\n\nFollow us, please. Follow")
    assert text.endswith(LINK)
    assert len(text) > 2800


def test_ten_thousand_characters_everywhere_still_fit() -> None:
    long = "🎉_word_ " * 1_300
    payload = composed(
        title=long, description=long, summary=long, cta=long, url=f"https://example.org/{'a_' * 5_000}", tags=(long,)
    )
    assert shown(payload)
    card = body(payload)["content"]["article"]
    assert len(card["title"].encode("utf-16-le")) // 2 <= 400
    assert len(card["description"].encode("utf-16-le")) // 2 <= 4000


def test_a_text_is_never_cut_inside_an_emoji() -> None:
    family = "👩‍👩‍👧‍👦"
    text = shown(composed(summary=family * 1_000, cta="Do"))
    assert text.split("\n")[0].rstrip("…").replace(family, "") == ""


def test_own_words_take_the_place_of_everything_generated() -> None:
    payload = composed(summary="S.", own_words="  Our own *words* (here) #rss\r\n\r\n\r\n\r\nC# too ", cta="Not this")
    assert shown(payload) == f"Our own *words* (here) #rss\n\nC# too\n\n{LINK}"
    assert "{hashtag|\\#|rss}" in body(payload)["commentary"]


@pytest.mark.parametrize("own", [f"See {LINK} now", LINK, f"See {LINK.rstrip('/')}.", f"({LINK})"])
def test_own_words_that_hold_the_link_get_no_second(own: str) -> None:
    assert shown(composed(own_words=own)) == own


def test_a_longer_address_is_not_the_link() -> None:
    own = f"See {LINK}part-two"
    assert shown(composed(own_words=own)) == f"{own}\n\n{LINK}"


def test_own_words_too_long_are_cut_and_keep_their_link() -> None:
    text = shown(composed(own_words="Our (own) words.\n" * 400))
    assert text.startswith("Our (own) words.\nOur (own)")
    assert text.endswith(f"…\n\n{LINK}")
    assert len(text) > 2500


def test_empty_own_words_count_as_none() -> None:
    assert shown(composed(summary="One.", own_words=" \n ", tags=())) == f"One.\n\n{LINK}"


WORDS = st.text(st.one_of(st.sampled_from(HOSTILE + ". \n\u2028\x00🎉"), st.characters()), max_size=4_000)


@given(title=WORDS, summary=WORDS, cta=WORDS, own=st.none() | WORDS, tags=st.lists(st.text(), max_size=3))
def test_whatever_is_written_linkedin_stores_what_was_meant(
    title: str, summary: str, cta: str, own: str | None, tags: list[str]
) -> None:
    payload = composed(
        title=title, description=summary, summary=summary, cta=cta, own_words=own, tags=tuple(tags), site=WITH_CTA
    )
    text = shown(payload)
    assert text.strip() == text != ""
    assert as_text(payload).startswith(text)
    payload["body"].encode()


@pytest.mark.parametrize(
    ("text", "first", "rest"),
    [
        ("One. Two.", "One.", "Two."),
        ("Dr. Smith and J. Doe met. They talked.", "Dr. Smith and J. Doe met.", "They talked."),
        ("In the U.S. Congress met", "In the U.S. Congress met", ""),
        ("Version 3.12 is out! Try it.", "Version 3.12 is out!", "Try it."),
        ("Yahoo! reports. Good", "Yahoo! reports.", "Good"),
        ("“Really?” She asked.", "“Really?”", "She asked."),
        ("一句话。第二句。", "一句话。", "第二句。"),
        ("No end", "No end", ""),
        ("", "", ""),
    ],
)
def test_the_first_sentence_ends_where_a_reader_would_say(text: str, first: str, rest: str) -> None:
    assert first_sentence(text) == (first, rest)


def test_the_owner_writes_his_own_template(tmp_path: Path) -> None:
    (tmp_path / "linkedin.txt").write_text("New (today) #news: {{ title }}\n\n\n\n{{ link }} by {{ site.title }}")
    payload = composed(title="A #news item", template=load_template(tmp_path))
    assert shown(payload) == f"New (today) #news: A #news item\n\n{LINK} by The Harbour News"


@pytest.mark.parametrize(
    "source", ["{{ title", "{{ titel }}", "{{ 1 / 0 }}", "{{ ''.__class__.__mro__ }}", "{% include 'x' %}"]
)
def test_a_broken_template_is_the_owners_to_mend(tmp_path: Path, source: str) -> None:
    (tmp_path / "linkedin.txt").write_text(source)
    with pytest.raises(ConfigError, match=r"linkedin\.template: .*linkedin\.txt"):
        composed(template=load_template(tmp_path))


def test_a_template_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no special\.txt"):
        load_template(tmp_path, "special")
