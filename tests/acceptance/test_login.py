"""Logging in at LinkedIn, from outside: a real process, a real browser, and what a dead login does to the queue."""

from __future__ import annotations

import os
import socket
import subprocess
import urllib.parse
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.acceptance import newsroom as make
from tests.acceptance.newsroom import Newsroom, clean_environment, free_port, http, until
from tests.doubles.linkedin import AUTHOR, LinkedInDouble
from tests.doubles.linkedin.oauth import SECRET
from tests.doubles.linkedin.server import APP
from tests.web.test_pages import CHROMIUM, QUIET

Make = Callable[..., Newsroom]
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
CANNOT = "`syndicate linkedin login`"

browser = pytest.mark.skipif(
    not CHROMIUM.exists() and os.environ.get("REQUIRE_ALL") != "1", reason=f"no Chromium at {CHROMIUM}"
)


@pytest.fixture
def site(newsroom: Make, linkedin: LinkedInDouble) -> Newsroom:
    """Live, with an app and nobody logged in."""
    redirect = f"http://localhost:{free_port()}/linkedin"
    linkedin.oauth.redirects = {redirect}
    return newsroom(
        linkedin={
            "live": True, "api_url": linkedin.url, "auth_url": linkedin.url, "client_id": APP, "client_secret": SECRET,
            "redirect": redirect, **make.NO_PACE,
        },
        review={"settle": "0s", "delay": "0s"},
    )  # fmt: skip


class Login:
    """`syndicate linkedin login` under way; `address` is where it sends the browser."""

    def __init__(self, site: Newsroom, *words: str) -> None:
        self.opened = site.folder / "opened"
        script = site.folder / "browser"
        script.write_text(f'#!/bin/sh\nprintf %s "$1" > {self.opened}.part && mv {self.opened}.part {self.opened}\n')
        script.chmod(0o755)
        self.process = subprocess.Popen(
            site._line(("linkedin", "login", *words), None), cwd=site.folder, stdin=subprocess.PIPE,
            env=clean_environment() | {"BROWSER": str(script)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    @property
    def address(self) -> str:
        until(self.opened.exists, "the browser is opened", 20)
        return self.opened.read_text()

    def end(self, typed: str | None = None) -> tuple[int, str]:
        """(exit code, all it said)"""
        out, err = self.process.communicate(typed, timeout=30)
        assert "Traceback" not in err, err
        return self.process.returncode, out + err


def log_in(site: Newsroom, linkedin: LinkedInDouble) -> str:
    """Without a browser here: the code is pasted. All it said."""
    code, said = Login(site, "--paste").end(linkedin.oauth.allow(next(iter(linkedin.oauth.redirects))) + "\n")
    assert code == 0, said
    return said


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium.new_page()
        chromium.close()


def stored(site: Newsroom) -> Any:
    return site.command("linkedin", "status", "--json").json


# --- in the browser ---------------------------------------------------------------------------------------------------


@browser
@pytest.mark.browser
def test_a_person_logs_in_in_the_browser_and_posts_go_out(site: Newsroom, linkedin: LinkedInDouble, page: Page) -> None:
    login = Login(site)
    page.goto(login.address)
    page.get_by_role("button", name="Allow").click()
    page.get_by_role("heading", name="Back to the terminal").wait_for()
    code, said = login.end()
    assert code == 0, said
    assert f"logged in as Jane Doe ({AUTHOR}) until" in said
    assert "as yourself" in said and "as a Page" in said and "by hand" in said
    assert login.address in said
    found = stored(site)
    assert (found["author"], found["days_left"], found["problems"]) == (AUTHOR, 59, [])
    site.run("run", "--once")
    site.write(1)
    site.run("run", "--once")
    assert [post.author for post in linkedin.posts] == [AUTHOR]


@browser
@pytest.mark.browser
def test_who_cancels_is_not_logged_in(site: Newsroom, page: Page) -> None:
    login = Login(site)
    page.goto(login.address)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("heading", name="Not logged in").wait_for()
    code, said = login.end()
    assert code == 1 and "you did not allow it" in said
    assert stored(site)["author"] is None
    told = site.command("linkedin", "status").out
    assert "login        none" in told and "logged in" not in told


# --- what comes to the redirect ---------------------------------------------------------------------------------------


def test_what_is_not_the_answer_is_waited_past(site: Newsroom, linkedin: LinkedInDouble) -> None:
    login = Login(site)
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(login.address).query))
    redirect = query["redirect_uri"]
    assert http(f"{redirect}?code=AQ-stolen&state=guessed")[0] == 400
    assert http(f"{redirect}?state={query['state']}")[0] == 400
    assert http(redirect.replace("/linkedin", "/favicon.ico"))[0] == 404
    assert http(redirect, data=b"code=x")[0] == 405
    with socket.create_connection(("127.0.0.1", int(redirect.split(":")[2].split("/")[0]))) as line:
        line.sendall(b"x" * 20_000)
    code = linkedin.oauth.allow(redirect)
    status, shown = http(f"{redirect}?{urllib.parse.urlencode({'code': code, 'state': query['state']})}")
    assert status == 200 and code.encode() not in shown
    assert login.end()[0] == 0


