"""Claims: who takes up which delivery of a public channel, what was tried, and what came of it (rules 2 to 6)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, or_, select, true, update

from syndicate.article import Article
from syndicate.delivery import QUARANTINE, Claim, DeliveryState, Receipt, Settlement, trips
from syndicate.pacing import EDITED, Past
from syndicate.store import articles as catalogue
from syndicate.store import checks, highwater, ledger, pauses
from syndicate.store.database import AnyRow
from syndicate.store.pauses import Gate
from syndicate.store.schema import articles, attempts, channels, deliveries


def claim_one(
    connection: Connection,
    channel: str,
    owner: str,
    live: bool,
    now: datetime,
    day_start: datetime,
    earliest: Callable[[Past], datetime],
    only: Sequence[int] | None = None,
    *,
    approve: bool = False,
) -> Claim | None:
    """Take up the next due delivery of a channel, or before all others one in doubt once its repeat is due.

    The channel's row is the mutex: one in flight, whatever the number of workers. Pacing is asked once more here,
    since it holds for moments of sending. With `approve` only the very text that a person approved is taken up.
    An owner asks once at a time, and not before it told what became of its last claim.
    """
    ledger.lock(connection, channel)
    gate = pauses.gate(connection, [channel, f"{pauses.QUOTA}{channel}"], now)
    if not gate:
        return None
    if gate is Gate.PROBE:
        pauses.rested(connection, channel, now)
    d = deliveries.c
    mine = and_(d.channel == channel, d.kind == "article")
    _put_strays_right(connection, and_(mine, d.state == "claimed", d.owner == owner), now)
    if connection.scalar(select(func.count()).where(mine, d.state == "claimed")):
        return None
    mine = and_(mine, d.live == live)  # what was live stays unsettled while we rehearse
    doubt = _first_in_doubt(connection, mine)
    wanted = connection.execute(
        select(d.id, d.by_hand)
        .outerjoin_from(deliveries, articles, articles.c.id == d.subject)
        .where(mine, d.state == "planned", d.due_at <= now, _may_be_announced(approve=approve))
        .where(d.id.in_(only) if only is not None else true())
        .order_by(d.by_hand.desc(), d.due_at, d.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=deliveries)
    ).first()
    if doubt is not None and (only is None or wanted is not None or doubt.id in only):
        return _take(connection, doubt.id, "unknown", owner, now, approve=approve) if doubt.due_at <= now else None
    if wanted is None:
        return None
    if not wanted.by_hand and earliest(ledger.past(connection, channel, day_start)) > now:
        return None
    return _take(connection, wanted.id, "planned", owner, now, approve=approve)


def _first_in_doubt(connection: Connection, mine: ColumnElement[bool]) -> AnyRow | None:
    """The doubt whose repeat comes next. It is the one delivery in flight until that told, so nothing else is begun."""
    d = deliveries.c
    return connection.execute(
        select(d.id, d.due_at)
        .outerjoin_from(deliveries, articles, articles.c.id == d.subject)
        .where(mine, d.state == "unknown", d.due_at.is_not(None), _may_be_repeated())
        .order_by(d.due_at, d.id)
        .limit(1)
    ).first()


def _may_be_announced(*, approve: bool = False) -> ColumnElement[bool]:
    """Its file was there in the last scan and review still says ready; by hand too. Planning cancels the others.

    With `approve` its text is the one that a person approved; planning holds the others.
    """
    a = articles.c
    good = and_(a.state == "ready", a.missed_at.is_(None))
    return or_(a.id.is_(None), and_(good, deliveries.c.approved_hash == a.hash) if approve else good)


def _may_be_repeated() -> ColumnElement[bool]:
    """A repeat that finds nothing makes the post: not of an article that a person rejected or took back meanwhile."""
    return or_(articles.c.verdict.is_(None), articles.c.verdict != "rejected")


def _take(
    connection: Connection, delivery: int, state: str, owner: str, now: datetime, *, approve: bool
) -> Claim | None:
    row = connection.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery, deliveries.c.state == state)
        .values(state="claimed", owner=owner, attempts=deliveries.c.attempts + 1)
        .returning(deliveries)
    ).first()
    if row is None:
        return None
    pauses.probed(connection, [row.channel], now)  # before its attempt begins: preparing asks the provider too
    return Claim(
        id=row.id,
        channel=row.channel,
        subject=row.subject,
        owner=owner,
        attempt=row.attempts,
        live=row.live,
        planned_for=row.planned_for or row.created_at,
        payload=json.loads(row.payload) if row.payload else None,
        approved_hash=row.approved_hash if approve else None,
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


def begin_attempt(connection: Connection, claim: Claim, payload: Mapping[str, Any], now: datetime) -> int:
    """Freeze the request and note that an attempt begins: committed before the first byte.

    Returns how many attempts the ledger has begun, for the high-water mark; 0: the claim is no longer ours, or its
    article was rejected, taken back or lost since.
    """
    a = articles.c
    allowed = _may_be_repeated() if claim.doubtful_since else and_(a.state == "ready", a.missed_at.is_(None))
    forbidden = exists().where(a.id == claim.subject, ~allowed)
    frozen = connection.execute(
        update(deliveries)
        .where(_still(claim), ~forbidden)
        .values(payload=json.dumps(payload, ensure_ascii=False), due_at=now)
    )  # fmt: skip
    if not frozen.rowcount:
        return 0
    connection.execute(attempts.insert().values(delivery=claim.id, letter=0, number=claim.attempt, started_at=now))
    return highwater.begun(connection)


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
    ledger.lock(connection, claim.channel)
    settled = connection.execute(update(deliveries).where(_still(claim)).values(values))
    if not settled.rowcount:
        return False
    tried = connection.execute(
        update(attempts)
        .where(attempts.c.delivery == claim.id, attempts.c.letter == 0, attempts.c.number == claim.attempt)
        .values(ended_at=now, outcome=settlement.outcome, status=settlement.status, answer=settlement.answer[:500])
    )
    if tried.rowcount and claim.live:
        _count_failures(connection, claim, settlement, now)
    if settlement.state is DeliveryState.SENT:  # the doubt is settled with it
        _end_open_attempts(connection, claim.id, "in-doubt")
        pauses.heal(connection, claim.channel)
    if settlement.pauses:
        pauses.by_fault(connection, claim.channel, settlement.pauses, now)
    if settlement.rests:
        pauses.rest(connection, claim.channel, now, settlement.rests)
    return True


def _count_failures(connection: Connection, claim: Claim, settlement: Settlement, now: datetime) -> None:
    """A provider that is down is left alone for a while, then probed by one row; any other answer ends that."""
    mine = channels.c.name == claim.channel
    before: int = connection.scalar(select(channels.c.failures).where(mine)) or 0
    after = before + 1 if settlement.is_down else 0
    if after != before:
        connection.execute(update(channels).where(mine).values(failures=after))
    if rest := trips(after, repeats=_is_new_doubt(claim, settlement)):
        reason = f"it does not work ({settlement.reason}); it is tried again by itself"
        pauses.by_fault(connection, claim.channel, reason, now, rest=rest)
    elif trips(before):
        pauses.heal(connection, claim.channel)


def _is_new_doubt(claim: Claim, settlement: Settlement) -> bool:
    return settlement.state is DeliveryState.UNKNOWN and claim.doubtful_since is None


def _still(claim: Claim) -> Any:
    d = deliveries.c
    return and_(d.id == claim.id, d.state == "claimed", d.owner == claim.owner, d.attempts == claim.attempt)


def text(connection: Connection, claim: Claim) -> tuple[Article, str | None, str] | None:
    """What a claim announces, as it is in the catalogue now, and what its approval is bound to.

    Its hero image is an absolute address; one that is known not to be there comes second instead.
    """
    row = connection.execute(select(articles).where(articles.c.id == claim.subject)).first()
    if row is None:
        return None
    return *checks.dress_one(connection, catalogue.article_of(row)), row.hash


def hold_edited(connection: Connection, claim: Claim) -> None:
    """Its text is no longer the approved one: a person looks again."""
    d = deliveries.c
    connection.execute(
        update(deliveries)
        .where(_still(claim))
        .values(
            state="held", owner=None, attempts=claim.attempt - 1, due_at=None, reason=EDITED,
            planned_for=case((d.by_hand, d.planned_for)),
        )
    )  # fmt: skip


def hold_for_hand(connection: Connection, claim: Claim, payload: Mapping[str, Any], now: datetime) -> None:
    """No way to post by ourselves: text and card wait for a person."""
    connection.execute(
        update(deliveries)
        .where(_still(claim))
        .values(
            state="held", owner=None, attempts=claim.attempt - 1, due_at=now,
            payload=json.dumps(payload, ensure_ascii=False),
            reason=(
                f"by-hand: `syndicate deliveries show {claim.id}` shows what to copy; post it, then"
                f" `syndicate deliveries resolve {claim.id} --sent URL`"
            ),
        )
    )  # fmt: skip


def give_back(connection: Connection, claim: Claim, now: datetime) -> None:
    """Undo a claim that was not begun: the row is as it was."""
    connection.execute(
        update(deliveries)
        .where(_still(claim))
        .values(
            state="unknown" if claim.doubtful_since else "planned",
            owner=None,
            attempts=claim.attempt - 1,
            due_at=now,
        )
    )


# --- taking back ------------------------------------------------------------------------------------------------------


def claimants(connection: Connection) -> set[str]:
    """Owners that hold a claimed delivery."""
    return set(connection.scalars(select(deliveries.c.owner).where(deliveries.c.owner.is_not(None))))


def take_back(connection: Connection, owners: Sequence[str], now: datetime, *, crashed: bool = True) -> int:
    """Put the claims of dead owners right; returns how many there were."""
    rows = connection.execute(
        select(deliveries).where(deliveries.c.state == "claimed", deliveries.c.owner.in_(owners))
    ).all()
    for row in rows:
        _put_right(connection, row, now, crashed=crashed)
    return len(rows)


def _put_strays_right(connection: Connection, strays: ColumnElement[bool], now: datetime) -> None:
    """What its owner claimed before and does not know of: the answer to that commit was lost, and its row with it."""
    for row in connection.execute(select(deliveries).where(strays)).all():
        _put_right(connection, row, now, crashed=False)


def put_right(connection: Connection, claim: Claim, now: datetime) -> None:
    """Put one's own claim right after an error that left it half done."""
    row = connection.execute(select(deliveries).where(_still(claim))).first()
    if row is not None:
        _put_right(connection, row, now, crashed=False)


