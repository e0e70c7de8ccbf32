"""What servers say of our pace and of us: a recipient's domain that takes no more for a while, a day's quota, a fault
of the whole channel. It stands in the ledger, so that it holds for all workers; decides nothing about single letters.

A domain that asked for a rest (4.7.28) gets none for ten minutes, then one letter at a time, all workers together,
until one is accepted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, delete, select, update

from syndicate.store import pauses
from syndicate.store.among import among
from syndicate.store.letters import CHANNEL
from syndicate.store.pauses import QUOTA, Known
from syndicate.store.schema import letters
from syndicate.store.schema import pauses as rows

DOMAIN_REST = timedelta(minutes=10)
FORGOTTEN = timedelta(hours=1)  # a domain that rested so long without a try has no letter waiting
QUOTA_KEY = f"{QUOTA}{CHANNEL}"
QUOTA_AGAIN = timedelta(hours=1)  # where midnight brought no new quota: some providers count the last 24 hours
_DOMAIN = f"{CHANNEL}:"


@dataclass(frozen=True, slots=True)
class Trouble:
    """An answer that concerns the whole channel: why, and how long it rests before a probe."""

    reason: str
    rest: timedelta
    quota: bool = False  # nobody is to blame and nobody has to do anything: it counts anew after that rest


def next_midnight(moment: datetime) -> datetime:
    """When a day's quota counts anew; whose midnight that is no answer says, so it is UTC's."""
    return (moment + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)


def told(
    connection: Connection, trouble: Trouble | None, resting: Mapping[str, str], accepted: Sequence[int], now: datetime
) -> Known:
    """Write what a group told of the channel: its `trouble`, domains that want a rest (with their words), and which
    letters were `accepted`. Returns what is paused now.
    """
    known = pauses.known(connection)
    changed = bool(accepted and heal(connection, known, accepted, now)) or _forget(connection, known, now)
    if trouble and trouble.quota:
        _use_up(connection, known, trouble, now)
    elif trouble:
        pauses.by_fault(connection, CHANNEL, trouble.reason, now, rest=trouble.rest)
    for domain, words in sorted(resting.items()):
        pauses.by_fault(connection, f"{_DOMAIN}{domain}", words, now, rest=DOMAIN_REST, anew=True)
    return pauses.known(connection) if changed or trouble or resting else known


def closed(known: Known) -> list[str]:
    """Domains whose letters no group may hold."""
    return [key.removeprefix(_DOMAIN) for key in known if key.startswith(_DOMAIN)]


def asleep(known: Known, now: datetime) -> dict[str, datetime]:
    """Those in the first rest that they asked for, and when it ends."""
    return {
        key.removeprefix(_DOMAIN): row.probe_at
        for key, row in known.items()
        if key.startswith(_DOMAIN) and row.by_fault and row.probe_at and row.since + DOMAIN_REST >= row.probe_at > now
    }


def probing(known: Known, now: datetime) -> list[str]:
    """Those of them that have rested: one letter may try."""
    return [
        key.removeprefix(_DOMAIN)
        for key, row in known.items()
        if key.startswith(_DOMAIN) and row.by_fault and row.probe_at is not None and row.probe_at <= now
    ]


def take_probe(connection: Connection, domain: str, now: datetime) -> bool:
    """Whether the one letter that may try is ours; others wait for what becomes of it."""
    ours = and_(rows.c.key == f"{_DOMAIN}{domain}", rows.c.by_fault, rows.c.probe_at <= now)
    return connection.execute(update(rows).where(ours).values(probe_at=now + DOMAIN_REST)).rowcount == 1


def _use_up(connection: Connection, known: Known, trouble: Trouble, now: datetime) -> None:
    row = known.get(QUOTA_KEY)
    if row is None:
        pauses.rest(connection, CHANNEL, now, trouble.rest)
    elif next_midnight(row.since) <= now:  # it was looked for after midnight, in vain
        pauses.rest(connection, CHANNEL, now, QUOTA_AGAIN)


def heal(connection: Connection, known: Known, accepted: Sequence[int], now: datetime) -> bool:
    """End what an accepted mail proves to be over; one that was under way when a rest began proves nothing. Only
    `accepted` letters, by number, prove anything of a domain.
    """
    over = [CHANNEL] if CHANNEL in known and known[CHANNEL].by_fault else []
    if QUOTA_KEY in known and next_midnight(known[QUOTA_KEY].since) <= now:
        over.append(QUOTA_KEY)
    rested = [
        key.removeprefix(_DOMAIN)
        for key, row in known.items()
        if key.startswith(_DOMAIN) and row.by_fault and row.since + DOMAIN_REST <= now
    ]
    if rested:
        query = select(letters.c.domain).where(among(letters.c.id, "group"), letters.c.domain.in_(rested)).distinct()
        over += [f"{_DOMAIN}{domain}" for domain in connection.scalars(query, {"group": accepted})]
    for key in sorted(over):
        pauses.heal(connection, key)
    return bool(over)


def is_stale(connection: Connection, now: datetime) -> bool:
    """Whether something stands that nobody waits for any more."""
    return bool(_stale(pauses.known(connection), now))


def forget(connection: Connection, now: datetime) -> bool:
    """Drop it. True: there was something."""
    return _forget(connection, pauses.known(connection), now)


def _stale(known: Known, now: datetime) -> list[str]:
    past = now - FORGOTTEN
    domains = [key for key, row in known.items() if key.startswith(_DOMAIN) and row.by_fault]
    return [key for key in domains if known[key].probe_at is not None and known[key].probe_at <= past]


def _forget(connection: Connection, known: Known, now: datetime) -> bool:
    old = _stale(known, now)
    if old:
        still = and_(rows.c.by_fault, rows.c.probe_at <= now - FORGOTTEN)  # unless somebody tried it meanwhile
        connection.execute(delete(rows).where(rows.c.key.in_(old), still))
    return bool(old)
