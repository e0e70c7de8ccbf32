"""Who is who: the rows of the catalogue that a batch of files may be, or compete with (rules 7, 9 and 10).

They are loaded with a handful of statements however large the batch, and kept up to date while it goes on, so that the
second of two new files meets the first. Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, Protocol
from uuid import UUID, uuid5

from sqlalchemy import ColumnElement, Connection, literal_column, select

from syndicate.article import Manuscript, State
from syndicate.store.schema import articles

NAMESPACE = UUID("6f0b3c1e-57d7-4c2a-9a0e-6b1f9c3e5a11")
COMPETING = frozenset({State.READY.value, State.HELD.value, State.SCHEDULED.value})
STANDS = articles.c.state != literal_column("'gone'")  # a literal: only then is the partial index sure to be used
AT_ONCE = 500  # values in one statement
_INDEXED = ("path", "guid", "hash", "slug", "title_key", "url")


class Standing(NamedTuple):
    """A row of the catalogue, without what its file says. A tuple: two are made for each new file."""

    id: str
    source: str
    path: str
    state: str
    hash: str
    guid: str | None
    slug: str
    stated: str | None
    url: str
    title_key: str
    first_seen: datetime
    updated: datetime
    verdict: str | None = None
    verdict_because: str | None = None
    released: datetime | None = None
    entered: datetime | None = None
    baseline: bool = False
    delay_from: datetime | None = None
    delay_restarts: int = 0


@dataclass(frozen=True, slots=True)
class Recognised:
    """The article that a file is: its id, its row as it was (None: it is new), and how it was told."""

    id: str
    row: Standing | None
    how: str


class File(Protocol):
    """A file, read."""

    @property
    def source(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def hash(self) -> str: ...
    @property
    def manuscript(self) -> Manuscript: ...


class Rival(Protocol):
    """An article, about to be judged or judged."""

    @property
    def id(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def title_key(self) -> str: ...
    @property
    def first_seen(self) -> datetime: ...
    @property
    def state(self) -> State: ...


_COLUMNS = [articles.c[name] for name in Standing._fields]


class Register:
    """One batch's view of the catalogue."""

    def __init__(self, connection: Connection) -> None:
        self.displaced: list[str] = []  # ids of those whose path another article took
        self.connection = connection
        self._rows: dict[str, Standing] = {}
        self._by: dict[str, dict[str, dict[str, None]]] = {column: {} for column in _INDEXED}  # value -> ids, once so

    # --- identity ----------------------------------------------------------------------------------------------------

    def recognise(self, files: Sequence[File], missing: Collection[str], now: datetime) -> list[Recognised]:
        """Find the article that each file is (rule 7); `missing` are ids whose files this scan does not find."""
        here = articles.c.source.in_({file.source for file in files})
        self._load("path", {file.path for file in files}, here, STANDS)
        self._load("guid", {file.manuscript.guid for file in files if file.manuscript.guid}, here)
        self._load("hash", {file.hash for file in files}, here)
        if missing or self._has_gone(here):
            self._load("slug", {file.manuscript.slug for file in files}, here)
        self._load("id", {_numbered_id(file.source, file.path, 0) for file in files})
        lost = set(missing)
        return [self._recognise_one(file, lost, now) for file in files]

    def _recognise_one(self, file: File, lost: set[str], now: datetime) -> Recognised:
        row, how = self._match(file, lost)
        article = row.id if row else self._new_id(file.source, file.path)
        lost.discard(article)
        self._put(_as_now(file, article, row, now))
        return Recognised(article, row, how)

    def _match(self, file: File, lost: set[str]) -> tuple[Standing | None, str]:
        said, source = file.manuscript, file.source
        here = next((row for row in self._with("path", file.path, source) if row.state != "gone"), None)
        if said.guid and (same := min(self._with("guid", said.guid, source), key=_age, default=None)):
            if same.path == file.path or same.id in lost or same.state == "gone":
                self._displace(here, same)
                return same, "guid"
            return here, "duplicate-id"
        if here is not None:
            return here, "path"
        away = [row for row in self._with("hash", file.hash, source) if row.id in lost or row.state == "gone"]
        if away:
            return min(away, key=lambda row: row.state == "gone"), "hash"
        stated = said.published or said.created
        for row in self._with("slug", said.slug, source):
            if row.id not in lost and row.state != "gone":
                continue
            if stated and _is_same_date(row.stated, stated):
                return row, "slug and date"
            if not stated and not row.stated and row.path == file.path and _is_titled(row, said):
                return row, "path and title"
        return None, "new"

    def _has_gone(self, here: ColumnElement[bool]) -> bool:
        query = select(articles.c.id).where(articles.c.state == literal_column("'gone'"), here).limit(1)
        return self.connection.execute(query).first() is not None

    def _displace(self, here: Standing | None, by: Standing) -> None:
        if here is not None and here.id != by.id:
            self.displaced.append(here.id)
            self._put(here._replace(state="gone"))

    def _new_id(self, source: str, path: str) -> str:
        """uuid5 of source and first path, counted on where an earlier article began at the same path."""
        count = 0
        while (made := _numbered_id(source, path, count)) in self._rows:
            count += 1
            self._load("id", {_numbered_id(source, path, count)})
        return made

    # --- rivals ------------------------------------------------------------------------------------------------------

    def meet(self, rivals: Sequence[Rival]) -> None:
        """Load whoever has the title or the address of one of these."""
        self._load("title_key", {one.title_key for one in rivals if one.title_key})
        self._load("url", {one.url for one in rivals})

    def note(self, rival: Rival) -> None:
        """This article was judged: those that follow meet it as it is now."""
        if row := self._rows.get(rival.id):
            self._put(row._replace(state=rival.state.value, url=rival.url, title_key=rival.title_key))

    def twin(self, rival: Rival, window: timedelta, *, is_new: bool) -> str | None:
        """Path of another article with the same title that was first seen within `window` before this one.

        Of two seen in one scan the first to be judged is the earlier; judged again, it gives way only to one released.
        """
        since = rival.first_seen - window
        others = self._competitors("title_key", rival.title_key, rival)
        seen = [
            row
            for row in others
            if since <= row.first_seen < rival.first_seen
            or (row.first_seen == rival.first_seen and (is_new or row.state == State.READY.value))
        ]
        return min(seen, key=_age).path if seen else None

    def at_address(self, rival: Rival) -> str | None:
        """Path of another article that stands at this address."""
        others = self._competitors("url", rival.url, rival)
        return min(others, key=_age).path if others else None

    def _competitors(self, column: str, value: str, rival: Rival) -> list[Standing]:
        return [row for row in self._with(column, value) if row.id != rival.id and row.state in COMPETING]

    # --- rows --------------------------------------------------------------------------------------------------------

    def _load(self, column: str, values: Collection[str | None], *conditions: ColumnElement[bool]) -> None:
        ordered = sorted(value for value in values if value is not None)
        for start in range(0, len(ordered), AT_ONCE):
            query = select(*_COLUMNS).where(articles.c[column].in_(ordered[start : start + AT_ONCE]), *conditions)
            for row in self.connection.execute(query):
                if row.id not in self._rows:  # else it is known here as it will be
                    self._put(Standing(*row))

    def _put(self, row: Standing) -> None:
        self._rows[row.id] = row
        for column, ids in self._by.items():
            ids.setdefault(getattr(row, column), {})[row.id] = None

    def _with(self, column: str, value: str, source: str | None = None) -> Iterator[Standing]:
        for article in self._by[column].get(value, ()):
            row = self._rows[article]
            if getattr(row, column) == value and source in (None, row.source):
                yield row


