"""Every route there is, asked by everybody there is: who gets in where, and that a new one has been thought about."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from syndicate import password
from syndicate.config import Secret, WebSettings
from syndicate.web.app import build, places
from syndicate.web.place import Place
from syndicate.web.stage import Stage
from tests.doubles.office import SmallOffice

WORD = "an open sesame"
HASH = password.hashed(WORD, bytes(16))
HOME = "http://127.0.0.1:8080"
STRANGER, HERE = "203.0.113.7", "127.0.0.1"

# path -> door; one that ends in a slash stands for all below it. Who adds a route says here who may enter.
DOORS = {
    "/feed.xml": "open", "/atom.xml": "open", "/feed.json": "open", "/": "open", "/robots.txt": "open",
    "/style.css": "open", "/icon.svg": "open", "/feed": "open", "/feed/": "open", "/rss": "open", "/rss.xml": "open",
    "/index.xml": "open", "/atom": "open", "/favicon.ico": "open",
    "/subscribe": "open", "/confirm/{token}": "token", "/preferences/{token}": "token",
    "/unsubscribe/{token}": "token", "/stop/{token}": "token",
    "/editions/": "open", "/hooks/": "signed",
    "/healthz": "open", "/readyz": "open", "/metrics": "loopback-or-password",
    "/newsroom/login": "login", "/newsroom/": "session",
}  # fmt: skip
POSTED = {"/subscribe", "/confirm/{token}", "/preferences/{token}", "/unsubscribe/{token}", "/stop/{token}"}
POSTED |= {"/newsroom/login", "/newsroom/logout", "/newsroom/act", "/hooks/postmark", "/hooks/ses"}


def office(folder: Path, **web: Any) -> SmallOffice:
    made: Any = SmallOffice(feed_folder=folder, web=WebSettings(**web))
    made.newsroom = object()  # whoever gets past the door without right breaks a page: 500
    return made  # type: ignore[no-any-return]  # it is one


def known(folder: Path) -> Iterator[tuple[Place, str]]:
    """Each place, and an address that leads there."""
    made = office(folder)
    for place in places(made, Stage(made)):
        yield place, re.sub(r"\{(\w+)(:\w+)?\}", "1", place.path)


def door_of(path: str) -> str | None:
    above = [one for one in DOORS if one == path or (one.endswith("/") and one != "/" and path.startswith(one))]
    return DOORS[max(above, key=len)] if above else None


@asynccontextmanager
async def visitor(folder: Path, peer: str = STRANGER, **web: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(build(office(folder, **web)), client=(peer, 4711))
    async with httpx.AsyncClient(transport=transport, base_url=HOME) as client:
        yield client


def test_every_route_has_the_door_that_was_thought_of(tmp_path: Path) -> None:
    made = office(tmp_path)
    routes = build(made).routes
    assert all(type(route) is Route for route in routes), "a mount or the like has no door"
    found = {place.path: place for place, _ in known(tmp_path)}
    assert {route.path for route in routes if isinstance(route, Route)} == set(found)
    assert {path: place.door for path, place in found.items()} == {path: door_of(path) for path in found}
    assert {path for path, place in found.items() if set(place.methods) - {"GET"}} == POSTED
    assert len([place for place in found.values() if place.door == "session"]) > 10


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_a_stranger_gets_in_where_everybody_does(tmp_path: Path, method: str) -> None:
    """With a password and a form of another site's; where a method is not taken, nobody gets in anyway."""
    expected = {
        "session": 303 if method != "POST" else 403,
        "login": 200 if method != "POST" else 403,
        "loopback-or-password": 401,
        "token": 404,
    }
    async with visitor(tmp_path, password=Secret(HASH)) as client:
        for place, path in known(tmp_path):
            if method not in (*place.methods, *(["HEAD"] if "GET" in place.methods else [])):
                continue
            answer = await client.request(method, path, headers={"origin": "http://evil.example"})
            if place.door == "signed":
                assert answer.status_code in (400, 401, 403), path
            elif place.door != "open":
                assert answer.status_code == expected[place.door], path
                assert answer.headers.get("location") in (None, "/newsroom/login"), path
            else:
                assert answer.status_code not in (303, 401, 403, 500), path


NOT_HOME: dict[str, dict[str, Any]] = {
    "a stranger": {"peer": STRANGER},
    "a name pointed here": {"host": "evil.example"},
    "handed on": {"x-forwarded-for": "127.0.0.1"},
    "handed on, otherwise": {"forwarded": "for=127.0.0.1"},
    "it listens to the world": {"web": {"host": "0.0.0.0"}},
    "a proxy stands before it": {"web": {"public_url": "https://news.example"}},
}


@pytest.mark.parametrize("how", NOT_HOME.values(), ids=NOT_HOME)
async def test_without_a_password_nothing_of_the_newsroom_is_there_for_others(
    tmp_path: Path, how: dict[str, Any]
) -> None:
    headers = {name: value for name, value in how.items() if name not in ("peer", "web")}
    async with visitor(tmp_path, how.get("peer", HERE), **how.get("web", {})) as client:
        for place, path in known(tmp_path):
            if place.door in ("session", "login", "loopback-or-password"):
                for method in place.methods:
                    answer = await client.request(method, path, headers={"origin": HOME} | headers)
                    assert answer.status_code == 404, (method, path)


@pytest.mark.parametrize("secured", [True, False])
async def test_no_button_counts_without_origin_or_without_token(tmp_path: Path, secured: bool) -> None:
    async with visitor(tmp_path, HERE, password=Secret(HASH if secured else "")) as client:
        if secured:
            await client.post("/newsroom/login", data={"password": WORD}, headers={"origin": HOME})
            assert client.cookies
        for place, path in known(tmp_path):
            if place.door == "session" and "POST" in place.methods:
                for headers in ({}, {"origin": "null"}, {"origin": "http://evil.example"}, {"origin": HOME}):
                    answer = await client.post(path, data={"csrf": "0" * 32}, headers=headers)
                    assert answer.status_code == 403, (path, headers)


async def test_what_is_nowhere_tells_nobody_whether_there_is_a_newsroom(tmp_path: Path) -> None:
    async with visitor(tmp_path) as client:
        answers = [await client.get(path) for path in ("/newsroom/", "/newsroom/nothing", "/nothing")]
        assert len({(one.status_code, one.text) for one in answers}) == 1