@pytest.mark.parametrize("drops", [False, True])
def test_a_scope_that_the_app_lacks_stores_nothing_and_names_the_product(
    site: Newsroom, linkedin: LinkedInDouble, drops: bool
) -> None:
    linkedin.oauth.entitled = frozenset({"openid", "profile"})
    linkedin.oauth.drops_scopes = drops
    if drops:
        redirect = next(iter(linkedin.oauth.redirects))
        code, said = Login(site, "--paste").end(linkedin.oauth.allow(redirect, linkedin.oauth.entitled) + "\n")
    else:
        login = Login(site)
        assert http(login.address)[0] == 200, "redirected to us at once"
        code, said = login.end()
    assert code == 1 and "Share on LinkedIn" in said.split("access_token", 1)[1]
    assert stored(site)["author"] is None


def test_a_redirect_that_is_not_registered_is_linkedin_s_page(site: Newsroom, linkedin: LinkedInDouble) -> None:
    linkedin.oauth.redirects = {"https://elsewhere.example/"}
    login = Login(site)
    status, shown = http(login.address)
    assert status == 401 and b"Redirect_uri doesn't match" in shown
    login.process.kill()
    login.end()
    assert linkedin.oauth.codes == {}


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])  # a browser may go to either, and somebody else would answer
def test_a_taken_port_says_paste(site: Newsroom, host: str) -> None:
    if host == "::1" and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    port = int(site.settings["linkedin"]["redirect"].split(":")[2].split("/")[0])
    with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
        code, said = Login(site).end()
    assert code == 1 and "--paste" in said


def test_a_redirect_elsewhere_says_paste(site: Newsroom) -> None:
    site.configure(linkedin={"redirect": "https://news.example/linkedin"})
    code, said = Login(site).end()
    assert code == 2 and "linkedin.redirect" in said and "--paste" in said


@pytest.mark.parametrize("key", ["client_id", "client_secret"])
def test_what_is_missing_is_said_before_the_browser_opens(site: Newsroom, key: str) -> None:
    site.configure(linkedin={key: ""})
    login = Login(site)
    code, said = login.end()
    assert code == 2 and f"linkedin.{key}: is missing" in said and "as yourself" in said
    assert not login.opened.exists()


def test_another_member_is_refused_and_the_login_stays(site: Newsroom, linkedin: LinkedInDouble) -> None:
    log_in(site, linkedin)
    linkedin.author = "urn:li:person:somebody-else"
    redirect = next(iter(linkedin.oauth.redirects))
    code, said = Login(site, "--paste").end(linkedin.oauth.allow(redirect) + "\n")
    assert code == 2 and 'linkedin.author to "urn:li:person:somebody-else"' in said
    site.configure(linkedin={"author": AUTHOR})
    code, said = Login(site, "--paste").end(linkedin.oauth.allow(redirect) + "\n")
    assert code == 1 and f"linkedin.author is {AUTHOR}" in said
    assert stored(site)["author"] == AUTHOR


