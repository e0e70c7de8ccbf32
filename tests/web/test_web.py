"""The public web, over real sockets where they matter: feeds, leaving, health, and what strangers may try."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
import os
import re
import signal
import socket

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from syndicate.config import FeedSettings, Site, WebSettings
from syndicate.errors import SyndicateError
from syndicate.feeds import MEDIA_TYPES
from syndicate.web import peer
from syndicate.web.app import build
from syndicate.web.express import Ready
from syndicate.web.server import LINES, Server
from syndicate.web.shelf import FeedFile
from tests.doubles.office import SmallOffice
from tests.web.conftest import FEEDS, served, until

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


# Feeds


@pytest.mark.parametrize(
    ("name", "kind"),
    [("feed.xml", "application/rss+xml"), ("atom.xml", "application/atom+xml"), ("feed.json", "application/feed+json")],
)
async def test_a_feed_is_served_as_it_stands_in_its_file(client: httpx.AsyncClient, name: str, kind: str) -> None:
    answer = await client.get(f"/{name}")
    assert answer.status_code == 200
    assert answer.content == FEEDS[name]
    assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
    assert answer.headers["cache-control"].startswith("public, max-age=")
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["link"] == f'<http://127.0.0.1:8080/{name}>; rel="self"'


async def test_head_answers_like_get_without_a_body(wire: httpx.AsyncClient) -> None:
    got, head = await wire.get("/feed.xml"), await wire.head("/feed.xml")
    assert head.content == b""
    assert {**head.headers, "date": ""} == {**got.headers, "date": ""}


async def test_gzip_is_sent_only_where_it_is_taken(client: httpx.AsyncClient) -> None:
    for accepted, zipped in {
        "gzip": True,
        "br, gzip;q=0.5": True,
        "*": True,
        "identity": False,
        "gzip;q=0, *": False,
        "gzip; q=rubbish": False,
    }.items():
        async with client.stream("GET", "/feed.xml", headers={"accept-encoding": accepted}) as answer:
            body = b"".join([chunk async for chunk in answer.aiter_raw()])
            assert ("content-encoding" in answer.headers) is zipped, accepted
            assert (gzip.decompress(body) if zipped else body) == FEEDS["feed.xml"]


async def test_a_client_that_has_the_feed_is_told_so_in_every_way_it_may_ask(client: httpx.AsyncClient) -> None:
    first = await client.get("/feed.xml")
    tag, date = first.headers["etag"], first.headers["last-modified"]
    assert tag.startswith('W/"')
    for asked in (
        {"if-none-match": tag},
        {"if-none-match": tag.removeprefix("W/")},  # a proxy may have made it strong
        {"if-none-match": f'"other", {tag}'},
        {"if-none-match": "*"},
        {"if-modified-since": date},
        {"if-none-match": tag, "if-modified-since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"if-none-match": tag, "accept-encoding": "identity"},
    ):
        answer = await client.get("/feed.xml", headers=asked)
        assert answer.status_code == 304, asked
        assert answer.content == b""
        for kept in ("etag", "cache-control", "vary", "last-modified"):
            assert answer.headers[kept] == first.headers[kept]


async def test_a_client_that_lacks_the_feed_gets_it(client: httpx.AsyncClient) -> None:
    date = (await client.get("/feed.xml")).headers["last-modified"]
    for asked in (
        {"if-none-match": '"other"'},
        {"if-none-match": '"other"', "if-modified-since": date},  # the tag wins
        {"if-modified-since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"if-modified-since": "yesterday"},
    ):
        assert (await client.get("/feed.xml", headers=asked)).status_code == 200, asked


async def test_a_changed_file_is_served_at_once_with_new_validators(
    client: httpx.AsyncClient, office: SmallOffice
) -> None:
    first = await client.get("/feed.xml")
    fresh = office.feed_folder / "fresh"
    fresh.write_bytes(b"<rss>new</rss>")
    fresh.replace(office.feed_folder / "feed.xml")
    second = await client.get("/feed.xml", headers={"if-none-match": first.headers["etag"]})
    assert second.content == b"<rss>new</rss>"
    assert second.headers["etag"] != first.headers["etag"]
    # Both versions are of the same second: a client that knows only dates must not miss the second one.
    third = await client.get("/feed.xml", headers={"if-modified-since": first.headers["last-modified"]})
    assert third.status_code == 200


async def test_a_touched_file_with_the_same_bytes_is_not_news(client: httpx.AsyncClient, office: SmallOffice) -> None:
    first = await client.get("/feed.xml")
    os.utime(office.feed_folder / "feed.xml", (2_000_000_000, 2_000_000_000))
    second = await client.get("/feed.xml")
    assert second.headers["last-modified"] == first.headers["last-modified"]
    assert second.headers["etag"] == first.headers["etag"]


async def test_a_feed_that_vanishes_is_served_from_memory(client: httpx.AsyncClient, office: SmallOffice) -> None:
    await client.get("/feed.xml")
    (office.feed_folder / "feed.xml").unlink()
    assert (await client.get("/feed.xml")).content == FEEDS["feed.xml"]


async def test_a_feed_not_yet_written_is_no_lost_feed(client: httpx.AsyncClient, office: SmallOffice) -> None:
    (office.feed_folder / "atom.xml").unlink()
    answer = await client.get("/atom.xml")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "60"


async def test_hubs_stand_in_the_link_header(client: httpx.AsyncClient, office: SmallOffice) -> None:
    office.feeds = FeedSettings(hubs=("https://hub.example/",))
    link = (await client.head("/atom.xml")).headers["link"]
    assert link == '<http://127.0.0.1:8080/atom.xml>; rel="self", <https://hub.example/>; rel="hub"'


HEADER_TEXT = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=60)


@given(tag=HEADER_TEXT, date=HEADER_TEXT, coding=HEADER_TEXT)
def test_whatever_a_client_asks_with_it_gets_the_feed_or_304(tag: str, date: str, coding: str) -> None:
    file = FeedFile(plain=b"<rss/>", gzipped=gzip.compress(b"<rss/>"), etag='W/"1"', modified=1, stamp=(0, 0, 0))
    headers = Headers({"if-none-match": tag, "if-modified-since": date, "accept-encoding": coding}).raw
    start, body = Ready(file, "application/rss+xml", [], 300).answer({"type": "http", "headers": headers})
    assert (start["status"], body["body"]) in ((200, file.plain), (200, file.gzipped), (304, b""))


# Leaving


async def test_opening_the_link_changes_nothing(client: httpx.AsyncClient, office: SmallOffice) -> None:
    for answer in (await client.get(office.link()), await client.head(office.link())):
        assert answer.status_code == 200
    assert office.people == {7}


@pytest.mark.parametrize(
    "body",
    [
        {"data": ONE_CLICK},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},  # multipart/form-data
        {"content": b""},
        {"content": b"\xff\x00", "headers": {"content-type": "multipart/form-data"}},
        {"data": ONE_CLICK, "headers": {"origin": "https://mail.example", "cookie": "a=b"}},
    ],
)
async def test_a_post_unsubscribes_at_once_whatever_its_form(
    wire: httpx.AsyncClient, office: SmallOffice, body: dict[str, object]
) -> None:
    answer = await wire.post(office.link(), **body)  # type: ignore[arg-type]
    assert answer.status_code == 200
    assert "You are unsubscribed" in answer.text
    assert office.people == set()
    assert "set-cookie" not in answer.headers


async def test_leaving_twice_is_answered_the_same(client: httpx.AsyncClient, office: SmallOffice) -> None:
    first, second = [await client.post(office.link(), data=ONE_CLICK) for _ in range(2)]
    assert (first.status_code, first.text) == (second.status_code, second.text) == (200, second.text)


async def test_a_false_token_answers_404_and_unsubscribes_nobody(wire: httpx.AsyncClient, office: SmallOffice) -> None:
    good = office.link()
    other_purpose = office.link("preferences").replace("preferences", "unsubscribe")
    for path in ("/unsubscribe/x", good[:-1], good + "x", good + "/", other_purpose, "/unsubscribe/" + "A" * 8000):
        for method in ("GET", "POST"):
            answer = await wire.request(method, path, data=ONE_CLICK if method == "POST" else None)
            assert answer.status_code == 404, path
            assert "location" not in answer.headers
    assert office.people == {7}


async def test_pages_with_a_token_are_neither_kept_nor_told_on(client: httpx.AsyncClient, office: SmallOffice) -> None:
    for answer in (
        await client.get(office.link()),
        await client.post(office.link()),
        await client.get("/unsubscribe/false"),
    ):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "noindex" in answer.headers["x-robots-tag"]


async def test_success_is_never_claimed_when_the_office_fails(
    client: httpx.AsyncClient, office: SmallOffice, caplog: pytest.LogCaptureFixture
) -> None:
    office.broken = True
    answer = await client.post(office.link(), data=ONE_CLICK)
    assert answer.status_code == 500
    assert "unsubscribed" not in answer.text
    assert "on fire" not in answer.text
    assert "on fire" in caplog.text


async def test_tokens_are_never_logged(
    wire: httpx.AsyncClient, office: SmallOffice, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # the client of this test
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    try:
        token = office.link().rpartition("/")[2]
        await wire.get(office.link())
        await wire.post(office.link() + "x")
        office.broken = True
        await wire.post(office.link())
    finally:
        logging.getLogger("httpx").setLevel(logging.NOTSET)
        logging.getLogger("httpcore").setLevel(logging.NOTSET)
    assert "page failed" in caplog.text
    assert token not in caplog.text + "".join(str(record.__dict__) for record in caplog.records)


# Everything else


async def test_every_answer_carries_the_headers_browsers_obey(client: httpx.AsyncClient, office: SmallOffice) -> None:
    for path in ("/", "/feed.xml", office.link(), "/healthz", "/robots.txt", "/style.css", "/nothing"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert "server" not in headers


@pytest.mark.parametrize(
    ("healthy", "working", "health", "ready"),
    [(True, True, 200, 200), (False, True, 503, 200), (False, False, 503, 503), (True, False, 503, 503)],
)
async def test_health_is_red_with_any_problem_and_readiness_where_the_program_does_not_work(
    client: httpx.AsyncClient, office: SmallOffice, healthy: bool, working: bool, health: int, ready: int
) -> None:
    office.healthy, office.working = healthy, working
    for path, status in (("/healthz", health), ("/readyz", ready)):
        answer = await client.get(path)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
    assert (await client.get("/healthz")).json()["ok"] is (healthy and working)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/static/style.css", 404),
        ("GET", "/%2e%2e/syndicate.toml", 404),
        ("GET", "/newsroom/", 404),
        ("POST", "/feed.xml", 405),
        ("DELETE", "/", 405),
    ],
)
async def test_everything_else_is_a_plain_page(client: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("guess", "feed"),
    [*((guess, "feed.xml") for guess in ("/feed", "/feed/", "/rss", "/rss.xml", "/index.xml")), ("/atom", "atom.xml")],
)
async def test_readers_who_guess_are_led_to_the_feed(client: httpx.AsyncClient, guess: str, feed: str) -> None:
    answer = await client.get(guess)
    assert (answer.status_code, answer.headers["location"]) == (301, f"http://127.0.0.1:8080/{feed}")
    assert (await client.post(guess)).status_code == 405


async def test_robots_keep_away_from_tokens(client: httpx.AsyncClient) -> None:
    lines = (await client.get("/robots.txt")).text.splitlines()
    assert "User-agent: *" in lines
    assert {"Disallow: /unsubscribe/", "Disallow: /preferences/", "Disallow: /confirm/"} <= set(lines)


async def test_the_front_page_tells_the_addresses_of_the_feeds(client: httpx.AsyncClient) -> None:
    text = (await client.get("/")).text
    for name in FEEDS:
        assert f'<a class="address" href="http://127.0.0.1:8080/{name}"' in text
    assert 'rel="alternate" type="application/rss+xml"' in text


@pytest.mark.parametrize("path", ["/", "/nowhere", "/unsubscribe/x"])
async def test_every_page_names_the_feeds_in_its_head_the_most_wanted_first(
    client: httpx.AsyncClient, path: str
) -> None:
    head = (await client.get(path)).text.partition("</head>")[0]
    links = re.findall(r'<link rel="alternate" type="([^"]+)" title="[^"]+" href="([^"]+)">', head)
    assert links == [(kind, f"http://127.0.0.1:8080/{name}") for name, kind in MEDIA_TYPES.items()]


async def test_what_the_owner_wrote_is_text_and_not_markup(tmp_path) -> None:
    site = Site(title="<script>x</script>", url="https://a.example", description='"><img src=x>', language="ar")
    web = WebSettings(public_url="https://news.example/post")
    app = build(SmallOffice(feed_folder=tmp_path, site=site, web=web))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://evil.example") as client:
        text = (await client.get("/")).text
    assert "<script>" not in text
    assert "<img" not in text
    assert '<html lang="ar" dir="rtl">' in text
    assert '<main lang="en" dir="ltr">' in text
    assert 'href="/post/style.css?' in text
    assert "https://news.example/post/feed.xml" in text
    assert "evil.example" not in text


async def test_the_owners_templates_win_file_by_file(tmp_path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "left.html").write_text("Auf Wiedersehen, {{ site.title }}")
    office = SmallOffice(feed_folder=tmp_path, templates=tmp_path)
    transport = httpx.ASGITransport(build(office))
    async with httpx.AsyncClient(transport=transport, base_url="http://a.example") as client:
        assert "Unsubscribe" in (await client.get(office.link())).text
        assert (await client.post(office.link())).text == "Auf Wiedersehen, The Harbour Post"


# Caps


async def test_a_large_body_is_refused_before_it_is_read(server: Server, office: SmallOffice) -> None:
    stated = "Content-Length: 70000\r\n\r\n"
    in_pieces = "Transfer-Encoding: chunked\r\n\r\n11000\r\n" + "x" * 0x11000
    for sent in (stated, in_pieces):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(f"POST {office.link()} HTTP/1.1\r\nHost: a\r\n{sent}".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 413")
        assert b"connection: close" in answer
        writer.close()
    assert office.people == {7}


async def test_a_body_that_breaks_off_unsubscribes_nobody(server: Server, office: SmallOffice) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"POST {office.link()} HTTP/1.1\r\nHost: a\r\nContent-Length: 26\r\n\r\nList-Unsub".encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.1)
    assert office.people == {7}


async def test_endless_headers_are_refused(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-Long: " + b"a" * 40_000)
    await writer.drain()
    assert (await reader.read()).startswith(b"HTTP/1.1 400")
    writer.close()


@pytest.mark.parametrize(
    "sent",
    [b"GET / HTTP/1.1\r\nX-Slow: ", b"", b"POST /unsubscribe/x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"],
)
async def test_a_request_that_does_not_come_is_not_waited_for(office: SmallOffice, sent: bytes) -> None:
    async with served(office, request_time=0.2) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(sent)
        await until(lambda: len(server.server_state.connections) == 1)
        await until(lambda: not server.server_state.connections)
        writer.close()


async def test_a_request_that_comes_drop_by_drop_is_not_waited_for(office: SmallOffice) -> None:
    async with served(office, request_time=0.3) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nX-Slow: ")
        begun = asyncio.get_running_loop().time()
        with pytest.raises(ConnectionError):
            while True:
                async with asyncio.timeout(5):
                    writer.write(b"a")
                    await writer.drain()
                await asyncio.sleep(0.02)
        assert asyncio.get_running_loop().time() - begun >= 0.25
        assert not server.server_state.connections
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()


Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def answered(line: Line) -> bool:
    """Whether a connection is served; it stays open."""
    reader, writer = line
    try:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
    except (ConnectionError, asyncio.IncompleteReadError):
        return False
    await reader.readexactly(int(re.findall(rb"(?i)content-length: ([0-9]+)", head)[0]))
    return head.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(("uncounted", "more"), [((), False), (("127.0.0.0/24",), True), (peer.HOUSE, True)])
async def test_one_network_has_so_many_connections_and_no_other_is_the_worse_for_it(
    office: SmallOffice, uncounted: tuple[str, ...], more: bool
) -> None:
    async with served(office, uncounted=uncounted) as server, contextlib.AsyncExitStack() as leaving:

        async def come(address: str) -> Line:
            line = await asyncio.open_connection("127.0.0.1", server.port, local_addr=(address, 0))
            leaving.callback(line[1].close)
            return line

        crowd = [await come(f"127.0.0.{1 + number % 3}") for number in range(LINES)]
        await until(lambda: len(server.server_state.connections) == LINES)
        assert await answered(await come("127.0.0.9")) is more
        assert await answered(await come("127.0.1.1")), "his network is another"
        assert await answered(crowd[0]) and await answered(crowd[-1])
        here = len(server.server_state.connections)
        crowd[1][1].close()
        await until(lambda: len(server.server_state.connections) == here - 1)
        assert await answered(await come("127.0.0.9")), "one has left"
        assert await answered(await come("127.0.0.9")) is more


async def test_an_answer_that_is_not_taken_is_given_up(office: SmallOffice) -> None:
    (office.feed_folder / "feed.xml").write_bytes(os.urandom(16_000_000))  # more than the buffers of both kernels
    async with served(office, stall_time=0.2) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1)
        writer.write(b"GET /feed.xml HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await reader.readexactly(8) == b"HTTP/1.1"
        await until(lambda: not server.server_state.connections)
        writer.close()


# The server


async def test_a_taken_port_is_said_in_words(office: SmallOffice, server: Server) -> None:
    with pytest.raises(SyndicateError, match=rf"port {server.port} is taken: set web\.port"):
        await Server(build(office), "127.0.0.1", server.port).serve()


async def test_an_address_of_another_machine_is_said_in_words(office: SmallOffice) -> None:
    with pytest.raises(SyndicateError, match=r"set web\.host"):
        Server(build(office), "192.0.2.1", 0).bind()


async def test_a_name_with_two_addresses_is_served_at_one_port(office: SmallOffice) -> None:
    server = Server(build(office), "localhost", 0)
    server.bind()
    with socket.create_connection(("localhost", server.port), timeout=2):
        pass
    server.release()


async def test_the_server_leaves_signals_alone_and_lets_go_of_its_port(office: SmallOffice) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    server = Server(build(office), "127.0.0.1", 0)
    server.bind()
    port = server.port
    serving = asyncio.create_task(server.serve())
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
        server.should_exit = True
        async with asyncio.timeout(5):
            await serving
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


async def test_who_has_just_connected_when_the_server_stops_still_gets_his_answer(office: SmallOffice) -> None:
    async with served(office) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        await until(lambda: len(server.server_state.connections) == 1)
        server.should_exit = True
        await until(lambda: not server.servers[0].is_serving())
        writer.write(b"GET /feed.xml HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
