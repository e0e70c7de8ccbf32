"""What a file says, whatever its site calls things."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syndicate import manuscript, stated
from syndicate.article import Manuscript
from syndicate.errors import ContentError
from syndicate.manuscript import NAMES, read

ROOT = Path(__file__).resolve().parents[2]
BERLIN = ZoneInfo("Europe/Berlin")
UTC = ZoneInfo("UTC")


def said(block: str, path: str = "post.md", body: str = "Some text.\n") -> Manuscript:
    return read(f"---\n{block}\n---\n\n{body}".encode(), path, BERLIN)


FIELDS = [
    # front matter, our field, what it holds
    ("Title: A day", "title", "A day"),
    ("newstitle: A day", "title", "A day"),
    ("title: 'A <em>fine</em> day &amp; night'", "title", "A fine day & night"),
    ("title: 'The <b> tag and Option<T>'", "title", "The <b> tag and Option<T>"),
    ("title: A **fine** and _long_ `day()`", "title", "A fine and long day()"),
    ("title: '*args, __init__ and snake_case_names'", "title", "*args, __init__ and snake_case_names"),
    ("title: '[A day](https://x.example) out [CVE-2024-1]'", "title", "A day out [CVE-2024-1]"),
    ("title: |\n  A day\n  out\n", "title", "A day out"),
    ('title: "A\\tday\\r\\nBcc: x\\u0007"', "title", "A day Bcc: x"),
    ("title: 12", "title", "12"),
    ("sub_title: Below", "subtitle", "Below"),
    ("description: D\nsummary: S", "description", "D"),
    ("Summary: S", "description", "S"),
    ("excerpt: E", "description", "E"),
    ("spoiler: E", "description", "E"),
    ("abstract: E", "description", "E"),
    ("description: ''\nsubtitle: Below", "description", "Below"),
    ("params:\n  description: D", "description", "D"),
    ("author: Ann Lee", "authors", ("Ann Lee",)),
    ("author: Ann Lee and Bo Dahl", "authors", ("Ann Lee and Bo Dahl",)),
    ("author: [Ann, Bo, Ann]", "authors", ("Ann", "Bo")),
    ("authors:\n  - name: Ann\n    url: x\n  - Bo", "authors", ("Ann", "Bo")),
    ("author:\n  name: Ann\n  picture: /a.png", "authors", ("Ann",)),
    ("author: '[Ann](https://x.example/a), [Bo](https://x.example/b)'", "authors", ("Ann, Bo",)),
    ("author: Ann Lee <ann@x.example>", "authors", ("Ann Lee",)),
    ("author: ann@x.example (Ann Lee)", "authors", ("Ann Lee",)),
    ("by: Ann", "authors", ("Ann",)),
    ("author_name: Ann", "authors", ("Ann",)),
    ("author:", "authors", ()),
    ("tags: [b, a]\ncategories: [C, A]", "tags", ("b", "a", "C")),
    ("tags: one two, three", "tags", ("one two", "three")),
    ("tags: machine learning", "tags", ("machine learning",)),
    ("layout: post\ntags: one two\ncategory: three four", "tags", ("one", "two", "three four")),
    ("tag: '#code'", "tags", ("code",)),
    ("tags:\n  - name: One\n  - label: Two", "tags", ("One", "Two")),
    ("taxonomies:\n  tags: [a]\n  categories: [b]", "tags", ("a", "b")),
    ("keywords: [a, b]", "tags", ("a", "b")),
    ("tags: [a]\nkeywords: [b]", "tags", ("a",)),
    ("tags:\ncategories: []", "tags", ()),
    ("cta: 'Follow us\n  today'", "cta", "Follow us today"),
    ("call_to_action: Follow us", "cta", "Follow us"),
    ("heroImage: https://x.example/a.png", "hero_image", "https://x.example/a.png"),
    ("heroImage: images.x.example/a.png", "hero_image", "https://images.x.example/a.png"),
    ("heroImage: x.example/placeholder", "hero_image", "https://x.example/placeholder"),
    ("image: //x.example/a.png", "hero_image", "https://x.example/a.png"),
    ("image: images/a.png", "hero_image", "images/a.png"),
    ("image: ./a.png", "hero_image", "./a.png"),
    ("image: ../up/a.png", "hero_image", "../up/a.png"),
    ("image: /a.png", "hero_image", "/a.png"),
    ("image: cover.png", "hero_image", "cover.png"),
    ("cover:\n  image: a.png\n  alt: x", "hero_image", "a.png"),
    ("ogImage:\n  url: /a.png", "hero_image", "/a.png"),
    ("header:\n  teaser: /a.png", "hero_image", "/a.png"),
    ("images: [/a.png, /b.png]", "hero_image", "/a.png"),
    ("images: []\nthumbnail: /t.png", "hero_image", "/t.png"),
    ("image: '![alt](/a.png)'", "hero_image", "/a.png"),
    ("image: 'https://x.example/a.png put another here'", "hero_image", "https://x.example/a.png"),
    ("image: 'javascript:alert(1)'", "hero_image", None),
    ("image: 'data:image/png;base64,xx'", "hero_image", None),
    ("image: ''", "hero_image", None),
    ("publish_date: '2024-03-05'\ndate: 2020-01-01", "published", "2024-03-05"),
    ("pubDate: 2024-03-05", "published", "2024-03-05"),
    ("publishDate: 2024-03-05T00:00:00Z", "published", "2024-03-05T00:00:00+00:00"),
    ("date: 2024-03-05 10:57", "published", "2024-03-05T10:57:00+01:00"),
    ("date: 2024-07-05 10:57:01", "published", "2024-07-05T10:57:01+02:00"),
    ("published: true\ndate: 2024-03-05", "published", "2024-03-05"),
    ("published: 2024-03-05", "published", "2024-03-05"),
    ("date: soon", "published", None),
    ("created_at: 2015-06-01", "created", "2015-06-01"),
    ("created_date: 2015-06-01", "created", "2015-06-01"),
    ("created_at: 2015-06-01", "published", None),
    ("draft: true", "draft", True),
    ("draft: false", "draft", False),
    ("published: false", "draft", True),
    ("published: true", "draft", False),
    ("status: hidden", "draft", True),
    ("Status: Draft", "draft", True),
    ("status: published", "draft", False),
    ("expiryDate: '2028-02-18' # gone", "expires", "2028-02-18"),
    ("unpublish: 2028-02-18 10:00 +0100", "expires", "2028-02-18T10:00:00+01:00"),
    ("id: 0042", "guid", "0042"),
    ("guid: urn:x:1", "guid", "urn:x:1"),
    ("permalink: /2024/a-day/", "link", "/2024/a-day/"),
    ("url: https://x.example/a", "link", "https://x.example/a"),
    ("canonicalURL: https://x.example/a", "link", "https://x.example/a"),
    ("canonical_url: https://x.example/a", "link", "https://x.example/a"),
    ("metadata:\n  canonical: https://x.example/a", "link", "https://x.example/a"),
    ("permalink: /:year/:title/", "link", None),
    ("permalink: pretty", "link", None),
    ("permalink: false\nurl: /a/", "link", "/a/"),
    ("permalink: '/{{ slug }}/'", "link", None),
    ("url: 'javascript:alert(1)'", "link", None),
    ("url: [a, b]", "link", None),
    ("syndicate: false", "channels", ()),
    ("syndicate: true", "channels", None),
    ("syndicate: {channels: [email, LinkedIn, email]}", "channels", ("email", "linkedin")),
    ("syndicate:\n  channels: email, linkedin", "channels", ("email", "linkedin")),
    ("syndicate: {channels: []}", "channels", ()),
    ("syndicate: {linkedin: 'Own words'}", "channels", None),
    ("syndicate: {linkedin: 'Own words'}", "own_words", {"linkedin": "Own words"}),
    ("syndicate:\n  linkedin: |\n    One\n\n    Two", "own_words", {"linkedin": "One\n\nTwo"}),
    ("slug: A day / out", "slug", "A-day-out"),
    ("slug: ../../etc/passwd", "slug", "etc-passwd"),
    ("slug: '/'", "slug", "post"),
    ("slug: Stra\u00dfe & \u65e5\u672c", "slug", "Stra\u00dfe-\u65e5\u672c"),
]


@pytest.mark.parametrize(("block", "field", "expected"), FIELDS)
def test_a_field_is_found_under_the_names_that_sites_give_it(block: str, field: str, expected: Any) -> None:
    assert getattr(said(block), field) == expected


@pytest.mark.parametrize(
    ("block", "note"),
    [
        ("date: soon", "date: a date that cannot be read: 'soon'"),
        ("date: 3/4/2024", "date: a date that cannot be read: '3/4/2024'"),
        ("image: 'javascript:alert(1)'", "image: not the address of an image: 'javascript:alert(1)'"),
        ("image: 'https://[image]/a.png'", "image: not the address of an image: 'https://[image]/a.png'"),
        ("image: 'https://x.example:port/a.png'", "image: not the address of an image: 'https://x.example:port/a.png'"),
        ("url: 'ftp://x.example'", "url: not the address of a page: 'ftp://x.example'"),
        ("syndicate: perhaps", "syndicate: neither true, false nor a table: 'perhaps'"),
        ("syndicate: {linkedin: [1, 2]}", "syndicate.linkedin: no text to use there"),
        ("syndicate: {channels: {a: b}}", "syndicate.channels: not a list of channels"),
        ("title: 'it's'", "line 2: title: unescaped apostrophe"),
    ],
)
def test_what_makes_no_sense_is_noted_and_nothing_is_raised(block: str, note: str) -> None:
    assert note in said(block).repairs


PATHS = [
    ("2024-01-02-a-day.md", "a-day", "A day", "2024-01-02"),
    ("blog/2024-01-02-a_day-out.markdown", "a_day-out", "A day out", "2024-01-02"),
    ("blog/a-day/index.md", "a-day", "A day", None),
    ("blog/2024-01-02-a-day/index.mdx", "a-day", "A day", "2024-01-02"),
    ("a-day/_index.md", "a-day", "A day", None),
    ("a-day/index.de.md", "a-day", "A day", None),
    ("2024/01/02/a-day.md", "a-day", "A day", "2024-01-02"),
    ("2024-01-02.md", "2024-01-02", "2024 01 02", "2024-01-02"),
    ("2024-13-45-a-day.md", "a-day", "A day", None),
    ("Rust-1.52.1.md", "Rust-1.52.1", "Rust 1.52.1", None),
    ("hash-#1.md", "hash-1", "Hash #1", None),
    ("weekly.2016-04-23.md", "weekly.2016-04-23", "Weekly.2016 04 23", None),
    ("[Needs topic/source material].md", "source-material", "Source material]", None),
    ("\u00fcber-uns.md", "\u00fcber-uns", "\u00dcber uns", None),
    ("..md", "article", ".", None),
]


@pytest.mark.parametrize(("path", "slug", "title", "published"), PATHS)
def test_name_and_day_come_from_the_path_where_nothing_else_gives_them(
    path: str, slug: str, title: str, published: str | None
) -> None:
    found = read(b"Some text.", path, UTC)
    assert (found.slug, found.title, found.published) == (slug, title, published)


def test_a_file_without_a_name_takes_its_slug_from_its_title() -> None:
    assert said("title: A Fine Day", ".md").slug == "a-fine-day"
    assert said("title: A Fine Day", "index.md").slug == "a-fine-day"


def test_a_day_in_front_matter_wins_over_the_one_in_the_name_and_a_path_in_it_counts() -> None:
    assert said("date: 2020-07-20", "2016-07-20-a.md").published == "2020-07-20"
    assert said("date: someday", "2016-07-20-a.md").published == "2016-07-20"
    toml = b'+++\npath = "inside/2021/05/10/a-day"\n+++\ntext'
    assert read(toml, "x.md", UTC).published == "2021-05-10"


HEADINGS = [
    ("# A day\n\ntext", "A day"),
    ("text\n\n# A **fine** day #\n", "A fine day"),
    ("A day\n=====\n\ntext", "A day"),
    ("## A day\n\ntext", "A day"),
    ("```\n# no\n```\n\n# A day", "A day"),
    ("~~~\n# no\n```\n~~~\n# A day", "A day"),
    ("    # code\n\n# A day", "A day"),
    ("# About C#\n", "About C#"),
    ("#hashtag\n\n# A day", "A day"),
    ("text\n\n### Introduction\n", "Post"),
    ("import X from 'x'\n\n## A day", "A day"),
    ("no heading", "Post"),
]


@pytest.mark.parametrize(("body", "title"), HEADINGS)
def test_the_first_heading_is_the_title_where_no_field_is(body: str, title: str) -> None:
    assert read(body.encode(), "post.md", UTC).title == title
    assert said("description: x", body=body).title == title


def test_header_lines_have_customs_of_their_own() -> None:
    found = read(b"Title: One\nAuthors: Ann, Bo\nTags: a b, c\nCategory: d e\nStatus: draft\n\nText", "x.md", UTC)
    assert (found.authors, found.tags, found.draft) == (("Ann", "Bo"), ("a b", "c", "d e"), True)
    assert read(b"Title: One\nAuthors: Lee, Ann; Dahl, Bo\n\nText", "x.md", UTC).authors == ("Lee, Ann", "Dahl, Bo")


def test_the_body_is_kept_as_it_is_and_its_words_are_counted() -> None:
    found = said("title: x", body="It\\'s **one** ''thing''.\n\n\n")
    assert found.body == "It\\'s **one** ''thing''.\n\n\n"
    assert found.words == 3


def test_a_drafts_folder_makes_drafts() -> None:
    assert said("title: x", "blog/_drafts/a.md").draft
    assert not said("title: x", "blog/_posts/_drafts.md").draft


# --- dates -----------------------------------------------------------------------------------------------------------

DATES = [
    ("2024-03-05", "2024-03-05"),
    ("2024-3-5", "2024-03-05"),
    ("2024/03/05", "2024-03-05"),
    ("20240305", "2024-03-05"),
    ("05.03.2024", "2024-03-05"),
    ("March 5, 2024", "2024-03-05"),
    ("Mar 5th 2024", "2024-03-05"),
    ("5 March 2024", "2024-03-05"),
    ("5th of March, 2024", "2024-03-05"),
    ("Tuesday, March 5, 2024", "2024-03-05"),
    ("25/12/2024", "2024-12-25"),
    ("12/25/2024", "2024-12-25"),
    ("4/4/2024", "2024-04-04"),
    ("2024-03-05T10:00:00Z", "2024-03-05T10:00:00+00:00"),
    ("2024-03-05T10:00:00.120Z", "2024-03-05T10:00:00.120+00:00"),
    ("2024-03-05T10:00:00.000Z", "2024-03-05T10:00:00+00:00"),
    ("2024-03-05T10:00:00-08:00", "2024-03-05T10:00:00-08:00"),
    ("2024-03-05 10:00:00 -0800", "2024-03-05T10:00:00-08:00"),
    ("2024-03-05 10:00:00 +00:00", "2024-03-05T10:00:00+00:00"),
    ("2024-03-05 10:00 +0530", "2024-03-05T10:00:00+05:30"),
    ("2024-03-05 10:00:00 UTC", "2024-03-05T10:00:00+00:00"),
    ("2024-03-05 10:00", "2024-03-05T10:00:00+01:00"),
    ("2024-03-05 9:05", "2024-03-05T09:05:00+01:00"),
    ("2024-03-05 9:05 PM", "2024-03-05T21:05:00+01:00"),
    ("March 5, 2024 at 12:05 am", "2024-03-05T00:05:00+01:00"),
    ("Tue, 05 Mar 2024 13:00:00 GMT", "2024-03-05T13:00:00+00:00"),
    ("Tue, 5 Mar 2024 13:00:00 -0500", "2024-03-05T13:00:00-05:00"),
    ("Tue, 5 Mar 2024 13:00:00 EST", "2024-03-05T13:00:00-05:00"),
    ("Mar 05 2024 10:00:00 GMT+0100 (CET)", "2024-03-05T10:00:00+01:00"),
    ("1709632800", "2024-03-05T10:00:00+00:00"),
    ("1709632800000", "2024-03-05T10:00:00+00:00"),
    ("2024-07-05 10:00", "2024-07-05T10:00:00+02:00"),
    ("2024-03-31 02:30", "2024-03-31T02:30:00+01:00"),
    ("0001-01-01", "0001-01-01"),
    ("9999-12-31 23:59", "9999-12-31T23:59:00+01:00"),
    *((text, None) for text in (
        "", "soon", "2024", "2024-13-01", "2024-02-30", "2024-03-05 25:00", "3/4/2024", "5 Foo 2024",
        "2024-03-05 +0100",
        "{{ date }}", "2024-03-05 10:00 XYZ", "2024-03-05 13:00 PM", "0000-01-01", "2024-03-05 10:00 +", "2024-03-05x",
        "2024-03-05 10:00 +9900", "99999999999999", "1" * 101,
    )),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), DATES)
def test_a_date_is_read_as_it_is_stated_or_not_at_all(text: str, expected: str | None) -> None:
    assert stated.when(text, BERLIN) == expected


# --- anything --------------------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from(["2024-01-02", "true", "../x", "a\r\nb"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "url", "image", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)
EVERY_NAME = sorted({name for names in NAMES.values() for name in names if "." not in name} | {"params", "extra", "og"})


@given(st.dictionaries(st.sampled_from(EVERY_NAME), VALUES, max_size=8), st.text(max_size=30))
@settings(max_examples=400, deadline=None)
def test_any_value_under_any_name_gives_a_sound_manuscript(fields: dict[str, Any], name: str) -> None:
    try:
        found = read(f"{json.dumps(fields)}\ntext".encode(), f"a/{name}.md", BERLIN)
    except ContentError as exc:
        assert "nested" in exc.reason
        return
    assert found.slug and "/" not in found.slug and ".." not in found.slug
    lines = [
        found.title,
        found.subtitle,
        found.description,
        found.cta,
        found.guid or "",
        found.link or "",
        *found.authors,
        *found.tags,
    ]
    assert not [line for line in lines if re.search(r"[\x00-\x1f\x7f]", line) or line != line.strip()]
    assert all(found.authors) and all(found.tags) and len(set(found.tags)) == len(found.tags)
    for text in (*lines, found.slug, *found.own_words.values()):
        text.encode()
    for moment in (found.published, found.created, found.expires):
        assert moment is None or re.match(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d(:\d\d)?)?$", moment)


HOSTILE = {
    "dashes in a slug": "slug: '" + "-" * 50_000 + "'",
    "dots in a slug": "slug: '" + ".-" * 25_000 + "'",
    "signs in a name": "author: '" + "a@" * 25_000 + "'",
    "brackets in a name": "author: '" + "<@" * 25_000 + "'",
    "tags in a title": "title: '" + "<a>" * 15_000 + "</a>'",
    "marks in a title": "title: '" + "*_`~" * 12_000 + "'",
    "brackets in a title": "title: '" + "[a](" * 12_000 + "'",
    "labels in an image": "image: '" + "a." * 25_000 + "/x'",
    "colons in a link": "url: '" + "/:" * 25_000 + "'",
}


@pytest.mark.parametrize("block", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_value_costs_no_time(block: str) -> None:
    begin = time.process_time()
    said(block)
    assert time.process_time() - begin < 0.5


@pytest.mark.parametrize("body", ["# " + " " * 1_000_000 + "x", "# " * 500_000, "\n" * 500_000, "`" * 500_000])
def test_a_hostile_body_costs_no_time_in_search_of_a_title(body: str) -> None:
    begin = time.process_time()
    manuscript._first_heading(body)
    assert time.process_time() - begin < 0.5


# --- the page for readers --------------------------------------------------------------------------------------------


def test_the_page_on_front_matter_names_the_same_fields_as_the_code() -> None:
    page = (ROOT / "docs" / "front-matter.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", page, re.MULTILINE)
    assert {ours: tuple(re.findall(r"`([^`]+)`", names)) for ours, names in rows} == dict(NAMES)


# --- the real files --------------------------------------------------------------------------------------------------


def everything(folder: Path) -> dict[str, Manuscript]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): read(path.read_bytes(), str(path.relative_to(folder)), UTC) for path in paths
    }


@pytest.mark.corpus
def test_the_machine_written_articles_are_read_whole(corpus: Path) -> None:
    found = everything(corpus / "magick-news")
    assert len(found) == 300
    for path, one in found.items():
        text = (corpus / "magick-news" / path).read_text(encoding="utf-8")
        assert one.title and one.subtitle and one.description and one.authors and one.cta, path
        assert one.hero_image and one.hero_image.startswith("https://") and " " not in one.hero_image, path
        for name, value in (("publish_date", one.published), ("created_date", one.created)):
            stands = re.search(rf"^{name}: ['\"]?(\d{{4}}-\d\d-\d\d)", text, re.MULTILINE)
            assert stands and value == stands[1], path
        for line in (one.title, one.subtitle, one.description, one.cta, *one.authors):
            assert "\\" not in line and "''" not in line and line[0] not in "'\"" and line[-1] not in "'\"", (
                path,
                line,
            )
        assert one.slug and one.channels is None and not one.draft and one.link is None, path
    assert sum(one.words == 0 for one in found.values()) <= 2


@pytest.mark.corpus
def test_three_hundred_articles_are_read_in_a_moment(corpus: Path) -> None:
    files = [(path.name, path.read_bytes()) for path in (corpus / "magick-news").rglob("*.md")]
    begin = time.process_time()
    for name, raw in files:
        read(raw, name, UTC)
    assert time.process_time() - begin < 1.0  # 0.2 s; the rest is for a busy machine


# folder, file, field, what it must hold: a look at each folder's own way of saying things
SEEN = [
    ("11ty-blog", "2019-12-19-logo-homage.md", {"published": "2019-12-19", "slug": "logo-homage", "authors": ()}),
    ("artsy-blog", "2017-08-31-Editathon.markdown", {"authors": ("orta", "roop"), "published": "2017-08-31"}),
    ("artsy-blog", "2015-08-10-peer-lab.markdown", {"published": "2015-08-10T10:57:00+00:00", "authors": ("ash",)}),
    ("astrowind", "astrowind-template-in-depth.mdx", {"published": "2023-07-17T00:00:00+00:00", "authors": ()}),
    ("burntsushi", "encephalitis.md", {"published": "2026-06-03T08:30:00-04:00", "link": "encephalitis"}),
    ("etcd-blog", "2025/autonomus_testing_with_antithesis.md", {"authors": ("Marek Siarkowicz (Google)",)}),
    ("haacked", "2017/2017-10-22-gitcoin.markdown", {"published": "2017-10-22", "slug": "gitcoin"}),
    ("helm-blog", "2019-10-22-helm-2150-released.md", {"authors": ("mattfisher",), "published": "2019-10-22"}),
    ("hugo-docs", "methods/site/Sites.md", {"expires": "2028-02-18", "slug": "Sites"}),
    ("hugo-skeleton", "posts/post-3/index.md", {"tags": ("red", "green", "blue"), "slug": "post-3"}),
    ("hydra-jekyll", "_posts/2016-08-02-sales-effectiveness.md",
     {"published": "2020-08-02", "tags": ("sales", "tips")}),
    ("jekyll-news", "2018-08-01-jekyll-sponsoring.markdown", {"published": "2018-08-01T15:00:00+02:00"}),
    ("jekyll-testsite", "_posts/2008-02-02-not-published.markdown", {"draft": True, "published": "2008-02-02"}),
    ("jekyll-testsite", "_posts/2015-02-20-extensionless-permalink.markdown", {"link": None}),
    ("mono-reencoded", "2017-08-14-mono-5-2-is-out.mojibake.md", {"authors": ("Alexander K\u00f6plinger",)}),
    ("mono-reencoded", "2017-08-14-mono-5-2-is-out.windows-1252.md", {"authors": ("Alexander K\u00f6plinger",)}),
    ("next-git-starter", "preview.md", {"authors": ("Joe Haddad",), "published": "2020-03-16T05:35:07.322+00:00"}),
    ("nextjs-starter-mdx", "pictures-of-canada.mdx", {"hero_image": "/static/images/canada/mountains.jpg"}),
    ("overreacted", "on-let-vs-const/index.md", {"slug": "on-let-vs-const", "published": "2019-12-22"}),
    ("papermod-example", "inner-section/cover-page/index.md", {"hero_image": "image.png", "draft": True}),
    ("pelican-jakevdp", "2014-06-06-frequentism-and-bayesianism-2-when-results-differ.md",
     {"published": "2014-06-06T02:00:00+00:00"}),
    ("pelican-zh", "DevOps/Monitoring_Kapacitor.md", {"tags": ("TICK", "Monitoring", "Kapacitor")}),
    ("prometheus-blog", "2015-06-01-advanced-service-discovery.md",
     {"created": "2015-06-01", "published": "2015-06-01", "authors": ("Fabian Reinartz, Julius Volz",)}),
    ("rust-blog", "Rust-1.88.0.md", {"published": "2025-06-26", "slug": "Rust-1.88.0"}),
    ("rust-embedded", "2018-03-29-newsletter-2.md", {"published": "2018-03-29", "draft": False}),
    ("spf13-json", "project/wp_GitHub_Code_Viewer.md", {"slug": "github-code-viewer", "published": "2012-02-13"}),
    ("spf13-yaml-toml", "post/OSCON-2014.md", {"draft": True, "published": "2014-09-03T12:09:03-04:00"}),
    ("this-week-in-rust", "2013-06-07-this-week-in-rust.markdown",
     {"tags": ("this-week-in-rust", "rust", "programming", "This Week in Rust")}),
    ("zola-testsite", "posts/draft.md", {"draft": True, "published": "2016-03-01"}),
]  # fmt: skip


@pytest.mark.corpus
@pytest.mark.parametrize(("folder", "file", "expected"), SEEN, ids=[f"{row[0]}/{row[1]}" for row in SEEN])
def test_each_site_is_understood(corpus: Path, folder: str, file: str, expected: dict[str, Any]) -> None:
    found = read((corpus / folder / file).read_bytes(), file, UTC)
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.corpus
def test_every_file_of_every_site_has_a_title_and_a_slug_or_a_line_to_look_at(corpus: Path) -> None:
    count, untitled = 0, []
    for folder in sorted(path for path in corpus.iterdir() if path.is_dir()):
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            count += 1
            try:
                found = read(path.read_bytes(), str(path.relative_to(folder)), UTC)
            except ContentError as exc:
                assert exc.line > 0
                continue
            assert found.slug
            if not found.title:
                untitled.append(str(path.relative_to(corpus)))
    assert count >= 590
    assert untitled == ["rust-embedded/_index.md"]
