"""The whole flow over a folder of articles, in rehearsal, on a fixed clock: `make demo`, or `make demo ARTICLES=path`.

It drives the program as a person would, by its commands, and every figure it prints is read from what they answered
or wrote. Nothing leaves this machine: the one live post goes to a double of LinkedIn on it.
"""

from __future__ import annotations

import email.policy
import hashlib
import html
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
OURS = ROOT / "examples" / "articles"
FRIDAY = datetime(2026, 3, 6, 9, tzinfo=UTC)  # the moment for which the sample articles were written
EARLY = timedelta(minutes=90)  # the files come in that long before the slots of nine o'clock
GMAIL_CLIPS_AT = 102  # KB of HTML; Gmail hides what is longer behind a link
READERS = ("ada@readers.example", "bo@readers.example", "cleo@readers.example")
FEEDS = ("feed.xml", "atom.xml", "feed.json")

SETTINGS = """\
data = "var"
[site]
title = "The Harbour Lamp"
url = "https://harbourlamp.example"
cta_url = "https://linkedin.example/company/harbour-lamp"
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
api_url = {api_url}
"""
MAIL = """\
[web]
public_url = "https://news.harbourlamp.example"
[email]
live = false
sender = "The Harbour Lamp <lamp@harbourlamp.example>"
postal_address = "The Harbour Lamp, 1 North Quay, Pellamouth"
[[digests]]
name = "weekly"
schedule = {schedule}
"""


class Trouble(Exception):
    """A step that did not end as it should; the text shows the command's own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The program with one configuration, over one folder of articles."""

    home: Path
    folder: Path

    @property
    def data(self) -> Path:
        return self.home / "var"

    def configure(self, *, api_url: str = "https://api.linkedin.com", live: bool = False, mail: str = "") -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        text = SETTINGS.format(folder=json.dumps(str(self.folder)), live=str(live).lower(), api_url=json.dumps(api_url))
        (self.home / "demo.toml").write_text(text + mail, "utf-8")

    def run(self, now: datetime, *words: str, crash: str = "") -> subprocess.CompletedProcess[str]:
        """One command, on a clock that starts at `now`; with `crash` it is killed at the place of that name."""
        given = {name: value for name, value in os.environ.items() if not name.startswith("SYNDICATE_")}
        if crash:
            given["SYNDICATE_CRASH"] = crash
        config = str(self.home / "demo.toml")
        command = [sys.executable, "-m", "syndicate", "--config", config, "--now", now.isoformat(), "--json", *words]
        return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=300)

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


# --- the screen ------------------------------------------------------------------------------------------------------

WIDTH = 98
INDENT = " " * 9
screen = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)


def head(number: int, name: str, text: str) -> None:
    screen.print(Text(f"{number} ", "cyan").append(f"{name:<7}", "bold cyan").append(cut(text, WIDTH - 9), "bold"))


def say(text: str, style: str = "") -> None:
    screen.print(Text(INDENT + cut(text, WIDTH - len(INDENT)), style))


def show_path(place: Path) -> None:
    """Alone on its line, so that it can be copied whole."""
    screen.print(Text(short(place), "cyan"))


def short(place: Path) -> str:
    here = Path.cwd()
    return str(place.relative_to(here) if place.is_relative_to(here) else place)


def cut(text: str, length: int) -> str:
    text = text.replace("\n", " ")
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


# --- 1 read ----------------------------------------------------------------------------------------------------------

STYLES = {"scheduled": "blue", "draft": "blue", "held": "yellow", "rejected": "red"}


def read(stage: Stage, now: datetime) -> list[dict[str, Any]]:
    """What became of each file; answers the catalogue."""
    catalogue: list[dict[str, Any]] = stage.ask(now, "articles")
    states = Counter(article["state"] for article in catalogue)
    mended = [article for article in catalogue if article["repairs"]]
    parts = [f"{number} {state}" for state in ("ready", *STYLES) if (number := states[state])]
    repaired = f", {len(mended)} of them repaired" if mended else ""
    head(1, "Read", f"{count(len(catalogue), 'file')}{repaired}: {', '.join(parts)}")
    for article in sorted(mended, key=lambda one: str(one["path"])):
        say(f"repaired  {change(stage, article)}", "green")
    for state, style in STYLES.items():
        for article in (one for one in catalogue if one["state"] == state):
            why = re.sub(r" \([^()]*\)$", "", article["reasons"][0])
            say(f"{state:<9} {article['path']}  {why}", style)
    return catalogue


