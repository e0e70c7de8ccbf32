"""The configuration that `init` writes, as text: tried on the program itself before anybody gets it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from syndicate.errors import ConfigError, Problem

if TYPE_CHECKING:
    from syndicate.config import Settings

SCHEDULES = {"weekly": "FRI 09:00", "daily": "daily 09:00", "none": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is written, and what it rests on."""

    title: str
    url: str
    language: str
    timezone: str
    description: str
    image: str
    content: str
    article_url: str
    check_url: bool
    max_new: int
    feed_items: int
    feed: str  # the present one
    alerts: str
    digest: str
    linkedin: bool
    templates: str = ""


def compose(plan: Plan, folder: Path) -> str:
    """The configuration as text. Raises ConfigError where an answer cannot stand in a configuration."""
    from syndicate.config import problems_at_start

    text = write(plan)
    if problems := problems_at_start(_settings(text, folder)):
        raise ConfigError(problems)
    return text


def _settings(text: str, folder: Path) -> Settings:
    from pydantic import ValidationError

    from syndicate.config import Settings

    try:
        return Settings.model_validate(tomllib.loads(text), context={"folder": folder.absolute()})
    except ValidationError as error:
        found = [
            (".".join(map(str, one["loc"])), str(one["msg"]).removeprefix("Value error, "))
            for one in error.errors(include_url=False)
        ]
        raise ConfigError([Problem(key, words) for key, words in found]) from None


def write(plan: Plan) -> str:
    """The file: what was found, and the channels in rehearsal."""

    def key(name: str, value: str, why: str = "") -> str:
        line = f"{name.rpartition('.')[2]} = {value}"
        return f"{line:<33} # {why}" if why else line

    seen = "true: an article is ready when its public page answers"
    unseen = "no page was seen to answer at article_url when this was written; true waits for it"
    return "\n".join(
        [
            "# The configuration of syndicate. Every key and its default: README.md.",
            'data = "var"',
            *([f"templates = {_quote(plan.templates)}"] if plan.templates else []),
            "",
            "[site]",
            f"title = {_quote(plan.title)}",
            f"url = {_quote(plan.url)}",
            *([f"description = {_quote(plan.description)}"] if plan.description else []),
            f"language = {_quote(plan.language)}",
            key("site.timezone", _quote(plan.timezone), 'like "Europe/Berlin": slots and dates follow it'),
            *([key("site.image", _quote(plan.image), "for articles without one")] if plan.image else []),
            "",
            "[[sources]]",
            'name = "articles"',
            f"path = {_quote(plan.content)}",
            f"article_url = {_quote(plan.article_url)}",
            "",
            "[review]",
            key("review.max_new", str(plan.max_new), "more at once are held: something is wrong"),
            key("review.check_url", str(plan.check_url).lower(), seen if plan.check_url else unseen),
            "",
            "[feeds]",
            f"items = {plan.feed_items}",
            *([key("feeds.adopt", _quote(plan.feed), "the present feed: its ids are kept")] if plan.feed else []),
            "",
            "[web]",
            key("web.public_url", '"http://127.0.0.1:8080"', "the address that readers and subscribers reach"),
            "",
            *(_email(plan.digest) if plan.digest != "none" or plan.alerts else []),
            *(_LINKEDIN if plan.linkedin else []),
            "[alerts]",
            key("alerts.email", _quote(plan.alerts), "who hears of trouble, once, and once when it is over"),
            "",
        ]
    )


def _email(digest: str) -> list[str]:
    schedule = SCHEDULES[digest]
    edition = ["[[digests]]", f"name = {_quote(digest)}", f"schedule = {_quote(schedule)}", ""] if schedule else []
    return [
        "[email]",
        "live = false                      # false: letters are written into var/outbox and nothing is sent",
        'sender = "News <news@example.org>"',
        'postal_address = ""',
        "[email.smtp]",
        'host = "127.0.0.1"',
        "port = 25",
        "",
        *edition,
    ]


_LINKEDIN = (
    "[linkedin]",
    "live = false                      # false: posts are written into var/outbox and nothing is sent",
    'slots = ["08:30", "12:30", "17:00"]',
    "",
)


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{"".join(c for c in escaped if c.isprintable())}"'
