"""What there is to ask for: each place names its door, and is entered by it alone.

A door without a keeper stays shut (404): what is forgotten is closed, not open. Owns no page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from syndicate.web.guard import BODY_LIMIT, NEWSROOM_HEADERS, TOKEN_HEADERS

Endpoint = Callable[[Request], Awaitable[Response]]

Judge = Callable[[Request], Awaitable[Response | None]]
"""Answers who has not signed the body as agreed; None: come in."""

DoorName = Literal["open", "token", "loopback-or-password", "signed", "session", "login"]

GET: Sequence[str] = ("GET",)  # and HEAD, which answers alike
GET_POST: Sequence[str] = ("GET", "POST")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One path, who may enter, and what answers."""

    path: str  # Starlette's pattern; behind the door "token" it holds {token}
    door: DoorName
    endpoint: Endpoint
    methods: Sequence[str] = GET
    policy: str | None = None  # a Content-Security-Policy of its own
    body: int = BODY_LIMIT  # bytes
    judge: Judge | None = None  # of a place behind the door "signed": whether a request is

    @property
    def purpose(self) -> str:
        """What a token must have been signed for to open this place: the first part of its path."""
        return self.path.split("/")[1]


Keeper = Callable[[Place, Request], Awaitable[Response | None]]
"""Answers instead of the place those who may not in; None: come in."""


def route(place: Place, keepers: Mapping[str, Keeper]) -> Route:
    """The route to a place, through its door."""
    keeper = keepers.get(place.door, _shut)

    async def enter(request: Request) -> Response:
        answer = await keeper(place, request) or await place.endpoint(request)
        if place.policy is not None:
            answer.headers["content-security-policy"] = place.policy
        if place.door == "token":  # neither kept nor told on
            answer.headers.update(TOKEN_HEADERS)
        if place.door in ("session", "login"):
            kept = answer.headers.get("cache-control", "")
            answer.headers.update(NEWSROOM_HEADERS)
            if kept.startswith("private"):  # what pages are made of, with a version in its address
                answer.headers["cache-control"] = kept
        return answer

    enter.__name__ = name_of(place.endpoint)  # the log names pages by it
    return Route(place.path, enter, methods=list(place.methods))


async def _shut(place: Place, request: Request) -> Response | None:
    raise HTTPException(404)


async def judged(place: Place, request: Request) -> Response | None:
    """The keeper of a door for programs: the place itself knows how they sign. Where it does not, it stays shut."""
    return await place.judge(request) if place.judge is not None else await _shut(place, request)


async def nobody(place: Place, request: Request) -> Response | None:
    """The keeper of an open door."""
    return None


def name_of(endpoint: object) -> str:
    """What an endpoint is called in the program."""
    return str(getattr(getattr(endpoint, "func", endpoint), "__name__", "none"))