# --- a login that dies ------------------------------------------------------------------------------------------------


def test_a_dead_login_pauses_with_its_queue_kept_and_the_next_one_lets_it_go_on(
    site: Newsroom, linkedin: LinkedInDouble
) -> None:
    log_in(site, linkedin)
    site.run("run", "--once")
    for n in range(3):
        site.write(n)
    later = datetime.now(UTC) + MINUTE  # a token some seconds old may be called revoked for a moment
    (token,) = (name for name in linkedin.tokens if name.startswith("AQ-access"))
    linkedin.dead[token] = "revoked"
    site.run("run", "--once", now=later, code=1)
    assert [request.path for request in linkedin.requests].count("/rest/posts") == 1, "a paused channel asks nothing"
    status = site.ask("status", now=later)
    assert CANNOT in status["paused"]["linkedin"]
    assert len([text for text in status["problems"] if CANNOT in text]) == 1
    assert status["deliveries"]["linkedin"].keys() <= {"waiting", "planned"}
    check = site.command("check", "--online")
    assert check.code == 1 and "LinkedIn says that the token is revoked" in check.out
    log_in(site, linkedin)
    site.run("run", "--once", now=later + MINUTE)  # the one that met it too
    assert len({post.text for post in linkedin.posts}) == len(linkedin.posts) == 3


def test_the_end_of_a_login_is_a_problem_before_it_comes(site: Newsroom, linkedin: LinkedInDouble) -> None:
    log_in(site, linkedin)
    now = datetime.now(UTC)
    for days, told in ((45, 0), (61, 1)):
        problems = [text for text in site.ask("status", now=now + days * DAY)["problems"] if "login" in text]
        assert len(problems) == told and all(CANNOT in text for text in problems)
    assert site.command("linkedin", "status", now=now + 61 * DAY).code == 1


def test_a_retired_version_is_red_although_linkedin_says_who_we_are(site: Newsroom, linkedin: LinkedInDouble) -> None:
    log_in(site, linkedin)
    assert "posts as" in site.command("check", "--online").out
    linkedin.versions = frozenset({"202601"})
    for words in (("linkedin", "status"), ("check", "--online")):
        done = site.command(*words)
        assert done.code == 1 and "linkedin.version" in done.out + done.err


def test_no_secret_stands_in_what_is_said_or_kept(site: Newsroom, linkedin: LinkedInDouble) -> None:
    linkedin.oauth.partner = True
    said = log_in(site, linkedin)
    site.run("run", "--once")
    site.write(1)
    linkedin.faults.extend(["401:dead", ""])
    done = site.command("-v", "run", "--once")
    said += done.out + done.err + site.command("check", "--online").out + site.command("linkedin", "status").out
    kept = b"".join(path.read_bytes() for path in Path(site.data).rglob("*") if path.is_file())
    secrets = [name for name in (*linkedin.tokens, *linkedin.oauth.refreshes) if name != linkedin.token]
    assert len(secrets) == 2
    for secret in (*secrets, SECRET):
        assert secret not in said and secret.encode() not in kept


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_by_hand_the_delivery_shows_text_and_card_and_takes_the_address(newsroom: Make) -> None:
    site = newsroom(linkedin={"live": True, **make.NO_PACE})
    site.run("run", "--once")
    site.write(1, title=f"{make.title(1)} \u202eturned")
    site.run("run", "--once")
    (row,) = site.deliveries("linkedin")
    assert f"deliveries show {row['id']}" in row["error"]
    shown = site.run("deliveries", "show", str(row["id"])).out
    assert make.title(1) in shown and "https://courier.example/" in shown
    assert "\u202e" not in shown + site.run("deliveries").out, "a title turns no line of a terminal around"
    there = "https://www.linkedin.com/feed/update/urn:li:share:77/"
    site.run("deliveries", "resolve", str(row["id"]), "--sent", there)
    assert [(one["state"], one["url"]) for one in site.deliveries("linkedin")] == [("sent", there)]
    assert stored(site)["way"] == "by-hand"
