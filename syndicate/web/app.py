"""The public web, put together: places from each file, a keeper for each door, and the guard around all.

Owns no page. No reader is asked for a cookie, and no token is logged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from syndicate.web import acts, archive, hooks, login, newsroom, preferences, public, signup
from syndicate.web.door import Door
from syndicate.web.express import Express
from syndicate.web.guard import BODY_LIMIT, Guard
from syndicate.web.office import Office
from syndicate.web.place import Keeper, Place, judged, nobody, route
from syndicate.web.session import Sessions
from syndicate.web.stage import Stage


def build(office: Office) -> Starlette:
    """Make the ASGI application. Nothing is opened or read before the first request."""
    stage = Stage(office)
    everything, doors = places(office, stage), keepers(office, stage)
    bodies = {place.path.partition("{")[0]: place.body for place in everything if place.body != BODY_LIMIT}

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return stage.error(error.status_code, error.headers)

    app = Starlette(
        routes=[route(place, doors) for place in everything],
        middleware=[Middleware(Express, office=office), Middleware(Guard, error_page=stage.error, bodies=bodies)],
        exception_handlers={HTTPException: http_error, ClientDisconnect: _gone},
    )
    # One-click clients do not follow a redirect with their POST (RFC 8058 section 3.1): we never send one.
    app.router.redirect_slashes = False
    return app


def places(office: Office, stage: Stage) -> Sequence[Place]:
    """All that can be asked for."""
    return [
        place
        for part in (public, signup, preferences, archive, hooks, login, newsroom, acts)
        for place in part.routes(office, stage)
    ]


def keepers(office: Office, stage: Stage) -> Mapping[str, Keeper]:
    """Who stands at which door; where nobody does, it stays shut."""
    door = Door(office.logins, office.web)
    sessions = Sessions(office, stage.root)

    async def token(place: Place, request: Request) -> Response | None:
        """Read the token, and leave the number it was made for in `request.state.number`."""
        request.state.number = office.signer.read(place.purpose, request.path_params["token"])
        return stage.error(404) if request.state.number is None else None

    async def loopback_or_password(place: Place, request: Request) -> Response | None:
        known = await office.logins.password()
        if known and await sessions.of(request, known):
            return None
        return await door.turn_away(request)

    return {
        "open": nobody,
        "token": token,
        "loopback-or-password": loopback_or_password,
        "signed": judged,
        "session": sessions.inside,
        "login": sessions.before,
    }


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=400)  # nobody is there to read it
