"""Feeds of every format, well-made and otherwise, as articles."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syndicate import feeds, markdown
from syndicate.article import Manuscript
from syndicate.config import FeedSettings, Site
from syndicate.errors import SourceError
from syndicate.sources.feedread import Feed, read
from tests.factories import make_article

BASE = "https://example.org/feed.xml"
RSS_SPACES = (
    'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:media="http://search.yahoo.com/mrss/" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"'
    ' xmlns:feedburner="http://rssnamespace.org/feedburner/ext/1.0"'
)


def rss(*items: str, head: str = "<title>Harbour</title>") -> str:
    inner = "".join(f"<item>{item}</item>" for item in items)
    return f'<?xml version="1.0"?>\n<rss version="2.0" {RSS_SPACES}><channel>{head}{inner}</channel></rss>'


def atom(*entries: str, head: str = "<title>Harbour</title>", more: str = "") -> str:
    inner = "".join(f"<entry>{entry}</entry>" for entry in entries)
    return f'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom" {more}>{head}{inner}</feed>'


def json_feed(*items: Any, **head: Any) -> str:
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "Harbour", "items": items, **head})


def feed_of(text: str | bytes, content_type: str = "text/xml", base: str = BASE) -> Feed:
    return read(text if isinstance(text, bytes) else text.encode(), content_type, base)


def article(text: str | bytes, content_type: str = "text/xml") -> Manuscript:
    (item,) = feed_of(text, content_type).items
    return item.manuscript


def refusal(text: str | bytes, content_type: str = "text/xml") -> str:
    with pytest.raises(SourceError) as caught:
        feed_of(text, content_type)
    return str(caught.value)


# --- every format -------------------------------------------------------------------------------------------------

RSS_ITEM = """
    <title>The lamp goes out</title><link>/2026/lamp-goes-out.html?from=feed</link><guid isPermaLink="false">lamp-7</guid>
    <dc:creator>Ada Lindqvist</dc:creator><dc:creator>Bo Ek</dc:creator><category>harbour</category><category>people</category>
    <pubDate>Mon, 23 Nov 2026 13:00:00 +0100</pubDate><description>The keeper &lt;b&gt;hands over&lt;/b&gt; the keys.</description>
    <content:encoded><![CDATA[<p>The lamp was lit <em>every</em> evening.</p>

<p>Now it is <a href="/else">somebody else's</a> turn.</p>]]></content:encoded>
    <media:content url="/lamp.jpg" medium="image"/>
"""  # noqa: E501
ATOM_ENTRY = """
    <title type="html">The lamp goes out</title><link href="/2026/lamp-goes-out.html?from=feed"/><id>lamp-7</id>
    <author><name>Ada Lindqvist</name><email>a@b.example</email></author><author><name>Bo Ek</name></author>
    <category term="h" label="harbour"/><category term="people"/><published>2026-11-23T13:00:00+01:00</published>
    <updated>2026-11-24T13:00:00+01:00</updated><summary>The keeper hands over the keys.</summary>
    <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>The lamp was lit <em>every</em> evening.</p>
    <p>Now it is <a href="/else">somebody else's</a> turn.</p></div></content>
    <link rel="enclosure" type="image/jpeg" href="/lamp.jpg" length="7"/>
"""
JSON_ITEM = {
    "id": "lamp-7",
    "url": "/2026/lamp-goes-out.html?from=feed",
    "title": "The lamp goes out",
    "authors": [{"name": "Ada Lindqvist"}, {"name": "Bo Ek"}],
    "tags": ["harbour", "people"],
    "date_published": "2026-11-23T13:00:00+01:00",
    "summary": "The keeper hands over the keys.",
    "content_html": "<p>The lamp was lit <em>every</em> evening.</p>\n\n"
    '<p>Now it is <a href="/else">somebody else\'s</a> turn.</p>',
    "image": "/lamp.jpg",
}


@pytest.mark.parametrize(
    "text", [rss(RSS_ITEM), atom(ATOM_ENTRY), json_feed(JSON_ITEM)], ids=["RSS", "Atom", "JSON Feed"]
)
def test_an_item_is_an_article_in_every_format(text: str) -> None:
    feed = feed_of(text)
    (item,) = feed.items
    said = item.manuscript
    assert feed.notes == ()
    assert (said.title, said.guid, item.guid) == ("The lamp goes out", "lamp-7", "lamp-7")
    assert said.link == "https://example.org/2026/lamp-goes-out.html?from=feed"
    assert said.slug == "lamp-goes-out"
    assert said.authors == ("Ada Lindqvist", "Bo Ek")
    assert said.tags == ("harbour", "people")
    assert said.published == "2026-11-23T13:00:00+01:00"
    assert said.description == "The keeper hands over the keys."
    assert said.hero_image == "https://example.org/lamp.jpg"
    assert said.words == 12
    assert markdown.to_text(said.body) == "The lamp was lit every evening.\n\nNow it is somebody else's turn."
    assert '<a href="https://example.org/else"' in markdown.to_html(said.body, base_url="https://x.example/")
    assert re.fullmatch(r"[0-9a-f]{20}\.html", item.path)
    assert item.updated == ("2026-11-24T13:00:00+01:00" if text.startswith("<?xml") and "<entry>" in text else None)


def test_older_formats_are_read_too() -> None:
    rss_1 = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
        xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="https://example.org/"><title>x</title></channel>
        <item rdf:about="https://example.org/a"><title>One</title><link>https://example.org/a</link>
        <description>Words</description><dc:date>2026-11-23T12:00:00Z</dc:date><dc:creator>Bo</dc:creator></item></rdf:RDF>"""
    rss_091 = """<?xml version="1.0"?><!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN"
        "http://my.netscape.com/publish/formats/rss-0.91.dtd">
        <rss version="0.91"><channel><item><title>One</title><link>https://example.org/a</link></item></channel></rss>"""
    atom_03 = """<feed version="0.3" xmlns="http://purl.org/atom/ns#"><entry><title>One</title>
        <link rel="alternate" href="https://example.org/a"/><id>tag:1</id><issued>2026-11-23T12:00:00Z</issued>
        <content type="text/html" mode="escaped">&lt;p&gt;Words&lt;/p&gt;</content></entry></feed>"""
    for text in (rss_1, rss_091, atom_03):
        said = article(text)
        assert (said.title, said.link) == ("One", "https://example.org/a")
    assert article(rss_1).published == article(atom_03).published == "2026-11-23T12:00:00+00:00"
    assert article(rss_1).authors == ("Bo",)
    assert markdown.to_text(article(atom_03).body) == "Words"


def test_what_we_publish_is_read_back_as_it_was() -> None:
    ours = [
        make_article(
            slug=f"lamp-{n}",
            title=f"Lamp {n}: a < b & “c”",
            authors=("Ada Lindqvist", "Bo Ek"),
            hero_image=f"https://example.org/{n}.jpg",
            body=f"Evening {n}, **every** one: `{{{{ x }}}}`.\n\n```\ndef f():\n\n    pass\n```\n\n> Said *she*.\n",
        )
        for n in range(3)
    ]
    site = Site(title="Harbour", url="https://example.org", author="The Editor")
    wanted = {f"urn:uuid:{one.id}": one for one in ours}
    for name, content in feeds.build(ours, site, FeedSettings(), "https://example.org").items():
        feed = read(content, feeds.MEDIA_TYPES[name], f"https://example.org/{name}")
        assert feed.notes == ()
        assert {item.guid for item in feed.items} == set(wanted)
        for item in feed.items:
            one, said = wanted[item.guid], item.manuscript
            assert (said.title, said.link, said.slug) == (one.title, one.url, one.slug)
            assert (said.authors, said.tags) == (one.manuscript.authors, one.manuscript.tags)
            assert (said.hero_image, said.description) == (one.manuscript.hero_image, one.manuscript.description)
            assert said.published == "2026-11-23T12:00:00+00:00"
            assert markdown.to_text(said.body) == markdown.to_text(one.manuscript.body)
            html, back = (markdown.to_html(body, base_url=one.url) for body in (one.manuscript.body, said.body))
            assert back.removeprefix("<div>").removesuffix("</div>").split() == html.split()


# --- identity -----------------------------------------------------------------------------------------------------


def test_the_path_depends_on_the_guid_alone() -> None:
    one = feed_of(rss("<guid isPermaLink='false'>7</guid><title>One</title><link>https://example.org/a</link>")).items[
        0
    ]
    two = feed_of(
        rss("<guid>7</guid><title>Two</title><link>https://example.org/b</link>"), base="https://x.example/f"
    ).items[0]
    three = feed_of(json_feed({"id": 7, "title": "Three"})).items[0]
    assert one.path == two.path == three.path
    assert len({one.hash, two.hash, three.hash}) == 3


def test_an_edit_changes_the_hash_and_a_touch_does_not() -> None:
    item = (
        "<guid>7</guid><title>One</title><description>{}</description><pubDate>Mon, 23 Nov 2026 12:00:00 GMT</pubDate>"
    )
    before, after = (feed_of(rss(item.format(words))).items[0].hash for words in ("same", "other"))
    assert before != after
    entry = "<id>7</id><title>One</title><published>2026-11-23T12:00:00Z</published><updated>{}</updated>"
    before, after = (
        feed_of(atom(entry.format(day))).items[0].hash for day in ("2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z")
    )
    assert before == after


def test_a_missing_guid_is_its_link_and_without_both_it_is_skipped() -> None:
    feed = feed_of(rss("<title>One</title><link>/a</link>", "<title>Two</title>", "<title>Three</title><guid> </guid>"))
    assert [(item.guid, item.manuscript.title) for item in feed.items] == [("https://example.org/a", "One")]
    assert feed.notes == ("2 of 3 items have neither an id nor a link: skipped",)
    assert (
        feed_of(json_feed({"title": "x"}, {"id": "", "title": "y"}, {"id": True}, {"id": ["z"]}, 7, None)).items == ()
    )


def test_a_guid_that_is_the_permalink_is_the_link_too() -> None:
    assert article(rss("<title>One</title><guid>https://example.org/a</guid>")).link == "https://example.org/a"
    assert article(rss("<title>One</title><guid>lamp</guid>")).link is None
    assert article(atom("<id>https://example.org/a</id><link href='/b'/>")).link == "https://example.org/b"
    assert article(atom("<id>https://example.org/a</id>")).link is None


def test_of_items_with_the_same_guid_the_first_is_read() -> None:
    feed = feed_of(rss(*(f"<guid isPermaLink='false'>7</guid><title>{n}</title>" for n in range(3))))
    assert [item.manuscript.title for item in feed.items] == ["0"]
    assert feed.notes == ("2 of 3 items bear the id of another: only the first of each is read",)


@pytest.mark.parametrize(
    ("link", "title", "slug"),
    [
        ("https://example.org/2026/11/lamp-goes-out/", "x", "lamp-goes-out"),
        ("https://example.org/lamp.html", "x", "lamp"),
        ("https://example.org/%C3%A9t%C3%A9_1/", "x", "été_1"),
        ("https://example.org/", "The Lamp: Out!", "the-lamp-out"),
        ("https://example.org/index.html", "The Lamp", "the-lamp"),
        ("https://example.org/?p=7", "…", "article"),
        ("https://example.org/a%2Fb/..%2F..", "x", "x"),
    ],
)
def test_the_slug_is_the_last_name_of_the_link_else_the_title(link: str, title: str, slug: str) -> None:
    assert article(json_feed({"id": "7", "url": link, "title": title})).slug == slug


# --- texts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "plain"),
    [
        ("AT&amp;T", "AT&T"),
        ("AT&amp;amp;T", "AT&T"),
        ("&lt;b&gt;Bold&lt;/b&gt; words", "Bold words"),
        ("<![CDATA[<i>Slanted</i> &amp; more]]>", "Slanted & more"),
        ("Vec&lt;T&gt; explained", "Vec<T> explained"),
        ("2 &lt; 3", "2 < 3"),
        ("caf&#233; &#x2014; caf&eacute;", "café — café"),
        ("  two\n   lines ", "two lines"),
        ("2*3*4 and __init__", "2*3*4 and __init__"),
        ("ok&#0;&#x1f;&#99999999;", "ok"),
    ],
)
def test_titles_are_plain_text(title: str, plain: str) -> None:
    assert article(rss(f"<guid>7</guid><title>{title}</title>")).title.rstrip("\ufffd") == plain


def test_an_atom_title_says_what_it_is() -> None:
    assert article(atom("<id>7</id><title>The &lt;b> tag</title>")).title == "The <b> tag"
    assert (
        article(atom("<id>7</id><title type='html'>The &lt;b>b&lt;/b> tag &amp;amp; more</title>")).title
        == "The b tag & more"
    )
    xhtml = "<div xmlns='http://www.w3.org/1999/xhtml'>The <b>b</b> tag &amp; more</div>"
    assert article(atom(f"<id>7</id><title type='xhtml'>{xhtml}</title>")).title == "The b tag & more"


@pytest.mark.parametrize("order", [1, -1])
def test_the_longer_text_is_the_body_in_whatever_order(order: int) -> None:
    parts = ["<description>Short.</description>", "<content:encoded>&lt;p&gt;Long words.&lt;/p&gt;</content:encoded>"]
    said = article(rss("<guid>7</guid>" + "".join(parts[::order])))
    assert (said.description, markdown.to_text(said.body)) == ("Short.", "Long words.")


def test_a_description_alone_is_the_body_and_no_description_where_it_is_long() -> None:
    short = article(rss("<guid>7</guid><description>&lt;p&gt;Short &lt;b&gt;words&lt;/b&gt;.&lt;/p&gt;</description>"))
    assert (short.description, markdown.to_text(short.body), short.words) == ("Short words.", "Short words.", 2)
    long = article(rss(f"<guid>7</guid><description>{'words ' * 400}</description>"))
    assert (long.description, long.words) == ("", 400)


def test_plain_text_stays_plain() -> None:
    said = article(json_feed({"id": "7", "content_text": "One <b>\n\n# two\n{{ three }}"}))
    assert markdown.to_html(said.body, base_url="") == "<div><p>One &lt;b&gt;</p><p># two<br>{{ three }}</p></div>"
    said = article(atom("<id>7</id><content>One &lt;b>\n\n* two</content>"))
    assert markdown.to_text(said.body) == "One <b>\n\n* two"


def test_html_does_no_harm() -> None:
    said = article(
        json_feed({"id": "7", "content_html": "<p onclick='x()'>a<script>x()</script><iframe src='x'></iframe></p>"})
    )
    assert markdown.to_html(said.body, base_url="") == "<div><p>a</p></div>"


def test_text_nested_without_end_loses_its_tags() -> None:
    said = article(json_feed({"id": "7", "content_html": "<div>" * 200 + "Words" + "</div>" * 200}))
    assert markdown.to_text(said.body) == "Words"


def test_of_a_text_too_long_for_an_article_the_summary_is_read() -> None:
    feed = feed_of(json_feed({"id": "7", "title": "Log", "summary": "Short.", "content_html": "<p>word</p>" * 100_000}))
    assert markdown.to_text(feed.items[0].manuscript.body) == "Short."
    assert "only its summary is read" in feed.notes[0]


# --- fields -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stated", "published"),
    [
        ("Mon, 23 Nov 2026 12:00:00 GMT", "2026-11-23T12:00:00+00:00"),
        ("Mon, 23 Nov 2026 12:00:00 -0500", "2026-11-23T12:00:00-05:00"),
        ("Mon, 23 Nov 2026 12:00:00 EST", "2026-11-23T12:00:00-05:00"),
        ("23 Nov 2026 12:00", "2026-11-23T12:00:00+00:00"),
        ("2026-11-23T12:00:00Z", "2026-11-23T12:00:00+00:00"),
        ("2026-11-23T12:00:00.5+01:00", "2026-11-23T12:00:00.500+01:00"),
        ("2026-11-23 12:00:00", "2026-11-23T12:00:00+00:00"),
        ("2026-11-23", "2026-11-23"),
        ("Mon, 23 Nov 26 12:00:00 GMT", "2026-11-23T12:00:00+00:00"),
        ("Mon Nov 23 12:00:00 2026", "2026-11-23T12:00:00+00:00"),
    ],
)
def test_dates_are_read_as_they_are_spelled(stated: str, published: str) -> None:
    assert article(rss(f"<guid>7</guid><pubDate>{stated}</pubDate>")).published == published


