"""Proofs: editions shown to their owner before their slot, one a slot however many machines there are.

The row is claimed before the letter leaves; a death in between shows it again, with the same Message-ID.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, select, update

from syndicate.store import pauses
from syndicate.store.database import insert_or_ignore
from syndicate.store.schema import proofs

TRIES = 3  # letters at most that may have left for one proof
GOOD_FOR = timedelta(days=2)  # after its slot, that the link of a proof stops its digest


@dataclass(frozen=True, slots=True)
class Proof:
    """One that is to be shown, or was."""

    id: int
    digest: str
    slot: datetime
    attempt: int
    sent_at: datetime | None = None

    def is_good(self, now: datetime) -> bool:
        """Whether its link may stop anything yet."""
        return now <= self.slot + GOOD_FOR


def wanted(connection: Connection, digest: str, slot: datetime, live: bool, now: datetime) -> bool:
    """Whether nobody has shown that edition, is at it, or gave it up."""
    row = connection.execute(select(proofs).where(_of(digest, slot, live))).first()
    return row is None or (row.due_at is not None and row.due_at <= now)


def claim(
    connection: Connection, digest: str, slot: datetime, *, live: bool, shown: str, owner: str, now: datetime
) -> Proof | None:
    """Take it up; None: somebody else has. `shown` is a hash of what will be."""
    connection.execute(
        insert_or_ignore(connection, proofs).values(
            digest=digest, slot=slot, live=live, made_at=now, due_at=now, hash=shown
        )
    )
    row = connection.execute(
        update(proofs)
        .where(_of(digest, slot, live), proofs.c.due_at <= now)
        .values(owner=owner, due_at=None, attempts=proofs.c.attempts + 1, hash=shown)
        .returning(proofs.c.id, proofs.c.attempts)
    ).first()
    return Proof(row.id, digest, slot, row.attempts) if row else None


def settle(
    connection: Connection, one: Proof, owner: str, *, sent_at: datetime | None, due_at: datetime | None, answer: str
) -> None:
    """Write what came of it; without `due_at` it is not tried again."""
    mine = and_(proofs.c.id == one.id, proofs.c.owner == owner, proofs.c.attempts == one.attempt)
    values = {"owner": None, "sent_at": sent_at, "due_at": due_at, "answer": answer[:500]}
    connection.execute(update(proofs).where(mine).values(values))


def claimants(connection: Connection) -> set[str]:
    """Owners that are at a proof."""
    return {owner for owner in connection.scalars(select(proofs.c.owner).where(proofs.c.owner.is_not(None))) if owner}


def take_back(connection: Connection, owners: Sequence[str], now: datetime) -> int:
    """Proofs of dead owners are due again, but for those that took their owner with them every time."""
    theirs = proofs.c.owner.in_(owners)
    given_up = {"owner": None, "answer": f"given up: the program died {TRIES} times with it in hand"}
    count = connection.execute(update(proofs).where(theirs, proofs.c.attempts >= TRIES).values(given_up)).rowcount
    return count + connection.execute(update(proofs).where(theirs).values(owner=None, due_at=now)).rowcount


def get(connection: Connection, proof: int) -> Proof | None:
    """The proof of that number."""
    row = connection.execute(select(proofs).where(proofs.c.id == proof)).first()
    return Proof(row.id, row.digest, row.slot, row.attempts, row.sent_at) if row else None


def stop(connection: Connection, proof: int, now: datetime) -> Proof | None:
    """Pause the digest of a proof, as its owner wished; None: there is no such proof, or its edition is long over."""
    one = get(connection, proof)
    if one is None or not one.is_good(now):
        return None
    key = f"digest:{one.digest}"
    if not pauses.by_person(connection, [key]):
        pauses.pause(connection, key, f"stopped by the link in the proof for {one.slot:%Y-%m-%d %H:%M} UTC", now)
    return one


def _of(digest: str, slot: datetime, live: bool) -> ColumnElement[bool]:
    return and_(proofs.c.digest == digest, proofs.c.slot == slot, proofs.c.live == live)
