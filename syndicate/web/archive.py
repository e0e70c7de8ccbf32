"""The pages of past editions, each as it was sent but for its links; and the link that stops a coming one.

Letters hold what others wrote: a copy is shown without scripts, forms and everything else that our pages may do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from syndicate.letter import fill_marks
from syndicate.web.office import Office
from syndicate.web.place import GET_POST, Place
from syndicate.web.stage import Stage

PAGE = 50  # editions
LONGEST_SLUG = 300
CACHED = {"cache-control": "public, max-age=300"}

POLICY = "; ".join(
    (
        "default-src 'none'",
        "img-src https: http: data:",
        "style-src 'unsafe-inline'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "sandbox allow-popups allow-popups-to-escape-sandbox",
    )
)


def routes(office: Office, stage: Stage) -> Sequence[Place]:
    """The places of this file."""
    pages = _Archive(office, stage)
    return [
        Place(path="/editions/", door="open", endpoint=pages.editions),
        Place(path="/editions/{slug}", door="open", endpoint=pages.edition, policy=POLICY),
        Place(path="/stop/{token}", door="token", endpoint=pages.stop, methods=GET_POST),
    ]


class _Archive:
    """The endpoints, over one office."""

    def __init__(self, office: Office, stage: Stage) -> None:
        self._office = office
        self._stage = stage

    async def editions(self, request: Request) -> Response:
        """The newest, or those before the one that is named."""
        before = request.query_params.get("before")
        if before is not None and len(before) > LONGEST_SLUG:
            raise HTTPException(404)
        found = await self._office.archive.editions(before, PAGE + 1)
        if before is not None and not found:
            raise HTTPException(404)
        zone = self._office.site.zone
        shown = [
            {"slug": one.slug, "title": one.title, "digest": one.digest, "at": one.at.astimezone(zone)}
            for one in found[:PAGE]
        ]
        older = found[PAGE - 1].slug if len(found) > PAGE else None
        several = len({one.digest for one in found}) > 1
        return self._stage.page("editions.html", headers=CACHED, editions=shown, older=older, several=several)

    async def edition(self, request: Request) -> Response:
        """What its readers got; where each had links of his own, ours lead to where anybody may subscribe."""
        slug = request.path_params["slug"]
        html = await self._office.archive.edition(slug) if len(slug) <= LONGEST_SLUG else None
        if html is None:
            raise HTTPException(404)
        anybody = f"{self._stage.public_url}/{'subscribe' if self._office.signup else ''}"
        body = fill_marks(html, unsubscribe_url=anybody, preferences_url=anybody).encode()
        headers = {"etag": f'"{hashlib.sha256(body).hexdigest()[:32]}"', **CACHED}
        if headers["etag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return HTMLResponse(body, headers=headers)

    async def stop(self, request: Request) -> Response:
        """Show the button; on POST pause the digest of a proof, and answer the same if asked again."""
        number = request.state.number
        coming = await self._office.archive.proof(number)
        if coming is None:
            raise HTTPException(404)
        when = f"{coming.slot.astimezone(self._office.site.zone):%A %d %B, %H:%M}"
        if request.method != "POST" or not coming.is_good:
            return self._stage.page("stop.html", digest=coming.digest, when=when, good=coming.is_good)
        await request.body()
        await self._office.archive.stop(number)
        return self._stage.page("stopped.html", digest=coming.digest, when=when)
