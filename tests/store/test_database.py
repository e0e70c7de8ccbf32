"""The database itself: how it is opened, what it refuses in which words, and that nothing begun is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import IntegrityError

from syndicate.errors import StoreError
from syndicate.store import migrate
from syndicate.store.database import Store, open_store
from syndicate.store.schema import APPLICATION_ID, HEAD, metadata, settings
from syndicate.store.sqlite import PRAGMAS, Sqlite, unused, version_of
from tests.store.conftest import Database
from tests.store.rows import put_articles


def count(connection: Connection) -> int:
    return len(connection.execute(select(settings)).all())


def note(connection: Connection, key: str, value: str = "x") -> None:
    connection.execute(settings.insert().values(key=key, value=value))


def noted(store: Store) -> set[str]:
    return set(store.read_now(lambda connection: connection.scalars(select(settings.c.key)).all()))


# --- opening ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(PRAGMAS))
def test_the_writer_has_its_pragmas_on_every_connection(store: Store, name: str) -> None:
    assert store.write_now(lambda connection: connection.execute(text(f"PRAGMA {name}")).scalar()) == PRAGMAS[name]
    store._writer.dispose()
    assert store.write_now(lambda connection: connection.execute(text(f"PRAGMA {name}")).scalar()) == PRAGMAS[name]


def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(StoreError, match="read-only"):
        store.read_now(note, "no")
    assert "no" not in noted(store)


@pytest.fixture
def stepped(tmp_path: Path) -> Iterator[Store]:
    """A database made by every step in its turn, as one that began with the first version."""
    store = Store(Sqlite(tmp_path / "stepped.db"))
    store.write_now(migrate.upgrade, store.house.prepare)
    yield store
    store.close()


def test_the_steps_make_what_the_tables_say(stepped: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    def differences(connection: Connection) -> Any:
        return compare_metadata(MigrationContext.configure(connection), metadata)

    assert stepped.read_now(differences) == []


def test_the_steps_make_the_same_statements_as_the_tables(stepped: Store) -> None:
    """What a comparison leaves out: conditions and order of indexes, checks and defaults."""
    from sqlalchemy import create_engine

    def schema(connection: Connection) -> set[tuple[str, str]]:
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
        return {(name, "".join(sql.split()).replace('"', "")) for name, sql in rows if name != "alembic_version"}

    plain: Engine = create_engine("sqlite://")
    metadata.create_all(plain)
    with plain.connect() as connection:
        wanted = schema(connection)
    plain.dispose()
    made = stepped.read_now(schema)
    indexes = {name: sql for name, sql in wanted if "INDEX" in sql}
    assert {name: sql for name, sql in made if "INDEX" in sql} == indexes
    assert {name for name, _ in made} == {name for name, _ in wanted}


def test_opened_again_it_is_at_its_version_and_named_once(database: Database) -> None:
    first, second = database.open(), database.open()
    assert version_of(database.path) == HEAD
    name = first.read_now(lambda connection: connection.scalar(select(settings.c.value)))
    assert second.read_now(lambda connection: connection.scalar(select(settings.c.value))) == name


def test_an_up_to_date_database_is_opened_without_the_migration_tool(database: Database) -> None:
    database.open()
    program = (
        "import sys; from pathlib import Path; from syndicate.store.database import open_store;"
        "from syndicate.store.sqlite import Sqlite;"
        f"open_store(Sqlite(Path({str(database.path)!r})), upgrade=True).close(); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0


def test_several_processes_may_make_it_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "syndicate.db"
    program = (
        "from pathlib import Path; from syndicate.store.database import open_store;"
        "from syndicate.store.sqlite import Sqlite;"
        f"open_store(Sqlite(Path({str(path)!r})), upgrade=True).close()"
    )
    running = [subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True) for _ in range(4)]
    for one in running:
        _, words = one.communicate(timeout=60)
        assert one.returncode == 0, words
    assert version_of(path) == HEAD


@pytest.mark.parametrize("name", ["a b", "100%25", "what?", "#1", "ünïcode", "quo'te"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "syndicate.db"
    store = open_store(Sqlite(path), upgrade=True)
    store.backup(tmp_path / "copy.db")
    store.close()
    assert version_of(path) == version_of(tmp_path / "copy.db") == HEAD


# --- refusing ---------------------------------------------------------------------------------------------------------


def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"another program.*database\.url"):
        open_store(Sqlite(path), upgrade=True)
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused_with_what_to_do(database: Database) -> None:
    store = database.open()
    store.write_now(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(StoreError, match=r"newer syndicate \(schema 9999\): install that version"):
        open_store(Sqlite(database.path), upgrade=True)


def test_an_empty_file_is_filled(tmp_path: Path) -> None:
    path = tmp_path / "syndicate.db"
    path.touch()
    open_store(Sqlite(path), upgrade=True).close()
    assert version_of(path) == HEAD


def test_garbage_is_not_a_database(tmp_path: Path) -> None:
    path = tmp_path / "syndicate.db"
    path.write_bytes(b"This is no database at all. " * 100)
    with pytest.raises(StoreError, match=r"is not a database: move it away"):
        open_store(Sqlite(path), upgrade=True)


def test_a_damaged_database_says_which_command_mends_it(database: Database) -> None:
    store = database.open()
    put_articles(store, *range(200))
    store.close()
    size = database.path.stat().st_size
    with database.path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(size - 8192))
    with pytest.raises(StoreError, match="is damaged: restore a backup with `syndicate db restore FILE`"):
        open_store(Sqlite(database.path), upgrade=True)


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot make"):
        open_store(Sqlite(tmp_path / "file" / "deeper" / "syndicate.db"), upgrade=True)


def test_a_locked_database_is_said_so_and_goes_on_afterwards(store: Store) -> None:
    store.write_now(lambda connection: connection.execute(text("PRAGMA busy_timeout = 1")))  # no half minute here
    other = sqlite3.connect(store.where, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked by another program"):
        store.write_now(note, "no")
    assert "no" not in noted(store)  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    store.write_now(note, "later")
    assert "later" in noted(store)


def test_a_full_disk_is_said_so_and_nothing_is_half_written(store: Store) -> None:
    before = noted(store)

    def fill(connection: Connection) -> None:
        pages = connection.execute(text("PRAGMA page_count")).scalar()
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))
        note(connection, "first")
        note(connection, "large", "x" * 5_000_000)

    with pytest.raises(StoreError, match="disk is full"):
        store.write_now(fill)
    assert noted(store) == before
    store.write_now(lambda connection: connection.execute(text("PRAGMA max_page_count = 1000000")).scalar())
    store.write_now(note, "later")
    assert noted(store) == before | {"later"}


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


def test_a_backup_is_whole_while_others_write_and_can_be_restored(database: Database, tmp_path: Path) -> None:
    store = database.open()
    store.write_now(note, "before")
    copy = tmp_path / "copy.db"
    store.backup(copy)
    store.write_now(note, "after")
    store.close()
    kept = Sqlite(database.path).restore(copy, "replaced")
    assert "after" not in (now := noted(database.open()))
    assert "before" in now
    assert kept is not None
    former = open_store(Sqlite(Path(kept)), upgrade=False)
    assert {"before", "after"} <= noted(former)
    former.close()


def test_what_is_no_backup_is_not_restored(database: Database, tmp_path: Path) -> None:
    store = database.open()
    store.write_now(note, "kept")
    empty = tmp_path / "empty.db"
    empty.touch()
    for wrong in (empty, tmp_path / "nowhere.db"):
        with pytest.raises(StoreError, match="no backup"):
            Sqlite(database.path).restore(wrong, "replaced")
    assert "kept" in noted(store)


def test_an_earlier_backup_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "syndicate.before-0002.db"
    assert unused(path) == path
    path.touch()
    second = unused(path)
    assert second != path
    second.touch()
    assert unused(path) not in (path, second)


def test_a_sound_database_has_no_problems(store: Store) -> None:
    put_articles(store, 1)
    assert store.check() == []


def test_two_that_fill_an_empty_database_at_once_are_both_right(tmp_path: Path) -> None:
    path = tmp_path / "syndicate.db"
    gate = threading.Barrier(4)

    def start(_: int) -> list[str]:
        gate.wait()
        with contextlib.closing(open_store(Sqlite(path), upgrade=True)) as opened:
            return opened.check()

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(start, range(4))) == [[]] * 4


def test_steps_that_the_program_has_are_known(store: Store) -> None:
    assert migrate.known(HEAD)
    assert not migrate.known("9999")
    named = store.read_now(lambda connection: connection.execute(text("PRAGMA application_id")).scalar())
    assert named == APPLICATION_ID
