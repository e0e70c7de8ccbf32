"""The desk: recognises an article, has it judged, dates its release and owes it to the channels.

Works inside the transaction it is given; scanning, `approve` and `reject` all come through here. The review and its
patterns (40 ms) are loaded when there is something to judge: most passes find nothing new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from posixpath import splitext
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from syndicate.article import Manuscript, State, public_address
from syndicate.config import Settings
from syndicate.errors import ContentError
from syndicate.logs import get
from syndicate.store import acts, articles, checks, ledger
from syndicate.store.articles import Entry
from syndicate.store.database import AnyRow
from syndicate.store.register import Recognised, Register, Standing

if TYPE_CHECKING:
    from syndicate.review import Judgement

DELAY_RESTARTS = 3

log = get(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One file, read: what it says, or why it cannot be understood."""

    source: str
    path: str
    stat: str
    hash: str
    manuscript: Manuscript
    error: ContentError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """The scan that a reading belongs to."""

    now: datetime
    first: bool = False  # no scan of this source was complete before
    restored: bool = False  # and that because a backup was restored: what is new is not announced
    missing: frozenset[str] = frozenset()  # ids of articles whose files it does not find


@dataclass(frozen=True, slots=True)
class _Draft:
    """An article before review: what to write, the row that stands, and a verdict where there is nothing to judge."""

    entry: Entry
    row: Standing | None
    unfit: Judgement | None = None


