"""`among`: as `IN`, whatever the values are."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, func, select

from syndicate.store.among import among
from syndicate.store.database import Store
from syndicate.store.schema import letters, settings

KEYS = (
    "plain",
    "it's",
    'say "so"',
    "back\\slash",
    "{a,b}",
    "",
    "NULL",
    "münchen.example",
    "\N{POSTBOX}",
    "%s",
    ":of",
)


@pytest.fixture(autouse=True)
def keys(store: Store) -> None:
    store.write_now(lambda c: c.execute(settings.insert(), [{"key": key, "value": "x"} for key in KEYS]))


def found(store: Store, *wanted: str, others: bool = False) -> set[str]:
    condition = among(settings.c.key, "of")
    query = select(settings.c.key).where(~condition if others else condition, settings.c.value == "x")
    return set(store.read_now(lambda c: c.scalars(query, {"of": wanted}).all()))


@pytest.mark.parametrize("key", KEYS)
def test_any_text_is_found_as_itself(store: Store, key: str) -> None:
    assert found(store, key) == {key}
    assert found(store, key, others=True) == set(KEYS) - {key}


def test_none_of_none_and_all_of_many(store: Store) -> None:
    assert found(store) == set()
    assert found(store, others=True) == set(KEYS)
    assert found(store, *KEYS, *(f"missing-{number}" for number in range(2_000))) == set(KEYS)


def test_numbers_beyond_32_bits_are_numbers(store: Store) -> None:
    def ask(connection: Connection) -> int | None:
        query = select(func.count()).select_from(letters).where(among(letters.c.id, "of"))
        return connection.scalar(query, {"of": [1, 2**40]})

    assert store.read_now(ask) == 0
