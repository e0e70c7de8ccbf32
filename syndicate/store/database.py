"""The connection to the database, whatever kind it is: writers and readers aside, repeats, and errors as sentences.

The store is synchronous. Async code calls `write(fn, …)` and `read(fn, …)`, which run in threads; a statement function
takes the connection first. No transaction is ever open while a socket is used. What a kind of database demands is in
`sqlite` and `postgres`; nothing here knows a dialect.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection, Engine, Row, inspect
from sqlalchemy.exc import DBAPIError, IntegrityError

from syndicate.crashpoint import crashpoint
from syndicate.errors import StoreError
from syndicate.store import highwater
from syndicate.store.inserting import insert_or_ignore as insert_or_ignore
from syndicate.store.schema import HEAD, fill, settings

if TYPE_CHECKING:
    from syndicate.config import Settings

P = ParamSpec("P")
T = TypeVar("T")
AnyRow = Row[*tuple[Any, ...]]

READERS = 4
PAUSES = (0.05, 0.2, 0.8, 2.0, 5.0)
"""Seconds before each repeat of what failed for a passing reason: a server that restarts is back within them."""

TROUBLE_STANDS = 20.0
"""Seconds after a failed write in which one that succeeds says nothing: small ones still fit on a disk that is full."""


class House(Protocol):
    """One database of some kind: what the store must know of that kind, and nothing of what is kept there."""

    where: str
    """What to call it in a sentence; holds no password."""
    folder: Path
    """Where what belongs to it on this machine lies: the high-water mark, the owners' locks."""
    writers: int
    """Transactions that may write at once."""
    shared: bool
    """Whether programs on other machines may be at work in it, so that its tables are changed when told alone."""

    def engine(self, *, writes: bool) -> Engine:
        """Connections for one purpose; readers' cannot write."""

    def version(self) -> str | None:
        """The schema's version as it states it; None where it is empty. Raises StoreError: it is not one of ours."""

    def remarks(self) -> list[str]:
        """What its owner should know of it although it serves; asked once it was opened."""

    def prepare(self, connection: Connection) -> None:
        """Keep others from making or changing tables until this transaction ends."""

    def keep(self) -> str | None:
        """Keep a copy before its tables are changed, and say where; None where that is its owner's business."""

    def committed(self) -> None:
        """A transaction that wrote is over."""

    def meaning(self, error: Exception) -> str | None:
        """The rest of a sentence that begins "the database NAME", for a driver's error; None: it is the program's."""

    def repeats(self, error: DBAPIError) -> int:
        """How often a transaction that failed so is worth repeating: 0 where a repeat would fail the same."""

    def lost(self, error: DBAPIError) -> bool:
        """Whether a commit that failed so may have happened all the same."""

    def backup(self, target: Path) -> None:
        """Copy the database into a new file while others go on. Raises StoreError."""

    def restore(self, backup: Path, kept: str) -> str | None:
        """Put a copy in its place. Returns where the former one was kept, as `kept` marks it. Raises StoreError."""

    def check(self, connection: Connection) -> list[str]:
        """Problems that the database finds in itself; empty is good."""


