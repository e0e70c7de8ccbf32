"""The doors of the newsroom: who has logged in, and whether what he sends comes from a page of ours.

Without a password the newsroom is there on this machine alone, and nobody is asked for a cookie. An endpoint behind the
door "session" finds in `request.state`: `csrf`, the token that each of its forms must hold as the field `csrf`; `form`,
what was sent, on a POST, looked at already; `session`, "" where there is no password.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from syndicate import password
from syndicate.logs import get
from syndicate.store.sessions import LONGEST
from syndicate.web import form, origin, peer
from syndicate.web.door import Home
from syndicate.web.office import Office
from syndicate.web.place import Place

TOKEN = "csrf"  # noqa: S105 - the name of a field
LONGEST_PASSWORD = 1024  # characters: longer ones are not looked at

log = get(__name__)


class Sessions:
    """Over one office: the keepers of the doors "session" and "login", and what opens and ends a session."""

    def __init__(self, office: Office, root: str) -> None:
        self._logins = office.logins
        self._public_url = office.web.public_url
        self._proxies = office.web.trusted_proxies
        self._home = Home(office.web)
        self._newsroom = f"{root}/newsroom/"
        self._login = f"{root}/newsroom/login"
        self._is_secure = office.web.public_url.startswith("https:")
        # The prefix binds it to this very host, and to https (RFC 6265bis section 4.1.3.2).
        self.cookie = "__Host-syndicate" if self._is_secure else "syndicate"
        self._looking = asyncio.Lock()

    # Doors

    async def inside(self, place: Place, request: Request) -> Response | None:
        """The keeper of "session": to the login, or 403 for a form that nobody logged in sent from a page of ours."""
        known = await self._logins.password()
        if not known and not self._home.holds(request):
            raise HTTPException(404)
        session = await self.of(request, known) if known else ""
        if session is None and request.method in ("GET", "HEAD"):
            return RedirectResponse(self._login, 303)
        if session is None:
            raise HTTPException(403)
        request.state.session = session
        request.state.csrf = self._logins.mac(_of_forms(session))
        if request.method not in ("GET", "HEAD"):
            await self._read(request)
        return None

    async def _read(self, request: Request) -> None:
        if not origin.is_ours(request.headers, self._public_url):
            raise HTTPException(403)
        try:
            request.state.form = await form.read(request)
        except ValueError:
            raise HTTPException(400) from None
        given = request.state.form.one(TOKEN).encode("utf-8", "surrogatepass")
        tokens = self._logins.macs(_of_forms(request.state.session))
        if not any(hmac.compare_digest(given, token.encode()) for token in tokens):
            raise HTTPException(403)

    async def before(self, place: Place, request: Request) -> Response | None:
        """The keeper of "login": nothing to log in to without a password; no form of another site's."""
        if not await self._logins.password():
            if self._home.holds(request):
                return RedirectResponse(self._newsroom, 303)
            raise HTTPException(404)
        if request.method not in ("GET", "HEAD") and not origin.is_ours(request.headers, self._public_url):
            raise HTTPException(403)
        return None

    async def of(self, request: Request, known: str) -> str | None:
        """The session that a request belongs to, opened with the password that is `known`; None: there is none."""
        cookie = request.cookies.get(self.cookie, "")
        if not cookie:
            return None
        session = _hash(cookie)
        return session if await self._logins.lives(session, self._marks(known)) else None

    def _marks(self, known: str) -> list[str]:
        """Of the password, by each secret: another password ends all sessions, wherever it was changed."""
        return [mac[:16] for mac in self._logins.macs(f"password\n{known}")]

    # Going in and out

    async def enter(self, request: Request, typed: str) -> Response | int:
        """Log in: the way on with its cookie, else 403 for a wrong password, 429 for too many."""
        known, network = await self._logins.password(), peer.network(request, self._proxies)
        if not await self._logins.may_try("login", network):
            log.warning("logins refused", because="too many wrong passwords")
            return 429
        async with self._looking:  # one hash takes 32 MB
            right = len(typed) <= LONGEST_PASSWORD and await asyncio.to_thread(password.matches, known, typed)
        if not right:
            log.warning("login refused", because="wrong password")
            return 403
        await self._logins.was_right("login", network)
        cookie = secrets.token_urlsafe(32)
        former = request.cookies.get(self.cookie, "")
        await self._logins.begin(_hash(cookie), self._marks(known)[0], _hash(former))
        answer = RedirectResponse(self._newsroom, 303)
        # Lax, not Strict: a link in an alert's mail must find its owner logged in. Forms are held to their token.
        age = int(LONGEST.total_seconds())
        answer.set_cookie(self.cookie, cookie, age, path="/", secure=self._is_secure, httponly=True, samesite="lax")
        return answer

    async def leave(self, request: Request) -> Response:
        """Log out."""
        if request.state.session:
            await self._logins.end(request.state.session)
        answer = RedirectResponse(self._login, 303)
        answer.delete_cookie(self.cookie, path="/", secure=self._is_secure, httponly=True, samesite="lax")
        return answer


def _of_forms(session: str) -> str:
    return f"form\n{session}"


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "surrogatepass")).hexdigest()