@pytest.mark.parametrize(
    "date", ["soon", "2026년 11월 23일 오후 12:00:00", "Mon, 99 Nov 2026 12:00:00 GMT", "3/4/2026"]
)
def test_a_date_that_cannot_be_read_is_none_and_said(date: str) -> None:
    feed = feed_of(rss(f"<guid>7</guid><pubDate>{date}</pubDate>"))
    assert feed.items[0].manuscript.published is None
    assert feed.notes == (f"a date that cannot be read: {date!r}",)
    assert feed_of(rss("<guid>7</guid>")).items[0].manuscript.published is None


def test_without_a_date_of_publication_the_last_change_counts() -> None:
    assert article(atom("<id>7</id><updated>2026-11-23T12:00:00Z</updated>")).published == "2026-11-23T12:00:00+00:00"


@pytest.mark.parametrize(
    ("authors", "names"),
    [
        ("<author>a@b.example (Ada Lindqvist)</author>", ("Ada Lindqvist",)),
        ("<author>Ada Lindqvist &lt;a@b.example&gt;</author>", ("Ada Lindqvist",)),
        ("<author>a@b.example</author>", ("The Editor",)),
        ("<dc:creator>a@b.photography (Ada (the elder))</dc:creator>", ("Ada (the elder)",)),
        ("<author>mailto:a@b.example</author>", ("The Editor",)),
        ("<author>Ada Lindqvist</author>", ("Ada Lindqvist",)),
        ("<dc:creator>Ada</dc:creator><dc:creator>Ada</dc:creator>", ("Ada",)),
        ("", ("The Editor",)),
    ],
)
def test_authors_are_names_and_no_addresses(authors: str, names: tuple[str, ...]) -> None:
    head = "<title>x</title><dc:creator>The Editor</dc:creator>"
    assert article(rss(f"<guid>7</guid>{authors}", head=head)).authors == names


