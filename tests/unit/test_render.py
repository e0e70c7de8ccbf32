"""What people read: the look is judged by eye (examples/letters.py), everything that can be counted is counted here."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syndicate.article import Article
from syndicate.cards import first_sentences
from syndicate.colour import AA, DARK_PAPER, LIGHT_PAPER, contrast, palette
from syndicate.config import DigestSettings, EmailSettings, Site
from syndicate.edition import Contents
from syndicate.errors import SyndicateError
from syndicate.letter import PREFERENCES, UNSUBSCRIBE, Rendered
from syndicate.render import SIZE_LIMIT, Templates, shipped_templates
from tests.factories import make_article

SITE = Site(title="Harbour & Hinterland", url="https://harbour.example", cta_url="https://harbour.example/follow")
EMAIL = EmailSettings(sender="News <news@harbour.example>", postal_address="Quay 4\nBergen")
WEEKLY = DigestSettings(name="weekly")
SHIPPED = Templates()  # compiled once
DAY = datetime(2026, 11, 20, 9, 0, tzinfo=ZoneInfo("Europe/Oslo"))


def story(number: int, **said: object) -> Article:
    given = {
        "slug": f"story-{number}",
        "title": f"Story number {number}",
        "description": f"First sentence of {number}. Second sentence of {number}. Third sentence of {number}.",
        "hero_image": f"https://images.example/{number}.jpg",
        "cta": f"Follow us for more of {number}",
        "words": 690,
        **said,
    }
    return make_article(**given)


def issue(cards: Sequence[Article], headlines: Sequence[Article] = (), covered: int | None = None) -> Contents:
    shown = len(cards) + len(headlines)
    return Contents(
        slug="weekly-2026-11-20", digest="weekly", title="Weekly", date=DAY, cards=tuple(cards),
        headlines=tuple(headlines), covered=shown if covered is None else covered,
        more=max((covered or shown) - shown, 0),
    )  # fmt: skip


def digest(
    cards: Sequence[Article],
    headlines: Sequence[Article] = (),
    covered: int | None = None,
    *,
    site: Site = SITE,
    email: EmailSettings = EMAIL,
    weekly: DigestSettings = WEEKLY,
    templates: Templates | None = None,
) -> Rendered:
    return (templates or SHIPPED).render_digest(issue(cards, headlines, covered), site, weekly, email)[1]


class Page(HTMLParser):
    """What a mail program sees: text, links with their words, images, tags."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.words = ""
        self.links: list[tuple[str, str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._href: str | None = None
        self._silent = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("style", "title", "script"):
            self._silent += 1
        if tag == "a":
            self.links.append((dict(attrs).get("href") or "", ""))
            self._href = self.links[-1][0]

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "title", "script"):
            self._silent -= 1
        if tag == "a":
            self._href = None

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        self.words += data
        if self._href is not None and self.links:
            href, words = self.links[-1]
            self.links[-1] = href, words + data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_a_digest_says_who_when_what_and_how_much() -> None:
    rendered = digest([story(1), story(2), story(3)], [story(4)], covered=1263)
    page = Page(rendered.html)
    for words in ("Harbour & Hinterland", "November 20, 2026 · 4 of 1,263 this week", "By Ada Lindqvist · 3 min read"):
        assert words in page.words
        assert words in rendered.text
    assert "First sentence of 1. Second sentence of 1." in page.words
    assert "Third sentence of 1" not in page.words
    assert "First sentence of 2." in page.words
    assert "Second sentence of 2" not in page.words
    assert "First sentence of 4" not in page.words
    assert "1,259 more on Harbour & Hinterland" in page.words
    for number in (1, 2, 3, 4):
        assert (f"https://example.org/story-{number}/", f"Story number {number}") in page.links


def test_subject_is_the_first_title_whole_and_the_preheader_goes_on() -> None:
    title = "A title of a good length: " + "and more of it " * 8
    rendered = digest([story(1, title=title), story(2)], [story(3)], covered=12)
    assert rendered.subject == title.strip()
    assert rendered.preheader == "Story number 2 · and 10 more"
    assert rendered.html.index("Story number 2 · and 10 more") < rendered.html.index("November 20")
    assert digest([story(1)]).preheader == "First sentence of 1."
    assert digest([story(1), story(2)]).preheader == "Story number 2"


def test_there_is_one_button_with_the_leads_words() -> None:
    page = Page(digest([story(1), story(2)]).html)
    assert [words.strip() for href, words in page.links if href == SITE.cta_url] == ["Follow us for more of 1"]
    no_words = Page(digest([story(1, cta=""), story(2, cta="")]).html)
    assert (SITE.cta_url, "Follow Harbour & Hinterland") in [(href, words.strip()) for href, words in no_words.links]
    without = digest([story(1)], site=SITE.model_copy(update={"cta_url": ""}))
    assert "Follow us" not in without.html + without.text


@pytest.mark.parametrize(
    ("words", "label"),
    [
        ("Stay ahead of all that moves in the harbour - follow us on LinkedIn for news!", "Follow us on LinkedIn"),
        ("Stay updated on the harbour and its ships by following us on LinkedIn for more.", "Follow us on LinkedIn"),
        ("¿Quiere saber qué pasa en el puerto cada día? Síguenos en LinkedIn para más.", "Síguenos en LinkedIn"),
        ("Follow The Lamp & Anchor on LinkedIn and hear of it all first.", "Follow The Lamp & Anchor on LinkedIn"),
        ("Follow The Museum of Nets on LinkedIn and hear first what is new this week.", "Follow Harbour & Hinterland"),
        ("Follow our page on LinkedIn and hear first what is new in the harbour now.", "Follow Harbour & Hinterland"),
        ("Ready to see what the rest of the harbour is up to this week and the next?", "Follow Harbour & Hinterland"),
    ],
)  # fmt: skip
def test_a_long_call_is_said_whole_and_the_button_says_what_to_do(words: str, label: str) -> None:
    rendered = digest([story(1, cta=words)])
    page = Page(rendered.html)
    assert [said.strip() for href, said in page.links if href == SITE.cta_url] == [label]
    assert words in page.words
    assert words in " ".join(rendered.text.split())


def test_the_footer_says_why_and_how_to_leave() -> None:
    rendered = digest([story(1)])
    page = Page(rendered.html)
    assert (UNSUBSCRIBE, "Unsubscribe") in page.links
    assert (PREFERENCES, "Choose what you get") in page.links
    assert "because you subscribed" in page.words
    assert "Quay 4" in page.words
    leave = next(attributes for attributes in page.named("a") if attributes.get("href") == UNSUBSCRIBE)
    assert "inline-block" in (leave["style"] or "")
    assert re.search(r"padding:11px 0", leave["style"] or "")  # 22 px of text + 2 x 11 = 44
    for words in (UNSUBSCRIBE, PREFERENCES, "Quay 4\nBergen"):
        assert words in rendered.text


def test_nothing_is_asked_of_third_parties_and_nobody_is_watched() -> None:
    page = Page(digest([story(1), story(2)], [story(3)]).html)
    assert {attributes.get("src") for attributes in page.named("img")} == {
        "https://images.example/1.jpg",
        "https://images.example/2.jpg",
    }
    assert not page.named("link")
    assert not page.named("script")
    assert "@import" not in digest([story(1)]).html


def test_each_image_has_an_alternative_each_table_a_role_and_the_page_a_language() -> None:
    rendered = digest([story(1), story(2)], [story(3)], site=SITE.model_copy(update={"language": "de-AT"}))
    page = Page(rendered.html)
    assert all(isinstance(attributes.get("alt"), str) for attributes in page.named("img"))
    assert page.named("img")[0]["alt"] == "Story number 1"
    assert all(attributes.get("role") == "presentation" for attributes in page.named("table"))
    assert page.named("html")[0]["lang"] == "de-AT"
    assert any(attributes.get("lang") == "de-AT" for attributes in page.named("div"))
    assert len(page.named("h1")) == 1
    assert "20. November 2026" in page.words
    assert "Abmelden" in page.words
    assert "Abmelden" in rendered.text


def test_right_to_left_is_right_to_left_everywhere() -> None:
    html = digest([story(1), story(2)], [story(3)], site=SITE.model_copy(update={"language": "ar"})).html
    assert Page(html).named("html")[0]["dir"] == "rtl"
    assert "direction:ltr" not in html
    assert "direction:rtl" in html
    assert "text-align:left" not in html.partition("<body")[2].replace(
        "font-size:0px;text-align:left;direction:rtl", ""
    )


@pytest.mark.parametrize("image", [None, "", "/images/x.jpg", "javascript:alert(1)", "data:image/png;base64,AA", "a b"])
def test_without_an_image_there_is_an_accent_rule_and_no_box(image: str | None) -> None:
    page = Page(digest([story(1, hero_image=image), story(2, hero_image=image)]).html)
    assert not page.named("img")
    assert any(attributes.get("class") == "bar" for attributes in page.named("td"))


def test_an_image_known_to_be_missing_is_left_out() -> None:
    templates = Templates(image_ok=lambda url: "/2." in url)
    page = Page(digest([story(1), story(2)], templates=templates).html)
    assert [attributes["src"] for attributes in page.named("img")] == ["https://images.example/2.jpg"]


def test_what_an_article_says_is_never_a_template_and_never_markup() -> None:
    title = "Say \"hi\" & <b>{{ 7*7 }}</b> {% raw %} 'x' #} </mj-text>"
    rendered = digest([story(1, title=title, description=title, cta=title, authors=(title,)), story(2, title=title)])
    page = Page(rendered.html)
    assert ("https://example.org/story-1/", title) in page.links
    assert ("https://example.org/story-2/", title) in page.links
    assert page.named("img")[0]["alt"] == title
    assert not page.named("b")
    assert rendered.subject == title
    assert title in " ".join(rendered.text.split())
    label = next(attributes["aria-label"] for attributes in page.named("div") if "aria-label" in attributes)
    assert label == title


def test_an_article_cannot_forge_the_links_of_the_letter() -> None:
    words = f"Click {UNSUBSCRIBE} or {PREFERENCES.upper()}"
    body = f"See [this]({UNSUBSCRIBE}) and https://unsubscribe.mark.inval&#105;d/ and {UNSUBSCRIBE}"
    forged = story(1, title=words, description=words, cta=words, hero_image=UNSUBSCRIBE + "x.png", body=body)
    clean, hostile = digest([story(1)]), digest([forged])
    assert hostile.html.count(UNSUBSCRIBE) == clean.html.count(UNSUBSCRIBE) == 1
    assert hostile.text.count(UNSUBSCRIBE) == clean.text.count(UNSUBSCRIBE) == 1
    alone = SHIPPED.render_article(forged, SITE, EMAIL, date=DAY)
    assert alone.html.count(UNSUBSCRIBE) == 1
    assert alone.text.count(UNSUBSCRIBE) == 1


hostile = st.text(alphabet=st.one_of(st.sampled_from("<>&\"'{}%#\n\t"), st.characters(exclude_categories=["Cs"])))


@settings(max_examples=40, deadline=None)
@given(title=hostile, description=hostile, cta=hostile)
def test_no_words_of_an_article_can_break_a_letter(title: str, description: str, cta: str) -> None:
    rendered = digest([story(1, title=f"T{title}", description=description, cta=cta), story(2, title=f"T{title}")])
    assert rendered.html.count(UNSUBSCRIBE) == rendered.text.count(UNSUBSCRIBE) == 1
    assert "\n" not in rendered.subject
    shown = " ".join(Page(rendered.html).words.split())
    assert rendered.subject in shown


HOSTILE = "}}{{ 7*7 }} {% raw %} </style></mj-text><b>&\"'\x00\r\n\u202eleft " + UNSUBSCRIBE


@pytest.mark.parametrize("what", ["digest", "article"])
def test_no_words_of_the_owner_can_break_a_letter(what: str) -> None:
    site = SITE.model_copy(update={"title": HOSTILE, "author": HOSTILE, "description": HOSTILE})
    email = EMAIL.model_copy(update={"postal_address": f"{HOSTILE}\nQuay 4"})
    hostile = story(1, authors=(HOSTILE,), subtitle=HOSTILE, tags=(HOSTILE,))
    if what == "digest":
        rendered = digest([hostile, story(2)], [story(3)], covered=9, site=site, email=email)
    else:
        rendered = SHIPPED.render_article(hostile, site, email, date=DAY)
    page = Page(rendered.html)
    assert not page.named("b")
    for words in (page.words, " ".join(rendered.text.split())):
        assert "}}{{ 7*7 }} {% raw %} </style></mj-text><b>&\"'" in words
        assert "Quay 4" in words
    assert rendered.html.count(UNSUBSCRIBE) == rendered.text.count(UNSUBSCRIBE) == 1
    assert not set("\x00\r\u202e") & set(rendered.html + rendered.text)


def test_a_name_of_five_thousand_letters_leaves_the_letter_whole() -> None:
    site = SITE.model_copy(update={"title": "Harbour " * 625})
    rendered = digest([story(n) for n in range(12)], [story(n) for n in range(12, 32)], covered=99, site=site)
    assert len(rendered.html.encode()) <= SIZE_LIMIT
    assert rendered.html.count(UNSUBSCRIBE) == 1


def test_words_that_run_the_other_way_do_not_turn_the_line_around() -> None:
    page = Page(digest([story(1, title="\u202eevil\u2066 title"), story(2)]).html)
    assert ("https://example.org/story-1/", "evil title") in page.links
    assert all(attributes.get("dir") == "auto" for attributes in page.named("h1"))
    address = EMAIL.model_copy(update={"postal_address": "5003 Bergen\nNorge"})
    arabic = digest([story(1)], email=address, site=SITE.model_copy(update={"language": "ar"}))
    assert '<span dir="auto">5003 Bergen</span>' in arabic.html


def test_an_article_cannot_name_the_place_where_its_text_goes() -> None:
    forger = story(1, title="At https://article.mark.invalid/", body="Words.")
    alone = SHIPPED.render_article(forger, SITE, EMAIL, date=DAY)
    assert alone.html.count("<p>Words.</p>") == 1
    assert "mark.invalid" not in alone.html.replace(UNSUBSCRIBE, "").replace(PREFERENCES, "")


def test_the_accent_of_the_site_colours_links_button_and_rule() -> None:
    html = digest([story(1, hero_image=None)], site=SITE.model_copy(update={"accent": "#e4b400"})).html
    made, usual = palette("#e4b400"), palette(SITE.accent)
    assert all(colour in html for colour in (made.light, made.dark, made.on_dark))
    assert usual.light not in html
    assert usual.dark not in html
    button = next(attributes for attributes in Page(html).named("a") if attributes.get("href") == SITE.cta_url)
    assert f"background:{made.light};color:{made.on_light}" in (button["style"] or "")


@pytest.mark.parametrize(
    ("title", "image", "both"),
    [("A short one", True, True), ("Word " * 24, True, False), ("Word " * 24, False, True)],
)
def test_two_sentences_become_one_where_they_would_push_the_next_title_away(
    title: str, image: bool, both: bool
) -> None:
    words = "The first sentence is of a length that is quite usual. So is the second, " + "and on " * 40 + "it goes."
    picture = "https://images.example/1.jpg" if image else None
    html = digest([story(1, title=title, description=words, hero_image=picture), story(2)]).html
    assert "quite usual." in html
    assert ("it goes." in html) is both


def test_an_edition_of_one_says_where_to_read_on() -> None:
    alone = Page(digest([story(1)]).html)
    assert ("https://example.org/story-1/", "Read it on Harbour & Hinterland") in alone.links
    assert "Read it on" not in Page(digest([story(1), story(2)]).html).words


def test_outlooks_engine_finds_a_font_sizes_and_room() -> None:
    html = digest([story(1), story(2)], [story(3)]).html
    assert not re.search(r"font-family:\s*-apple-system", html), "Word takes the first font that is named, or Times"
    assert {attributes.get("width") for attributes in Page(html).named("img")} == {"552", "96"}
    assert "<o:PixelsPerInch>96</o:PixelsPerInch>" in html
    assert "mso-padding-alt:10px 0" in html


def test_every_style_block_is_one_that_gmail_keeps() -> None:
    blocks = re.findall(r"<style[^>]*>(.*?)</style>", digest([story(1)]).html, re.DOTALL)
    assert blocks
    assert all(len(block) < 8192 for block in blocks)


LARGE = [story(n, description="A sentence of some length that says a thing. " * 6) for n in range(32)]


def test_an_edition_of_twelve_and_twenty_is_rendered_in_fifty_milliseconds_of_cpu() -> None:
    def spent() -> float:
        before = time.process_time()
        digest(LARGE[:12], LARGE[12:], covered=1263, templates=Templates())
        return time.process_time() - before

    assert min(spent() for _ in range(4)) < 0.050  # 5 ms where it was written


def test_templates_are_compiled_once_for_a_process_and_that_is_cheap(tmp_path: Path) -> None:
    def calls() -> int:
        counted = 0

        def note(frame: object, event: str, argument: object) -> None:
            nonlocal counted
            counted += event == "call"

        sys.setprofile(note)
        try:
            digest(LARGE[:12], LARGE[12:], covered=1263, templates=Templates(folder=tmp_path))
        finally:
            sys.setprofile(None)
        return counted

    first = calls()
    assert first < 150_000  # 200,000 where each template said its words by macros
    assert calls() < first / 2


def test_a_letter_that_gives_up_cards_gives_up_no_more_than_it_must() -> None:
    long = [story(n, title=f"Story {n} " + "é" * 700, description="A sentence. " * 270) for n in range(24)]
    contents, rendered = SHIPPED.render_digest(issue(long, long[:8]), SITE, WEEKLY, EMAIL)
    assert len(rendered.html.encode()) <= SIZE_LIMIT
    one_more = replace(contents, cards=tuple(long[: len(contents.cards) + 1]), headlines=contents.headlines[1:])
    assert SHIPPED.render_digest(one_more, SITE, WEEKLY, EMAIL)[0].cards == contents.cards


def test_the_same_input_gives_the_same_bytes() -> None:
    first, second = (digest([story(1), story(2)], [story(3)], covered=50, templates=Templates()) for _ in range(2))
    assert first == second


def test_a_digest_that_grew_too_big_gives_up_cards_not_its_footer() -> None:
    big = [story(n, title=f"Story {n} " + "é" * 700, description="A sentence. " * 20) for n in range(24)]
    rendered = digest(big)
    assert len(rendered.html.encode()) <= SIZE_LIMIT
    assert UNSUBSCRIBE in rendered.html
    page = Page(rendered.html)
    assert 1 < len(page.named("img")) < 24
    assert all(any(href == f"https://example.org/story-{n}/" for href, _ in page.links) for n in range(24))
    huge = digest([replace(article, url=article.url + "x" * 6000) for article in big])
    assert len(huge.html.encode()) <= SIZE_LIMIT
    assert "more on Harbour" in huge.html


def test_a_letter_of_one_article_holds_it_whole() -> None:
    body = "Intro with **weight**.\n\n## Part\n\n- one\n- two\n\n[there](/more/)\n\n<script>alert(1)</script>\n"
    rendered = SHIPPED.render_article(story(1, body=body, subtitle="Sub"), SITE, EMAIL, date=DAY)
    page = Page(rendered.html)
    assert "<strong>weight</strong>" in rendered.html
    assert ("https://example.org/more/", "there") in page.links
    assert not page.named("script")
    assert (UNSUBSCRIBE, "Unsubscribe") in page.links
    assert rendered.subject == "Story number 1"
    for words in ("Intro with weight.", "- one", "Sub", UNSUBSCRIBE, "https://example.org/story-1/"):
        assert words in rendered.text


def test_a_very_long_article_is_cut_between_paragraphs_and_says_so() -> None:
    body = "\n\n".join(f"Paragraph {n} " + "word " * 60 for n in range(900))
    rendered = SHIPPED.render_article(story(1, body=body), SITE, EMAIL, date=DAY)
    assert len(rendered.html.encode()) <= SIZE_LIMIT
    assert "Paragraph 0 " in rendered.html
    assert "Read the rest on" in rendered.html
    assert UNSUBSCRIBE in rendered.html


def test_the_text_part_is_written_for_reading() -> None:
    text = digest([story(1), story(2)], [story(3)], covered=9).text
    assert "<" not in text
    assert "\n\n\n\n" not in text
    assert all(len(line) <= 72 or "://" in line for line in text.split("\n"))
    assert text.index("Story number 1") < text.index("https://example.org/story-1/") < text.index("Story number 2")
    assert "* Story number 3\n  https://example.org/story-3/" in text


# --- the owner's own templates -------------------------------------------------------------------------------------


def test_the_owners_files_go_before_the_shipped_ones_file_by_file(tmp_path: Path) -> None:
    (tmp_path / "email").mkdir()
    (tmp_path / "email" / "digest.txt").write_text("Mine: {{ articles[0].title }}\n{{ links.unsubscribe }}\n")
    rendered = digest([story(1)], templates=Templates(folder=tmp_path))
    assert rendered.text == f"Mine: Story number 1\n{UNSUBSCRIBE}\n"
    assert "Story number 1" in rendered.html
    (tmp_path / "email" / "digest.txt").unlink()
    (tmp_path / "footer.txt").write_text("Bye {{ links.unsubscribe }}\n")
    assert "Bye" in digest([story(1)], templates=Templates(folder=tmp_path)).text


CHANGES = [
    ("digest.mjml", 'width="600px"', 'width="610px"', "max-width:610px"),
    ("head.mjml", "#22272d", "#22272e", "color:#22272e"),
    ("masthead.mjml", "font-size:20px", "font-size:21px", "font-size:21px"),
    ("lead.mjml", 'border-radius="6px"', 'border-radius="7px"', "border-radius:7px"),
    ("cta.mjml", "12px 24px 36px", "12px 24px 37px", "padding:12px 24px 37px"),
    ("footer.mjml", "24px 24px 36px", "24px 24px 38px", "padding:24px 24px 38px"),
    ("digest.txt", "{{ site.title }}", "= {{ site.title }} =", "= Harbour & Hinterland ="),
    ("footer.txt", "--", "==", "== \n"),
    ("words.toml", 'unsubscribe = "Unsubscribe"', 'unsubscribe = "Leave"', "Leave"),
]


@pytest.mark.parametrize(("name", "old", "new", "wanted"), CHANGES, ids=[change[0] for change in CHANGES])
def test_each_shipped_file_can_be_replaced_alone(tmp_path: Path, name: str, old: str, new: str, wanted: str) -> None:
    shipped = (shipped_templates() / name).read_text("utf-8")
    assert old in shipped
    templates = Templates(folder=tmp_path)
    before = digest([story(1)])
    assert wanted not in before.html + before.text
    assert digest([story(1)], templates=templates) == before
    (tmp_path / name).write_text(shipped.replace(old, new), "utf-8")
    after = digest([story(1)], templates=templates)
    assert wanted in after.html + after.text
    (tmp_path / name).unlink()
    assert digest([story(1)], templates=templates) == before


def test_a_words_jinja_of_the_owners_goes_before_ours_macro_by_macro(tmp_path: Path) -> None:
    macro = "{% macro tally(edition) %}<{{ edition.shown }}> & {{ w.count(1263) }}{% endmacro %}"
    (tmp_path / "words.jinja").write_text(macro)
    rendered = digest([story(1), story(2)], covered=1263, templates=Templates(folder=tmp_path))
    assert "November 20, 2026 · <2> & 1,263" in Page(rendered.html).words
    assert "November 20, 2026 · <2> & 1,263" in rendered.text


def test_phrases_are_laid_over_ours_and_a_new_language_falls_back_to_english(tmp_path: Path) -> None:
    months = "Jänner" + " x" * 11
    (tmp_path / "words.toml").write_text(f'[NL]\nunsubscribe = "Afmelden"\n[de-AT]\nmonths = "{months}"\n', "utf-8")
    templates = Templates(folder=tmp_path)
    dutch = digest([story(1)], templates=templates, site=SITE.model_copy(update={"language": "nl-BE"}))
    assert (UNSUBSCRIBE, "Afmelden") in Page(dutch.html).links
    assert "Choose what you get" in dutch.text
    austrian = digest([story(1)], templates=templates, site=SITE.model_copy(update={"language": "de-AT"}))
    assert "20. x 2026" in austrian.text
    assert "Abmelden" in austrian.text


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("[en\n", r"words\.toml: .*line 1"),
        ('unsubscribe = "Go"', r"words\.toml: unsubscribe is no table: write \[unsubscribe\]"),
        ("[en]\nunsubscribe = 3", r"words\.toml: en\.unsubscribe is no text"),
        ('[en]\nwhy = "{who} {site}"', r"words\.toml: why may have \{site\}, not 'who'"),
        ('[en]\nwhy = "{site"', r"words\.toml: why may have \{site\}"),
        ('[en]\nmonths = "One Two"', r"words\.toml: months are twelve words, not 2"),
        ("[en]\nunsubscribe = '\xff'", r"words\.toml: "),
    ],
)
def test_a_broken_phrase_is_named(tmp_path: Path, source: str, wanted: str) -> None:
    (tmp_path / "words.toml").write_bytes(source.encode("latin-1"))
    with pytest.raises(SyndicateError, match=wanted):
        digest([story(1)], templates=Templates(folder=tmp_path))


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("fine\n{{ nothing.here }}\n", r"digest\.txt, line 2: .*nothing"),
        ("fine\n\n{% if %}\n", r"digest\.txt, line 3: "),
        ("{{ 1 / 0 }}", r"digest\.txt, line 1: .*zero"),
        ("{% include 'gone.txt' %}", r"digest\.txt, line 1: .*gone\.txt"),
        ("{{ ''.__class__.__mro__ }}", r"digest\.txt, line 1: .*unsafe"),
        ("no way out", r"digest\.txt: .*links\.unsubscribe"),
    ],
)
def test_a_broken_template_is_named_with_its_line(tmp_path: Path, source: str, wanted: str) -> None:
    (tmp_path / "digest.txt").write_text(source)
    with pytest.raises(SyndicateError, match=wanted):
        digest([story(1)], templates=Templates(folder=tmp_path))


