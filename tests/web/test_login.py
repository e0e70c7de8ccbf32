"""The way into the newsroom: this machine alone without a password, a session with one, no button from elsewhere."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from syndicate import password
from syndicate.config import Secret, WebSettings
from syndicate.web.app import build, keepers
from syndicate.web.place import GET_POST, Place, route
from syndicate.web.stage import Stage
from tests.doubles.office import SmallOffice

WORD = "an open sesame"
HASH = password.hashed(WORD, bytes(16))
HOME = "http://127.0.0.1:8080"
FORM = {"content-type": "application/x-www-form-urlencoded"}


async def desk(request: Request) -> Response:
    """Stands for every page of the newsroom."""
    typed = request.state.form.one("typed") if request.method == "POST" else ""
    return PlainTextResponse(f"csrf={request.state.csrf} typed={typed}")


def office(folder: Path, **web: Any) -> SmallOffice:
    return SmallOffice(feed_folder=folder, web=WebSettings(**{"password": Secret(HASH), **web}))


@asynccontextmanager
async def browser(office: SmallOffice, peer: str = "127.0.0.1", at: str = HOME) -> AsyncIterator[httpx.AsyncClient]:
    app = build(office)
    doors = keepers(office, Stage(office))
    app.router.routes.append(
        route(Place(path="/newsroom/desk", door="session", endpoint=desk, methods=GET_POST), doors)
    )
    transport = httpx.ASGITransport(app, client=(peer, 4711))
    async with httpx.AsyncClient(transport=transport, base_url=at) as client:
        yield client


async def log_in(client: httpx.AsyncClient, typed: str = WORD, **headers: str) -> httpx.Response:
    sent = {"origin": str(client.base_url).rstrip("/"), **headers}
    return await client.post("/newsroom/login", data={"password": typed}, headers=sent)


async def token(client: httpx.AsyncClient) -> str:
    found = re.search(r"csrf=(\w+)", (await client.get("/newsroom/desk")).text)
    assert found
    return found[1]


async def test_the_password_opens_the_newsroom_and_logging_out_shuts_it(tmp_path: Path) -> None:
    async with browser(office(tmp_path)) as client:
        stranger = await client.get("/newsroom/desk")
        assert (stranger.status_code, stranger.headers["location"]) == (303, "/newsroom/login")
        entered = await log_in(client)
        assert (entered.status_code, entered.headers["location"]) == (303, "/newsroom/")
        cookie = entered.headers["set-cookie"].lower()
        assert all(part in cookie for part in ("syndicate=", "httponly", "samesite=lax", "path=/", "max-age=2592000"))
        assert "secure" not in cookie
        page = await client.get("/newsroom/desk")
        assert page.status_code == 200
        assert page.headers["referrer-policy"] == "same-origin"
        assert page.headers["cache-control"] == "no-store"
        kept = client.cookies["syndicate"]
        left = await client.post("/newsroom/logout", data={"csrf": await token(client)}, headers={"origin": HOME})
        assert (left.status_code, left.headers["location"]) == (303, "/newsroom/login")
        client.cookies.set("syndicate", kept)
        assert (await client.get("/newsroom/desk")).status_code == 303


async def test_over_https_the_cookie_is_bound_to_it_and_the_session_is_new_with_each_login(tmp_path: Path) -> None:
    place = "https://news.example"
    small = office(tmp_path, public_url=f"{place}/below", host="0.0.0.0")
    async with browser(small, "192.0.2.7", place) as client:
        assert (await client.get("/newsroom/desk")).headers["location"] == "/below/newsroom/login"
        entered = await log_in(client)
        assert "secure" in entered.headers["set-cookie"].lower()
        first = client.cookies["__Host-syndicate"]
        await log_in(client)
        assert client.cookies["__Host-syndicate"] != first
        assert len(small.logins.sessions) == 1
        client.cookies.clear()
        client.cookies.set("__Host-syndicate", first)
        assert (await client.get("/newsroom/desk")).status_code == 303


async def test_another_password_ends_every_session(tmp_path: Path) -> None:
    small = office(tmp_path)
    async with browser(small) as client:
        await log_in(client)
        small.logins.configured = password.hashed(WORD, bytes(range(16)))
        assert (await client.get("/newsroom/desk")).status_code == 303


@pytest.mark.parametrize("typed", ["", "an open", WORD.upper(), WORD + " ", HASH, "x" * 1100])
async def test_a_wrong_password_opens_nothing_and_is_not_shown(tmp_path: Path, typed: str) -> None:
    async with browser(office(tmp_path)) as client:
        answer = await log_in(client, typed)
        assert answer.status_code == 403
        assert "This is not the password" in answer.text
        assert len(typed) < 10 or typed not in answer.text
        assert "set-cookie" not in answer.headers


async def test_after_too_many_nothing_is_looked_at(tmp_path: Path) -> None:
    small = office(tmp_path)
    small.logins.refuses = True
    async with browser(small) as client:
        answer = await log_in(client)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "600")
        assert (await client.get("/newsroom/desk")).status_code == 303


ELSEWHERE = "http://evil.example"


@pytest.mark.parametrize(
    ("headers", "field", "status"),
    [
        pytest.param({"origin": HOME}, "right", 200, id="from a page of ours"),
        pytest.param({"sec-fetch-site": "same-origin"}, "right", 200, id="a browser that says so otherwise"),
        pytest.param({}, "right", 403, id="nobody says from where"),
        pytest.param({"origin": "null"}, "right", 403, id="from a page that hides"),
        pytest.param({"origin": ELSEWHERE}, "right", 403, id="from elsewhere"),
        pytest.param({"origin": "http://127.0.0.1:9090"}, "right", 403, id="from another program on this machine"),
        pytest.param({"origin": HOME + ".evil.example"}, "right", 403, id="from a name that begins alike"),
        pytest.param({"origin": ELSEWHERE, "sec-fetch-site": "same-origin"}, "right", 403, id="Origin counts first"),
        pytest.param({"sec-fetch-site": "same-site"}, "right", 403, id="from a neighbour"),
        pytest.param({"origin": HOME}, "0" * 32, 403, id="a wrong token"),
        pytest.param({"origin": HOME}, "ä", 403, id="a token that is none"),
        pytest.param({"origin": HOME}, "", 403, id="no token"),
    ],
)
@pytest.mark.parametrize("secured", [True, False])
async def test_a_button_counts_from_a_page_of_ours_alone(
    tmp_path: Path, headers: dict[str, str], field: str, status: int, secured: bool
) -> None:
    async with browser(office(tmp_path) if secured else office(tmp_path, password=Secret())) as client:
        if secured:
            await log_in(client)
        csrf = await token(client) if field == "right" else field
        answer = await client.post("/newsroom/desk", data={"csrf": csrf, "typed": "yes"}, headers=headers)
        assert answer.status_code == status
        assert ("typed=yes" in answer.text) is (status == 200)


async def test_one_session_s_token_is_of_no_use_to_another(tmp_path: Path) -> None:
    small = office(tmp_path)
    async with browser(small) as one, browser(small) as other:
        await log_in(one)
        await log_in(other)
        answer = await other.post("/newsroom/desk", data={"csrf": await token(one)}, headers={"origin": HOME})
        assert answer.status_code == 403


async def test_a_page_from_before_a_change_of_the_secret_counts_as_long_as_the_old_one_is_known(tmp_path: Path) -> None:
    small = office(tmp_path)
    async with browser(small) as client:
        await log_in(client)
        before = await token(client)
        small.logins.secrets.insert(0, "a newer one")
        after = await token(client)
        assert before != after
        for one in (before, after):
            answer = await client.post("/newsroom/desk", data={"csrf": one}, headers={"origin": HOME})
            assert answer.status_code == 200
        small.logins.secrets.pop()
        answer = await client.post("/newsroom/desk", data={"csrf": after}, headers={"origin": HOME})
        assert answer.status_code == 403, "the session was opened with the one that is gone"


async def test_a_login_from_another_site_s_page_is_refused(tmp_path: Path) -> None:
    async with browser(office(tmp_path)) as client:
        assert (await log_in(client, origin=ELSEWHERE)).status_code == 403


async def test_without_a_session_a_button_is_refused_and_what_is_no_form_too(tmp_path: Path) -> None:
    async with browser(office(tmp_path)) as client:
        assert (await client.post("/newsroom/desk", data={"csrf": "x"}, headers={"origin": HOME})).status_code == 403
        await log_in(client)
        sent = {"content-type": "application/json", "origin": HOME}
        assert (await client.post("/newsroom/desk", content="{}", headers=sent)).status_code == 400


async def test_the_body_of_a_login_is_small(tmp_path: Path) -> None:
    async with browser(office(tmp_path)) as client:
        body = urlencode({"password": "x" * 5000})
        assert (await client.post("/newsroom/login", content=body, headers=FORM)).status_code == 413


async def test_without_a_password_this_machine_needs_none_and_is_asked_for_no_cookie(tmp_path: Path) -> None:
    async with browser(office(tmp_path, password=Secret())) as client:
        page = await client.get("/newsroom/desk")
        assert page.status_code == 200
        assert "set-cookie" not in page.headers
        assert (await client.get("/newsroom/login")).headers["location"] == "/newsroom/"
    async with browser(office(tmp_path, password=Secret()), "192.0.2.7") as client:
        for method, path in (("GET", "/newsroom/desk"), ("POST", "/newsroom/desk"), ("GET", "/newsroom/login")):
            assert (await client.request(method, path, headers={"origin": HOME})).status_code == 404
