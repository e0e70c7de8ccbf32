"""The whole flow over a folder of articles, in rehearsal, on a fixed clock: `make demo`, or `make demo ARTICLES=path`.

It drives the program as a person would, by its commands, and every figure it prints is read from what they answered
or wrote. Nothing leaves this machine: the one live post goes to a double of LinkedIn on it.
"""

from __future__ import annotations

import email.policy
import hashlib
import html
import json
import re
import shlex
import shutil
import signal
import sys
import textwrap
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from paint import picture
from rich.console import Console
from rich.text import Text
from stage import ROOT, Stage, Trouble, accepted, double

OURS = ROOT / "examples" / "articles"
FRIDAY = datetime(2026, 3, 6, 9, tzinfo=UTC)  # the moment for which the sample articles were written
EARLY = timedelta(minutes=90)  # the files come in that long before the slots of nine o'clock
SHOWN = 6  # lines of a kind
GMAIL_CLIPS_AT = 102  # KB of HTML; Gmail hides what is longer behind a link
SITE = "https://harbourlamp.example/"
READERS = ("ada@readers.example", "bo@readers.example", "cleo@readers.example")


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
    head(1, "Read", f"{count(len(catalogue), 'file')}{repaired}: {', '.join(parts) or 'no article here'}")
    mended.sort(key=lambda one: str(one["path"]))
    some([f"repaired  {change(stage, one)}" for one in mended], "green")
    for state, style in STYLES.items():
        some([f"{state:<9} {name(one)}  {why(one)}" for one in catalogue if one["state"] == state], style)
    return catalogue


def some(lines: list[str], style: str) -> None:
    """The first of them; a folder of hundreds would fill the screen."""
    for line in lines[:SHOWN]:
        say(line, style)
    if len(lines) > SHOWN:
        say(f"          and {len(lines) - SHOWN} more", style)


def name(article: dict[str, Any]) -> str:
    path: str = article["path"]
    return path if len(path) <= 36 else f"…{path[-35:]}"


def why(article: dict[str, Any]) -> str:
    return re.sub(r" \([^()]*\)$", "", article["reasons"][0])


def change(stage: Stage, article: dict[str, Any]) -> str:
    """`file:line  what the line says -> what is published`, cut to the words around the first mended place."""
    first, more = article["repairs"][0], len(article["repairs"]) - 1
    rest = f"  +{more} more" if more else ""
    match = re.match(r"line (\d+): (.*)", first)
    if not match:
        return f"{name(article)}  {first}{rest}"
    lines = (stage.folder / article["path"]).read_bytes().decode("utf-8", "replace").splitlines()
    written = lines[int(match[1]) - 1]
    key, _, value = written.partition(": ")
    after = article.get(key)
    shown = around(value, after) if isinstance(after, str) else decoded(stage, article, written)
    return f"{name(article)}:{match[1]}  {shown or match[2]}{rest}"


def around(value: str, after: str) -> str:
    """Two words of both sides: what needed the mending, and a neighbour."""
    quote = value[0] if value[:1] in ("'", '"') else ""
    words, published = value.strip("'\" ").split(), after.split()
    at = next((n for n, word in enumerate(words) if re.search(r"['\"]" if quote else ":$", word)), None)
    if at is None or len(words) != len(published):
        return ""
    start = at if quote else max(0, at - 1)
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
    again = replace(stage, home=stage.home / "again")
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
        score, _, allowed = one["reason"].partition("; ")
        say(f"{one['title']}  ({allowed})", "green")
        say(score, "green")
    for one in (one for one in ours if one not in chosen and moment(one)):
        say(f"then {moment(one):%a %H:%M}  {points(one)}  {one['title']}", "dim")
    lost: dict[str, list[dict[str, Any]]] = {}
    for one in (one for one in ours if not moment(one)):
        lost.setdefault(one["reason"].partition("; ")[2] or one["reason"], []).append(one)
    for because, waiting in lost.items():
        for one in sorted(waiting, key=points, reverse=True)[:SHOWN]:
            say(f"{one['state']:<14}  {points(one)}  {one['title']}", "dim")
        more = f"and {len(waiting) - SHOWN} more: " if len(waiting) > SHOWN else ""
        for line in textwrap.wrap(more + because, WIDTH - len(INDENT) - 4)[:2]:
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
    (stage.home / "edition.html").write_text(drawn := illustrated(page, stage.home), "utf-8")
    if drawn != page:
        say("In the page below its pictures are drawn: the site of the samples is not on the web.")
    show_path(letters[0])
    show_path(stage.home / "edition.html")