def test_mjml_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "digest.mjml").write_text("<mjml><mj-body><mj-text>a < b</mj-text></mj-body></mjml>")
    with pytest.raises(SyndicateError, match=r"digest\.mjml: not MJML"):
        digest([story(1)], templates=Templates(folder=tmp_path))


def test_a_template_that_is_not_there_is_named() -> None:
    with pytest.raises(SyndicateError, match=r"no template special\.mjml"):
        digest([story(1)], weekly=WEEKLY.model_copy(update={"template": "special"}))


def test_the_subject_is_the_operators_template() -> None:
    weekly = WEEKLY.model_copy(update={"subject": "{{ edition.covered }} new: {{ articles[1].title }} &c."})
    assert digest([story(1), story(2)], weekly=weekly).subject == "2 new: Story number 2 &c."
    broken = WEEKLY.model_copy(update={"subject": "{{ articles[7].title }}"})
    with pytest.raises(SyndicateError, match=r"digests\.weekly\.subject"):
        digest([story(1)], weekly=broken)


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("0 9 * * FRI", "2 of 9 this week"), ("FRI 09:00", "2 of 9 this week"), ("daily 09:00", "2 of 9 today"),
        ("0 9 * * *", "2 of 9 today"), ("0 9 * * 1-5", "2 of 9 today"), ("0 9 1 * *", "2 of 9 this month"),
        ("each", "2 of 9"),
    ],
)  # fmt: skip
def test_the_count_speaks_of_the_digests_own_period(schedule: str, words: str) -> None:
    text = digest([story(1), story(2)], covered=9, weekly=WEEKLY.model_copy(update={"schedule": schedule})).text
    assert text.splitlines()[1] == f"November 20, 2026 · {words}"


