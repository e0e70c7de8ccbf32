"""A fresh database for each test, opened as often as the test wants.

Written for every kind of database: the cases ask `database` for stores and know nothing else of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from syndicate.store.database import Store, house_of, open_store
from syndicate.store.owners import Owner
from tests.doubles.clock import TwoClocks
from tests.doubles.postgres import Postgres
from tests.store.room import HOUR, Room


class Database:
    """One database; each `open` is what another process would have."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url  # "" is SQLite's usual file in the folder
        self.folder = folder
        self._stores: list[Store] = []

    @property
    def path(self) -> Path:
        """SQLite's file."""
        assert not self.url
        return self.folder / "syndicate.db"

    def open(self) -> Store:
        self._stores.append(open_store(house_of(self.url, self.folder), upgrade=True))
        return self._stores[-1]

    def close(self) -> None:
        for store in self._stores:
            store.close()


@pytest.fixture(scope="session")
def filled(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name of a database that is empty and of this version: copying it is quicker than making it each time."""
    name = postgres.create()
    house = house_of(postgres.url(name), tmp_path_factory.mktemp("filled"))
    open_store(house, upgrade=True).close()
    return name


@pytest.fixture(scope="session")
def spare(postgres: Postgres, filled: str) -> str:
    """Name of a database that tests use one after another."""
    return postgres.create(filled)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Empty, of either kind."""
    url = ""
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        postgres.reset(name := request.getfixturevalue("spare"))
        url = postgres.url(name)
    made = Database(url, tmp_path / "data")
    yield made
    made.close()


def only(kind: str) -> pytest.MarkDecorator:
    """For what is true of one kind of database alone; the test asks for `database` or what stands on it."""
    return pytest.mark.parametrize("database", [kind], indirect=True)


@pytest.fixture
def store(database: Database) -> Store:
    return database.open()


@pytest.fixture
def clock() -> TwoClocks:
    return TwoClocks()


@pytest.fixture
def owner(store: Store, clock: TwoClocks) -> Iterator[Owner]:
    made = Owner(store, clock, "run")
    made.open()
    yield made
    made.close()


@pytest.fixture
def make_room(tmp_path: Path, store: Store) -> Callable[..., Room]:
    """A newsroom with other settings than the usual ones."""
    return lambda **settings: Room(tmp_path, store, **settings)


@pytest.fixture
async def room(make_room: Callable[..., Room]) -> Room:
    """A newsroom whose first scan is over: what comes now is new."""
    made = make_room()
    await made.scan()
    made.now += HOUR
    return made
