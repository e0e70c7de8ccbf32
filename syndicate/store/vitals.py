"""What the ledger shows of the program's own health: who works, what waits too long, which channel fell silent.

Read often and by anybody, so no question here walks over all letters or all articles.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, exists, func, literal, or_, select

from syndicate.store import claims, letters, pauses
from syndicate.store.schema import channels, deliveries, editions, owners, sources
from syndicate.store.schema import letters as letter_rows

SERVICES = ("run", "worker")  # processes that are meant to stay
_OFFERED = ("waiting", "planned")
_MISSED = timedelta(days=7)  # what expired longer ago is no sign of anything now


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One that may claim, as its row says."""

    id: str
    what: str
    host: str
    pid: int
    lease_until: datetime
    holds: bool  # something is claimed by it


def answers(connection: Connection) -> bool:
    """Whether the database can be asked at all."""
    return connection.execute(select(literal(1))).first() is not None


def processes(connection: Connection) -> list[Process]:
    """Those that have a row, alive or not."""
    holders = claims.claimants(connection) | letters.claimants(connection)
    o = owners.c
    query = select(o.id, o.what, o.host, o.pid, o.lease_until).order_by(o.id)
    return [
        Process(
            id=row.id, what=row.what, host=row.host, pid=row.pid, lease_until=row.lease_until, holds=row.id in holders
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def silent(connection: Connection, moment: datetime) -> list[Process]:
    """Those whose lease ended before that and who are missed: meant to stay, or still holding something."""
    found = [process for process in processes(connection) if process.lease_until < moment]
    return [process for process in found if process.what in SERVICES or process.holds]


def outages(connection: Connection) -> list[tuple[str, str, datetime | None]]:
    """Sources that cannot be read: (name, problem, since when)."""
    s = sources.c
    query = select(s.name, s.problem, s.problem_since).where(s.problem.is_not(None)).order_by(s.name)
    return [(row.name, row.problem, row.problem_since) for row in connection.execute(query)]


def scanned(connection: Connection) -> dict[str, datetime | None]:
    """When each source was last read whole."""
    return {row.name: row.scanned_at for row in connection.execute(select(sources.c.name, sources.c.scanned_at))}


def lags(connection: Connection, moment: datetime) -> list[tuple[str, str]]:
    """Checkouts that have not been up to date since then or longer: (name, why)."""
    s = sources.c
    query = select(s.name, s.lag).where(s.lag.is_not(None), s.lag_since <= moment).order_by(s.name)
    return [(row.name, row.lag) for row in connection.execute(query)]


# --- what waits too long ----------------------------------------------------------------------------------------------


def overdue(connection: Connection, moment: datetime) -> dict[str, datetime]:
    """Channels on which something has been due since before that, and since when; paused ones wait on purpose."""
    paused = {*pauses.standing(connection), *pauses.quotas(connection, moment)}
    d = deliveries.c
    late = select(d.channel, func.min(d.due_at).label("since")).where(d.state == "planned", d.due_at <= moment)
    found = dict(connection.execute(late.group_by(d.channel)).all())
    if oldest := _overdue_letter(connection, moment, paused):
        found[letters.CHANNEL] = min(oldest, found.get(letters.CHANNEL, oldest))
    stops = {pauses.EVERYTHING, pauses.CLOCK} & paused
    return {} if stops else {name: since for name, since in sorted(found.items()) if name not in paused}


def _overdue_letter(connection: Connection, moment: datetime, paused: Collection[str]) -> datetime | None:
    """Where letters are on the wire the others only wait for their turn, if need be for hours."""
    if any(key.startswith(f"{letters.CHANNEL}:") for key in paused):  # a domain that rests
        return None
    d, le = deliveries.c, letter_rows.c
    open_ones = connection.execute(
        select(d.id, editions.c.digest)
        .outerjoin_from(deliveries, editions, and_(d.kind == "edition", editions.c.slug == d.subject))
        .where(d.channel == letters.CHANNEL, d.state == "claimed")
    ).all()
    state = le.state == literal("claimed", literal_execute=True)
    if not open_ones or connection.execute(select(le.id).where(state).limit(1)).first():
        return None
    mine = [row.id for row in open_ones if f"digest:{row.digest}" not in paused]
    return letters.oldest_due_of(connection, mine, moment)


# --- what fell silent -------------------------------------------------------------------------------------------------


def last_sent(connection: Connection) -> dict[str, datetime | None]:
    """When each channel that is there last sent something live."""
    d = deliveries.c
    last = select(func.max(d.sent_at)).where(d.channel == channels.c.name, d.live).scalar_subquery()
    return {row.name: row.last for row in connection.execute(select(channels.c.name, last.label("last")))}


def quiet_since(connection: Connection, channel: str, moment: datetime) -> datetime | None:
    """Since when a live channel has sent nothing although something was offered to it before that moment.

    None: it sent since, was not there yet, or has had nothing to send. What waits for a person does not count.
    """
    began = connection.scalar(select(channels.c.since).where(channels.c.name == channel, channels.c.live))
    sent = last_sent(connection).get(channel)
    quiet = began if sent is None or began is None else max(sent, began)
    if quiet is None or quiet > moment:
        return None
    d = deliveries.c
    waits = d.state.in_(_OFFERED)
    missed = and_(d.state == "expired", d.created_at > moment - _MISSED)
    offered = exists().where(
        d.channel == channel, d.live, d.by_hand.is_(False), or_(waits, missed), d.created_at > quiet,
        d.created_at <= moment,
    )  # fmt: skip
    return quiet if connection.scalar(select(offered)) else None


def unknown(connection: Connection) -> dict[str, int]:
    """How many deliveries of each channel nobody knows the end of."""
    d = deliveries.c
    count = select(func.count()).where(d.channel == channels.c.name, d.state == "unknown").scalar_subquery()
    rows = connection.execute(select(channels.c.name, count.label("n")).order_by(channels.c.name))
    return {row.name: row.n for row in rows if row.n}


def quarantined(connection: Connection, since: datetime) -> dict[int, int]:
    """Mailings begun since then that ended with letters of which nobody knows whether they arrived, and how many."""
    d = deliveries.c
    query = select(d.id, d.people).where(d.channel == letters.CHANNEL, d.created_at > since, d.people.is_not(None))
    found = {row.id: json.loads(row.people).get("unknown", 0) for row in connection.execute(query.order_by(d.id))}
    return {delivery: count for delivery, count in found.items() if count}
