"""What one command line was told, and how it speaks: results to stdout, words to stderr, one JSON document if asked."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from syndicate.errors import ConfigError, Problem, SyndicateError, UsageError

if TYPE_CHECKING:
    from syndicate.clock import SystemClock
    from syndicate.config import Settings
    from syndicate.store.database import Store

T = TypeVar("T")


@dataclass
class Session:
    """One command line; the configuration is read when first asked for."""

    config_path: Path | None
    now_text: str | None
    json: bool
    verbosity: int

    @cached_property
    def settings(self) -> Settings:
        """Raises ConfigError with every problem."""
        from syndicate import config, logs

        settings = config.load(self.config_path, os.environ)
        self.listen(self.verbosity - 1)
        for secret in config.secrets_of(settings):
            logs.hide(secret)
        return settings

    def listen(self, verbosity: int) -> None:
        """Show the log on stderr: a one-off command says in words what it did, the daemon has its log for that."""
        from syndicate import logs

        logs.setup(verbosity, json=False, stream=sys.stderr)

    @contextmanager
    def daemon_log(self) -> Iterator[Callable[[str], None]]:
        """The whole log while the body runs; yields what says words to the owner.

        With `logs.format = "json"` these are lines of it too, and so is the error that ends the body: nothing on
        stderr is anything else.
        """
        from syndicate import logs

        if self.settings.logs.format == "text":
            self.listen(self.verbosity)
            yield self.say
            return
        logs.setup(self.verbosity, json=True, stream=sys.stderr)
        log = logs.get(__name__)
        try:
            yield lambda text: log.info("said", text=text)
        except SyndicateError as error:
            log.error("ended", error=str(error))
            raise SystemExit(2 if isinstance(error, UsageError | ConfigError) else 1) from error
        except Exception as error:
            log.exception("ended", error)
            raise SystemExit(1) from error

    @cached_property
    def clock(self) -> SystemClock:
        from syndicate.clock import SystemClock

        return SystemClock.at(self.moment(self.now_text)) if self.now_text else SystemClock()

    def moment(self, text: str) -> datetime:
        """A moment as typed; in the site's zone where it names none. Raises UsageError."""
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError:
            example = "2026-03-06T09:00 or 2026-03-06T09:00:00+01:00"
            raise UsageError(f"{text!r} is not a moment: write it as {example}") from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=self.settings.site.zone)).astimezone(UTC)

    def startable(self) -> Settings:
        """The settings, if nothing in them forbids to run. Raises ConfigError."""
        from syndicate import config

        problems = [*config.problems_at_start(self.settings), *self.unknown_fields()]
        if problems:
            raise ConfigError(problems)
        return self.settings

    def unknown_fields(self) -> list[Problem]:
        """What `review.require` names that no article can have: nothing would ever be ready."""
        required = self.settings.review.require
        if required == ("title",):  # as nearly always: the names need not be loaded
            return []
        from syndicate.review import unknown_fields

        unknown = "is no field that is known here: see docs/front-matter.md"
        return [Problem("review.require", f"{name!r} {unknown}") for name in unknown_fields(required)]

    def ledger(self) -> Store:
        """The database alone."""
        from syndicate.store.database import open_ledger

        return open_ledger(self.settings)

    def read(self, fn: Callable[..., T], *arguments: Any) -> T:
        """One question to the database."""
        store = self.ledger()
        try:
            return store.read_now(fn, *arguments)
        finally:
            store.close()

    @property
    def who(self) -> str:
        """The user of this machine that runs the command."""
        import getpass

        try:
            return getpass.getuser()
        except (KeyError, OSError):  # no name for this number, as in some containers
            return "somebody"

    def write(self, fn: Callable[..., T], *arguments: Any) -> T:
        """One transaction."""
        store = self.ledger()
        try:
            return store.write_now(fn, *arguments)
        finally:
            store.close()

    def run(self, job: Coroutine[Any, Any, T], *, mails: bool = False) -> T:
        """Run a coroutine; the first error of a group of tasks is the error. One that `mails` gets the quicker loop."""
        try:
            with asyncio.Runner(loop_factory=_quick_loop() if mails else None) as runner:
                return runner.run(job)
        except BaseExceptionGroup as group:
            raise _first(group) from group

    # --- speaking ----------------------------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Words for the person at the screen."""
        if self.verbosity >= 0:
            print(text, file=sys.stderr)

    def warn(self, text: str) -> None:
        """What is wrong; also with -q."""
        print(text, file=sys.stderr)

    def result(self, text: str) -> None:
        """A result; not with --json, whose document is the result."""
        if not self.json:
            print(text)

    def field(self, name: str, value: Any) -> None:
        """One line of a thing that is shown whole; lists and tables get a line for each entry."""
        if isinstance(value, Mapping):
            value = [f"{key}: {entry}" for key, entry in value.items()]
        entries = value if isinstance(value, list | tuple) else [value]
        self.result(f"{name:<13}" + f"\n{'':<13}".join(_cell(entry, self.settings) for entry in entries))

    def document(self, value: Any, out: TextIO | None = None) -> None:
        """The JSON document, on stdout if not elsewhere."""
        json.dump(value, out or sys.stdout, ensure_ascii=False, indent=2, default=_plain)
        (out or sys.stdout).write("\n")

    def documents(self, values: Iterable[Any]) -> None:
        """The JSON document where it is a list of any length: written while it is read, an entry a line.

        Indenting it would take three times as long.
        """
        encode = json.JSONEncoder(ensure_ascii=False, default=_plain).encode
        before = "["
        for value in values:
            sys.stdout.write(f"{before}\n  {encode(value)}")
            before = ","
        sys.stdout.write("[]\n" if before == "[" else "\n]\n")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
        """A table that fits the terminal, and is whole in a pipe, whatever its length."""
        cells = ([_cell(value, self.settings) for value in row] for row in rows)
        first = next(cells, None)
        if first is None:
            self.say(empty)
            return
        shown = chain([first], cells)
        if not sys.stdout.isatty():
            for row in shown:
                print("\t".join(row))
            return
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="dim")
        for column in columns:
            table.add_column(column, overflow="ellipsis", no_wrap=column != "why")
        for row in shown:
            table.add_row(*(cell.replace("[", "\\[") for cell in row))
        Console().print(table)

    def confirm(self, question: str, *, yes: bool, mails_people: bool) -> None:
        """Ask before something goes out. Raises UsageError where nobody can answer and people would get mail."""
        if yes:
            return
        if not sys.stdin.isatty():
            if mails_people:
                raise UsageError("people would get mail: repeat with --yes (there is no terminal to ask on)")
            return
        self.say(question)
        if input("Go on? [y/N] ").strip().lower() not in ("y", "yes"):
            raise UsageError("nothing was sent, as you said")


def _quick_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's; None, so Python's own, where it is not there: it has no wheel for some machines."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    return str(value)


def _cell(value: Any, settings: Settings) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone(settings.site.zone):%Y-%m-%d %H:%M}"
    from syndicate.prose import TURNS

    return " ".join(str(value).split()).translate(TURNS)


def one_of(value: str | None, allowed: Iterable[str], what: str) -> None:
    """Raises UsageError for a value that is none of those."""
    if value is not None and value not in set(allowed):
        raise UsageError(f"{value!r} is no {what}: one of {', '.join(allowed)}")