def test_the_author_of_an_atom_feed_is_that_of_its_entries() -> None:
    assert article(atom("<id>7</id>", head="<author><name>The Editor</name></author>")).authors == ("The Editor",)
    assert article(json_feed({"id": "7"}, author={"name": "The Editor"})).authors == ("The Editor",)


@pytest.mark.parametrize(
    ("inner", "image"),
    [
        (
            '<enclosure url="/a.mp3" type="audio/mpeg"/><enclosure url="/a.jpg" type="image/jpeg"/>',
            "a.jpg",
        ),
        ('<media:content url="/a.mp4" type="video/mp4"/><media:thumbnail url="/a.jpg"/>', "a.jpg"),
        ('<media:group><media:content url="/a.jpg" type="image/jpeg"/></media:group>', "a.jpg"),
        ('<media:content url="/a.webp?w=1"/>', "a.webp?w=1"),
        ('<media:thumbnail url="/small.jpg"/><enclosure url="/big.jpg" type="image/jpeg"/>', "big.jpg"),
        ('<itunes:image href="/a.jpg"/>', "a.jpg"),
        ("<description>&lt;img src='/a.jpg'&gt;</description>", "a.jpg"),
        ('<enclosure url="javascript:x" type="image/jpeg"/>', None),
        ("<description>none</description>", None),
    ],
)
def test_a_picture_is_found_wherever_it_is_stated(inner: str, image: str | None) -> None:
    expected = f"https://example.org/{image}" if image else None
    assert article(rss(f"<guid>7</guid><link>https://example.org/post/</link>{inner}")).hero_image == expected


