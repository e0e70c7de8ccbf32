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

from sqlalchemy import Connection, and_, delete, func, select, update

from syndicate.clock import Clock
from syndicate.errors import StoreError
from syndicate.store import claims, confirmations, letters, proofs, scanners
from syndicate.store.database import Store
from syndicate.store.schema import owners, settings

LEASE = timedelta(seconds=15)
RENEW = 5.0  # seconds
MARGIN = 2.0  # seconds before the end of the lease in which no new byte is begun
_SAFE = LEASE.total_seconds() - MARGIN


class FileLock:
    """An exclusive lock on a file, let go by the system when the process dies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            file = self.path.open("a+", encoding="utf-8")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.close()
                return False
            if self._is_in_place(file):
                self._file = file
                return True
            file.close()  # its holder removed the file meanwhile: a lock on it would exclude nobody

    def _is_in_place(self, file: IO[str]) -> bool:
        try:
            return os.path.samestat(os.fstat(file.fileno()), self.path.stat())
        except FileNotFoundError:
            return False

    def release(self, *, remove: bool = True) -> None:
        if self._file is None:
            return
        if remove:
            self.path.unlink(missing_ok=True)
        self._file.close()
        self._file = None


class Owner:
    """This process in the eyes of the claims."""

    def __init__(self, store: Store, clock: Clock, what: str, config: str = "") -> None:
        """`what` it is in the ledger's eyes; `config` names what must be the same on every machine."""
        self.host = socket.gethostname()
        self.id = f"{what}-{os.getpid()}-{os.urandom(4).hex()}"
        self.what = what
        self.config = config
        self.since = clock.now()  # what it does is dated from here on
        self._store = store
        self._clock = clock
        self._folder = store.folder / "owners"
        self._lock = FileLock(self._folder / f"{self.id}.lock")
        self._renewed = self._held_from = 0.0  # by the monotonic clock
        self._watched: dict[str, tuple[datetime | None, float]] = {}  # owner -> its lease, and since when it is so

    def open(self) -> None:
        """Take the file lock, then the row. Raises StoreError: a `run` that lives was told otherwise than this one."""
        if not self._lock.acquire():
            raise StoreError(f"cannot lock {self._lock.path}")
        try:
            self._renewed = self._held_from = self._clock.monotonic()
            self._follow()
            self.since = self._clock.now()
            self.take_back()  # the row of one that was killed here speaks for nobody
            self._store.write_now(_come, self)
        except BaseException:
            self._lock.release()
            raise

    def renew(self) -> None:
        """Prolong the lease; a row that was taken away meanwhile begins anew."""
        begun = self._clock.monotonic()
        self._follow()
        self._store.write_now(_renew, self, self._clock.now())
        if begun - self._renewed >= _SAFE:
            self._held_from = begun
        self._renewed = begun

    def _follow(self) -> None:
        """Go by the clock of a database that several machines share."""
        moment = self._store.read_now(_moment)
        if moment is not None:
            self._clock.follow(moment)

    def now(self) -> datetime:
        return self._clock.now()

    def stands(self, since: float | None = None) -> bool:
        """Whether the lease stands by the monotonic clock, without a break from `since` on: ask before a first byte."""
        unbroken = since is None or self._held_from <= since
        return unbroken and self._clock.monotonic() - self._renewed < _SAFE

    def take_back(self) -> int:
        """Take back the claims of the dead; returns how many deliveries and letters."""
        leases = self._store.read_now(_leases, self.id)
        self._watched = {owner: self._watch(owner, lease) for owner, lease in leases.items()}
        dead = [owner for owner in leases if self._has_lapsed(owner)]
        freed = [lock for owner in leases if (lock := self._lock_of_dead(owner))]
        try:
            dead += [lock.path.stem for lock in freed]
            return self._store.write_now(_take_back, sorted(set(dead)), self._clock.now()) if dead else 0
        finally:
            for lock in freed:
                lock.release()

    def _watch(self, owner: str, lease: datetime | None) -> tuple[datetime | None, float]:
        seen = self._watched.get(owner)
        return seen if seen is not None and seen[0] == lease else (lease, self._clock.monotonic())

    def _has_lapsed(self, owner: str) -> bool:
        """Not renewed for a whole lease, as seen by one that has held its own for as long.

        No wall clock is asked, so that one which jumps makes nobody look dead.
        """
        now = self._clock.monotonic()
        whole = LEASE.total_seconds()
        return self.stands() and now - self._held_from >= whole and now - self._watched[owner][1] >= whole

    def _lock_of_dead(self, owner: str) -> FileLock | None:
        """The lock that the system took from a dead process of this machine; of others there is no file."""
        lock = FileLock(self._folder / f"{owner}.lock")
        return lock if lock.path.exists() and lock.acquire() else None

    def close(self) -> None:
        """Give back what is claimed and not begun, and leave."""
        try:
            self._store.write_now(_leave, self.id, self._clock.now())
        finally:
            self._lock.release()


