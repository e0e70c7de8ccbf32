"""People are counted once a day, whoever counts, and the count stands."""

from __future__ import annotations

import asyncio

from sqlalchemy import event

from syndicate.pipeline import count_people
from syndicate.store import catalogue, pauses
from syndicate.store.database import Store
from tests.store.conftest import Database
from tests.store.rows import NOON, join


async def test_a_day_is_counted_once_and_later_people_count_for_the_next(store: Store) -> None:
    join(store, "ada", "bob")
    assert await count_people(store, "2026-11-23")
    join(store, "cleo")
    assert not await count_people(store, "2026-11-23")
    assert await count_people(store, "2026-11-24")
    assert store.read_now(catalogue.grown, 10) == [("2026-11-23", 2), ("2026-11-24", 3)]
    assert store.read_now(catalogue.grown, 1) == [("2026-11-24", 3)]


async def test_a_day_that_is_counted_costs_one_statement_also_where_nobody_subscribes(store: Store) -> None:
    assert await count_people(store, "2026-11-23")
    asked: list[str] = []
    for engine in {store._reader, store._writer}:
        event.listen(engine, "before_cursor_execute", lambda _c, _u, statement, *_: asked.append(statement))
    assert not await count_people(store, "2026-11-23")
    (one,) = [statement for statement in asked if "set_config" not in statement]
    assert "growth" in one and one.startswith("SELECT")


async def test_of_several_who_count_at_once_one_does(database: Database) -> None:
    stores = [database.open() for _ in range(3)]
    join(stores[0], "ada")
    counted = await asyncio.gather(*(count_people(store, "2026-11-23") for store in stores))
    assert sorted(counted) == [False, False, True]
    assert stores[0].read_now(catalogue.grown, 10) == [("2026-11-23", 1)]


async def test_a_day_that_no_clock_vouches_for_is_not_noted(store: Store) -> None:
    store.write_now(pauses.pause, pauses.CLOCK, "the clock jumped", NOON)
    assert not await count_people(store, "2031-01-01")
    assert store.read_now(catalogue.grown, 10) == []