def test_pictures_of_a_json_feed() -> None:
    audio = {"url": "/a.mp3", "mime_type": "audio/mpeg"}
    picture = {"url": "/a.jpg", "mime_type": "image/jpeg"}
    assert article(json_feed({"id": "7", "attachments": [audio, picture]})).hero_image == "https://example.org/a.jpg"
    assert article(json_feed({"id": "7", "banner_image": "b.jpg"})).hero_image == "https://example.org/b.jpg"


def test_relative_links_go_by_the_feed_and_by_xml_base() -> None:
    assert article(rss("<guid>7</guid><link>a</link>")).link == "https://example.org/a"
    entry = "<id>7</id><link href='a'/>"
    assert article(atom(entry, more='xml:base="https://base.example/blog/"')).link == "https://base.example/blog/a"


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "ftp://example.org/a", "mailto:a@b.example", "http://[::1", "https://"]
)
def test_a_link_that_is_no_page_is_none(link: str) -> None:
    assert article(json_feed({"id": "7", "url": link})).link is None
    if link != "https://":  # of that RSS makes the feed's own address
        assert article(rss(f"<guid>7</guid><link>{link}</link>")).link is None


def test_the_address_behind_a_counting_one_is_the_link() -> None:
    inner = "<guid>7</guid><link>https://feeds.example/~r/7</link><feedburner:origLink>https://example.org/a</feedburner:origLink>"
    assert article(rss(inner)).link == "https://example.org/a"


