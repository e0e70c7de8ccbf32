"""The program behind a real nginx with the file that owners copy: feeds, the one click, the newsroom, who asks."""

from __future__ import annotations

import email as mail
import re
from collections.abc import Callable
from email import policy
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import MailServer
from tests.acceptance.newsroom import FRIDAY, SLOT, Newsroom, email, free_port, http, until
from tests.acceptance.test_optin import stamp
from tests.acceptance.test_password import WORD, typed
from tests.doubles.nginx import FILE, Nginx

Make = Callable[..., Newsroom]

ANN = "ann@harbour.test"
BARE = """\
server {
    listen 443 ssl;
    listen [::]:443 ssl;
    server_name news.harbourlamp.example;
    ssl_certificate /etc/ssl/news.harbourlamp.example.pem;
    ssl_certificate_key /etc/ssl/private/news.harbourlamp.example.key;
    location / { proxy_pass http://127.0.0.1:8080; }
}
"""


def below() -> str:
    """Our file with the locations that docs/operating.md tells of for a path."""
    told = (FILE.parents[1] / "operating.md").read_text("utf-8")
    (locations,) = re.findall(r"(?ms)^```nginx\n(location .+?)^```$", told)
    return re.sub(r"(?ms)^ *location .*\Z", lambda _: f"{locations}}}\n", FILE.read_text("utf-8"))


def behind(site: Newsroom, path: str = "", text: str | None = None) -> Nginx:
    """A server before this site, which is told of the address that readers see."""
    port = free_port()
    proxy = Nginx(site.folder / f"nginx-{port}", port=port, behind=site.port, text=text)
    site.configure(web={"public_url": f"{proxy.url}{path}"})
    return proxy


@pytest.mark.parametrize("path", ["", "/news"])
def test_readers_read_and_leave_through_nginx_and_its_logs_hold_no_token(
    newsroom: Make, mail_server: MailServer, path: str
) -> None:
    site = newsroom(email=email(mail_server.port), digests=[{"name": "weekly"}], review={"first_run": "announce"})
    proxy = behind(site, path, below() if path else None)
    site.write(1)
    site.run("subscribers", "add", ANN, now=FRIDAY)
    site.run("run", "--once", now=FRIDAY)
    site.run("run", "--once", now=SLOT)
    letter = mail.message_from_string(mail_server.to(ANN)[0]["data"], policy=policy.default)
    link = str(letter["List-Unsubscribe"]).split(",")[0].strip("<> ")
    assert link.startswith(f"{proxy.url}{path}/unsubscribe/")
    token = link.rpartition("/")[2]

    with proxy, proxy.client() as client:
        with site.daemon(now=SLOT):
            for name, content in site.feed_bytes().items():
                reads(client, f"{path}/{name}", content)
            shown = client.get(link)
            assert (shown.status_code, shown.headers["referrer-policy"]) == (200, "no-referrer")
            assert state(site) == "active"
            left = client.post(link, data={"List-Unsubscribe": "One-Click"})
            assert (left.status_code, left.history) == (200, [])
            assert state(site) == "unsubscribed"
        assert client.post(link).status_code == client.get(f"{path}/feed.xml").status_code == 502
    assert f"GET {path}/feed.xml" in proxy.access.read_text("utf-8")
    assert f"GET {path}/feed.xml" in proxy.errors.read_text("utf-8")
    for log in (proxy.access, proxy.errors):
        assert token not in log.read_text("utf-8")


def reads(client: httpx.Client, address: str, content: bytes) -> None:
    """As readers do: whole, packed, and again only if it changed."""
    plain = client.get(address, headers={"accept-encoding": "identity"})
    packed = client.get(address, headers={"accept-encoding": "gzip"})
    assert (plain.status_code, plain.content) == (packed.status_code, packed.content) == (200, content)
    assert ("content-encoding" in plain.headers, packed.headers["content-encoding"]) == (False, "gzip")
    for answer in (plain, packed):
        for known in (
            {"if-none-match": answer.headers["etag"]},
            {"if-modified-since": answer.headers["last-modified"]},
        ):
            again = client.get(address, headers={"accept-encoding": "gzip", **known})
            assert (again.status_code, again.content) == (304, b"")


def state(site: Newsroom) -> str:
    return str(site.ask("subscribers", "list", now=SLOT)[0]["state"])


def test_the_newsroom_opens_through_nginx_with_the_password_alone(newsroom: Make) -> None:
    """nginx asks from this machine, for an address of this machine: it is no more at home for that."""
    site = newsroom()
    bare = behind(site, text=BARE)
    proxy = behind(site)
    with proxy, bare, site.daemon():
        for path in ("/newsroom/", "/newsroom/login", "/metrics"):
            assert http(f"http://127.0.0.1:{site.port}{path}")[0] == 200
            for server in (proxy, bare):
                with server.client() as client:
                    assert client.get(path).status_code == 404
        typed(site, f"{WORD}\n")
        with proxy.client(follow_redirects=True, headers={"origin": proxy.url}) as client:
            until(lambda: client.get("/metrics").status_code == 401, "the numbers are behind the password", 5)
            assert client.get("/metrics", auth=("", WORD)).status_code == 200
            assert client.get("/newsroom/").url.path == "/newsroom/login"
            assert client.post("/newsroom/login", data={"password": "another horse battery"}).status_code == 403
            inside = client.post("/newsroom/login", data={"password": WORD})
            assert (inside.status_code, inside.url.path) == (200, "/newsroom/")
            assert "__Host-syndicate" in client.cookies
        typed(site, "", "--clear")
        with proxy.client() as client:
            until(lambda: client.get("/metrics").status_code == 404, "nothing is there", 5)


def test_who_asks_through_nginx_is_who_the_nearest_proxy_that_is_trusted_says(newsroom: Make) -> None:
    site = newsroom(email={}, digests=[{"name": "weekly"}])
    proxy = behind(site)
    forged = {"x-forwarded-for": "198.51.100.1"}
    handed_on = {"x-forwarded-for": "198.51.100.1, 203.0.113.7"}
    with proxy:
        with site.daemon():
            seen = stamp(site)
            assert asked_from(site, proxy, "ann", seen, "127.0.0.2", forged) == "127.0.0.2"
        typed(site, f"{WORD}\n")
        site.configure(web={"trusted_proxies": ["127.0.0.1", "127.0.0.9"]})  # nginx, and one before it
        with site.daemon():
            assert asked_from(site, proxy, "bo", seen, "127.0.0.2", forged) == "127.0.0.2"
            assert asked_from(site, proxy, "cy", seen, "127.0.0.9", handed_on) == "203.0.113.7"
            assert [guess(proxy, f"203.0.113.{n}") for n in range(6)] == [403] * 5 + [429]
            assert guess(proxy, "192.0.2.1") == 403


def asked_from(site: Newsroom, proxy: Nginx, name: str, seen: str, address: str, sent: dict[str, str]) -> Any:
    """The address in the record of consent of who signed up."""
    form = {"email": f"{name}@harbour.test", "digest": "weekly", "stamp": seen}
    with proxy.client(address) as client:
        assert client.post("/subscribe", data=form, headers=sent).status_code == 200
    return site.ask("subscribers", "show", form["email"])["consent"]["ip"]


def guess(proxy: Nginx, network: str) -> int:
    """A wrong password, through the proxy before nginx."""
    with proxy.client("127.0.0.9", headers={"origin": proxy.url, "x-forwarded-for": network}) as client:
        return client.post("/newsroom/login", data={"password": "another horse battery"}).status_code
