"""PostgreSQL: what it refuses in which words, what is repeated and what never, poolers, and copies."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, select, text, update

from syndicate.errors import StoreError
from syndicate.store import migrate
from syndicate.store.database import Store, house_of, open_store
from syndicate.store.postgres import LIMITS
from syndicate.store.schema import HEAD, settings
from tests.doubles.pooler import Pooler
from tests.doubles.postgres import Postgres
from tests.store.conftest import Database
from tests.store.rows import put_articles
from tests.store.test_database import note, noted


@pytest.fixture
def database(postgres: Postgres, spare: str, tmp_path: Path) -> Iterator[Database]:
    """Of this kind alone."""
    postgres.reset(spare)
    made = Database(postgres.url(spare), tmp_path / "data")
    yield made
    made.close()


@pytest.fixture
def bare(postgres: Postgres) -> Iterator[str]:
    """Address of a database without any table."""
    with postgres.database() as url:
        yield url


def opened(url: str, folder: Path, **how: bool) -> Store:
    return open_store(house_of(url, folder), **({"upgrade": True} | how))


# --- refusing ---------------------------------------------------------------------------------------------------------

SECRET = "hush-4711"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (f"postgresql://postgres:{SECRET}@127.0.0.1:1/x", "cannot be reached"),
        (f"postgresql://postgres:{SECRET}@127.0.0.1:{{port}}/nowhere", r"is not there.*createdb --encoding UTF8 NAME"),
        (f"postgresql://nobody:{SECRET}@127.0.0.1:{{port}}/postgres", "does not know this user.*look at database.url"),
        (f"postgresql://asked:{SECRET}@127.0.0.1:{{port}}/postgres", "refuses this user or password"),
        (f"postgresql://asked@127.0.0.1:{{port}}/postgres?password={SECRET}", "refuses this user or password"),
        ("postgresql://asked@127.0.0.1:{port}/postgres", "asks for a password"),
        (
            f"postgresql://postgres:{SECRET}@127.0.0.1:{{port}}/postgres?colour=blue",
            "has an option .* that is none",
        ),
        (f"postgresql://postgres@127.0.0.1:{SECRET}/postgres", r"%40 for an @ and %2F for a /"),
    ],
)
def test_an_address_that_is_no_good_is_said_so_without_its_password(
    postgres: Postgres, tmp_path: Path, address: str, words: str
) -> None:
    postgres.say("DO $$ BEGIN CREATE ROLE asked LOGIN PASSWORD 'right'; EXCEPTION WHEN duplicate_object THEN END $$")
    with pytest.raises(StoreError, match=words) as refused:
        opened(address.format(port=postgres.port), tmp_path)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "theirs",
    [
        "CREATE TABLE recipes (x int)",
        "CREATE TABLE alembic_version (version_num text); CREATE TABLE settings (id int)",
        "CREATE TABLE alembic_version (version_num text); CREATE TABLE settings (key text, value text)",
    ],
)
def test_the_database_of_another_program_is_left_alone(
    postgres: Postgres, bare: str, tmp_path: Path, theirs: str
) -> None:
    name = bare.rpartition("/")[2]
    postgres.say(theirs, name)
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    before = postgres.say(tables, name)
    with pytest.raises(StoreError, match=r"is a database of another program: name another one in database\.url"):
        opened(bare, tmp_path)
    assert postgres.say(tables, name) == before


def test_a_database_that_cannot_keep_every_text_is_refused(postgres: Postgres, tmp_path: Path) -> None:
    name = "in_latin"
    postgres.say(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    with pytest.raises(StoreError, match=r"keeps texts as LATIN1.*--encoding UTF8"):
        opened(postgres.url(name), tmp_path)
    postgres.drop(name)


def test_one_that_may_not_make_tables_is_told_what_to_give_him(postgres: Postgres, bare: str, tmp_path: Path) -> None:
    postgres.say("DO $$ BEGIN CREATE ROLE poor LOGIN; EXCEPTION WHEN duplicate_object THEN END $$")
    with pytest.raises(StoreError, match="the right to make tables"):
        opened(bare.replace("//postgres@", "//poor@"), tmp_path)


def test_an_older_one_is_upgraded_only_when_told(bare: str, tmp_path: Path) -> None:
    """Other machines may be at work in it with the older program."""
    store = Store(house_of(bare, tmp_path))
    store.write_now(migrate.upgrade, store.house.prepare, "0001")
    store.write_now(note, "ledger", "ours")
    store.close()
    for upgrade in (True, False):
        with pytest.raises(StoreError, match=r"older schema \(0001\): run `syndicate db upgrade`"):
            opened(bare, tmp_path, upgrade=upgrade)
    store = opened(bare, tmp_path, told=True)
    assert store.house.version() == HEAD
    assert store.check() == []
    store.close()


def test_one_that_may_not_be_written_is_said_so_until_it_may(postgres: Postgres, database: Database) -> None:
    name = database.url.rpartition("/")[2]
    postgres.say(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    store = database.open()
    with pytest.raises(StoreError, match="is read-only: name the server that may be written"):
        store.write_now(note, "no")
    assert "read-only" in str(store.trouble)
    store.trouble_stands = 0
    assert "no" not in noted(store)
    postgres.say(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    postgres.cut(name)
    store.write_now(note, "later")
    assert store.trouble is None


# --- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_each_transaction_has_its_limits_and_leaves_none_behind(database: Database, name: str) -> None:
    store = database.open()
    ask = text(f"SHOW {name}")
    wanted = {"60s": "1min"}.get(LIMITS[name], LIMITS[name])
    for look in (store.read_now, store.write_now):
        assert look(lambda connection: connection.scalar(ask)) == wanted
    raw: Any = store._writer.raw_connection()
    left = raw.driver_connection.execute(f"SHOW {name}").fetchone()[0]
    raw.close()
    assert left == {"synchronous_commit": "on"}.get(name, "0")


def test_readers_and_writers_have_connections_of_their_own(database: Database) -> None:
    """A status page does not wait for those who send."""
    store = database.open()
    busy, go_on = threading.Barrier(store.house.writers + 1), threading.Event()

    def write(connection: Connection, number: int) -> None:
        note(connection, f"{number}")
        busy.wait(20)
        go_on.wait(20)

    with ThreadPoolExecutor(store.house.writers) as threads:
        writing = [threads.submit(store.write_now, write, number) for number in range(store.house.writers)]
        busy.wait(20)
        before = noted(store)
        store.write_now(note, "a lease")  # one connection is left for it
        go_on.set()
        for one in writing:
            one.result()
    assert "0" not in before
    assert {"0", "3", "a lease"} <= noted(store)


# --- again, and never again -------------------------------------------------------------------------------------------


class Runs:
    """A statement function that fails at its first runs."""

    def __init__(self, failing: Callable[[Connection], object], times: int = 1) -> None:
        self.failing, self.times, self.runs = failing, times, 0

    def __call__(self, connection: Connection, key: str) -> None:
        self.runs += 1
        note(connection, key)
        if self.runs <= self.times:
            self.failing(connection)


def cut_off(connection: Connection) -> None:
    connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))


def raise_state(state: str) -> Callable[[Connection], object]:
    block = f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}', MESSAGE = 'as told'; END $$"
    return lambda connection: connection.execute(text(block))


@pytest.mark.parametrize(
    "failing",
    [cut_off, *map(raise_state, ["40001", "40P01", "55P03"])],
    ids=["cut off", "not serialisable", "deadlock", "locked"],
)
def test_what_the_server_broke_off_is_done_again(database: Database, failing: Callable[[Connection], object]) -> None:
    store, job = database.open(), Runs(failing, times=2)
    store.write_now(job, "kept")
    assert job.runs == 3
    assert "kept" in noted(store)


def test_what_would_fail_again_is_not_repeated(database: Database) -> None:
    store, job = database.open(), Runs(raise_state("53100"), times=9)
    with pytest.raises(StoreError, match="the server's disk is full"):
        store.write_now(job, "no")
    assert job.runs == 1


def test_what_goes_on_failing_is_given_up(database: Database) -> None:
    slept: list[float] = []
    store = Store(house_of(database.url, database.folder), sleep=slept.append)
    job = Runs(raise_state("40001"), times=99)
    with pytest.raises(StoreError, match="as told"):
        store.write_now(job, "no")
    store.close()
    assert job.runs == len(slept) + 1 == 6
    assert slept == sorted(slept)


def test_a_commit_whose_answer_was_lost_is_not_repeated(postgres: Postgres, database: Database) -> None:
    """It may have happened: a second run might count, claim or send twice."""
    store = database.open()
    name = database.url.rpartition("/")[2]
    postgres.say(
        "CREATE FUNCTION dies() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); RETURN NULL; END';"
        "CREATE CONSTRAINT TRIGGER dies AFTER INSERT ON settings DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION dies()",
        name,
    )
    job = Runs(lambda connection: None)
    try:
        with pytest.raises(StoreError, match="was lost while it kept a change"):
            store.write_now(job, "perhaps")
    finally:
        postgres.say("DROP FUNCTION dies CASCADE", name)
    assert job.runs == 1
    assert "lost" in str(store.trouble)
    store.trouble_stands = 0
    store.write_now(note, "later")
    assert store.trouble is None


def test_two_that_lock_each_other_out_are_both_done(database: Database) -> None:
    store = database.open()
    store.write_now(note, "a", "0")
    store.write_now(note, "b", "0")
    met = threading.Barrier(2)

    def add(connection: Connection, first: str, second: str) -> None:
        for key in (first, second):
            row = settings.c.key == key
            count = int(connection.scalar(select(settings.c.value).where(row).with_for_update()) or 0)
            connection.execute(update(settings).where(row).values(value=str(count + 1)))
            with contextlib.suppress(threading.BrokenBarrierError):
                met.wait(0.3)

    with ThreadPoolExecutor(2) as threads:
        for one in [threads.submit(store.write_now, add, *keys) for keys in (("a", "b"), ("b", "a"))]:
            one.result()
    kept = select(settings.c.value).where(settings.c.key.in_(["a", "b"]))
    assert store.read_now(lambda connection: list(connection.scalars(kept))) == ["2", "2"]


def test_two_that_find_nothing_and_insert_it_are_both_done(database: Database) -> None:
    store = database.open()
    looked = threading.Barrier(2)
    added: list[bool] = []

    def once(connection: Connection) -> bool:
        there = connection.scalar(select(settings.c.value).where(settings.c.key == "one")) is not None
        with contextlib.suppress(threading.BrokenBarrierError):
            looked.wait(0.5)
        if not there:
            note(connection, "one")
        return not there

    with ThreadPoolExecutor(2) as threads:
        added = [one.result() for one in [threads.submit(store.write_now, once) for _ in range(2)]]
    assert sorted(added) == [False, True]


@pytest.mark.parametrize("reads", [True, False])
def test_a_connection_that_was_cut_while_nobody_used_it_is_not_noticed(
    postgres: Postgres, database: Database, reads: bool
) -> None:
    store = database.open()
    for number in range(2):
        store.write_now(note, f"n{number}") if not reads else noted(store)
        postgres.cut(database.url.rpartition("/")[2])


def test_a_server_that_crashes_and_comes_back_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    """All is repeated but the one commit whose answer the crash cut off, which may have happened."""
    import signal

    sure, perhaps = set(), set()
    with Postgres() as server, server.database() as url:
        store = opened(url, tmp_path)
        store.trouble_stands = 0
        for how in (signal.SIGQUIT, signal.SIGINT):
            restarting = threading.Thread(target=server.restart, args=(how,))
            restarting.start()
            for number in range(20):
                name = f"{how}-{number}"
                try:
                    store.write_now(note, name)
                    sure.add(name)
                except StoreError as error:
                    assert "was lost while it kept a change" in str(error)
                    perhaps.add(name)
            restarting.join()
        assert len(perhaps) <= 2  # one writer, two crashes
        server.stop()
        with pytest.raises(StoreError, match="cannot be reached"):
            opened(url, tmp_path)
        server.start()
        assert sure <= {one for one in noted(store) if "-" in one} <= sure | perhaps
        store.write_now(note, "after")
        assert store.trouble is None
        store.close()


# --- poolers ----------------------------------------------------------------------------------------------------------


def through(pooler: Pooler, url: str) -> str:
    host, _, name = url.rpartition("/")
    return f"{host.rpartition(':')[0]}:{pooler.port}/{name}"


def test_the_double_breaks_what_is_prepared(postgres: Postgres, bare: str) -> None:
    """So that what is lived with is something."""
    with (
        Pooler(postgres.port) as pooler,
        psycopg.connect(through(pooler, bare), autocommit=True, prepare_threshold=0) as connection,
        pytest.raises(psycopg.errors.InvalidSqlStatementName),
    ):
        for _ in range(5):
            connection.execute("SELECT 1 + %s", (1,))


def test_a_transaction_pooler_is_told_apart_and_lived_with(postgres: Postgres, bare: str, tmp_path: Path) -> None:
    with Pooler(postgres.port) as pooler:
        store = opened(through(pooler, bare), tmp_path)
        for number in range(20):
            store.write_now(note, f"n{number}")
            assert f"n{number}" in noted(store)
        put_articles(store, *range(50))
        assert any("pooler" in remark for remark in store.house.remarks())
        assert store.check() == []
        store.close()
        assert pooler.changes > 20
    direct = opened(bare, tmp_path)
    assert not any("pooler" in remark for remark in direct.house.remarks())
    direct.close()


def test_a_pooler_that_keeps_no_transaction_together_is_refused(postgres: Postgres, bare: str, tmp_path: Path) -> None:
    with (
        Pooler(postgres.port, mode="statement") as pooler,
        pytest.raises(StoreError, match="keeps no transaction together: set its mode to transaction"),
    ):
        opened(through(pooler, bare), tmp_path)


# --- copies -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path: Path, bare: str, postgres: Postgres) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`syndicate …` in a site on an empty database, with the server's own programs in its path or without."""
    (tmp_path / "content").mkdir()
    (tmp_path / "syndicate.toml").write_text(
        '[site]\ntitle = "T"\nurl = "https://news.test"\n[[sources]]\npath = "content"\n'
        f'[database]\nurl = "{bare.replace("//postgres@", f"//postgres:{SECRET}@")}"\n'
    )

    def run(*words: str, tools: bool = True) -> subprocess.CompletedProcess[str]:
        path = str(postgres.bin) if tools else str(tmp_path)
        return subprocess.run(
            [sys.executable, "-m", "syndicate", *words],
            cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    return run


def test_a_backup_can_be_put_back_and_what_stood_there_is_kept(
    command: Callable[..., subprocess.CompletedProcess[str]], bare: str, tmp_path: Path
) -> None:
    store = opened(bare, tmp_path / "var")
    store.write_now(note, "before")
    store.close()
    assert command("db", "backup", "copy.dump").returncode == 0
    store = opened(bare, tmp_path / "var")
    store.write_now(note, "after")
    store.close()
    done = command("db", "restore", "copy.dump")
    assert done.returncode == 0, done.stderr
    store = opened(bare, tmp_path / "var")
    assert "before" in noted(store)
    assert "after" not in noted(store)
    store.close()
    [kept] = (tmp_path / "var").glob("*.replaced-*.dump")
    at = datetime.strptime(kept.stem.rpartition("-")[2], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    assert (
        command("--now", at.isoformat(), "db", "restore", str(kept)).returncode == 0
    )  # in the very second of the first
    store = opened(bare, tmp_path / "var")
    assert {"before", "after"} <= noted(store)
    assert store.check() == []
    store.close()
    assert command("db", "check").returncode == 0
    assert SECRET not in done.stderr + done.stdout


def test_what_is_no_backup_changes_nothing(
    command: Callable[..., subprocess.CompletedProcess[str]], bare: str, tmp_path: Path
) -> None:
    store = opened(bare, tmp_path / "var")
    store.write_now(note, "kept")
    (tmp_path / "wrong.dump").write_bytes(b"PGDMP and then nothing of the kind")
    done = command("db", "restore", "wrong.dump")
    assert done.returncode == 1
    assert "wrong.dump is no backup of a syndicate database: pg_restore: error: " in done.stderr
    assert "kept" in noted(store)
    store.close()


@pytest.mark.parametrize("kind", [(), ("--inserts",)], ids=["copy", "inserts"])
def test_a_backup_of_a_newer_program_changes_nothing(
    command: Callable[..., subprocess.CompletedProcess[str]], postgres: Postgres, bare: str, tmp_path: Path, kind: Any
) -> None:
    store = opened(bare, tmp_path / "var")
    version = "UPDATE alembic_version SET version_num = '{}'"
    name = bare.rpartition("/")[2]
    postgres.say(version.format("9999"), name)
    line = [postgres.bin / "pg_dump", "--format=custom", *kind, f"--file={tmp_path / 'newer.dump'}", bare]
    subprocess.run(line, check=True, timeout=60)
    postgres.say(version.format(HEAD), name)
    store.write_now(note, "kept")
    done = command("db", "restore", "newer.dump")
    assert done.returncode == 1
    assert "newer.dump was made by a newer syndicate (schema 9999): install that version" in done.stderr
    assert "kept" in noted(store)
    assert not list((tmp_path / "var").glob("*.replaced-*"))
    store.close()


@pytest.mark.parametrize("words", [("db", "backup", "copy.dump"), ("db", "restore", "syndicate.toml")])
def test_without_the_servers_programs_the_line_to_type_is_told(
    command: Callable[..., subprocess.CompletedProcess[str]], bare: str, tmp_path: Path, words: tuple[str, ...]
) -> None:
    opened(bare, tmp_path / "var").close()
    done = command(*words, tools=False)
    assert done.returncode == 2
    assert "pg_dump --format=custom --file=" in done.stderr
    assert SECRET not in done.stderr


def test_upgrade_and_check_name_the_database_without_its_password(
    command: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = [command("db", "upgrade"), command("check"), command("status")]
    assert "is of this version" in done[0].stderr
    assert "postgresql://postgres@127.0.0.1" in done[1].stdout
    assert not any(SECRET in one.stdout + one.stderr for one in done)
