"""Deliveries: what is owed to the channels, what waits there, and what pacing must know of the past."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal, or_, select, update
from sqlalchemy.sql.selectable import ScalarSelect

from syndicate.delivery import OPEN, DeliveryState, LetterState
from syndicate.pacing import Candidate, Choice, Decision, Past
from syndicate.store.among import among
from syndicate.store.database import AnyRow, insert_or_ignore
from syndicate.store.schema import articles, attempts, channels, checks, deliveries, letters
from syndicate.worth import APART, Aired

EMAIL = "email"
RECENT = 10  # announcements whose authors and titles count as "lately"

_OPEN = [state.value for state in OPEN]


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
            _skip_rehearsals(connection, name)
        elif live != known[name]:
            connection.execute(update(channels).where(channels.c.name == name).values(live=live))
            connection.execute(
                update(deliveries).where(deliveries.c.channel == name, deliveries.c.state.in_(_OPEN)).values(live=live)
            )
    return went_live


def _skip_rehearsals(connection: Connection, channel: str) -> None:
    """End what is open of a rehearsal, with its letters: none of it is for the world."""
    d = deliveries.c
    is_open = and_(d.channel == channel, d.state.in_([*_OPEN, "claimed", "unknown"]), d.live.is_(False))
    connection.execute(
        update(letters)
        .where(letters.c.delivery.in_(select(d.id).where(is_open)), letters.c.state.in_(["due", "claimed"]))
        .values(state=LetterState.EXPIRED, due_at=None, owner=None, answer="before live")
    )
    reason = "before-live: the channel went live after it"
    connection.execute(update(deliveries).where(is_open).values(state=DeliveryState.SKIPPED, reason=reason, owner=None))


def offer(connection: Connection, articles_: Sequence[Mapping[str, Any]], channel: str, now: datetime) -> None:
    """Owe each article (id, title) to the channel, once. Released just now, it is later than the channel's baseline.

    The moments are not compared: two processes' clocks may differ by more than lies between `run` and `approve`.
    """
    row = connection.execute(select(channels).where(channels.c.name == channel)).first()
    owed = [
        {
            "channel": channel, "kind": "article", "subject": one["id"], "title": one["title"], "state": "waiting",
            "created_at": now, "by_hand": False, "live": row.live,
        }
        for one in articles_
        if row is not None
    ]  # fmt: skip
    if owed:
        connection.execute(insert_or_ignore(connection, deliveries), owed)


# --- planning ---------------------------------------------------------------------------------------------------------


def lock(connection: Connection, channel: str) -> None:
    """Make planning and claiming on a channel wait for each other: its row is the mutex of its pace."""
    connection.execute(select(channels.c.name).where(channels.c.name == channel).with_for_update())


def competes(connection: Connection, channel: str) -> bool:
    """Whether anything on a channel is for planning to decide: what waits, and what is planned already."""
    query = select(deliveries.c.id).where(deliveries.c.channel == channel, or_(_competes(), _placed()))
    return connection.execute(query.limit(1)).first() is not None


def candidates(connection: Connection, channel: str) -> list[Candidate]:
    """What waits on a channel, with what planning needs to know of each article."""
    return _candidates(connection, channel, and_(_competes(), deliveries.c.by_hand.is_(False)))


def placed(connection: Connection, channel: str) -> list[Candidate]:
    """What is planned on a channel, in the same shape: its article may have gone since."""
    return _candidates(connection, channel, _placed())


def _candidates(connection: Connection, channel: str, which: ColumnElement[bool]) -> list[Candidate]:
    d, a = deliveries.c, articles.c
    query = (
        select(
            d.id, d.subject, d.state, d.reason, d.approved_hash, d.by_hand, d.attempts, a.state.label("article_state"),
            a.hash, a.released, a.entered, a.delay_from, a.missed_at, a.fields, checks.c.state.label("image"),
        )
        .select_from(
            deliveries.outerjoin(articles, a.id == d.subject)
            .outerjoin(checks, and_(checks.c.article == d.subject, checks.c.what == "image"))
        )
        .where(d.channel == channel, d.kind == "article", which)
        .order_by(d.id)
    )  # fmt: skip
    return [_candidate(row, channel) for row in connection.execute(query)]


def _candidate(row: AnyRow, channel: str) -> Candidate:
    fields = json.loads(row.fields or "{}")
    taken = fields.get("channels")
    unwanted = None
    if row.article_state != "ready":
        unwanted = f"not-ready: its article is {row.article_state or 'unknown'}"
    elif taken is not None and channel.casefold() not in taken and not row.by_hand:
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
        has_image=bool(fields.get("hero_image")) and row.image != "bad",
        approved=row.approved_hash is not None and row.approved_hash == row.hash,
        edited=row.approved_hash is not None and row.approved_hash != row.hash,
        missing=row.missed_at is not None,
        tried=row.state == "planned" and (row.by_hand or row.attempts > 0),
        unwanted=unwanted,
        held=row.reason if row.state == "held" else None,
    )


def under_way(connection: Connection, channel: str) -> Sequence[AnyRow]:
    """Articles that have their moment on a channel and have not ended, newest first."""
    d = deliveries.c
    query = select(d.subject, d.title, d.state, d.planned_for, d.by_hand, d.reason, d.why)
    mine = and_(d.channel == channel, d.kind == "article", d.state.in_(["planned", "claimed", "unknown"]))
    return connection.execute(query.where(mine).order_by(d.id.desc())).all()


def past(connection: Connection, channel: str, day_start: datetime) -> Past:
    """What pacing must know: sent, on the wire and unknown count alike; what was rehearsed paces the rehearsal.

    Only the newest rows are read: a channel without limits has many.
    """
    d = deliveries.c
    mine = and_(d.channel == channel, d.kind == "article")
    live = bool(connection.scalar(select(channels.c.live).where(channels.c.name == channel)))
    state, moment = ("sent", d.sent_at) if live else ("rehearsed", d.due_at)
    ended = and_(mine, d.state == state, d.live == live)
    newest = select(d.subject, d.title, d.planned_for, moment.label("moment")).where(ended).order_by(moment.desc())
    unsettled = _unsettled(connection, mine)
    rows = sorted((*connection.execute(newest.limit(RECENT)), *unsettled), key=lambda row: row.moment, reverse=True)
    under_way = and_(mine, d.state.in_(["planned", "claimed"]), d.by_hand.is_(False), d.live == live)
    return Past(
        last=rows[0].moment if rows else None,
        last_slot=max((row.planned_for for row in rows if row.planned_for), default=None),
        today=(connection.scalar(select(func.count()).where(ended, moment >= day_start)) or 0)
        + sum(row.moment >= day_start for row in unsettled),
        under_way=connection.scalar(select(func.count()).where(under_way)) or 0,
        authors=_authors(connection, [row.subject for row in rows[:3]]),
        titles=tuple(row.title for row in rows[:RECENT]),
    )


def recent(connection: Connection, channel: str, now: datetime) -> tuple[Aired, ...]:
    """What may rule out a near-twin now: went out less than `APART` ago, may be out there, or is planned.

    What is planned and has not gone out yet counts from now: it may go any moment. What was taken back made room.
    """
    d = deliveries.c
    mine = and_(d.channel == channel, d.kind == "article")
    live = bool(connection.scalar(select(channels.c.live).where(channels.c.name == channel)))
    state, moment = ("sent", d.sent_at) if live else ("rehearsed", d.due_at)
    ended = and_(mine, d.state == state, d.live == live, moment > now - APART, d.retracted_at.is_(None))
    open_ = and_(mine, d.state == "planned", d.live == live, d.due_at < now + APART)
    return (
        *(Aired(title=row.title, moment=row.moment) for row in _titles(connection, moment, ended)),
        *(Aired(title=row.title, moment=max(row.moment, now)) for row in _titles(connection, d.due_at, open_)),
        *(Aired(title=row.title, moment=row.moment) for row in _unsettled(connection, mine)),
    )


def _titles(connection: Connection, moment: ColumnElement[Any], which: ColumnElement[bool]) -> Sequence[AnyRow]:
    return connection.execute(select(deliveries.c.title, moment.label("moment")).where(which)).all()


def _unsettled(connection: Connection, mine: ColumnElement[bool]) -> Sequence[AnyRow]:
    """What may be out there: on the wire, in doubt, or with a person who posts it (he would get them all at once)."""
    d, a = deliveries.c, attempts.c
    tried = select(func.max(a.started_at)).where(a.delivery == d.id, a.letter == 0).scalar_subquery()
    moment = func.coalesce(tried, d.due_at, d.planned_for, d.created_at).label("moment")
    return connection.execute(
        select(d.subject, d.title, d.planned_for, moment)
        .where(mine, d.state.in_(["claimed", "unknown", "held"]))
        .where(or_(d.state != "held", d.reason.startswith("by-hand:")))
    ).all()


def _authors(connection: Connection, ids: Sequence[str]) -> tuple[str, ...]:
    found = connection.scalars(select(articles.c.fields).where(articles.c.id.in_(ids)))
    return tuple(author for fields in found for author in json.loads(fields).get("authors", ()))


def _placed() -> ColumnElement[bool]:
    return deliveries.c.state == "planned"


def _competes() -> ColumnElement[bool]:
    """Rows that planning may move: those held for another reason than approval need their person."""
    d = deliveries.c
    return and_(d.state.in_(["waiting", "held"]), or_(d.state == "waiting", d.reason.startswith("approve:")))


def write_decisions(connection: Connection, decisions: Iterable[Decision]) -> None:
    """Write down what planning decided; a row that somebody else moved meanwhile is left alone.

    What is held keeps the moment that a person gave it by hand.
    """
    for decision in decisions:
        words: dict[str, str | None] = {"reason": decision.reason}
        if decision.choice is Choice.PLAN:  # kept for good: what becomes of it has words of its own
            words = {"reason": None, "why": decision.reason}
        kept = case((deliveries.c.by_hand, deliveries.c.planned_for)) if decision.choice is Choice.HOLD else None
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id == decision.candidate.delivery, or_(_competes(), _placed()))
            .values(
                state=decision.choice.value,
                planned_for=decision.planned_for if kept is None else kept,
                due_at=decision.planned_for,
                **words,
            )
        )


# --- following the articles -------------------------------------------------------------------------------------------


def cancel_open(connection: Connection, subjects: Sequence[str], reason: str) -> None:
    """Cancel what has not begun of these articles."""
    connection.execute(
        update(deliveries)
        .where(among(deliveries.c.subject, "subjects"), deliveries.c.kind == "article", deliveries.c.state.in_(_OPEN))
        .values(state="cancelled", reason=reason, owner=None),
        {"subjects": subjects},
    )


def wait_again(connection: Connection, subjects: Sequence[str]) -> None:
    """Let articles that came back compete again, where only their going away had cancelled them.

    What was to be sent by hand competes like the others now, and letters need their person again. What was cancelled
    in rehearsal stays so on a channel that is live by now: it is older than the channel's baseline.
    """
    d = deliveries.c
    live = select(channels.c.live).where(channels.c.name == d.channel).scalar_subquery()
    connection.execute(
        update(deliveries)
        .where(d.subject.in_(subjects), d.state == "cancelled", d.channel != EMAIL, or_(d.live, ~live))
        .where(or_(d.reason.startswith("gone:"), d.reason.startswith("not-ready:")))
        .values(state="waiting", reason=None, why=None, planned_for=None, due_at=None, by_hand=False, live=live)
    )


def approve_held(connection: Connection, subjects: Sequence[str], now: datetime) -> None:
    """A person's approval lets the held deliveries of these articles compete, with the text as it is now.

    What he had sent by hand does not compete: it is due at its moment, or at once where that is over.
    """
    d = deliveries.c
    moment = case((d.planned_for > now, d.planned_for), else_=literal(now, d.planned_for.type))
    held = (
        update(deliveries)
        .where(d.subject.in_(subjects), d.kind == "article", d.state == "held")
        .where(or_(d.reason.startswith("approve:"), d.reason.startswith("quarantined:")))
        .values(reason="approved", approved_hash=text_of(d.subject), payload=None, crashes=0)
    )
    connection.execute(held.where(d.by_hand).values(state="planned", planned_for=moment, due_at=moment))
    connection.execute(held.where(d.by_hand.is_(False)).values(state="waiting"))


def text_of(article: ColumnElement[str] | str) -> ScalarSelect[Any]:
    """What tells an article's text as it is now from every other: what an approval is bound to."""
    return select(articles.c.hash).where(articles.c.id == article).scalar_subquery()


def held_for_approval(connection: Connection) -> list[str]:
    """Articles with a delivery that waits for approval."""
    d = deliveries.c
    query = select(d.subject).where(d.kind == "article", d.state == "held", d.reason.startswith("approve:"))
    return list(connection.scalars(query.distinct()))
