"""Who may claim: one row a process with a lease, and a file lock that dies with it.

A claim is taken back when its owner's row is gone or lapsed, or its file lock is free: a killed process leaves its
claims to the next one at once, a stopped one after its lease.
"""

from __future__ import annotations

import fcntl
import os
import socket
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, delete, select, update

from syndicate.clock import Clock
from syndicate.errors import StoreError
from syndicate.store import ledger, letters
from syndicate.store.database import Store
from syndicate.store.schema import owners

LEASE = timedelta(seconds=15)
RENEW = 5.0  # seconds
MARGIN = 2.0  # seconds before the end of the lease in which no new byte is begun


class FileLock:
    """An exclusive lock on a file, let go by the system when the process dies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._file = file
        return True

    def release(self, *, remove: bool = True) -> None:
        if self._file is None:
            return
        if remove:
            self.path.unlink(missing_ok=True)
        self._file.close()
        self._file = None


class Owner:
    """This process in the eyes of the ledger."""

    def __init__(self, store: Store, clock: Clock, what: str) -> None:
        self.id = f"{what}-{os.getpid()}-{os.urandom(4).hex()}"
        self.what = what
        self._store = store
        self._clock = clock
        self._folder = store.path.parent / "owners"
        self._lock = FileLock(self._folder / f"{self.id}.lock")
        self._renewed = 0.0

    def open(self) -> None:
        """Take the file lock, then the row."""
        if not self._lock.acquire():
            raise StoreError(f"cannot lock {self._lock.path}")
        self._renewed = self._clock.monotonic()
        self._store.write_now(_register, self.id, self.what, self._clock.now())

    def renew(self) -> None:
        """Prolong the lease; a row that was taken away meanwhile begins anew."""
        begun = self._clock.monotonic()
        self._store.write_now(_renew, self.id, self.what, self._clock.now())
        self._renewed = begun

    def stands(self) -> bool:
        """Whether the lease still stands by the monotonic clock: ask before a first byte."""
        return self._clock.monotonic() - self._renewed < LEASE.total_seconds() - MARGIN

    def take_back(self) -> int:
        """Take back the claims of the dead; returns how many deliveries and letters."""
        claimants = self._store.read_now(_claimants, self.id)
        if not claimants:
            return 0
        dead = [owner for owner in claimants if self._is_dead(owner)]
        dead += self._store.read_now(_lapsed, self.id, claimants, self._clock.now())
        if not dead:
            return 0
        return self._store.write_now(_take_back, sorted(set(dead)), self._clock.now())

    def _is_dead(self, owner: str) -> bool:
        probe = FileLock(self._folder / f"{owner}.lock")
        if not probe.path.exists():
            return False  # another machine's, or long gone: its lease decides
        if not probe.acquire():
            return False
        probe.release()
        return True

    def close(self) -> None:
        """Give back what is claimed and not begun, and leave."""
        try:
            self._store.write_now(_leave, self.id, self._clock.now())
        finally:
            self._lock.release()


def _register(connection: Connection, owner: str, what: str, now: datetime) -> None:
    connection.execute(
        owners.insert().values(
            id=owner, what=what, host=socket.gethostname(), pid=os.getpid(), since=now, lease_until=now + LEASE
        )
    )


def _renew(connection: Connection, owner: str, what: str, now: datetime) -> None:
    kept = connection.execute(
        update(owners).where(owners.c.id == owner, owners.c.lease_until > now).values(lease_until=now + LEASE)
    )
    if not kept.rowcount:
        connection.execute(delete(owners).where(owners.c.id == owner))
        _register(connection, owner, what, now)


def _claimants(connection: Connection, me: str) -> list[str]:
    known = set(connection.scalars(select(owners.c.id)))
    return sorted((known | ledger.claimants(connection) | letters.claimants(connection)) - {me})


def _lapsed(connection: Connection, me: str, claimants: list[str], now: datetime) -> list[str]:
    """Owners without a standing lease, in the eyes of one that has held its own for a whole lease."""
    since = connection.scalar(select(owners.c.since).where(owners.c.id == me))
    if since is None or now - since < LEASE:
        return []
    standing = set(connection.scalars(select(owners.c.id).where(owners.c.lease_until > now)))
    return [owner for owner in claimants if owner not in standing]


def _take_back(connection: Connection, dead: list[str], now: datetime) -> int:
    count: int = ledger.take_back(connection, dead, now) + letters.take_back(connection, dead, now)
    connection.execute(delete(owners).where(owners.c.id.in_(dead)))
    return count


def _leave(connection: Connection, owner: str, now: datetime) -> None:
    ledger.take_back(connection, [owner], now, crashed=False)
    letters.take_back(connection, [owner], now)
    connection.execute(delete(owners).where(owners.c.id == owner))
