"""The fault script: answers and silences given instead of, or after, what the request deserves.

Nothing accepted:

    drop                close without an answer
    hang                never answer
    reset               reset the connection
    500-before          500; html-500 with a page
    503, 503:SECONDS    with Retry-After
    429, 429:SECONDS    throttled, with Retry-After; 429-day: the day's quota is used up
    asset-not-ready     400 MEDIA_ASSET_WAITING_UPLOAD
    ghost               422 duplicate of a post that is not there
    redirect            307 to somewhere else
    CODE:TEXT           any other status, with a text as body

Accepted, then

    accept-then-drop    close without an answer
    accept-then-hang    never answer
    accept-then-reset   reset the connection
    accept-then-cut     close in the middle of the answer's head
    500-after-accept    say 500; 504-after-accept a gateway's 504
    slow:SECONDS        answer that much later
    no-id-header        201 without X-Restli-Id; wrong-id with one that is no URN
    encoded-id          201 with a percent-encoded id
    200                 200 instead of 201
"""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from tests.doubles.linkedin import wire
from tests.doubles.linkedin.quota import throttled
from tests.doubles.linkedin.wire import Reply, content_error, json_reply

SILENCES = ("drop", "hang", "reset")


async def silence(kind: str, writer: asyncio.StreamWriter) -> None:
    """End a conversation without an answer: the server closes what it returns from."""
    if kind.endswith("hang"):
        await asyncio.Event().wait()
    elif kind.endswith("reset"):
        wire.reset(writer)
    elif kind.endswith("cut"):
        writer.write(b"HTTP/1.1 201 Created\r\nX-Restli-Id: urn:li:sh")
        await writer.drain()


def instead(fault: str, *, ghost: str) -> Reply | None:
    """An answer given before the request is looked at; `ghost` is the URN of a post that is not there."""
    kind, _, rest = fault.partition(":")
    retry = {"Retry-After": rest} if rest else {}
    match kind:
        case "500-before":
            return _failed()
        case "html-500":
            page = b"<html><head><title>LinkedIn</title></head><body>An error has occurred.</body></html>"
            return Reply(500, page, {"Content-Type": "text/html"})
        case "503":
            reply = json_reply(503, code="SERVICE_UNAVAILABLE", message="Service Unavailable")
            return Reply(503, reply.body, {**reply.headers, **retry})
        case "429-day":
            return throttled("APPLICATION_AND_MEMBER DAY")
        case "429":
            reply = json_reply(429, code="TOO_MANY_REQUESTS", message="Too many requests")
            return Reply(429, reply.body, {**reply.headers, **retry})
        case "asset-not-ready":
            return content_error(400, "MEDIA_ASSET_WAITING_UPLOAD", "The media asset is waiting for its upload")
        case "redirect":
            return Reply(307, headers={"Location": "https://elsewhere.example/rest/posts"})
        case "ghost":
            return duplicate(ghost)
    return Reply(int(kind), rest.encode()) if kind.isdigit() and fault != "200" else None


async def after(fault: str, reply: Reply, writer: asyncio.StreamWriter) -> Reply | None:
    """What is answered once the request was dealt with, here with `reply`; only the script's own words are known."""
    kind, _, rest = fault.partition(":")
    urn = reply.headers.get("X-Restli-Id", "")
    match kind:
        case "accept-then-drop" | "accept-then-hang" | "accept-then-reset" | "accept-then-cut":
            await silence(kind, writer)
            return None
        case "slow":
            await asyncio.sleep(float(rest))
        case "500-after-accept":
            return _failed()
        case "504-after-accept":
            return Reply(504, b"Gateway Timeout", {"Content-Type": "text/plain"})
        case "no-id-header" | "wrong-id" | "encoded-id" | "200" if urn:
            return {
                "no-id-header": Reply(201),
                "wrong-id": Reply(201, headers={"X-Restli-Id": "7341301993115684864"}),
                "encoded-id": Reply(201, headers={"X-Restli-Id": quote(urn, safe="")}),
                "200": Reply(200, headers=reply.headers),
            }[kind]
        case "" | "no-id-header" | "wrong-id" | "encoded-id" | "200":
            pass
        case _:
            raise ValueError(f"the script knows no fault {fault!r}")
    return reply


def duplicate(urn: str) -> Reply:
    return content_error(422, "DUPLICATE_POST", f"Content is a duplicate of {urn}", "Duplicate post is detected")


def _failed() -> Reply:
    return json_reply(500, code="INTERNAL_SERVER_ERROR", message="Internal Server Error")