def change(stage: Stage, article: dict[str, Any]) -> str:
    """`file:line  what the line says -> what is published`, cut to the words around the first mended place."""
    path, first, more = article["path"], article["repairs"][0], len(article["repairs"]) - 1
    rest = f"  +{more} more" if more else ""
    match = re.match(r"line (\d+): (.*)", first)
    if not match:
        return f"{path}  {first}{rest}"
    lines = (stage.folder / path).read_bytes().decode("utf-8", "replace").splitlines()
    written = lines[int(match[1]) - 1]
    key, _, value = written.partition(": ")
    after = article.get(key)
    shown = around(value, after) if isinstance(after, str) else decoded(stage, article, written)
    return f"{path}:{match[1]}  {shown or match[2]}{rest}"


def around(value: str, after: str) -> str:
    """Two words of both sides: what needed the mending, and a neighbour."""
    quote = value[0] if value[:1] in ("'", '"') else ""
    words, published = value.strip("'\" ").split(), after.split()
    if len(words) != len(published):
        return ""
    at = next((n for n, word in enumerate(words) if re.search(r"['\"]|:$", word)), 0)
    start = max(0, at - 1) if words[at].endswith(":") else at
    end = start + 2
    dots = ("…" if start else "", "…" if end < len(words) else "")
    before, then = (dots[0] + " ".join(side[start:end]) + dots[1] for side in (words, published))
    return f"{quote}{before}{quote}  ->  {then}"


def decoded(stage: Stage, article: dict[str, Any], written: str) -> str:
    """The same for text that was decoded wrongly: what stands between the same two words in the feed."""
    broken = re.search(r"(\w+) ([ÂÃâ]\S+) (\w+)", written)
    items = json.loads(stage.feeds()[2])["items"]
    text = next((item.get("content_html", "") for item in items if item["url"] == article["url"]), "")
    mended = broken and re.search(rf"{broken[1]} (\S+) {broken[3]}", html.unescape(text))
    return f"{broken[0]}  ->  {mended[0]}" if broken and mended else ""


# --- 2 feed, 3 choose, 4 post, 5 mail --------------------------------------------------------------------------------


def feed(stage: Stage, now: datetime) -> None:
    """The feeds, read by other eyes than those that wrote them; written once more, they must be the same bytes."""
    rss, atom, as_json = stage.feeds()
    items = ElementTree.fromstring(rss).findall("channel/item")
    ids = [item.findtext("guid", "") for item in items]
    others = [entry.findtext("{*}id", "") for entry in ElementTree.fromstring(atom).findall("{*}entry")]
    listed = [item["id"] for item in json.loads(as_json)["items"]]
    valid = all(item.findtext(name) for item in items for name in ("title", "link", "guid", "pubDate"))
    valid = valid and sorted(ids) == sorted(others) == sorted(listed) and len(set(ids)) == len(ids)
    again = Stage(home=stage.home / "again", folder=stage.folder)
    stage.ask(now, "feeds", "--output", str(again.data / "public"))
    words = "valid RSS, Atom and JSON Feed with the same ids" if valid else "NOT VALID"
    stable = "written twice: the same bytes" if again.feeds() == [rss, atom, as_json] else "WRITTEN TWICE: OTHERS"
    head(2, "Feed", f"{count(len(ids), 'item')}; {words}; {stable}")
    show_path(stage.data / "public" / "feed.xml")


def choose(plan: list[dict[str, Any]], now: datetime) -> None:
    """Which article LinkedIn gets now, and why the others have to wait."""
    ours = [one for one in plan if one["channel"] == "linkedin"]
    chosen = [one for one in ours if moment(one) and moment(one) - now < timedelta(minutes=1)]
    head(3, "Choose", f"LinkedIn: {len(chosen)} of {count(len(ours), 'article')} now, at {now:%H:%M}")
    for one in chosen:
        score, _, why = one["reason"].partition("; ")
        say(f"{one['title']}  ({why})", "green")
        say(score, "green")
    for one in (one for one in ours if one not in chosen and moment(one)):
        say(f"then {moment(one):%a %H:%M}  {points(one)}  {one['title']}", "dim")
    reasons: dict[str, list[dict[str, Any]]] = {}
    for one in (one for one in ours if not moment(one)):
        reasons.setdefault(one["reason"].partition("; ")[2] or one["reason"], []).append(one)
    for why, waiting in reasons.items():
        for one in sorted(waiting, key=points, reverse=True)[:5]:
            say(f"{one['state']:<14}  {points(one)}  {one['title']}", "dim")
        more = f"and {len(waiting) - 5} more: " if len(waiting) > 5 else ""
        for line in textwrap.wrap(more + why, WIDTH - len(INDENT) - 4)[:2]:
            say(f"    {line}", "dim")