class Desk:
    """Applies the review rules of one configuration."""

    def __init__(self, settings: Settings, channels: Sequence[str]) -> None:
        """`channels`: names of the public channels, to which each released article is owed."""
        self.settings = settings
        self.zone = settings.site.zone
        self._rules = settings.review
        self._channels = tuple(channels)
        self._addresses = {source.name: source.article_url for source in settings.sources}

    def is_baseline(self, sweep: Sweep) -> bool:
        """Whether what this sweep finds is only shown, never announced."""
        return sweep.first and (sweep.restored or self._rules.first_run == "baseline")

    # --- reading -----------------------------------------------------------------------------------------------------

    def take_in(self, connection: Connection, readings: Sequence[Reading], sweep: Sweep) -> tuple[int, int]:
        """Write what files say into the catalogue; returns how many rows changed and how many articles were released.

        More than `max_new` releases at once are all held: a person looks first.
        """
        articles.lock(connection)
        register = Register(connection)
        touched: dict[str, str] = {}
        drafts: list[_Draft] = []
        for reading, found in zip(readings, register.recognise(readings, sweep.missing, sweep.now), strict=True):
            if _is_only_touched(reading, found.row):
                touched[found.id] = reading.stat
            else:
                drafts.append(self._draft(reading, found, sweep))
        entries = self._judge_all(register, drafts, sweep)
        if register.displaced:
            articles.displaced(connection, register.displaced)
            ledger.cancel_open(connection, register.displaced, "gone: another article took its place")
        articles.touch(connection, touched)
        self._save(connection, drafts, entries)
        return len(entries), self._send_on(connection, entries, sweep.now, guarded=not self.is_baseline(sweep))

    def _draft(self, reading: Reading, found: Recognised, sweep: Sweep) -> _Draft:
        """One file that the program fails on must not keep the others out."""
        try:
            return _Draft(self._entry(reading, found, sweep), found.row, _unfit(reading, found))
        except Exception as defect:
            log.exception("a file was not understood", source=reading.source, path=reading.path)
            error = ContentError(f"the program fails on it ({type(defect).__name__}): please report this")
            reading = replace(reading, manuscript=Manuscript(slug=reading.manuscript.slug), error=error)
            return _Draft(self._entry(reading, found, sweep), found.row, _unfit(reading, found))

    def _save(self, connection: Connection, drafts: Sequence[_Draft], entries: Sequence[Entry]) -> None:
        """What changed first: a new file may stand where another article stood."""
        rows = [draft.row for draft in drafts]
        pairs = list(zip(entries, rows, strict=True))
        articles.save(connection, [entry for entry, row in pairs if row is not None], is_new=False)
        articles.save(connection, [entry for entry, row in pairs if row is None], is_new=True)
        for entry, row in pairs:
            if row is not None:
                self._follow(connection, row.state, entry)
                if row.hash != entry.hash:
                    image = checks.image_address(entry.url, entry.manuscript.hero_image)
                    checks.forget_other_image(connection, entry.id, image)

    def _entry(self, reading: Reading, found: Recognised, sweep: Sweep) -> Entry:
        from syndicate import review

        now, said, row = sweep.now, reading.manuscript, found.row
        entry = Entry(
            id=found.id, source=reading.source, path=reading.path, stat=reading.stat, hash=reading.hash,
            url=self.address(reading, row.first_seen if row else now), title_key=review.title_key(said.title),
            manuscript=said, state=State.REJECTED, reasons=(), look_again_at=None,
            first_seen=row.first_seen if row else now, updated=now, released=None, entered=None,
            baseline=self.is_baseline(sweep), delay_from=None, delay_restarts=0,
        )  # fmt: skip
        if row is None:
            return entry
        entry = entry._replace(
            released=row.released, entered=row.entered, baseline=row.baseline, delay_from=row.delay_from,
            delay_restarts=row.delay_restarts,
        )  # fmt: skip
        if row.hash == reading.hash:
            return entry._replace(updated=row.updated)
        young = row.delay_from is not None and now < row.delay_from + self._rules.delay
        if young and row.delay_restarts < DELAY_RESTARTS:
            return entry._replace(delay_from=now, delay_restarts=row.delay_restarts + 1)
        return entry

    def address(self, reading: Reading, first_seen: datetime) -> str:
        """The public address (rule 10): the front matter's own, else `article_url`."""
        said = reading.manuscript
        stated = _moment(said.published or said.created, self.zone)
        try:
            day = (stated or first_seen).astimezone(self.zone)
        except OverflowError:  # year 1 or 9999 in a zone that crosses it
            day = stated or first_seen
        return public_address(
            self._addresses.get(reading.source, "{site_url}/{slug}/"),
            site_url=self.settings.site.url,
            link=said.link,
            slug=said.slug,
            path=splitext(reading.path)[0],
            day=day,
        )

    # --- judging -----------------------------------------------------------------------------------------------------

    def judge_due(self, connection: Connection, now: datetime) -> int:
        """Judge again what may have changed by itself by now (a date came, an expiry passed); returns how many did."""
        articles.lock(connection)
        entries = self._judge_rows(connection, articles.to_judge_again(connection, now), now)
        self._send_on(connection, entries, now, guarded=True)
        return len(entries)

    def judge_again(self, connection: Connection, ids: Sequence[str], now: datetime) -> int:
        """Judge these again: something was learnt about them; returns how many were released."""
        articles.lock(connection)
        entries = self._judge_rows(connection, articles.to_judge(connection, ids), now)
        return self._send_on(connection, entries, now, guarded=True)

    def rule(
        self, connection: Connection, ids: Sequence[str], verdict: str, because: str | None, now: datetime,
        *, quiet: bool = False, who: str = "a person",
    ) -> None:  # fmt: skip
        """A person's verdict over these articles: `approved` or `rejected`; it stands for good.

        `quiet`: into the feeds only, as a baseline. `who` it was is noted.
        """
        articles.lock(connection)
        for article in ids:
            articles.rule(connection, article, verdict, because, quiet=quiet)
        there = [row for row in articles.to_judge(connection, ids) if row.state != "gone"]
        entries = self._judge_rows(connection, there, now)
        self._send_on(connection, entries, now, guarded=False)
        if verdict == "approved" and not quiet:
            ledger.approve_held(connection, ids, now)
        acts.note(connection, ids, verdict, who, now, "into the feeds only" if quiet else because)

    def _judge_rows(self, connection: Connection, rows: Sequence[AnyRow], now: datetime) -> list[Entry]:
        drafts = [_Draft(articles.entry_of(row), articles.standing(row)) for row in rows]
        entries = self._judge_all(Register(connection), drafts, Sweep(now=now))
        self._save(connection, drafts, entries)
        return entries

    def _judge_all(self, register: Register, drafts: Sequence[_Draft], sweep: Sweep) -> list[Entry]:
        register.meet([draft.entry for draft in drafts])
        entries = []
        for draft in drafts:
            judgement = draft.unfit or self._judge(register, draft.entry, draft.row, sweep.now)
            entries.append(self._ruled(draft.entry, judgement, sweep))
            register.note(entries[-1])  # those that follow meet it as it is now
        return entries

    def _judge(self, register: Register, entry: Entry, row: Standing | None, now: datetime) -> Judgement:
        """What was released once is not held again for a twin that came after it."""
        from syndicate import review

        released = entry.entered is not None
        twin = clash = None
        if entry.title_key and not released:
            twin = register.twin(entry, self._rules.duplicate_window, is_new=row is None)
        if not (released and row is not None and row.url == entry.url):
            clash = register.at_address(entry)
        verdict = row.verdict if row is not None else None
        judgement = review.judge(
            entry.manuscript, self._rules, now, self.zone,
            twin=review.Twin(path=twin) if twin else None, clash=clash, verdict=verdict,
        )  # fmt: skip
        if verdict == "rejected" and row is not None and row.verdict_because:
            return replace(judgement, reasons=(f"rejected: {row.verdict_because}",))
        if judgement.state is State.READY and not released and self._is_dark(register.connection, entry, verdict, now):
            reason = f"not-live: {entry.url} does not answer yet (review.check_url)"
            return review.Judgement(State.SCHEDULED, (reason,), judgement.look_again)
        return judgement

    def _is_dark(self, connection: Connection, entry: Entry, verdict: str | None, now: datetime) -> bool:
        """Whether the public page must answer before the article is announced, and has not yet."""
        if not self._rules.check_url or entry.baseline or verdict is not None:
            return False
        return not checks.page_answers(connection, entry.id, entry.url, now)

    def _ruled(self, entry: Entry, judgement: Judgement, sweep: Sweep) -> Entry:
        """The entry with its verdict; one that becomes ready for the first time is released."""
        changes: dict[str, Any] = {}
        if entry.entered is None and judgement.state is State.READY:
            changes = {"released": self._released(entry, sweep), "entered": sweep.now, "delay_from": sweep.now}
        elif entry.entered is None and judgement.state in (State.DRAFT, State.SCHEDULED):
            changes = {"baseline": False}  # it comes out after the baseline, whenever that will be
        return entry._replace(
            state=judgement.state, reasons=judgement.reasons, look_again_at=judgement.look_again, **changes
        )

    def _released(self, entry: Entry, sweep: Sweep) -> datetime:
        """Now; in a source's first scan its created date, else published, never later than now."""
        if not sweep.first:
            return sweep.now
        said = entry.manuscript
        stated = _moment(said.created, self.zone) or _moment(said.published, self.zone)
        return min(stated or sweep.now, sweep.now)

    def _follow(self, connection: Connection, before: str, entry: Entry) -> None:
        """What has not begun follows the article: cancelled when it is no longer ready, waiting again when it is."""
        if entry.state is State.READY and before != "ready":
            ledger.wait_again(connection, [entry.id])
        elif entry.state is not State.READY and before == "ready":
            ledger.cancel_open(connection, [entry.id], f"not-ready: its article is {entry.state}")

    # --- releasing ---------------------------------------------------------------------------------------------------

    def _send_on(self, connection: Connection, entries: Sequence[Entry], now: datetime, *, guarded: bool) -> int:
        if entries:
            articles.revise(connection)
        released = [entry for entry in entries if entry.state is State.READY and entry.entered == now]
        if guarded and len(released) > self._rules.max_new:
            reason = (
                f"max-new: {len(released)} articles at once, review.max_new is {self._rules.max_new};"
                " `syndicate approve --rule max-new` releases them"
            )
            articles.hold(connection, [entry.id for entry in released], reason)
            return 0
        for channel in self._channels:
            owed = [
                {"id": entry.id, "title": entry.manuscript.title, "entered": entry.entered}
                for entry in released
                if not entry.baseline and entry.manuscript.goes_to(channel)
            ]
            ledger.offer(connection, owed, channel, now)
        return len(released)


def _is_only_touched(reading: Reading, row: Standing | None) -> bool:
    return row is not None and row.hash == reading.hash and row.path == reading.path and row.state != "gone"


def _unfit(reading: Reading, found: Recognised) -> Judgement | None:
    from syndicate.review import Judgement

    if found.how == "duplicate-id":
        return Judgement(State.HELD, ("duplicate-id: another file bears the same id",), None)
    if reading.error is not None:
        return Judgement(State.REJECTED, (f"{reading.error.code}: {reading.error}",), None)
    return None


def _moment(stated: str | None, zone: ZoneInfo) -> datetime | None:
    """A stated date as a moment: a bare day begins at midnight of the site's zone."""
    if not stated:
        return None
    try:
        moment = datetime.fromisoformat(stated)
    except ValueError:
        return None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:  # at the ends of the calendar
        return moment.replace(tzinfo=UTC)
