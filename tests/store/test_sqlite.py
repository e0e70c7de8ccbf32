"""The database in a file: its pragmas, what it refuses in which words, its copies, and a log brought home alone."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from syndicate.errors import StoreError
from syndicate.store.copies import unused
from syndicate.store.database import Store, open_store
from syndicate.store.schema import HEAD
from syndicate.store.sqlite import LARGE_LOG, PRAGMAS, READERS_PRAGMAS, Sqlite, affected, version_of
from tests.store.conftest import Database
from tests.store.rows import put_articles
from tests.store.test_database import note, noted


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Of this kind alone."""
    made = Database("", tmp_path / "data")
    yield made
    made.close()


@pytest.mark.parametrize("name", sorted(READERS_PRAGMAS))
def test_readers_have_theirs(store: Store, name: str) -> None:
    found = store.read_now(lambda connection: connection.execute(text(f"PRAGMA {name}")).scalar())
    assert found == READERS_PRAGMAS[name]


@pytest.mark.parametrize("name", sorted(PRAGMAS))
def test_the_writer_has_its_pragmas_on_every_connection(store: Store, name: str) -> None:
    assert store.write_now(lambda connection: connection.execute(text(f"PRAGMA {name}")).scalar()) == PRAGMAS[name]
    store._writer.dispose()
    assert store.write_now(lambda connection: connection.execute(text(f"PRAGMA {name}")).scalar()) == PRAGMAS[name]


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
    store.house.backup(tmp_path / "copy.db")
    store.close()
    assert version_of(path) == version_of(tmp_path / "copy.db") == HEAD


def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"another program.*database\.url"):
        open_store(Sqlite(path), upgrade=True)
    assert path.read_bytes() == before


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
    assert "disk is full" in str(store.trouble)
    store.write_now(lambda connection: connection.execute(text("PRAGMA max_page_count = 1000000")).scalar())
    store.write_now(note, "small")
    assert "disk is full" in str(store.trouble)  # small writes still fit on a full disk
    store.trouble_stands = 0
    store.write_now(note, "later")
    assert noted(store) == before | {"small", "later"}
    assert store.trouble is None


def test_a_backup_is_whole_while_others_write_and_can_be_restored(database: Database, tmp_path: Path) -> None:
    store = database.open()
    store.write_now(note, "before")
    copy = tmp_path / "copy.db"
    store.house.backup(copy)
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


def test_a_backup_of_a_newer_program_is_not_restored(database: Database, tmp_path: Path) -> None:
    """Else nothing could open what stands there then."""
    store = database.open()
    newer = tmp_path / "newer.db"
    store.house.backup(newer)
    with contextlib.closing(sqlite3.connect(newer)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    store.write_now(note, "kept")
    with pytest.raises(StoreError, match=r"made by a newer syndicate \(schema 9999\): install that version"):
        Sqlite(database.path).restore(newer, "replaced")
    assert "kept" in noted(store)


def test_a_backup_that_fails_leaves_no_half_copy_and_names_the_file_that_was_to_be(
    database: Database, tmp_path: Path
) -> None:
    store = database.open()
    put_articles(store, *range(50))
    copy = tmp_path / "copy.db"
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, usual[1]))
    try:
        with pytest.raises(StoreError, match=r"the database .*copy\.db cannot"):
            store.house.backup(copy)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert not copy.exists()
    store.house.backup(copy)


def test_what_is_no_database_is_said_of_the_file_that_is_none(tmp_path: Path) -> None:
    path, copy = tmp_path / "syndicate.db", tmp_path / "copy.db"
    path.write_bytes(b"This is no database at all. " * 100)
    with pytest.raises(StoreError, match=r"syndicate\.db is not a database"):
        Sqlite(path).backup(copy)
    assert not copy.exists()


def test_an_earlier_backup_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "syndicate.before-0002.db"
    assert unused(path) == path
    path.touch()
    second = unused(path)
    assert second != path
    second.touch()
    assert unused(path) not in (path, second)


