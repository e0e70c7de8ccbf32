"""Another site's feed over HTTP: asked politely, left alone when it fails, read once."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syndicate import feeds
from syndicate.config import FeedSettings, Site, SourceSettings
from syndicate.errors import SourceError
from syndicate.guarded import GuardedFetcher, trusted
from syndicate.sources.webfeed import FeedError, Gathered, State, WebFeed
from tests.doubles.clock import StillClock
from tests.doubles.website import Website, moved, said, website
from tests.factories import make_article

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def document(*titles: str) -> bytes:
    items = [{"id": f"id-{title}", "title": title, "url": f"/{title}/", "content_text": "Words."} for title in titles]
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "Harbour", "items": items}).encode()


@pytest.fixture
async def site() -> AsyncIterator[Website]:
    async with website() as site:
        site.pages["/feed"] = said(200, document("one"), ETag='"1"', Last_Modified="Mon, 23 Nov 2026 10:00:00 GMT")
        yield site


@pytest.fixture
def clock() -> StillClock:
    return StillClock(NOW)


@pytest.fixture
async def fetcher(site: Website) -> AsyncIterator[GuardedFetcher]:
    fetcher = GuardedFetcher("syndicate/test", allow_private=trusted(site.url), connect=2, deadline=5)
    yield fetcher
    await fetcher.aclose()


@pytest.fixture
def feed(site: Website, fetcher: GuardedFetcher, clock: StillClock) -> WebFeed:
    return WebFeed(settings(f"{site.url}/feed"), fetcher, clock, random.Random(7))


def settings(url: str, **more: Any) -> SourceSettings:
    return SourceSettings(name="harbour", kind="feed", url=url, **more)


def titles(gathered: Gathered) -> list[str]:
    return [item.manuscript.title for item in gathered.items]


async def failure(feed: WebFeed, state: State | None = None) -> FeedError:
    with pytest.raises(SourceError) as caught:
        await feed.look(state or State())
    assert isinstance(caught.value, FeedError)
    return caught.value


async def test_a_feed_is_read_and_its_links_go_by_its_address(site: Website, feed: WebFeed) -> None:
    gathered = await feed.look(State())
    assert titles(gathered) == ["one"]
    assert gathered.items[0].manuscript.link == f"{site.url}/one/"
    assert gathered.notes == ()
    state = gathered.state
    assert (state.etag, state.modified) == ('"1"', "Mon, 23 Nov 2026 10:00:00 GMT")
    assert (state.url, state.retry_at, state.failures, state.problem) == (f"{site.url}/feed", None, 0, "")
    (asked,) = site.asked
    assert "if-none-match" not in asked.headers
    assert "application/feed+json" in asked.headers["accept"]


def test_a_feed_that_no_longer_shows_an_item_does_not_say_it_is_gone(feed: WebFeed) -> None:
    assert feed.complete is False


async def test_an_unchanged_feed_is_asked_with_both_validators_and_read_no_more(site: Website, feed: WebFeed) -> None:
    state = (await feed.look(State())).state
    site.pages["/feed"] = said(304)
    assert await feed.look(state) == Gathered(state=state)
    headers = site.asked[1].headers
    assert (headers["if-none-match"], headers["if-modified-since"]) == ('"1"', "Mon, 23 Nov 2026 10:00:00 GMT")


async def test_the_same_bytes_are_not_read_twice_and_new_ones_are(site: Website, feed: WebFeed) -> None:
    state = (await feed.look(State())).state
    site.pages["/feed"] = said(200, document("one"), ETag='"2"')
    again = await feed.look(state)
    assert (again.items, again.state.etag, again.state.modified) == ((), '"2"', "")
    site.pages["/feed"] = said(200, document("two", "one"))
    assert titles(await feed.look(again.state)) == ["two", "one"]


async def test_a_state_of_another_address_counts_for_nothing(site: Website, feed: WebFeed) -> None:
    state = (await feed.look(State())).state
    elsewhere = replace(state, url="https://example.org/feed", retry_at=NOW + HOUR, problem="x")
    assert titles(await feed.look(elsewhere)) == ["one"]
    assert "if-none-match" not in site.asked[1].headers


async def test_a_validator_that_cannot_be_sent_is_not_kept(site: Website, feed: WebFeed) -> None:
    site.pages["/feed"] = said(200, document("one")).replace(b"\r\n\r\n", b'\r\nETag: "caf\xe9"\r\n\r\n', 1)
    state = (await feed.look(State())).state
    assert state.etag == ""
    assert (await feed.look(state)).items == ()


async def test_a_packed_feed_is_read(site: Website, feed: WebFeed) -> None:
    site.pages["/feed"] = said(200, gzip.compress(document("one")), Content_Encoding="gzip")
    assert titles(await feed.look(State())) == ["one"]


async def test_a_moved_feed_is_followed(site: Website, feed: WebFeed) -> None:
    site.pages |= {"/new/feed": site.pages["/feed"], "/feed": moved("/new/feed", 301)}
    assert titles(await feed.look(State())) == ["one"]


@pytest.mark.parametrize("name", [feeds.RSS, feeds.ATOM, feeds.JSON])
async def test_our_own_feeds_are_read_over_the_wire(site: Website, feed: WebFeed, name: str) -> None:
    one = make_article(hero_image="https://example.org/lamp.jpg")
    built = feeds.build([one], Site(title="Harbour", url="https://example.org"), FeedSettings(), "https://example.org")
    site.pages["/feed"] = said(200, built[name], Content_Type=f"{feeds.MEDIA_TYPES[name]}; charset=utf-8")
    (item,) = (await feed.look(State())).items
    assert (item.guid, item.manuscript.title, item.manuscript.link) == (f"urn:uuid:{one.id}", one.title, one.url)
    assert item.manuscript.hero_image == "https://example.org/lamp.jpg"


async def test_notes_name_the_source(site: Website, feed: WebFeed) -> None:
    site.pages["/feed"] = said(200, b"<rss><channel><item><title>x</title></item></channel></rss>")
    assert (await feed.look(State())).notes == ("sources.harbour: 1 of 1 items have neither an id nor a link: skipped",)


# --- failures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (said(500), "answered 500"),
        (said(404), "nothing is there"),
        (said(401), "wants a password"),
        (said(403), "not for us"),
        (said(204), "answered 204"),
        (said(302), "answered 302"),
        (said(304), "never read"),
        (said(410), "gone for good"),
        (said(200, b"<!doctype html><p>Hi</p>", Content_Type="text/html"), "a web page, not a feed"),
        (said(200, b""), "not a feed"),
        (said(200, b'<!DOCTYPE rss [<!ENTITY a "b">]><rss/>'), "declares entities"),
        (said(200, b"x" * 10_000_001), "more than 10 MB"),
        (said(200, gzip.compress(b"<rss>" + b" " * 20_000_000), Content_Encoding="gzip"), "more than 10 MB"),
        (moved("http://localhost:8080/"), "not a public address"),
        (moved("/feed"), "redirects more than"),
        (b"HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\n<rss", "did not answer"),
    ],
)
async def test_what_cannot_be_read_is_a_problem_of_the_source(
    site: Website, feed: WebFeed, answer: bytes, words: str
) -> None:
    site.pages["/feed"] = answer
    error = await failure(feed)
    assert str(error).startswith("sources.harbour.url: ")
    assert words in str(error)
    assert error.state.failures > 0
    assert error.state.problem == str(error)
    assert error.state.retry_at is not None and error.state.retry_at > NOW


async def test_a_failing_feed_is_left_alone_longer_each_time(site: Website, feed: WebFeed, clock: StillClock) -> None:
    site.pages["/feed"] = said(500)
    state, rests = State(), []
    for _ in range(12):
        state = (await failure(feed, state)).state
        assert state.retry_at is not None
        rests.append((state.retry_at - clock.now()).total_seconds() / 60)
        clock.moment = state.retry_at
    for n, rest in enumerate(rests):
        whole = min(2**n, 360)
        assert 0.75 * whole <= rest <= whole
    assert len(site.asked) == 12
    assert len({round(rest / min(2**n, 360), 6) for n, rest in enumerate(rests)}) == 12


async def test_meanwhile_it_is_not_asked_and_the_problem_stands(
    site: Website, feed: WebFeed, clock: StillClock
) -> None:
    site.pages["/feed"] = said(500)
    first = await failure(feed)
    assert first.state.retry_at is not None
    clock.moment = first.state.retry_at - timedelta(seconds=1)
    again = await failure(feed, first.state)
    assert (str(again), again.state) == (str(first), first.state)
    assert len(site.asked) == 1


async def test_a_healed_feed_is_as_before(site: Website, feed: WebFeed, clock: StillClock) -> None:
    healthy = (await feed.look(State())).state
    answer, site.pages["/feed"] = site.pages["/feed"], said(500)
    sick = (await failure(feed, healthy)).state
    assert (sick.etag, sick.hash) == (healthy.etag, healthy.hash)
    clock.moment += HOUR
    site.pages["/feed"] = said(304)
    assert await feed.look(sick) == Gathered(state=healthy)
    site.pages["/feed"] = answer
    assert (await feed.look(sick)).state == healthy


async def test_a_clock_that_was_put_back_does_not_silence_a_feed(feed: WebFeed, site: Website) -> None:
    far = State(url=f"{site.url}/feed", retry_at=NOW + timedelta(days=300), failures=1, problem="x")
    assert titles(await feed.look(far)) == ["one"]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("wish", "least"),
    [
        ("7200", 2 * HOUR),
        ("Mon, 23 Nov 2026 15:00:00 GMT", 3 * HOUR),
        ("86400", 24 * HOUR),
        ("1", timedelta(seconds=45)),
    ],
)
async def test_the_rest_that_a_server_asks_for_is_granted(
    site: Website, feed: WebFeed, status: int, wish: str, least: timedelta
) -> None:
    site.pages["/feed"] = said(status, Retry_After=wish)
    state = (await failure(feed)).state
    assert state.retry_at is not None
    assert least <= state.retry_at - NOW <= least + timedelta(seconds=15)


async def test_a_feed_gone_for_good_is_asked_rarely(site: Website, feed: WebFeed) -> None:
    site.pages["/feed"] = said(410)
    state = (await failure(feed)).state
    assert state.retry_at is not None
    assert timedelta(hours=4) <= state.retry_at - NOW <= timedelta(hours=6)


async def test_nobody_there_is_a_problem_of_the_source(
    fetcher: GuardedFetcher, clock: StillClock, site: Website
) -> None:
    async with website() as gone:
        url = f"{gone.url}/feed"
    away = GuardedFetcher("t", allow_private=trusted(url), connect=1)
    error = await failure(WebFeed(settings(url), away, clock, random.Random(7)))
    assert "cannot be reached" in str(error)
    await away.aclose()


async def test_a_feed_in_the_house_is_read_only_where_the_owner_wrote_it(site: Website, clock: StillClock) -> None:
    wary = GuardedFetcher("t")
    error = await failure(WebFeed(settings(f"{site.url}/feed"), wary, clock, random.Random(7)))
    assert "http.allow_private" in str(error)
    assert site.asked == []


async def test_a_trickling_feed_is_given_up(site: Website, clock: StillClock) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\n\r\n<rss>")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    site.pages["/feed"] = drip
    hasty = GuardedFetcher("t", allow_private=trusted(site.url), deadline=0.3)
    error = await failure(WebFeed(settings(f"{site.url}/feed"), hasty, clock, random.Random(7)))
    assert "did not answer within" in str(error)
    await hasty.aclose()


async def test_the_loop_goes_on_while_a_long_feed_is_read(site: Website, feed: WebFeed) -> None:
    """Parsing happens beside it: a second of it lets others run."""
    long = json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": [
        {"id": str(n), "title": str(n), "content_html": "<p>Some words here.</p>" * 200} for n in range(300)
    ]})  # fmt: skip
    site.pages["/feed"] = said(200, long.encode())
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    heart = asyncio.create_task(beat())
    gathered = await feed.look(State())
    heart.cancel()
    assert len(gathered.items) == 300
    assert beats > 5
