"""Signing up, confirming and choosing: the pages of those who want mail."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from syndicate.web.office import Office
from syndicate.web.place import GET_POST, Place
from syndicate.web.stage import Stage


def routes(office: Office, stage: Stage) -> Sequence[Place]:
    """The places of this file."""
    pages = _Signup(office, stage)
    return [Place(path="/preferences/{token}", door="token", endpoint=pages.preferences, methods=GET_POST)]


class _Signup:
    """The endpoints, over one office."""

    def __init__(self, office: Office, stage: Stage) -> None:
        self._office = office
        self._stage = stage

    async def preferences(self, request: Request) -> Response:
        if request.method != "POST":
            return self._stage.page("leave.html", preferences=True)
        await request.body()
        await self._office.unsubscribe(request.state.number)
        return self._stage.page("left.html")
