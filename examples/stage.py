"""What the demonstration plays on: the program, driven by its commands, and LinkedIn's double beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FEEDS = ("feed.xml", "atom.xml", "feed.json")

SETTINGS = """\
data = "var"
[site]
title = "{title}"
url = "https://{host}"
cta_url = "https://linkedin.example/company/{who}"
[[sources]]
path = {folder}
[review]
first_run = "announce"
max_new = 1000
delay = "0s"
settle = "0s"
[linkedin]
live = {live}
author = "urn:li:person:abcd1234"
access_token = "of-no-use"
api_url = "{api_url}"
"""
MAIL = """\
[web]
public_url = "https://news.{host}"
[email]
live = false
sender = "{title} <news@{host}>"
postal_address = "1 North Quay, Pellamouth"
[[digests]]
name = "weekly"
schedule = "{digest}"
"""


class Trouble(Exception):
    """A step that did not end as it should; the text shows the command's own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The program with one configuration, over one folder of articles."""

    home: Path
    folder: Path
    site: str  # its title

    @property
    def data(self) -> Path:
        return self.home / "var"

    def configure(self, *, digest: str = "", api_url: str = "https://api.linkedin.com", live: bool = False) -> None:
        """Write the configuration; `digest` is the schedule of one, empty for no mail at all."""
        self.home.mkdir(parents=True, exist_ok=True)
        text = (SETTINGS + MAIL if digest else SETTINGS).format(
            title=self.site,
            host=self.site.lower().replace("the ", "").replace(" ", "") + ".example",
            who=self.site.lower().replace(" ", "-"),
            folder=json.dumps(str(self.folder)),
            live=str(live).lower(),
            api_url=api_url,
            digest=digest,
        )
        (self.home / "demo.toml").write_text(text, "utf-8")

    def run(self, now: datetime, *words: str, crash: str = "") -> subprocess.CompletedProcess[str]:
        """One command, on a clock that starts at `now`; with `crash` it is killed at the place of that name."""
        given = {name: value for name, value in os.environ.items() if not name.startswith("SYNDICATE_")}
        given["PYTHONUTF8"] = "1"
        if crash:
            given["SYNDICATE_CRASH"] = crash
        config = str(self.home / "demo.toml")
        command = [sys.executable, "-m", "syndicate", "--config", config, "--now", now.isoformat(), "--json", *words]
        return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, encoding="utf-8", timeout=300)

    def ask(self, now: datetime, *words: str) -> Any:
        """The JSON document that a command answers; None where it has none."""
        done = self.run(now, *words)
        if done.returncode:
            said = done.stderr.strip() or done.stdout.strip()
            raise Trouble(f"syndicate {' '.join(words)} ended with {done.returncode}:\n{said}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def outbox(self, channel: str) -> list[Path]:
        return sorted((self.data / "outbox" / channel).glob("[!.]*"))

    def feeds(self) -> list[bytes]:
        return [(self.data / "public" / name).read_bytes() for name in FEEDS]


@contextmanager
def double(home: Path) -> Iterator[int]:
    """LinkedIn's double as a process of its own; gives its port."""
    port = home / "double.port"
    world = str(home / "double.jsonl")
    command = [sys.executable, "-m", "tests.doubles.linkedin", "--port-file", str(port), "--world", world]
    process = subprocess.Popen([*command, "--token", "of-no-use"], cwd=ROOT)
    try:
        until = time.monotonic() + 20
        while not port.exists():
            if process.poll() is not None or time.monotonic() > until:
                raise Trouble("LinkedIn's double did not start")
            time.sleep(0.02)
        yield int(port.read_text())
    finally:
        process.terminate()
        process.wait(10)


def accepted(home: Path) -> int:
    """Posts that the double took, from its own file."""
    world = home / "double.jsonl"
    return len(world.read_text("utf-8").splitlines()) if world.exists() else 0
