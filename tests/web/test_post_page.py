"""The page of a LinkedIn post in a real browser, on a desk and in the dark on a phone: it loads a picture, no more."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser, Route

from syndicate.channels.linkedin import page
from tests.unit.test_linkedin_page import EVIL, post
from tests.web.test_pages import CONTRASTS, DESK, PHONE
from tests.web.test_pages import browser as browser  # a fixture
from tests.web.test_pages import pytestmark as pytestmark

PICTURE = "https://pictures.example/a.jpg?x=1&y=<2>"
SIDES = "() => [...document.querySelectorAll('.text p, .card strong')].map((one) => getComputedStyle(one).direction)"


async def test_the_page_of_a_post_asks_for_its_picture_alone_and_runs_nothing(browser: Browser, tmp_path: Path) -> None:
    hostile = post(
        {"url": PICTURE, "alt": EVIL}, EVIL, title=f"שלום {EVIL}", description=EVIL * 20, cta=EVIL,
        summary=f"مرحبا بالعالم. Left to right {'W' * 400}", url="https://example.org/?a=\"onmouseover=alert(1)",
    )  # fmt: skip
    file = tmp_path / "preview.html"
    file.write_text(page.as_html(hostile), encoding="utf-8")
    asked: list[str] = []
    said: list[str] = []

    async def answer(route: Route) -> None:
        asked.append(route.request.url)
        await route.fulfill(status=404)

    for scheme, viewport in (("light", DESK), ("dark", PHONE)):
        context = await browser.new_context(color_scheme=scheme, viewport=viewport)  # type: ignore[arg-type]  # literals
        await context.route(lambda url: not url.startswith("file:"), answer)
        shown = await context.new_page()
        shown.on("dialog", lambda dialog: said.append(dialog.message))
        shown.on("console", lambda message: said.append(message.text))
        await shown.goto(file.as_uri())
        assert await shown.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        await shown.click("summary")
        assert await shown.get_by_text("#Harbour").is_visible()
        assert {"rtl", "ltr"} == set(await shown.evaluate(SIDES))
        for words, contrast in await shown.evaluate(CONTRASTS):
            assert contrast >= 4.5, f"{scheme}: {words}"
        await context.close()
    assert set(asked) == {"https://pictures.example/a.jpg?x=1&y=%3C2%3E"}
    assert [line for line in said if "404" not in line] == []
