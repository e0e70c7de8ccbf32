"""The Posts API of the double: creating, deleting, and the faults of the script."""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from tests.doubles.linkedin import wire
from tests.doubles.linkedin.littletext import parse_commentary
from tests.doubles.linkedin.server import Server
from tests.doubles.linkedin.wire import Refusal, Reply, Request, content_error, json_reply, missing


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


class Posts(Server):
    """The server with its posts; what tests turn are its public attributes."""

    def __init__(
        self,
        *,
        faults: Iterable[str] = (),
        duplicate_window: float = 600.0,
        daily_limit: int = 150,
        world: Path | None = None,
        **server: Any,
    ) -> None:
        super().__init__(**server)
        self.faults: deque[str] = deque(faults)
        self.may_post = True  # false: the app lacks the product
        self.may_delete = True
        self.deletion_faults: deque[str] = deque()
        self.deleted: list[str] = []  # URNs
        self.forgets_deleted = False  # true: a repeated deletion answers 404 instead of 204
        self.duplicate_window = duplicate_window
        self.daily_limit = daily_limit
        self.world = world
        self.posts: list[Post] = []
        if world and world.exists():
            self.posts = [Post(**json.loads(line)) for line in world.read_text("utf-8").splitlines()]
        self.routes |= {
            ("POST", "/rest/posts"): self._post,
            ("DELETE", "/rest/posts/"): self._deletion,
            ("POST", "/_double/"): self._control,
            ("GET", "/_double/"): self._control,
        }

    async def _deletion(self, request: Request, _writer: asyncio.StreamWriter) -> Reply:
        fault = self.deletion_faults.popleft() if self.deletion_faults else ""
        return self._instead(fault) or self._delete(request)

    async def _post(self, request: Request, writer: asyncio.StreamWriter) -> Reply | None:
        fault = self.faults.popleft() if self.faults else ""
        if fault == "hang":
            await asyncio.Event().wait()
        if fault == "reset":
            wire.reset(writer)
            return None
        return self._instead(fault) or await self._created(fault, self._create(request), writer)

    async def _created(self, fault: str, reply: Reply, writer: asyncio.StreamWriter) -> Reply | None:
        urn = reply.headers.get("X-Restli-Id", "")
        kind, _, rest = fault.partition(":")
        if kind == "accept-then-drop":
            return None
        if kind == "accept-then-reset":
            wire.reset(writer)
            return None
        if kind == "accept-then-hang":
            await asyncio.Event().wait()
        elif kind == "slow":
            await asyncio.sleep(float(rest))
        elif kind == "500-after-accept":
            reply = json_reply(500, code="INTERNAL_SERVER_ERROR", message="Internal Server Error")
        elif kind and urn:
            shapes = {
                "no-id-header": Reply(201),
                "encoded-id": Reply(201, headers={"X-Restli-Id": quote(urn, safe="")}),
                "200": Reply(200, headers=reply.headers),
            }
            reply = shapes[kind]
        return reply

    def _instead(self, fault: str) -> Reply | None:
        """An answer given before the request is looked at."""
        kind, _, rest = fault.partition(":")
        match kind:
            case "500-before":
                return json_reply(500, code="INTERNAL_SERVER_ERROR", message="Internal Server Error")
            case "html-500":
                page = b"<html><head><title>LinkedIn</title></head><body>An error has occurred.</body></html>"
                return Reply(500, page, {"Content-Type": "text/html"})
            case "503":
                reply = json_reply(503, code="SERVICE_UNAVAILABLE", message="Service Unavailable")
                return Reply(503, reply.body, {**reply.headers, **({"Retry-After": rest} if rest else {})})
            case "429-day":
                return self._throttled("APPLICATION_AND_MEMBER DAY")
            case "429":
                reply = json_reply(429, code="TOO_MANY_REQUESTS", message="Too many requests")
                return Reply(429, reply.body, {**reply.headers, **({"Retry-After": rest} if rest else {})})
            case "asset-not-ready":
                return content_error(400, "MEDIA_ASSET_WAITING_UPLOAD", "The media asset is waiting for its upload")
            case "redirect":
                return Reply(307, headers={"Location": "https://elsewhere.example/rest/posts"})
            case "ghost":
                return self._duplicate(f"urn:li:share:{7_900_000_000_000_000_000 + len(self.requests)}")
        return Reply(int(kind), rest.encode()) if kind.isdigit() and fault != "200" else None

    @staticmethod
    def _throttled(which: str) -> Reply:
        message = f"Resource level throttle {which} limit for calls to this resource is reached."
        return json_reply(429, serviceErrorCode=101, code="TOO_MANY_REQUESTS", message=message)

    @staticmethod
    def _duplicate(urn: str) -> Reply:
        message = f"Content is a duplicate of {urn}"
        return content_error(422, "DUPLICATE_POST", message, "Duplicate post is detected")

    async def _control(self, request: Request, _writer: asyncio.StreamWriter) -> Reply:
        """POST /_double/faults with a JSON list adds to the script; GET /_double/posts shows what was accepted."""
        if request.path == "/_double/faults" and request.method == "POST":
            self.faults.extend(json.loads(request.body))
            return Reply(204)
        if request.path == "/_double/posts":
            return Reply(200, json.dumps([asdict(post) for post in self.posts]).encode())
        if request.path == "/_double/deleted":
            return Reply(200, json.dumps(self.deleted).encode())
        return Reply(404)

    def _delete(self, request: Request) -> Reply:
        urn = unquote(request.path.removeprefix("/rest/posts/"))
        try:
            self.check_token(request.headers.get("authorization", ""))
            self.check_version(request.headers)
        except Refusal as refusal:
            return refusal.reply
        if ":" in request.path or request.headers.get("x-restli-method") != "DELETE":
            return json_reply(400, code="ILLEGAL_ARGUMENT", message="Syntax exception in path variables")
        if not self.may_delete:
            words = "Not enough permissions to access: partnerApiPostsExternal.DELETE.20260901"
            return json_reply(403, serviceErrorCode=100, code="ACCESS_DENIED", message=words)
        known = urn in {post.urn for post in self.posts if post.author == self.author}
        if not known or (urn in self.deleted and self.forgets_deleted):
            return json_reply(404, code="NOT_FOUND", message="Could not find entity")
        if urn not in self.deleted:
            self.deleted.append(urn)
        return Reply(204)

    # -- creating a post ---------------------------------------------------------------------------------------

    def _create(self, request: Request) -> Reply:
        try:
            self.check_token(request.headers.get("authorization", ""))
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

    def _check_headers(self, headers: Mapping[str, str]) -> None:
        self.check_version(headers)
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refusal(json_reply(415, message="Unsupported Media Type"))
        if "content-length" not in headers:
            raise Refusal(json_reply(411, message="Length Required"))

    def _check_fields(self, body: dict[str, Any]) -> None:
        for name in ("author", "commentary", "visibility", "distribution", "lifecycleState"):
            if name not in body:
                raise missing(f"/{name}")
        if not isinstance(body["distribution"], dict) or "feedDistribution" not in body["distribution"]:
            raise missing("/distribution/feedDistribution")
        allowed = {
            "visibility": ("PUBLIC", "CONNECTIONS", "LOGGED_IN", "CONTAINER"),
            "lifecycleState": ("PUBLISHED",),
        }
        for name, values in allowed.items():
            if body[name] not in values:
                raise Refusal(content_error(400, "INVALID_VALUE_FOR_FIELD", f"{name} is not one of {values}"))
        known = {"author", "commentary", "visibility", "distribution", "lifecycleState"}
        for name in body.keys() - known - {"content", "isReshareDisabledByAuthor"}:
            words = f"Unpermitted fields present in REQUEST_BODY: Data Processing Exception: [/{name}]"
            raise Refusal(json_reply(403, serviceErrorCode=100, code="ACCESS_DENIED", message=words))

    def _check_rights(self, body: dict[str, Any]) -> None:
        if not self.may_post:
            words = "Not enough permissions to access: partnerApiPostsExternal.CREATE.20260901"
            raise Refusal(json_reply(403, serviceErrorCode=100, code="ACCESS_DENIED", message=words))
        if body["author"] != self.author:
            words = (
                "Field Value validation failed in REQUEST_BODY: "
                "Data Processing Exception while processing fields [/author]"
            )
            raise Refusal(json_reply(403, serviceErrorCode=100, code="ACCESS_DENIED", message=words))

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
        raise Refusal(
            json_reply(400, code="ILLEGAL_ARGUMENT", message="The request body is not a JSON object in UTF-8")
        )
    return body


def _check_content(body: dict[str, Any]) -> None:
    length = _utf16_length(body["commentary"])
    if length > 3000:
        words = f"ShareCommentary text length ({length} characters) exceeded the maximum allowed (3000 characters)"
        raise Refusal(content_error(400, "FIELD_ARRAY_SIZE_TOO_HIGH", words))
    if "content" not in body:
        return
    card = body["content"].get("article")
    if not isinstance(card, dict):
        raise missing("/content/article")
    if not card.get("title"):
        raise missing("/content/article/title")
    if urlsplit(card.get("source", "")).scheme not in ("http", "https"):
        raise Refusal(content_error(400, "INVALID_VALUE_FOR_FIELD", "/content/article/source is not a URL"))
    if "thumbnail" in card and not re.fullmatch(r"urn:li:image:[\w-]+", str(card["thumbnail"])):
        raise Refusal(content_error(400, "INVALID_IMAGE_ID", "/content/article/thumbnail is not an image"))
    for name, limit in (("title", 400), ("description", 4084)):
        if _utf16_length(card.get(name, "")) > limit:
            raise Refusal(content_error(400, "FIELD_LENGTH_TOO_LONG", f"/content/article/{name} is over {limit}"))


def _utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
