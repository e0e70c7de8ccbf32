"""The connection to the database: one fair writer, readers aside, and driver errors turned into sentences.

The store is synchronous. Async code calls `write(fn, …)` and `read(fn, …)`, which run in threads; a statement function
takes the connection first. No transaction is ever open while a socket is used.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, Row, create_engine, event, inspect, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError, IntegrityError

from syndicate.crashpoint import crashpoint
from syndicate.errors import StoreError
from syndicate.store.highwater import HighWater, ledger
from syndicate.store.schema import APPLICATION_ID, HEAD, fill, settings

if TYPE_CHECKING:
    from syndicate.config import Settings

P = ParamSpec("P")
T = TypeVar("T")
AnyRow = Row[*tuple[Any, ...]]

BUSY_MS = 30_000
PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": BUSY_MS, "mmap_size": 0}
LEAST_SQLITE = (3, 35)  # RETURNING


class Store:
    """A database that is open. `path` is the SQLite file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.high_water = HighWater(path.with_name("high-water"))
        self._ledger = ""
        self._writer = _sqlite(path, writes=True)
        self._reader = _sqlite(path, writes=False)
        self._write_thread = ThreadPoolExecutor(1, thread_name_prefix="store-write")
        self._read_threads = ThreadPoolExecutor(4, thread_name_prefix="store-read")

    def write_now(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `fn` in one transaction; it is committed when this returns. Raises StoreError."""
        with _sentences(self.path), self._writer.begin() as connection:
            return fn(connection, *args, **kwargs)

    def read_now(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `fn` on a connection that cannot write. Raises StoreError."""
        with _sentences(self.path), self._reader.begin() as connection:
            return fn(connection, *args, **kwargs)

    async def write(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`write_now` in the writer's thread: the one queue in front of the lock, first come first served.

        Once begun it is carried to its end, also when the caller is cancelled: the answer must not be lost.
        """
        return await self._to_the_end(self._write_thread, lambda: self.write_now(fn, *args, **kwargs))

    async def read(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`read_now` in a thread."""
        return await self._to_the_end(self._read_threads, lambda: self.read_now(fn, *args, **kwargs))

    async def _to_the_end(self, threads: ThreadPoolExecutor, job: Callable[[], T]) -> T:
        future = asyncio.get_running_loop().run_in_executor(threads, job)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if not future.done():
                await asyncio.wait([future])  # a bare shield would leave before the commit
            if future.done() and not future.cancelled():
                future.exception()  # looked at: nobody else will
            raise

    async def note_begun(self, count: int) -> None:
        """Raise the high-water mark before a first byte leaves (rule 25). Raises StoreError: then nothing may."""
        if not self._ledger:
            self._ledger = await self.read(ledger)
        try:
            await asyncio.to_thread(self.high_water.raise_to, self._ledger, count)
        except OSError as error:
            raise StoreError(f"cannot write {self.high_water.path}: {error.strerror}; nothing is sent") from error

    def backup(self, target: Path) -> None:
        """Copy the database as it stands while others go on (SQLite's online backup API)."""
        with _sentences(self.path):
            source = sqlite3.connect(_read_only(self.path), uri=True)
            copy = sqlite3.connect(target)
            try:
                source.backup(copy)
            finally:
                copy.close()
                source.close()

    def check(self) -> list[str]:
        """Problems found by the database itself; empty is good."""

        def ask(connection: Connection) -> list[str]:
            found = [row[0] for row in connection.execute(text("PRAGMA integrity_check"))]
            bad = [f"integrity: {line}" for line in found if line != "ok"]
            return bad + [f"foreign key: {tuple(row)}" for row in connection.execute(text("PRAGMA foreign_key_check"))]

        return self.read_now(ask)

    def close(self) -> None:
        self._write_thread.shutdown(wait=True)
        self._read_threads.shutdown(wait=True)
        self._writer.dispose()
        self._reader.dispose()


def place(settings: Settings) -> Path:
    """The SQLite file."""
    url = settings.database.url.reveal()
    return Path(url.removeprefix("sqlite:///")) if url else settings.data / "syndicate.db"


def open_ledger(settings: Settings, *, upgrade: bool = False) -> Store:
    """Open the database that a configuration names. Raises StoreError."""
    return open_store(place(settings), upgrade=upgrade)


def _read_only(path: Path) -> str:
    """The file as an address for SQLite; a path may hold "?", "#" and "%"."""
    return f"{path.absolute().as_uri()}?mode=ro"


def version(path: Path) -> str | None:
    """The schema's version as the file states it; None for an empty or absent one. Raises StoreError."""
    if not path.exists() or path.stat().st_size == 0:
        return None
    with _sentences(path), contextlib.closing(sqlite3.connect(_read_only(path), uri=True)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return None
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise StoreError(f"{path} is a database of another program: name another one in database.url")
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(row[0]) if row else None


def open_store(path: Path, *, upgrade: bool) -> Store:
    """Open the database; an empty one is filled, an older one upgraded (after a backup) if `upgrade`.

    Raises StoreError: newer than the program, somebody else's, locked, read-only, not a database, too old.
    """
    if sqlite3.sqlite_version_info < LEAST_SQLITE:
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old: 3.35 is the least")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make {path.parent}: {error.strerror}; set `data` to a folder you own") from error
    found = version(path)
    if found == HEAD:
        return Store(path)
    if found is None:
        store = Store(path)
        store.write_now(_fill)
        return store
    from syndicate.store import migrate  # loads the migration tool

    if not migrate.known(found):
        raise StoreError(f"{path} was written by a newer syndicate (schema {found}): install that version or newer")
    if not upgrade:
        raise StoreError(f"{path} has an older schema ({found}): run `syndicate db upgrade`")
    store = Store(path)
    store.backup(_unused(path.with_suffix(f".before-{HEAD}.db")))
    with _sentences(path):
        migrate.upgrade(store._writer)
    return store


def _unused(path: Path) -> Path:
    """That path, or the next free one: an earlier backup is not written over."""
    count, free = 1, path
    while free.exists():
        count += 1
        free = path.with_stem(f"{path.stem}-{count}")
    return free


def _fill(connection: Connection) -> None:
    """Tables, and a name of its own, so that a copy restored beside another's traces can be told."""
    if inspect(connection).has_table("alembic_version"):
        return  # another process was quicker
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    fill(connection)
    connection.execute(settings.insert().values(key="ledger", value=secrets.token_hex(8)))
    crashpoint("migrate.step")


def _sqlite(path: Path, *, writes: bool) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path.absolute())),
        connect_args={"isolation_level": None, "timeout": BUSY_MS / 1000, "check_same_thread": False},
        pool_size=1 if writes else 4,
        max_overflow=0,
    )

    @event.listens_for(engine, "connect")
    def pin(connection: sqlite3.Connection, _record: object) -> None:
        if not writes:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
            connection.execute("PRAGMA query_only = 1")
            return
        for name, value in PRAGMAS.items():
            connection.execute(f"PRAGMA {name} = {value}")
        for name, value in PRAGMAS.items():
            stands = (connection.execute(f"PRAGMA {name}").fetchone() or (0,))[0]
            if stands != value:
                raise StoreError(f"SQLite keeps {name} = {stands} instead of {value}: is {path} on a network disk?")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A deferred transaction that reads and then writes fails at once, whatever busy_timeout says.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