# --- versions with a fault --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "has_it"),
    [
        ((3, 6, 23), False), ((3, 7, 0), True), ((3, 40, 1), True), ((3, 44, 5), True), ((3, 44, 6), False),
        ((3, 45, 0), True), ((3, 49, 2), True), ((3, 50, 6), True), ((3, 50, 7), False), ((3, 51, 0), True),
        ((3, 51, 2), True), ((3, 51, 3), False), ((3, 52, 0), False), ((4, 0, 0), False),
    ],
)  # fmt: skip
def test_versions_that_can_damage_a_log_are_known(version: tuple[int, int, int], has_it: bool) -> None:
    assert affected(version) is has_it


def faulty(database: Database, is_so: bool) -> Store:
    return open_store(Sqlite(database.path, faulty=is_so), upgrade=True)


def test_a_fault_is_told_once_with_what_mends_it(database: Database) -> None:
    [remark] = Sqlite(database.path, faulty=True).remarks()
    assert "install SQLite 3.51.3 or newer" in remark
    assert Sqlite(database.path, faulty=False).remarks() == []


@pytest.mark.parametrize(("is_so", "pages"), [(True, 0), (False, 1000)])
def test_where_there_is_a_fault_no_connection_brings_the_log_home_by_itself(
    database: Database, is_so: bool, pages: int
) -> None:
    with contextlib.closing(faulty(database, is_so)) as opened:
        ask = text("PRAGMA wal_autocheckpoint")
        assert opened.write_now(lambda connection: connection.execute(ask).scalar()) == pages


def log_of(database: Database) -> int:
    return database.path.with_name("syndicate.db-wal").stat().st_size


def grow(store: Store, number: int) -> None:
    store.write_now(note, f"large-{number}", "x" * (LARGE_LOG // 2))


def test_a_large_log_is_brought_home_after_a_commit(database: Database) -> None:
    with contextlib.closing(faulty(database, True)) as opened, contextlib.closing(faulty(database, True)) as beside:
        for number in range(6):
            grow(opened, number)
            assert log_of(database) < LARGE_LOG * 1.5
            assert len(noted(beside)) == len(noted(opened))
        assert beside.check() == []
        assert database.path.stat().st_size > 2 * LARGE_LOG


def test_a_reader_that_takes_long_puts_it_off_and_nothing_waits_for_him(database: Database) -> None:
    with contextlib.closing(faulty(database, True)) as opened:
        reading, go_on = threading.Event(), threading.Event()

        def read(connection: Connection) -> None:
            connection.execute(text("SELECT count(*) FROM settings")).all()
            reading.set()
            go_on.wait(30)

        reader = threading.Thread(target=opened.read_now, args=(read,))
        reader.start()
        assert reading.wait(10)
        for number in range(4):
            grow(opened, number)
        assert log_of(database) > LARGE_LOG
        go_on.set()
        reader.join()
        for number in range(4, 8):
            grow(opened, number)
        assert log_of(database) < 2 * LARGE_LOG


def test_while_another_process_brings_it_home_nobody_else_does(database: Database) -> None:
    with contextlib.closing(faulty(database, True)) as opened, (database.folder / "checkpoint.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for number in range(3):
            grow(opened, number)
        assert log_of(database) > LARGE_LOG


# --- troubles ---------------------------------------------------------------------------------------------------------


def test_a_disk_that_refuses_is_said_so_until_it_takes_again(database: Database) -> None:
    """A real limit of the system in a process of its own: the file may not grow."""
    database.open()
    program = """
import resource, signal, sys
from pathlib import Path
from syndicate.errors import StoreError
from syndicate.store.database import house_of, open_store
from tests.store.test_database import note
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = open_store(house_of("", Path(sys.argv[1])), upgrade=False)
store.write_now(note, "before")
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
try:
    store.write_now(note, "large", "x" * (8 << 20))
except StoreError as error:
    assert store.trouble == str(error)
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
store.trouble_stands = 0
store.write_now(note, "after")
assert store.trouble is None
store.close()
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program, str(database.folder)], cwd=root, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "the disk" in done.stdout
    names = noted(database.open())
    assert {"before", "after"} <= names
    assert "large" not in names
