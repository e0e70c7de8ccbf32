"""A newsroom for tests from outside: a folder with articles and a configuration, driven only by real processes.

Nothing here imports the program: what it is asked goes through its command line, what it did is read from its
answers, its files and what the doubles saw.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from tests.doubles.linkedin import AUTHOR, TOKEN

T = TypeVar("T")

TIMEOUT = 60  # seconds for one command
FRIDAY = datetime(2026, 3, 6, 8, 0, tzinfo=UTC)  # an hour before the slot of the weekly digest
SLOT = FRIDAY + timedelta(hours=1)

WEEKLY = {"digests": [{"name": "weekly", "schedule": "0 9 * * FRI"}]}
FIRST = {"review": {"first_run": "announce"}}  # what is there at the first look is announced
NO_PACE = {"slots": [], "hours": "", "min_gap": "0s", "max_per_day": 0, "max_age": "0s"}

_PLACES = ("harbour", "mill", "orchard", "chapel", "viaduct", "bakery", "lighthouse", "ferry", "archive", "quarry")
_SENTENCES = (
    "The {place} opened its doors before the first tram, and the queue already reached the corner.",
    "Nobody who lives near the {place} remembers a spring as dry as number {n} in the old ledger.",
    "Ask the warden of the {place} about repairs and she will show you a tin of {n} brass screws.",
    "By noon the rain had stopped, the benches were wiped, and somebody brought soup for {n} people.",
    "It will stay open until the council has counted the votes, which may take {n} more days.",
)


def story(n: int) -> str:
    """A text of some 80 words that no other number has."""
    place = _PLACES[n % len(_PLACES)]
    return "\n\n".join(sentence.format(place=place, n=n + 3) for sentence in _SENTENCES) + "\n"


def title(n: int) -> str:
    return f"What the {_PLACES[n % len(_PLACES)]} of street {n} taught its neighbours"


def front(n: int, **said: str | None) -> str:
    """A whole file in the owner's style; a key said as None is left out."""
    fields: dict[str, str | None] = {
        "title": title(n),
        "subtitle": f"House {n} and the people who keep it",
        "description": f"A walk through street {n}, where a closed door was opened again by those who live beside it.",
        "author": f"Writer {n}",
        "read_time": "9 mins",
        "publish_date": "2026-03-01",
        "created_date": "2026-03-02",
        "cta": "Follow us on LinkedIn for the next walk.",
    }
    body = said.pop("body", story(n))
    raw = said.pop("raw", "")
    fields |= said
    quoted = (f"{key}: '{value.replace(chr(39), chr(39) * 2)}'" for key, value in fields.items() if value is not None)
    return "\n".join(["---", *quoted, *([raw] if raw else []), "---", "", body or ""])


