"""A strict LinkedIn: a real HTTP server that checks what the real one checks, and fails on demand.

In a test: `with LinkedInDouble() as double: ... double.url, double.posts, double.requests`. As a process of its own:
`python -m tests.doubles.linkedin --port-file F --world FILE`; accepted posts are appended to FILE as JSON lines.

Faults are taken from a script, one for each POST /rest/posts, "" (or none left) for none:

    accept-then-drop    accept, close without an answer
    accept-then-hang    accept, never answer
    accept-then-reset   accept, reset the connection
    500-after-accept    accept, then say 500
    slow:SECONDS        accept, answer that much later
    no-id-header        201 without X-Restli-Id
    encoded-id          201 with a percent-encoded id
    200                 200 instead of 201
    hang                nothing accepted, never answer
    reset               nothing accepted, reset the connection
    500-before          nothing accepted, 500; html-500 with a page
    503, 503:SECONDS    nothing accepted, with Retry-After
    429, 429:SECONDS    throttled, with Retry-After; 429-day: the day's quota is used up
    asset-not-ready     400 MEDIA_ASSET_WAITING_UPLOAD
    ghost               422 duplicate of a post that is not there
    redirect            307 to somewhere else
    CODE:TEXT           any other status, with a text as body

DELETE /rest/posts/URN takes its faults from `deletion_faults`, of these: 500-before, html-500, 503, 429, CODE:TEXT.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

AUTHOR = "urn:li:person:abcd1234"
TOKEN = "AQ-double-token-5f2c"
VERSIONS = tuple(f"2026{month:02}" for month in range(1, 10))
RESERVED = frozenset("|{}@[]()<>#\\*_~")
DEAD = {
    "expired": (65602, "EXPIRED_ACCESS_TOKEN", "The token used in the request has expired"),
    "revoked": (65601, "REVOKED_ACCESS_TOKEN", "The token used in the request has been revoked by the user"),
}


@dataclass(frozen=True)
class Post:
    """One accepted post: `commentary` as LinkedIn stores it, `text` as people see it."""

    urn: str
    author: str
    commentary: str
    text: str
    card: dict[str, Any] | None
    body: str  # as sent
    at: float  # seconds since 1970


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]  # lower-case names
    body: bytes


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """A request the strict server does not take."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def _json(status: int, **document: Any) -> Reply:
    body = json.dumps({"status": status, **document}).encode()
    return Reply(status, body, {"Content-Type": "application/json", "x-li-uuid": "AAX-double"})


def _content_error(status: int, code: str, message: str, description: str = "") -> Reply:
    return _json(
        status,
        errorDetailType="com.linkedin.common.error.BadRequest",
        message=f"com.linkedin.content.common.exception.BadRequestResponseException: {message}",
        errorDetails={"inputErrors": [{"description": description or message, "input": {}, "code": code}]},
    )


def _missing(path: str) -> Refusal:
    return Refusal(_json(422, message=f"ERROR :: {path} :: field is required but not found and has no default value\n"))


def parse_commentary(text: str) -> tuple[str, str]:
    """Read little text as LinkedIn does: (stored, shown). What follows a bare reserved character is lost."""
    stored: list[str] = []
    shown: list[str] = []
    at = 0
    while at < len(text):
        character = text[at]
        if character not in RESERVED:
            stored.append(character)
            shown.append(character)
            at += 1
        elif character == "\\" and text[at + 1 : at + 2] in RESERVED and at + 1 < len(text):
            stored.append(text[at + 1])
            shown.append(text[at + 1])
            at += 2
        elif template := re.compile(r"\{hashtag\|\\?[#\uff03]\|((?:[^\\|{}@\[\]()<>#*_~]|\\.)+)\}").match(text, at):
            stored.append(template[0].replace("|#|", "|\\#|"))
            shown.append("#" + re.sub(r"\\(.)", r"\1", template[1]))
            at = template.end()
        elif word := re.compile(r"#([^\W_]+)").match(text, at):
            stored.append(f"{{hashtag|\\#|{word[1]}}}")
            shown.append(word[0])
            at = word.end()
        elif mention := re.compile(r"@\[([^\[\]()\\]+)\]\((urn:li:\w+:[\w-]+)\)").match(text, at):
            stored.append(mention[0])
            shown.append(mention[1])
            at = mention.end()
        else:
            break
    return "".join(stored), "".join(shown)