def points(row: dict[str, Any]) -> str:
    return f"{match[1]:>2}" if (match := re.match(r"score (\d+)", row["reason"])) else "--"


def moment(row: dict[str, Any]) -> Any:
    return datetime.fromisoformat(row["planned_for"]) if row["planned_for"] else None


def post(stage: Stage) -> None:
    """The requests, exactly as LinkedIn would get them."""
    written = stage.outbox("linkedin")
    head(4, "Post", f"{count(len(written), 'request')}, exactly as LinkedIn would get it")
    for file in written:
        request = json.loads(file.read_text("utf-8"))
        body = request["body"]
        say(f"{request['method']} {request['url']}")
        for line in filter(None, body["commentary"].splitlines()):
            say(f"| {line}")
        if card := body.get("content", {}).get("article"):
            say(f"card: {card['title']}")
        show_path(file)


def mail(stage: Stage, now: datetime, catalogue: list[dict[str, Any]]) -> None:
    """The edition, weighed as Gmail weighs it."""
    editions = [one for one in stage.ask(now, "deliveries", "--channel", "email") if one["kind"] == "edition"]
    letters = stage.outbox("email")
    if not letters:
        head(5, "Mail", "no edition")
        return
    message = message_from_bytes(letters[0].read_bytes(), policy=email.policy.default)
    text, page = (message.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]
    urls = {article["url"] for article in catalogue}
    cards = sum(line in urls for line in text.splitlines())
    headlines = sum(line.strip() in urls for line in text.splitlines()) - cards
    people = sum(sum(one["people"].values()) for one in editions)
    size = f"{len(page.encode()) / 1024:.0f} KB of the {GMAIL_CLIPS_AT} that Gmail shows"
    head(5, "Mail", f"{count(len(editions), 'edition')}: {count(cards, 'card')}, {count(headlines, 'headline')}, "
                    f"{count(people, 'person', 'people')}, {size}")  # fmt: skip
    say(f"Subject: {message['Subject']}")
    (stage.home / "edition.html").write_text(page, "utf-8")
    show_path(letters[0])
    show_path(stage.home / "edition.html")


# --- 6 crash ---------------------------------------------------------------------------------------------------------


def crash(home: Path, source: Path, article: str, now: datetime) -> None:
    """Killed between LinkedIn's yes and our note of it, then started again."""
    stage = Stage(home=home, folder=home / "articles")
    copy = stage.folder / article
    copy.parent.mkdir(parents=True)
    shutil.copyfile(source / article, copy)
    with double(home) as port:
        stage.configure(live=True, api_url=f"http://127.0.0.1:{port}")
        killed = stage.run(now, "run", "--once", crash="social.accepted")
        if killed.returncode != -signal.SIGKILL or accepted(home) != 1:
            raise Trouble(f"it was to die after its post, not with {killed.returncode}:\n{killed.stderr}")
        noted = states(stage, now + timedelta(seconds=30))
        restarted = stage.run(now + timedelta(minutes=1), "run", "--once")
        if restarted.returncode:
            raise Trouble(f"started again it ended with {restarted.returncode}:\n{restarted.stderr}")
        said = states(stage, now + timedelta(minutes=2))
    head(6, "Crash", f"SIGKILL when LinkedIn's double had accepted and our ledger still said {noted}")
    say(f"started again: the double shows {count(accepted(home), 'post')}, ours says {said}")


def accepted(home: Path) -> int:
    """Posts that the double took, from its own file."""
    world = home / "double.jsonl"
    return len(world.read_text("utf-8").splitlines()) if world.exists() else 0


def states(stage: Stage, now: datetime) -> str:
    return ", ".join(one["state"] for one in stage.ask(now, "deliveries", "--channel", "linkedin"))


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


# --- 7 again, and the whole ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """What one more pass did."""

    files: int
    parsed: int
    changed: int
    same_feeds: bool
    posts: int
    letters: int

    def __str__(self) -> str:
        new = f"{self.changed} new or changed" if self.changed else "nothing new"
        sent = (
            f"{count(self.posts, 'post')}, {count(self.letters, 'letter')}"
            if self.posts or self.letters
            else "nothing sent"
        )
        feeds = "the feeds the same bytes" if self.same_feeds else "the feeds written anew"
        return f"second pass: {new}, {sent}, {self.parsed} of {count(self.files, 'file')} parsed, {feeds}"


