"""Doubles of the outside world and newsrooms, for tests that judge by what the world saw."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from syndicate.store.database import house_of, open_store
from tests.acceptance.newsroom import Newsroom
from tests.doubles.linkedin import LinkedInDouble
from tests.doubles.postgres import Postgres
from tests.doubles.smtp import SmtpDouble
from tests.doubles.website import Website, website

Double = TypeVar("Double")


@contextlib.contextmanager
def in_thread(double: AbstractAsyncContextManager[Double]) -> Iterator[Double]:
    """A double in a thread with a loop of its own."""
    ready: Future[tuple[Double, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        async with double as running:
            ready.set_result((running, asyncio.get_running_loop(), stop))
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    running, loop, stop = ready.result(10)
    try:
        yield running
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)


class MailServer:
    """The SMTP double in a thread; `world` lists what it accepted."""

    def __init__(self, **how: Any) -> None:
        self._thread = in_thread(SmtpDouble(**how))

    def __enter__(self) -> MailServer:
        self.double = self._thread.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._thread.__exit__(*error)

    @property
    def port(self) -> int:
        return self.double.port

    @property
    def world(self) -> list[dict[str, Any]]:
        return list(self.double.world)

    def to(self, address: str) -> list[dict[str, Any]]:
        return [one for one in self.world if one["to"] == address]


@pytest.fixture
def linkedin() -> Iterator[LinkedInDouble]:
    with LinkedInDouble() as double:
        yield double


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def slow_mail_server() -> Iterator[MailServer]:
    with MailServer(delay=0.05) as server:
        yield server


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that the program has made and nobody used: copying it is quicker than making it each time."""
    site = Newsroom(tmp_path_factory.mktemp("empty"))
    site.run("status")
    return site.database


@pytest.fixture(scope="session")
def empty_on_postgres(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name of a database on the server as the program has made it."""
    name = postgres.create()
    open_store(house_of(postgres.url(name), tmp_path_factory.mktemp("empty")), upgrade=True).close()
    return name


@pytest.fixture
def newsroom(tmp_path: Path, empty_database: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Newsroom]]:
    """Makes a newsroom in a folder of this test, with a database that is empty: SQLite's, or on a PostgreSQL."""
    with contextlib.ExitStack() as until_the_end:

        def begin(database: str = "sqlite", **settings: Any) -> Newsroom:
            if database == "postgresql":
                server: Postgres = request.getfixturevalue("postgres")
                url = until_the_end.enter_context(server.database(request.getfixturevalue("empty_on_postgres")))
                return Newsroom(tmp_path / "site", database={"url": url}, **settings)
            site = Newsroom(tmp_path / "site", **settings)
            site.data.mkdir()
            shutil.copyfile(empty_database, site.database)
            return site

        yield begin


@pytest.fixture
def site() -> Iterator[Website]:
    """The public site."""
    with in_thread(website()) as double:
        yield double
