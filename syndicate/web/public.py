"""What everybody may ask for: the front page, feeds, leaving by link, health, and what pages are made of.

GET never changes anything: mail scanners open every link. Nobody is asked for a cookie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from syndicate.feeds import ATOM, MEDIA_TYPES, RSS, address
from syndicate.metrics import CONTENT_TYPE as METRICS_TYPE
from syndicate.web.office import Office
from syndicate.web.place import GET_POST, Place
from syndicate.web.stage import Stage

_HIDDEN = ("unsubscribe", "preferences", "confirm", "stop", "hooks", "newsroom")

_GUESSES = {"feed": RSS, "feed/": RSS, "rss": RSS, "rss.xml": RSS, "index.xml": RSS, "atom": ATOM}
"""Where other programs keep their feeds, and readers look for them."""


def routes(office: Office, stage: Stage) -> Sequence[Place]:
    """The places of this file."""
    pages = _Public(office, stage)
    return [
        Place(path="/", door="open", endpoint=pages.front),
        *(Place(path=f"/{name}", door="open", endpoint=pages.feed) for name in MEDIA_TYPES),
        *(
            Place(path=f"/{guess}", door="open", endpoint=partial(pages.moved, name))
            for guess, name in _GUESSES.items()
        ),
        Place(path="/unsubscribe/{token}", door="token", endpoint=pages.leave, methods=GET_POST),
        Place(path="/healthz", door="open", endpoint=pages.healthz),
        Place(path="/readyz", door="open", endpoint=pages.readyz),
        Place(path="/metrics", door="loopback-or-password", endpoint=pages.metrics),
        Place(path="/robots.txt", door="open", endpoint=pages.robots),
        *(Place(path=f"/{name}", door="open", endpoint=partial(pages.asset, name)) for name in stage.assets),
    ]


class _Public:
    """The endpoints, over one office."""

    def __init__(self, office: Office, stage: Stage) -> None:
        self._office = office
        self._stage = stage

    async def front(self, request: Request) -> Response:
        """What the feeds are and how to read them, for people who click on one."""
        return self._stage.page("front.html", subscribe=self._takes_people())

    async def feed(self, request: Request) -> Response:
        """A feed that no pass has written yet; once it is there, `express` answers."""
        raise HTTPException(503, headers={"retry-after": "60"})  # a reader that is told 404 may give it up

    async def moved(self, name: str, request: Request) -> Response:
        """To the feed that was meant. Only ever from an address without a token (RFC 8058 section 3.1)."""
        headers = {"cache-control": "public, max-age=86400"}
        return RedirectResponse(address(self._stage.public_url, name), status_code=301, headers=headers)

    async def leave(self, request: Request) -> Response:
        """Show the button; on POST unsubscribe, and answer the same if asked again.

        The POST is the mail program's one click (RFC 8058) or comes from our own button. What its body says does not
        matter, so it is not parsed: scanners send no POST, and nobody who wants to leave is refused over a form. It
        must come in whole.
        """
        if request.method != "POST":
            return self._stage.page("leave.html", preferences=False)
        await request.body()
        await self._office.unsubscribe(request.state.number)
        return self._stage.page("left.html", subscribe=self._takes_people())

    def _takes_people(self) -> bool:
        return self._office.signup is not None and self._office.signup.is_open

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
        """Numbers for Prometheus."""
        headers = {"cache-control": "no-store"}
        return Response(await self._office.metrics(), media_type=METRICS_TYPE, headers=headers)

    async def robots(self, request: Request) -> Response:
        lines = ["User-agent: *", *(f"Disallow: {self._stage.root}/{folder}/" for folder in _HIDDEN)]
        return PlainTextResponse("\n".join(lines) + "\n", headers={"cache-control": "public, max-age=86400"})

    async def asset(self, name: str, request: Request) -> Response:
        return self._stage.asset(name)


def _json(content: Mapping[str, object], *, ok: bool) -> Response:
    return JSONResponse(content, status_code=200 if ok else 503, headers={"cache-control": "no-store"})