def _moment(connection: Connection) -> datetime | None:
    """What the database's clock says; None for one that has only the clock of its machine, which is ours."""
    if connection.dialect.name == "sqlite":
        return None
    moment: datetime | None = connection.scalar(select(func.clock_timestamp()))
    return moment


def _come(connection: Connection, owner: Owner) -> None:
    now = owner.now()
    connection.execute(select(settings.c.key).where(settings.c.key == "ledger").with_for_update())  # one at a time
    lives = and_(owners.c.what == scanners.DAEMON, owners.c.lease_until > now)
    for other in connection.execute(select(owners).where(lives).order_by(owners.c.id)):
        if owner.config and other.config and owner.config != other.config:
            raise StoreError(
                f"another `syndicate run` (process {other.pid} on {other.host}) works with another configuration"
                f" on this database: {_difference(owner.config, other.config)}; stop it, or give both the same"
            )
    _register(connection, owner, now)


def _difference(here: str, there: str) -> str:
    """What two configurations, a line for each thing, do not share."""
    ours, theirs = here.splitlines(), there.splitlines()
    only_here = ", ".join(line for line in ours if line not in theirs) or "nothing of it"
    only_there = ", ".join(line for line in theirs if line not in ours) or "nothing of it"
    return f"here {only_here}; there {only_there}"


def _register(connection: Connection, owner: Owner, now: datetime) -> None:
    connection.execute(
        owners.insert().values(
            id=owner.id, what=owner.what, host=owner.host, pid=os.getpid(), since=now, lease_until=now + LEASE,
            config=owner.config,
        )
    )  # fmt: skip


def _renew(connection: Connection, owner: Owner, now: datetime) -> None:
    kept = connection.execute(
        update(owners).where(owners.c.id == owner.id, owners.c.lease_until > now).values(lease_until=now + LEASE)
    )
    if not kept.rowcount:
        connection.execute(delete(owners).where(owners.c.id == owner.id))
        _register(connection, owner, now)


def _leases(connection: Connection, me: str) -> dict[str, datetime | None]:
    """When the lease of every other owner and claimant ends; None: it has no row."""
    leases: dict[str, datetime | None] = dict.fromkeys(
        claims.claimants(connection)
        | letters.claimants(connection)
        | proofs.claimants(connection)
        | confirmations.claimants(connection)
    )
    leases.update(connection.execute(select(owners.c.id, owners.c.lease_until)).all())
    leases.pop(me, None)
    return leases


def _take_back(connection: Connection, dead: list[str], now: datetime) -> int:
    count: int = claims.take_back(connection, dead, now) + letters.take_back(connection, dead, now)
    count += proofs.take_back(connection, dead, now) + confirmations.take_back(connection, dead, now)
    scanners.leave(connection, dead)
    connection.execute(delete(owners).where(owners.c.id.in_(dead)))
    return count


def _leave(connection: Connection, owner: str, now: datetime) -> None:
    claims.take_back(connection, [owner], now, crashed=False)
    letters.take_back(connection, [owner], now, crashed=False)
    proofs.take_back(connection, [owner], now)
    confirmations.take_back(connection, [owner], now, crashed=False)
    scanners.leave(connection, [owner])
    connection.execute(delete(owners).where(owners.c.id == owner))
