"""What surrounds every request: caps on what is read, headers that browsers obey, and errors that stay inside."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from syndicate import logs

log = logs.get(__name__)

BODY_LIMIT = 64 * 1024  # bytes
BODY_TIME = 15.0  # seconds for a whole body to come in

POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",  # addresses hold tokens
    "cross-origin-opener-policy": "same-origin",
}

TOKEN_HEADERS = {"cache-control": "no-store", "x-robots-tag": "noindex, nofollow"}

# Under no-referrer browsers send "Origin: null" with a page's own forms, which then could not be told from others'.
NEWSROOM_HEADERS = TOKEN_HEADERS | {"referrer-policy": "same-origin"}


class Guard:
    """ASGI middleware around all routes. `error_page` makes the answer for a status code; `bodies` are the places
    that take more or less than BODY_LIMIT: how their path begins, and how many bytes.
    """

    def __init__(
        self, app: ASGIApp, error_page: Callable[[int], Response], bodies: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        self._app = app
        self._error_page = error_page
        self._bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        limit = next((most for path, most in self._bodies.items() if scope["path"].startswith(path)), BODY_LIMIT)
        if _stated_length(scope) > limit:
            await self._error_page(413)(scope, receive, send_guarded)
            return
        try:
            await self._app(scope, _Capped(receive, limit), send_guarded)
        except Exception:
            # The path may hold a token: the log gets the name of the page, never the address asked for.
            log.exception("page failed", page=getattr(scope.get("endpoint"), "__name__", "none"))
            if started:
                raise
            await self._error_page(500)(scope, receive, send_guarded)


def _stated_length(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "0")
    return int(length) if length.isdecimal() and len(length) < 20 else sys.maxsize


class _Capped:
    """`receive`, for so many bytes and so long."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._left = limit
        self._until: float | None = None

    async def __call__(self) -> Message:
        if self._until is None:
            self._until = asyncio.get_running_loop().time() + BODY_TIME
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408) from None
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise HTTPException(413)
        return message
