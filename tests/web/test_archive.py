"""Past editions on the web: as they were sent, with nobody's links and no power; and the link that stops one."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import httpx
import pytest

from syndicate.letter import PREFERENCES, UNSUBSCRIBE
from syndicate.store.past import Issue
from syndicate.web.archive import PAGE, POLICY
from syndicate.web.office import Coming
from tests.doubles.office import SmallOffice

HTML = (
    f'<html><head><style>p {{}}</style></head><body><p>Ö</p><a href="{UNSUBSCRIBE}">U</a><a href="{PREFERENCES}">P</a>'
)
SLOT = datetime(2026, 11, 27, 9, tzinfo=UTC)


def issue(slug: str, **more: str) -> Issue:
    return Issue(**{"slug": slug, "digest": "weekly", "title": f"About {slug}", "at": SLOT, **more})


def slugs(page: httpx.Response) -> list[str]:
    return re.findall(r'href="/editions/([^"?]+)"', page.text)


async def test_a_copy_is_what_was_sent_with_links_for_anybody(office: SmallOffice, client: httpx.AsyncClient) -> None:
    office.archive.texts["weekly-1"] = HTML
    page = await client.get("/editions/weekly-1")
    assert page.status_code == 200
    assert page.headers["content-security-policy"] == POLICY
    assert page.headers["cache-control"] == "public, max-age=300"
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    anybody = f"{office.web.public_url}/subscribe"
    assert page.text == HTML.replace(UNSUBSCRIBE, anybody).replace(PREFERENCES, anybody)
    known = await client.get("/editions/weekly-1", headers={"if-none-match": page.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    assert known.headers["content-security-policy"] == POLICY


async def test_where_nobody_can_subscribe_its_links_lead_to_the_front(
    office: SmallOffice, client: httpx.AsyncClient
) -> None:
    office.archive.texts["weekly-1"] = HTML
    office.signup = None
    page = await client.get("/editions/weekly-1")
    assert f'href="{office.web.public_url}/"' in page.text


@pytest.mark.parametrize(
    "path",
    ["/editions/weekly-2", f"/editions/{'x' * 301}", "/editions/?before=weekly-2", f"/editions/?before={'x' * 301}"],
)
async def test_what_was_never_sent_is_not_there(office: SmallOffice, client: httpx.AsyncClient, path: str) -> None:
    office.archive.issues = [issue("weekly-1")]
    office.archive.texts["weekly-1"] = HTML
    page = await client.get(path)
    assert page.status_code == 404
    assert page.headers["content-security-policy"] != POLICY


async def test_the_newest_fifty_are_listed_and_the_others_page_by_page(
    office: SmallOffice, client: httpx.AsyncClient
) -> None:
    office.archive.issues = [issue(f"weekly-{number}") for number in range(2 * PAGE + 1, 0, -1)]
    path, seen, sizes = "/editions/", list[str](), list[int]()
    while path:
        page = await client.get(path)
        assert page.headers["cache-control"] == "public, max-age=300"
        found = slugs(page)
        seen += found
        sizes.append(len(found))
        older = re.search(r'href="(/editions/\?before=[^"]+)"', page.text)
        path = older[1] if older else ""
    assert seen == [one.slug for one in office.archive.issues]
    assert sizes == [PAGE, PAGE, 1]


async def test_titles_and_names_of_others_are_shown_as_text(office: SmallOffice, client: httpx.AsyncClient) -> None:
    office.archive.issues = [issue("a&b", title="<script>alert(1)</script> {{ 7 * 7 }}"), issue("c", digest="<i>")]
    page = await client.get("/editions/")
    assert "<script" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7 * 7 }}" in page.text
    assert "&lt;i&gt;" in page.text
    assert slugs(page) == ["a%26b", "c"]


async def test_before_the_first_edition_the_page_says_so(client: httpx.AsyncClient) -> None:
    page = await client.get("/editions/")
    assert page.status_code == 200
    assert "None was sent yet" in page.text


# --- stopping ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def link(office: SmallOffice) -> str:
    office.archive.coming[7] = Coming(digest="weekly", slot=SLOT, is_good=True)
    office.archive.coming[8] = Coming(digest="weekly", slot=SLOT, is_good=False)
    return office.link("stop", 7)


async def test_looking_at_a_stop_link_stops_nothing(office: SmallOffice, client: httpx.AsyncClient, link: str) -> None:
    for method in ("GET", "HEAD"):
        page = await client.request(method, link)
        assert page.status_code == 200
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-robots-tag"] == "noindex, nofollow"
    shown = (await client.get(link)).text
    assert "Friday 27 November, 09:00" in shown
    assert "syndicate resume weekly" in shown
    assert office.archive.stopped == []


async def test_its_button_stops_and_answers_alike_when_pressed_again(
    office: SmallOffice, client: httpx.AsyncClient, link: str
) -> None:
    first, second = [await client.post(link) for _ in range(2)]
    assert (first.status_code, first.text) == (second.status_code, second.text)
    assert first.status_code == 200
    assert "is stopped" in first.text
    assert office.archive.stopped == [7, 7]


async def test_a_link_of_long_ago_stops_nothing_and_says_so(
    office: SmallOffice, client: httpx.AsyncClient, link: str
) -> None:
    page = await client.post(office.link("stop", 8))
    assert page.status_code == 200
    assert "too old" in page.text
    assert office.archive.stopped == []


@pytest.mark.parametrize("purpose", ["unsubscribe", "preferences", "confirm"])
async def test_a_token_for_another_purpose_or_of_no_proof_stops_nothing(
    office: SmallOffice, client: httpx.AsyncClient, link: str, purpose: str
) -> None:
    token = office.signer.token(purpose, 7)
    for path in (f"/stop/{token}", office.link("stop", 9), f"{link[:-1]}{'A' if link[-1] != 'A' else 'B'}"):
        assert (await client.post(path)).status_code == 404
    assert office.archive.stopped == []
