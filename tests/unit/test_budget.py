"""What must not be paid for, counted and not timed, so that no machine's mood decides; `make bench` has the times."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from syndicate import config
from syndicate.app import open_app
from syndicate.clock import SystemClock
from syndicate.pipeline import Report, run_pass

LONG_AGO = 1_760_000_000
STATEMENTS = 60  # in a pass that finds nothing to do, transactions included
INSTRUCTIONS = 32  # of SQLite for each article in such a pass: one walk too many is four or more

NEVER_IDLE = {
    "alembic", "apscheduler", "cryptography", "email_validator", "feedgen", "ftfy", "httpx", "jinja2", "lxml", "mjml",
    "nh3", "PIL", "prometheus_client", "psycopg", "rich", "starlette", "structlog", "tenacity", "uvicorn", "watchfiles",
    "sqlalchemy.dialects.postgresql", "syndicate.daemon", "syndicate.web", "syndicate.forecast",
}  # fmt: skip
NOTHING_TO_READ = {"yaml", "pyromark", "syndicate.manuscript", "syndicate.frontmatter", "syndicate.review"}
NOTHING_TO_SEND = {"syndicate.app", "syndicate.pipeline", "syndicate.channels", "syndicate.transports"}
NO_LEDGER = {"sqlalchemy", "pydantic", "sqlite3", "syndicate.config", "syndicate.store", "syndicate.app"}

CONFIG = """\
[site]
title = "The Courier"
url = "https://www.example.org"
[[sources]]
path = "content"
[email]
sender = "News <news@bench.test>"
[[digests]]
name = "weekly"
schedule = "0 9 * * FRI"
[linkedin]
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with a few articles that were seen before."""
    write_site(tmp_path, 10)
    loaded(tmp_path, "run", "--once")
    return tmp_path


def write_site(folder: Path, count: int) -> Path:
    (folder / "content").mkdir(parents=True)
    (folder / "syndicate.toml").write_text(CONFIG, encoding="utf-8")
    for number in range(count):
        path = folder / "content" / f"article-{number}.md"
        text = f"It says what number {number} has to say. " * 20
        path.write_text(f"---\ntitle: Number {number}\ndate: 2026-11-01\n---\n{text}\n", encoding="utf-8")
        os.utime(path, (LONG_AGO, LONG_AGO))
    return folder


def loaded(folder: Path, *arguments: str) -> set[str]:
    """The modules, and their packages, that one command line imports."""
    program = "import sys; from syndicate.cli import run; code = run(sys.argv[1:]); print(*sys.modules); sys.exit(code)"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


def test_help_opens_neither_database_nor_configuration(tmp_path: Path) -> None:
    modules = loaded(tmp_path, "--help")
    assert "syndicate.cli" in modules
    assert sorted(modules & (NEVER_IDLE - {"rich"} | NOTHING_TO_READ | NO_LEDGER)) == []


def test_status_loads_nothing_that_reads_or_sends(site: Path) -> None:
    modules = loaded(site, "status")
    assert "syndicate.store.articles" in modules
    assert sorted(modules & (NEVER_IDLE | NOTHING_TO_READ | NOTHING_TO_SEND)) == []


def test_a_pass_with_nothing_new_loads_no_parser_and_no_client(site: Path) -> None:
    modules = loaded(site, "run", "--once")
    assert "syndicate.pipeline" in modules
    assert sorted(modules & (NEVER_IDLE | NOTHING_TO_READ)) == []


@contextmanager
def statements() -> Iterator[list[str]]:
    """The SQL statements that are executed meanwhile, on every engine."""
    said: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        said.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def passes(folder: Path) -> tuple[Report, Report, list[str]]:
    """A first pass and an idle one, and what the idle one asked of the database."""
    settings = config.load(folder / "syndicate.toml", {})
    clock = SystemClock.at(datetime(2026, 11, 24, 12, 0, tzinfo=UTC))
    async with open_app(settings, clock, "test") as app:
        first = await run_pass(app)
        with statements() as said:
            idle = await run_pass(app)
    return first, idle, said


async def test_a_pass_with_nothing_new_parses_nothing_and_publishes_nothing(tmp_path: Path) -> None:
    write_site(tmp_path, 10)
    first, idle, _ = await passes(tmp_path)
    assert (first.scanned.files, first.scanned.parsed) == (10, 10)
    assert len(first.published.written) == 3
    assert (idle.scanned.files, idle.scanned.parsed, idle.scanned.changed) == (10, 0, 0)
    assert idle.published.written == ()


async def test_an_idle_pass_asks_few_questions_however_many_articles_there_are(tmp_path: Path) -> None:
    asked = {}
    for count in (10, 250):
        folder = write_site(tmp_path / str(count), count)
        _, _, asked[count] = await passes(folder)
    assert sorted(asked[10]) == sorted(asked[250])
    assert 0 < len(asked[10]) <= STATEMENTS


@contextmanager
def work() -> Iterator[list[int]]:
    """How much SQLite works meanwhile, on connections made meanwhile: an entry for each hundred of its instructions."""
    done: list[int] = []

    def watch(connection: sqlite3.Connection, _record: object) -> None:
        connection.set_progress_handler(lambda: done.append(1), 100)

    event.listen(Engine, "connect", watch)
    try:
        yield done
    finally:
        event.remove(Engine, "connect", watch)


async def test_an_idle_pass_makes_the_database_read_a_few_entries_of_an_index_for_each_article(tmp_path: Path) -> None:
    spent = {}
    for count in (10, 250):
        folder = write_site(tmp_path / str(count), count)
        await passes(folder)
        with work() as done:
            await passes(folder)
        spent[count] = 50 * len(done)  # of two idle passes
    assert 0 < (spent[250] - spent[10]) / 240 < INSTRUCTIONS


async def test_an_idle_pass_writes_nothing(tmp_path: Path) -> None:
    write_site(tmp_path, 10)
    _, _, said = await passes(tmp_path)
    assert [one for one in said if one.split()[0] in ("INSERT", "UPDATE", "DELETE")] == []


async def test_a_first_scan_asks_a_few_questions_a_batch_not_a_file(tmp_path: Path) -> None:
    asked = {}
    for count in (20, 200):
        folder = write_site(tmp_path / str(count), count)
        with statements() as said:
            await passes(folder)
        asked[count] = len(said)
    assert asked[200] == asked[20]
