"""Who may see the numbers: without a password this machine alone, with one whoever knows it."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import httpx
import pytest

from syndicate import password
from syndicate.config import Secret, WebSettings
from syndicate.web.app import build
from tests.doubles.office import SmallOffice
from tests.web.conftest import served

HASH = password.hashed("open sesame", bytes(16))


def basic(typed: str, name: str = "prometheus") -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{typed}".encode()).decode()}


async def get(
    folder: Path, headers: dict[str, str] | None = None, *, peer: str = "127.0.0.1", web: dict[str, Any] | None = None
) -> httpx.Response:
    office = SmallOffice(feed_folder=folder, web=WebSettings(**(web or {})))
    transport = httpx.ASGITransport(build(office), client=(peer, 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
        return await client.get("/metrics", headers=headers)


async def test_this_machine_sees_the_numbers(tmp_path: Path) -> None:
    async with (
        served(SmallOffice(feed_folder=tmp_path)) as server,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client,
    ):
        answer = await client.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.text == "syndicate_problems 0.0\n"
        assert (await client.get("/metrics", headers={"via": "1.1 x"})).status_code == 404


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8080", "localhost:8080", "[::1]:8080", "LOCALHOST"])
async def test_by_any_of_its_own_names(tmp_path: Path, host: str) -> None:
    assert (await get(tmp_path, {"host": host}, peer="::1")).status_code == 200


@pytest.mark.parametrize(
    ("headers", "peer", "web"),
    [
        pytest.param({}, "192.0.2.7", {}, id="somebody else"),
        pytest.param({"host": "evil.example"}, "127.0.0.1", {}, id="a name that was pointed here"),
        pytest.param({"host": "[::1"}, "127.0.0.1", {}, id="a name that is none"),
        pytest.param({"forwarded": "for=1.2.3.4"}, "127.0.0.1", {}, id="Forwarded"),
        pytest.param({"via": "1.1 cache"}, "127.0.0.1", {}, id="Via"),
        pytest.param({"X-Forwarded-For": "127.0.0.1"}, "127.0.0.1", {}, id="X-Forwarded-For"),
        pytest.param({"X-Forwarded-Anything": ""}, "127.0.0.1", {}, id="X-Forwarded-*"),
        pytest.param({}, "127.0.0.1", {"host": "0.0.0.0"}, id="it listens to the world"),
        pytest.param({}, "127.0.0.1", {"public_url": "https://a.example"}, id="a proxy stands before it"),
        pytest.param(basic(""), "192.0.2.7", {}, id="an empty password is none"),
    ],
)
async def test_to_all_others_nothing_is_there(
    tmp_path: Path, headers: dict[str, str], peer: str, web: dict[str, Any]
) -> None:
    answer = await get(tmp_path, headers, peer=peer, web=web)
    assert answer.status_code == 404
    assert "syndicate_problems" not in answer.text
    assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize("stored", [HASH, "open sesame"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (basic("open sesame"), 200),
        (basic("open sesame", name=""), 200),
        ({"authorization": "Bearer open sesame"}, 200),
        ({}, 401),
        (basic("open"), 401),
        (basic(""), 401),
        (basic(HASH), 401),
        ({"authorization": "Basic ä"}, 401),
        ({"authorization": "Digest x"}, 401),
    ],
)
async def test_with_a_password_it_is_asked_for_from_everywhere(
    tmp_path: Path, stored: str, headers: dict[str, str], status: int
) -> None:
    public = {"password": Secret(stored), "host": "0.0.0.0", "public_url": "https://a.example"}
    sent = {name: value.encode("latin-1") for name, value in headers.items()}
    for peer in ("127.0.0.1", "192.0.2.7"):
        answer = await get(tmp_path, sent, peer=peer, web=public)  # type: ignore[arg-type]  # bytes go as they are
        assert answer.status_code == status
        assert ("www-authenticate" in answer.headers) is (status == 401)


async def test_after_a_wrong_password_the_next_waits_and_the_right_one_that_is_known_does_not(tmp_path: Path) -> None:
    office = SmallOffice(feed_folder=tmp_path, web=WebSettings(password=Secret(HASH)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(build(office)), base_url="http://127.0.0.1") as client:

        async def status(typed: str) -> int:
            return (await client.get("/metrics", headers=basic(typed))).status_code

        assert await status("open sesame") == 200
        assert sorted(await asyncio.gather(*(status(f"guess {n}") for n in range(5)))) == [401, 429, 429, 429, 429]
        assert await status("open sesame") == 200
