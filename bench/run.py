"""What things cost: whole processes by the system's own account of them (user + system CPU, peak memory).

    make bench                 a table on stdout, and the same in bench/RESULTS.md
    make bench-large           a source of 100,000 articles, all known: a table on stdout

Medians of three rounds, each round in the same order, so that every ratio is between neighbours in time; compare
ratios, and figures only inside one run. This process stays small: a child's peak begins at its parent's.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import articles

ROUNDS = 3
FEW, MANY, LARGE, PEOPLE = 300, 6_900, 100_000, 2_000
ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "corpus" / "magick-news"
SYNDICATE = (sys.executable, "-m", "syndicate")
PARTS = (sys.executable, str(ROOT / "bench" / "parts.py"))
# An installed program has its bytecode beside it, whatever this shell says.
ENV = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

CONFIG = """\
[site]
title = "The Bench"
url = "https://www.bench.example"
cta_url = "https://www.bench.example/follow"
[[sources]]
path = {content}
[review]
max_new = 100000
[email]
sender = "News <news@bench.test>"
postal_address = "1 Bench Lane"
live = {live}
[email.smtp]
port = {port}
security = "none"
[[digests]]
name = "weekly"
schedule = "0 9 * * FRI"
[linkedin]
"""


@dataclass(frozen=True)
class Cost:
    """What one process cost; seconds and MB."""

    cpu: float
    wall: float
    peak: float


@dataclass(frozen=True)
class Row:
    """One line of the table: `run` measures it once; `beside` names the line it is compared with."""

    name: str
    run: Callable[[], Cost]
    beside: str = ""
    limit: str = ""
    each: int = 0  # of how many things: their share is told as well
    more: int = 0  # articles than beside: the memory that each of these takes is told


def spend(command: tuple[str, ...], folder: Path) -> Cost:
    """Run a command to its end. Raises RuntimeError with its last words where it fails."""
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(command, cwd=folder, stdout=words, stderr=words, stdin=subprocess.DEVNULL, env=ENV)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            words.seek(0)
            raise RuntimeError(f"{' '.join(command)}: exit {process.returncode}\n{words.read().decode()[-2000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - begun, usage.ru_maxrss / 1024)


class Site:
    """A folder with a configuration, articles, and a database that can be put back as it was."""

    def __init__(self, folder: Path, content: Path, *, port: int = 25, live: bool = False) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.config = CONFIG.format(content=json.dumps(str(content)), live=str(live).lower(), port=port)
        (folder / "syndicate.toml").write_text(self.config, encoding="utf-8")

    def command(self, *arguments: str) -> Callable[[], Cost]:
        return lambda: spend((*SYNDICATE, *arguments), self.folder)

    def anew(self, job: Callable[[], Cost]) -> Callable[[], Cost]:
        """The job with the database and all else as `keep` found it; without it, with none."""

        def run() -> Cost:
            shutil.rmtree(self.folder / "var", ignore_errors=True)
            if (kept := self.folder / "kept").exists():
                shutil.copytree(kept, self.folder / "var")
            return job()

        return run

    def first(self) -> Callable[[], Cost]:
        """A first pass."""
        return self.anew(self.command("run", "--once"))

    def keep(self) -> None:
        shutil.copytree(self.folder / "var", self.folder / "kept")

    def part(self, *arguments: str) -> Callable[[], Cost]:
        """One job inside a process, which tells its own CPU seconds."""

        def run() -> Cost:
            words = subprocess.run((*PARTS, *arguments), cwd=self.folder, capture_output=True, text=True, check=True)
            return Cost(**json.loads(words.stdout))

        return run


class Double:
    """The mail server of the tests, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        port_file = folder / "port"
        command = (sys.executable, "-m", "tests.doubles.smtp", "--port-file", port_file, "--world", "/dev/null")
        self._process = subprocess.Popen(command, cwd=ROOT)
        while not port_file.exists():
            time.sleep(0.02)
        self.port = int(port_file.read_text())

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


def rows(folder: Path, double: Double) -> Iterator[Row]:
    """The lines of the table, what they are compared with first."""
    few, many = folder / "few", folder / "many"
    articles.write(few, FEW)
    articles.write(many, MANY)
    small, large = Site(folder / "small", few), Site(folder / "large", many)
    small_cold, large_cold = Site(folder / "small-cold", few), Site(folder / "large-cold", many)
    for site in (small, large):
        site.command("run", "--once")()

    yield Row("python -c pass", lambda: spend((sys.executable, "-c", "pass"), folder))
    python = "python -c pass"
    yield Row("syndicate --help", small.command("--help"), python, "0.3 s")
    yield Row("status", small.command("status"), python, "0.8 s")
    yield Row("run --once, nothing new", small.command("run", "--once"), python, "0.8 s")
    cold = f"run --once, first, {FEW} articles"
    yield Row(cold, small_cold.first(), "run --once, nothing new", "2 s")
    if CORPUS.is_dir():
        real = Site(folder / "real", CORPUS)
        yield Row(f"the same, {len(list(CORPUS.glob('*.md')))} of the corpus", real.first(), cold, "2 s")
    walk = f"scandir and stat, {MANY} files"
    yield Row(walk, large.part("walk", str(MANY)))
    yield Row(f"scan, nothing new, {MANY}", large.part("idle"), walk, "3 x")
    nothing = "run --once, nothing new"
    yield Row(f"{nothing}, {MANY}", large.command("run", "--once"), nothing, "1 KB", more=MANY - FEW)
    cold_many = f"run --once, first, {MANY} articles"
    yield Row(cold_many, large_cold.first(), walk, "3 s", MANY)
    yield Row("its scan, wall: longest stop of the loop", large_cold.anew(large_cold.part("stop")), "", "50 ms")
    if hugo := shutil.which("hugo"):
        blog = folder / "hugo"
        blog.mkdir()
        (blog / "hugo.toml").write_text('title = "The Bench"\nbaseURL = "https://www.bench.example"\n')
        articles.write(blog / "content", MANY, broken=False)  # it gives up at the first file that is not YAML
        yield Row(f"Hugo's RSS of {MANY}, none broken", lambda: _hugo(hugo, blog), cold_many)

    yield Row("feeds of 50, three formats", small.part("feeds"))
    yield Row("a digest of 12, rendered", small.part("digest"))
    yield Row("a LinkedIn post, composed", small.part("linkedin"))
    for name, site in (
        ("into the outbox", Site(folder / "outbox", few)),
        ("to an SMTP server", Site(folder / "smtp", few, port=double.port, live=True)),
    ):
        site.command("run", "--once")()
        _people(site)
        site.keep()
        yield Row(f"{PEOPLE} letters {name}", site.anew(site.command("digest", "weekly", "--yes")), "", "", PEOPLE)


