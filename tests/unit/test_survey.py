"""What is read of a site: hostile pages, sitemaps, addresses, busy days; and that nobody is waited for."""

from __future__ import annotations

import asyncio
import gzip
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate import manuscript, survey
from syndicate.cli.guess import content_of, guess, patterns, read_articles
from syndicate.cli.lookup import look_up
from syndicate.config import Settings
from syndicate.desk import Desk, Reading
from syndicate.errors import SourceError
from syndicate.survey import Fit, Piece
from tests.doubles.website import said, website

SITE = "https://www.quay.test"
XMLNS = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
UTC_ZONE = ZoneInfo("UTC")


def piece(n: int, slug: str = "walk-{n}", path: str = "{day}-walk-{n}") -> Piece:
    at = datetime(2026, 1, 28, tzinfo=UTC) + timedelta(days=n)
    return Piece(slug=slug.format(n=n), path=path.format(n=n, day=at.date()), day=at.date(), at=at)


PIECES = [piece(n) for n in range(30)]


# --- home page --------------------------------------------------------------------------------------------------------


def test_a_home_page_tells_name_language_picture_feeds_and_sitemaps() -> None:
    home = survey.read_home(
        """<!doctype html><HTML LANG="pt_BR"><head><!-- <meta property="og:site_name" content="Old"> -->
        <meta name="viewport" content="a > b"><meta property="og:site_name" content="The  Quay &amp; Co">
        <title>Start &ndash; The Quay</title><link rel="stylesheet alternate" type="text/css" href="x.css">
        <meta name="description" content="News."><meta property="og:image" content="img/card.png">
        <link rel="alternate" type="application/rss+xml" href="/feed/comments/" title="Quay">
        <link href='news.xml' type='application/atom+xml; charset=utf-8' rel='ALTERNATE'>
        <link rel="alternate" type="application/feed+json" href="feed.json"><link rel=sitemap href=/map.xml></head>""",
        SITE + "/en/",
    )
    assert (home.name, home.title, home.language) == ("The Quay & Co", "Start – The Quay", "pt-BR")
    assert (home.description, home.image) == ("News.", f"{SITE}/en/img/card.png")
    assert home.feeds == (f"{SITE}/en/news.xml", f"{SITE}/en/feed.json")
    assert home.sitemaps == (f"{SITE}/map.xml",)


def test_the_base_of_a_page_counts() -> None:
    home = survey.read_home('<base href="/de/"><link rel=sitemap href=map.xml>', SITE)
    assert home.sitemaps == (f"{SITE}/de/map.xml",)


@pytest.mark.parametrize(
    "part", ["<!--", "<!", "<", "<a ", "<meta", "<meta ", '<meta a="', "<link ''", "<title>", "<![a["]
)
def test_a_page_made_to_be_slow_is_read_at_once(part: str) -> None:
    before = time.process_time()
    survey.read_home(part * 100_000, SITE)
    assert time.process_time() - before < 2


@given(st.text(alphabet=st.sampled_from("<>\"'=/ !-metalinkhrfcontype&#;\x00\x1b\ud800é\n"), max_size=400))
def test_whatever_a_page_holds_what_is_read_of_it_can_stand_in_a_configuration(text: str) -> None:
    home = survey.read_home(f"<html lang='{text}'><title>{text}</title><meta property=og:image content='{text}'>", SITE)
    assert home.title.isprintable() and home.image.isprintable() and home.language.isascii()


# --- robots.txt and sitemaps ------------------------------------------------------------------------------------------


def test_robots_names_sitemaps() -> None:
    text = f"User-agent: *\r\nsitemap: {SITE}/a.xml\r\n# Sitemap: {SITE}/no.xml\r\nSitemap: relative.xml\r\n"
    assert survey.read_robots(text) == (f"{SITE}/a.xml",)