@lru_cache(maxsize=2_000)  # each is asked for twice
def _numbered_id(source: str, path: str, count: int) -> str:
    return str(uuid5(NAMESPACE, f"{source}\n{path}" + (f"\n{count}" if count else "")))


def _is_titled(row: Standing, said: Manuscript) -> bool:
    from syndicate.review import title_key  # patterns that most passes have no use for

    return row.title_key == title_key(said.title)


def _as_now(file: File, article: str, row: Standing | None, now: datetime) -> Standing:
    """The row as the file will leave it, not judged yet; one that is new has no title yet, so that nobody meets it."""
    said = file.manuscript
    stated = said.published or said.created
    if row is None:
        return Standing(
            article,
            file.source,
            file.path,
            State.REJECTED.value,
            file.hash,
            said.guid,
            said.slug,
            stated,
            "",
            "",
            now,
            now,
        )
    state = State.REJECTED.value if row.state == "gone" else row.state
    return row._replace(path=file.path, state=state, hash=file.hash, guid=said.guid, slug=said.slug, stated=stated)


def _is_same_date(one: str | None, other: str) -> bool:
    """The same day as stated, or the same moment: another generator writes 10:00+02:00 as 08:00Z, a day as midnight."""
    if one is None or one[:10] == other[:10]:
        return one is not None
    if len(one) == 10 or len(other) == 10:  # a bare day
        return False
    return datetime.fromisoformat(one) == datetime.fromisoformat(other)


def _age(row: Standing) -> tuple[datetime, str]:
    return row.first_seen, row.path
