"""What holds of every kind of database: how it is opened, what is repeated, and that nothing begun is lost."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from syndicate.errors import StoreError
from syndicate.store import highwater, migrate
from syndicate.store.database import Store, house_of, insert_or_ignore, open_store
from syndicate.store.schema import HEAD, articles, fill, metadata, settings
from tests.doubles.postgres import Postgres
from tests.store.conftest import Database, only
from tests.store.rows import put_articles, set_article


def count(connection: Connection) -> int:
    return len(connection.execute(select(settings)).all())


def note(connection: Connection, key: str, value: str = "x") -> None:
    connection.execute(settings.insert().values(key=key, value=value))


def noted(store: Store) -> set[str]:
    return set(store.read_now(lambda connection: connection.scalars(select(settings.c.key)).all()))


# --- opening ----------------------------------------------------------------------------------------------------------


def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(StoreError, match="read-only"):
        store.read_now(note, "no")
    assert "no" not in noted(store)


@pytest.fixture(params=["sqlite", "postgresql"])
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A database without any table."""
    with contextlib.ExitStack() as until_the_end:
        url = ""
        if request.param == "postgresql":
            postgres: Postgres = request.getfixturevalue("postgres")
            url = until_the_end.enter_context(postgres.database())
        store = Store(house_of(url, tmp_path))
        until_the_end.callback(store.close)
        yield store


def test_several_that_fill_an_empty_one_at_once_are_all_right(bare: Store) -> None:
    gate = threading.Barrier(4)

    def start(_: int) -> list[str]:
        gate.wait()
        with contextlib.closing(open_store(bare.house, upgrade=True)) as opened:
            return opened.check()

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(start, range(4))) == [[]] * 4


@pytest.fixture
def stepped(bare: Store) -> Store:
    """A database made by every step in its turn, as one that began with the first version."""
    bare.write_now(migrate.upgrade, bare.house.prepare)
    return bare


def test_the_steps_make_what_the_tables_say(stepped: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    def differences(connection: Connection) -> Any:
        return compare_metadata(MigrationContext.configure(connection), metadata)

    assert stepped.read_now(differences) == []


INDEXES = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL",
    "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()",
}


def statements(connection: Connection) -> dict[str, str]:
    rows = connection.execute(text(INDEXES[connection.dialect.name]))
    return {name: "".join(sql.split()).replace('"', "") for name, sql in rows if not name.startswith("alembic_version")}


def test_the_steps_make_the_same_statements_as_the_tables(stepped: Store) -> None:
    """What a comparison leaves out: conditions, kinds and order of indexes, defaults."""
    made = stepped.read_now(statements)

    def again(connection: Connection) -> dict[str, str]:
        metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
        fill(connection)
        return statements(connection)

    wanted = stepped.write_now(again)
    assert {name: sql for name, sql in made.items() if "INDEX" in sql} == {
        name: sql for name, sql in wanted.items() if "INDEX" in sql
    }
    assert set(made) == set(wanted)


def test_an_index_over_some_rows_is_one_on_every_kind(store: Store) -> None:
    """Unique over all rows, it would refuse an article that returns to the path of one that is gone."""
    put_articles(store, 1, 2)
    set_article(store, 1, state="gone", path="same.md")
    set_article(store, 2, path="same.md")
    with pytest.raises(IntegrityError):
        set_article(store, 1, state="ready")


def test_opened_again_it_is_at_its_version_and_named_once(database: Database) -> None:
    first, second = database.open(), database.open()
    assert first.house.version() == HEAD
    assert first.read_now(highwater.ledger) == second.read_now(highwater.ledger) != ""


# --- refusing ---------------------------------------------------------------------------------------------------------