def test_fields_of_any_type_do_no_harm() -> None:
    strange: list[Any] = [None, 7, [], {}, [None], [[]], {"name": 7}, "x" * 10_000, True]
    keys = ["id", "url", "title", "authors", "author", "tags", "summary", "content_html", "content_text", "image",
            "attachments", "date_published", "date_modified"]  # fmt: skip
    for value in strange:
        feed_of(json_feed({"id": "7", "title": "x", **dict.fromkeys(keys[1:], value)}, dict.fromkeys(keys, value)))
        feed_of(json_feed(authors=value))


# --- bytes --------------------------------------------------------------------------------------------------------

TITLE = rss("<guid>7</guid><title>Café – “ok”</title>").partition("\n")[2]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (TITLE.encode(), "text/xml"),
        (b"\xef\xbb\xbf  \n" + TITLE.encode(), "text/xml; charset=iso-8859-1"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?>' + TITLE.encode(), "text/xml"),
        (b'<?xml version="1.0" encoding="windows-1252"?>' + TITLE.encode("cp1252"), "text/xml"),
        (TITLE.encode("cp1252"), "text/xml; charset=windows-1252"),
        (TITLE.encode("cp1252"), "text/xml"),
        (TITLE.encode("cp1252"), "text/xml; charset=unheard-of"),
        (TITLE.encode("cp1252"), "text/xml; charset=unicode_escape"),
        (('<?xml version="1.0" encoding="utf-16"?>' + TITLE).encode("utf-16"), "text/xml"),
        (TITLE.encode("utf-16-le"), "text/xml"),
        (TITLE.encode("utf-16-be"), "text/xml"),
        (TITLE.encode("utf-32"), "text/xml"),
    ],
)  # fmt: skip
def test_text_is_decoded_however_it_is_declared(body: bytes, content_type: str) -> None:
    assert article(body, content_type).title == "Café – “ok”"


