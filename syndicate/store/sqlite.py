"""The database in a file: its pragmas, its copies, its words, and what keeps it whole on an SQLite that has a fault."""

from __future__ import annotations

import contextlib
import fcntl
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from syndicate.errors import StoreError
from syndicate.store.copies import refuse_newer, unused, whole
from syndicate.store.schema import APPLICATION_ID, HEAD

BUSY_MS = 30_000
Pragmas = dict[str, str | int]

PRAGMAS: Pragmas = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": BUSY_MS, "mmap_size": 0}
READERS_PRAGMAS: Pragmas = {"busy_timeout": BUSY_MS, "query_only": 1, "mmap_size": 0}
LEAST = (3, 35)  # RETURNING

LARGE_LOG = 4 << 20  # bytes of the -wal file from which it is brought home


def affected(version: tuple[int, int, int]) -> bool:
    """Whether that SQLite can damage a database whose log two connections bring home at once.

    The "WAL-reset bug": in 3.7.0 to 3.51.2, mended in 3.51.3 and in 3.44.6 and 3.50.7 of older lines
    (https://sqlite.org/wal.html).
    """
    if version[:2] == (3, 44):
        return version < (3, 44, 6)
    if version[:2] == (3, 50):
        return version < (3, 50, 7)
    return (3, 7, 0) <= version < (3, 51, 3)


