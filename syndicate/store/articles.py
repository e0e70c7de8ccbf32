"""The catalogue: every file of every source once, understood or not."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, Select, Text, and_, bindparam, cast, func, or_, select, update

from syndicate.article import Article, Manuscript, State
from syndicate.errors import UsageError
from syndicate.store.among import among
from syndicate.store.database import AnyRow, insert_or_ignore
from syndicate.store.register import STANDS, Standing
from syndicate.store.schema import articles, settings, sources

_TUPLES = {"authors", "tags", "channels", "repairs"}
_TOLD = [field.name for field in fields(Manuscript) if field.name != "body"]
_json = json.JSONEncoder(ensure_ascii=False).encode  # `json.dumps` makes an encoder at each call
_HEAD = [column for column in articles.c if column.name != "body"]


class Away(NamedTuple):
    """An article whose file a scan does not find, or did not."""

    id: str
    missed_at: datetime | None


class Entry(NamedTuple):
    """One row to write: what the file says and what review made of it. A tuple: two are made for each new file."""

    id: str
    source: str
    path: str
    stat: str
    hash: str
    url: str
    title_key: str
    manuscript: Manuscript
    state: State
    reasons: tuple[str, ...]
    look_again_at: datetime | None
    first_seen: datetime
    updated: datetime
    released: datetime | None
    entered: datetime | None
    baseline: bool
    delay_from: datetime | None
    delay_restarts: int


# --- sources ----------------------------------------------------------------------------------------------------------


def baseline_at(connection: Connection, source: str) -> datetime | None:
    """When the first complete scan of a source ended."""
    return connection.scalar(select(sources.c.baseline_at).where(sources.c.name == source))


def is_restored(connection: Connection, source: str) -> bool:
    """Whether what the next complete scan finds counts as known already."""
    return bool(connection.scalar(select(sources.c.rebaseline).where(sources.c.name == source)))


def scanned(connection: Connection, source: str, now: datetime, *, complete: bool) -> None:
    """Note a scan; the first complete one ends the baseline."""
    row = connection.execute(select(sources).where(sources.c.name == source)).first()
    if row is None:
        connection.execute(sources.insert().values(name=source, scanned_at=now, baseline_at=now if complete else None))
        return
    values: dict[str, Any] = {"problem": None, "problem_since": None}
    if complete and row.baseline_at is None:
        values |= {"baseline_at": now, "rebaseline": False}
    if row.problem or "baseline_at" in values or now - (row.scanned_at or now) > timedelta(minutes=1):
        connection.execute(update(sources).where(sources.c.name == source).values(scanned_at=now, **values))


def outage(
    connection: Connection, source: str, problem: str, now: datetime, patience: timedelta = timedelta(0)
) -> None:
    """Note that a source cannot be read; the moment of the first failure stays.

    Not where somebody else read it within `patience`: a machine that has not its folder leaves it to him.
    """
    row = connection.execute(select(sources).where(sources.c.name == source)).first()
    if row is not None and patience and now - (row.scanned_at or row.problem_since or now) < patience:
        return
    if row is None:
        connection.execute(sources.insert().values(name=source, problem=problem, problem_since=now))
    elif row.problem != problem:
        connection.execute(
            update(sources)
            .where(sources.c.name == source)
            .values(problem=problem, problem_since=row.problem_since if row.problem else now)
        )


def outages(connection: Connection) -> dict[str, str]:
    """Sources that cannot be read: name -> problem."""
    query = select(sources.c.name, sources.c.problem).where(sources.c.problem.is_not(None))
    return dict(connection.execute(query).all())


def lock(connection: Connection) -> None:
    """Make those who change the catalogue wait for each other: first thing in each transaction that does.

    What one read of it (who stands at this path? has this title a twin?) holds until his changes are committed.
    """
    revision = select(settings.c.value).where(settings.c.key == "revision").with_for_update()
    if connection.execute(revision).first() is None:
        connection.execute(insert_or_ignore(connection, settings).values(key="revision", value="0"))
        connection.execute(revision)


def revision(connection: Connection) -> int:
    """Counts the changes of the catalogue."""
    return int(connection.scalar(select(settings.c.value).where(settings.c.key == "revision")) or 0)


def revise(connection: Connection) -> None:
    """The catalogue changed."""
    lock(connection)
    connection.execute(
        update(settings)
        .where(settings.c.key == "revision")
        .values(value=cast(cast(settings.c.value, BigInteger) + 1, Text))
    )


# --- scanning ---------------------------------------------------------------------------------------------------------


def known(connection: Connection, source: str) -> dict[str, str]:
    """The stat of every file of a source that is not gone, by path; read from one index.

    No more than a scan must have to tell that nothing changed: it has all of them at each look.
    """
    query = select(articles.c.path, articles.c.stat).where(articles.c.source == source, STANDS)
    with connection.execute(query) as result:
        return dict(result.cursor.fetchall())  # as the driver has them: two texts are all that is wanted of a row


def away(connection: Connection, source: str, paths: Collection[str]) -> dict[str, Away]:
    """Those at these paths, and those that an earlier scan missed, by path; none of them gone."""
    query = select(articles.c.path, articles.c.id, articles.c.missed_at).where(articles.c.source == source, STANDS)
    if not paths:
        query = query.where(articles.c.missed_at.is_not(None))
    return {  # chosen here: there may be more paths than a statement takes values
        path: Away(article, missed_at)
        for path, article, missed_at in connection.execute(query).all()
        if missed_at or path in paths
    }


def save(connection: Connection, entries: Sequence[Entry], *, is_new: bool) -> None:
    """Write articles as they now are."""
    if not entries:
        return
    values = [_values(entry) for entry in entries]
    if is_new:
        connection.execute(articles.insert(), values)
    else:
        connection.execute(
            update(articles).where(articles.c.id == bindparam("which")),
            [{"which": one.pop("id"), **one} for one in values],
        )


def _values(entry: Entry) -> dict[str, Any]:
    said = entry.manuscript
    told = {name: getattr(said, name) for name in _TOLD}
    return {
        "id": entry.id, "source": entry.source, "path": entry.path, "stat": entry.stat, "hash": entry.hash,
        "state": entry.state.value, "missed_at": None, "guid": said.guid, "slug": said.slug,
        "stated": said.published or said.created, "url": entry.url, "title_key": entry.title_key,
        "reasons": _json(entry.reasons), "look_again_at": entry.look_again_at,
        "first_seen": entry.first_seen, "updated": entry.updated, "released": entry.released,
        "entered": entry.entered, "baseline": entry.baseline, "delay_from": entry.delay_from,
        "delay_restarts": entry.delay_restarts, "fields": _json(told), "body": said.body,
    }  # fmt: skip


def touch(connection: Connection, stats: Mapping[str, str]) -> None:
    """These files (id -> stat) were touched, not changed."""
    if stats:
        connection.execute(
            update(articles).where(articles.c.id == bindparam("which")).values(stat=bindparam("now"), missed_at=None),
            [{"which": article, "now": stat} for article, stat in stats.items()],
        )


def displaced(connection: Connection, ids: Sequence[str]) -> None:
    """Other articles took the paths of these."""
    reasons = json.dumps(["gone: another article took its place"])
    connection.execute(
        update(articles).where(articles.c.id.in_(ids)).values(state="gone", reasons=reasons, look_again_at=None)
    )


def found_again(connection: Connection, ids: Sequence[str]) -> None:
    connection.execute(update(articles).where(among(articles.c.id, "ids")).values(missed_at=None), {"ids": ids})


def missed(connection: Connection, source: str, paths: Sequence[str], now: datetime) -> None:
    """First scan that does not find these files; an article that was recognised elsewhere is at none of them."""
    connection.execute(
        update(articles)
        .where(articles.c.source == source, among(articles.c.path, "paths"), STANDS, articles.c.missed_at.is_(None))
        .values(missed_at=now),
        {"paths": paths},
    )


def gone(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Missed a second time: out of the feeds."""
    reasons = json.dumps(["gone: its file was removed"])
    return list(
        connection.scalars(
            update(articles)
            .where(among(articles.c.id, "ids"), articles.c.missed_at.is_not(None), articles.c.state != "gone")
            .values(state="gone", reasons=reasons, look_again_at=None)
            .returning(articles.c.id),
            {"ids": ids},
        )
    )


