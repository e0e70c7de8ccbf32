"""Deliveries and their attempts: what is owed to the public channels, what was tried, what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from importlib import import_module
from typing import Any

from sqlalchemy import Connection, and_, case, func, or_, select, update

from syndicate.delivery import OPEN, Claim, DeliveryState, Receipt, Settlement
from syndicate.pacing import Candidate, Decision, Past
from syndicate.store import pauses
from syndicate.store.database import AnyRow
from syndicate.store.schema import articles, attempts, channels, deliveries

QUARANTINE = 3  # crashes on one row
RECENT = 10  # announcements whose authors and titles count as "lately"

_OPEN = [state.value for state in OPEN]


def insert_or_ignore(connection: Connection, table: Any) -> Any:
    """An INSERT that leaves a row alone that is there already."""
    dialect = import_module(f"sqlalchemy.dialects.{connection.dialect.name}")  # loading both at the start costs 25 ms
    return dialect.insert(table).on_conflict_do_nothing()


# --- channels ---------------------------------------------------------------------------------------------------------


def channels_differ(connection: Connection, wanted: Mapping[str, bool]) -> bool:
    """Whether the ledger knows these channels (name -> live) otherwise."""
    known = {row.name: row.live for row in connection.execute(select(channels.c.name, channels.c.live))}
    return any(known.get(name) != live for name, live in wanted.items())


def sync_channels(connection: Connection, wanted: Mapping[str, bool], now: datetime) -> list[str]:
    """Note the channels there are (name -> live). A new one and one that goes live start from here.

    Returns the names of those that went live now: what was open on them is skipped.
    """
    known = {row.name: row.live for row in connection.execute(select(channels.c.name, channels.c.live))}
    went_live = []
    for name, live in wanted.items():
        if name not in known:
            connection.execute(channels.insert().values(name=name, live=live, since=now))
        elif live and not known[name]:
            went_live.append(name)
            connection.execute(update(channels).where(channels.c.name == name).values(live=True, since=now))
            connection.execute(
                update(deliveries)
                .where(deliveries.c.channel == name, deliveries.c.state.in_([*_OPEN, "claimed", "unknown"]))
                .where(deliveries.c.live.is_(False))
                .values(state=DeliveryState.SKIPPED, reason="before-live: the channel went live after it", owner=None)
            )
        elif live != known[name]:
            connection.execute(update(channels).where(channels.c.name == name).values(live=live))
            connection.execute(
                update(deliveries).where(deliveries.c.channel == name, deliveries.c.state.in_(_OPEN)).values(live=live)
            )
    return went_live


def offer(connection: Connection, articles_: Sequence[Mapping[str, Any]], channel: str, now: datetime) -> None:
    """Owe each article (id, title) to the channel, once. Released just now, it is later than the channel's baseline.

    The moments are not compared: two processes' clocks may differ by more than lies between `run` and `approve`.
    """
    row = connection.execute(select(channels).where(channels.c.name == channel)).first()
    owed = [
        {
            "channel": channel, "kind": "article", "subject": one["id"], "title": one["title"], "state": "waiting",
            "created_at": now, "by_hand": False, "approved": False, "live": row.live,
        }
        for one in articles_
        if row is not None
    ]  # fmt: skip
    if owed:
        connection.execute(insert_or_ignore(connection, deliveries), owed)


# --- planning ---------------------------------------------------------------------------------------------------------


def competes(connection: Connection, channel: str) -> bool:
    """Whether anything waits on a channel."""
    return (
        connection.execute(select(deliveries.c.id).where(deliveries.c.channel == channel, _competes()).limit(1)).first()
        is not None
    )


def candidates(connection: Connection, channel: str) -> list[Candidate]:
    """What waits on a channel, with what planning needs to know of each article."""
    query = (
        select(
            deliveries.c.id, deliveries.c.subject, deliveries.c.approved, articles.c.state.label("article_state"),
            articles.c.released, articles.c.entered, articles.c.delay_from, articles.c.missed_at, articles.c.fields,
        )
        .select_from(deliveries.outerjoin(articles, articles.c.id == deliveries.c.subject))
        .where(deliveries.c.channel == channel, deliveries.c.kind == "article")
        .where(_competes(), deliveries.c.by_hand.is_(False))
        .order_by(deliveries.c.id)
    )  # fmt: skip
    return [_candidate(row, channel) for row in connection.execute(query)]


def _candidate(row: AnyRow, channel: str) -> Candidate:
    fields = json.loads(row.fields or "{}")
    taken = fields.get("channels")
    unwanted = None
    if row.article_state != "ready":
        unwanted = f"not-ready: its article is {row.article_state or 'unknown'}"
    elif taken is not None and channel not in taken:
        unwanted = "front-matter: its author does not want it here"
    return Candidate(
        delivery=row.id,
        article=row.subject,
        title=fields.get("title", ""),
        released=row.released,
        entered=row.entered,
        delay_from=row.delay_from or row.entered,
        description=fields.get("description", ""),
        authors=tuple(fields.get("authors", ())),
        has_image=bool(fields.get("hero_image")),
        approved=row.approved,
        missing=row.missed_at is not None,
        unwanted=unwanted,
    )


def past(connection: Connection, channel: str, day_start: datetime) -> Past:
    """What pacing must know: sent, on the wire and unknown count alike; what was rehearsed paces the rehearsal."""
    d = deliveries.c
    live = select(channels.c.live).where(channels.c.name == channel).scalar_subquery()
    done = or_(
        d.state.in_(["claimed", "unknown"]),
        and_(d.state.in_(["sent", "rehearsed"]), d.live == live),
        and_(d.state == "held", d.reason.startswith("by-hand:")),  # a person's turn counts, or he would get them all
    )
    moment = func.coalesce(d.sent_at, d.due_at, d.planned_for)
    mine = and_(d.channel == channel, d.kind == "article")
    last, last_slot, today = connection.execute(
        select(func.max(moment), func.max(d.planned_for), func.sum(case((moment >= day_start, 1), else_=0)))
        .where(mine, done)
    ).one()  # fmt: skip
    under_way = connection.scalar(
        select(func.count()).where(mine, d.state.in_(["planned", "claimed"]), d.by_hand.is_(False))
    )
    recent = connection.execute(
        select(d.title, articles.c.fields)
        .join_from(deliveries, articles, articles.c.id == d.subject)
        .where(mine, done)
        .order_by(moment.desc())
        .limit(RECENT)
    ).all()
    return Past(
        last=last,
        last_slot=last_slot,
        today=int(today or 0),
        under_way=under_way or 0,
        authors=tuple(author for row in recent[:3] for author in json.loads(row.fields).get("authors", ())),
        titles=tuple(row.title for row in recent),
    )


def _competes() -> Any:
    """Rows that planning may move: those held for another reason than approval need their person."""
    d = deliveries.c
    return and_(d.state.in_(["waiting", "held"]), or_(d.state == "waiting", d.reason.startswith("approve:")))


def write_decisions(connection: Connection, decisions: Iterable[Decision]) -> None:
    """Write down what planning decided; a row that somebody else moved meanwhile is left alone."""
    for decision in decisions:
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id == decision.candidate.delivery, _competes())
            .values(
                state=decision.choice.value,
                reason=decision.reason,
                planned_for=decision.planned_for,
                due_at=decision.planned_for,
            )
        )


# --- claiming and settling --------------------------------------------------------------------------------------------


def claim_one(
    connection: Connection,
    channel: str,
    owner: str,
    live: bool,
    now: datetime,
    day_start: datetime,
    earliest: Callable[[Past], datetime],
    only: Sequence[int] | None = None,
) -> Claim | None:
    """Take up the next due delivery of a channel, or one in doubt whose repeat is due.

    The channel's row is the mutex: one in flight, whatever the number of workers. Pacing is asked once more here,
    since it holds for moments of sending.
    """
    connection.execute(select(channels.c.name).where(channels.c.name == channel).with_for_update())
    if not pauses.open_for(connection, channel, now):
        return None
    d = deliveries.c
    mine = and_(d.channel == channel, d.kind == "article")
    if connection.scalar(select(func.count()).where(mine, d.state == "claimed")):
        return None
    due = and_(mine, d.due_at <= now, d.live == live)  # what was live stays unsettled while we rehearse
    if only is not None:
        due = and_(due, d.id.in_(only))
    doubtful = connection.scalar(select(d.id).where(due, d.state == "unknown").order_by(d.due_at, d.id).limit(1))
    if doubtful is not None:
        return _take(connection, doubtful, "unknown", owner)
    wanted = connection.execute(
        select(d.id, d.by_hand)
        .outerjoin_from(deliveries, articles, articles.c.id == d.subject)
        .where(due, d.state == "planned", or_(d.by_hand, articles.c.missed_at.is_(None)))
        .order_by(d.by_hand.desc(), d.due_at, d.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=deliveries)
    ).first()
    if wanted is None:
        return None
    if not wanted.by_hand and earliest(past(connection, channel, day_start)) > now:
        return None
    return _take(connection, wanted.id, "planned", owner)


def _take(connection: Connection, delivery: int, state: str, owner: str) -> Claim | None:
    row = connection.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery, deliveries.c.state == state)
        .values(state="claimed", owner=owner, attempts=deliveries.c.attempts + 1)
        .returning(deliveries)
    ).first()
    if row is None:
        return None
    return Claim(
        id=row.id,
        channel=row.channel,
        subject=row.subject,
        owner=owner,
        attempt=row.attempts,
        live=row.live,
        planned_for=row.planned_for or row.created_at,
        payload=json.loads(row.payload) if row.payload else None,
        doubtful_since=_doubtful_since(connection, row.id),
    )


def _doubtful_since(connection: Connection, delivery: int) -> datetime | None:
    a = attempts.c
    first: datetime | None = connection.scalar(
        select(func.min(a.started_at)).where(
            a.delivery == delivery, a.letter == 0, or_(a.outcome.is_(None), a.outcome == "in-doubt")
        )
    )
    return first


def begin_attempt(connection: Connection, claim: Claim, payload: Mapping[str, Any], now: datetime) -> bool:
    """Freeze the request and note that an attempt begins: committed before the first byte. False: no longer ours."""
    frozen = connection.execute(
        update(deliveries)
        .where(_still(claim))
        .values(payload=json.dumps(payload, ensure_ascii=False), due_at=now)
    )  # fmt: skip
    if not frozen.rowcount:
        return False
    connection.execute(attempts.insert().values(delivery=claim.id, letter=0, number=claim.attempt, started_at=now))
    return True


def record(connection: Connection, claim: Claim, settlement: Settlement, now: datetime) -> bool:
    """Write what became of a claim. False: too late, somebody took it back; the ledger stands as it is."""
    receipt = settlement.receipt or Receipt()
    values: dict[str, Any] = {
        "state": settlement.state,
        "owner": None,
        "due_at": settlement.due_at,
        "reason": settlement.reason,
    }
    if settlement.sent_at:
        values["sent_at"] = settlement.sent_at
    if settlement.state is DeliveryState.REHEARSED:
        values["due_at"] = now
    if settlement.receipt:
        values |= {"external_id": receipt.external_id, "url": receipt.url}
    settled = connection.execute(update(deliveries).where(_still(claim)).values(values))
    if not settled.rowcount:
        return False
    connection.execute(
        update(attempts)
        .where(attempts.c.delivery == claim.id, attempts.c.letter == 0, attempts.c.number == claim.attempt)
        .values(ended_at=now, outcome=settlement.outcome, status=settlement.status, answer=settlement.answer[:500])
    )
    if settlement.state is DeliveryState.SENT:  # the doubt is settled with it
        connection.execute(
            update(attempts)
            .where(attempts.c.delivery == claim.id, attempts.c.letter == 0, attempts.c.outcome.is_(None))
            .values(outcome="in-doubt")
        )
        pauses.heal(connection, claim.channel)
    if settlement.pauses:
        pauses.by_fault(connection, claim.channel, settlement.pauses, now)
    return True


def _still(claim: Claim) -> Any:
    d = deliveries.c
    return and_(d.id == claim.id, d.state == "claimed", d.owner == claim.owner, d.attempts == claim.attempt)


def hold_for_hand(connection: Connection, claim: Claim, payload: Mapping[str, Any], now: datetime) -> None:
    """No way to post by ourselves: text and card wait for a person."""
    connection.execute(
        update(deliveries)
        .where(_still(claim))
        .values(
            state="held", owner=None, attempts=claim.attempt - 1, due_at=now,
            payload=json.dumps(payload, ensure_ascii=False),
            reason=f"by-hand: post it, then `syndicate deliveries resolve {claim.id} --sent URL`",
        )
    )  # fmt: skip


def give_back(connection: Connection, claim: Claim, now: datetime) -> None:
    """Undo a claim that was not begun."""
    connection.execute(
        update(deliveries)
        .where(_still(claim))
        .values(state="planned", owner=None, attempts=claim.attempt - 1, due_at=now)
    )


def claimants(connection: Connection) -> set[str]:
    """Owners that hold a claimed delivery."""
    query = select(deliveries.c.owner).where(deliveries.c.state == "claimed", deliveries.c.owner.is_not(None))
    return {owner for owner in connection.scalars(query) if owner}


def take_back(connection: Connection, owners: Sequence[str], now: datetime, *, crashed: bool = True) -> int:
    """Put the claims of dead owners right (rules 4 to 6).

    Without an attempt nothing left: planned again. With one whose outcome nobody knows: unknown, its repeat due.
    """
    rows = connection.execute(
        select(deliveries).where(deliveries.c.state == "claimed", deliveries.c.owner.in_(owners))
    ).all()
    for row in rows:
        doubtful = row.live and _doubtful_since(connection, row.id) is not None
        crashes = row.crashes + (1 if crashed else 0)
        values: dict[str, Any] = {"owner": None, "crashes": crashes, "due_at": now}
        if crashes >= QUARANTINE and not doubtful:
            values |= {"state": "held", "reason": f"quarantined: the program died {crashes} times at it"}
        elif doubtful:
            values |= {"state": "unknown", "reason": "the program died while it was being sent"}
        else:
            values |= {"state": "planned"}
        connection.execute(
            update(deliveries).where(deliveries.c.id == row.id, deliveries.c.owner == row.owner).values(values)
        )
    return len(rows)


def cancel_open(connection: Connection, subjects: Sequence[str], reason: str) -> None:
    """Cancel what has not begun of these articles."""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.subject.in_(subjects), deliveries.c.kind == "article", deliveries.c.state.in_(_OPEN))
        .values(state="cancelled", reason=reason, owner=None)
    )


def wait_again(connection: Connection, subjects: Sequence[str]) -> None:
    """Let articles that came back compete again, where only their going away had cancelled them."""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.subject.in_(subjects), deliveries.c.state == "cancelled")
        .where(or_(deliveries.c.reason.startswith("gone:"), deliveries.c.reason.startswith("not-ready:")))
        .values(state="waiting", reason=None, planned_for=None, due_at=None)
    )


def approve_held(connection: Connection, subjects: Sequence[str]) -> None:
    """A person's approval lets the held deliveries of these articles compete."""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.subject.in_(subjects), deliveries.c.state == "held")
        .where(or_(deliveries.c.reason.startswith("approve:"), deliveries.c.reason.startswith("quarantined:")))
        .values(state="waiting", reason="approved", approved=True, crashes=0)
    )


def held_for_approval(connection: Connection) -> list[str]:
    """Articles with a delivery that waits for approval."""
    query = select(deliveries.c.subject).where(deliveries.c.state == "held", deliveries.c.reason.startswith("approve:"))
    return list(connection.scalars(query.distinct()))
