"""Letters: one email delivery owed to one person; which mailings are open, and how they end. `groups` sends them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, exists, func, literal, select, update

from syndicate.delivery import QUARANTINE, TO_RETRY, LetterState
from syndicate.store import mailings, retention
from syndicate.store.retention import counts as counts  # whoever asks for letters need not know where they lie
from syndicate.store.schema import attempts, channels, deliveries, letters
from syndicate.store.schema import mailings as counters

CHANNEL = "email"
QUARANTINED = f"quarantined: the program died {QUARANTINE} times with it in hand; it may have arrived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailing:
    """A frozen email delivery with letters still to go."""

    delivery: int
    subject: str  # the edition's slug, or the article's id
    digest: str | None
    live: bool
    frozen_at: datetime
    payload: Mapping[str, Any]


# --- sending ----------------------------------------------------------------------------------------------------------


def note_attempt(connection: Connection, key: tuple[int, int, int], outcome: str, now: datetime, **said: Any) -> None:
    """Write what came of an attempt: (delivery, letter, number)."""
    named = dict(zip(("delivery", "letter", "number"), key, strict=True))
    connection.execute(attempts.delete().where(*(attempts.c[name] == value for name, value in named.items())))
    connection.execute(attempts.insert().values(**named, started_at=now, ended_at=now, outcome=outcome, **said))


def ended(connection: Connection) -> list[int]:
    """Frozen deliveries that have no letter due or claimed any more."""
    of_it = letters.c.delivery == deliveries.c.id  # a condition each: both are answered from a small partial index
    due = exists().where(of_it, letters.c.state == literal("due", literal_execute=True))
    claimed = exists().where(of_it, letters.c.state == literal("claimed", literal_execute=True))
    d = deliveries.c
    frozen = and_(d.channel == CHANNEL, d.state == "claimed", d.owner.is_(None))
    return list(connection.scalars(select(d.id).where(frozen, ~due, ~claimed)))


def close(connection: Connection, now: datetime) -> list[int]:
    """End the frozen deliveries that have no letter due or claimed any more; returns their ids.

    Each row is locked before it is asked again: a `retry` at the same time comes before or after.
    """
    over = ended(connection)
    if over:
        connection.execute(select(deliveries.c.id).where(deliveries.c.id.in_(over)).with_for_update())
        over = [one for one in ended(connection) if one in over]
    for delivery in over:
        state, reason = _ending(retention.recount(connection, delivery))
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id == delivery)
            .values(state=state, reason=reason, sent_at=now if state == "sent" else None)
        )
    return over


def _ending(people: Mapping[str, int]) -> tuple[str, str | None]:
    for state in ("sent", "rehearsed"):
        if people.get(state):
            return state, None
    for state, ending in (("unknown", "failed"), ("failed", "failed"), ("expired", "expired")):
        if people.get(state):
            return ending, f"{people[state]} letters {state}, none sent"
    return "skipped", "nobody: everybody left before it was sent"


def cancel_due(connection: Connection, delivery: int) -> int:
    """End the letters still due of a delivery."""
    count = connection.execute(
        update(letters)
        .where(letters.c.delivery == delivery, letters.c.state == "due")
        .values(state="expired", due_at=None, answer="cancelled")
    ).rowcount
    if count:
        mailings.recount(connection, delivery)
    return count


def retry_failed(connection: Connection, delivery: int, now: datetime) -> int:
    """Make the letters of a delivery due again that failed, expired or are in doubt, past ones too."""
    retention.fetch_back(connection, delivery)
    count = connection.execute(
        update(letters)
        .where(letters.c.delivery == delivery, letters.c.state.in_([state.value for state in TO_RETRY]))
        .values(state="due", due_at=now, attempts=0, crashes=0, answer=None)
    ).rowcount
    if count:
        mailings.recount(connection, delivery)
        retention.note(connection, delivery, None)
    return count


def resolve_doubt(connection: Connection, delivery: int, now: datetime, *, sent: bool) -> int:
    """A person says of the letters in doubt that they arrived, or that they did not; returns how many."""
    said = {"state": "sent", "sent_at": now} if sent else {"state": "failed", "answer": "a person says it is not there"}
    count = connection.execute(
        update(letters).where(letters.c.delivery == delivery, letters.c.state == "unknown").values(said)
    ).rowcount
    if count:
        mailings.recount(connection, delivery)
    if count and connection.scalar(select(deliveries.c.people).where(deliveries.c.id == delivery)) is not None:
        state, reason = _ending(retention.recount(connection, delivery))
        values = {"state": state, "reason": reason, "sent_at": now if state == "sent" else None}
        failed = and_(deliveries.c.id == delivery, deliveries.c.state == "failed")
        connection.execute(update(deliveries).where(failed).values(values))
    return count


# --- owners and counts ------------------------------------------------------------------------------------------------


def claimants(connection: Connection) -> set[str]:
    """Owners that hold a claimed letter."""
    query = select(letters.c.owner).where(letters.c.state == "claimed").distinct()
    return {owner for owner in connection.scalars(query) if owner}


def take_back(connection: Connection, owners: Sequence[str], now: datetime, *, crashed: bool = True) -> int:
    """Letters of dead owners are due again: mail may be resent, with the same Message-ID and bytes (rule 5).

    After the third crash a letter waits for a person: whatever kills the program, nobody gets more than three copies.
    Not `crashed`: the owner left in order, or lost count of what it had claimed.
    """
    claimed = literal("claimed", literal_execute=True)
    theirs = and_(letters.c.state == claimed, letters.c.owner.in_(owners))
    poisonous = connection.execute(
        update(letters)
        .where(theirs, letters.c.crashes + int(crashed) >= QUARANTINE)
        .values(state="unknown", owner=None, due_at=None, crashes=letters.c.crashes + int(crashed), answer=QUARANTINED)
        .returning(letters.c.delivery, letters.c.id, letters.c.attempts)
    ).all()
    for row in poisonous:
        note_attempt(connection, (row.delivery, row.id, row.attempts), LetterState.UNKNOWN, now, answer=QUARANTINED)
    back = {"state": "due", "due_at": now, "owner": None, "crashes": letters.c.crashes + int(crashed)}
    count = len(poisonous) + connection.execute(update(letters).where(theirs).values(back)).rowcount
    for delivery, ended in sorted(Counter(row.delivery for row in poisonous).items()):
        others = {LetterState.UNKNOWN.value: ended}
        mailings.note(connection, delivery, settled=ended, sent=0, hard=0, now=now, others=others)
    return count


def is_due(connection: Connection, now: datetime) -> bool:
    """Whether any letter waits to be sent now."""
    due = letters.c.state == literal("due", literal_execute=True)
    mailing = and_(deliveries.c.channel == CHANNEL, deliveries.c.state == "claimed")
    of_it = exists().where(letters.c.delivery == deliveries.c.id, due, letters.c.due_at <= now)
    return connection.scalar(select(deliveries.c.id).where(mailing, of_it).limit(1)) is not None


def last_speed(connection: Connection) -> float | None:
    """Letters a second of the last live mailing that tells: it had twenty letters at least, and took a second."""
    m = counters.c
    query = (
        select(m.settled, m.began_at, m.last_at)
        .join_from(counters, deliveries, deliveries.c.id == m.delivery)
        .where(deliveries.c.live, m.settled >= 20, m.last_at.is_not(None))
        .order_by(m.delivery.desc())
        .limit(10)
    )
    for row in connection.execute(query):
        if (seconds := (row.last_at - row.began_at).total_seconds()) >= 1:
            return float(row.settled / seconds)
    return None


def channel_since(connection: Connection) -> datetime | None:
    """When email began, or went live."""
    return connection.scalar(select(channels.c.since).where(channels.c.name == CHANNEL))


def oldest_due(connection: Connection, now: datetime) -> datetime | None:
    """The moment since which a due letter waits."""
    still_open = select(deliveries.c.id).where(deliveries.c.channel == CHANNEL, deliveries.c.state == "claimed")
    return oldest_due_of(connection, connection.scalars(still_open).all(), now)


def oldest_due_of(connection: Connection, ids: Iterable[int], now: datetime) -> datetime | None:
    """The same for these deliveries: one step along the index for each, however many letters are due."""
    le = letters.c
    due = select(le.due_at).where(le.state == literal("due", literal_execute=True), le.due_at <= now)
    first = due.order_by(le.due_at, le.id).limit(1)
    oldest = (connection.scalar(first.where(le.delivery == delivery)) for delivery in ids)
    return min((moment for moment in oldest if moment), default=None)


def failed_since(connection: Connection, moment: datetime) -> dict[int, int]:
    """How many letters of which delivery failed for good, or were left in doubt, since then."""
    query = (
        select(attempts.c.delivery, func.count())
        .where(attempts.c.letter > 0, attempts.c.ended_at >= moment, attempts.c.outcome.in_(["failed", "unknown"]))
        .group_by(attempts.c.delivery)
        .order_by(attempts.c.delivery)
    )
    return dict(connection.execute(query).all())