def test_a_newer_schema_is_refused_with_what_to_do(stepped: Store) -> None:
    stepped.write_now(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    stepped.write_now(note, "ledger", "ours")
    with pytest.raises(StoreError, match=r"newer syndicate \(schema 9999\): install that version"):
        open_store(stepped.house, upgrade=True)


def test_an_error_tells_no_values(store: Store) -> None:
    """It goes into logs, and by alerts into mail."""
    with pytest.raises(DBAPIError) as caught:
        store.write_now(
            lambda connection: connection.execute(
                text("SELECT nowhere FROM settings WHERE key = :x"), {"x": "ada@r.example"}
            )
        )
    assert "ada@r.example" not in str(caught.value)


def test_a_clash_of_keys_is_no_trouble_of_the_database(store: Store) -> None:
    store.write_now(note, "once")
    with pytest.raises(IntegrityError):
        store.write_now(note, "once")


# --- carried to its end -----------------------------------------------------------------------------------------------


async def test_a_cancelled_write_is_carried_to_its_end(store: Store) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        note(connection, "kept")
        begun.set()
        go_on.wait(10)

    task = asyncio.create_task(store.write(slow))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()  # the caller waits for the commit
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "kept" in noted(store)


async def test_a_cancelled_write_that_fails_complains_to_nobody(store: Store) -> None:
    """Warnings are errors here: an exception that nobody looked at would be one."""
    begun, go_on = threading.Event(), threading.Event()

    def broken(connection: Connection) -> None:
        begun.set()
        go_on.wait(10)
        raise RuntimeError("broken")

    task = asyncio.create_task(store.write(broken))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task


@only("sqlite")  # elsewhere several are under way at once
async def test_writes_are_done_in_the_order_they_were_asked_for(store: Store) -> None:
    order: list[int] = []
    await asyncio.gather(*(store.write(lambda connection, n: order.append(n), number) for number in range(20)))
    assert order == list(range(20))


async def test_an_error_leaves_nothing_of_its_transaction(store: Store) -> None:
    def half(connection: Connection) -> None:
        note(connection, "half")
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        await store.write(half)
    assert "half" not in noted(store)
    await store.write(note, "whole")
    assert "whole" in noted(store)


def test_two_writers_that_read_first_do_not_fail_each_other(database: Database) -> None:
    """A deferred transaction that reads and then writes fails at once: each begins with the lock."""
    stores = [database.open(), database.open()]
    first = noted(stores[0])

    def read_and_write(connection: Connection, name: str) -> None:
        count(connection)
        note(connection, name)

    def work(which: int) -> None:
        for number in range(25):
            stores[which].write_now(read_and_write, f"{which}-{number}")

    threads = [threading.Thread(target=work, args=(which,)) for which in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(noted(stores[0])) == len(first) + 50


# --- copies -----------------------------------------------------------------------------------------------------------


def test_a_sound_database_has_no_problems(store: Store) -> None:
    put_articles(store, 1)
    assert store.check() == []


def test_steps_that_the_program_has_are_known() -> None:
    assert migrate.known(HEAD)
    assert not migrate.known("9999")


# --- rows -------------------------------------------------------------------------------------------------------------


def test_an_insert_tells_how_many_rows_were_not_there(store: Store) -> None:
    def put(connection: Connection, *keys: str) -> int:
        rows = [{"key": key, "value": "x"} for key in keys]
        return int(connection.execute(insert_or_ignore(connection, settings).values(rows)).rowcount)

    assert [store.write_now(put, *keys) for keys in (["a"], ["a"], ["a", "b", "c"], ["c"])] == [1, 0, 2, 0]


def test_what_no_database_keeps_in_a_text_is_replaced(store: Store) -> None:
    put_articles(store, 1)
    set_article(store, 1, url="https://example.org/a\0b")
    read = store.read_now(lambda connection: connection.scalar(select(articles.c.url)))
    assert read == "https://example.org/a\ufffdb"
    found = select(articles.c.id).where(articles.c.url == "https://example.org/a\0b")
    assert store.read_now(lambda connection: connection.scalar(found)) == "id-1"


@pytest.mark.parametrize("column", ["url", "slug"])
def test_a_text_of_any_length_is_kept_and_found(store: Store, column: str) -> None:
    """A tree of PostgreSQL's refuses what is longer than 2,704 bytes when it is packed, and with it the whole scan."""
    long = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(20_000))
    put_articles(store, 1, 2)
    set_article(store, 1, **{column: long})
    found = select(articles.c.id).where(articles.c[column] == long)
    assert store.read_now(lambda connection: connection.scalars(found).all()) == ["id-1"]