class LinkedInDouble:
    """The server, in a thread with an event loop of its own."""

    def __init__(
        self,
        *,
        author: str = AUTHOR,
        token: str = TOKEN,
        versions: Iterable[str] = VERSIONS,
        faults: Iterable[str] = (),
        duplicate_window: float = 600.0,
        daily_limit: int = 150,
        world: Path | None = None,
        port: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.author = author
        self.token = token
        self.versions = frozenset(versions)
        self.faults: deque[str] = deque(faults)
        self.dead: dict[str, str] = {}  # token -> "expired" or "revoked"
        self.may_post = True  # false: the app lacks the product
        self.may_delete = True
        self.deletion_faults: deque[str] = deque()
        self.deleted: list[str] = []  # URNs
        self.forgets_deleted = False  # true: a repeated deletion answers 404 instead of 204
        self.duplicate_window = duplicate_window
        self.daily_limit = daily_limit
        self.world = world
        self.clock = clock
        self.requests: list[Request] = []
        self.posts: list[Post] = []
        self.url = ""
        self._port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="linkedin-double", daemon=True)
        if world and world.exists():
            self.posts = [Post(**json.loads(line)) for line in world.read_text("utf-8").splitlines()]

    # -- life --------------------------------------------------------------------------------------------------

    def __enter__(self) -> LinkedInDouble:
        self._thread.start()
        self._ready.wait(10)
        if self._failure:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop and self._stop:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        if self._failure:
            raise self._failure

    def wait(self) -> None:
        """Serve until interrupted."""
        while self._thread.is_alive():
            self._thread.join(1)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as exc:
            self._failure = exc
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            tasks.add(task)
            try:
                await self._converse(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                tasks.discard(task)
                writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", self._port, limit=1 << 20)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        try:
            await self._stop.wait()
        finally:
            server.close()
            for task in list(tasks):  # those that hang on purpose
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # -- the conversation --------------------------------------------------------------------------------------

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await _read_request(reader)
        if request.path.startswith("/_double/"):
            await _answer(writer, self._control(request))
            return
        self.requests.append(request)
        if request.method == "DELETE" and request.path.startswith("/rest/posts/"):
            fault = self.deletion_faults.popleft() if self.deletion_faults else ""
            await _answer(writer, self._instead(fault) or self._delete(request))
            return
        if request.path != "/rest/posts" or request.method != "POST":
            await _answer(writer, self._elsewhere(request))
            return
        fault = self.faults.popleft() if self.faults else ""
        if fault == "hang":
            await asyncio.Event().wait()
        elif fault == "reset":
            _reset(writer)
        elif reply := self._instead(fault):
            await _answer(writer, reply)
        else:
            await self._created(fault, self._create(request), writer)

    async def _created(self, fault: str, reply: Reply, writer: asyncio.StreamWriter) -> None:
        urn = reply.headers.get("X-Restli-Id", "")
        kind, _, rest = fault.partition(":")
        if kind == "accept-then-drop":
            return
        if kind == "accept-then-reset":
            _reset(writer)
            return
        if kind == "accept-then-hang":
            await asyncio.Event().wait()
        elif kind == "slow":
            await asyncio.sleep(float(rest))
        elif kind == "500-after-accept":
            reply = _json(500, code="INTERNAL_SERVER_ERROR", message="Internal Server Error")
        elif kind and urn:
            shapes = {
                "no-id-header": Reply(201),
                "encoded-id": Reply(201, headers={"X-Restli-Id": quote(urn, safe="")}),
                "200": Reply(200, headers=reply.headers),
            }
            reply = shapes[kind]
        await _answer(writer, reply)

    def _instead(self, fault: str) -> Reply | None:
        """An answer given before the request is looked at."""
        kind, _, rest = fault.partition(":")
        match kind:
            case "500-before":
                return _json(500, code="INTERNAL_SERVER_ERROR", message="Internal Server Error")
            case "html-500":
                page = b"<html><head><title>LinkedIn</title></head><body>An error has occurred.</body></html>"
                return Reply(500, page, {"Content-Type": "text/html"})
            case "503":
                reply = _json(503, code="SERVICE_UNAVAILABLE", message="Service Unavailable")
                return Reply(503, reply.body, {**reply.headers, **({"Retry-After": rest} if rest else {})})
            case "429-day":
                return self._throttled("APPLICATION_AND_MEMBER DAY")
            case "429":
                reply = _json(429, code="TOO_MANY_REQUESTS", message="Too many requests")
                return Reply(429, reply.body, {**reply.headers, **({"Retry-After": rest} if rest else {})})
            case "asset-not-ready":
                return _content_error(400, "MEDIA_ASSET_WAITING_UPLOAD", "The media asset is waiting for its upload")
            case "redirect":
                return Reply(307, headers={"Location": "https://elsewhere.example/rest/posts"})
            case "ghost":
                return self._duplicate(f"urn:li:share:{7_900_000_000_000_000_000 + len(self.requests)}")
        return Reply(int(kind), rest.encode()) if kind.isdigit() and fault != "200" else None

    @staticmethod
    def _throttled(which: str) -> Reply:
        message = f"Resource level throttle {which} limit for calls to this resource is reached."
        return _json(429, serviceErrorCode=101, code="TOO_MANY_REQUESTS", message=message)

    @staticmethod
    def _duplicate(urn: str) -> Reply:
        message = f"Content is a duplicate of {urn}"
        return _content_error(422, "DUPLICATE_POST", message, "Duplicate post is detected")

    def _control(self, request: Request) -> Reply:
        """POST /_double/faults with a JSON list adds to the script; GET /_double/posts shows what was accepted."""
        if request.path == "/_double/faults" and request.method == "POST":
            self.faults.extend(json.loads(request.body))
            return Reply(204)
        if request.path == "/_double/posts":
            return Reply(200, json.dumps([asdict(post) for post in self.posts]).encode())
        if request.path == "/_double/deleted":
            return Reply(200, json.dumps(self.deleted).encode())
        return Reply(404)

    def _elsewhere(self, request: Request) -> Reply:
        if request.path == "/rest/posts" or not request.path.startswith("/rest/"):
            return _json(404, code="RESOURCE_NOT_FOUND", message="No virtual resource found")
        return _json(403, serviceErrorCode=100, code="ACCESS_DENIED", message="Not enough permissions to access")

    def _delete(self, request: Request) -> Reply:
        urn = unquote(request.path.removeprefix("/rest/posts/"))
        try:
            self._check_token(request.headers.get("authorization", ""))
            self._check_version(request.headers)
        except Refusal as refusal:
            return refusal.reply
        if ":" in request.path or request.headers.get("x-restli-method") != "DELETE":
            return _json(400, code="ILLEGAL_ARGUMENT", message="Syntax exception in path variables")
        if not self.may_delete:
            words = "Not enough permissions to access: partnerApiPostsExternal.DELETE.20260901"
            return _json(403, serviceErrorCode=100, code="ACCESS_DENIED", message=words)
        known = urn in {post.urn for post in self.posts if post.author == self.author}
        if not known or (urn in self.deleted and self.forgets_deleted):
            return _json(404, code="NOT_FOUND", message="Could not find entity")
        if urn not in self.deleted:
            self.deleted.append(urn)
        return Reply(204)

    # -- creating a post ---------------------------------------------------------------------------------------

    def _create(self, request: Request) -> Reply:
        try:
            self._check_token(request.headers.get("authorization", ""))
            self._check_headers(request.headers)
            body = _checked_json(request.body)
            self._check_fields(body)
            self._check_rights(body)
            _check_content(body)
            now = self.clock()
            self._check_repetition(body, now)
        except Refusal as refusal:
            return refusal.reply
        stored, shown = parse_commentary(body["commentary"])
        post = Post(
            urn=f"urn:li:share:{7_341_301_993_115_684_864 + len(self.posts)}",
            author=body["author"],
            commentary=stored,
            text=shown,
            card=body.get("content", {}).get("article"),
            body=request.body.decode(),
            at=now,
        )
        self.posts.append(post)
        if self.world:
            with self.world.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(post), ensure_ascii=True) + "\n")
        return Reply(
            201,
            headers={
                "X-Restli-Id": post.urn,
                "Location": f"/posts/{quote(post.urn, safe='')}",
                "X-Restli-Protocol-Version": "2.0.0",
            },
        )

    def _check_token(self, authorization: str) -> None:
        scheme, _, token = authorization.partition(" ")
        if scheme != "Bearer" or not token:
            raise Refusal(_json(401, serviceErrorCode=401, message="Empty oauth2_access_token"))
        if token in self.dead:
            number, code, message = DEAD[self.dead[token]]
            raise Refusal(_json(401, serviceErrorCode=number, code=code, message=message))
        if token != self.token:
            raise Refusal(
                _json(401, serviceErrorCode=65600, code="INVALID_ACCESS_TOKEN", message="Invalid access token")
            )

    def _check_headers(self, headers: Mapping[str, str]) -> None:
        self._check_version(headers)
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refusal(_json(415, message="Unsupported Media Type"))
        if "content-length" not in headers:
            raise Refusal(_json(411, message="Length Required"))

    def _check_version(self, headers: Mapping[str, str]) -> None:
        version = headers.get("linkedin-version")
        if version is None:
            words = "A version must be present. Please specify a version by adding the Linkedin-Version header."
            raise Refusal(_json(400, code="VERSION_MISSING", message=words))
        if version not in self.versions:
            words = f"Requested version {version}01 is not active"
            raise Refusal(_json(426, code="NONEXISTENT_VERSION", message=words))
        if headers.get("x-restli-protocol-version") != "2.0.0":
            raise Refusal(_json(400, code="ILLEGAL_ARGUMENT", message="Protocol version 1.0 is not supported here"))

    def _check_fields(self, body: dict[str, Any]) -> None:
        for name in ("author", "commentary", "visibility", "distribution", "lifecycleState"):
            if name not in body:
                raise _missing(f"/{name}")
        if not isinstance(body["distribution"], dict) or "feedDistribution" not in body["distribution"]:
            raise _missing("/distribution/feedDistribution")
        allowed = {
            "visibility": ("PUBLIC", "CONNECTIONS", "LOGGED_IN", "CONTAINER"),
            "lifecycleState": ("PUBLISHED",),
        }
        for name, values in allowed.items():
            if body[name] not in values:
                raise Refusal(_content_error(400, "INVALID_VALUE_FOR_FIELD", f"{name} is not one of {values}"))
        known = {"author", "commentary", "visibility", "distribution", "lifecycleState"}
        for name in body.keys() - known - {"content", "isReshareDisabledByAuthor"}:
            words = f"Unpermitted fields present in REQUEST_BODY: Data Processing Exception: [/{name}]"
            raise Refusal(_json(403, serviceErrorCode=100, code="ACCESS_DENIED", message=words))

    def _check_rights(self, body: dict[str, Any]) -> None:
        if not self.may_post:
            words = "Not enough permissions to access: partnerApiPostsExternal.CREATE.20260901"
            raise Refusal(_json(403, serviceErrorCode=100, code="ACCESS_DENIED", message=words))
        if body["author"] != self.author:
            words = (
                "Field Value validation failed in REQUEST_BODY: "
                "Data Processing Exception while processing fields [/author]"
            )
            raise Refusal(_json(403, serviceErrorCode=100, code="ACCESS_DENIED", message=words))

    def _check_repetition(self, body: dict[str, Any], now: float) -> None:
        for post in self.posts:
            if post.at > now - self.duplicate_window and _gist(json.loads(post.body)) == _gist(body):
                raise Refusal(self._duplicate(post.urn))
        today = sum(1 for post in self.posts if post.at // 86_400 == now // 86_400)
        if today >= self.daily_limit:
            raise Refusal(self._throttled("APPLICATION_AND_MEMBER DAY"))


def _gist(body: dict[str, Any]) -> tuple[Any, ...]:
    return body["author"], body["commentary"], body.get("content")


def _checked_json(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content.decode("utf-8"))
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refusal(_json(400, code="ILLEGAL_ARGUMENT", message="The request body is not a JSON object in UTF-8"))
    return body


def _check_content(body: dict[str, Any]) -> None:
    length = _utf16_length(body["commentary"])
    if length > 3000:
        words = f"ShareCommentary text length ({length} characters) exceeded the maximum allowed (3000 characters)"
        raise Refusal(_content_error(400, "FIELD_ARRAY_SIZE_TOO_HIGH", words))
    if "content" not in body:
        return
    card = body["content"].get("article")
    if not isinstance(card, dict):
        raise _missing("/content/article")
    if not card.get("title"):
        raise _missing("/content/article/title")
    if urlsplit(card.get("source", "")).scheme not in ("http", "https"):
        raise Refusal(_content_error(400, "INVALID_VALUE_FOR_FIELD", "/content/article/source is not a URL"))
    if "thumbnail" in card and not re.fullmatch(r"urn:li:image:[\w-]+", str(card["thumbnail"])):
        raise Refusal(_content_error(400, "INVALID_IMAGE_ID", "/content/article/thumbnail is not an image"))
    for name, limit in (("title", 400), ("description", 4084)):
        if _utf16_length(card.get(name, "")) > limit:
            raise Refusal(_content_error(400, "FIELD_LENGTH_TOO_LONG", f"/content/article/{name} is over {limit}"))


def _utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


# -- HTTP/1.1, as much of it as a client of an API speaks ------------------------------------------------------


async def _read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head[:-4].split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)


