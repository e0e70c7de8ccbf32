"""The newsroom as its owner meets it: the whole program, hostile articles, and a real browser."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.acceptance import newsroom as make
from tests.acceptance.conftest import MailServer
from tests.acceptance.newsroom import FRIDAY, SLOT, Newsroom, clean_environment, until
from tests.doubles.linkedin import LinkedInDouble
from tests.web.test_pages import CHROMIUM, CONTRASTS, DESK, PHONE, QUIET

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists() and os.environ.get("REQUIRE_ALL") != "1", reason=f"no Chromium at {CHROMIUM}"
    ),
]

HOUR = timedelta(hours=1)
WORD = "correct horse battery"
READER = "`ann`@readers.test"
HOSTILE = {
    10: "<script>document.title='owned'</script><img src=x onerror=alert(1)> & \"quotes\" '{{ 7*7 }}'",
    11: "Turned \u202earound \u2066and never back",
    12: "unbroken" * 375,
}
PAGES = ("", "articles", "articles?state=held", "editions?state=held", "deliveries?channel=linkedin&state=held",
         "deliveries?channel=linkedin&state=unknown", "people", "people?begins=reader0", "people?begins=%3Cb%3E",
         "people/1", "deliveries/1")  # fmt: skip

# Controls and frames that a screen reader could not name, ids that stand twice, and what is heard of a page.
NAMELESS = """() => {
  const named = (e) => (e.getAttribute("aria-label") || e.title || e.textContent || "").trim() || e.labels?.length;
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  return [
    ...[...document.querySelectorAll("a, button, summary, iframe, nav, input:not([type=hidden]), textarea")]
      .filter((e) => !named(e)).map((e) => e.outerHTML.slice(0, 200)),
    ...ids.filter((id, n) => ids.indexOf(id) !== n),
  ];
}"""
WIDER = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
    .map((e) => e.outerHTML.slice(0, 150))"""
FOCUSED = "document.activeElement.closest('[id]')?.id ?? ''"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newsroom]:
    """What needs a person, of each kind: unknown, by hand, held by two rules, a flood, an edition; served."""
    digest = {"name": "weekly", "schedule": "0 9 * * FRI", "approve": True}
    with LinkedInDouble(faults=["accept-then-drop"]) as linkedin, MailServer() as mail:
        site = Newsroom(
            tmp_path_factory.mktemp("town") / "site", linkedin=make.linkedin(linkedin.url), digests=[digest],
            email=make.email(mail.port), review={"max_new": 5, "settle": "0s", "delay": "0s"},
        )  # fmt: skip
        site.run("run", "--once", now=FRIDAY - 3 * HOUR)
        site.run("subscribers", "add", READER, *make.people(3))
        site.write(1)
        site.run("run", "--once", now=FRIDAY - 2 * HOUR, code=1)
        site.configure(linkedin={"access_token": None})
        site.write(2, title=make.title(1))
        for n, title in HOSTILE.items():
            site.write(n, title=title)
        site.run("run", "--once", now=FRIDAY - HOUR)
        for n in range(20, 28):
            site.write(n)
        site.run("run", "--once", now=SLOT)
        with site.daemon(now=SLOT + timedelta(minutes=1)):
            yield site


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


class Desk:
    """A browser's window in the newsroom; what it asks elsewhere, and what its console says, goes to `seen`."""

    def __init__(self, browser: Browser, site: Newsroom, **how: Any) -> None:
        self.home = f"http://127.0.0.1:{site.port}/newsroom/"
        self.seen: list[str] = []
        self.page: Page = browser.new_context(**how).new_page()
        self.page.set_default_timeout(5000)
        self.page.on("request", lambda one: None if one.url.startswith(self.home[:-9]) else self.seen.append(one.url))
        self.page.on("console", lambda message: self.seen.append(message.text))
        self.page.on("pageerror", lambda error: self.seen.append(str(error)))

    def open(self, path: str = "") -> Page:
        answer = self.page.goto(self.home + path)
        assert answer is not None
        assert answer.status == 200, path
        return self.page


def paths(site: Newsroom) -> list[str]:
    """Every page there is, with one of each article and delivery."""
    articles = [f"articles/{one['id']}" for one in site.articles().values()]
    return [*PAGES, *articles[:9], *(f"deliveries/{one['id']}" for one in site.deliveries())]


@pytest.mark.parametrize(("scheme", "size"), [("light", DESK), ("dark", PHONE)])
def test_every_page_is_readable_named_and_quiet(
    browser: Browser, site: Newsroom, scheme: Any, size: Any
) -> None:  # fmt: skip
    desk = Desk(browser, site, color_scheme=scheme, viewport=size)
    for path in paths(site):
        page = desk.open(path)
        assert page.evaluate(WIDER) == [], path
        assert page.evaluate(NAMELESS) == [], path
        approving = page.locator("form:has([name=act][value^=approve])")
        unseen = approving.filter(has_not=page.locator("[name=seen]"))
        assert (unseen.count(), path or approving.count() > 2) == (0, path or True), "it counts for what was shown"
        assert [(words[:80], ratio) for words, ratio in page.evaluate(CONTRASTS) if ratio < 4.5] == [], path
        assert page.get_by_role("main").count() == page.get_by_role("heading", level=1).count() == 1, path
        assert page.get_by_role("navigation", name="Newsroom").count() == page.get_by_role("banner").count() == 1
        assert page.locator("nav[aria-label=Newsroom] [aria-current=page]").count() == 1, path
        assert page.title().endswith("The Quay Courier"), path
    assert desk.seen == []
    page.context.close()