@dataclass(frozen=True)
class Done:
    """One command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Newsroom:
    """One site folder; `settings` is what stands in its configuration."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.content = folder / "content"
        self.content.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.settings: dict[str, Any] = {
            "data": "var",
            "site": {"title": "The Quay Courier", "url": "https://courier.example", "timezone": "UTC"},
            "sources": [{"path": "content", "poll": "1s"}],
            "review": {"settle": "0s", "delay": "0s"},
            "web": {"port": self.port, "public_url": f"http://127.0.0.1:{self.port}"},
        }
        self.configure(**settings)

    @property
    def data(self) -> Path:
        return self.folder / "var"

    @property
    def database(self) -> Path:
        return self.data / "syndicate.db"

    def configure(self, **settings: Any) -> None:
        """Change the configuration: tables are merged, all else replaced; None takes a table away."""
        _merge(self.settings, settings)
        (self.folder / "syndicate.toml").write_text(toml(self.settings), encoding="utf-8")

    # --- articles ----------------------------------------------------------------------------------------------------

    def write(self, n: int, name: str | None = None, **said: str | None) -> Path:
        """Drop article number `n` into the folder, whole, as a careful program does."""
        path = self.content / (name or f"{n:03}-walk.md")
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.part")
        draft.write_text(front(n, **said), encoding="utf-8")
        draft.replace(path)
        return path

    # --- commands ----------------------------------------------------------------------------------------------------

    def command(self, *words: str, now: datetime | None = None, env: Mapping[str, str] | None = None) -> Done:
        """Run one command to its end, whatever its exit code."""
        done = subprocess.run(
            self._line(words, now),
            cwd=self.folder,
            env=clean_environment() | dict(env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
        )
        result = Done(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert "Traceback" not in result.err, result.err
        return result

    def run(
        self, *words: str, now: datetime | None = None, env: Mapping[str, str] | None = None, code: int = 0
    ) -> Done:
        """Run one command and insist on its exit code."""
        done = self.command(*words, now=now, env=env)
        assert done.code == code, f"{words}: exit {done.code} instead of {code}\n{done.out}\n{done.err}"
        return done

    def ask(self, *words: str, now: datetime | None = None, code: int = 0) -> Any:
        """The JSON document of a command."""
        return self.run(*words, "--json", now=now, code=code).json

    def crash(self, point: str, *words: str, now: datetime | None = None) -> None:
        """Run a command that must die at a crash point."""
        done = self.command(*words, now=now, env={"SYNDICATE_CRASH": point})
        assert done.code == -signal.SIGKILL, f"it never came to {point}: exit {done.code}\n{done.out}\n{done.err}"

    def _line(self, words: tuple[str, ...], now: datetime | None) -> list[str]:
        return [sys.executable, "-m", "syndicate", *(["--now", now.isoformat()] if now else []), *words]

    @contextlib.contextmanager
    def daemon(self, now: datetime | None = None, env: Mapping[str, str] | None = None) -> Iterator[Daemon]:
        """`syndicate run` while the body runs; killed afterwards if it was not stopped."""
        daemon = Daemon(self._line(("run",), now), self.folder, clean_environment() | dict(env or {}))
        try:
            daemon.wait_until_ready()
            yield daemon
        finally:
            daemon.kill()

    @contextlib.contextmanager
    def helper(self, now: datetime | None = None) -> Iterator[Daemon]:
        """`syndicate worker` while the body runs."""
        worker = Daemon(self._line(("worker",), now), self.folder, clean_environment())
        try:
            until(lambda: "syndicate helps" in worker.words or worker.process.poll() is not None, "it helps", 20)
            assert worker.process.poll() is None, worker.words
            yield worker
        finally:
            worker.kill()

    def start(self, now: datetime | None = None) -> Daemon:
        """`syndicate run`, not waited for; the caller kills it."""
        return Daemon(self._line(("run",), now), self.folder, clean_environment())

    # --- answers -----------------------------------------------------------------------------------------------------

    def deliveries(self, channel: str | None = None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("deliveries", *(["--channel", channel] if channel else []))
        return found

    def articles(self) -> dict[str, dict[str, Any]]:
        """The catalogue by path."""
        return {one["path"]: one for one in self.ask("articles")}

    def feed(self) -> dict[str, Any]:
        """feed.json as it stands on disk."""
        document: dict[str, Any] = json.loads((self.data / "public" / "feed.json").read_text("utf-8"))
        return document

    def feed_bytes(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted((self.data / "public").iterdir())}

    def outbox(self, channel: str) -> list[Path]:
        return sorted((self.data / "outbox" / channel).glob("*.*"))


class Daemon:
    """A running `syndicate run`; its words are in `words`."""

    def __init__(self, line: list[str], folder: Path, env: dict[str, str]) -> None:
        self.log = folder / f"daemon-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                line, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    @property
    def words(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def wait_until_ready(self) -> None:
        until(lambda: "syndicate runs" in self.words or self.process.poll() is not None, "the daemon starts", 20)
        assert self.process.poll() is None, self.words

    def terminate(self, within: float = 20) -> int:
        """SIGTERM; returns its exit code."""
        self.process.terminate()
        return self.process.wait(within)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)


# --- the world --------------------------------------------------------------------------------------------------------


def linkedin(url: str, **more: Any) -> dict[str, Any]:
    """The table of a live LinkedIn without pace."""
    return {"live": True, "author": AUTHOR, "access_token": TOKEN, "api_url": url, **NO_PACE, **more}


def email(port: int, **more: Any) -> dict[str, Any]:
    """The table of live mail to a server on this machine."""
    return {
        "live": True,
        "sender": "The Courier <news@courier.test>",
        "postal_address": "1 Quay Street, Harbour",
        "smtp": {"host": "127.0.0.1", "port": port, "security": "none", "connections": 2},
        **more,
    }


def people(count: int) -> list[str]:
    return [f"reader{n:03}@readers{n % 7}.test" for n in range(count)]


def until(question: Callable[[], T], what: str, within: float) -> T:
    """Ask again and again until the answer is true."""
    end = time.monotonic() + within
    while not (answer := question()):
        assert time.monotonic() < end, f"not within {within} s: {what}"
        time.sleep(0.05)
    return answer


def http(url: str, data: bytes | None = None, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    """GET, or POST with data, straight and without a proxy; (status, body)."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        request = urllib.request.Request(url, data=data, headers=dict(headers or {}))
        with opener.open(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def free_port() -> int:
    """A port that is free now and was never handed out by this process."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        with _ports_lock:
            if port not in _ports:
                _ports.add(port)
                return port


_ports: set[int] = set()
_ports_lock = threading.Lock()


def clean_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SYNDICATE_")}
    return kept | {"PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}


# --- writing TOML -----------------------------------------------------------------------------------------------------


def toml(tables: Mapping[str, Any]) -> str:
    return "\n".join(_lines(tables, ())) + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    plain = {key: value for key, value in table.items() if not _is_table(value)}
    for key, value in plain.items():
        yield f"{key} = {json.dumps(value)}"
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield f"[{'.'.join((*path, key))}]"
            yield from _lines(value, (*path, key))
        elif _is_table(value):
            for one in value:
                yield f"[[{'.'.join((*path, key))}]]"
                yield from _lines(one, (*path, key))


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(one, Mapping) for one in value))


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value


# --- reading letters --------------------------------------------------------------------------------------------------


def unsubscribe_link(letter: str) -> str:
    """The address of a letter's List-Unsubscribe header."""
    head = re.sub(r"\r?\n[ \t]+", " ", re.split(r"\r?\n\r?\n", letter, maxsplit=1)[0])
    header = next(line for line in head.splitlines() if line.lower().startswith("list-unsubscribe:"))
    return re.findall(r"<(https?://[^>]+)>", header)[0].replace(" ", "")