async def _answer(writer: asyncio.StreamWriter, reply: Reply) -> None:
    headers = {**reply.headers, "Content-Length": str(len(reply.body)), "Connection": "close"}
    lines = [f"HTTP/1.1 {reply.status} X", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + reply.body)
    await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset (RST) instead of an orderly end."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def main() -> None:
    parser = argparse.ArgumentParser(description="A strict LinkedIn for tests and the demonstration.")
    parser.add_argument("--port-file", type=Path, required=True, help="where to write the port, once it is open")
    parser.add_argument("--world", type=Path, help="where to append what was accepted, as JSON lines")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--author", default=AUTHOR)
    parser.add_argument("--token", default=TOKEN)
    parser.add_argument("--window", type=float, default=600.0, help="seconds in which an equal post is a duplicate")
    parser.add_argument("--faults", default="", help="the script, separated by commas")
    given = parser.parse_args()
    double = LinkedInDouble(
        author=given.author,
        token=given.token,
        duplicate_window=given.window,
        faults=given.faults.split(",") if given.faults else (),
        world=given.world,
        port=given.port,
    )
    with double, contextlib.suppress(KeyboardInterrupt):
        temporary = given.port_file.with_suffix(".tmp")
        temporary.write_text(double.url.rpartition(":")[2])
        temporary.replace(given.port_file)
        double.wait()


if __name__ == "__main__":
    main()
