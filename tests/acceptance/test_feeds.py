"""Feeds from outside: moving from another one, and hubs that are told, whatever dies in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.acceptance import newsroom as make
from tests.acceptance.conftest import in_thread
from tests.acceptance.newsroom import FRIDAY, Newsroom
from tests.doubles.hub import Hub
from tests.doubles.website import said, website

Make = Callable[..., Newsroom]


def link(n: int) -> str:
    return f"http://courier.example/{n:03}-walk/"


def test_a_site_moves_and_its_readers_see_nothing_twice(newsroom: Make) -> None:
    with in_thread(website()) as old:
        old.pages["/index.xml"] = said(500)
        site = newsroom(feeds={"adopt": f"{old.url}/index.xml"})
        for n in range(3):
            site.write(n)
        waiting = site.run("run", "--once", now=FRIDAY, code=1)
        assert "feeds.adopt: answered 500" in waiting.err
        assert not (site.data / "public").exists()
        assert "our feeds wait for its ids" in site.command("feeds").err
        (problem,) = site.ask("status", now=FRIDAY)["problems"]
        assert "mend the address, or remove the key" in problem
        items = "".join(f"<item><link>{link(n)}?utm_source=rss</link><guid>{link(n)}</guid></item>" for n in (1, 0))
        old.pages["/index.xml"] = said(200, f'<rss version="2.0"><channel>{items}</channel></rss>'.encode())
        site.crash("adopt.filled", "run", "--once", now=FRIDAY + timedelta(minutes=20))
        site.run("run", "--once", now=FRIDAY + timedelta(minutes=21))
        assert site.ask("status", now=FRIDAY)["problems"] == []
    ids = {item["url"].split("/")[3]: item["id"] for item in site.feed()["items"]}
    third = site.articles()["002-walk.md"]["id"]
    assert ids == {"000-walk": link(0), "001-walk": link(1), "002-walk": f"urn:uuid:{third}"}
    before = site.feed_bytes()
    site.run("feeds")
    assert site.feed_bytes() == before


@pytest.mark.parametrize(("point", "at_most"), [("feed.written", 3), ("hub.told", 6)])
def test_a_hub_is_told_of_what_is_served_though_the_daemon_dies_in_between(
    newsroom: Make, point: str, at_most: int
) -> None:
    with Hub() as hub:
        site = newsroom(feeds={"hubs": [hub.url]})
        site.write(0)
        site.crash(point, "run")
        with site.daemon() as daemon:
            make.until(lambda: len(hub.pings) >= at_most, "the hub is told", 20)
            assert dict(hub.pings) == {
                f"http://127.0.0.1:{site.port}/{name}": content for name, content in site.feed_bytes().items()
            }
            site.write(1)
            make.until(lambda: len(hub.pings) >= at_most + 3, "and of what is new", 20)
            assert len(json.loads(dict(hub.pings)[f"http://127.0.0.1:{site.port}/feed.json"])["items"]) == 2
            assert daemon.terminate() == 0
        with site.daemon():
            site.write(2)
            make.until(lambda: len(hub.pings) >= at_most + 6, "and after the next start", 20)
        assert len(hub.pings) == at_most + 6


def test_check_says_when_hubs_would_not_be_told(newsroom: Make) -> None:
    site = newsroom(feeds={"hubs": ["https://hub.example/?key=secret"]})
    site.write(0)
    assert "hubs elsewhere are not told" in site.run("check").out
    site.configure(web={"public_url": "https://news.example.org"})
    told = site.run("check").out
    assert "told of new feeds: https://hub.example\n" in told
    assert "secret" not in told
