"""scan: source -> front matter -> article -> review -> catalogue. Files in, articles out; nothing is sent here.

What is released is owed to the channels in the same transaction: a crash leaves both or neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from hashlib import blake2b

from sqlalchemy import Connection

from syndicate.crashpoint import crashpoint
from syndicate.desk import Desk, Reading, Sweep
from syndicate.errors import ContentError, SourceError
from syndicate.logs import get
from syndicate.sources.folder import Folder, written
from syndicate.sources.git import pull
from syndicate.sources.webfeed import FeedError, WebFeed
from syndicate.store import articles, feedstates, ledger
from syndicate.store.articles import Away
from syndicate.store.database import Store

BATCH = 1_000  # files read at a time; a first scan commits each batch (which rewrites the pages of every index)
OUTAGE_SHARE = 0.3
OUTAGE_LEAST = 3  # so few missing files are no outage, however small the folder

log = get(__name__)

Source = Folder | WebFeed


@dataclass(frozen=True, slots=True)
class Scanned:
    """What one scan of all sources did."""

    files: int = 0
    parsed: int = 0
    changed: int = 0  # rows of the catalogue that are not as before
    released: int = 0
    first: int = 0  # articles of a first scan: in the feeds, never announced
    problems: tuple[str, ...] = ()
    unsettled: int = 0  # files written to so lately that the next scan takes them
    unread: frozenset[str] = frozenset()  # names of sources that could not be read as a whole

    def __add__(self, other: Scanned) -> Scanned:
        return Scanned(
            self.files + other.files,
            self.parsed + other.parsed,
            self.changed + other.changed,
            self.released + other.released,
            self.first + other.first,
            self.problems + other.problems,
            self.unsettled + other.unsettled,
            self.unread | other.unread,
        )


async def scan(
    sources: Sequence[Source], store: Store, desk: Desk, now: datetime, *, patience: timedelta = timedelta(0)
) -> Scanned:
    """Look at every source once; read and judge what is new or changed. One that cannot be read stops no other.

    `patience`: so long another machine may have read a source before it counts as unreadable.
    """
    result = Scanned()
    if await store.read(articles.any_to_judge, now):
        result = Scanned(changed=await store.write(desk.judge_due, now))
    for source in sources:
        try:
            if isinstance(source, WebFeed):
                result += await _scan_feed(source, store, desk, now)
            else:
                result += await _scan_folder(source, store, desk, now, patience)
        except SourceError as error:
            await store.write(articles.outage, source.name, str(error), now, patience)
            result += Scanned(problems=(str(error),), unread=frozenset([source.name]))
    return result


async def _scan_feed(source: WebFeed, store: Store, desk: Desk, now: datetime) -> Scanned:
    """A feed shows only its newest items: what it no longer shows is not gone."""
    if source.rests():
        return Scanned()
    try:
        gathered = await source.look(await store.read(feedstates.load, source.name))
    except FeedError as error:
        await store.write(feedstates.keep, source.name, error.state)
        raise
    known = await store.read(articles.known, source.name)
    fresh = [item for item in gathered.items if item.path not in known or known[item.path] != item.hash]
    readings = [
        Reading(source=source.name, path=item.path, stat=item.hash, hash=item.hash, manuscript=item.manuscript)
        for item in fresh
    ]
    first = await store.read(articles.baseline_at, source.name) is None
    sweep = Sweep(now=now, first=first, restored=first and await store.read(articles.is_restored, source.name))
    for note in gathered.notes:
        log.warning("feed", note=note)

    def take_in(connection: Connection) -> tuple[int, int]:
        articles.lock(connection)
        articles.scanned(connection, source.name, now, complete=True)
        feedstates.keep(connection, source.name, gathered.state)
        return _take_in(connection, desk, readings, sweep)

    changed, released = await store.write(take_in)
    return Scanned(
        files=len(known.keys() | {item.path for item in gathered.items}), parsed=len(readings), changed=changed,
        released=released, first=len(readings) if desk.is_baseline(sweep) else 0,
    )  # fmt: skip


async def _scan_folder(source: Folder, store: Store, desk: Desk, now: datetime, patience: timedelta) -> Scanned:
    await _pull(source, store, now)
    known = await store.read(articles.known, source.name)
    seen, fresh = await asyncio.to_thread(_look, source, known)
    settled = await asyncio.to_thread(_settled, seen, fresh, desk.settings.review.settle, now)
    away = await store.read(_away, source.name, known, seen)
    missing = _missing(away, seen)
    result = Scanned(files=len(seen), unsettled=len(fresh) - len(settled))
    first = await store.read(articles.baseline_at, source.name) is None
    restored = first and await store.read(articles.is_restored, source.name)
    sweep = Sweep(now=now, first=first, restored=restored, missing=frozenset(missing))
    exempt = desk.is_baseline(sweep)
    for batch in _batches(settled, BATCH if exempt else len(settled)):
        readings = await asyncio.to_thread(_read, source, seen, batch, desk)
        crashpoint("scan.read")
        changed, released = await store.write(_take_in, desk, readings, sweep)
        result += Scanned(
            parsed=len(readings), changed=changed, released=released, first=len(readings) if exempt else 0
        )
    if missing and settled:  # some of them may have been moved: those are at their new paths by now
        known = await store.read(articles.known, source.name)
        away = await store.read(_away, source.name, known, seen)
        missing = _missing(away, seen)
    forgets = await store.read(feedstates.forgets, source.name)
    problem = None if forgets else _outage(source.name, len(known), len(missing))
    if problem:
        missing = {}
    if forgets and not missing:
        await store.write(feedstates.forget, source.name, False)
    complete = result.parsed == len(fresh) and not problem
    found = [one.id for path, one in away.items() if path in seen]
    ending: Callable[[Connection], None] = partial(articles.scanned, source=source.name, now=now, complete=complete)
    if problem:
        ending = partial(articles.outage, source=source.name, problem=problem, now=now, patience=patience)
        result += Scanned(problems=(problem,), unread=frozenset([source.name]))
    return result + Scanned(changed=await store.write(_finish, source.name, away, missing, found, ending, desk, now))


async def _pull(source: Folder, store: Store, now: datetime) -> None:
    """Bring a checkout up to date; what git refuses is no deletion and no reason not to scan what is there."""
    if not source.pulls:
        return
    reason = None
    try:
        await pull(source.name, source.path)
    except SourceError as error:
        reason = str(error)
        log.warning("not pulled", source=source.name, error=reason)
    await store.write(feedstates.lag, source.name, reason, now)


def _look(source: Folder, known: Mapping[str, str]) -> tuple[Mapping[str, str], list[str]]:
    """Every file's stat, and the paths of those that are new or were written to."""
    seen = source.look()
    if seen == known:  # nearly always; two dicts of texts are compared three times as fast as in a loop
        return known, []
    return seen, [path for path, stat in seen.items() if known.get(path) != stat]


