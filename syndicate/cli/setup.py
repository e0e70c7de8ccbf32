"""`init`: five questions, the rest measured at the folder and the site, and a configuration that rehearses."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from syndicate import survey
from syndicate.cli.draft import SCHEDULES, Plan, compose
from syndicate.cli.guess import NOWHERE, Guess, Shelf, guess, patterns, read_articles
from syndicate.cli.lookup import Sight, look_up
from syndicate.cli.session import Session
from syndicate.errors import SourceError, UsageError
from syndicate.survey import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What was asked, as answered or guessed."""

    url: str
    content: str
    alerts: str = ""  # an address, or nobody
    digest: str = "weekly"  # or "daily", "none"
    linkedin: bool = True


def begin(session: Session, folder: Path, templates: bool) -> None:
    """Write `syndicate.toml` into the site's folder. Raises UsageError where one is there already.

    With `templates` and a configuration only the templates are copied.
    """
    target = folder / "syndicate.toml"
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder")
    is_there = target.exists() or target.is_symlink()
    if is_there and not templates:
        raise UsageError(f"{target} exists already: edit it, or name another folder")
    copied = _copy_templates(session, folder / "templates") if templates else []
    if is_there:
        session.say(f'{target} stays as it is: to use the templates, set `templates = "templates"` at its top')
        found: dict[str, object] = {"written": None}
    else:
        found = _write(session, folder, target, "templates" if templates else "")
    if session.json:
        session.document({**found, "templates": copied})


def _write(session: Session, folder: Path, target: Path, templates: str) -> dict[str, object]:
    found = guess(folder)
    if found.generator:
        session.say(f"this looks like {found.generator}")
    answers = ask(found, folder)
    found = replace(found, content=answers.content)
    zone = ZoneInfo(found.timezone or "UTC")
    try:
        shelf = read_articles(folder / answers.content, zone, session.clock.now())
        session.say(f"{_counted(shelf.files, 'file')} in {answers.content}")
        missed = [] if shelf.files else [f"could not find articles: no Markdown files in {answers.content}"]
    except SourceError as error:
        shelf, missed = Shelf(files=0), [f"could not look up the articles: {error}"]
    sight = _looked_up(session, answers, shelf, found)
    plan = replace(weigh(found, answers, shelf, sight, folder.resolve().name), templates=templates)
    text = compose(plan, folder)
    for line in told(plan, shelf, sight):
        session.say(line)
    sight.missed[:0] = missed
    for line in sight.missed:
        session.warn(line)
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{target} exists already: edit it, or name another folder") from None
    session.say(f"written: {target}")
    session.say("Nothing leaves this machine until you set live = true. Next: `syndicate check`, then `syndicate run`.")
    return {"written": str(target), **_document(found, plan, shelf, sight)}


def _looked_up(session: Session, answers: Answers, shelf: Shelf, found: Guess) -> Sight:
    """Ask the site, unless its address is the one that stands for none."""
    from syndicate.config import is_example_domain
    from syndicate.config.values import host_of

    if is_example_domain(host_of(answers.url)):
        why = "its address is not known; set site.url and sources.article_url in syndicate.toml"
        return Sight(url=answers.url, missed=[f"could not look up the site: {why}"])
    session.say(f"looking at {answers.url} …")
    return session.run(look_up(answers.url, shelf.pieces, patterns(found)))


# --- questions --------------------------------------------------------------------------------------------------------


def ask(found: Guess, folder: Path) -> Answers:
    """The five questions, each with its guess; without a terminal the guesses."""
    guessed = Answers(url=found.url or NOWHERE, content=found.content)
    if not sys.stdin.isatty():
        return guessed
    from syndicate.config.values import base_address, mailbox

    def directory(text: str) -> str:
        if not (folder / Path(text).expanduser()).is_dir():
            raise ValueError(f"there is no folder {folder / text}")
        return text

    return Answers(
        url=_question("Address of the site", guessed.url, lambda text: base_address(_whole(text))),
        content=_question("Folder of the articles", guessed.content, directory),
        alerts=_question("Mail address for alerts, or none", "none", lambda text: _none(text) and mailbox(text)),
        digest=_question("Digest by mail: weekly, daily or none", guessed.digest, _schedule),
        linkedin=_question("Posts on LinkedIn: yes or no", "yes", _yes_or_no) == "yes",
    )


