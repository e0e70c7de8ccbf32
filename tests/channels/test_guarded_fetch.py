"""Addresses that others wrote: what is asked, what never is, and servers that do not know when to stop."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import traceback
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syndicate.errors import DeliveryError, Refused, Unavailable
from syndicate.guarded import GuardedFetcher, is_public, trusted
from tests.doubles.website import Website, moved, said, website

SECRET = "s3cret-in-the-query"
LIMIT = 50_000
PUBLIC = "2d00::1"  # public by its number, and given to nobody


class Names:
    """A name server that gives one answer after the other, the last one for ever; numbers stand for themselves."""

    def __init__(self, *answers: Sequence[str] | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
async def site() -> AsyncIterator[Website]:
    async with website() as site:
        site.pages["/"] = said(200, b"hello", Content_Type="text/html; charset=utf-8")
        yield site


@pytest.fixture
async def trusting() -> AsyncIterator[GuardedFetcher]:
    fetcher = GuardedFetcher("syndicate/test", allow_private=["127.0.0.1"], connect=2, deadline=5)
    yield fetcher
    await fetcher.aclose()


@pytest.fixture
async def hasty() -> AsyncIterator[GuardedFetcher]:
    fetcher = GuardedFetcher("syndicate/test", allow_private=["127.0.0.1"], connect=0.5, deadline=0.5)
    yield fetcher
    await fetcher.aclose()


@pytest.fixture
async def wary() -> AsyncIterator[GuardedFetcher]:
    fetcher = GuardedFetcher("syndicate/test", connect=2, deadline=5)
    yield fetcher
    await fetcher.aclose()


async def failure(fetcher: GuardedFetcher, url: str) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await fetcher.get(url, limit=LIMIT)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    return caught.value


# --- what comes back ----------------------------------------------------------------------------------------------


async def test_a_page_is_read_and_says_where_it_was_found(site: Website, trusting: GuardedFetcher) -> None:
    answer = await trusting.get(f"{site.url}/#part", headers={"If-None-Match": '"1"'}, limit=LIMIT)
    assert (answer.status, answer.body, answer.whole, answer.url) == (200, b"hello", True, f"{site.url}/#part")
    (asked,) = site.asked
    assert (asked.method, asked.path, asked.headers["host"]) == ("GET", "/", f"127.0.0.1:{site.port}")
    assert (asked.headers["user-agent"], asked.headers["if-none-match"]) == ("syndicate/test", '"1"')


@pytest.mark.parametrize("status", [204, 304, 404, 410, 429, 500, 503])
async def test_every_status_is_an_answer(site: Website, trusting: GuardedFetcher, status: int) -> None:
    site.pages["/"] = said(status, Retry_After="7")
    answer = await trusting.get(f"{site.url}/", limit=LIMIT)
    assert (answer.status, answer.headers["retry-after"]) == (status, "7")
    assert len(site.asked) == 1


async def test_another_type_is_refused_before_its_body(site: Website, trusting: GuardedFetcher) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nContent-Type: text/html; x=y\r\n\r\n")
        await asyncio.sleep(30)

    site.pages |= {"/endless": endless, "/missing": said(404, Content_Type="text/html")}
    with pytest.raises(Refused, match="text/html"):
        await trusting.get(f"{site.url}/endless", limit=LIMIT, accept=["image/"])
    assert (await trusting.get(f"{site.url}/", limit=LIMIT, accept=["image/", "text/html"])).status == 200
    assert (await trusting.get(f"{site.url}/missing", limit=LIMIT, accept=["image/"])).status == 404


async def test_a_packed_page_is_unpacked(site: Website, trusting: GuardedFetcher) -> None:
    site.pages["/"] = said(200, gzip.compress(b"fine"), Content_Encoding="gzip")
    assert (await trusting.get(f"{site.url}/", limit=LIMIT)).body == b"fine"
    assert site.asked[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip"])
async def test_a_packing_that_was_not_offered_is_no_text(site: Website, trusting: GuardedFetcher, coding: str) -> None:
    site.pages["/"] = said(200, b"?????", Content_Encoding=coding)
    assert isinstance(await failure(trusting, f"{site.url}/"), Unavailable)


async def test_cookies_are_not_kept(site: Website, trusting: GuardedFetcher) -> None:
    site.pages |= {"/": moved("/next"), "/next": said(200)}
    site.pages["/"] = said(302, Location="/next", Set_Cookie="id=7; Path=/")
    await trusting.get(f"{site.url}/", limit=LIMIT)
    assert [asked.path for asked in site.asked] == ["/", "/next"]
    assert all("cookie" not in asked.headers for asked in site.asked)


async def test_the_environment_names_no_proxy(
    site: Website, trusting: GuardedFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await trusting.get(f"{site.url}/", limit=LIMIT)).status == 200


async def test_after_closing_the_next_request_opens_anew(site: Website, trusting: GuardedFetcher) -> None:
    await trusting.get(f"{site.url}/", limit=LIMIT)
    await trusting.aclose()
    await trusting.aclose()
    assert (await trusting.get(f"{site.url}/", limit=LIMIT)).status == 200


async def test_a_wish_of_the_caller_takes_the_place_of_ours(site: Website, trusting: GuardedFetcher) -> None:
    await trusting.get(f"{site.url}/", headers={"accept": "text/html", "user-agent": "me"}, limit=LIMIT)
    assert (site.asked[0].headers["accept"], site.asked[0].headers["user-agent"]) == ("text/html", "me")


async def test_a_header_that_cannot_be_sent_is_refused(site: Website, trusting: GuardedFetcher) -> None:
    for value in (f'"{SECRET}\r\nX: y"', f'"{SECRET}é"'):
        with pytest.raises(Refused) as caught:
            await trusting.get(f"{site.url}/", headers={"If-None-Match": value}, limit=LIMIT)
        assert SECRET not in caught.value.reason
    assert site.asked == []


# --- too much, too slow -------------------------------------------------------------------------------------------


async def test_an_endless_body_ends(site: Website, trusting: GuardedFetcher) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\n\r\n")
        while True:
            writer.write(b"x" * 10_000)
            await writer.drain()

    site.pages["/"] = endless
    answer = await trusting.get(f"{site.url}/", limit=LIMIT)
    assert (len(answer.body), answer.whole) == (LIMIT, False)


async def test_a_bomb_is_unpacked_to_its_limit_only(site: Website, trusting: GuardedFetcher) -> None:
    site.pages["/"] = said(200, gzip.compress(b"\0" * 50_000_000), Content_Encoding="gzip")
    answer = await trusting.get(f"{site.url}/", limit=LIMIT)
    assert (len(answer.body), answer.whole) == (LIMIT, False)


async def test_a_broken_packing_is_no_answer(site: Website, trusting: GuardedFetcher) -> None:
    site.pages["/"] = said(200, gzip.compress(b"fine" * 99)[:-9], Content_Encoding="gzip")
    assert isinstance(await failure(trusting, f"{site.url}/"), Unavailable)


async def test_a_body_that_breaks_off_is_no_answer(site: Website, trusting: GuardedFetcher) -> None:
    site.pages["/"] = b"HTTP/1.1 200 X\r\nContent-Length: 9999\r\n\r\nabc"
    assert isinstance(await failure(trusting, f"{site.url}/"), Unavailable)


async def test_no_answer_outlasts_the_deadline(site: Website, hasty: GuardedFetcher) -> None:
    async def drip(writer: asyncio.StreamWriter, first: bytes) -> None:
        writer.write(first)
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    site.pages |= {
        "/head": lambda writer: drip(writer, b"HTTP/1.1 200 X\r\nX-Long: "),
        "/body": lambda writer: drip(writer, b"HTTP/1.1 200 X\r\n\r\n"),
        "/never": lambda writer: asyncio.sleep(30),
    }
    for path in ("/head", "/body", "/never"):
        error = await failure(hasty, f"{site.url}{path}")
        assert isinstance(error, Unavailable)
        assert f"{site.url} did not answer" in error.reason


async def test_redirects_share_one_deadline(site: Website, hasty: GuardedFetcher) -> None:
    async def slowly(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.write(moved("/"))

    site.pages["/"] = slowly
    assert "did not answer" in (await failure(hasty, f"{site.url}/")).reason
    assert len(site.asked) <= 3


async def test_nobody_there_is_unavailable(trusting: GuardedFetcher) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    error = await failure(trusting, f"http://127.0.0.1:{port}/?k={SECRET}")
    assert isinstance(error, Unavailable)
    assert f"127.0.0.1:{port} cannot be reached" in error.reason


# --- redirects ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed(site: Website, trusting: GuardedFetcher, status: int) -> None:
    site.pages |= {"/a": moved("b?x=1", status), "/b?x=1": moved(f"{site.url}/", status)}
    answer = await trusting.get(f"{site.url}/a", limit=LIMIT)
    assert (answer.body, answer.url) == (b"hello", f"{site.url}/")
    assert [asked.method for asked in site.asked] == ["GET"] * 3


@pytest.mark.parametrize("status", [300, 304, 305])
async def test_what_is_no_redirect_is_not_followed(site: Website, trusting: GuardedFetcher, status: int) -> None:
    site.pages["/a"] = moved("/", status)
    assert (await trusting.get(f"{site.url}/a", limit=LIMIT)).status == status
    site.pages["/a"] = said(302)
    assert (await trusting.get(f"{site.url}/a", limit=LIMIT)).status == 302


async def test_a_loop_of_redirects_ends(site: Website, trusting: GuardedFetcher) -> None:
    site.pages |= {"/a": moved("/b"), "/b": moved("/a")}
    error = await failure(trusting, f"{site.url}/a")
    assert isinstance(error, Unavailable)
    assert "redirects more than 5 times" in error.reason
    assert len(site.asked) == 6


async def test_the_last_allowed_redirect_is_followed_and_one_more_is_not(
    site: Website, trusting: GuardedFetcher
) -> None:
    site.pages |= {f"/{n}": moved(f"/{n - 1}" if n else "/") for n in range(7)}
    assert (await trusting.get(f"{site.url}/4", limit=LIMIT)).body == b"hello"
    assert isinstance(await failure(trusting, f"{site.url}/5"), Unavailable)
    with pytest.raises(Unavailable):
        await trusting.get(f"{site.url}/0", limit=LIMIT, redirects=0)


@pytest.mark.parametrize("inside", ["http://localhost:{port}/", "http://[::1]/", "http://169.254.169.254/latest"])
async def test_a_redirect_into_the_house_is_refused(site: Website, trusting: GuardedFetcher, inside: str) -> None:
    site.pages["/a"] = moved(inside.format(port=site.port))
    error = await failure(trusting, f"{site.url}/a")
    assert isinstance(error, Refused)
    assert "not a public address" in error.reason
    assert len(site.asked) == 1


@pytest.mark.parametrize(
    "place", ["ftp://example.org/", "file:///etc/passwd", "http://u:p@127.0.0.1/", "http://[::1", "javascript:x"]
)
async def test_a_redirect_to_no_page_is_refused(site: Website, trusting: GuardedFetcher, place: str) -> None:
    site.pages["/a"] = moved(place)
    assert isinstance(await failure(trusting, f"{site.url}/a"), Refused)


async def test_another_host_is_told_conditions_and_no_credentials(site: Website) -> None:
    fetcher = GuardedFetcher("syndicate/test", allow_private=["127.0.0.1", "localhost"])
    site.pages |= {"/a": moved("/b"), "/b": moved(f"http://localhost:{site.port}/")}
    headers = {"Authorization": f"Bearer {SECRET}", "Cookie": "id=7", "If-None-Match": '"1"'}
    await fetcher.get(f"{site.url}/a", headers=headers, limit=LIMIT)
    await fetcher.aclose()
    here, there, elsewhere = (asked.headers for asked in site.asked)
    assert here["authorization"] == there["authorization"] == f"Bearer {SECRET}"
    assert "authorization" not in elsewhere
    assert "cookie" not in elsewhere
    assert elsewhere["if-none-match"] == '"1"'


# --- who is never asked -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.9.9.9", "localhost", "LOCALHOST.", "[::1]", "0.0.0.0", "[::]", "169.254.169.254", "10.1.2.3",
        "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255", "224.0.0.1", "255.255.255.255",
        "[fe80::1]", "[fc00::1]", "[ff02::1]", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "127.1", "0",
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]",
    ],
)  # fmt: skip
async def test_the_house_is_never_asked(site: Website, wary: GuardedFetcher, host: str) -> None:
    error = await failure(wary, f"http://{host}:{site.port}/?k={SECRET}")
    assert isinstance(error, Refused)
    assert "not a public address" in error.reason
    with pytest.raises(Refused):
        await wary.look(f"http://{host}:{site.port}/")
    assert site.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/", "file:///etc/passwd", "gopher://example.org/", "/path", "//example.org/x", "http:///x",
        "", "http://", "http://[::1/", "http://example.org:99999/", "http://example.org:0/", "http://exa mple.org/",
        "http://example.org/\n", "http://0177.0.0.1/", "mailto:a@b.c", "data:text/plain,x",
    ],
)  # fmt: skip
async def test_what_is_no_page_is_refused(url: str) -> None:
    names = Names([PUBLIC])
    error = await failure(GuardedFetcher("t", resolve=names, deadline=0.2), url)
    assert isinstance(error, Refused)
    assert names.asked == []


@pytest.mark.parametrize("who", ["user:pass@", "user@", ":@", "example.org\\@"])
async def test_an_address_with_a_name_in_it_is_refused(site: Website, trusting: GuardedFetcher, who: str) -> None:
    error = await failure(trusting, f"http://{who}127.0.0.1:{site.port}/")
    assert isinstance(error, Refused)
    assert "pass" not in error.reason.replace("a password", "")
    assert site.asked == []


@pytest.mark.parametrize("port", [22, 25, 81, 1023, 6000, 6667])
async def test_ports_that_serve_no_pages_are_refused(port: int) -> None:
    names = Names([PUBLIC])
    error = await failure(GuardedFetcher("t", resolve=names), f"http://example.org:{port}/")
    assert isinstance(error, Refused)
    assert f"port {port}" in error.reason
    assert names.asked == []


@pytest.mark.parametrize("port", [80, 443, 1024, 8080, 65535])
async def test_ports_that_serve_pages_are_asked(port: int) -> None:
    names = Names(["127.0.0.1"])
    error = await failure(GuardedFetcher("t", resolve=names), f"http://example.org:{port}/")
    assert "not a public address" in error.reason
    assert names.asked == ["example.org"]


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], [PUBLIC, "127.0.0.1"], ["::1"], ["10.0.0.1"], ["fe80::1%1"], [""]]
)
async def test_a_name_that_leads_into_the_house_is_refused(site: Website, addresses: list[str]) -> None:
    fetcher = GuardedFetcher("t", resolve=Names(addresses))
    error = await failure(fetcher, f"http://innocent.example:{site.port}/")
    assert isinstance(error, Refused)
    assert site.asked == []


async def test_a_name_is_looked_up_once_for_a_request(site: Website) -> None:
    """The second answer would lead into the house; what was checked is what is asked."""
    names = Names([PUBLIC], ["127.0.0.1"])
    fetcher = GuardedFetcher("t", resolve=names, connect=0.2, deadline=0.3)
    assert isinstance(await failure(fetcher, f"http://innocent.example:{site.port}/"), Unavailable)
    await fetcher.aclose()
    assert names.asked == ["innocent.example"]
    assert site.asked == []


async def test_each_hop_is_looked_up_and_checked_anew(site: Website) -> None:
    names = Names(["127.0.0.1"])
    fetcher = GuardedFetcher("t", resolve=names, allow_private=["one.example"])
    site.pages["/a"] = moved(f"http://two.example:{site.port}/")
    assert isinstance(await failure(fetcher, f"http://one.example:{site.port}/a"), Refused)
    await fetcher.aclose()
    assert names.asked == ["one.example", "two.example"]
    assert len(site.asked) == 1


@pytest.mark.parametrize("answer", [OSError("x"), socket.gaierror(-2, "Name not known"), UnicodeError("label"), []])
async def test_a_name_that_leads_nowhere_is_unavailable(answer: Exception | list[str]) -> None:
    error = await failure(GuardedFetcher("t", resolve=Names(answer)), f"http://nowhere.invalid/?k={SECRET}")
    assert isinstance(error, Unavailable)
    assert "http://nowhere.invalid cannot be found" in error.reason


async def test_a_silent_name_server_is_unavailable() -> None:
    async def silent(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(30)
        return []

    error = await failure(GuardedFetcher("t", resolve=silent, connect=0.05), "http://example.org/")
    assert isinstance(error, Unavailable)


async def test_the_next_address_is_tried_when_one_is_dead(site: Website) -> None:
    names = Names(["::1", "127.0.0.1"])
    fetcher = GuardedFetcher("t", resolve=names, allow_private=["two.example"], connect=1)
    assert (await fetcher.get(f"http://two.example:{site.port}/", limit=LIMIT)).body == b"hello"
    await fetcher.aclose()
    assert site.asked[0].headers["host"] == f"two.example:{site.port}"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        (PUBLIC, True), ("93.184.216.34", True), ("8.8.8.8", True), ("172.32.0.1", True), ("100.128.0.1", True),
        ("192.0.1.1", True),
        ("2606:4700::1111", True), ("::ffff:8.8.8.8", True), ("64:ff9b::808:808", True), ("2002:808:808::1", True),
        ("127.0.0.1", False), ("::1", False), ("192.0.0.192", False), ("198.18.0.1", False), ("203.0.113.9", False),
        ("240.0.0.1", False), ("224.1.2.3", False), ("168.63.129.16", False), ("2001::1", False), ("fec0::1", False),
        ("2001:db8::1", False), ("3fff::1", False), ("64:ff9b:1::1", False), ("64:ff9b::a00:1", False),
        ("2002:a00:1::1", False), ("::ffff:10.0.0.1", False), ("::ffff:0:127.0.0.1", False), ("::8.8.8.8", False),
        ("2606:4700::1111%eth0", False), ("4000::1", False), ("localhost", False), ("", False), ("1", False),
    ],
)  # fmt: skip
def test_public_is_what_the_open_internet_is(address: str, public: bool) -> None:
    assert is_public(address) is public


# --- who may be private -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["two.example", "TWO.example.", "two.example:{port}", "10.0.0.1"])
async def test_a_host_may_be_named_with_or_without_its_port(site: Website, name: str) -> None:
    fetcher = GuardedFetcher("t", resolve=Names(["127.0.0.1"]), allow_private=[name.format(port=site.port)])
    host = "10.0.0.1" if name == "10.0.0.1" else "two.Example"
    assert (await fetcher.get(f"http://{host}:{site.port}/", limit=LIMIT)).status == 200
    await fetcher.aclose()


async def test_a_host_named_with_its_port_is_trusted_on_no_other(site: Website) -> None:
    fetcher = GuardedFetcher("t", allow_private=["127.0.0.1:1", "two.example"], resolve=Names(["127.0.0.1"]))
    assert isinstance(await failure(fetcher, f"{site.url}/"), Refused)
    assert isinstance(await failure(fetcher, f"http://sub.two.example:{site.port}/"), Refused)
    assert isinstance(await failure(fetcher, f"http://two.example.evil.example:{site.port}/"), Refused)
    assert site.asked == []


@pytest.mark.parametrize("name", ["::1", "[::1]", "[::1]:{port}"])
async def test_an_address_of_version_6_may_be_named(name: str) -> None:
    try:
        async with website("::1") as site:
            site.pages["/"] = said(200)
            fetcher = GuardedFetcher("t", allow_private=[name.format(port=site.port)])
            assert (await fetcher.get(f"http://[::1]:{site.port}/", limit=LIMIT)).status == 200
            await fetcher.aclose()
            assert site.asked[0].headers["host"] == f"[::1]:{site.port}"
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")


def test_trusted_names_are_hosts_with_the_port_that_the_configuration_says() -> None:
    urls = (
        "https://example.org/blog",
        "http://localhost:1313",
        "http://[::1]:80/",
        "https://example.org/feed",
        "",
        "x",
    )
    assert trusted(*urls, "http://[::1") == ("example.org:443", "localhost:1313", "[::1]:80")


# --- TLS ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and its own certificate for two.example, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "two.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("two.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "two.pem"
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(key.private_bytes(*form) + made.public_bytes(serialization.Encoding.PEM))
    return file


async def test_tls_names_and_proves_the_host_though_its_address_is_asked(certificate: Path) -> None:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate)
    named: list[str | None] = []
    server.sni_callback = lambda connection, name, context: named.append(name)
    tls = ssl.create_default_context(cafile=str(certificate))
    async with website(tls=server) as site:
        site.pages["/"] = said(200, b"hello")
        fetcher = GuardedFetcher(
            "t", resolve=Names(["127.0.0.1"]), allow_private=["two.example", "other.example"], tls=tls
        )
        assert (await fetcher.get(f"https://two.example:{site.port}/", limit=LIMIT)).body == b"hello"
        error = await failure(fetcher, f"https://other.example:{site.port}/")
        await fetcher.aclose()
    assert named == ["two.example", "other.example"]
    assert isinstance(error, Unavailable)
    assert "certificate" in error.reason
    assert len(site.asked) == 1


async def test_a_certificate_nobody_vouches_for_is_not_believed(certificate: Path) -> None:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate)
    async with website(tls=server) as site:
        fetcher = GuardedFetcher("t", resolve=Names(["127.0.0.1"]), allow_private=["two.example"])
        assert isinstance(await failure(fetcher, f"https://two.example:{site.port}/"), Unavailable)
        await fetcher.aclose()
        assert site.asked == []


# --- looking ------------------------------------------------------------------------------------------------------


async def test_a_look_asks_for_the_head_alone(site: Website, trusting: GuardedFetcher) -> None:
    site.pages |= {"/pic": said(200, b"x" * 1234, Content_Type="Image/PNG; q=1"), "/old": moved("/pic")}
    found = await trusting.look(f"{site.url}/old")
    assert (found.status, found.content_type, found.length, found.url) == (200, "image/png", 1234, f"{site.url}/pic")
    assert [asked.method for asked in site.asked] == ["HEAD", "HEAD"]
    assert site.asked[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("status", [400, 403, 404, 405, 500, 501])
async def test_where_the_head_is_refused_the_beginning_is_asked_for(
    site: Website, trusting: GuardedFetcher, status: int
) -> None:
    site.pages |= {
        "HEAD /pic": said(status),
        "GET /pic": said(206, b"x", Content_Type="image/png", Content_Range="bytes 0-0/1234"),
    }
    found = await trusting.look(f"{site.url}/pic")
    assert (found.status, found.content_type, found.length) == (200, "image/png", 1234)
    assert site.asked[1].headers["range"] == "bytes=0-0"


async def test_a_server_that_knows_no_ranges_is_cut_short(site: Website, trusting: GuardedFetcher) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nContent-Type: image/gif\r\n\r\n")
        while True:
            writer.write(b"x" * 10_000)
            await writer.drain()

    site.pages |= {"HEAD /pic": said(405), "GET /pic": endless}
    found = await trusting.look(f"{site.url}/pic")
    assert (found.status, found.content_type, found.length) == (200, "image/gif", None)


@pytest.mark.parametrize(("status", "asked"), [(404, 2), (410, 2), (429, 1), (503, 1)])
async def test_what_is_not_there_is_found_out_too(
    site: Website, trusting: GuardedFetcher, status: int, asked: int
) -> None:
    site.pages["/pic"] = said(status)
    assert (await trusting.look(f"{site.url}/pic")).status == status
    assert len(site.asked) == asked


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ({"Content_Range": "bytes 0-0/*"}, None),
        ({"Content_Range": "bytes 0-0/²"}, None),
        ({"Content_Range": "bytes 0-0/99999999999999999999"}, None),
        ({"Content_Range": "bytes 0-0/0"}, 0),
    ],
)
async def test_a_length_is_a_number_or_not_known(
    site: Website, trusting: GuardedFetcher, headers: dict[str, str], length: int | None
) -> None:
    site.pages |= {"HEAD /pic": said(405), "GET /pic": said(206, **headers)}
    assert (await trusting.look(f"{site.url}/pic")).length == length
