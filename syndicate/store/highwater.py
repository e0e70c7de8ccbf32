"""How much was begun on this machine, kept beside the database, so that an older copy of it can be told (rule 25).

`DATA/high-water` holds the ledger's name and the count of attempts begun. It is written before a claim's first byte and
after its commit, so it is never ahead of the database that it belongs to; a restored backup is behind it.
"""

from __future__ import annotations

import fcntl
import os
from datetime import datetime
from pathlib import Path

from sqlalchemy import BigInteger, Connection, Text, cast, delete, select, update

from syndicate.store import pauses
from syndicate.store.schema import channels, deliveries, digests, letters, settings, sources

BEHIND = "behind: "  # how the reason of such a pause begins
_KEY = "attempts"
_RAISED = (
    update(settings)
    .where(settings.c.key == _KEY)
    .values(value=cast(cast(settings.c.value, BigInteger) + 1, Text))
    .returning(settings.c.value)
)  # made once: it is said with every group of letters


class HighWater:
    """The mark beside one database; several processes may raise it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def raise_to(self, ledger: str, count: int) -> int:
        """Write the mark to the disk unless it is as high already; returns how high it was for this ledger.

        Raises OSError: then nothing may be sent.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            name, known = _parsed(os.pread(descriptor, 200, 0))
            if name == ledger and known >= count:
                return known
            # One short line written in place: it lies in one sector, so that a power cut leaves it old or new.
            os.pwrite(descriptor, f"{ledger} {count:020}\n".encode(), 0)
            os.fdatasync(descriptor)
            return known if name == ledger else 0
        finally:
            os.close(descriptor)

    def read(self) -> tuple[str, int]:
        """The ledger's name and the count; ("", 0) where there is none."""
        try:
            return _parsed(self.path.read_bytes())
        except FileNotFoundError:
            return "", 0


def _parsed(line: bytes) -> tuple[str, int]:
    name, _, count = line.decode("ascii", "replace").strip().partition(" ")
    return (name, int(count)) if count.isdecimal() else ("", 0)


def ledger(connection: Connection) -> str:
    """The name that a ledger was given when it was made."""
    return connection.scalar(select(settings.c.value).where(settings.c.key == "ledger")) or ""


def begun(connection: Connection) -> int:
    """Count one more attempt, or group of letters, in the transaction that begins it; returns the count."""
    count = connection.scalar(_RAISED)
    if count is None:
        connection.execute(settings.insert().values(key=_KEY, value="1"))
        return 1
    return int(count)


def count(connection: Connection) -> int:
    """Attempts begun, as this database knows."""
    return int(connection.scalar(select(settings.c.value).where(settings.c.key == _KEY)) or 0)


def pause_if_behind(connection: Connection, mark: tuple[str, int], now: datetime) -> bool:
    """Pause everything where the database is older than what this machine did with it."""
    return mark[0] == ledger(connection) and _pause(connection, mark[1] - count(connection), now)


def is_older(connection: Connection, mark: int, begun: int) -> bool:
    """Whether an older copy took this database's place: it counted `begun` though the mark was as high already.

    No count is handed out twice, and none stands in the mark that the database has not counted; another process may
    have been handed a later one.
    """
    return begun == mark or (begun < mark and count(connection) < mark)


def pause_as_older(connection: Connection, mark: int, begun: int, now: datetime) -> None:
    """Pause everything because of that."""
    _pause(connection, mark - begun + 1, now)


def _pause(connection: Connection, missing: int, now: datetime) -> bool:
    if missing <= 0:
        return False
    reason = (
        f"{BEHIND}this database is a copy from before the last {missing} attempts to send; look what went out, then"
        " `syndicate resume --assume-sent` or `--assume-unsent`"
    )
    pauses.pause(connection, pauses.EVERYTHING, reason, now)
    return True


def is_behind(connection: Connection) -> bool:
    """Whether everything is paused for that."""
    return pauses.standing(connection).get(pauses.EVERYTHING, "").startswith(BEHIND)


def assume(connection: Connection, mark: tuple[str, int], now: datetime, *, sent: bool) -> None:
    """Go on from a restored backup, as a person decided.

    `sent`: whatever was open then went out meanwhile, and so did what is new since; it is not announced again.
    """
    if sent:
        _take_for_sent(connection, now)
    connection.execute(delete(settings).where(settings.c.key == _KEY))
    connection.execute(settings.insert().values(key=_KEY, value=str(mark[1])))
    pauses.resume(connection, pauses.EVERYTHING)


def _take_for_sent(connection: Connection, now: datetime) -> None:
    connection.execute(
        update(letters)
        .where(letters.c.state.in_(["due", "claimed"]))
        .values(state="unknown", owner=None, due_at=None, answer="assumed sent before the backup was restored")
    )
    connection.execute(
        update(deliveries)
        .where(deliveries.c.state.in_(["waiting", "planned", "held", "claimed", "unknown"]))
        .values(state="skipped", owner=None, reason="assumed-sent: it was open in the backup that was restored")
    )
    connection.execute(update(channels).values(since=now))
    connection.execute(update(digests).values(since=now))
    connection.execute(update(sources).values(baseline_at=None, rebaseline=True))