_MEANINGS = (
    ("locked", "is locked by another program that does not let go: stop it, then try again"),
    ("busy", "is locked by another program that does not let go: stop it, then try again"),
    ("readonly", "is read-only: give the user who runs syndicate the right to write it and its folder"),
    ("read-only", "is read-only: give the user who runs syndicate the right to write it and its folder"),
    ("unable to open", "cannot be opened: check that its folder exists and may be written"),
    ("full", "cannot grow: the disk is full"),
    ("disk i/o", "cannot be written: the disk reports an error"),
    ("not a database", "is not a database: move it away, or name another one in database.url"),
    ("malformed", "is damaged: restore a backup with `syndicate db restore FILE`"),
)


@contextlib.contextmanager
def _sentences(path: Path) -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except (DatabaseError, sqlite3.DatabaseError) as error:
        words = str(getattr(error, "orig", None) or error)
        for mark, meaning in _MEANINGS:
            if mark in words.lower():
                raise StoreError(f"the database {path} {meaning}") from error
        raise


def restore_into(path: Path, backup: Path, now: datetime) -> Path | None:
    """Put a backup in a database's place; returns where the former one was kept.

    Raises StoreError: not a backup of ours, or somebody is at work on the database.
    """
    if version(backup) is None:
        raise StoreError(f"{backup} is no backup of a syndicate database")
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = None
    if path.exists() and path.stat().st_size:
        kept = path.with_suffix(f".replaced-{now:%Y%m%dT%H%M%S}.db")
        _copy(path, kept)
    _copy(backup, path)
    return kept


def _copy(source: Path, target: Path) -> None:
    """SQLite's own copy: takes the target's lock, so that nobody reads half of it."""
    with (
        _sentences(target),
        contextlib.closing(sqlite3.connect(_read_only(source), uri=True)) as old,
        contextlib.closing(sqlite3.connect(target, timeout=5)) as new,
    ):
        old.backup(new)