def rows_large(folder: Path) -> Iterator[Row]:
    """What a source of so many articles costs, all of them known."""
    few, many = folder / "few", folder / "many"
    articles.write(few, FEW)
    articles.write(many, LARGE)
    small, large = Site(folder / "small", few), Site(folder / "large", many)
    for site in (small, large):
        _say("the first scan")
        site.command("run", "--once")()
    walk, nothing = f"scandir and stat, {LARGE} files", "run --once, nothing new"
    yield Row(walk, large.part("walk", str(LARGE)))
    yield Row(f"scan, nothing new, {LARGE}", large.part("idle"), walk, "3 x")
    yield Row(nothing, small.command("run", "--once"))
    yield Row(f"{nothing}, {LARGE}", large.command("run", "--once"), nothing, "1 KB", more=LARGE - FEW)


def _hugo(hugo: str, blog: Path) -> Cost:
    """A site without layouts: Hugo writes its feeds alone. Raises RuntimeError where an article is missing."""
    cost = spend((hugo, "--quiet", "--destination", "public"), blog)
    if (blog / "public" / "index.xml").read_text(encoding="utf-8").count("<item>") != MANY:
        raise RuntimeError("Hugo's RSS does not hold every article")
    shutil.rmtree(blog / "public")
    return cost


def _people(site: Site) -> None:
    table = "email\n" + "".join(f"reader{number}@readers.test\n" for number in range(PEOPLE))
    (site.folder / "people.csv").write_text(table, encoding="utf-8")
    site.command("subscribers", "import", "people.csv")()


def measure(lines: list[Row]) -> dict[str, Cost]:
    """Medians of each line, by name."""
    found: dict[str, list[Cost]] = {line.name: [] for line in lines}
    for turn in range(ROUNDS):
        for line in lines:
            _say(f"round {turn + 1} of {ROUNDS}: {line.name}")
            found[line.name].append(line.run())
    _say("")
    return {name: _median(costs) for name, costs in found.items()}


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _median(costs: list[Cost]) -> Cost:
    cpu, wall, peak = zip(*((cost.cpu, cost.wall, cost.peak) for cost in costs), strict=True)
    return Cost(statistics.median(cpu), statistics.median(wall), statistics.median(peak))


def table(lines: list[Row], found: dict[str, Cost]) -> Iterator[str]:
    """The table, in Markdown."""
    yield f"| {'what':<40} | {'CPU':>9} | {'wall':>9} | {'peak':>7} | {'budget':>6} | beside |"
    yield f"| {'-' * 40} | {'-' * 8}: | {'-' * 8}: | {'-' * 6}: | {'-' * 5}: | ------ |"
    for line in lines:
        cost = found[line.name]
        peak = f"{cost.peak:.0f} MB" if cost.peak else ""
        notes = []
        if line.beside:
            notes.append(f"{cost.cpu / max(found[line.beside].cpu, 1e-6):.1f} x {line.beside}")
        if line.more:
            notes.append(f"{(cost.peak - found[line.beside].peak) * 1024 / line.more:.2f} KB for each more")
        if line.each:
            notes.append(f"{_seconds(cost.cpu / line.each)} each, {line.each / cost.wall:,.0f} a second")
        yield (
            f"| {line.name:<40} | {_seconds(cost.cpu):>9} | {_seconds(cost.wall):>9} | {peak:>7} |"
            f" {line.limit:>6} | {'; '.join(notes)} |"
        )


def _seconds(value: float) -> str:
    if value < 0.001:
        return f"{value * 1e6:.0f} us"
    return f"{value * 1e3:.1f} ms" if value < 0.1 else f"{value:.2f} s"


def main(*arguments: str) -> None:
    begun, large = time.monotonic(), arguments == ("large",)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        double = Double(folder)
        try:
            lines = list(rows_large(folder) if large else rows(folder, double))
            found = measure(lines)
        finally:
            double.stop()
    text = list(table(lines, found))
    text += ["", f"Medians of {ROUNDS}, Python {sys.version.split()[0]}, {os.cpu_count()} cores; "
             f"measured in {time.monotonic() - begun:.0f} s."]  # fmt: skip
    if large:
        print("\n".join(text))
        return
    if not CORPUS.is_dir():
        text.append("The corpus of real articles is not beside the project: not measured.")
    if not shutil.which("hugo"):
        text.append("Hugo is not installed: not measured.")
    print("\n".join(text))
    (ROOT / "bench" / "RESULTS.md").write_text("# What things cost\n\n" + "\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
