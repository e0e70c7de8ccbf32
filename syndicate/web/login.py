"""The pages to log in and out of the newsroom. What a password is worth is `session`'s to say."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from syndicate.web import form
from syndicate.web.office import Office
from syndicate.web.place import GET_POST, Place
from syndicate.web.session import Sessions
from syndicate.web.stage import Stage

BODY = 4 * 1024  # bytes: a password of a thousand characters, encoded
RETRY = "600"  # seconds


def routes(office: Office, stage: Stage) -> Sequence[Place]:
    """The places of this file."""
    sessions = Sessions(office, stage.root)
    pages = _Login(sessions, stage)
    return [
        Place(path="/newsroom/login", door="login", endpoint=pages.login, methods=GET_POST, body=BODY),
        Place(path="/newsroom/logout", door="session", endpoint=sessions.leave, methods=("POST",), body=BODY),
    ]


class _Login:
    def __init__(self, sessions: Sessions, stage: Stage) -> None:
        self._sessions = sessions
        self._stage = stage

    async def login(self, request: Request) -> Response:
        """Ask for the password; it is never shown again, nor is the address that was asked for before."""
        if request.method != "POST":
            return self._stage.page("login.html", wrong="")
        try:
            sent = await form.read(request)
        except ValueError:
            raise HTTPException(400) from None
        answer = await self._sessions.enter(request, sent.one("password"))
        if isinstance(answer, Response):
            return answer
        if answer == 429:
            wrong = "Too many wrong passwords came in. Please try again in ten minutes."
            return self._stage.page("login.html", status=429, headers={"retry-after": RETRY}, wrong=wrong)
        return self._stage.page("login.html", status=answer, wrong="This is not the password.")
