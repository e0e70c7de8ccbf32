"""The door before what is not for everybody, as metrics.

Without a password it opens only on the machine itself, and only where nothing hints at a proxy in between; to all
others nothing is there. With one it asks for it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from syndicate import password
from syndicate.config import WebSettings, is_loopback_host, is_loopback_url
from syndicate.web.office import Logins
from syndicate.web.origin import host_name

AFTER_WRONG = 1.0  # seconds in which no password is looked at after a wrong one


class Door:
    """One for all that is behind it."""

    def __init__(self, logins: Logins, web: WebSettings) -> None:
        self._logins = logins
        self._home = Home(web)
        self._salt = secrets.token_bytes(16)
        self._known = b""  # mark of what was right: a hash takes long, and is asked for every few seconds
        self._shut_until = 0.0
        self._looking = asyncio.Lock()

    async def turn_away(self, request: Request) -> Response | None:
        """The answer to those who may not in: 401 or 429, raised 404 as if nothing were there. None: come in."""
        known = await self._logins.password()
        if not known and self._home.holds(request):
            return None
        if not known:
            raise HTTPException(404)
        given = _typed(request.headers.get("authorization", ""))
        if given is None:
            return _ask()
        mark = hmac.digest(self._salt, f"{known}\n{given}".encode("utf-8", "surrogatepass"), hashlib.sha256)
        if hmac.compare_digest(mark, self._known):
            return None
        async with self._looking:
            now = asyncio.get_running_loop().time()
            if now < self._shut_until:
                return PlainTextResponse("Too many tries.\n", 429, {"retry-after": "1"})
            if not await asyncio.to_thread(password.matches, known, given):
                self._shut_until = asyncio.get_running_loop().time() + AFTER_WRONG
                return _ask()
        self._known = mark
        return None


class Home:
    """This machine by itself: what opens without a password, opens here alone."""

    def __init__(self, web: WebSettings) -> None:
        self._is_closed = is_loopback_host(web.host) and is_loopback_url(web.public_url)

    def holds(self, request: Request) -> bool:
        """Whether a request comes from it, and no other can be meant."""
        return self._is_closed and is_from_here(request)


def is_from_here(request: Request) -> bool:
    """Whether a request comes from this machine to this machine, and nothing says that it was handed on.

    The Host header is looked at for a page elsewhere whose name was pointed at this machine (DNS rebinding). HTTP/1.0
    is what nginx before 1.29.7 speaks to what stands behind it, with a Host of 127.0.0.1, where it was not told
    otherwise; a newer one speaks HTTP/1.1, and is told from a visitor by `web.public_url` alone.
    """
    headers = request.headers
    if request.scope.get("http_version") == "1.0":
        return False
    if any(name in ("forwarded", "via") or name.startswith("x-forwarded-") for name in headers):
        return False
    peer = request.client.host if request.client else ""
    return is_loopback_host(peer) and is_loopback_host(host_name(headers.get("host", "")))


def _typed(header: str) -> str | None:
    """The password in an Authorization header: of Basic (RFC 7617), whatever the name, or as Bearer (RFC 6750)."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip() or None
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2] or None
    except ValueError:
        return None


def _ask() -> Response:
    asked = {"www-authenticate": 'Basic realm="syndicate", charset="UTF-8"', "cache-control": "no-store"}
    return PlainTextResponse("The password of the newsroom is asked for.\n", 401, asked)