def _put_right(connection: Connection, row: AnyRow, now: datetime, *, crashed: bool) -> None:
    """Without an attempt nothing left: planned again. With one whose outcome nobody knows: unknown (rules 4 to 6).

    After the third crash a person must look, and what is in doubt is not repeated by itself any more.
    """
    doubtful = row.live and _doubtful_since(connection, row.id) is not None
    crashes = row.crashes + (1 if crashed else 0)
    told = f"the program died {crashes} times at it"
    values: dict[str, Any] = {"state": "planned"}
    if doubtful:
        values = {"state": "unknown", "reason": "the program died while it was being sent"}
    if crashes >= QUARANTINE:
        values = {"state": "unknown" if doubtful else "held", "reason": f"quarantined: {told}"}
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id == row.id, deliveries.c.state == "claimed", deliveries.c.owner == row.owner)
        .values(owner=None, crashes=crashes, due_at=None if crashes >= QUARANTINE else now, **values)
    )
    if not doubtful:
        _end_open_attempts(connection, row.id, "crashed")


def _end_open_attempts(connection: Connection, delivery: int, outcome: str) -> None:
    a = attempts.c
    connection.execute(
        update(attempts).where(a.delivery == delivery, a.letter == 0, a.outcome.is_(None)).values(outcome=outcome)
    )
