"""What the W3C's feed validator complains of, and what readers stumble over, as a table over one difficult feed.

Each row has a check, and a change to the good document that the check must find: a check that finds nothing proves
nothing. Names in capitals are the validator's messages; the others are of the specifications.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import feedparser
import pytest
from lxml import etree, html

from syndicate.config import FeedSettings, Site
from syndicate.feeditem import Image
from syndicate.feeds import build
from tests.factories import NOON, make_article

SITE = Site(
    title="Ada & Bo's Post",
    url="https://example.org",
    description="Fog < rain & ]]> more\ufffe.",
    author="The desk",
    image="https://example.org/logo.png",
    language="de",
)
BODY = """
Fog\x0b & `]]>` and <br> [deck](../deck/) ![lamp](/lamp.png "so bright")

<p onclick="x()" style="position:fixed">ok</p> <script>alert(1)</script> <iframe src="https://evil.example"></iframe>

<img src="/a.png" srcset="/a.png 1x, b.png 2x" loading="lazy"> <video poster="/p.png" src="v.mp4"></video>

[click](javascript:alert(1)) <a href="data:text/html,x">x</a> &nbsp; \ud800 \U0001f41f
"""
PICTURE = Image(url="https://example.org/lamp.png?a=1&b=2", type="image/png", length=1234)
PLACES = {
    "a": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "media": "http://search.yahoo.com/mrss/",
}
_RFC822 = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4}"
    r" \d\d:\d\d:\d\d (\+0000|GMT)"
)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_MARKUP = re.compile(r"</?(?:a|b|br|em|i|p|span|strong)\b|&[a-z]+;", re.I)


def difficult() -> dict[str, bytes]:
    """Six articles of one moment, as a first scan leaves them, and one with an edit; all that is bad in their text."""
    articles = [
        make_article(
            slug=f"fog-{n}",
            title=f"Q&A\x00: why {n} < {n + 1}",
            description="Write to AT&T.\uffff",
            body=BODY,
            authors=("Ada Lindqvist", "Bo Ek"),
            tags=("sea & fog", "quay"),
            released=NOON,
            updated=NOON,
        )
        for n in range(6)
    ]
    articles.append(replace(articles[0], id="0b5c1c3e-51f5-5b8f-9d7c-0a6b3c1d2e4f", updated=NOON + timedelta(days=1)))
    pictures = {article.id: PICTURE for article in articles}
    ids = {articles[1].id: "https://example.org/?p=7", articles[2].id: "5f3e8a9c1b2d"}
    hubs = ("https://hub.example/?a=1&b=2", "https://hub2.example/")
    return build(articles, SITE, FeedSettings(hubs=hubs), "https://news.example.org", images=pictures, ids=ids)


DIFFICULT = difficult()


def texts(tree: Any, path: str) -> list[str]:
    return [str(one if isinstance(one, str) else one.text) for one in tree.xpath(path, namespaces=PLACES)]


def unless(fine: bool, what: object) -> list[str]:
    return [] if fine else [str(what)]


def doubles(values: list[str]) -> list[str]:
    return [value for value in set(values) if values.count(value) > 1]


def without(pattern: re.Pattern[str], values: list[str]) -> list[str]:
    return [value for value in values if not pattern.fullmatch(value)]


def contents(tree: Any) -> list[str]:
    return texts(tree, "//content:encoded") + texts(tree, "//a:content")


def dangerous(tree: Any) -> Iterator[str]:
    """SecurityRisk, SecurityRiskAttr, DangerousStyleAttr."""
    for text in contents(tree):
        for element in html.fragment_fromstring(text, create_parent="div").iter():
            if element.tag in ("script", "iframe", "style", "form", "object", "embed", "meta", "link"):
                yield str(element.tag)
            yield from (name for name in element.attrib if name.startswith("on") or name == "style")
            yield from (
                value for value in element.attrib.values() if value.lower().startswith(("javascript:", "data:"))
            )


def relative(tree: Any) -> Iterator[str]:
    for text in contents(tree):
        for element in html.fragment_fromstring(text, create_parent="div").iter():
            named = [element.get(name) for name in ("src", "href", "poster") if element.get(name)]
            named += [one.split()[0] for one in element.get("srcset", "").split(",") if one.strip()]
            yield from (value for value in named if not value.startswith(("https://", "http://", "mailto:", "#")))


def late_contents(tree: Any) -> list[str]:
    """Some readers take the last of description and content:encoded for the text."""
    items = [[etree.QName(child).localname for child in item] for item in tree.iter("item")]
    return [str(names) for names in items if names.index("description") > names.index("encoded")]


def groups(tree: Any) -> list[str]:
    return [group.tag for group in tree.xpath("//media:group", namespaces=PLACES) if len(group) < 2]


def alternates(tree: Any) -> list[str]:
    """RFC 4287 sections 4.1.1 and 4.1.2: one for each type and hreflang."""
    found = []
    for holder in tree.xpath("/a:feed | //a:entry", namespaces=PLACES):
        links = holder.xpath("a:link[@rel='alternate' or not(@rel)]", namespaces=PLACES)
        found += doubles([f"{link.get('type')} {link.get('hreflang')}" for link in links])
        found += unless(bool(links), "none")
    return found


def image_of_channel(tree: Any) -> list[str]:
    pairs = [
        (texts(tree, f"/rss/channel/image/{name}"), texts(tree, f"/rss/channel/{name}")) for name in ("title", "link")
    ]
    return [f"{ours} {theirs}" for ours, theirs in pairs if ours != theirs]


def implausible(tree: Any) -> list[str]:
    known = [parsedate_to_datetime(text) for text in texts(tree, "//pubDate | //lastBuildDate")]
    known += [datetime.fromisoformat(text) for text in texts(tree, "//a:updated | //a:published")]
    latest = NOON.astimezone(UTC) + timedelta(days=1, seconds=1)
    return [str(moment) for moment in known if not datetime(1995, 1, 1, tzinfo=UTC) < moment <= latest]


def enclosures(tree: Any) -> list[str]:
    found = [dict(one.attrib) for one in tree.xpath("//enclosure | //a:link[@rel='enclosure']", namespaces=PLACES)]
    whole = [one for one in found if one.get("type") == PICTURE.type and one.get("length") == str(PICTURE.length)]
    several = [item for item in tree.iter("item") if len(item.findall("enclosure")) > 1]
    return unless(len(whole) == len(found) == 7, found) + unless(not several, several)


def older_updates(tree: Any) -> list[str]:
    entries = [*tree.iterfind("a:entry", PLACES), tree]
    pairs = [(one.findtext("a:published", "", PLACES), one.findtext("a:updated", "", PLACES)) for one in entries]
    return [f"{first} {last}" for first, last in pairs if not last or last < first[:19]]


RSS, ATOM = "feed.xml", "atom.xml"
Check = Callable[[Any], Any]
ROWS: list[tuple[str, str, Check, tuple[str, str]]] = [
    ("MissingAtomSelfLink", RSS, lambda tree: unless(
        texts(tree, "/rss/channel/a:link[@rel='self']/@href") == ["https://news.example.org/feed.xml"], "self"
    ), ('rel="self"', 'rel="via"')),
    ("a hub is named", RSS, lambda tree: unless(
        len(texts(tree, "/rss/channel/a:link[@rel='hub']/@href")) == 2, "hubs"
    ), ('rel="hub"', 'rel="related"')),
    ("the channel's link is the site", RSS, lambda tree: unless(
        texts(tree, "/rss/channel/link") == ["https://example.org"], "link"
    ), ("<link>https://example.org</link>", "<link>https://hub.example</link>")),
    ("description before content:encoded", RSS, late_contents, (
        r"(?s)(<description>[^<]*</description>)(\s*<content:encoded>.*?</content:encoded>)", r"\2\1"
    )),
    ("InvalidContact: author without address", RSS, lambda tree: [
        one for one in texts(tree, "//author | //managingEditor | //webMaster") if "@" not in one
    ], ("<dc:creator>Bo Ek</dc:creator>", "<author>Bo Ek</author>")),
    ("DuplicateItemSemantics", RSS, lambda tree: texts(tree, "//item[author]/dc:creator"), (
        "<dc:creator>Bo Ek</dc:creator>", "<author>a@b.example (Bo Ek)</author>"
    )),
    ("DuplicateValue: guid", RSS, lambda tree: doubles(texts(tree, "//guid")), (
        r'(?s)<guid isPermaLink="false">[^<]*', '<guid isPermaLink="false">1'
    )),
    ("guids are no permalinks", RSS, lambda tree: unless(
        texts(tree, "//guid/@isPermaLink") == ["false"] * 7, "isPermaLink"
    ), ('isPermaLink="false"', 'isPermaLink="true"')),
    ("InvalidRFC2822Date, in English", RSS, lambda tree: without(
        _RFC822, texts(tree, "//pubDate | //lastBuildDate")
    ), ("Mon, 23 Nov", "Mo, 23. Nov")),
    ("ImplausibleDate", RSS, implausible, ("2026", "2062")),
    ("media:group of one", RSS, groups, (r"(<media:content[^>]*>)", r"<media:group>\1</media:group>")),
    ("ContainsHTML", RSS, lambda tree: [
        one for one in texts(tree, "//title | /rss/channel/description") if _MARKUP.search(one)
    ], ("<title>Q", "<title>&lt;b&gt;Q")),
    ("the image is the channel's", RSS, image_of_channel, (r"(?s)(<image>.*?<title>)", r"\1The ")),
    ("SecurityRisk", RSS, dangerous, ("<content:encoded>", "<content:encoded>&lt;p onclick='x'&gt;")),
    ("DangerousStyleAttr", ATOM, dangerous, ("(<content[^>]*>)", r"\1&lt;p style='x'&gt;")),
    ("ContainsRelRef", RSS, relative, ("https://example.org/a.png", "/a.png")),
    ("ContainsRelRef in Atom", ATOM, relative, ("https://example.org/deck/", "deck/")),
    ("enclosures have type and length", RSS, enclosures, ('length="1234"', 'length="0"')),
    ("links keep type and length", ATOM, enclosures, ('length="1234"', "")),
    ("MissingDCLanguage", RSS, lambda tree: unless(texts(tree, "/rss/channel/language") == ["de"], "language"), (
        "<language>de</language>", ""
    )),
    ("xml:lang", ATOM, lambda tree: unless(
        tree.get("{http://www.w3.org/XML/1998/namespace}lang") == "de", "xml:lang"
    ), ('xml:lang="de"', "")),
    ("DuplicateAtomLink: alternate", ATOM, alternates, ('rel="enclosure" type="image/png"', 'rel="alternate"')),
    ("DuplicateEntries: id", ATOM, lambda tree: doubles(texts(tree, "//a:id")), (
        "urn:uuid:[0-9a-f-]+", "urn:uuid:0"
    )),
    ("InvalidFullLink: an id is an IRI", ATOM, lambda tree: without(
        re.compile(r"[a-z][a-z0-9+.-]*:\S+"), texts(tree, "//a:id")
    ), ("urn:uuid:", "")),
    ("DuplicateUpdated", ATOM, lambda tree: doubles(texts(tree, "//a:entry/a:updated")), (r"\.\d+\+00:00", "+00:00")),
    ("updated is not before published", ATOM, older_updates, ("<updated>2026", "<updated>2025")),
    ("InvalidRFC3339Date", ATOM, lambda tree: without(_RFC3339, texts(tree, "//a:updated | //a:published")), (
        "2026-11-23T", "2026-11-23 "
    )),
    ("ImplausibleDate in Atom", ATOM, implausible, ("2026", "2062")),
    ("an author for each entry", ATOM, lambda tree: unless(
        len(tree.xpath("//a:entry[a:author/a:name]", namespaces=PLACES)) == 7, "author"
    ), ("(?s)<author>.*?</author>", "")),
    ("content is html", ATOM, lambda tree: [
        one for one in texts(tree, "//a:content/@type") if one != "html"
    ], ('type="html"', 'type="CDATA"')),
]  # fmt: skip


@pytest.mark.parametrize(("name", "check", "broken"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_the_feeds_have_nothing_that_a_validator_complains_of(name: str, check: Check, broken: tuple[str, str]) -> None:
    good = DIFFICULT[name].decode()
    assert list(check(etree.fromstring(good.encode()))) == []
    bad = re.sub(broken[0], broken[1], good)
    assert bad != good, "the change changes nothing"
    assert list(check(etree.fromstring(bad.encode(), etree.XMLParser(recover=True)))) != []


@pytest.mark.parametrize("name", [RSS, ATOM])
def test_a_parser_of_readers_finds_nothing_amiss(name: str) -> None:
    found = feedparser.parse(DIFFICULT[name])
    assert found.bozo == 0
    assert [entry.link for entry in found.entries].count("https://example.org/fog-0/") == 2
    assert found.feed.language == "de"
    assert all(entry.published_parsed for entry in found.entries)
    assert feedparser.parse(DIFFICULT[name] + b"\x00").bozo


def test_the_json_feed_holds_to_its_specification() -> None:
    feed = json.loads(DIFFICULT["feed.json"])
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["feed_url"] == "https://news.example.org/feed.json"
    assert [hub["type"] for hub in feed["hubs"]] == ["WebSub", "WebSub"]
    ids = [item["id"] for item in feed["items"]]
    assert all(isinstance(known, str) and known for known in ids)
    assert len(set(ids)) == 7
    for item in feed["items"]:
        assert item["attachments"] == [{"url": PICTURE.url, "mime_type": "image/png", "size_in_bytes": 1234}]
        assert item["image"] == PICTURE.url
        assert without(_RFC3339, [item["date_published"], item["date_modified"]]) == []
        assert _MARKUP.search(item["title"]) is None
        assert "author" not in item


@pytest.mark.parametrize(
    "picture", [None, Image(url=PICTURE.url), replace(PICTURE, length=0), replace(PICTURE, type="")]
)
def test_a_picture_of_unknown_size_or_type_is_no_attachment(picture: Image | None) -> None:
    article = make_article()
    feeds = build([article], SITE, FeedSettings(), "https://a.example", images={article.id: picture} if picture else {})
    (item,) = json.loads(feeds["feed.json"])["items"]
    assert "attachments" not in item
    assert item.get("image") == (picture.url if picture else None)
