"""A backup that takes the database's place while the program runs: nothing that went out goes out again (rule 25)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, Table

from syndicate.errors import StoreError
from syndicate.store import highwater, pauses
from syndicate.store.database import Store
from syndicate.store.schema import attempts, deliveries, letters, mailings, settings
from tests.store.rows import MINUTE, NOON, begin, delivery, offer, plan
from tests.store.test_sending import Desk, Office, at_desk, edition, in_office

__all__ = ["at_desk", "in_office"]  # fixtures

TABLES = [attempts, letters, mailings, deliveries, settings]  # children first


def copy_of(store: Store) -> Callable[[], None]:
    """Remember what the ledger holds now; calling it puts that back, as a restored backup does."""

    def read(connection: Connection) -> dict[Table, list[Any]]:
        return {table: [dict(row._mapping) for row in connection.execute(table.select())] for table in TABLES}

    def put_back(connection: Connection) -> None:
        for table in TABLES:
            connection.execute(table.delete())
        for table in reversed(TABLES):
            if rows[table]:
                connection.execute(table.insert(), rows[table])

    rows = store.read_now(read)
    return lambda: store.write_now(put_back)


def paused(store: Store) -> str:
    return store.read_now(pauses.standing).get(pauses.EVERYTHING, "")


@pytest.mark.parametrize("missing", [1, 3])
async def test_no_post_goes_out_twice(store: Store, at_desk: Callable[..., Desk], missing: int) -> None:
    begin(store)
    offer(store, *range(1, missing + 2))
    desk = at_desk()
    plan(store, 1)
    await desk.deliver()
    restore = copy_of(store)
    plan(store, *range(2, missing + 2))
    await desk.deliver()
    there = len(desk.channel.world)
    assert there == missing + 1
    restore()
    plan(store, *range(2, missing + 2))
    with pytest.raises(StoreError, match="older copy"):
        await desk.deliver(MINUTE)
    assert f"before the last {missing} attempts" in paused(store)
    for _ in range(missing + 1):
        await desk.deliver(MINUTE)
    assert len(desk.channel.world) == there


@pytest.mark.parametrize("people", [5, 60])
async def test_no_letter_goes_out_twice(store: Store, in_office: Callable[..., Office], people: int) -> None:
    edition(store, people)
    office = in_office()
    restore = copy_of(store)
    await office.mail()
    assert len(office.reached) == people
    restore()
    with pytest.raises(BaseExceptionGroup) as caught:
        await office.mail(MINUTE)
    assert caught.group_contains(StoreError, match="older copy")
    for _ in range(10):
        await office.mail(MINUTE)
    assert len(office.reached) == people
    assert paused(store).startswith(highwater.BEHIND)


async def test_a_person_decides_and_it_goes_on(store: Store, at_desk: Callable[..., Desk]) -> None:
    begin(store)
    offer(store, 1)
    desk = at_desk()
    restore = copy_of(store)
    plan(store, 1)
    await desk.deliver()
    restore()
    plan(store, 1)
    with pytest.raises(StoreError):
        await desk.deliver(MINUTE)
    store.write_now(highwater.assume, store.high_water.read(), NOON, sent=True)
    assert delivery(store).state == "skipped"
    offer(store, 2)
    plan(store, 2)
    await desk.deliver(MINUTE)
    assert (delivery(store, 2).state, len(desk.channel.world)) == ("sent", 2)


async def test_many_at_work_on_one_ledger_are_no_restored_backup(store: Store) -> None:
    """A later count may stand in the mark before an earlier one is noted."""
    counts = [store.write_now(highwater.begun) for _ in range(5)]
    for count in (counts[4], counts[0], counts[2], counts[3], counts[1]):
        await store.note_begun(count, NOON)
    assert (paused(store), store.high_water.read()[1]) == ("", counts[4])