def test_a_coding_of_seven_bits_is_read_as_declared() -> None:
    text = rss("<guid>7</guid><title>日本語</title>").partition("\n")[2]
    body = b'<?xml version="1.0" encoding="ISO-2022-JP"?>' + text.encode("iso-2022-jp")
    assert article(body).title == "日本語"


# --- broken, and no feed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        rss("<guid>7</guid><title>One</title>", "<guid>8</guid><title>cut off here")[:-40],
        rss("<guid>7</guid><title>One</title><x:y>z</x:y>"),
        rss("<guid>7</guid><title>One</title></b>"),
        rss("<guid>7</guid><title>One</title><enclosure url=/a.jpg>"),
    ],
)
def test_broken_xml_is_read_as_far_as_it_goes(text: str) -> None:
    feed = feed_of(text)
    assert feed.items[0].manuscript.title == "One"
    assert feed.notes[0].startswith("broken XML, read as far as it goes: line ")


def test_prefixes_that_nobody_declared_mean_what_they_mean_everywhere() -> None:
    inner = "<guid>7</guid><dc:creator>Ada</dc:creator><media:content url='/a.jpg'/><x:y>z</x:y><title>One</title>"
    said = article(f"<rss><channel><item>{inner}</item></channel></rss>")
    assert (said.title, said.authors, said.hero_image) == ("One", ("Ada",), "https://example.org/a.jpg")