def test_previews_run_nothing_and_reach_nobody(browser: Browser, site: Newsroom) -> None:
    desk = Desk(browser, site)
    articles = site.articles()
    hostile = articles["010-walk.md"]["id"]
    edition = next(one["id"] for one in site.deliveries("email"))
    for path in (f"preview/article/{hostile}?channel=linkedin", f"preview/article/{hostile}?channel=email",
                 "preview/digest/weekly", f"preview/delivery/{edition}", f"preview/delivery/{edition}?part=text",
                 "preview/delivery/1", "preview/delivery/1?part=text"):  # fmt: skip
        page = desk.open(path)
        assert page.evaluate("origin") == "null", path
        assert page.title() != "owned"
        assert page.evaluate(WIDER) == [], path
    page = desk.open(f"deliveries/{edition}")
    page.locator("iframe").scroll_into_view_if_needed()
    frame = until(lambda: next((one for one in page.frames if "/preview/" in one.url), None), "the frame", 5)
    assert frame is not None
    frame.wait_for_load_state()
    assert "Turned" in frame.locator("body").inner_text()
    assert frame.evaluate("() => { try { return parent.document.title } catch (e) { return e.name } }") == (
        "SecurityError"
    )
    assert desk.seen == []
    page.context.close()


def test_keys_go_from_card_to_card_and_stay_out_of_fields(browser: Browser, site: Newsroom) -> None:
    desk = Desk(browser, site)
    page = desk.open()
    cards = page.evaluate("[...document.querySelectorAll('.card[tabindex], .row[tabindex]')].map((e) => e.id)")
    keys = page.keyboard
    keys.press("j")
    assert page.evaluate(FOCUSED) == cards[0]
    keys.press("j")
    keys.press("j")
    assert page.evaluate(FOCUSED) == cards[2]
    keys.press("k")
    assert page.evaluate(FOCUSED) == cards[1]
    held = page.locator("article[id^=held-]").first
    held.focus()
    keys.press("r")
    keys.type("jakar")
    field = held.get_by_label("Because")
    assert field.input_value() == "jakar"
    keys.press("Escape")
    assert not field.is_visible()
    page.get_by_role("button", name="Switch keys off").click()
    keys.press("k")
    assert "Switch keys on" in page.locator("#keys").inner_text()
    page.get_by_role("button", name="Switch keys on").click()
    page.locator("article[id^=flood-]").focus()
    with page.expect_navigation():
        keys.press("a")
    assert page.get_by_role("status").inner_text() == "Approved: 8 articles."
    assert "said=" not in page.url
    assert page.locator("article[id^=flood-]").count() == 0
    assert desk.seen == []
    page.context.close()


def test_the_page_makes_itself_new_and_keeps_the_focus(browser: Browser, site: Newsroom) -> None:
    desk = Desk(browser, site)
    page = desk.open()
    where = page.locator("article[id^=unknown-] h3 a").first
    where.focus()
    site.run("pause", "linkedin")
    paused = page.get_by_role("region", name="Paused").get_by_text("syndicate resume linkedin")

    def is_told() -> bool:
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # looked at again; else each 10 s
        page.wait_for_timeout(300)
        return paused.is_visible()

    until(is_told, "the page shows what another did", 15)
    assert page.evaluate(FOCUSED).startswith("unknown-")
    assert page.evaluate("document.activeElement.tagName") == "A"
    site.run("resume", "linkedin")
    assert desk.seen == []
    page.context.close()


def test_buttons_need_no_script(browser: Browser, site: Newsroom) -> None:
    desk = Desk(browser, site, java_script_enabled=False, viewport=PHONE)
    page = desk.open()
    twin = page.locator("article[id^=held-]").first
    twin.get_by_role("button", name="Approve").click()
    assert "Approved: “" in page.get_by_role("status").inner_text()
    doubt = page.locator("article[id^=unknown-]")
    doubt.get_by_role("button", name="It is not").click()
    page.get_by_role("status").wait_for()
    card = page.locator("article[id^=wanted-]").filter(has_text="I posted it")
    card.first.get_by_text("I posted it").click()
    card.first.get_by_label("Its address").fill("https://www.linkedin.com/feed/update/urn:li:share:77/")
    card.first.get_by_role("button", name="Note it").click()
    page.get_by_role("status").wait_for()
    assert [one["url"] for one in site.deliveries("linkedin") if one["state"] == "sent"] == [
        "https://www.linkedin.com/feed/update/urn:li:share:77/"
    ]
    page.get_by_role("button", name="Pause all").click()
    page.get_by_role("button", name="Resume all").click()
    page.get_by_role("button", name="Pause all").wait_for()
    assert desk.seen == []
    page.context.close()


def test_a_command_to_copy_is_one_word_to_the_shell(browser: Browser, site: Newsroom) -> None:
    desk = Desk(browser, site)
    assert desk.open("people/1").locator("code").last.inner_text() == f"syndicate explain '{READER}'"
    desk.page.context.close()


def test_with_a_password_one_logs_in_and_out(browser: Browser, site: Newsroom) -> None:
    subprocess.run(
        site._line(("password",), None), cwd=site.folder, env=clean_environment(), input=f"{WORD}\n", text=True,
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    desk = Desk(browser, site, color_scheme="dark", viewport=PHONE)
    until(lambda: "login" in (desk.open().url), "the password counts", 5)
    page = desk.page
    page.get_by_label("Password").fill("another horse")
    page.keyboard.press("Enter")
    assert page.get_by_role("alert").inner_text() == "This is not the password."
    page.get_by_label("Password").fill(WORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", level=1).and_(page.locator("#verdict")).wait_for()
    assert page.evaluate(WIDER) == []
    page.get_by_role("button", name="Log out").click()
    page.get_by_label("Password").wait_for()
    assert "login" in desk.open().url
    assert [line for line in desk.seen if "403" not in line] == []
    page.context.close()
