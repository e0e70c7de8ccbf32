"""Past editions as files, for owners who leave or host them elsewhere: a page each, and one that lists them.

Nobody's links are in them. It sends nothing and changes nothing in the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection

from syndicate import feedfiles
from syndicate.config import Site
from syndicate.letter import fill_marks
from syndicate.store import past
from syndicate.store.past import Issue

FOLDER = "editions"
INDEX = "index.html"

_MANY = 500  # editions of one question


def write(connection: Connection, folder: Path, site: Site) -> int:
    """Write all that went to people into `folder`/editions, as they were sent; returns how many.

    The links that were each reader's own lead to the site.
    """
    target = folder / FOLDER
    found = list(_all(connection))
    for issue in found:
        html = fill_marks(past.html(connection, issue.slug) or "", unsubscribe_url=site.url, preferences_url=site.url)
        feedfiles.write({_name(issue): html.encode()}, target)
    feedfiles.write({INDEX: _index(found, site).encode()}, target)
    return len(found)


def _all(connection: Connection) -> Iterator[Issue]:
    before = None
    while some := past.listing(connection, before, _MANY):
        yield from some
        before = some[-1].slug


def _name(issue: Issue) -> str:
    return f"{quote(issue.slug, safe='')}.html"  # a digest's name may hold any character


def _index(issues: list[Issue], site: Site) -> str:
    rows = "\n".join(
        f'<li><a href="{quote(_name(issue))}">{escape(issue.title)}</a> {issue.at.astimezone(site.zone):%Y-%m-%d}</li>'
        for issue in issues
    )
    title = escape(f"{site.title}: past editions")
    return (
        f'<!doctype html>\n<html lang="{escape(site.language)}">\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{title}</title>\n<h1>{title}</h1>\n'
        f"<ul>\n{rows}\n</ul>\n</html>\n"
    )
