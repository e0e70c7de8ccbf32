"""`syndicate init` from outside: a folder as a generator leaves it, its site, and what is written."""

from __future__ import annotations

import os
import pty
import re
import socket
import subprocess
import sys
import time
import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.newsroom import Done, clean_environment, story
from tests.doubles.website import Website, said

FIRST = date(2026, 2, 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "the-courier"
    made.mkdir()
    return made


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def articles(folder: Path, count: int, name: str = "walk-{n}.md", *, a_day: int = 1) -> None:
    for n in range(count):
        day = FIRST + timedelta(days=n // a_day)
        path = folder / name.format(n=n, day=day)
        write(path, f"---\ntitle: Walk number {n}\ndate: {day}\n---\n\n{story(n)}")


def page(head: str, lang: str = "en") -> bytes:
    text = f"<!doctype html><html lang='{lang}'><head><meta charset=utf-8>{head}</head><body>Hello</body></html>"
    return said(200, text.encode(), Content_Type="text/html; charset=utf-8")


def sitemap(urls: list[str], kind: str = "url") -> bytes:
    outer = {"url": "urlset", "sitemap": "sitemapindex"}[kind]
    entries = "".join(f"<{kind}><loc>{url}</loc></{kind}>" for url in urls)
    xml = f'<?xml version="1.0"?><{outer} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</{outer}>'
    return said(200, xml.encode(), Content_Type="application/xml")


def rss(urls: list[str]) -> bytes:
    items = "".join(f"<item><title>One</title><link>{url}</link><guid>{url}</guid></item>" for url in urls)
    xml = f'<?xml version="1.0"?><rss version="2.0"><channel><title>The Courier</title>{items}</channel></rss>'
    return said(200, xml.encode(), Content_Type="application/rss+xml")


def publish(site: Website, paths: list[str]) -> list[str]:
    """Let these pages answer; returns their addresses."""
    for path in paths:
        site.pages[path] = page("<title>Walk</title>")
    return [site.url + path for path in paths]


def run(folder: Path, *words: str, code: int = 0) -> Done:
    done = subprocess.run(
        [sys.executable, "-m", "syndicate", *words],
        cwd=folder, env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
    )  # fmt: skip
    result = Done(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in result.err, result.err
    assert result.code == code, f"{words}: exit {result.code} instead of {code}\n{result.out}\n{result.err}"
    return result


def written(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "syndicate.toml").read_text("utf-8"))


def can_be_used(folder: Path) -> None:
    """The program itself has nothing against it: `check` is content, and a pass runs."""
    found = run(folder, "--json", "check").json
    assert [one for one in found if not one["ok"]] == []


# --- generators -------------------------------------------------------------------------------------------------------


def test_an_astro_site_is_read_from_its_sitemap_index_and_its_home_page(site: Website, folder: Path) -> None:
    write(folder / "astro.config.mjs", f"export default defineConfig({{\n  site: '{site.url}',\n}});\n")
    articles(folder / "src/content/blog", 24)
    paths = [f"/blog/walk-{n}" for n in range(22)]  # the newest two are not published yet
    feed = f"{site.url}/rss.xml"
    site.pages |= {
        "/": page(
            "<title>Home | The Quay</title><meta property='og:site_name' content='The Quay Courier'>"
            "<meta name=description content='News from the quay.'><meta property='og:image' content='/card.png'>"
            "<link rel=sitemap href=/sitemap-index.xml>"
            "<link rel=alternate type=application/rss+xml title=Comments href=/comments/feed.xml>"
            "<link rel=alternate type=application/rss+xml title=News href=/rss.xml>",
            "de-AT",
        ),
        "/sitemap-index.xml": sitemap([f"{site.url}/sitemap-0.xml"], "sitemap"),
        "/sitemap-0.xml": sitemap([f"{site.url}/", f"{site.url}/about", *publish(site, paths)]),
        "/rss.xml": rss([site.url + path for path in paths[-10:]]),
    }
    done = run(folder, "init", "--json")
    found = done.json
    assert found["generator"] == "Astro"
    assert (found["title"], found["language"]) == ("The Quay Courier", "de-AT")
    assert (found["feed"], found["sitemap"]) == (feed, f"{site.url}/sitemap-index.xml")
    assert found["fit"] == {"hits": 18, "of": 20}
    assert found["newest"] == {"answered": 18, "asked": 20}
    assert "18 of 20 newest articles answer at {site_url}/blog/{slug}" in done.err
    assert "could not" not in done.err and found["not_looked_up"] == []
    config = written(folder)
    assert config["site"]["url"] == site.url
    assert config["site"]["description"] == "News from the quay."
    assert config["site"]["image"] == f"{site.url}/card.png"
    assert config["sources"] == [
        {"name": "articles", "path": "src/content/blog", "article_url": "{site_url}/blog/{slug}"}
    ]
    assert config["review"]["check_url"] is True
    assert feed in (folder / "syndicate.toml").read_text("utf-8")
    assert config["feeds"].get("adopt", feed) == feed
    can_be_used(folder)


def test_a_hugo_site_with_months_in_its_addresses_is_fitted(site: Website, folder: Path) -> None:
    write(
        folder / "hugo.toml",
        f'baseURL = "{site.url}/"\ntitle = "Quay"\nlanguageCode = "en-gb"\n[params]\ntitle = "wrong"',
    )
    articles(folder / "content/posts", 12, "{day}-walk-{n}/index.md", a_day=6)
    paths = [f"/{FIRST + timedelta(days=n // 6):%Y/%m}/walk-{n}/" for n in range(12)]
    site.pages |= {
        "/": page("<title>Latest news</title>"),
        "/robots.txt": said(200, f"User-agent: *\nSitemap: {site.url}/map.xml\n".encode()),
        "/map.xml": sitemap(publish(site, paths)),
        "/index.xml": rss(publish(site, paths[-2:])),
    }
    found = run(folder, "init", "--json").json
    assert (found["generator"], found["title"], found["content"]) == ("Hugo", "Quay", "content/posts")
    assert found["article_url"] == "{site_url}/{year}/{month}/{slug}/"
    assert found["newest"] == {"answered": 12, "asked": 12}
    assert found["feed"] == f"{site.url}/index.xml"
    assert found["sitemap"] == f"{site.url}/map.xml"
    assert written(folder)["review"]["check_url"] is True
    can_be_used(folder)


def test_a_jekyll_site_with_a_feed_alone_is_fitted_beyond_the_feed(site: Website, folder: Path) -> None:
    write(folder / "_config.yml", f"title: Quay\nurl: {site.url}\nbaseurl: /log\ntimezone: Europe/Vienna\nlang: de\n")
    articles(folder / "_posts", 15, "{day}-walk-{n}.md")
    paths = [f"/log/{FIRST + timedelta(days=n):%Y/%m/%d}/walk-{n}.html" for n in range(15)]
    site.pages |= {
        "/log/": page("<link type='application/atom+xml' rel='alternate' href='/log/feed.xml' title='Quay'>", lang=""),
        "/log/feed.xml": rss(publish(site, paths)[-3:]),
    }
    found = run(folder, "init", "--json").json
    assert (found["generator"], found["url"], found["timezone"]) == ("Jekyll", f"{site.url}/log", "Europe/Vienna")
    assert found["article_url"] == "{site_url}/{year}/{month}/{day}/{slug}.html"
    assert found["fit"] == {"hits": 3, "of": 15}
    assert found["newest"] == {"answered": 15, "asked": 15}
    assert written(folder)["site"]["language"] == "de"
    can_be_used(folder)


def test_a_plain_folder_is_fitted_by_asking_for_a_handful_of_pages(site: Website, folder: Path) -> None:
    write(folder / "CNAME", "news.example.org\n")
    write(folder / "package.json", f'{{"homepage": "{site.url}"}}')
    articles(folder / "articles", 30)
    publish(site, [f"/news/walk-{n}.html" for n in range(30)])
    for n in range(30):
        site.pages[f"/news/walk-{n}/"] = said(301, Location=f"/news/walk-{n}.html")
    site.pages["/"] = page("<title>Quay</title>")
    found = run(folder, "init", "--json").json
    assert found["article_url"] == "{site_url}/news/{slug}.html"
    assert found["newest"] == {"answered": 20, "asked": 20}
    assert found["check_url"] is True
    assert found["sitemap"] is None and found["feed"] is None
    tried = [asked.path for asked in site.asked if asked.path.startswith("/blog/")]
    assert 0 < len(tried) < 10


# --- what cannot be seen ----------------------------------------------------------------------------------------------


def test_without_a_network_it_says_what_it_could_not_look_up_and_writes_all_the_same(folder: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        write(folder / "hugo.toml", f'baseURL = "http://127.0.0.1:{probe.getsockname()[1]}/"')
        articles(folder / "content/posts", 3)
        before = time.monotonic()
        done = run(folder, "init")
        assert time.monotonic() - before < 20
    assert re.search(r"could not look up http://127\.0\.0\.1:\d+: .* cannot be reached", done.err)
    text = (folder / "syndicate.toml").read_text("utf-8")
    assert re.search(r"check_url = false +# no page was seen to answer", text)
    assert written(folder)["sources"][0]["article_url"] == "{site_url}/posts/{slug}/"
    can_be_used(folder)


def test_a_site_that_answers_anything_proves_nothing(site: Website, folder: Path) -> None:
    write(folder / "hugo.toml", f'baseURL = "{site.url}/"')
    articles(folder / "content/posts", 3)

    class Everything(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            return page("<title>One page for all</title>")

    site.pages = Everything()
    done = run(folder, "init")
    assert "answers 200 where there is no page" in done.err
    assert written(folder)["review"]["check_url"] is False
    can_be_used(folder)


def test_a_hostile_home_page_does_no_harm(site: Website, folder: Path) -> None:
    write(folder / "hugo.toml", f'baseURL = "{site.url}/"')
    articles(folder / "content/posts", 3)
    head = (
        "<title>&lt;b&gt;\"\"\" ]]] \\u0000 &#0; \x1b[31m\n[email]\nlive = true</title>"
        "<meta property='og:image' content='javascript:alert(1)'><meta property=og:description content='\"\n#'>"
        "<link rel=alternate type=application/rss+xml href='http://169.254.169.254/latest'>"
        "<link rel=alternate type=application/atom+xml href='http://[broken'>"
        "<link rel=sitemap href='http://10.0.0.1/sitemap.xml'>" + "<a" * 50_000
    )  # fmt: skip
    site.pages["/"] = page(head, '"><script>')
    site.pages["/sitemap.xml"] = said(
        200, b'<!DOCTYPE u [<!ENTITY a "aaaa">]><urlset><url><loc>http://x/&a;</loc></url></urlset>'
    )
    done = run(folder, "init", "--json")
    assert done.json["feed"] is None and done.json["sitemap"] is None and done.json["image"] == ""
    assert "not a public address" in done.err
    assert "\x1b" not in done.err + done.out
    assert written(folder)["email"]["live"] is False
    can_be_used(folder)


# --- the folder -------------------------------------------------------------------------------------------------------


def test_the_busiest_day_sets_the_length_of_the_feeds_and_what_is_too_much_at_once(folder: Path) -> None:
    articles(folder / "content", 190, a_day=87)
    done = run(folder, "init")
    config = written(folder)
    assert "busiest day: 87 articles on 2026-02-02" in done.err
    assert (config["review"]["max_new"], config["feeds"]["items"]) == (180, 90)


def test_no_file_that_exists_is_touched(folder: Path) -> None:
    articles(folder / "content", 1)
    config = folder / "syndicate.toml"
    config.write_text("# mine\n", encoding="utf-8")
    mine = folder / "templates" / "digest.mjml"
    write(mine, "<mjml/>")
    assert "exists already" in run(folder, "init", code=2).err
    assert [path.name for path in (folder / "templates").iterdir()] == ["digest.mjml"]
    run(folder, "init", "--templates")
    assert config.read_text("utf-8") == "# mine\n"
    assert mine.read_text("utf-8") == "<mjml/>"
    assert (folder / "templates" / "digest.txt").is_file()


def test_copied_templates_are_used(folder: Path) -> None:
    articles(folder / "content", 1)
    done = run(folder, "init", "--templates", "--json")
    assert written(folder)["templates"] == "templates"
    assert "templates/digest.mjml" in done.json["templates"]
    can_be_used(folder)


def test_what_is_no_folder_is_said(folder: Path) -> None:
    write(folder / "file", "")
    assert "is no folder" in run(folder, "init", "file", code=2).err
    assert "is no folder" in run(folder, "init", "nowhere", code=2).err


# --- questions --------------------------------------------------------------------------------------------------------


def test_five_questions_are_asked_on_a_terminal_and_their_answers_are_written(site: Website, folder: Path) -> None:
    articles(folder / "essays", 2)
    publish(site, ["/essays/walk-0/", "/essays/walk-1/"])
    site.pages["/"] = page("<title>Essays</title>")
    answers = ["no address", site.url, "nowhere", "essays", "me@courier.test", "daily", "no"]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "syndicate", "init"],
        cwd=folder, env=clean_environment(), stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(theirs)
    try:
        os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())
        _, err = process.communicate(timeout=60)
    finally:
        os.close(ours)
    words = err.decode()
    assert process.returncode == 0, words
    assert len(re.findall(r"\[[^\]\n]*\]: ", words)) == 7  # five questions, two of them twice
    assert "there is no folder" in words
    config = written(folder)
    assert config["site"]["url"] == site.url
    assert config["sources"][0] | {"name": ""} == {
        "name": "", "path": "essays", "article_url": "{site_url}/essays/{slug}/"
    }  # fmt: skip
    assert config["digests"] == [{"name": "daily", "schedule": "daily 09:00"}]
    assert "linkedin" not in config
    assert re.search(r'^(# )?email = "me@courier.test"', (folder / "syndicate.toml").read_text("utf-8"), re.M)
    can_be_used(folder)