class Store:
    """A database that is open."""

    def __init__(self, house: House, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.house = house
        self.where = house.where
        self.folder = house.folder
        self.high_water = highwater.HighWater(house.folder / "high-water")
        self.trouble: str | None = None
        """Why nothing can be written, from a write that failed until one succeeds that long after the last failure."""
        self.trouble_stands = TROUBLE_STANDS
        self._failed_at = 0.0
        self.kept: str | None = None
        """The copy that was made before its tables were changed just now."""
        self._sleep = sleep
        self._ledger = ""
        self._writer = house.engine(writes=True)
        self._reader = house.engine(writes=False)
        self._write_threads = ThreadPoolExecutor(house.writers, thread_name_prefix="store-write")
        self._read_threads = ThreadPoolExecutor(READERS, thread_name_prefix="store-read")

    def write_now(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `fn` in one transaction; it is committed when this returns. Raises StoreError.

        `fn` may be run again from its beginning where the database broke the transaction off, so it must have no other
        effect than rows.
        """
        try:
            answer = self._repeated(lambda: self._written(lambda connection: fn(connection, *args, **kwargs)))
        except StoreError as error:
            self._failed(str(error))
            raise
        if self.trouble and time.monotonic() - self._failed_at >= self.trouble_stands:
            self.trouble = None
        return answer

    def _failed(self, why: str) -> None:
        self.trouble, self._failed_at = why, time.monotonic()

    def read_now(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `fn` on a connection that cannot write. Raises StoreError."""

        def read() -> T:
            with self._reader.begin() as connection:
                return fn(connection, *args, **kwargs)

        return self._repeated(read)

    async def write(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`write_now` in a writer's thread: the one queue in front of the database, first come first begun.

        Once begun it is carried to its end, also when the caller is cancelled: the answer must not be lost.
        """
        return await self._to_the_end(self._write_threads, lambda: self.write_now(fn, *args, **kwargs))

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

    def _written(self, fn: Callable[[Connection], T]) -> T:
        done = False
        try:
            with self._writer.begin() as connection:
                answer = fn(connection)
                done = True
        except DBAPIError as error:
            if done and self.house.lost(error):  # it broke in the commit: a repeat might do it twice
                raise StoreError(
                    f"the database {self.where} was lost while it kept a change; whether it did will be seen when it"
                    " is back"
                ) from error
            raise
        self.house.committed()
        return answer

    def _repeated(self, once: Callable[[], T]) -> T:
        """Do it until it succeeds or the failure is not a passing one. Raises StoreError."""
        done = 0
        while True:
            try:
                return once()
            except DBAPIError as error:
                if done >= min(self.house.repeats(error), len(PAUSES)):
                    meaning = None if isinstance(error, IntegrityError) else self.house.meaning(error)
                    if meaning is None:
                        raise
                    raise StoreError(f"the database {self.where} {meaning}") from error
            self._sleep(PAUSES[done])
            done += 1

    async def begin(
        self, now: datetime, fn: Callable[Concatenate[Connection, P], tuple[int, T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`write` a claim of letters, and raise the high-water mark before anybody hears of it, as `note_begun` does.

        `fn` returns the count of what was begun in all, or 0 for nothing, beside its answer.
        """

        def job() -> T:
            count, answer = self.write_now(fn, *args, **kwargs)
            if count:
                self._raise_mark(count, now)
            return answer

        return await self._to_the_end(self._write_threads, job)

    async def note_begun(self, count: int, now: datetime) -> None:
        """Raise the high-water mark before a first byte leaves (rule 25). Raises StoreError: then nothing may.

        Here it shows when a backup was restored under a running program: then everything is paused.
        """
        await self._to_the_end(self._write_threads, lambda: self._raise_mark(count, now))

    def _raise_mark(self, count: int, now: datetime) -> None:
        if not self._ledger:
            self._ledger = self.read_now(highwater.ledger)
        try:
            mark = self.high_water.raise_to(self._ledger, count)
        except OSError as error:
            self._failed(f"cannot write {self.high_water.path}: {error.strerror}; nothing is sent")
            raise StoreError(self.trouble) from error
        if mark >= count and self.read_now(highwater.is_older, mark, count):
            self.write_now(highwater.pause_as_older, mark, count, now)
            raise StoreError(f"the database {self.where} was replaced by an older copy of it: nothing is sent")

    def check(self) -> list[str]:
        """Problems found by the database itself; empty is good."""
        return self.read_now(self.house.check)

    def close(self) -> None:
        self._write_threads.shutdown(wait=True)
        self._read_threads.shutdown(wait=True)
        self._writer.dispose()
        self._reader.dispose()


def house_of(url: str, data: Path) -> House:
    """The database at an address, "" for the usual file; what lies beside it on this machine goes into `data`."""
    if url.startswith("postgresql"):
        from syndicate.store.postgres import Postgres  # loads its driver

        return Postgres(url, data)
    from syndicate.store.sqlite import Sqlite

    return Sqlite(Path(url.partition(":///")[2]) if url else data / "syndicate.db")


def house(settings: Settings) -> House:
    """The database that a configuration names. Raises StoreError: its address or driver is no good."""
    return house_of(settings.database.url.reveal(), settings.data)


def open_ledger(settings: Settings, *, upgrade: bool = False, told: bool = False, may_fill: bool = True) -> Store:
    """Open the database that a configuration names. Raises StoreError."""
    return open_store(house(settings), upgrade=upgrade, told=told, may_fill=may_fill)


def open_store(house: House, *, upgrade: bool, told: bool = False, may_fill: bool = True) -> Store:
    """Open a database; an empty one is filled if it `may`, an older one upgraded (after a backup) if `upgrade`.

    One that others share is upgraded only where a person `told` so.

    Raises StoreError: newer than the program, somebody else's, locked, read-only, not a database, too old.
    """
    try:
        house.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make {house.folder}: {error.strerror}; set `data` to a folder you own") from error
    found = house.version()
    if found == HEAD:
        return Store(house)
    if found is None and not may_fill:
        raise StoreError(f"{house.where} is empty: start `syndicate run` first, or name another one in database.url")
    if found is None:
        return _with_tables(house, _fill)
    from syndicate.store import migrate  # loads the migration tool

    if not migrate.known(found) or not upgrade or (house.shared and not told):
        raise StoreError(misfit(house.where, found))
    kept = house.keep()
    store = _with_tables(house, migrate.upgrade)
    store.kept = kept
    return store


def misfit(where: str, found: str) -> str:
    """Why a database of another version than ours is not opened, and what to do."""
    from syndicate.store import migrate

    if migrate.known(found):
        return f"{where} has an older schema ({found}): run `syndicate db upgrade`"
    return f"{where} was written by a newer syndicate (schema {found}): install that version or newer"


def _with_tables(house: House, make: Callable[[Connection, Callable[[Connection], None]], None]) -> Store:
    store = Store(house)
    try:
        store.write_now(make, house.prepare)
    except BaseException:
        store.close()
        raise
    return store


def _fill(connection: Connection, prepare: Callable[[Connection], None]) -> None:
    """Tables, and a name of its own, so that a copy restored beside another's traces can be told."""
    prepare(connection)
    if inspect(connection).has_table("alembic_version"):
        return  # another process was quicker
    fill(connection)
    connection.execute(settings.insert().values(key="ledger", value=secrets.token_hex(8)))
    crashpoint("migrate.step")