class Sqlite:
    """One file; `faulty` says that this SQLite may damage it unless one connection at a time brings its log home."""

    writers = 1
    shared = False

    def __init__(self, path: Path, *, faulty: bool | None = None) -> None:
        self.path = path
        self.where = str(path)
        self.folder = path.parent
        self._faulty = affected(sqlite3.sqlite_version_info[:3]) if faulty is None else faulty
        self._log = path.with_name(f"{path.name}-wal")
        self._large = LARGE_LOG

    # --- connections -------------------------------------------------------------------------------------------------

    def engine(self, *, writes: bool) -> Engine:
        engine = create_engine(
            URL.create("sqlite", database=str(self.path.absolute())),
            creator=lambda: self._connect(writes=writes),
            pool_size=1 if writes else 4,
            max_overflow=0,
            hide_parameters=True,  # an error's text goes into logs and alerts, and values are addresses of people
        )

        def begin(connection: Any) -> None:
            # A deferred transaction that reads and then writes fails at once, whatever busy_timeout says.
            connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")

        # No event is listened for: where there is one listener, every statement looks for listeners.
        engine.dialect.do_begin = begin  # type: ignore[method-assign, assignment] # of this engine alone
        return engine

    def _connect(self, *, writes: bool) -> sqlite3.Connection:
        connection = sqlite3.connect(
            str(self.path.absolute()) if writes else _read_only(self.path),
            uri=not writes,
            timeout=BUSY_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            self._pin(connection, (PRAGMAS | self._own_log()) if writes else READERS_PRAGMAS)
        except BaseException:
            connection.close()
            raise
        return connection

    def _own_log(self) -> Pragmas:
        return {"wal_autocheckpoint": 0} if self._faulty else {}

    def _pin(self, connection: sqlite3.Connection, pragmas: Pragmas) -> None:
        for name, value in pragmas.items():
            connection.execute(f"PRAGMA {name} = {value}")
        for name, value in pragmas.items():
            stands = (connection.execute(f"PRAGMA {name}").fetchone() or (0,))[0]
            if stands != value:
                raise StoreError(
                    f"SQLite keeps {name} = {stands} instead of {value}: is {self.path} on a network disk?"
                )

    def committed(self) -> None:
        """Bring a large log home, alone: the lock keeps other processes from it, TRUNCATE keeps them from writing."""
        if not self._faulty or self._size_of_log() < self._large:
            return
        # Whatever fails here: what was to be kept is kept, and the log can wait.
        with (
            contextlib.suppress(OSError, sqlite3.Error, StoreError),
            (self.folder / "checkpoint.lock").open("a") as lock,
        ):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.closing(self._connect(writes=True)) as connection:
                connection.execute("PRAGMA busy_timeout = 1000")  # an endless reader must not stop the writer
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._large = self._size_of_log() + LARGE_LOG

    def _size_of_log(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError:
            return 0

    # --- what it is --------------------------------------------------------------------------------------------------

    def version(self) -> str | None:
        if sqlite3.sqlite_version_info < LEAST:
            raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old: 3.35 is the least")
        return version_of(self.path)

    def remarks(self) -> list[str]:
        if not self._faulty:
            return []
        return [
            f"SQLite {sqlite3.sqlite_version} has a fault that can damage a database in rare moments; syndicate keeps"
            " clear of it, other programs that write this file may not: install SQLite 3.51.3 or newer"
        ]

    def prepare(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")

    # --- errors ------------------------------------------------------------------------------------------------------

    def meaning(self, error: Exception) -> str | None:
        return _meaning(error)

    def repeats(self, error: DBAPIError) -> int:
        return 0  # one writer at a time: what fails would fail again

    def lost(self, error: DBAPIError) -> bool:
        return "disk i/o" in str(error.orig).lower()

    # --- copies ------------------------------------------------------------------------------------------------------

    def keep(self) -> str:
        kept = unused(self.path.with_suffix(f".before-{HEAD}.db"))
        self.backup(kept)
        return str(kept)

    def backup(self, target: Path) -> None:
        """SQLite's online backup API."""
        with (
            whole(target),
            _sentences(self.path),
            contextlib.closing(sqlite3.connect(_read_only(self.path), uri=True)) as source,
            contextlib.closing(source.execute("PRAGMA schema_version")),  # what cannot be read shows here
            _sentences(target),
            contextlib.closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy)

    def restore(self, backup: Path, kept: str) -> str | None:
        try:
            found = version_of(backup)
        except StoreError as error:
            raise StoreError(f"{backup} is no backup of a syndicate database, or cannot be read") from error
        if found is None:
            raise StoreError(f"{backup} is no backup of a syndicate database")
        refuse_newer(backup, found)
        self.folder.mkdir(parents=True, exist_ok=True)
        former = None
        if self.path.exists() and self.path.stat().st_size:
            former = unused(self.path.with_suffix(f".{kept}.db"))
            self.backup(former)
        self._take(backup)
        return str(former) if former else None

    def _take(self, backup: Path) -> None:
        """SQLite's own copy: takes the file's lock, so that nobody reads half of it."""
        with (
            _sentences(self.path),
            contextlib.closing(sqlite3.connect(_read_only(backup), uri=True)) as source,
            contextlib.closing(sqlite3.connect(self.path, timeout=5)) as target,
        ):
            if self._faulty:
                target.execute("PRAGMA wal_autocheckpoint = 0")
            source.backup(target)

    def check(self, connection: Connection) -> list[str]:
        found = [row[0] for row in connection.execute(text("PRAGMA integrity_check"))]
        bad = [f"integrity: {line}" for line in found if line != "ok"]
        return bad + [f"foreign key: {tuple(row)}" for row in connection.execute(text("PRAGMA foreign_key_check"))]


def _read_only(path: Path) -> str:
    """The file as an address for SQLite; a path may hold "?", "#" and "%"."""
    return f"{path.absolute().as_uri()}?mode=ro"


def version_of(path: Path) -> str | None:
    """The schema's version as a file states it; None for an empty or absent one. Raises StoreError."""
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


def _meaning(error: Exception) -> str | None:
    words = str(getattr(error, "orig", None) or error).lower()
    return next((meaning for mark, meaning in _MEANINGS if mark in words), None)


@contextlib.contextmanager
def _sentences(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        meaning = _meaning(error)
        if meaning is None:
            raise
        raise StoreError(f"the database {path} {meaning}") from error
