"""Buttons of the newsroom: who may press them, where they lead, and that a page says only what came of them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from syndicate import password
from syndicate.config import Secret, WebSettings
from syndicate.web import acts
from syndicate.web.app import build, keepers
from syndicate.web.office import Said, Wish
from syndicate.web.place import Place, route
from syndicate.web.stage import Stage
from tests.doubles.office import SmallOffice

WORD = "an open sesame"
HOME = "http://127.0.0.1:8080"
ORIGIN = {"origin": HOME}


@pytest.fixture
def office(tmp_path: Path) -> SmallOffice:
    return SmallOffice(feed_folder=tmp_path, web=WebSettings(password=Secret(password.hashed(WORD, bytes(16)))))


@asynccontextmanager
async def stranger(office: SmallOffice) -> AsyncIterator[httpx.AsyncClient]:
    """A browser; beside the real places there is a page that says what it has to say."""

    async def desk(request: Request) -> Response:
        told = acts.said(office, request)
        return PlainTextResponse(f"csrf={request.state.csrf} told={told.text if told else '-'} {told and told.good}")

    app = build(office)
    doors = keepers(office, Stage(office))
    app.router.routes.append(route(Place(path="/newsroom/desk", door="session", endpoint=desk), doors))
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 4711))
    async with httpx.AsyncClient(transport=transport, base_url=HOME) as client:
        yield client


@asynccontextmanager
async def owner(office: SmallOffice) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """Logged in, with the token of his forms."""
    async with stranger(office) as client:
        await client.post("/newsroom/login", data={"password": WORD}, headers=ORIGIN)
        found = re.search(r"csrf=(\w+)", (await client.get("/newsroom/desk")).text)
        assert found
        yield client, found[1]


async def test_a_button_is_pressed_and_the_page_it_stood_on_says_what_came_of_it(office: SmallOffice) -> None:
    async with owner(office) as (client, csrf):
        form = {"csrf": csrf, "act": "posted", "subject": "12", "seen": "held", "url": " https://li.example/1 "}
        answer = await client.post("/newsroom/act", data={**form, "back": "desk"}, headers=ORIGIN)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/newsroom/desk?said=")
        assert answer.headers["cache-control"] == "no-store"
        assert "done" not in answer.headers["location"]
        [wish] = office.hand.wishes
        assert wish == Wish(act="posted", subjects=["12"], seen=["held"], url="https://li.example/1")
        assert "told=done as you said True" in (await client.get(answer.headers["location"])).text
        office.hand.moment += timedelta(minutes=2)
        assert "told=-" in (await client.get(answer.headers["location"])).text


@pytest.mark.parametrize(
    ("form", "headers", "status"),
    [
        ({}, {}, 403),
        ({}, {"origin": "https://elsewhere.example"}, 403),
        ({}, {"origin": "null"}, 403),
        ({"csrf": ""}, ORIGIN, 403),
        ({"csrf": "0" * 32}, ORIGIN, 403),
        ({"act": "dance"}, ORIGIN, 400),
    ],
)
async def test_a_button_that_nobody_here_pressed_does_nothing(
    office: SmallOffice, form: dict[str, str], headers: dict[str, str], status: int
) -> None:
    async with owner(office) as (client, csrf):
        sent = {"csrf": csrf, "act": "pause", "subject": "all"} | form
        assert (await client.post("/newsroom/act", data=sent, headers=headers)).status_code == status
        assert (await client.get("/newsroom/act?" + urlencode(sent))).status_code == 405
    async with stranger(office) as client:
        assert (await client.post("/newsroom/act", data=sent, headers=ORIGIN)).status_code == 403
    assert office.hand.wishes == []


@pytest.mark.parametrize(
    ("back", "leads"),
    [
        ("", ""),
        ("articles", "articles"),
        ("deliveries/12", "deliveries/12"),
        ("editions/weekly-2026-11-24", "editions/weekly-2026-11-24"),
        ("//evil.example", ""),
        ("https://evil.example", ""),
        ("articles/../login", ""),
        ("articles//evil.example", ""),
        ("articles?said=x", ""),
        ("articles\r\nset-cookie: a=b", ""),
        ("../../", ""),
    ],
)
async def test_it_leads_back_into_the_newsroom_alone(office: SmallOffice, back: str, leads: str) -> None:
    async with owner(office) as (client, csrf):
        form = {"csrf": csrf, "act": "pause", "subject": "all", "back": back}
        answer = await client.post("/newsroom/act", data=form, headers=ORIGIN)
        assert answer.headers["location"].partition("?")[0] == f"/newsroom/{leads}"


async def test_a_page_says_nothing_that_another_wrote(office: SmallOffice) -> None:
    office.hand.answer = Said(text="nothing was paused " + "x" * 2000, good=False)
    async with owner(office) as (client, csrf):
        form = {"csrf": csrf, "act": "resume", "subject": "all", "back": "desk"}
        address = (await client.post("/newsroom/act", data=form, headers=ORIGIN)).headers["location"]
        assert len(address) < 1200
        told = (await client.get(address)).text
        assert "told=nothing was paused xx" in told
        assert told.endswith("… False")
        packed, _, mark = address.partition("said=")[2].partition(".")
        for forged in (f"A{packed[1:]}.{mark}", f"{packed}.{'0' * 32}", f"{packed}", f".{mark}", "<b>", "é.é", "."):
            assert "told=-" in (await client.get("/newsroom/desk", params={"said": forged})).text, forged
    async with owner(office) as (client, _):  # another session
        assert "told=-" in (await client.get(address)).text


async def test_several_articles_and_a_reason_come_as_they_were_written(office: SmallOffice) -> None:
    async with owner(office) as (client, csrf):
        fields = [("csrf", csrf), ("act", "approve"), ("subject", "a"), ("subject", "b"), ("seen", "1"), ("seen", "2")]
        body = urlencode([*fields, ("because", "two\nlines " + "y" * 900)])
        kind = {"content-type": "application/x-www-form-urlencoded"}
        assert (await client.post("/newsroom/act", content=body, headers=ORIGIN | kind)).status_code == 303
    [wish] = office.hand.wishes
    assert (wish.subjects, wish.seen) == (["a", "b"], ["1", "2"])
    assert wish.because.startswith("two lines yy")
    assert len(wish.because) == 500
