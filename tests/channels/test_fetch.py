"""The one HTTP client against servers that refuse, stall, trickle, break off and lie."""

from __future__ import annotations

import asyncio
import gzip
import logging
import random
import re
import socket
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syndicate.errors import DeliveryError, InDoubt, Refused, Unavailable
from syndicate.fetch import Answer, Fetcher, origin, retry_after
from tests.doubles.clock import StillClock

Act = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
SECRET = "s3cret-in-the-query"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Server:
    """Plays one act for each connection, the last one for ever; counts requests that came in whole."""

    def __init__(self, *acts: Act | bytes) -> None:
        self.acts = list(acts)
        self.heads: list[str] = []
        self.url = ""

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            await reader.readexactly(
                int(dict(re.findall(r"(?im)^(content-length): (\d+)", head)).get("Content-Length", 0))
            )
            self.heads.append(head)
            if isinstance(act, bytes):
                writer.write(act)
            else:
                await act(reader, writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(*acts: Act | bytes) -> AsyncIterator[Server]:
    double = Server(*acts)
    running: set[asyncio.Task[Any]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        running.add(task)
        await double.connected(reader, writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    double.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/path?token={SECRET}"
    try:
        yield double
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def said(status: int, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    return


async def trickle_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 201 X\r\nX-Long: ")
    await drip(writer)


async def trickle_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 201 X\r\nX-Id: 7\r\nContent-Length: 9999\r\n\r\n")
    await drip(writer)


async def drip(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.fixture
async def clock() -> StillClock:
    return StillClock(NOW)


@pytest.fixture
async def fetcher(clock: StillClock) -> AsyncIterator[Fetcher]:
    fetcher = Fetcher(clock, random.Random(7), "syndicate/test", body_limit=50_000)
    yield fetcher
    await fetcher.aclose()


@pytest.fixture
async def hasty(clock: StillClock) -> AsyncIterator[Fetcher]:
    """Gives up soon: for servers that never come to an end."""
    fetcher = Fetcher(clock, random.Random(7), "syndicate/test", connect=0.5, read=0.4, deadline=0.8)
    yield fetcher
    await fetcher.aclose()


STALLING = (hang, trickle_head, trickle_body)


async def post(fetcher: Fetcher, url: str, *, repeatable: bool = False, **headers: str) -> Answer:
    return await fetcher.request("POST", url, headers=headers, content=b"{}", repeatable=repeatable)


async def failure(fetcher: Fetcher, url: str, *, repeatable: bool = False, **headers: str) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await post(fetcher, url, repeatable=repeatable, **headers)
    return caught.value


async def test_one_request_may_have_less_patience_than_others(fetcher: Fetcher) -> None:
    async with serving(hang) as server:
        with pytest.raises(InDoubt, match="did not answer"):
            await fetcher.request("POST", server.url, headers={}, content=b"{}", repeatable=False, deadline=0.5)


async def test_an_answer_has_status_headers_and_body(fetcher: Fetcher) -> None:
    async with serving(said(201, b"caf\xc3\xa9 \xff", X_Restli_Id="urn:li:share:1")) as server:
        answer = await post(fetcher, server.url, Authorization="Bearer t")
    assert (answer.status, answer.headers["x-restli-id"], answer.whole) == (201, "urn:li:share:1", True)
    assert answer.text() == "café \ufffd"
    (head,) = server.heads
    assert head.startswith(f"POST /path?token={SECRET} HTTP/1.1\r\n")
    assert "User-Agent: syndicate/test\r\n" in head
    assert "Authorization: Bearer t\r\n" in head


# -- certainly not sent ------------------------------------------------------------------------------------------


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.mark.parametrize("repeatable", [False, True])
async def test_a_refused_connection_is_tried_three_times_within_seconds(
    fetcher: Fetcher, clock: StillClock, repeatable: bool
) -> None:
    error = await failure(fetcher, f"http://127.0.0.1:{closed_port()}/", repeatable=repeatable)
    assert isinstance(error, Unavailable)
    first, second = clock.slept
    assert 0.5 <= first < 1.0 <= second < 2.0


async def test_waits_between_tries_differ_with_chance(clock: StillClock) -> None:
    for seed in (1, 2):
        fetcher = Fetcher(clock, random.Random(seed), "syndicate/test")
        await failure(fetcher, f"http://127.0.0.1:{closed_port()}/")
        await fetcher.aclose()
    assert clock.slept[:2] != clock.slept[2:]


async def test_a_server_that_comes_up_in_time_gets_one_request(clock: StillClock) -> None:
    port = closed_port()
    double = Server(said(201))

    class Rising(StillClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            if len(self.slept) == 2:
                servers.append(await asyncio.start_server(double.connected, "127.0.0.1", port))

    servers: list[asyncio.Server] = []
    fetcher = Fetcher(Rising(NOW), random.Random(7), "syndicate/test")
    assert (await post(fetcher, f"http://127.0.0.1:{port}/")).status == 201
    assert len(double.heads) == 1
    servers[0].close()
    await fetcher.aclose()


@pytest.mark.parametrize("url", ["http://nowhere.invalid/", f"http://nowhere.invalid/?k={SECRET}"])
async def test_a_name_that_does_not_exist_was_told_nothing(hasty: Fetcher, url: str) -> None:
    error = await failure(hasty, url)
    assert isinstance(error, Unavailable)
    assert "nowhere.invalid" in error.reason


async def test_a_failed_tls_handshake_was_told_nothing(fetcher: Fetcher) -> None:
    heard = []

    async def speak_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(3))
        writer.write(b"HTTP/1.1 400 This is no TLS\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(speak_plainly, "127.0.0.1", 0) as server:
        error = await failure(fetcher, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert isinstance(error, Unavailable)
    assert "SSL" in error.reason
    assert heard == [b"\x16\x03\x01"] * 3  # a TLS greeting each time, and no request


async def test_a_full_pool_means_not_sent(clock: StillClock) -> None:
    fetcher = Fetcher(clock, random.Random(7), "syndicate/test", connect=0.5, read=60, deadline=60)
    async with serving(hang) as server:
        busy = [asyncio.create_task(post(fetcher, server.url)) for _ in range(20)]
        while len(server.heads) < 20:
            await asyncio.sleep(0.01)
        error = await failure(fetcher, server.url)
        assert isinstance(error, Unavailable)
        assert len(server.heads) == 20
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)
    await fetcher.aclose()


# -- doubt -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [hang, drop, trickle_head, b"garbage\r\n\r\n", b"HTTP/1.1 20"])
async def test_a_create_that_breaks_after_it_left_is_in_doubt_and_not_repeated(
    fetcher: Fetcher, hasty: Fetcher, clock: StillClock, act: Act | bytes
) -> None:
    async with serving(act) as server:
        error = await failure(hasty if act in STALLING else fetcher, server.url)
    assert isinstance(error, InDoubt)
    assert len(server.heads) == 1
    assert clock.slept == []


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_create_is_not_repeated_on_any_answer(fetcher: Fetcher, status: int) -> None:
    async with serving(said(status, Retry_After="1")) as server:
        assert (await post(fetcher, server.url)).status == status
    assert len(server.heads) == 1


@pytest.mark.parametrize(
    "act", [trickle_body, b"HTTP/1.1 201 X\r\nX-Id: 7\r\nContent-Length: 9\r\n\r\nabc"], ids=["trickle", "broken"]
)
async def test_the_status_of_a_create_counts_even_when_its_body_breaks(hasty: Fetcher, act: Act | bytes) -> None:
    async with serving(act) as server:
        answer = await post(hasty, server.url)
    assert (answer.status, answer.headers["x-id"], answer.whole) == (201, "7", False)
    assert len(server.heads) == 1


# -- repeatable --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "act", [drop, hang, trickle_body, said(500), said(503), said(503, Retry_After="2"), said(429, Retry_After="2")]
)
async def test_what_may_be_repeated_is_tried_again(fetcher: Fetcher, hasty: Fetcher, act: Act | bytes) -> None:
    async with serving(act, act, said(200, b"at last")) as server:
        answer = await post(hasty if act in STALLING else fetcher, server.url, repeatable=True)
    assert answer.body == b"at last"
    assert len(server.heads) == 3


async def test_a_short_retry_after_is_waited_for(fetcher: Fetcher, clock: StillClock) -> None:
    async with serving(said(503, Retry_After="4"), said(200)) as server:
        await post(fetcher, server.url, repeatable=True)
    assert clock.slept == [4.0]


@pytest.mark.parametrize(
    ("answer", "tries"),
    [(said(503), 3), (said(503, Retry_After="60"), 1), (said(429), 1), (said(404), 1), (said(200), 1), (said(307), 1)],
)
async def test_the_last_answer_is_given_back(fetcher: Fetcher, answer: bytes, tries: int) -> None:
    async with serving(answer) as server:
        assert (await post(fetcher, server.url, repeatable=True)).status == int(answer.split()[1])
    assert len(server.heads) == tries


async def test_a_repeatable_request_is_never_in_doubt(fetcher: Fetcher) -> None:
    async with serving(drop) as server:
        assert isinstance(await failure(fetcher, server.url, repeatable=True), Unavailable)
    assert len(server.heads) == 3


async def test_tries_of_many_tasks_do_not_mix(fetcher: Fetcher) -> None:
    async with serving(drop) as server:
        await asyncio.gather(*(failure(fetcher, server.url, repeatable=True) for _ in range(4)))
    assert len(server.heads) == 12


async def test_a_cancelled_request_is_not_tried_again(fetcher: Fetcher) -> None:
    async with serving(hang) as server:
        asking = asyncio.create_task(post(fetcher, server.url, repeatable=True))
        while not server.heads:
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert len(server.heads) == 1


# -- bodies ------------------------------------------------------------------------------------------------------


async def test_a_long_body_is_cut(fetcher: Fetcher) -> None:
    async with serving(said(200, b"x" * 50_001)) as server:
        answer = await post(fetcher, server.url)
    assert (len(answer.body), answer.whole) == (50_000, False)
    async with serving(said(200, b"x" * 50_000)) as server:
        answer = await post(fetcher, server.url)
    assert (len(answer.body), answer.whole) == (50_000, True)


async def test_an_endless_body_ends(fetcher: Fetcher) -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\n\r\n")
        while True:
            writer.write(b"x" * 10_000)
            await writer.drain()

    async with serving(endless) as server:
        answer = await post(fetcher, server.url)
    assert (len(answer.body), answer.whole) == (50_000, False)


async def test_a_packed_body_is_unpacked_to_its_limit_only(fetcher: Fetcher) -> None:
    packed = gzip.compress(b"fine")
    async with serving(said(200, packed, Content_Encoding="gzip")) as server:
        answer = await post(fetcher, server.url)
    assert (answer.body, answer.whole) == (b"fine", True)
    bomb = gzip.compress(b"\0" * 50_000_000)
    async with serving(said(200, bomb, Content_Encoding="gzip")) as server:
        answer = await post(fetcher, server.url)
    assert (len(answer.body), answer.whole) == (50_000, False)


@pytest.mark.parametrize(
    "body",
    [b"no gzip at all", gzip.compress(b"fine" * 100)[:-4], gzip.compress(b"fine")[:12]],
    ids=["no gzip", "without its end", "hardly begun"],
)
async def test_a_broken_packed_body_is_not_whole(fetcher: Fetcher, body: bytes) -> None:
    async with serving(said(201, body, Content_Encoding="gzip", X_Id="7")) as server:
        answer = await post(fetcher, server.url)
    assert (answer.status, answer.headers["x-id"], answer.whole) == (201, "7", False)


# -- nobody else is asked, nothing is told -----------------------------------------------------------------------


async def test_redirects_are_not_followed(fetcher: Fetcher) -> None:
    async with serving(said(201)) as elsewhere, serving(said(307, Location=elsewhere.url)) as server:
        assert (await post(fetcher, server.url, Authorization="Bearer t")).status == 307
        assert elsewhere.heads == []


async def test_the_environment_names_no_proxy(fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    async with serving(said(200)) as server:
        assert (await post(fetcher, server.url)).status == 200


async def test_each_request_has_a_connection_of_its_own(fetcher: Fetcher) -> None:
    async with serving(said(200)) as server:
        for _ in range(3):
            await post(fetcher, server.url)
        assert len(server.heads) == 3


async def test_after_closing_the_next_request_opens_anew(fetcher: Fetcher) -> None:
    async with serving(said(200)) as server:
        await post(fetcher, server.url)
        await fetcher.aclose()
        await fetcher.aclose()
        assert (await post(fetcher, server.url)).status == 200


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        (f"ftp://example.org/?k={SECRET}", {}),
        (f"/path?k={SECRET}", {}),
        (f"http://?k={SECRET}", {}),
        (f"http://[::1/?k={SECRET}", {}),
        (f"http://example.org:99999/?k={SECRET}", {}),
        (f"http://example.org/\n?k={SECRET}", {}),
        ("http://127.0.0.1:1/", {"Authorization": f"Bearer {SECRET}\r\nX: y"}),
        ("http://127.0.0.1:1/", {"Authorization": f"Bearer ö{SECRET}"}),
    ],
)
async def test_what_can_never_leave_is_refused_without_quoting_it(
    fetcher: Fetcher, url: str, headers: dict[str, str]
) -> None:
    error = await failure(fetcher, url, **headers)
    assert isinstance(error, Refused)
    assert SECRET not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize("act", [drop, hang, trickle_head, b"garbage\r\n\r\n", said(200)])
async def test_no_secret_is_in_any_error_or_log(
    fetcher: Fetcher, hasty: Fetcher, act: Act | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = ""
    async with serving(act) as server:
        try:
            await post(hasty if act in STALLING else fetcher, server.url, Authorization=f"Bearer {SECRET}")
        except DeliveryError as error:
            told = "".join(traceback.format_exception(error))
            assert error.__cause__ is error.__context__ is None
            assert origin(server.url) in told
    assert SECRET not in told
    assert all(SECRET not in record.getMessage() for record in caplog.records)
    assert SECRET in server.heads[0]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("-5", 0),
        ("0.25", 0.25),
        ("Mon, 23 Nov 2026 12:01:40 GMT", 100),
        ("Mon, 23 Nov 2026 13:01:40 +0100", 100),
        ("Monday, 23-Nov-26 12:01:40 GMT", 100),
        ("Mon, 23 Nov 2026 12:01:40 -0000", 100),
        ("Mon, 23 Nov 2020 12:00:00 GMT", 0),
        ("1e400", 604_800),
        ("99999999999", 604_800),
        ("Mon, 23 Nov 9999 12:00:00 GMT", 604_800),
        ("", None),
        ("nan", None),
        ("soon", None),
        ("Mon, 99 Nov 2026 12:00:00 GMT", None),
        ("Mon, 23 Nov 2026 12:00:00 +99999999999999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert retry_after({"retry-after": value}, NOW) == expected


def test_no_retry_after_says_nothing() -> None:
    assert retry_after({}, NOW) is None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pw@example.org:8443/secret/path?token=x#y", "https://example.org:8443"),
        ("https://[::1]:8443/x", "https://[::1]:8443"),
        ("http://[::1/x", "the address"),
    ],
)
def test_of_an_address_only_its_origin_is_shown(url: str, shown: str) -> None:
    assert origin(url) == shown