def test_slips_that_everybody_makes_are_not_worth_a_word() -> None:
    feed = feed_of("\n\n " + rss("<guid>7</guid><title>a & b &nbsp;&copy; \x01</title><link>/a?x=1&y=2</link>"))
    assert feed.notes == ()
    assert feed.items[0].manuscript.title == "a & b ©"
    assert feed.items[0].manuscript.link == "https://example.org/a?x=1&y=2"
    code = "<![CDATA[<pre>&lt;!DOCTYPE x [&lt;!ENTITY a 'b'>]> &nbsp; & <!ENTITY</pre>]]>"
    assert "&" in markdown.to_text(article(rss(f"<guid>7</guid><description>{code}</description>")).body)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "not a feed"),
        ("hello", "not a feed"),
        ("\x00\x01\x02", "not a feed"),
        ("<svg xmlns='http://www.w3.org/2000/svg'/>", "but <svg>"),
        ("<opml><body/></opml>", "but <opml>"),
        ("<!DOCTYPE html><html><body>Hi</body></html>", "a web page, not a feed"),
        ("<!-- x --><HTML><body>Hi</body></html>", "a web page, not a feed"),
        ("{", "JSON that cannot be read"),
        ("{}", "JSON without"),
        ('{"items": []}', "JSON without"),
        ('{"version": "https://jsonfeed.org/version/1", "items": 7}', "JSON without"),
        ('{"version":' + "[" * 100_000, "JSON that cannot be read"),
        ("[]", "not a feed"),
    ],
)
def test_what_is_no_feed_is_named(text: str, word: str) -> None:
    assert word in refusal(text)


def test_a_page_is_asked_for_its_feed() -> None:
    page = (
        '<!doctype html><head><link rel="alternate" type="application/rss+xml" title="x" href="/rss.xml?a=1&amp;b=2">'
    )
    assert refusal(page).endswith("says that its feed is https://example.org/rss.xml?a=1&b=2")


def test_a_feed_without_items_is_one() -> None:
    for text in (rss(), atom(), json_feed()):
        assert feed_of(text) == Feed(items=())


BILLION = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "doctype",
    [
        f'<!DOCTYPE rss [<!ENTITY a0 "ha">{BILLION}]>',
        '<!DOCTYPE rss [<!ENTITY a9 SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE rss SYSTEM "x.dtd" [<!ENTITY % p SYSTEM "http://127.0.0.1/"> %p;]>',
        '<!-- <rss> --><?x <rss> ?><!doctype rss [<!ENTITY a9 "x">]>',
        '<!DOCTYPE rss PUBLIC "-//x//" "y"><!DOCTYPE rss [<!ENTITY a9 "x">]>',
        "<!DOCTYPE rss [",
    ],
)
@pytest.mark.parametrize("coding", ["utf-8", "utf-16", "utf-16-le", "utf-32"])
def test_a_dtd_that_declares_anything_is_refused(doctype: str, coding: str) -> None:
    text = f"{doctype}<rss><channel><item><guid>7</guid><title>&a9;</title></item></channel></rss>"
    assert "declares entities" in refusal(text.encode(coding))


def test_a_declaration_in_the_middle_declares_nothing() -> None:
    text = rss('<guid>7</guid><!DOCTYPE x [<!ENTITY a9 "secret">]><title>&a9;</title>')
    assert all("secret" not in item.manuscript.title for item in feed_of(text).items)


