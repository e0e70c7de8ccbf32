"""The Posts API of the double: creating posts, by the fault script, and the record of what the world saw."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.doubles.linkedin import content, script
from tests.doubles.linkedin.entities import Entities
from tests.doubles.linkedin.littletext import parse_commentary
from tests.doubles.linkedin.server import Server, Token
from tests.doubles.linkedin.wire import Refusal, Reply, Request, json_reply


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
    """The server with its posts; what tests turn are its public attributes.

    `posts` is all that was ever accepted, `seen()` what people see now. The file `world` gets each accepted post.
    """

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
        self.comments: list[tuple[str, str]] = []  # (URN, text)
        self.duplicate_window = duplicate_window
        self.quota.of_member = daily_limit
        self.check_picture: Callable[[str, str], None] = lambda urn, author: None  # raises Refusal
        self.world = world
        self.posts: list[Post] = []
        if world and world.exists():
            self.posts = [Post(**json.loads(line)) for line in world.read_text("utf-8").splitlines()]
        self.routes |= {
            ("POST", "/rest/posts"): self._post,
            ("POST", "/_double/"): self._control,
            ("GET", "/_double/"): self._control,
            **Entities(self).routes(),
        }

    @property
    def forgets_deleted(self) -> bool:
        return self.knobs.forgets_deleted

    @forgets_deleted.setter
    def forgets_deleted(self, value: bool) -> None:
        self.knobs.forgets_deleted = value

    def seen(self) -> list[Post]:
        return [post for post in self.posts if post.urn not in self.deleted]

    def ghost(self) -> str:
        """The URN of a post that nobody has; another one each time."""
        return f"urn:li:share:{7_900_000_000_000_000_000 + len(self.requests)}"

    async def _post(self, request: Request, writer: asyncio.StreamWriter) -> Reply | None:
        fault = self.faults.popleft() if self.faults else ""
        if fault in script.SILENCES:
            await script.silence(fault, writer)
            return None
        return script.instead(fault, ghost=self.ghost()) or await script.after(fault, self._create(request), writer)

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

    def _create(self, request: Request) -> Reply:
        try:
            token = self.admit(request, "posts")
            _check_envelope(request)
            body = content.document(request.body)
            content.check_fields(body, self.knobs)
            self._check_rights(request, token, body["author"])
            content.check_text(body["commentary"], self.knobs)
            content.check_content(body, self.knobs)
            for picture in content.pictures(body):
                self.check_picture(picture, body["author"])
            self._check_repetition(body)
        except Refusal as refusal:
            return refusal.reply
        post = self._accept(body, request.body.decode())
        headers = {
            "X-Restli-Id": post.urn,
            "Location": f"/posts/{quote(post.urn, safe='')}",
            "X-Restli-Protocol-Version": "2.0.0",
        }
        return Reply(201, headers=headers)

    def _accept(self, body: dict[str, Any], sent: str) -> Post:
        stored, shown = parse_commentary(body["commentary"])
        post = Post(
            urn=f"urn:li:share:{7_341_301_993_115_684_864 + len(self.posts)}",
            author=body["author"],
            commentary=stored,
            text=shown,
            card=body.get("content", {}).get("article"),
            body=sent,
            at=self.clock(),
        )
        self.posts.append(post)
        if self.world:
            with self.world.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(post), ensure_ascii=True) + "\n")
        return post

    def _check_rights(self, request: Request, token: Token, author: str) -> None:
        """The scope first, then whether the token's member is the author or has a role at it (the order is a guess)."""
        organisation = author.startswith("urn:li:organization:")
        if not self.may_post or f"w_{'organization' if organisation else 'member'}_social" not in token.scope:
            raise Refusal(self.forbidden("partnerApiPostsExternal.CREATE", request))
        if not self.may_act(token, author):
            words = "Field Value validation failed in REQUEST_BODY: "
            words += "Data Processing Exception while processing fields [/author]"
            raise Refusal(json_reply(403, serviceErrorCode=100, code="ACCESS_DENIED", message=words))

    def _check_repetition(self, body: dict[str, Any]) -> None:
        now = self.clock()
        for post in self.posts:
            if post.at > now - self.duplicate_window and _gist(json.loads(post.body)) == _gist(body):
                gone = self.knobs.ghosts and post.urn in self.deleted
                raise Refusal(script.duplicate(self.ghost() if gone else post.urn))


def _gist(body: dict[str, Any]) -> tuple[Any, ...]:
    """What makes two posts the same (a guess: whether cards count is unknown)."""
    return body["author"], body["commentary"], body.get("content")


def _check_envelope(request: Request) -> None:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(json_reply(415, message="Unsupported Media Type"))
    if "content-length" not in request.headers:
        raise Refusal(json_reply(411, message="Length Required"))
