"""What a list of people costs to bring in and out again, as whole processes, beside the least that could be done.

    make bench                 100,000 lines: a table on stdout, and the same in bench/RESULTS-lists.md
    make bench-large           a million lines

Addresses come in no order, as in a list that is sorted by date. "Plain" reads the same file with Python's csv and puts
its rows into one SQLite table with one unique index, with the same care for the disk.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import run

SOME, MANY = 100_000, 1_000_000
PER_LINE, PEAK = 60e-6, 150  # seconds, MB
RESULTS = Path(__file__).with_name("RESULTS-lists.md")

PLAIN = """
import csv, sqlite3
connection = sqlite3.connect("plain.db")
connection.execute("PRAGMA journal_mode = wal")
connection.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT, tags TEXT, state TEXT)")
with open("people.csv", newline="") as lines, connection:
    rows = csv.reader(lines)
    next(rows)
    connection.executemany("INSERT INTO people (email, name, tags, state) VALUES (?, ?, ?, ?)", rows)
"""


def write(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8") as out:
        out.write("email,name,tags,state\n")
        for number in range(count):
            who = number * 7_919 % 1_000_003
            out.write(f'reader.{who}@mail{number % 997}.example,Ann Lee {number},"vip, de",active\n')


def costs(folder: Path, count: int) -> Iterator[tuple[str, run.Cost, bool]]:
    """Each line of the table, and whether the budget is for it."""
    site = run.Site(folder / "site", folder)
    write(site.folder / "people.csv", count)
    yield "plain csv and sqlite3", run.spend((sys.executable, "-c", PLAIN), site.folder), False
    for name, arguments, meant in (
        ("subscribers import", ("import", "people.csv"), True),
        ("subscribers import, all known", ("import", "people.csv"), True),
        ("subscribers export", ("export", "out.csv"), True),
        ("subscribers list --json", ("list", "--json"), True),
    ):
        yield name, site.command("subscribers", *arguments)(), meant


def table(count: int) -> Iterator[str]:
    """The table, in Markdown."""
    yield f"| {f'{count:,} people':<32} | {'CPU':>7} | {'wall':>7} | {'a line':>7} | {'peak':>6} | {'budget':<14} |"
    yield f"| {'-' * 32} | {'-' * 6}: | {'-' * 6}: | {'-' * 6}: | {'-' * 5}: | {'-' * 14} |"
    with tempfile.TemporaryDirectory() as folder:
        for name, cost, meant in costs(Path(folder), count):
            budget = f"{count * PER_LINE:.0f} s, {PEAK} MB" if meant else ""
            line = f"{cost.wall / count * 1e6:.0f} us"
            yield (
                f"| {name:<32} | {cost.cpu:>5.1f} s | {cost.wall:>5.1f} s | {line:>7} | {cost.peak:>3.0f} MB"
                f" | {budget:<14} |"
            )


def main() -> None:
    large = sys.argv[1:] == ["large"]
    lines = []
    for line in table(MANY if large else SOME):
        print(line, flush=True)
        lines.append(line)
    RESULTS.write_text("# What lists of people cost\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