def again(stage: Stage, now: datetime) -> Second:
    feeds, posts, letters = stage.feeds(), len(stage.outbox("linkedin")), len(stage.outbox("email"))
    report = stage.ask(now, "run", "--once")
    return Second(
        files=report["files"],
        parsed=report["parsed"],
        changed=report["changed"],
        same_feeds=stage.feeds() == feeds,
        posts=len(stage.outbox("linkedin")) - posts,
        letters=len(stage.outbox("email")) - letters,
    )


def later_run(stage: Stage, now: datetime) -> None:
    """The steps over a ledger that has seen it all, a line each."""
    did = again(stage, now)
    plan = [
        one for one in stage.ask(now + timedelta(minutes=1), "plan") if one["channel"] == "linkedin" and moment(one)
    ]
    upcoming = f"next {moment(plan[0]):%a %H:%M}, {plan[0]['title']}" if plan else "nobody waits"
    head(1, "Read", f"{count(did.files, 'file')}, {did.parsed} parsed, {did.changed} new or changed")
    head(2, "Feed", "the same bytes" if did.same_feeds else "written anew")
    head(3, "Choose", f"LinkedIn: {upcoming}")
    head(4, "Post", f"{count(did.posts, 'new request')}, {len(stage.outbox('linkedin'))} in the outbox")
    head(5, "Mail", f"{count(did.letters, 'new letter')}, {len(stage.outbox('email'))} in the outbox")
    if (stage.home / "crash").exists():
        head(6, "Crash", f"not again: the double still shows {count(accepted(stage.home / 'crash'), 'post')}")
    idle = not (did.changed or did.posts or did.letters)
    say(f"{'There is nothing new' if idle else 'That was new'}; all of it once more after:  rm -r {short(stage.home)}")


def first(stage: Stage, nine: datetime, schedule: str) -> None:
    """All seven steps over an empty ledger."""
    early = nine - EARLY
    stage.configure(mail=MAIL.format(schedule=json.dumps(schedule)))
    stage.ask(early, "run", "--once")
    for reader in READERS:
        stage.ask(early + timedelta(minutes=1), "subscribers", "add", reader)
    catalogue = read(stage, early + timedelta(minutes=2))
    feed(stage, early + timedelta(minutes=3))
    plan = stage.ask(nine, "plan")
    choose(plan, nine)
    stage.ask(nine, "run", "--once")
    post(stage)
    mail(stage, nine + timedelta(minutes=1), catalogue)
    paths = {article["id"]: article["path"] for article in catalogue}
    if candidates := [one for one in plan if one["channel"] == "linkedin"]:
        crash(stage.home / "crash", stage.folder, paths[candidates[0]["article"]], nine)
    head(7, "Again", str(again(stage, nine + timedelta(minutes=5))))


def main() -> int:
    given = sys.argv[1] if len(sys.argv) > 1 else ""
    folder = Path(given).expanduser().resolve() if given else OURS
    if not folder.is_dir():
        print(f"demo: {given} is no folder", file=sys.stderr)
        return 2
    name = "harbour-lamp" if folder == OURS else f"{folder.name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
    stage = Stage(home=ROOT / ".demo" / name, folder=folder)
    nine = FRIDAY if folder == OURS else datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
    finished = stage.home / "finished"
    clock = f"{nine:%A} {nine.day} {nine:%B %Y}, 09:00 UTC"
    screen.print(Text(f"{short(folder)}, on {clock}. Rehearsal: nothing leaves this machine.\n"))
    try:
        if finished.exists():
            later = datetime.fromisoformat(finished.read_text()) + timedelta(minutes=10)
            later_run(stage, later if folder == OURS else max(later, datetime.now(UTC)))
        else:
            shutil.rmtree(stage.home, ignore_errors=True)  # of a run that did not come to its end
            first(stage, nine, "FRI 09:00" if folder == OURS else "daily 09:00")
            finished.write_text(nine.isoformat())
    except Trouble as trouble:
        print(f"demo: {trouble}", file=sys.stderr)
        return 1
    screen.print(Text("\nNothing was sent to anyone. ", "bold").append("On your own articles, as safely:", "none"))
    screen.print(Text("make demo ARTICLES=path", "cyan"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
