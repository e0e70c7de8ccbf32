"""A served office: the real application behind the real server on a port of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from syndicate.web.app import build
from syndicate.web.server import Server
from tests.doubles.office import SmallOffice

FEEDS = {"feed.xml": b"<rss/>" * 200, "atom.xml": b"<feed/>" * 200, "feed.json": b'{"items": []}'}


@pytest.fixture
def office(tmp_path: Path) -> SmallOffice:
    folder = tmp_path / "public"
    folder.mkdir()
    for name, content in FEEDS.items():
        (folder / name).write_bytes(content)
    return SmallOffice(feed_folder=folder)


@asynccontextmanager
async def served(office: SmallOffice, **how: Any) -> AsyncIterator[Server]:
    server = Server(build(office), "127.0.0.1", 0, **how)
    server.bind()
    serving = asyncio.create_task(server.serve())
    yield server
    server.should_exit = True
    await serving


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.fixture
async def server(office: SmallOffice) -> AsyncIterator[Server]:
    async with served(office) as server:
        yield server


@pytest.fixture
async def wire(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the real server."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        yield client


@pytest.fixture
async def client(office: SmallOffice) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application alone: a quarter of a second quicker."""
    transport = httpx.ASGITransport(build(office))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client