def any_to_judge(connection: Connection, now: datetime) -> bool:
    """Whether the verdict on an article may change by itself by now."""
    query = select(articles.c.id).where(articles.c.look_again_at <= now, articles.c.state != "gone")
    return connection.execute(query.limit(1)).first() is not None


def to_judge_again(connection: Connection, now: datetime) -> list[AnyRow]:
    """Articles whose verdict may change by itself by now (full rows)."""
    query = select(articles).where(articles.c.look_again_at <= now, articles.c.state != "gone")
    return list(connection.execute(query.order_by(articles.c.look_again_at, articles.c.id)))


def hold(connection: Connection, ids: Sequence[str], reason: str) -> None:
    """Hold articles that would have been released."""
    connection.execute(
        update(articles)
        .where(articles.c.id.in_(ids))
        .values(state="held", reasons=json.dumps([reason], ensure_ascii=False), released=None, entered=None)
    )


def rule(connection: Connection, article: str, verdict: str, because: str | None, *, quiet: bool) -> None:
    """A person's verdict: it stands for good. `quiet`: shown, never announced."""
    values: dict[str, Any] = {"verdict": verdict, "verdict_because": because}
    if quiet:
        values["baseline"] = True
    connection.execute(update(articles).where(articles.c.id == article).values(values))