def illustrated(page: str, folder: Path) -> str:
    """The page with pictures drawn in place of those of the samples, whose site is not on the web."""
    for number, address in enumerate(sorted(set(re.findall(rf'src="({re.escape(SITE)}[^"]+)"', page)))):
        file = folder / "images" / f"{number}.svg"
        file.parent.mkdir(exist_ok=True)
        file.write_text(picture(number), "utf-8")
        page = page.replace(f'src="{address}"', f'src="images/{number}.svg"')
    return page


# --- 6 crash ---------------------------------------------------------------------------------------------------------


def crash(ours: Stage, article: str, now: datetime) -> None:
    """Killed between LinkedIn's yes and our note of it, then started again."""
    home = ours.home / "crash"
    stage = replace(ours, home=home, folder=home / "articles")
    copy = stage.folder / article
    copy.parent.mkdir(parents=True)
    shutil.copyfile(ours.folder / article, copy)
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


def states(stage: Stage, now: datetime) -> str:
    return ", ".join(one["state"] for one in stage.ask(now, "deliveries", "--channel", "linkedin"))


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
    news = "That was new" if did.changed or did.posts or did.letters else "There is nothing new"
    say(f"{news}; all of it once more after:  rm -r {shlex.quote(short(stage.home))}")


def first(stage: Stage, nine: datetime, schedule: str) -> None:
    """All seven steps over an empty ledger."""
    early = nine - EARLY
    stage.configure(digest=schedule)
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
        crash(stage, paths[candidates[0]["article"]], nine)
    head(7, "Again", str(again(stage, nine + timedelta(minutes=5))))


def main() -> int:
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    given = sys.argv[1] if len(sys.argv) > 1 else ""
    folder = Path(given).expanduser().resolve() if given else OURS
    if not folder.is_dir():
        print(f"demo: {given} is no folder", file=sys.stderr)
        return 2
    ours = folder == OURS
    own = "harbour-lamp" if ours else f"{folder.name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
    stage = Stage(home=ROOT / ".demo" / own, folder=folder, site="The Harbour Lamp" if ours else "Your Site")
    nine = FRIDAY if ours else datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
    finished = stage.home / "finished"
    clock = f"{nine:%A} {nine.day} {nine:%B %Y}, 09:00 UTC"
    screen.print(Text(f"{short(folder)}, on {clock}. Rehearsal: nothing leaves this machine.\n"))
    try:
        if finished.exists():
            later = datetime.fromisoformat(finished.read_text()) + timedelta(minutes=10)
            later_run(stage, later if ours else max(later, datetime.now(UTC)))
        else:
            shutil.rmtree(stage.home, ignore_errors=True)  # of a run that did not come to its end
            first(stage, nine, "FRI 09:00" if ours else "daily 09:00")
            finished.write_text(nine.isoformat())
    except KeyboardInterrupt:
        print("demo: stopped", file=sys.stderr)
        return 130
    except Trouble as trouble:
        print(f"demo: {trouble}", file=sys.stderr)
        return 1
    screen.print(Text("\nNothing was sent to anyone. ", "bold").append("On your own articles, as safely:", "none"))
    screen.print(Text("make demo ARTICLES=path", "cyan"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
