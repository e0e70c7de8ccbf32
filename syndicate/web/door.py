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
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from syndicate import password
from syndicate.config import WebSettings, is_loopback_host, is_loopback_url

AFTER_WRONG = 1.0  # seconds in which no password is looked at after a wrong one


class Door:
    """One for all that is behind it."""

    def __init__(self, web: WebSettings) -> None:
        self._password = web.password
        self._at_home = is_loopback_host(web.host) and is_loopback_url(web.public_url)
        self._salt = secrets.token_bytes(16)
        self._known = b""  # mark of what was right: a hash takes long, and is asked for every few seconds
        self._shut_until = 0.0
        self._looking = asyncio.Lock()

    async def turn_away(self, request: Request) -> Response | None:
        """The answer to those who may not in: 401, 429, or 404 as if nothing were there. None: come in."""
        if not self._password:
            return None if self._at_home and is_from_here(request) else Response(status_code=404)
        given = _typed(request.headers.get("authorization", ""))
        if given is None:
            return _ask()
        mark = hmac.digest(self._salt, given.encode("utf-8", "surrogatepass"), hashlib.sha256)
        if hmac.compare_digest(mark, self._known):
            return None
        async with self._looking:
            now = asyncio.get_running_loop().time()
            if now < self._shut_until:
                return PlainTextResponse("Too many tries.\n", 429, {"retry-after": "1"})
            if not await asyncio.to_thread(password.matches, self._password.reveal(), given):
                self._shut_until = asyncio.get_running_loop().time() + AFTER_WRONG
                return _ask()
        self._known = mark
        return None


def is_from_here(request: Request) -> bool:
    """Whether a request comes from this machine to this machine, and nothing says that it was handed on.

    The Host header is looked at for a page elsewhere whose name was pointed at this machine (DNS rebinding).
    """
    headers = request.headers
    if any(name in ("forwarded", "via") or name.startswith("x-forwarded-") for name in headers):
        return False
    peer = request.client.host if request.client else ""
    return is_loopback_host(peer) and is_loopback_host(_host(headers.get("host", "")))


def _host(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


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
    return PlainTextResponse("The password of web.password is asked for.\n", 401, asked)