def test_a_sitemap_tells_its_pages_and_not_their_pictures() -> None:
    body = (
        f'<?xml version="1.0"?><urlset {XMLNS} xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">'
        f"<url><loc>\n {SITE}/a?b=1&amp;c=2 </loc><image:image><image:loc>{SITE}/a.png</image:loc></image:image></url>"
        f"<url><loc><![CDATA[{SITE}/b/]]></loc></url><url><loc>javascript:x</loc></url><!-- <url><loc>{SITE}/c</loc>"
        "</url> --></urlset>"
    ).encode()
    for packed in (body, gzip.compress(body), b"\xef\xbb\xbf" + body):
        assert survey.read_sitemap(packed).pages == (f"{SITE}/a?b=1&c=2", f"{SITE}/b/")


def test_an_index_tells_its_sitemaps() -> None:
    found = survey.read_sitemap(f"<sitemapindex><sitemap><loc>{SITE}/0.xml</loc></sitemap></sitemapindex>".encode())
    assert (found.pages, found.sitemaps) == ((), (f"{SITE}/0.xml",))


def test_a_sitemap_that_is_cut_off_is_read_as_far_as_it_goes() -> None:
    whole = f"<urlset {XMLNS}>" + "".join(f"<url><loc>{SITE}/{n}</loc></url>" for n in range(100)) + "</urlset>"
    assert 40 < len(survey.read_sitemap(whole[: len(whole) // 2].encode()).pages) < 60


def test_no_more_of_a_sitemap_is_read_than_the_protocol_allows() -> None:
    entries = "".join(f"<url><loc>{SITE}/{n}</loc></url>" for n in range(survey.MOST_URLS + 10))
    assert len(survey.read_sitemap(gzip.compress(f"<urlset>{entries}</urlset>".encode())).pages) == survey.MOST_URLS


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no sitemap"),
        (b"<html><body>404</body></html>", "no sitemap, but <html>"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><urlset><url><loc>https://a.test/&b;</loc></url></urlset>', "DOCTYPE"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><urlset/>', "DOCTYPE"),
        (b"\x1f\x8bnothing", "cannot be unpacked"),
    ],
)
def test_what_is_no_sitemap_is_said(body: bytes, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        survey.read_sitemap(body)


def test_a_gzip_bomb_is_read_up_to_the_limit() -> None:
    with pytest.raises(SourceError, match="no sitemap"):
        survey.read_sitemap(gzip.compress(b" " * (survey.LARGEST * 3)))


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern",
    [
        "{site_url}/{slug}/",
        "{site_url}/{slug}.html",
        "{site_url}/blog/{path}",
        "{site_url}/{year}/{month}/{day}/{slug}/",
        "{site_url}/{year}/{month}/{slug}.html",
        "{site_url}/{year}-{month}-{day}/{slug}",
        "{site_url}/en/{year}/{slug}/index.html",
        "https://blog.quay.test/posts/{slug}/",
        "{site_url}/caf%C3%A9/{slug}/",
    ],
)
def test_a_pattern_is_learned_from_the_addresses_it_formed(pattern: str) -> None:
    known = [survey.address_of(pattern, one, SITE) or "" for one in PIECES]
    others = [f"{SITE}/tags/{n}/" for n in range(50)] + [f"{SITE}/amp/walk-{n}/" for n in range(15, 18)]
    assert survey.fit(PIECES, others + known, SITE) == Fit(pattern=pattern, hits=20, of=20)


def test_the_hits_are_counted_among_the_newest() -> None:
    known = [f"{SITE}/{one.slug}/" for one in PIECES[:28]]
    assert survey.fit(PIECES, known, SITE) == Fit(pattern="{site_url}/{slug}/", hits=18, of=20)


def test_scheme_www_and_escapes_make_no_difference() -> None:
    there = [piece(n, "münze-{n}") for n in range(3)]
    known = [f"http://quay.test/m%c3%bcnze-{n}/" for n in range(2)] + ["https://quay.test/münze-2/"]
    assert survey.fit(there, known, SITE) == Fit(pattern="{site_url}/{slug}/", hits=3, of=3)


def test_a_site_below_a_folder_of_its_host_is_fitted_below_it() -> None:
    known = [f"{SITE}/log/{one.slug}/" for one in PIECES]
    assert survey.fit(PIECES, known, SITE + "/log") == Fit(pattern="{site_url}/{slug}/", hits=20, of=20)


def test_of_patterns_alike_the_simpler_is_taken() -> None:
    flat = [piece(n, path="walk-{n}") for n in range(5)]
    assert survey.fit(flat, [f"{SITE}/{one.slug}" for one in flat], SITE) == Fit(
        pattern="{site_url}/{slug}", hits=5, of=5
    )
    below = [piece(n, path="essays/walk-{n}") for n in range(5)]
    found = survey.fit(below, [f"{SITE}/essays/{one.slug}/" for one in below], SITE)
    assert found == Fit(pattern="{site_url}/{path}/", hits=5, of=5)


def test_a_year_that_the_articles_do_not_state_is_no_part_of_a_pattern() -> None:
    assert survey.fit(PIECES, [f"{SITE}/2031/{one.slug}/" for one in PIECES], SITE) is None


def test_braces_and_blanks_in_known_addresses_are_escaped() -> None:
    known = [f"{SITE}/a{{b}} c/{one.slug}/" for one in PIECES]
    found = survey.fit(PIECES, known, SITE)
    assert found == Fit(pattern="{site_url}/a%7Bb%7D%20c/{slug}/", hits=20, of=20)


def test_without_articles_or_addresses_nothing_fits() -> None:
    assert survey.fit([], [f"{SITE}/a/"], SITE) is None
    assert survey.fit(PIECES, [], SITE) is None
    assert survey.fit(PIECES, ["http://[broken", "", "no address", SITE], SITE) is None


def test_a_sitemap_full_of_one_name_takes_no_time() -> None:
    known = [f"{SITE}/{n}/walk-29/" for n in range(50_000)]
    before = time.process_time()
    survey.fit(PIECES, known, SITE)
    assert time.process_time() - before < 5


@pytest.mark.parametrize(
    "pattern", ["{site_url}/{slug}/", "{site_url}/x/{path}.html", "{site_url}/{year}/{month}/{day}/{slug}"]
)
def test_addresses_are_formed_as_the_desk_forms_them(tmp_path: Path, pattern: str) -> None:
    zone = ZoneInfo("America/New_York")
    said_by = {
        "a b/2026-01-05-Größe & mehr.md": b"---\ntitle: x\n---\ntext",
        "index.md": b"---\ntitle: y\npublished: 2026-03-01T02:00:00Z\ncreated_date: 2026-05-01\n---\ntext",
        "own.md": b"---\ntitle: o\npermalink: /x/own/\n---\ntext",
        "z.v2.md": b"---\ntitle: z\nslug: other\ndate: 2026-03-01\n---\ntext",
    }
    for name, raw in said_by.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(raw)
    settings = Settings.model_validate(
        {
            "site": {"title": "x", "url": SITE + "/log/", "timezone": zone.key},
            "sources": [{"path": str(tmp_path), "article_url": pattern}],
        }
    )
    desk = Desk(settings, ())
    now = datetime(2026, 6, 1, tzinfo=UTC)
    formed = {
        desk.address(
            Reading(source="articles", path=name, stat="", hash="", manuscript=manuscript.read(raw, name, zone)), now
        )
        for name, raw in said_by.items()
    }
    pieces = read_articles(tmp_path, zone, now).pieces
    assert {survey.address_of(pattern, one, settings.site.url) for one in pieces} == formed


# --- busy days --------------------------------------------------------------------------------------------------------


def test_the_busiest_day_is_the_later_of_two_alike() -> None:
    days = [date(2026, 1, 1)] * 3 + [date(2026, 1, 2)] * 3 + [date(2026, 1, 3)]
    assert survey.busiest(days) == (date(2026, 1, 2), 3)
    assert survey.busiest([]) is None


@pytest.mark.parametrize(
    ("most", "room"), [(0, (50, 50)), (25, (50, 50)), (26, (60, 50)), (182, (370, 190)), (4_000, (8_000, 1_000))]
)
def test_room_is_made_for_the_busiest_day(most: int, room: tuple[int, int]) -> None:
    assert survey.room(most) == room


# --- the folder -------------------------------------------------------------------------------------------------------


def files(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("name", "text", "generator"),
    [
        ("astro.config.ts", "export default defineConfig({ site: 'https://quay.test/', title: 'Quay' })", "Astro"),
        ("hugo.yaml", "baseURL: https://quay.test/\ntitle: Quay\n", "Hugo"),
        ("config.toml", 'baseURL = "https://quay.test/"\ntitle = "Quay"\n', "Hugo"),
        ("config.toml", 'base_url = "https://quay.test"\ntitle = "Quay"\n', "Zola"),
        ("_config.yml", 'url: "https://quay.test"\ntitle: Quay\nbaseurl: ""\n', "Jekyll"),
        ("_config.yml", "url: https://quay.test\ntitle: Quay\nbroken: [\n", "Jekyll"),
        ("pelicanconf.py", "SITENAME = 'Quay'\nSITEURL = 'https://quay.test'\n", "Pelican"),
        ("docusaurus.config.js", "module.exports = {\n  title: 'Quay',\n  url: 'https://quay.test',\n};", "Docusaurus"),
        ("mkdocs.yml", "site_name: Quay\nsite_url: https://quay.test/\nx: !!python/name:os.system ''\n", "MkDocs"),
    ],
)
def test_the_settings_of_generators_are_read(tmp_path: Path, name: str, text: str, generator: str) -> None:
    found = guess(files(tmp_path, **{name: text}))
    if "broken" in text or "!!python" in text:  # then its text is all there is, and bare values are no text
        assert found.generator == generator
    else:
        assert (found.generator, found.title, found.url) == (generator, "Quay", "https://quay.test")


def test_a_config_of_this_program_is_no_generators(tmp_path: Path) -> None:
    found = guess(files(tmp_path, **{"config.toml": '[site]\ntitle = "Quay"\nurl = "https://quay.test"\n'}))
    assert (found.generator, found.url) == ("", "")


def test_the_folder_of_the_articles_is_the_collection_with_most(tmp_path: Path) -> None:
    assert content_of(tmp_path) == "."
    files(tmp_path, content__about__me="", **{"content/pages/a.md": "a", "content/pages/b.md": "b"})
    assert content_of(tmp_path) == "content"
    files(tmp_path, **{"content/news/a.md": "a", "content/posts/a.md": "a", "content/posts/b.md": "b"})
    assert content_of(tmp_path) == "content/posts"


def test_every_guess_at_a_pattern_may_stand_in_a_configuration() -> None:
    for content in (".", "_posts", "content/posts", "src/content/News", "a {b}"):
        for generator in ("", "Jekyll", "Hugo"):
            made = patterns(SimpleNamespace(content=content, generator=generator))  # type: ignore[arg-type]
            for pattern in made:
                Settings.model_validate({"site": {"title": "x", "url": SITE}, "sources": [{"article_url": pattern}]})


def test_drafts_and_later_articles_measure_no_pattern(tmp_path: Path) -> None:
    texts = {
        "a.md": "---\ntitle: a\ndate: 2026-01-01\n---\ntext",
        "b.md": "---\ntitle: b\ndate: 2026-01-02\ndraft: true\n---\ntext",
        "c.md": "---\ntitle: c\ndate: 2099-01-02\n---\ntext",
        "d.md": "---\ntitle: d\ndate: 2026-01-02\npermalink: /d/\n---\ntext",
        "e.md": "---\ntitle: [\n---\n",
    }
    shelf = read_articles(files(tmp_path, **texts), UTC_ZONE, datetime(2026, 2, 1, tzinfo=UTC))
    assert {(one.slug, one.link) for one in shelf.pieces} == {("a", None), ("d", "/d/")}
    assert shelf.files == 5
    assert date(2026, 1, 2) in shelf.days


# --- nobody is waited for ---------------------------------------------------------------------------------------------


async def test_a_site_that_never_answers_is_left(tmp_path: Path) -> None:
    async def wait(_: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with website() as site:
        site.pages["/"] = wait
        sight = await look_up(site.url, PIECES, ["{site_url}/{slug}/"], deadline=0.2)
    assert len(sight.missed) == 1 and "did not answer" in sight.missed[0]
    assert [asked.path for asked in site.asked] == ["/"]
    assert not sight.answers


async def test_a_slow_site_is_left_in_the_end_with_what_was_seen() -> None:
    async def wait(_: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with website() as site:
        site.pages["/"] = said(200, b"<title>Quay</title><link rel=sitemap href=/map.xml>")
        urls = "".join(f"<url><loc>{site.url}/{one.slug}/</loc></url>" for one in PIECES)
        site.pages["/map.xml"] = said(200, f"<urlset>{urls}</urlset>".encode())
        for one in PIECES:
            site.pages[f"/{one.slug}/"] = wait
        before = time.monotonic()
        sight = await look_up(site.url, PIECES, (), patience=1.5)
        assert time.monotonic() - before < 4
    assert sight.home is not None and sight.home.title == "Quay"
    assert sight.fit == Fit(pattern="{site_url}/{slug}/", hits=20, of=20)
    assert any("took longer" in words for words in sight.missed) and not sight.answers


async def test_a_feed_on_a_private_host_is_not_asked() -> None:
    async with website() as site, website() as inner:
        link = f"<link rel=alternate type=application/rss+xml href='{inner.url}/feed.xml'>"
        site.pages["/"] = said(200, link.encode())
        sight = await look_up(site.url, PIECES, ())
    assert inner.asked == []
    assert sight.feed == "" and any("not a public address" in words for words in sight.missed)


async def test_articles_of_which_too_few_answer_are_not_waited_for() -> None:
    async with website() as site:
        site.pages["/"] = said(200)
        for one in PIECES[:25]:
            site.pages[f"/posts/{one.slug}/"] = said(200)
        urls = "".join(f"<url><loc>{site.url}/posts/{one.slug}/</loc></url>" for one in PIECES)
        site.pages["/sitemap.xml"] = said(200, f"<urlset>{urls}</urlset>".encode())
        sight = await look_up(site.url, PIECES, ())
    assert (sight.answered, sight.asked, sight.answers) == (15, 20, False)


async def test_articles_that_state_their_own_addresses_are_asked_for_there() -> None:
    async with website() as site:
        site.pages["/"] = said(200)
        stating = [replace(one, link=f"/own/{n}") for n, one in enumerate(PIECES)]
        for n in range(30):
            site.pages[f"/own/{n}"] = said(200)
        sight = await look_up(site.url, stating, ["{site_url}/{slug}/"])
        assert (sight.fit, sight.answered, sight.asked) == (None, 20, 20)
        mixed = [*stating[:20], *PIECES[20:]]
        for one in PIECES[20:]:
            site.pages[f"/{one.slug}/"] = said(200)
        sight = await look_up(site.url, mixed, ["{site_url}/{slug}/"])
    assert sight.fit is not None and sight.fit.pattern == "{site_url}/{slug}/"
    assert (sight.answered, sight.answers, sight.missed) == (20, True, [])


async def test_a_name_that_leads_nowhere_is_said() -> None:
    sight = await look_up("http://nobody.invalid", PIECES, ())
    assert len(sight.missed) == 1 and "http://nobody.invalid cannot be found" in sight.missed[0]


async def test_a_site_is_known_by_the_host_that_it_redirects_to() -> None:
    async with website() as site:
        other = site.url.replace("127.0.0.1", "localhost")
        site.pages["/"] = said(301, Location=f"{site.url}/start")
        site.pages["/start"] = said(200, b"<title>Quay</title>")
        sight = await look_up(site.url, (), ())
        assert (sight.url, sight.home and sight.home.title) == (site.url, "Quay")
        site.pages["/"] = said(301, Location=other)
        sight = await look_up(site.url, (), ())
    assert sight.url == site.url  # another host is another site
    assert sight.home is None and "not a public address" in sight.missed[0]
