"""The verdict on an article: each rule, their order, and what is no article."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syndicate import manuscript as manuscripts
from syndicate.article import Manuscript, State
from syndicate.errors import ContentError
from syndicate.junk import SHORT, evidence, mismatch
from syndicate.review import Judgement, Twin, judge, moment, title_key

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
DENVER = ZoneInfo("America/Denver")
LONG = "The harbour wakes before the town does, and the boats leave while it is dark. " * 30


@dataclass(frozen=True)
class Rules:
    require: tuple[str, ...] = ("title",)
    min_words: int = 50
    reject_titles: tuple[str, ...] = ()


def article(**changes: object) -> Manuscript:
    return replace(Manuscript(title="Boats at dawn", slug="boats", body=LONG, words=450), **changes)  # type: ignore[arg-type]


def judged(said: Manuscript, rules: Rules = Rules(), **known: object) -> Judgement:
    return judge(said, rules, NOW, DENVER, **known)  # type: ignore[arg-type]


def codes(judgement: Judgement) -> list[str]:
    return [reason.split(":")[0] for reason in judgement.reasons]


# --- states and reasons -----------------------------------------------------------------------------------------------


def test_an_article_without_faults_is_ready() -> None:
    assert judged(article()) == Judgement(State.READY, (), None)


@pytest.mark.parametrize(
    ("said", "rules", "known", "state", "reasons"),
    [
        (article(title=" "), Rules(), {}, State.REJECTED, ["no-title: the file has no title"]),
        (article(title=""), Rules(require=()), {}, State.READY, []),
        (
            article(),
            Rules(require=("title", "heroImage", "summary")),
            {},
            State.REJECTED,
            ["required: heroImage is missing (review.require)", "required: summary is missing (review.require)"],
        ),
        (article(published="2026-01-01"), Rules(require=("date",)), {}, State.READY, []),
        (article(), Rules(require=("colour",)), {}, State.REJECTED,
         ["required: colour is no field that is known here (review.require)"]),
        (article(body=" \n<!-- later -->\n", words=0), Rules(), {}, State.REJECTED,
         ["empty: the file has no text after its front matter"]),
        (article(title="Sponsored: Boats"), Rules(reject_titles=("^Ad", "(?i)^sponsored")), {}, State.REJECTED,
         ["reject-titles: the title matches (?i)^sponsored (review.reject_titles)"]),
        (article(expires="2026-05-04"), Rules(), {}, State.REJECTED, ["expired: on 2026-05-04"]),
        (article(draft=True), Rules(), {}, State.DRAFT, ["draft: the front matter says so"]),
        (article(words=12), Rules(), {}, State.HELD, ["too-short: 12 words, 50 are the least (review.min_words)"]),
        (article(words=1), Rules(), {}, State.HELD, ["too-short: 1 word, 50 are the least (review.min_words)"]),
        (article(words=12), Rules(min_words=0), {}, State.READY, []),
        (article(), Rules(), {"twin": Twin(path="old/boats.md", first_seen=NOW)}, State.HELD,
         ["duplicate-title: old/boats.md has the same title, first seen 2026-05-04 (review.duplicate_window)"]),
        (article(), Rules(), {"twin": Twin(path="old/boats.md")}, State.HELD,
         ["duplicate-title: old/boats.md has the same title (review.duplicate_window)"]),
        (article(), Rules(), {"clash": "other.md"}, State.HELD, ["clash: other.md has the same address"]),
    ],
)  # fmt: skip
def test_each_rule_has_its_state_and_its_sentence(
    said: Manuscript, rules: Rules, known: dict[str, object], state: State, reasons: list[str]
) -> None:
    judgement = judged(said, rules, **known)
    assert (judgement.state, list(judgement.reasons)) == (state, reasons)


def test_a_body_with_pictures_only_is_short_and_not_empty() -> None:
    judgement = judged(article(body="![](a.png)", words=0))
    assert (judgement.state, codes(judgement)) == (State.HELD, ["too-short"])


def test_the_strongest_state_wins_and_tells_all_its_reasons_only() -> None:
    everything = article(title="", draft=True, words=3, published="2027-01-01", expires="2020-01-01")
    assert codes(judged(everything, clash="x")) == ["no-title", "expired"]
    later = replace(everything, title="T", expires=None)
    assert codes(judged(later, clash="x")) == ["draft"]
    assert codes(judged(replace(later, draft=False), clash="x")) == ["future"]
    assert codes(judged(replace(later, draft=False, published=None), clash="x", twin=Twin(path="y"))) == [
        "too-short",
        "duplicate-title",
        "clash",
    ]


@pytest.mark.parametrize(
    ("verdict", "state", "reasons"),
    [
        ("approved", State.READY, ()),
        ("rejected", State.REJECTED, ("rejected: a person said no",)),
        ("rejected: off topic: too far", State.REJECTED, ("rejected: off topic: too far",)),
    ],
)
def test_a_persons_verdict_stands_over_every_rule(verdict: str, state: State, reasons: tuple[str, ...]) -> None:
    for said in (article(), article(title="", draft=True, expires="2020-01-01"), article(published="2027-01-01")):
        assert judged(said, verdict=verdict) == Judgement(state, reasons, None)


def test_a_day_to_come_begins_at_midnight_of_the_site() -> None:
    judgement = judged(article(published="2026-05-05"))
    assert judgement.state is State.SCHEDULED
    assert judgement.look_again == datetime(2026, 5, 5, 6, 0, tzinfo=UTC)  # Denver is six hours behind in May
    assert judged(article(published="2026-05-04")).state is State.READY  # its 00:00 there was at 06:00 UTC


def test_a_moment_to_come_is_looked_at_again_then() -> None:
    judgement = judged(article(published="2026-05-04T14:30:00+02:00"))
    assert judgement.look_again == datetime(2026, 5, 4, 12, 30, tzinfo=UTC)
    assert judged(article(published="2026-05-04T14:00:00+02:00")).state is State.READY


def test_what_will_expire_is_looked_at_again_then() -> None:
    end = datetime(2026, 6, 1, 6, 0, tzinfo=UTC)
    assert judged(article(expires="2026-06-01")) == Judgement(State.READY, (), end)
    assert judged(article(expires="2026-06-01", words=3)).look_again == end


@pytest.mark.parametrize(
    ("stated", "meant"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("2026-13-40", None),
        ("2026-05-04T10:00:00", datetime(2026, 5, 4, 16, 0, tzinfo=UTC)),
        ("9999-12-31", datetime(9999, 12, 31, 7, 0, tzinfo=UTC)),
        ("9999-12-31T23:00:00-12:00", datetime(9999, 12, 31, 23, 0, tzinfo=UTC)),
        ("0001-01-01T00:00:00+12:00", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_stated_dates_are_read_or_ignored(stated: str | None, meant: datetime | None) -> None:
    assert moment(stated, DENVER) == meant


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Boats at Dawn!", "  boats   at dawn"),
        ("“Boats” – at dawn?", "Boats: at Dawn"),
        ("STRASSE", "straße"),
        ("don’t", "Don't"),
        ("Ｂｏａｔｓ", "boats"),
        ("İstanbul", "i̇stanbul"),
    ],
)
def test_titles_that_read_the_same_have_one_key(one: str, other: str) -> None:
    assert title_key(one) == title_key(other) != ""


def test_titles_that_read_differently_have_two_keys() -> None:
    assert title_key("C") != title_key("C2")
    assert title_key("Part 1") != title_key("Part 2")


# --- no article -------------------------------------------------------------------------------------------------------

JUNK = [
    # refusals of several makers' models
    ("junk-refusal", "Winter tyres", "", "I'm sorry, but I can't assist with that request."),
    ("junk-refusal", "Winter tyres", "", "I’m sorry, but as an AI language model I cannot browse the internet."),
    ("junk-refusal", "Winter tyres", "I apologize, but I am unable to write an article without a source text.", LONG),
    ("junk-refusal", "Winter tyres", "", "As an AI assistant, I don't have access to current figures.\n\n" + LONG),
    (
        "junk-refusal",
        "Winter tyres",
        "",
        "Unfortunately, I cannot create this article because the material is missing.",
    ),
    ("junk-refusal", "Winter tyres", "", "I cannot fulfill your request. I am designed to be helpful and harmless."),
    ("junk-refusal", "Winter tyres", "", "I am just an AI model and I cannot drive on ice.\n\n" + LONG),
    ("junk-refusal", "Unable to generate article", "", "Nothing more."),
    ("junk-refusal", "Winter tyres", "", "The article cannot be written without a subject."),
    ("junk-refusal", "Winter tyres", "This content was blocked by our content filter.", "See above."),
    ("junk-refusal", "Winter tyres", "", "Your request violates our usage policies."),
    # errors
    ("junk-error", "Error: source material needed", "", LONG),
    ("junk-error", "Error: No Topic Given", "To write a post, a topic must be chosen.", "Nothing to see."),
    (
        "junk-error",
        "Winter tyres",
        "",
        "The supplied text: 'qwrtz'. The provided input 'qwrtz' appears to be gibberish.",
    ),
    ("junk-error", "Winter tyres", "", "An error occurred while generating this article."),
    ("junk-error", "Winter tyres", "", "No source text was provided."),
    ("junk-error", "Winter tyres", "", "429 Too Many Requests"),
    ("junk-error", "Winter tyres", "", 'Traceback (most recent call last):\n  File "write.py", line 3'),
    # requests
    ("junk-request", "Please specify a topic", "", LONG),
    ("junk-request", "Winter tyres", "", "To write a good article I need to know more. Could you provide the topic?"),
    ("junk-request", "Winter tyres", "", "A subject matter is required before content can be generated."),
    ("junk-request", "Winter tyres", "", "I'd be happy to help you write this! Please share the text with me."),
    ("junk-request", "Awaiting topic", "", "We will create an article as soon as one is there."),
    ("junk-request", "Winter tyres", "Which topic would you like? I can create content on many.", "Tyres."),
    # placeholders
    ("junk-placeholder", "Untitled", "", LONG),
    ("junk-placeholder", "[Insert title here]", "", LONG),
    ("junk-placeholder", "{{ title }}", "", LONG),
    ("junk-placeholder", "TODO", "", LONG),
    ("junk-placeholder", "Needs topic", "", LONG),
    ("junk-placeholder", "Winter tyres", "", "Lorem ipsum dolor sit amet, consectetur.\n\n" + LONG),
    ("junk-placeholder", "Winter tyres", "", "Full article coming soon."),
    ("junk-placeholder", "Winter tyres", "", "TBD"),
    ("junk-placeholder", "Winter tyres", "", "Tyres grip better. [Insert statistics about grip here] So buy some."),
    ("junk-placeholder", "Winter tyres", "", "This is a placeholder entry indicating that a text will follow."),
]


@pytest.mark.parametrize(("code", "title", "description", "body"), JUNK)
def test_what_a_machine_left_is_named(code: str, title: str, description: str, body: str) -> None:
    said = Manuscript(title=title, description=description, body=body)
    assert code in [one.code for one in evidence(said)]
    judgement = judged(said)
    assert judgement.state is State.REJECTED
    assert any(reason.startswith(f"{code}: the ") and "“" in reason for reason in judgement.reasons)


ARTICLES = [
    # about the same things, or human in the same words
    ("Why Language Models Refuse", "", '"As an AI language model, I cannot do that" is a phrase.\n\n' + LONG),
    ("How refusals work", "Models say that they are unable to write an article without a source.", LONG),
    ("As an AI Engineer", "", "As an AI engineer, I cannot recommend this enough to anybody."),
    ("A pause", "", "Sorry for the silence, I couldn't find the time to write posts in spring."),
    ("A pause", "", "I'm sorry, but I can't write posts every week anymore. See you at the monthly meetup instead."),
    ("Farewell", "", "I cannot help but feel moved by what you wrote. I cannot thank you all."),
    ("Thanks", "", "I can't finish this post without thanking my family for all they did."),
    ("Error: Permission Denied in Docker", "", "The daemon's socket belongs to root. Add yourself to its group."),
    ("Error handling in Rust", "An error occurred while compiling? Read on.", LONG),
    ("Release 1.2.4", "", "An error occurred during the build of 1.2.3, so here is 1.2.4. The logs were not kept."),
    ("Next meetup", "", "Please suggest topics for the next meetup, and please share your thoughts in the comments."),
    ("RFC 12", "", "Waiting for your input on the proposal. Please provide feedback until Friday."),
    ("Help needed", "", "Volunteers are needed for the festival. Please provide details of your experience by mail."),
    ("Untitled: the art of naming", "", LONG),
    ("[Video] Boats at dawn", "", LONG),
    ("The TODO comment considered harmful", "", LONG),
    ("What Lorem Ipsum means", "", "Lorem ipsum dolor sit amet is no Latin.\n\n" + LONG),
    ("Templates", "", "Write {{ title }} where the title goes. " + LONG),
    ("A new app", "", "Our new app for boats is coming soon, and you can sign up for the test today."),
    ("A letter to copy", "", "Dear [Insert name],\n\n" + LONG),
    ("Content Marketing Needed Today", "", "Shops that tell stories sell more. Boats do not sell by themselves."),
    ("<Article> explained", "", LONG),
    ("Markdown guide", "", "Here is a sample of some basic Markdown syntax.\n\n" + LONG),
]  # fmt: skip


@pytest.mark.parametrize(("title", "description", "body"), ARTICLES)
def test_an_article_about_such_things_is_an_article(title: str, description: str, body: str) -> None:
    assert [str(one) for one in evidence(Manuscript(title=title, description=description, body=body))] == []


def test_a_title_over_another_text_is_held() -> None:
    said = article(
        title="Quantum processors reach a thousand qubits",
        description="Researchers announced how cryogenic hardware is going to change chemistry.",
    )
    judgement = judged(said)
    assert (judgement.state, codes(judgement)) == (State.HELD, ["junk-mismatch"])


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Harbour towns are changing how people live everywhere"},  # one word is shared
        {"title": "Hello, strange days"},  # too short to tell
        {"title": "Warum Schiffe früh auslaufen und niemand davon spricht"},  # another language
        {"title": "Quantum processors reach a thousand qubits with chemistry", "body": LONG[:400], "words": 80},
    ],
)
def test_a_mismatch_is_not_told_where_it_could_be_chance(changes: dict[str, object]) -> None:
    assert mismatch(article(**changes)) is None


@settings(deadline=None, max_examples=80)
@given(st.text(), st.text(), st.text())
def test_judging_never_raises(title: str, description: str, body: str) -> None:
    judgement = judged(Manuscript(title=title, description=description, body=body))
    assert judgement.reasons or judgement.state is State.READY


@pytest.mark.parametrize(
    "body", ["error " * 20_000, "-\n" * 50_000, "please provide a " * 8_000, "I cannot " * 9_000, "a" * 900_000]
)
def test_hostile_bodies_are_judged_in_time(body: str) -> None:
    judged(Manuscript(title="T", description=body[:9_000], body=body))  # pytest's own patience is the limit


# --- the corpus -------------------------------------------------------------------------------------------------------

# Told apart by hand: chosen for the corpus for another oddity, but no articles either.
ALSO_JUNK = {
    "ai-real-estate-house-price-prediction-random-forest.md",  # says that an error occurred and no text was given
    "content-filtered.md",
    "content-generation-required.md",
    "content-generation-requires-valid-topic.md",
    "content-request-pending.md",
    "content-request-requires-topic-specification.md",
    "content-required-ai-article-specifications.md",
    "content-required.md",
    "dhcjfbndhh.md",
    "error-invalid-topic-provided.md",
    "error-invalid-topic.md",
    "need-additional-information-ai-article.md",
    "understanding-artificial-intelligence.md",  # its description says that it cannot be generated
}
LATIN = {  # demonstration posts of themes whose whole body is the printers' Latin
    "astrowind/get-started-website-with-astro-tailwind-css.md",
    "next-git-starter/dynamic-routing.md",
    "next-git-starter/preview.md",
    "papermod-example/inner-section/cover-page/index.md",
}


def _read(folder: Path) -> dict[str, Manuscript]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (path.suffix in (".md", ".mdx", ".markdown") or path.name == ".md"):
            name = path.relative_to(folder).as_posix()
            try:
                found[name] = manuscripts.read(path.read_bytes(), name, DENVER)
            except ContentError:
                continue
    return found


@pytest.mark.corpus
def test_of_the_machines_articles_all_junk_is_caught_and_nothing_else(corpus: Path) -> None:
    rows = (corpus / "magick-news.strata.tsv").read_text(encoding="utf-8").splitlines()
    stated = {line.split("\t")[0] for line in rows if line.split("\t")[1] in ("not an article", "empty body")}
    assert len(stated) == 20
    caught = {name for name, said in _read(corpus / "magick-news").items() if _is_junk(said)}
    assert caught == stated | ALSO_JUNK


@pytest.mark.corpus
def test_of_other_sites_nothing_but_printers_latin_is_junk(corpus: Path) -> None:
    caught = set()
    for folder in sorted(path for path in corpus.iterdir() if path.is_dir() and path.name != "magick-news"):
        caught |= {f"{folder.name}/{name}" for name, said in _read(folder).items() if evidence(said) or mismatch(said)}
    assert caught == LATIN


def _is_junk(said: Manuscript) -> bool:
    reasons = codes(judge(said, Rules(), datetime(2030, 1, 1, tzinfo=UTC), UTC))
    return any(code.startswith("junk-") or code == "empty" for code in reasons)


def test_a_long_text_is_not_rejected_for_a_phrase_in_its_middle() -> None:
    text = LONG + "\n\nPlease provide a topic to generate an article. Unable to generate content.\n\n" + LONG
    assert len(text.split()) > SHORT
    assert evidence(article(body=text, words=900)) == ()
