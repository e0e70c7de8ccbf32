"""`init`: a few questions, good guesses from what lies in the folder, and a configuration that rehearses."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from syndicate.cli.session import Session
from syndicate.errors import UsageError

CONTENT = ("src/content/news", "src/content/blog", "src/content/posts", "src/content", "content/posts", "content/blog",
           "content", "_posts", "posts", "articles", "docs")  # fmt: skip
SETTINGS = (
    "hugo.toml",
    "config.toml",
    "hugo.yaml",
    "_config.yml",
    "astro.config.mjs",
    "astro.config.ts",
    "package.json",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What the folder tells of the site."""

    title: str
    url: str
    language: str
    content: str
    article_url: str
    generator: str | None


def begin(session: Session, folder: Path, templates: bool) -> None:
    """Write `syndicate.toml` into the site's folder. Raises UsageError where one is there already."""
    target = folder / "syndicate.toml"
    if target.exists():
        raise UsageError(f"{target} exists already: edit it, or name another folder")
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder")
    guess = look(folder)
    if guess.generator:
        session.say(f"This looks like {guess.generator}; articles are taken from {guess.content}.")
    answers = _ask(guess)
    target.write_text(write(answers), encoding="utf-8")
    session.say(f"written: {target}")
    if templates:
        _copy_templates(session, folder / "templates")
    session.say("Nothing leaves this machine until you set live = true. Next: `syndicate check`, then `syndicate run`.")
    if session.json:
        session.document(
            {"written": str(target), "title": answers.title, "url": answers.url, "content": answers.content}
        )


def look(folder: Path) -> Guess:
    """Guess from the folder alone; asks nobody."""
    texts = {name: _text(folder / name) for name in SETTINGS if (folder / name).is_file()}
    everything = "\n".join(text for name, text in texts.items() if name != "package.json")
    generator = _generator(folder, texts)
    content = next((path for path in CONTENT if (folder / path).is_dir()), ".")
    dated = generator == "Jekyll"
    return Guess(
        title=_setting(everything, "title") or folder.resolve().name.replace("-", " ").replace("_", " ").title(),
        url=(_setting(everything, "baseURL", "url", "site") or "https://www.example.org").rstrip("/"),
        language=_setting(everything, "languageCode", "lang", "defaultContentLanguage") or "en",
        content=content,
        article_url="{site_url}/{year}/{month}/{day}/{slug}.html" if dated else "{site_url}/{slug}/",
        generator=generator,
    )


def _generator(folder: Path, texts: dict[str, str]) -> str | None:
    if any(name.startswith("astro.") for name in texts):
        return "Astro"
    if any(name.startswith("hugo.") for name in texts) or (folder / "archetypes").is_dir():
        return "Hugo"
    return "Jekyll" if "_config.yml" in texts else None


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")[:100_000]


def _setting(text: str, *names: str) -> str | None:
    for name in names:
        found = re.search(
            rf"""^\s*{name}\s*[:=]\s*["']?([^"'\n#]+?)["']?\s*,?\s*$""", text, re.MULTILINE | re.IGNORECASE
        )
        if found and found[1].strip():
            return found[1].strip()
    return None


def _ask(guess: Guess) -> Guess:
    if not sys.stdin.isatty():
        return guess
    return Guess(
        title=_question("Name of the site", guess.title),
        url=_question("Its address", guess.url).rstrip("/"),
        language=_question("Its language", guess.language),
        content=_question("Folder of the articles", guess.content),
        article_url=_question("Address of an article", guess.article_url),
        generator=guess.generator,
    )


def _question(text: str, guess: str) -> str:
    return input(f"{text} [{guess}]: ").strip() or guess


def write(answers: Guess) -> str:
    """The configuration as text: what was answered, and the channels in rehearsal."""
    quote = _quote
    return f"""\
# The configuration of syndicate. Every key and its default: README.md.
data = "var"

[site]
title = {quote(answers.title)}
url = {quote(answers.url)}
language = {quote(answers.language)}
timezone = "UTC"                  # an IANA name, such as "Europe/Berlin": slots and dates follow it

[[sources]]
name = "articles"
path = {quote(answers.content)}
article_url = {quote(answers.article_url)}

[web]
public_url = "http://127.0.0.1:8080"   # the address readers and subscribers reach

[email]
live = false                      # false: letters are written into var/outbox and nothing is sent
sender = "News <news@example.org>"
postal_address = ""
[email.smtp]
host = "127.0.0.1"
port = 25

[[digests]]
name = "weekly"
schedule = "FRI 09:00"

[linkedin]
live = false                      # false: posts are written into var/outbox and nothing is sent
slots = ["08:30", "12:30", "17:00"]
"""


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{"".join(c for c in escaped if c.isprintable())}"'


def _copy_templates(session: Session, target: Path) -> None:
    from syndicate.render import shipped_templates

    target.mkdir(parents=True, exist_ok=True)
    for file in sorted(shipped_templates().iterdir()):
        if file.is_file() and not (target / file.name).exists():
            shutil.copyfile(file, target / file.name)
            session.say(f"written: {target / file.name}")
    session.say('to use them, set `templates = "templates"` at the top of syndicate.toml')
