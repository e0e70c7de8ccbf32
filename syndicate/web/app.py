"""The routes of the public web and the pages behind them.

GET never changes anything: mail scanners open every link. Nobody is asked for a cookie, and no token is logged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from syndicate.feeds import ATOM, JSON, MEDIA_TYPES, RSS
from syndicate.language import direction
from syndicate.metrics import CONTENT_TYPE as METRICS_TYPE
from syndicate.web.door import Door
from syndicate.web.guard import TOKEN_HEADERS, Guard
from syndicate.web.office import Office
from syndicate.web.shelf import Shelf, answer

_HERE = Path(__file__).parent

_FEEDS = (
    (RSS, "RSS", "understood by every reader"),
    (ATOM, "Atom", "the same articles in a stricter format"),
    (JSON, "JSON Feed", "for newer readers and for programs"),
)

_ERRORS = {
    400: ("That did not make sense", "The request could not be understood."),
    404: ("There is nothing here", "The address may be mistyped, or cut off where a mail program broke the line."),
    405: ("Not like that", "This page does not take that kind of request."),
    408: ("That took too long", "The request did not arrive in full. Please try again."),
    413: ("That is too much", "The request is larger than this server takes."),
    500: ("Something went wrong", "It is our fault, and nothing was changed. Please try again in a few minutes."),
    503: ("Not yet", "This is not there yet. Please try again in a minute."),
}


def build(office: Office) -> Starlette:
    """Make the ASGI application. Nothing is opened or read before the first request."""
    pages = Pages(office)
    routes = [
        Route("/", pages.front),
        *(Route(f"/{name}", partial(pages.feed, name)) for name in MEDIA_TYPES),
        *(
            Route(f"/{purpose}/{{token}}", partial(pages.leave, purpose), methods=["GET", "POST"])
            for purpose in ("unsubscribe", "preferences")
        ),
        Route("/healthz", pages.healthz),
        Route("/readyz", pages.readyz),
        Route("/metrics", pages.metrics),
        Route("/robots.txt", pages.robots),
        *(Route(f"/{name}", partial(pages.asset, name)) for name in _ASSETS),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Guard, error_page=pages.error)],
        exception_handlers={HTTPException: pages.http_error, ClientDisconnect: pages.gone},
    )
    # One-click clients do not follow a redirect with their POST (RFC 8058 section 3.1): we never send one.
    app.router.redirect_slashes = False
    return app


class Pages:
    """The endpoints, over one office."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._shelf = Shelf(office.feed_folder)
        self._door = Door(office.web)
        self._public_url = office.web.public_url.rstrip("/")
        self._root = urlsplit(self._public_url).path.rstrip("/")  # the site may live below a path of a proxy's
        self._assets = {name: _Asset(_HERE / "static" / name, kind) for name, kind in _ASSETS.items()}
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
            "root": self._root,
            "style": f"{self._root}/style.css?{self._assets['style.css'].version}",
        }

    # Feeds

    async def front(self, request: Request) -> Response:
        """What the feeds are and how to read them, for people who click on one."""
        feeds = [
            {"url": f"{self._public_url}/{name}", "name": title, "type": MEDIA_TYPES[name], "about": about}
            for name, title, about in _FEEDS
        ]
        return self._page("front.html", feeds=feeds)

    async def feed(self, name: str, request: Request) -> Response:
        file = await self._shelf.get(name)
        if file is None:  # a reader that is told 404 may give the feed up
            raise HTTPException(503, headers={"retry-after": "60"})
        hubs = self._office.feeds.hubs
        return answer(name, file, request.headers, self_url=f"{self._public_url}/{name}", hubs=hubs)

    # Leaving

    async def leave(self, purpose: str, request: Request) -> Response:
        """Show the button; on POST unsubscribe, and answer the same if asked again.

        The POST is the mail program's one click (RFC 8058) or comes from our own button. What its body says does not
        matter, so it is not parsed: scanners send no POST, and nobody who wants to leave is refused over a form. It
        must come in whole.
        """
        subscriber = self._office.signer.read(purpose, request.path_params["token"])
        if subscriber is None:
            raise HTTPException(404)
        if request.method != "POST":
            return self._page("leave.html", headers=TOKEN_HEADERS, preferences=purpose == "preferences")
        await request.body()
        await self._office.unsubscribe(subscriber)
        return self._page("left.html", headers=TOKEN_HEADERS)

    # Health and assets

    async def healthz(self, request: Request) -> Response:
        """Whether all is well: 503 while any problem stands, also one that waits for a person.

        For who watches. Whoever starts programs anew asks `/readyz`: a dead token is not mended by that.
        """
        health = await self._office.health()
        return _json(health, ok=bool(health.get("ok")))

    async def readyz(self, request: Request) -> Response:
        """Whether requests can be served."""
        ready = await self._office.ready()
        return _json({"ready": ready}, ok=ready)

    async def metrics(self, request: Request) -> Response:
        """Numbers for Prometheus, for those whom the door lets in."""
        refused = await self._door.turn_away(request)
        if refused is not None:
            return self.error(404) if refused.status_code == 404 else refused
        headers = {"cache-control": "no-store"}
        return Response(await self._office.metrics(), media_type=METRICS_TYPE, headers=headers)

    async def robots(self, request: Request) -> Response:
        hidden = ("unsubscribe", "preferences", "confirm", "hooks", "newsroom")
        lines = ["User-agent: *", *(f"Disallow: {self._root}/{folder}/" for folder in hidden)]
        return PlainTextResponse("\n".join(lines) + "\n", headers={"cache-control": "public, max-age=86400"})

    async def asset(self, name: str, request: Request) -> Response:
        asset = self._assets[name]
        headers = {"cache-control": "public, max-age=86400"}
        return Response(asset.content, media_type=asset.media_type, headers=headers)

    # Errors

    def error(self, status: int, headers: Mapping[str, str] | None = None) -> Response:
        title, text = _ERRORS.get(status, _ERRORS[400])
        closing = {"connection": "close"} if status in (408, 413) else {}  # the rest of the body is not read
        kept = dict(headers or {}) | closing | TOKEN_HEADERS  # a mistyped address may hold most of a token
        return self._page("error.html", status=status, headers=kept, heading=title, text=text)

    async def http_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return self.error(error.status_code, error.headers)

    async def gone(self, request: Request, error: Exception) -> Response:
        return Response(status_code=400)  # nobody is there to read it

    def _page(
        self, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
    ) -> Response:
        text = self._templates.get_template(template).render(values)
        return HTMLResponse(text, status_code=status, headers={"cache-control": "no-cache"} | dict(headers or {}))


class _Asset:
    """A file served as it is."""

    def __init__(self, path: Path, media_type: str) -> None:
        self.content = path.read_bytes()
        self.media_type = media_type
        self.version = hashlib.sha256(self.content).hexdigest()[:8]


_ASSETS = {"style.css": "text/css", "icon.svg": "image/svg+xml"}


def _json(content: Mapping[str, object], *, ok: bool) -> Response:
    return JSONResponse(content, status_code=200 if ok else 503, headers={"cache-control": "no-store"})
