"""The feeds as readers see them: parsed by feedparser and lxml, with feedgen's traps as cases."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from syndicate.article import Article
from syndicate.config import FeedSettings, Site
from syndicate.errors import SyndicateError
from syndicate.feedfiles import write
from syndicate.feeditem import Image
from syndicate.feeds import build, shown
from tests.factories import NOON, make_article

SITE = Site(title="The Harbour Post", url="https://example.org", description="News from the quay.", author="The desk")
NAMESPACES = {
    "a": "http://www.w3.org/2005/Atom",
    "atom": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "media": "http://search.yahoo.com/mrss/",
}
PUBLIC = "https://news.example.org"


def feeds_of(
    *articles: Article, site: Site = SITE, images: dict[str, Image] | None = None, **settings: Any
) -> dict[str, bytes]:
    return build(articles, site, FeedSettings(**settings), PUBLIC, images=images)


def find(document: bytes, path: str) -> list[Any]:
    return list(etree.fromstring(document).xpath(path, namespaces=NAMESPACES))


def text(document: bytes, path: str) -> str:
    (found,) = find(document, path)
    return str(found if isinstance(found, str) else found.text)


def three() -> list[Article]:
    return [make_article(slug=f"story-{n}", title=f"Story {n}", released=NOON - timedelta(hours=n)) for n in range(3)]


# Identity, order, dates


def test_the_three_formats_tell_the_same_story() -> None:
    feeds = feeds_of(*three())
    assert list(feeds) == ["feed.xml", "atom.xml", "feed.json"]
    rss, atom = feedparser.parse(feeds["feed.xml"]), feedparser.parse(feeds["atom.xml"])
    items = json.loads(feeds["feed.json"])["items"]
    assert not rss.bozo
    assert not atom.bozo
    assert (rss.version, atom.version) == ("rss20", "atom10")
    for a, b, c in zip(rss.entries, atom.entries, items, strict=True):
        assert a.id == b.id == c["id"]
        assert a.title == b.title == c["title"]
        assert a.link == b.link == c["url"]
        assert a.summary == b.summary == c["summary"]
        assert a.content[0].value == b.content[0].value == c["content_html"].strip()
        assert a.published_parsed == b.published_parsed
        assert [tag.term for tag in a.tags] == [tag.term for tag in b.tags] == c["tags"]


def test_newest_comes_first_in_whatever_order_they_are_given() -> None:
    feeds = feeds_of(*reversed(three()))
    assert find(feeds["feed.xml"], "//item/title/text()") == ["Story 0", "Story 1", "Story 2"]
    assert feeds == feeds_of(*three())


def test_an_id_depends_on_the_article_alone() -> None:
    article = make_article()
    feeds = feeds_of(article)
    assert text(feeds["feed.xml"], "//item/guid") == f"urn:uuid:{article.id}"
    assert text(feeds["feed.xml"], "//item/guid/@isPermaLink") == "false"
    assert text(feeds["atom.xml"], "//a:entry/a:id") == f"urn:uuid:{article.id}"
    assert json.loads(feeds["feed.json"])["items"][0]["id"] == f"urn:uuid:{article.id}"


def test_an_item_bears_its_release_and_an_edit_moves_only_updated() -> None:
    stated_long_ago = make_article(published="2019-01-01", updated=NOON + timedelta(days=2, microseconds=5))
    feeds = feeds_of(stated_long_ago)
    assert text(feeds["feed.xml"], "//item/pubDate") == "Mon, 23 Nov 2026 12:00:00 +0000"
    assert text(feeds["atom.xml"], "//a:entry/a:published") == "2026-11-23T12:00:00+00:00"
    (updated,) = find(feeds["atom.xml"], "//a:entry/a:updated/text()")
    assert updated.startswith("2026-11-25T12:00:00.")  # the rest tells entries of one moment apart
    assert text(feeds["atom.xml"], "/a:feed/a:updated") == updated
    assert text(feeds["feed.xml"], "//lastBuildDate") == "Wed, 25 Nov 2026 12:00:00 +0000"
    (item,) = json.loads(feeds["feed.json"])["items"]
    assert (item["date_published"], item["date_modified"]) == ("2026-11-23T12:00:00Z", "2026-11-25T12:00:00Z")


def test_updated_is_never_before_the_release() -> None:
    feeds = feeds_of(make_article(updated=NOON - timedelta(days=30)))
    assert text(feeds["atom.xml"], "//a:entry/a:updated").startswith("2026-11-23T12:00:00.")


def test_an_empty_feed_is_valid_and_knows_no_clock() -> None:
    feeds = feeds_of()
    assert feeds == feeds_of()
    assert text(feeds["atom.xml"], "/a:feed/a:updated") == "1970-01-01T00:00:00+00:00"
    assert not feedparser.parse(feeds["feed.xml"]).bozo
    assert json.loads(feeds["feed.json"])["items"] == []
    for content in feeds.values():
        assert str(datetime.now(UTC).year).encode() not in content


_PRINT_DIGEST = """
import hashlib
from tests.unit.test_feeds import feeds_of, three
print({name: hashlib.sha256(content).hexdigest() for name, content in feeds_of(*three()).items()})
"""


def test_the_same_articles_give_the_same_bytes_in_every_process() -> None:
    root = Path(__file__).parents[2]
    printed = {
        subprocess.run(
            [sys.executable, "-c", _PRINT_DIGEST],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(root), "TZ": zone, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }
    assert len(printed) == 1


# The channel


def test_the_site_is_the_channels_link_and_the_feed_its_own() -> None:
    feeds = feeds_of(*three(), hubs=("https://hub.example/",))
    rss, atom = feeds["feed.xml"], feeds["atom.xml"]
    assert text(rss, "/rss/channel/link") == "https://example.org"
    assert find(rss, "/rss/channel/atom:link[@rel='self']/@href") == [f"{PUBLIC}/feed.xml"]
    assert find(rss, "/rss/channel/atom:link[@rel='self']/@type") == ["application/rss+xml"]
    assert find(rss, "/rss/channel/atom:link[@rel='hub']/@href") == ["https://hub.example/"]
    assert find(atom, "/a:feed/a:link[@rel='alternate']/@href") == ["https://example.org"]
    assert find(atom, "/a:feed/a:link[@rel='self']/@href") == [f"{PUBLIC}/atom.xml"]
    assert find(atom, "/a:feed/a:link[@rel='hub']/@href") == ["https://hub.example/"]
    feed = json.loads(feeds["feed.json"])
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["home_page_url"] == "https://example.org"
    assert feed["feed_url"] == f"{PUBLIC}/feed.json"
    assert feed["hubs"] == [{"type": "WebSub", "url": "https://hub.example/"}]


def test_a_site_with_nothing_but_its_title_gives_valid_feeds() -> None:
    feeds = feeds_of(make_article(authors=()), site=Site(title="Bare", url="https://bare.example"))
    assert text(feeds["feed.xml"], "/rss/channel/description") == "Bare"
    assert text(feeds["atom.xml"], "/a:feed/a:author/a:name") == "Bare"  # an entry without author needs the feed's
    assert "authors" not in json.loads(feeds["feed.json"])["items"][0]


def test_the_language_is_told_and_rtl_text_says_so_itself() -> None:
    site = Site(title="الميناء", url="https://example.org", language="ar")
    feeds = feeds_of(make_article(title="حارس المنارة", body="أضاء المصباح كل مساء."), site=site)
    assert text(feeds["feed.xml"], "/rss/channel/language") == "ar"
    assert etree.fromstring(feeds["atom.xml"]).get("{http://www.w3.org/XML/1998/namespace}lang") == "ar"
    assert text(feeds["feed.xml"], "//item/title") == "حارس المنارة"
    assert text(feeds["feed.xml"], "//content:encoded").startswith('<div dir="rtl">')
    assert json.loads(feeds["feed.json"])["language"] == "ar"


# Items


def test_full_content_stands_after_a_plain_summary() -> None:
    rss = feeds_of(make_article(description="Keys *handed* over."))["feed.xml"]
    (item,) = find(rss, "//item")
    names = [etree.QName(element).localname for element in item]
    assert names.index("description") < names.index("encoded")
    assert "<strong>every</strong>" in text(rss, "//content:encoded")
    assert "<" not in text(rss, "//item/description")


def test_an_article_without_description_is_summed_up_from_its_text() -> None:
    feeds = feeds_of(make_article(description=""))
    assert text(feeds["feed.xml"], "//item/description").startswith("The lamp was lit every evening.")
    assert find(feeds["feed.xml"], "//content:encoded")  # lost by feedgen without a summary


def test_a_long_description_is_cut() -> None:
    feeds = feeds_of(make_article(description="One more sentence about the sea. " * 100))
    assert 300 < len(text(feeds["atom.xml"], "//a:entry/a:summary")) <= 500


def test_summary_only_feeds_hold_no_article() -> None:
    feeds = feeds_of(*three(), content="summary")
    assert not find(feeds["feed.xml"], "//content:encoded")
    assert not find(feeds["atom.xml"], "//a:content")
    assert find(feeds["atom.xml"], "//a:entry/a:link[@rel='alternate']")  # RFC 4287 section 4.1.2 asks for it then
    for item in json.loads(feeds["feed.json"])["items"]:
        assert item["content_text"]
        assert "content_html" not in item
    assert b"somebody else" not in b"".join(feeds.values())


def test_plain_text_that_looks_like_markup_stays_text() -> None:
    feeds = feeds_of(make_article(title="Q&A: why 1 < 2", description=r"Write \<b> or \&amp; & be AT&T."))
    rss = feedparser.parse(feeds["feed.xml"]).entries[0]
    assert text(feeds["feed.xml"], "//item/title") == "Q&A: why 1 < 2"
    assert text(feeds["atom.xml"], "//a:entry/a:title") == "Q&A: why 1 < 2"
    assert "<b>" not in text(feeds["feed.xml"], "//item/description")  # RSS readers take it for HTML
    assert "&lt;b&gt;" in rss.summary
    assert "<b>" in text(feeds["atom.xml"], "//a:entry/a:summary")  # a text construct


def test_harmless_ampersands_are_escaped_once() -> None:
    feeds = feeds_of(make_article(description="Rock & roll at AT&T."))
    assert text(feeds["feed.xml"], "//item/description") == "Rock & roll at AT&T."


def test_content_is_safe_absolute_html() -> None:
    body = '<script>alert(1)</script>\n\n[deck](../deck/) ![lamp](/lamp.png)\n\n<p onclick="x()">ok</p>\n'
    html = text(feeds_of(make_article(body=body))["feed.xml"], "//content:encoded")
    assert "script" not in html
    assert "onclick" not in html
    assert 'href="https://example.org/deck/"' in html
    assert 'src="https://example.org/lamp.png"' in html


def test_a_cdata_end_in_the_text_breaks_nothing() -> None:
    feeds = feeds_of(make_article(body="`]]>` and `<![CDATA[` and &nbsp; and <br>"))
    assert "]]&gt;" in text(feeds["feed.xml"], "//content:encoded")
    assert "]]&gt;" in text(feeds["atom.xml"], "//a:content")


def test_authors_without_address_are_named_in_every_format() -> None:
    feeds = feeds_of(make_article(authors=("Ada Lindqvist", "Bo Ek", "Ada Lindqvist")))
    assert find(feeds["feed.xml"], "//item/dc:creator/text()") == ["Ada Lindqvist", "Bo Ek"]
    assert not find(feeds["feed.xml"], "//item/author")
    assert find(feeds["atom.xml"], "//a:entry/a:author/a:name/text()") == ["Ada Lindqvist", "Bo Ek"]
    assert json.loads(feeds["feed.json"])["items"][0]["authors"] == [{"name": "Ada Lindqvist"}, {"name": "Bo Ek"}]


def test_an_untitled_note_gets_its_first_words() -> None:
    feeds = feeds_of(make_article(title="  ", description="", body="Fog over the harbour tonight."))
    assert text(feeds["atom.xml"], "//a:entry/a:title") == "Fog over the harbour tonight."


def test_atom_links_keep_what_feedgen_drops() -> None:
    article = make_article()
    image = Image(url="https://example.org/lamp.png", type="image/png", length=1234)
    atom = feeds_of(article, images={article.id: image})["atom.xml"]
    links = [dict(link.attrib) for link in find(atom, "//a:entry/a:link")]
    assert {"rel": "alternate", "href": article.url} in links
    assert {"rel": "enclosure", "href": image.url, "type": "image/png", "length": "1234"} in links
    assert feedparser.parse(atom).entries[0].link == article.url


def test_one_enclosure_and_only_with_its_true_length() -> None:
    article = make_article(hero_image="https://example.org/lamp.png")
    known = Image(url="https://example.org/lamp.png", type="image/png", length=1234)
    rss = feeds_of(article, images={article.id: known})["feed.xml"]
    assert [dict(found.attrib) for found in find(rss, "//enclosure")] == [
        {"url": known.url, "length": "1234", "type": "image/png"}
    ]
    assert not find(feeds_of(article)["feed.xml"], "//enclosure")


@pytest.mark.parametrize(
    ("stated", "shown_as"),
    [
        ("https://cdn.example.org/a.png", "https://cdn.example.org/a.png"),
        ("/images/a.png", "https://example.org/images/a.png"),
        ("javascript:alert(1)", None),
        ("http://[broken", None),
        (None, None),
    ],
)
def test_a_stated_image_stands_in_the_item_without_a_group(stated: str | None, shown_as: str | None) -> None:
    feeds = feeds_of(make_article(hero_image=stated))
    expected = [shown_as] if shown_as else []
    assert find(feeds["feed.xml"], "//item/media:content/@url") == expected
    assert find(feeds["atom.xml"], "//a:entry/media:content/@url") == expected
    assert not find(feeds["feed.xml"], "//media:group")
    assert json.loads(feeds["feed.json"])["items"][0].get("image") == shown_as


def test_an_image_somebody_looked_for_in_vain_is_left_out() -> None:
    feeds = feeds_of(make_article(hero_image="https://example.org/none.png"), images={})
    assert b"none.png" not in b"".join(feeds.values())


# Hostile articles


@pytest.mark.parametrize("bad", ["\x00", "\x08", "\x0b", "\x1b", "\ufffe", "\uffff", "\ud800", "\udfff"])
def test_characters_that_xml_forbids_are_taken_out_everywhere(bad: str) -> None:
    site = Site(title="A", url="https://example.org").model_copy(
        update={"title": f"T{bad}T", "description": f"D{bad}D", "author": f"A{bad}A"}
    )
    feeds = feeds_of(
        make_article(
            title=f"a{bad}b",
            description=f"c{bad}d",
            body=f"e{bad}f",
            authors=(f"g{bad}h",),
            tags=(f"i{bad}j",),
            hero_image=f"https://example.org/{bad}.png",
            url=f"https://example.org/x{bad}/",
        ),
        site=site,
    )
    for name in ("feed.xml", "atom.xml"):
        assert not feedparser.parse(feeds[name]).bozo
        assert "ab" in find(feeds[name], "//*[local-name()='title']/text()")
    (item,) = json.loads(feeds["feed.json"])["items"]
    assert item["title"] == "ab"
    assert item["tags"] == ["ij"]


def test_emoji_and_line_separators_pass() -> None:
    feeds = feeds_of(make_article(body="Fish 🐟 and\u2028chips"))
    assert "🐟" in text(feeds["feed.xml"], "//content:encoded")


@given(words=st.text(max_size=60), body=st.text(max_size=200))
def test_any_text_at_all_gives_feeds_that_parse(words: str, body: str) -> None:
    feeds = feeds_of(make_article(title=words, description=words, authors=(words,), tags=(words,), body=body))
    assert len(find(feeds["feed.xml"], "//item")) == 1
    assert len(find(feeds["atom.xml"], "//a:entry")) == 1
    assert len(json.loads(feeds["feed.json"])["items"]) == 1


def test_an_article_that_cannot_be_rendered_costs_nobody_else_a_place(caplog: pytest.LogCaptureFixture) -> None:
    bad = make_article(slug="bad", released=None)
    with caplog.at_level(logging.ERROR):
        feeds = feeds_of(*three(), bad, make_article(slug="relative", url="/relative/"))
    assert len(find(feeds["feed.xml"], "//item")) == 3
    assert [record.getMessage() for record in caplog.records] == ["article left out of the feeds"] * 2


# Choosing


def hours_ago(*hours: float) -> Sequence[datetime]:
    return [NOON - timedelta(hours=hour) for hour in hours]


@pytest.mark.parametrize(
    ("released", "items", "keep", "count"),
    [
        ([], 50, 24, 0),
        (hours_ago(0, 1, 2), 50, 24, 3),
        (hours_ago(0, 100, 200, 300), 2, 24, 2),  # the newest two
        (hours_ago(0, 1, 2, 24, 25), 2, 24, 4),  # a burst: all of a day, its edge included
        (hours_ago(1000, 1001, 2000), 1, 24, 2),  # counted from the newest, not from now
        (hours_ago(*[0] * 1500), 50, 24, 1000),
        (hours_ago(0, 1), 1, 0, 1),
    ],
)
def test_the_feed_shows_the_newest_and_all_of_their_day(
    released: Sequence[datetime], items: int, keep: int, count: int
) -> None:
    assert shown(released, items, timedelta(hours=keep)) == count


# Files


def test_only_changed_files_are_written(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "public"
    assert write({"feed.xml": b"1", "atom.xml": b"1"}, folder) == ["feed.xml", "atom.xml"]
    before = (folder / "atom.xml").stat()
    assert write({"feed.xml": b"2", "atom.xml": b"1"}, folder) == ["feed.xml"]
    assert (folder / "feed.xml").read_bytes() == b"2"
    assert (folder / "atom.xml").stat() == before
    assert write({"feed.xml": b"2", "atom.xml": b"1"}, folder) == []
    assert sorted(path.name for path in folder.iterdir()) == ["atom.xml", "feed.xml"]


def test_files_can_be_read_by_another_web_server(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write({"feed.xml": b"1"}, tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / "feed.xml").stat().st_mode & 0o777 == 0o644


_WRITE = """
import sys
from pathlib import Path
from syndicate.feedfiles import write
write({"feed.xml": b"new", "atom.xml": b"new"}, Path(sys.argv[1]))
"""


@pytest.mark.parametrize(("crash", "left"), [("feed.tmp", (b"old", b"old")), ("feed.tmp:2", (b"new", b"old"))])
def test_a_writer_killed_half_way_leaves_whole_files_and_its_rest_is_cleared(
    tmp_path: Path, crash: str, left: tuple[bytes, bytes]
) -> None:
    write({"feed.xml": b"old", "atom.xml": b"old"}, tmp_path)
    killed = subprocess.run([sys.executable, "-c", _WRITE, tmp_path], env=os.environ | {"SYNDICATE_CRASH": crash})
    assert killed.returncode == -signal.SIGKILL
    assert ((tmp_path / "feed.xml").read_bytes(), (tmp_path / "atom.xml").read_bytes()) == left
    assert len(list(tmp_path.iterdir())) == 3
    write({"feed.xml": b"old", "atom.xml": b"old"}, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["atom.xml", "feed.xml"]


def test_writers_at_the_same_moment_leave_whole_files(tmp_path: Path) -> None:
    contents = [bytes([65 + n]) * 100_000 for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(lambda content: write({"feed.xml": content}, tmp_path), contents))
    assert written == [["feed.xml"]] * 8
    assert (tmp_path / "feed.xml").read_bytes() in contents
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_cannot_be_written_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SyndicateError, match="cannot write the feeds into"):
        write({"feed.xml": b"1"}, tmp_path / "file" / "public")
