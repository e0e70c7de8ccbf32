"""The pages in a real browser: nothing but our own requests, readable in light and dark, and the button works."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright

from syndicate.config import Site
from syndicate.web.server import Server
from tests.doubles.office import SmallOffice
from tests.web.conftest import served

CHROMIUM = Path("/usr/bin/chromium")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PHONE, DESK = {"width": 360, "height": 640}, {"width": 1280, "height": 800}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists() and os.environ.get("REQUIRE_ALL") != "1", reason=f"no Chromium at {CHROMIUM}"
    ),
]

# Every piece of visible text: its words, and how its colour stands out from what is behind it (WCAG 2.2, 1.4.3).
CONTRASTS = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = channels(colour).slice(0, 3).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if ((channels(colour)[3] ?? 1) > 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return [...document.querySelectorAll("body *")]
    .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
    .map((element) => {
      const pair = [luminance(getComputedStyle(element).color), luminance(behind(element))].sort((a, b) => b - a);
      return [element.textContent.trim(), (pair[0] + 0.05) / (pair[1] + 0.05)];
    });
}"""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        await browser.close()


async def opened(browser: Browser, server: Server, path: str, seen: list[str], **context: Any) -> Page:
    """A page opened in a context of its own; what it asks for elsewhere, and what the console says, goes to `seen`."""
    own = f"http://127.0.0.1:{server.port}/"
    page = await (await browser.new_context(**context)).new_page()
    page.on("request", lambda request: None if request.url.startswith(own) else seen.append(request.url))
    page.on("console", lambda message: seen.append(message.text))
    page.on("pageerror", lambda error: seen.append(str(error)))
    await page.goto(own + path.lstrip("/"))
    return page


async def test_pages_are_readable_quiet_and_fit_on_phone_and_desk(
    browser: Browser, server: Server, office: SmallOffice
) -> None:
    seen: list[str] = []
    confirm = [office.link("confirm", number) for number in (1, 2, 3)]
    for scheme, size in (("light", PHONE), ("dark", DESK)):
        page = await opened(browser, server, "/", seen, color_scheme=scheme, viewport=size)
        for path in ("/", office.link(), office.link("preferences"), "/subscribe", *confirm):
            await page.goto(f"http://127.0.0.1:{server.port}{path}")
            found = await page.evaluate(CONTRASTS)
            assert len(found) >= 4
            assert [(words, ratio) for words, ratio in found if ratio < 4.5] == []
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            paper = await page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (paper == "rgb(252, 252, 250)") is (scheme == "light")  # the stylesheet came through
        await page.context.close()
    assert seen == []
    assert office.people == {7}


async def test_the_button_unsubscribes_without_any_script(
    browser: Browser, server: Server, office: SmallOffice
) -> None:
    seen: list[str] = []
    page = await opened(browser, server, office.link(), seen, java_script_enabled=False, viewport=PHONE)
    assert office.people == {7}
    button = page.get_by_role("button", name="Unsubscribe")
    box = await button.bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= 44
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")  # past the site's name
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="You are unsubscribed").wait_for()
    assert office.people == set()
    assert await page.context.cookies() == []
    assert seen == []


async def test_pages_have_a_language_a_title_and_one_heading(
    browser: Browser, server: Server, office: SmallOffice
) -> None:
    page = await opened(browser, server, "/", [])
    for path in ("/", office.link(), "/nothing", "/subscribe", office.link("confirm", 1), office.link("preferences")):
        await page.goto(f"http://127.0.0.1:{server.port}{path}")
        assert await page.locator("html").get_attribute("lang") == "en"
        assert office.site.title in await page.title()
        assert await page.get_by_role("heading", level=1).count() == 1
        assert await page.get_by_role("main").count() == 1


async def test_signing_up_and_choosing_need_no_script_no_mouse_and_little_room(
    browser: Browser, server: Server, office: SmallOffice
) -> None:
    seen: list[str] = []
    narrow = {"width": 320, "height": 500}
    page = await opened(browser, server, "/subscribe", seen, java_script_enabled=False, viewport=narrow)
    assert office.signup is not None
    await page.keyboard.press("Tab")
    for key in ("Tab", "Space", "Tab", "Tab"):  # past the site's name: the first digest, the second, the address
        await page.keyboard.press(key)
    await page.keyboard.type("ann@")
    await page.keyboard.press("Enter")
    wrong = page.get_by_role("alert")
    assert "no mail address" in await wrong.inner_text()
    field = page.get_by_label("Your mail address")
    assert str(await wrong.get_attribute("id")) in str(await field.get_attribute("aria-describedby")).split()
    assert await page.get_by_label("Weekly").is_checked()
    for label in await page.locator("label.choice, button, input[type=email]").all():
        box = await label.bounding_box()
        assert box is not None
        assert box["height"] >= 44
    office.signup.wait()
    await field.fill("ann@harbour.example")
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="Now look into your mailbox").wait_for()
    assert [(email, digests) for email, digests, _, _ in office.signup.asked] == [("ann@harbour.example", ["weekly"])]

    page = await opened(browser, server, office.link("preferences"), seen, java_script_enabled=False, viewport=narrow)
    await page.get_by_label("Weekly").uncheck()
    await page.get_by_label("Each").check()
    await page.get_by_label("For a week").check()
    await page.get_by_role("button", name="Save").click()
    await page.get_by_text("Nothing comes until 1 December 2026").wait_for()
    assert office.signup.people[7].digests == ["each"]
    assert [line for line in seen if "422" not in line] == []


async def test_a_form_pasted_into_another_site_comes_to_its_end(
    browser: Browser, server: Server, office: SmallOffice, tmp_path: Path
) -> None:
    assert office.signup is not None
    own = tmp_path / "about.html"
    own.write_text(
        f"""<form method="post" action="http://127.0.0.1:{server.port}/subscribe">
        <label>Mail <input type="email" name="email"></label> <button>Subscribe</button></form>"""
    )
    page = await (await browser.new_context(java_script_enabled=False)).new_page()
    await page.goto(own.as_uri())
    await page.get_by_label("Mail").fill("ann@harbour.example")
    await page.keyboard.press("Enter")
    await page.get_by_label("Weekly").check()
    office.signup.wait()
    await page.get_by_role("button", name="Subscribe").click()
    await page.get_by_role("heading", name="Now look into your mailbox").wait_for()
    assert [email for email, *_ in office.signup.asked] == ["ann@harbour.example"]


async def test_right_to_left_pages_do_not_scroll_sideways(browser: Browser, office: SmallOffice) -> None:
    office.site = Site(title="بريد الميناء", url="https://harbour.example", language="ar")
    async with served(office) as server:
        for path in ("/subscribe", office.link("preferences")):
            page = await opened(browser, server, path, [], viewport={"width": 320, "height": 500})
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