LONG = 60_000
SNIPPETS = [
    b"<item>", b"</item>", b"<entry>", b"</entry>", b"]]>", b"<![CDATA[", b"<!--", b"-->", b"&#xD800;", b"&nbsp;", b"&",
    b"&#99999999999;", b"<", b"<author>a@b", b"<content type='xhtml'>", b"<content mode='base64'>", b"<guid>", b"\x00",
    b"\xff", b"<link/>", b"<category/>", b"<media:content/>", b"<enclosure/>", b"<source><title>", b"<image><url>",
    b"<textinput>", b"<xhtml:div>", b"<svg>", b"<itunes:image/>", b"<title type='html'>", b"xml:base='::'", b"<id/>",
    b"{", b"null", b'"', b"<x:y>", b"<a:b:c/>", b"<a:/>", b"<:a/>", b" a:b='1'",
]  # fmt: skip


@pytest.mark.parametrize(
    "item",
    [
        f"<author>{'a.' * LONG}</author>",
        f"<author>a@{'a.' * LONG}</author>",
        f"<dc:creator>{'a.<b/>' * LONG}</dc:creator>",
        f"<author>{'a.<!-- -->' * LONG}</author>",
        f"<x:author>{'a.' * LONG}</x:author>",
        f"<foo><author><name>{'a.' * LONG}</name></author></foo>",
        f"<author><x>{'<y>a.</y>' * LONG}</x></author>",
        "".join(f"<category>{n}</category>" for n in range(LONG)),
        "".join(f"<author>{n}@x.example</author>" for n in range(LONG)),
        f"<itunes:keywords>{','.join(map(str, range(LONG)))}</itunes:keywords>",
        f"<content:encoded><itunes:keywords>{','.join(map(str, range(LONG)))}</itunes:keywords></content:encoded>",
        f"<encoded><itunes:keywords>{','.join(map(str, range(LONG)))}</itunes:keywords></encoded>",
        "<media:group>" + "<media:content url='/a'/>" * LONG + "</media:group>",
        f"<title>{'&lt;b' * LONG}</title>",
        f"<pubDate>{'1 ' * LONG}</pubDate>",
        f"<description>{'&lt;img src=' * LONG}</description>",
        f"<description>{'<b>' * LONG}</description>",
        "<a>" * LONG,
        "<a " * LONG,
        "<![CDATA[" * LONG,
        "<!--" * LONG,
        "<?a" * LONG,
        "&a" * LONG,
        "<x " + " ".join(f"a{n}='1'" for n in range(LONG)) + "/>",
    ],
)  # fmt: skip
def test_no_item_takes_long(item: str) -> None:
    text = rss(f"<guid>6</guid>{item}")
    began = time.process_time()
    feed_of(text)
    assert time.process_time() - began < 4


@given(
    st.sampled_from([rss(RSS_ITEM, RSS_ITEM), atom(ATOM_ENTRY, ATOM_ENTRY), json_feed(JSON_ITEM, JSON_ITEM)]),
    st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=12) | st.sampled_from(SNIPPETS)), max_size=6
    ),
)
@settings(max_examples=150, deadline=None)
def test_no_bytes_do_more_than_not_be_a_feed(text: str, cuts: list[tuple[float, int, bytes]]) -> None:
    body = text.encode()
    for place, length, put in cuts:
        at = int(place * len(body))
        body = body[:at] + put + body[at + length :]
    try:
        feed = read(body, "text/xml", BASE)
    except SourceError:
        return
    for item in feed.items:
        markdown.to_html(item.manuscript.body, base_url=BASE)
        assert item.guid and item.manuscript.slug
        json.dumps([item.manuscript.title, item.manuscript.body]).encode()


def test_more_items_than_a_feed_has_are_not_read() -> None:
    feed = feed_of(rss(*(f"<guid>{n}</guid><title>{n}</title>" for n in range(1200))))
    assert [item.manuscript.title for item in feed.items][::999] == ["0", "999"]
    assert any("the first 1000 are read" in note for note in feed.notes)
    feed = feed_of(json_feed(*({"id": str(n)} for n in range(1200))))
    assert len(feed.items) == 1000
