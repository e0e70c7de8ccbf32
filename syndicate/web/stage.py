"""How pages come to be: templates, the owner's before ours, and the page for what went wrong. Knows no route."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from starlette.responses import HTMLResponse, Response

from syndicate.feeds import ATOM, JSON, MEDIA_TYPES, RSS, address
from syndicate.language import direction
from syndicate.web.guard import TOKEN_HEADERS
from syndicate.web.office import Office

_HERE = Path(__file__).parent

_ASSETS = {"style.css": "text/css", "icon.svg": "image/svg+xml"}

_FEEDS = (
    (RSS, "RSS", "understood by every reader"),
    (ATOM, "Atom", "the same articles in a stricter format"),
    (JSON, "JSON Feed", "for newer readers and for programs"),
)

_ERRORS = {
    400: ("That did not make sense", "The request could not be understood."),
    403: (
        "Not from here",
        "The page was open for too long, or the request did not come from it. Nothing was changed. Open the newsroom"
        " again, log in if it asks you to, and press the button once more.",
    ),
    404: ("There is nothing here", "The address may be mistyped, or cut off where a mail program broke the line."),
    405: ("Not like that", "This page does not take that kind of request."),
    408: ("That took too long", "The request did not arrive in full. Please try again."),
    413: ("That is too much", "The request is larger than this server takes."),
    500: ("Something went wrong", "It is our fault, and nothing was changed. Please try again in a few minutes."),
    503: ("Not yet", "This is not there yet. Please try again in a minute."),
}


class Asset:
    """A file served as it is."""

    def __init__(self, path: Path, media_type: str) -> None:
        self.content = path.read_bytes()
        self.media_type = media_type
        self.version = hashlib.sha256(self.content).hexdigest()[:8]


class Stage:
    """Makes pages in the site's name."""

    def __init__(self, office: Office) -> None:
        self.public_url = office.web.public_url.rstrip("/")
        self.root = urlsplit(self.public_url).path.rstrip("/")  # the site may live below a path of a proxy's
        self.assets = {name: Asset(_HERE / "static" / name, kind) for name, kind in _ASSETS.items()}
        owner = [office.templates / "web"] if office.templates else []
        self._templates = SandboxedEnvironment(
            loader=FileSystemLoader([*owner, _HERE / "templates"]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {
            "site": office.site,
            "direction": direction(office.site.language),
            "feeds": [  # in every page's head: readers look for them there, whatever page they are given
                {"url": address(self.public_url, name), "name": title, "type": MEDIA_TYPES[name], "about": about}
                for name, title, about in _FEEDS
            ],
            "root": self.root,
            "style": f"{self.root}/style.css?{self.assets['style.css'].version}",
        }

    def page(
        self, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
    ) -> Response:
        """A page from a template; `values` are what it may name beside site, feeds, direction, root and style."""
        text = self._templates.get_template(template).render(values)
        return HTMLResponse(text, status_code=status, headers={"cache-control": "no-cache"} | dict(headers or {}))

    def error(self, status: int, headers: Mapping[str, str] | None = None) -> Response:
        """The page for a status code from 400 on."""
        title, text = _ERRORS.get(status, _ERRORS[400])
        closing = {"connection": "close"} if status in (408, 413) else {}  # the rest of the body is not read
        kept = dict(headers or {}) | closing | TOKEN_HEADERS  # a mistyped address may hold most of a token
        return self.page("error.html", status=status, headers=kept, heading=title, text=text)

    def asset(self, name: str) -> Response:
        """A file of ours; its address changes with its bytes."""
        asset = self.assets[name]
        headers = {"cache-control": "public, max-age=86400"}
        return Response(asset.content, media_type=asset.media_type, headers=headers)