def to_judge(connection: Connection, ids: Sequence[str]) -> list[AnyRow]:
    """Full rows of these articles."""
    return list(connection.execute(select(articles).where(articles.c.id.in_(ids)).order_by(articles.c.first_seen)))


# --- reading ----------------------------------------------------------------------------------------------------------


def manuscript_of(row: AnyRow) -> Manuscript:
    """The manuscript of a row; without its body where the query left that out."""
    said = json.loads(row.fields)
    names = {field.name for field in fields(Manuscript)}
    values: dict[str, Any] = {
        name: tuple(value) if name in _TUPLES and value is not None else value
        for name, value in said.items()
        if name in names
    }
    return Manuscript(**values, body=getattr(row, "body", ""))


def entry_of(row: AnyRow) -> Entry:
    """One full row as it would be written again."""
    return Entry(
        id=row.id, source=row.source, path=row.path, stat=row.stat, hash=row.hash, url=row.url,
        title_key=row.title_key, manuscript=manuscript_of(row), state=State(row.state),
        reasons=tuple(json.loads(row.reasons)), look_again_at=row.look_again_at, first_seen=row.first_seen,
        updated=row.updated, released=row.released, entered=row.entered, baseline=row.baseline,
        delay_from=row.delay_from, delay_restarts=row.delay_restarts,
    )  # fmt: skip


def standing(row: AnyRow) -> Standing:
    """One full row without what its file says."""
    return Standing(*(getattr(row, name) for name in Standing._fields))


def article_of(row: AnyRow) -> Article:
    """One row as a value."""
    return Article(
        id=row.id, source=row.source, path=row.path, slug=row.slug, url=row.url, manuscript=manuscript_of(row),
        state=State(row.state), reasons=tuple(json.loads(row.reasons)), first_seen=row.first_seen,
        updated=row.updated, released=row.released, entered=row.entered, baseline=row.baseline,
    )  # fmt: skip