def _settled(seen: Mapping[str, str], fresh: Sequence[str], settle: timedelta, now: datetime) -> list[str]:
    """A file is taken once nobody has written to it for `settle`; one from the future counts as settled."""
    moment, least = now.timestamp(), settle.total_seconds()
    return [path for path in fresh if not 0 <= moment - written(seen[path]) < least]


def _away(connection: Connection, source: str, known: Mapping[str, str], seen: Mapping[str, str]) -> dict[str, Away]:
    """Articles whose files this look does not find, or an earlier one did not, by path."""
    unseen = known.keys() - seen.keys() if seen is not known else ()
    return articles.away(connection, source, unseen)


def _missing(away: Mapping[str, Away], seen: Mapping[str, str]) -> dict[str, str]:
    """Articles whose files this look did not find: id -> path."""
    return {away[path].id: path for path in sorted(away) if path not in seen}


def _outage(source: str, known: int, missing: int) -> str | None:
    if missing < OUTAGE_LEAST or missing <= OUTAGE_SHARE * known:
        return None
    return (
        f"sources.{source}: {missing} of {known} files are missing at once: taken for an outage, nothing is"
        f" withdrawn; put them back, or say `syndicate articles forget {source}` if they were deleted on purpose"
    )


def _batches(paths: Sequence[str], size: int) -> list[Sequence[str]]:
    return [paths[start : start + size] for start in range(0, len(paths), max(1, size))]


def _read(source: Folder, seen: Mapping[str, str], paths: Sequence[str], desk: Desk) -> list[Reading]:
    readings = [one for path in paths if (one := _read_one(source, path, seen[path], desk))]
    return sorted(readings, key=lambda one: (one.manuscript.created or one.manuscript.published or "~", one.path))


def _read_one(source: Folder, path: str, stat: str, desk: Desk) -> Reading | None:
    """What one file says; None where it was removed since the look."""
    from syndicate import manuscript  # a parser of YAML and many patterns, which most passes have no use for

    raw = b""
    try:
        raw = source.read(path, stat)
        said, error = manuscript.read(raw, path, desk.zone), None
    except ContentError as refusal:
        said, error = manuscript.read(b"", path, desk.zone), refusal
        if isinstance(refusal.__cause__, FileNotFoundError):
            return None
        if isinstance(refusal.__cause__, OSError):
            stat = "unread"  # its rights may change without a trace in its stat: look again each time
    except Exception as defect:  # ours: one file must not keep the others from being read
        log.exception("a file was not understood", source=source.name, path=path)
        reason = f"the program fails on it ({type(defect).__name__}): please report this"
        said, error = manuscript.read(b"", path, desk.zone), ContentError(reason)
    return Reading(
        source=source.name,
        path=path,
        stat=stat,
        hash=blake2b(raw or f"{path}\n{error}".encode(), digest_size=16).hexdigest(),
        manuscript=said,
        error=error,
    )


def _take_in(connection: Connection, desk: Desk, readings: Sequence[Reading], sweep: Sweep) -> tuple[int, int]:
    result = desk.take_in(connection, readings, sweep)
    crashpoint("announce.tx")
    return result


def _finish(
    connection: Connection,
    source: str,
    away: Mapping[str, Away],
    missing: Mapping[str, str],
    found: Sequence[str],
    ending: Callable[[Connection], None],
    desk: Desk,
    now: datetime,
) -> int:
    """Note what is missing (a first time), gone (a second time) or back, and how the scan ended."""
    if missing or found:
        articles.lock(connection)
    settle = desk.settings.review.settle
    again = [one for one, path in missing.items() if (at := away[path].missed_at) and now - at >= settle]
    gone = articles.gone(connection, again) if again else []
    if gone:
        ledger.cancel_open(connection, gone, "gone: its file was removed")
        articles.revise(connection)
    newly = [path for path in missing.values() if away[path].missed_at is None]
    if newly:
        articles.missed(connection, source, newly, now)
    if found:
        articles.found_again(connection, found)
    ending(connection)
    return len(gone)
