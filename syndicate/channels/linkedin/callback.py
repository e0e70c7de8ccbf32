"""The small server on `linkedin.redirect` that catches the answer of LinkedIn's consent page, and then ends.

It hears one path, on loopback only, and believes nothing without our state: whatever else comes is answered and waited
past. What it was told is in no log.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hmac
import html
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from syndicate.config.values import is_loopback_url
from syndicate.errors import SyndicateError, UsageError

HEAD_LIMIT = 8192  # bytes
SILENCE = 10.0  # seconds that a browser may take for its request
_LOCALHOST = ("127.0.0.1", "::1")
_HEADERS = (
    "Content-Type: text/html; charset=utf-8",
    "Cache-Control: no-store",
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'",
    "Referrer-Policy: no-referrer",  # the address holds the code
    "X-Content-Type-Options: nosniff",
    "Connection: close",
)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>:root {{ color-scheme: light dark }} body {{ font: 1.1rem/1.5 system-ui, sans-serif; margin: 4rem auto;
max-width: 36rem; padding: 0 1rem }}</style></head>
<body><main><h1>{title}</h1><p>{text}</p></main></body></html>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """What came back: a code, or an error with its description."""

    code: str = field(default="", repr=False)
    error: str = ""
    description: str = ""


def can_listen(redirect: str) -> bool:
    """Whether the redirect comes to this machine, in clear."""
    return redirect.startswith("http://") and is_loopback_url(redirect)


def read(address: str, state: str) -> Callback | None:
    """The callback in a redirected address; None where it has not our state. An empty one says neither."""
    try:
        query = parse_qs(urlsplit(address).query, keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return None
    one = {name: values[0] for name, values in query.items() if len(values) == 1}
    if not hmac.compare_digest(one.get("state", "").encode(), state.encode()):
        return None
    return Callback(code=one.get("code", ""), error=one.get("error", ""), description=one.get("error_description", ""))


def read_pasted(text: str, state: str) -> Callback:
    """What a person pasted: the whole address, or the code alone. Raises UsageError."""
    text = text.strip()
    if not text:
        raise UsageError("nothing was pasted, so nothing was stored")
    if "://" not in text and "=" not in text:
        return Callback(code=text)
    found = read(text if "?" in text else f"?{text}", state)
    if found is None or not (found.code or found.error):
        raise UsageError("that address is not the answer to this login: paste the whole one, with `code` and `state`")
    return found


@asynccontextmanager
async def listening(redirect: str, state: str) -> AsyncIterator[asyncio.Future[Callback]]:
    """Hear on the redirect while the body runs; the future gets what came. Raises SyndicateError for a taken port."""
    parts = urlsplit(redirect)
    port = parts.port or 80
    heard: asyncio.Future[Callback] = asyncio.get_running_loop().create_future()
    answering: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        answering.add(task)
        try:
            await _answer(reader, writer, parts.path or "/", state, heard)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            pass  # whoever that was, it was not the answer
        finally:
            answering.discard(task)
            writer.close()

    async with contextlib.AsyncExitStack() as servers:
        for host in _LOCALHOST if parts.hostname == "localhost" else (parts.hostname or "",):
            try:
                server = await asyncio.start_server(connected, host, port, limit=HEAD_LIMIT)
            except OSError as error:
                if host == "::1" != parts.hostname and error.errno != errno.EADDRINUSE:  # a machine without IPv6
                    continue
                raise SyndicateError(
                    f"cannot listen on linkedin.redirect ({host}:{port}: {error.strerror or error}):"
                    " `syndicate linkedin login --paste` needs no port"
                ) from error
            servers.callback(server.close)
        yield heard
        if answering:  # let the browser have its page
            await asyncio.wait(answering, timeout=SILENCE)


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, state: str, heard: asyncio.Future[Callback]
) -> None:
    async with asyncio.timeout(SILENCE):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status, title, text, found = _judged(head.split("\r\n", 1)[0], path, state)
    page = _PAGE.format(title=html.escape(title), text=html.escape(text)).encode()
    lines = [f"HTTP/1.1 {status}", *_HEADERS, f"Content-Length: {len(page)}", "", ""]
    writer.write("\r\n".join(lines).encode("latin-1") + page)
    try:
        await writer.drain()
    finally:
        if found is not None and not heard.done():
            heard.set_result(found)


def _judged(line: str, path: str, state: str) -> tuple[str, str, str, Callback | None]:
    """(status, title, text, what was heard) for the first line of a request."""
    method, _, rest = line.partition(" ")
    target = rest.partition(" ")[0]
    if method != "GET":
        return "405 Method Not Allowed", "Not like this", "Only LinkedIn's answer is waited for here.", None
    if target.partition("?")[0] != path:
        return "404 Not Found", "Nothing here", "Only LinkedIn's answer is waited for here.", None
    found = read(target, state)
    if found is None or not (found.code or found.error):
        text = "This is not the answer to the login that waits. Begin from the address that syndicate printed."
        return "400 Bad Request", "Not this one", text, None
    if found.error:
        return "200 OK", "Not logged in", "LinkedIn said no. The terminal says why; you may close this page.", found
    text = "LinkedIn has answered. The terminal says whether all went well; you may close this page."
    return "200 OK", "Back to the terminal", text, found
