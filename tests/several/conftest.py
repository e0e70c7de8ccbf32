"""Machines that share one PostgreSQL and one folder of articles; each has its own data, configuration and port."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import linkedin as linkedin
from tests.acceptance.conftest import mail_server as mail_server
from tests.acceptance.newsroom import Newsroom
from tests.doubles.postgres import Postgres

Make = Callable[..., list[Newsroom]]


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """The address of an empty database."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def machines(tmp_path: Path, database: str) -> Make:
    """So many machines, told alike."""

    def make(count: int, **settings: Any) -> list[Newsroom]:
        shared: dict[str, Any] = {
            "secret": "shared by all machines",
            "database": {"url": database},
            "sources": [{"path": str(tmp_path / "m0" / "content"), "poll": "1s"}],
            "web": {"public_url": "https://courier.example/"},
            "review": {"first_run": "announce", "settle": "0s", "delay": "0s"},
        }
        return [Newsroom(tmp_path / f"m{n}", **shared, **settings) for n in range(count)]

    return make