@pytest.mark.parametrize(
    ("text", "count", "limit", "wanted"),
    [
        ("One. Two. Three.", 2, 99, "One. Two."),
        ("Dr. Who came. He left.", 1, 99, "Dr. Who came."),
        ("It cost 3.5 million. Then more.", 1, 99, "It cost 3.5 million."),
        ("He said “stop!” Then he left.", 1, 99, "He said “stop!”"),
        ("No end at all", 2, 99, "No end at all"),
        ("First is here. " + "Second " * 50, 2, 60, "First is here."),
        ("word " * 40, 1, 22, "word word word word…"),
        ("x" * 50, 1, 10, "x" * 9 + "…"),
        ("今日は晴れ。明日は雨。", 1, 99, "今日は晴れ。"),
        ("", 2, 10, ""),
    ],
)
def test_sentences_are_kept_whole(text: str, count: int, limit: int, wanted: str) -> None:
    assert first_sentences(text, count, limit=limit) == wanted


# --- colours -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ("#22272d", "#ffffff"), ("#14181c", "#ffffff"), ("#59626b", "#ffffff"), ("#525b64", "#eef0f2"),
        ("#dfe4e8", "#181d22"), ("#a3adb6", "#181d22"), ("#f3f5f7", "#181d22"), ("#a3adb6", "#101418"),
        ("#dfe4e8", "#101418"),
    ],
)  # fmt: skip
def test_ink_can_be_read_on_its_paper(ink: str, paper: str) -> None:
    shipped = "".join(path.read_text() for path in shipped_templates().iterdir())
    assert ink in shipped
    assert paper in shipped
    assert contrast(ink, paper) >= AA


def test_the_letters_stand_on_the_papers_for_which_the_accent_is_chosen() -> None:
    shipped = "".join(path.read_text() for path in shipped_templates().iterdir())
    assert all(paper in shipped for paper in (*LIGHT_PAPER, *DARK_PAPER))


def test_every_date_needs_its_zone() -> None:
    with pytest.raises(ValueError, match="zone"):
        replace(issue([story(1)]), date=datetime(2026, 11, 20))  # noqa: DTZ001
    assert issue([story(1)]).date.astimezone(UTC).hour == 8