def texts(connection: Connection, ids: Sequence[str]) -> list[AnyRow]:
    """(id, path, hash) of articles: the hash tells their text as it is now from every other."""
    query = select(articles.c.id, articles.c.path, articles.c.hash).where(articles.c.id.in_(ids))
    return list(connection.execute(query.order_by(articles.c.path)))


def get(connection: Connection, article: str) -> Article | None:
    row = connection.execute(select(articles).where(articles.c.id == article)).first()
    return article_of(row) if row else None


def many(connection: Connection, ids: Sequence[str]) -> list[Article]:
    """Articles in the order of the ids."""
    rows = {row.id: article_of(row) for row in connection.execute(select(articles).where(articles.c.id.in_(ids)))}
    return [rows[article] for article in ids if article in rows]


def find(connection: Connection, reference: str) -> Article:
    """The article with that id, slug or path. Raises UsageError when there is none, or more than one."""
    a = articles.c
    asked = reference.removeprefix("urn:uuid:")
    for condition in (a.id == asked, and_(a.path == asked, a.state != "gone"), and_(a.slug == asked, a.state != "gone"),
                      or_(a.path == asked, a.slug == asked)):  # fmt: skip
        rows = connection.execute(select(articles).where(condition).order_by(a.first_seen, a.path).limit(5)).all()
        if len(rows) > 1:
            paths = ", ".join(row.path for row in rows)
            raise UsageError(f"{reference!r} is more than one article ({paths}): name its path or id")
        if rows:
            return article_of(rows[0])
    raise UsageError(
        f"there is no article {reference!r}: `syndicate articles` lists them, `syndicate run --once` looks for new ones"
    )


def listing(connection: Connection, state: str | None = None) -> list[Article]:
    """The catalogue without texts, newest first."""
    query: Select[Any] = select(*_HEAD).order_by(
        func.coalesce(articles.c.released, articles.c.first_seen).desc(), articles.c.path
    )
    if state:
        query = query.where(articles.c.state == state)
    return [article_of(row) for row in connection.execute(query)]


def newest_released(connection: Connection, limit: int) -> list[tuple[str, datetime]]:
    """Ready articles, newest first: (id, released)."""
    query = (
        select(articles.c.id, articles.c.released)
        .where(articles.c.state == "ready", articles.c.released.is_not(None))
        .order_by(articles.c.released.desc(), articles.c.id)
        .limit(limit)
    )
    return [(row.id, row.released) for row in connection.execute(query)]


def for_edition(
    connection: Connection,
    *,
    after: tuple[datetime, datetime] | None,
    entered_from: datetime | None,
    released_until: datetime,
    baseline: bool = False,
) -> list[Article]:
    """Ready articles of a window without their texts, newest first; with `baseline` those never announced too.

    `after` is the last edition's slot and when it was made: what a first scan dated back enters after both.
    """
    a = articles.c
    query = select(*_HEAD).where(
        a.state == "ready", a.released.is_not(None), a.released <= released_until, a.missed_at.is_(None)
    )
    if not baseline:
        query = query.where(a.baseline.is_(False))
    if after is not None:
        slot, made_at = after
        query = query.where(or_(a.released > slot, a.entered > made_at))
    if entered_from is not None:
        query = query.where(a.entered >= entered_from)
    return [article_of(row) for row in connection.execute(query.order_by(a.released.desc(), a.id))]


def counts(connection: Connection) -> dict[str, int]:
    """How many in each state."""
    query = select(articles.c.state, func.count()).group_by(articles.c.state)
    return dict(connection.execute(query).all())


def held_by(connection: Connection, code: str | None) -> list[str]:
    """Ids of held articles, all or those with a reason of that code."""
    rows = connection.execute(
        select(articles.c.id, articles.c.reasons).where(articles.c.state == "held").order_by(articles.c.first_seen)
    )
    return [row.id for row in rows if code is None or any(r.startswith(code) for r in json.loads(row.reasons))]
