"""What the newsroom's first page asks the ledger: few rows to a question, each found by an index, none read in vain.

Changes nothing, and judges nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from syndicate.store.database import AnyRow
from syndicate.store.letters import CHANNEL
from syndicate.store.schema import alerts, articles, deliveries, editions, mailings, pauses

MOST_HELD = 6  # deliveries shown of a channel
MOST_OF_A_RULE = 3  # articles shown of a rule that holds more than FEW
FEW = 5
LATELY = timedelta(days=7)  # what failed longer ago is in the lists of its channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """One delivery, without what was frozen for it."""

    id: int
    channel: str
    kind: str
    subject: str
    title: str
    state: str
    live: bool
    by_hand: bool
    at: datetime  # the moment that says most: sent, planned, made
    url: str
    reason: str
    why: str
    frozen: bool  # there is something to show
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldArticle:
    """An article that waits for a person."""

    id: str
    title: str
    url: str
    hash: str  # tells its text from every other
    reasons: Sequence[str]
    first_seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """All articles that one rule holds: every one where they are few, else the newest."""

    code: str
    count: int
    meant: int  # those that it holds among other rules as well: what `approve --rule` releases
    newest: Sequence[HeldArticle]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailing:
    """A mailing under way, beside its progress."""

    delivery: int
    title: str
    digest: str  # "" for a letter of one article
    live: bool
    hard: int  # mailboxes that do not exist


_d = deliveries.c
_SHOWN = (
    _d.id, _d.channel, _d.kind, _d.subject, _d.title, _d.state, _d.live, _d.by_hand, _d.created_at, _d.planned_for,
    _d.due_at, _d.sent_at, _d.url, _d.reason, _d.why, _d.attempts, _d.payload.is_not(None).label("frozen"),
)  # fmt: skip


def owed(connection: Connection, ids: Iterable[int]) -> dict[int, Owed]:
    """These deliveries."""
    return {row.id: _owed(row) for row in connection.execute(select(*_SHOWN).where(_d.id.in_(list(ids))))}


def of_state(connection: Connection, channel: str, state: str, limit: int, before: int | None = None) -> list[Owed]:
    """Deliveries of a channel in one state, the newest first, or those made before that one."""
    mine = and_(_d.channel == channel, _d.state == state)
    ids = select(_d.id).where(mine if before is None else and_(mine, _d.id < before)).order_by(_d.id.desc())
    return sorted(owed(connection, list(connection.scalars(ids.limit(limit)))).values(), key=lambda one: -one.id)


def of_subject(connection: Connection, subject: str) -> list[Owed]:
    """All of an article or an edition, in order."""
    ids = connection.scalars(select(_d.id).where(_d.subject == subject).order_by(_d.id))
    return list(owed(connection, list(ids)).values())


def _owed(row: AnyRow) -> Owed:
    moment = row.sent_at or (row.planned_for if row.state in ("planned", "claimed", "held") else row.due_at)
    why = (row.why or "") if row.kind == "article" else ""  # of an edition it is a table, article by article
    return Owed(
        id=row.id, channel=row.channel, kind=row.kind, subject=row.subject, title=row.title, state=row.state,
        live=row.live, by_hand=row.by_hand, at=moment or row.created_at, url=row.url or "", reason=row.reason or "",
        why=why, frozen=row.frozen, attempts=row.attempts,
    )  # fmt: skip


# --- needs a person ---------------------------------------------------------------------------------------------------


def held_counts(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    """How many deliveries of each channel wait for a person."""
    query = select(_d.channel, func.count().label("n")).where(_d.channel.in_(names), _d.state == "held")
    return {row.channel: row.n for row in connection.execute(query.group_by(_d.channel))}


def held_articles(connection: Connection) -> list[Held]:
    """Articles that are held, by the rule that holds them, the most first."""
    a = articles.c
    code = _code(connection).label("code")
    counted = select(code, func.count().label("n")).where(a.state == "held").group_by(code)
    groups = sorted(((row.n, row.code) for row in connection.execute(counted)), key=lambda one: (-one[0], one[1]))
    return [
        Held(
            code=name,
            count=count,
            meant=_meant(connection, name) if count > FEW else count,
            newest=_newest(connection, code == name, count),
        )
        for count, name in groups
    ]


def _meant(connection: Connection, code: str) -> int:
    a = articles.c
    first, later = a.reasons.startswith(f'["{code}', autoescape=True), a.reasons.contains(f', "{code}', autoescape=True)
    query = select(func.count()).select_from(articles).where(a.state == "held", or_(first, later))
    return connection.scalar(query) or 0


def _newest(connection: Connection, which: ColumnElement[bool], count: int) -> list[HeldArticle]:
    a = articles.c
    query = (
        select(a.id, a.url, a.hash, a.fields, a.reasons, a.first_seen)
        .where(a.state == "held", which)
        .order_by(a.first_seen.desc(), a.id)
        .limit(FEW if count <= FEW else MOST_OF_A_RULE)
    )
    return [
        HeldArticle(
            id=row.id, title=json.loads(row.fields).get("title", ""), url=row.url, hash=row.hash,
            reasons=json.loads(row.reasons), first_seen=row.first_seen,
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def _code(connection: Connection) -> ColumnElement[str]:
    """The code that an article's first reason begins with, of the list's JSON text `["code: words", ...`."""
    reasons = articles.c.reasons
    at = func.instr(reasons, ":") if connection.dialect.name == "sqlite" else func.strpos(reasons, ":")
    return func.substr(reasons, 3, func.coalesce(func.nullif(at, 0), 3) - 3)


# --- what went out ----------------------------------------------------------------------------------------------------


def went_out(connection: Connection, names: Sequence[str], limit: int, now: datetime) -> list[Owed]:
    """The last that ended on any channel, the newest first: sent, rehearsed, and what failed of late."""
    ids: list[int] = []
    for name in names:
        mine = _d.channel == name
        sent = select(_d.id).where(mine, _d.sent_at.is_not(None)).order_by(_d.sent_at.desc())
        rehearsed = select(_d.id).where(mine, _d.state == "rehearsed").order_by(_d.due_at.desc())
        failed = select(_d.id).where(mine, _d.state == "failed", _d.created_at > now - LATELY).order_by(_d.id.desc())
        for query in (sent, rehearsed, failed):
            ids += connection.scalars(query.limit(limit))
    found = [one for one in owed(connection, ids).values() if one.state != "claimed"]
    return sorted(found, key=lambda one: (one.at, one.id), reverse=True)[:limit]


def sent_since(connection: Connection, names: Sequence[str], moment: datetime) -> dict[str, int]:
    """How many went out on each channel since then."""
    query = select(_d.channel, func.count().label("n")).where(_d.channel.in_(names), _d.sent_at >= moment)
    return {row.channel: row.n for row in connection.execute(query.group_by(_d.channel))}


def mailings_under_way(connection: Connection) -> list[Mailing]:
    """What is on its way to people."""
    query = (
        select(mailings.c.delivery, mailings.c.hard, _d.title, _d.live, editions.c.digest)
        .join_from(mailings, deliveries, _d.id == mailings.c.delivery)
        .outerjoin(editions, and_(_d.kind == "edition", editions.c.slug == _d.subject))
        .where(_d.channel == CHANNEL, _d.state == "claimed")
        .order_by(mailings.c.delivery)
    )
    return [
        Mailing(delivery=row.delivery, title=row.title, digest=row.digest or "", live=row.live, hard=row.hard)
        for row in connection.execute(query)
    ]  # fmt: skip


# --- what is wrong, and since when ------------------------------------------------------------------------------------


def since(connection: Connection) -> dict[str, datetime]:
    """Since when problems stand, by key, as far as anybody noted it; those of pauses from the pauses themselves."""
    query = select(alerts.c.key, func.min(alerts.c.since).label("since")).where(alerts.c.gone_at.is_(None))
    noted = {row.key: row.since for row in connection.execute(query.group_by(alerts.c.key))}
    rows = connection.execute(select(pauses.c.key, pauses.c.since))
    return noted | {f"paused:{row.key}": row.since for row in rows}


def waiting(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    """How many deliveries have their moment on each channel, and letters on that of mail."""
    query = select(_d.channel, func.count().label("n")).where(_d.channel.in_(names), _d.state == "planned")
    found = {row.channel: row.n for row in connection.execute(query.group_by(_d.channel))}
    left = select(func.sum(mailings.c.total - mailings.c.settled)).join_from(mailings, deliveries)
    letters = int(connection.scalar(left.where(_d.channel == CHANNEL, _d.state == "claimed")) or 0)
    return found | ({CHANNEL: letters} if letters else {})


def delivery_ids(connection: Connection, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Of (channel, subject): the delivery that waits or is planned."""
    subjects = {subject for _, subject in pairs}
    query = select(_d.id, _d.channel, _d.subject).where(
        _d.subject.in_(subjects), _d.state.in_(["waiting", "planned", "held"])
    )
    found: dict[tuple[str, str], int] = {}
    for row in connection.execute(query.order_by(_d.id)):
        found[row.channel, row.subject] = row.id
    return {pair: found[pair] for pair in pairs if pair in found}


def payload(connection: Connection, delivery: int) -> dict[str, Any] | None:
    """What was frozen for a delivery; None: nothing stands, or there is no such delivery."""
    text = connection.scalar(select(_d.payload).where(_d.id == delivery))
    frozen: dict[str, Any] | None = json.loads(text) if text else None
    return frozen