def _question(text: str, guessed: str, read: Callable[[str], str]) -> str:
    """Asked again until the answer can be used; its end counts as the guess."""
    while True:
        print(f"{text} [{guessed}]: ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        try:
            return read(line.strip() or guessed)
        except ValueError as error:
            print(f"  {error}", file=sys.stderr)
            if not line:
                raise UsageError(f"no answer that can be used: {text}") from None


def _whole(text: str) -> str:
    return text if "://" in text else f"https://{text}"


def _none(text: str) -> str:
    return "" if text.lower() in ("none", "no", "-") else text


def _schedule(text: str) -> str:
    word = {"no": "none", "-": "none"}.get(text.lower(), text.lower())
    if word not in SCHEDULES:
        raise ValueError(f"write {', '.join(SCHEDULES)}")
    return word


def _yes_or_no(text: str) -> str:
    word = {"y": "yes", "n": "no", "none": "no"}.get(text.lower(), text.lower())
    if word not in ("yes", "no"):
        raise ValueError("write yes or no")
    return word


# --- what was found ---------------------------------------------------------------------------------------------------


def weigh(found: Guess, answers: Answers, shelf: Shelf, sight: Sight, name: str) -> Plan:
    """What the answers, the folder and the site come to; `name` is the folder's, where nothing tells a title."""
    home = sight.home or Home()
    _, most = survey.busiest(shelf.days) or (None, 0)
    max_new, feed_items = survey.room(most)
    return Plan(
        title=home.name or found.title or home.title or name.replace("-", " ").replace("_", " ").title() or "News",
        url=sight.url,
        language=_language(home.language) or _language(found.language) or "en",
        timezone=found.timezone or "UTC",
        description=home.description,
        image=home.image,
        content=answers.content,
        article_url=sight.fit.pattern if sight.fit else patterns(found)[0],
        check_url=sight.answers,
        max_new=max_new,
        feed_items=feed_items,
        feed=sight.feed,
        alerts=answers.alerts,
        digest=answers.digest,
        linkedin=answers.linkedin,
    )


def _language(tag: str) -> str:
    from syndicate.config.rules import language

    try:
        return language(tag)
    except ValueError:
        return ""


def told(plan: Plan, shelf: Shelf, sight: Sight) -> list[str]:
    """What was found, in short lines."""
    lines = []
    if sight.home is not None:
        lines.append(f"{plan.url}: {plan.title}, language {plan.language}")
    if sight.feed:
        lines.append(f"feed: {sight.feed}, {_counted(sight.items, 'item')}, whose ids are kept")
    elif sight.home is not None:
        lines.append("feed: none found")
    if sight.sitemap:
        lines.append(f"sitemap: {sight.sitemap}, {_counted(sight.pages, 'page')}")
    if sight.asked:
        where = plan.article_url if sight.fit else "the address that each states"
        lines.append(f"{sight.answered} of {sight.asked} newest articles answer at {where}")
    elif sight.fit is not None:
        lines.append(f"{sight.fit.hits} of {sight.fit.of} newest articles are known at {plan.article_url}")
    if (day := survey.busiest(shelf.days)) is not None:
        lines.append(
            f"busiest day: {_counted(day[1], 'article')} on {day[0]}; review.max_new = {plan.max_new}, feeds.items ="
            f" {plan.feed_items}"
        )
    return lines


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _document(found: Guess, plan: Plan, shelf: Shelf, sight: Sight) -> dict[str, object]:
    day: tuple[date, int] | None = survey.busiest(shelf.days)
    return {
        **{name: value for name, value in asdict(plan).items() if name != "templates"},
        "generator": found.generator or None,
        "files": shelf.files,
        "sitemap": sight.sitemap or None,
        "feed": sight.feed or None,
        "fit": {"hits": sight.fit.hits, "of": sight.fit.of} if sight.fit else None,
        "newest": {"answered": sight.answered, "asked": sight.asked} if sight.asked else None,
        "busiest": {"day": day[0].isoformat(), "articles": day[1]} if day else None,
        "not_looked_up": sight.missed,
    }


def _copy_templates(session: Session, target: Path) -> list[str]:
    from syndicate.render import shipped_templates

    target.mkdir(parents=True, exist_ok=True)
    copied = []
    for file in sorted(shipped_templates().iterdir()):
        if file.is_file() and not (target / file.name).exists():
            shutil.copyfile(file, target / file.name)
            copied.append(str(target / file.name))
            session.say(f"written: {copied[-1]}")
    return copied
