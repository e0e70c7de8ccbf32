"""press: turns articles into frozen letters: what they look like, and what all copies have in common. Sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from syndicate import letter
from syndicate.article import Article
from syndicate.config import DigestSettings, EmailSettings, Settings
from syndicate.edition import Contents
from syndicate.letter import Rendered
from syndicate.render import Templates
from syndicate.slots import cron
from syndicate.store import articles, checks


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """What turns articles into frozen letters."""

    settings: Settings
    email: EmailSettings
    templates: Templates

    @property
    def live(self) -> bool:
        return self.email.live


def is_each(digest: DigestSettings) -> bool:
    """Whether every article is a letter of its own, at no slot."""
    return cron(digest.schedule) is None


def render_edition(
    press: Press, digest: DigestSettings, contents: Contents, now: datetime
) -> tuple[Contents, dict[str, object]]:
    """The edition as it came out (cards that did not fit became headlines) and its frozen payload."""
    site = press.settings.site
    if is_each(digest):
        template = "article" if digest.template == "digest" else digest.template
        fitted, rendered = (
            contents,
            press.templates.render_article(
                contents.cards[0], site, press.email, date=contents.date, template=template, subject=digest.subject
            ),
        )
    else:
        fitted, rendered = press.templates.render_digest(contents, site, digest, press.email)
    return fitted, compose(press, rendered, fitted.slug, digest.name, now)


def compose(press: Press, rendered: Rendered, slug: str, list_name: str, now: datetime) -> dict[str, object]:
    """The frozen payload of a rendered text."""
    email = press.email
    return letter.compose(
        rendered,
        sender=email.sender,
        reply_to=email.reply_to,
        list_id=letter.list_id(list_name, email.sender_domain),
        list_name=f"{press.settings.site.title} {list_name}",
        date=now,
        slug=slug,
        archive=f"{press.settings.web.public_url}/editions/",
    )


def render_letter(press: Press, article: Article, now: datetime) -> dict[str, object]:
    """One article as a letter of its own: the frozen payload."""
    site = press.settings.site
    rendered = press.templates.render_article(article, site, press.email, date=now.astimezone(site.zone))
    return compose(press, rendered, article.slug, "articles", now)


def as_sent(connection: Connection, press: Press, article: Article) -> Article:
    """An article as a letter shows it: with its picture only where that is there."""
    return checks.dress(connection, [article], believe=not press.live)[0]


def whole_articles(connection: Connection, press: Press, found: Sequence[Article]) -> Sequence[Article]:
    """The same with their texts, each with its picture only where that is there."""
    return checks.dress(connection, articles.many(connection, [one.id for one in found]), believe=not press.live)
