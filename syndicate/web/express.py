"""The feeds, answered before anything else: what readers ask for thousands of times a minute costs one look at a file.

Whole answers lie ready for each version of a feed: plain, compressed, and "you have it". All other requests, and a
feed that was never written, go on to the pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from syndicate.feeds import MEDIA_TYPES, address
from syndicate.web import guard
from syndicate.web.office import Office
from syndicate.web.shelf import FeedFile, Shelf, is_known, takes_gzip

_NO_BODY: Message = {"type": "http.response.body", "body": b""}


class Express:
    """ASGI middleware outside of all others."""

    def __init__(self, app: ASGIApp, office: Office) -> None:
        self._app = app
        self._office = office
        self._shelf = Shelf(office.feed_folder)
        self._names = {f"/{name}": name for name in MEDIA_TYPES}
        self._ready: dict[str, Ready] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ready = None
        if scope["type"] == "http" and scope["path"] in self._names and scope["method"] in ("GET", "HEAD"):
            ready = await self._get(self._names[scope["path"]])
        if ready is None:
            await self._app(scope, receive, send)
            return
        start, body = ready.answer(scope)
        await send(start)
        await send(_NO_BODY if scope["method"] == "HEAD" else body)

    async def _get(self, name: str) -> Ready | None:
        file = await self._shelf.get(name)
        ready = self._ready.get(name)
        if file is None or (ready is not None and ready.file is file):
            return ready
        hubs = self._office.feeds.hubs
        links = [f'<{address(self._office.web.public_url, name)}>; rel="self"']
        links += [f'<{hub}>; rel="hub"' for hub in hubs]
        ready = self._ready[name] = Ready(file, MEDIA_TYPES[name], links, 60 if hubs else 300)
        return ready


class Ready:
    """One version of a feed with its three answers; `max_age` in seconds: a hub fetches at once what it was told of."""

    __slots__ = ("_gzipped", "_known", "_plain", "_tag", "file")

    def __init__(self, file: FeedFile, media_type: str, links: Sequence[str], max_age: int) -> None:
        self.file = file
        self._tag = file.etag.encode()
        common = guard.HEADERS | {
            "etag": file.etag,
            "last-modified": format_datetime(datetime.fromtimestamp(file.modified, UTC), usegmt=True),
            "cache-control": f"public, max-age={max_age}",
            "vary": "Accept-Encoding",
            "link": ", ".join(links),
            "access-control-allow-origin": "*",  # readers that are web pages
        }
        whole = common | {"content-type": f"{media_type}; charset=utf-8"}
        self._known = _answer(304, common, b"")
        self._plain = _answer(200, whole | {"content-length": str(len(file.plain))}, file.plain)
        packed = {"content-encoding": "gzip", "content-length": str(len(file.gzipped))}
        self._gzipped = _answer(200, whole | packed, file.gzipped)

    def answer(self, scope: Scope) -> tuple[Message, Message]:
        """The whole, or 304 where the client has it."""
        codings = []
        conditions = False
        for name, value in scope["headers"]:
            if name == b"if-none-match":
                if value == self._tag:  # as we gave it: nothing to take apart
                    return self._known
                conditions = True
            elif name == b"if-modified-since":
                conditions = True
            elif name == b"accept-encoding":
                codings.append(value)
        if conditions and is_known(self.file, Headers(scope=scope)):
            return self._known
        return self._gzipped if codings and _takes_gzip(b",".join(codings)) else self._plain


@lru_cache(maxsize=256)
def _takes_gzip(accepted: bytes) -> bool:
    return takes_gzip(accepted.decode("latin-1"))


def _answer(status: int, headers: dict[str, str], body: bytes) -> tuple[Message, Message]:
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": raw}, {
        "type": "http.response.body",
        "body": body,
    }
