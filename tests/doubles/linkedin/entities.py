"""What may be asked about posts that are there: reading, finding, changing, deleting, commenting on them.

The program does little of it: a member's token may neither read nor comment. That this is so is checked here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.doubles.linkedin import content, script
from tests.doubles.linkedin.littletext import parse_commentary
from tests.doubles.linkedin.server import Token
from tests.doubles.linkedin.wire import Handler, Refusal, Reply, Request, json_reply

if TYPE_CHECKING:
    from tests.doubles.linkedin.posts import Post, Posts

POSTS = "/rest/posts/"
ACTIONS = "/rest/socialActions/"
CHANGEABLE = {"commentary", "contentCallToActionLabel", "contentLandingPage", "lifecycleState"}

Answering = Callable[[Request], Reply]


class Entities:
    """Answers for the posts of one double."""

    def __init__(self, double: Posts) -> None:
        self._double = double

    def routes(self) -> dict[tuple[str, str], Handler]:
        return {
            ("GET", POSTS): _handler(self._read),
            ("GET", "/rest/posts"): _handler(self._find),
            ("POST", POSTS): _handler(self._change),
            ("DELETE", POSTS): _handler(self._deletion),
            ("POST", ACTIONS): _handler(self._comment),
        }

    # -- reading -------------------------------------------------------------------------------------------------

    def _read(self, request: Request) -> Reply:
        token = self._double.admit(request, "posts")
        urn = _entity(request, POSTS)
        post = self._known(urn)
        if post is None and "r_organization_social" not in token.scope:
            raise Refusal(self._double.forbidden("partnerApiPostsExternal.GET", request))
        if post is not None:
            self._may(token, post.author, "r", request, "partnerApiPostsExternal.GET")
        if post is None or urn in self._double.deleted:
            raise Refusal(json_reply(404, code="NOT_FOUND", message="Could not find entity"))
        return _document(_shown(post))

    def _find(self, request: Request) -> Reply:
        """The finder `q=author` (Learn: shares/posts-api, "Find Posts by Authors")."""
        token = self._double.admit(request, "posts")
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        if query.get("q") != "author" or "author" not in query:
            raise Refusal(json_reply(404, code="RESOURCE_NOT_FOUND", message="No virtual resource found"))
        self._may(token, query["author"], "r", request, "partnerApiPostsExternal.FINDER-author")
        start, count = int(query.get("start", 0)), int(query.get("count", 10))
        found = [_shown(post) for post in reversed(self._double.seen()) if post.author == query["author"]]
        paging = {"start": start, "count": count, "links": [], "total": len(found)}
        return _document({"paging": paging, "elements": found[start : start + count]})

    # -- changing ------------------------------------------------------------------------------------------------

    def _change(self, request: Request) -> Reply:
        """A partial update; without its header a POST to an entity is nothing that Rest.li knows."""
        token = self._double.admit(request, "posts")
        urn = _entity(request, POSTS)
        if request.headers.get("x-restli-method") != "PARTIAL_UPDATE":
            raise Refusal(json_reply(400, code="ILLEGAL_ARGUMENT", message="X-RestLi-Method is missing or wrong"))
        post = self._own(urn, token, request, "PARTIAL_UPDATE")
        change = content.document(request.body).get("patch", {}).get("$set", {})
        if strange := sorted(change.keys() - CHANGEABLE):
            raise content.unpermitted(f"/patch/$set/{strange[0]}")
        if "commentary" in change:
            content.check_text(change["commentary"], self._double.knobs)
            stored, shown = parse_commentary(change["commentary"])
            posts = self._double.posts
            posts[posts.index(post)] = replace(post, commentary=stored, text=shown)
        return Reply(204)

    def _deletion(self, request: Request) -> Reply:
        faults = self._double.deletion_faults
        if reply := script.instead(faults.popleft() if faults else "", ghost=self._double.ghost()):
            return reply
        token = self._double.admit(request, "posts")
        urn = _entity(request, POSTS)
        if request.headers.get("x-restli-method") != "DELETE":
            raise Refusal(json_reply(400, code="ILLEGAL_ARGUMENT", message="X-RestLi-Method is missing or wrong"))
        if not self._double.may_delete:
            raise Refusal(self._double.forbidden("partnerApiPostsExternal.DELETE", request))
        self._own(urn, token, request, "DELETE")
        if urn not in self._double.deleted:
            self._double.deleted.append(urn)
        elif self._double.knobs.forgets_deleted:
            raise Refusal(json_reply(404, code="NOT_FOUND", message="Could not find entity"))
        return Reply(204)

    def _comment(self, request: Request) -> Reply:
        """A first comment (Learn: shares/network-update-social-actions); its text is plain, no little text."""
        token = self._double.admit(request, "socialActions")
        urn = _entity(request, ACTIONS, "/comments")
        if not token.scope & {"w_member_social_feed", "w_organization_social_feed"}:
            raise Refusal(self._double.forbidden("partnerApiSocialActions.CREATE", request))
        if urn not in {post.urn for post in self._double.seen()}:
            words = f"Unable to obtain activity for urn {urn}"
            raise Refusal(json_reply(404, code="NOT_FOUND", message=words))
        self._double.comments.append((urn, content.document(request.body)["message"]["text"]))
        return Reply(201)

    # -- rights --------------------------------------------------------------------------------------------------

    def _known(self, urn: str) -> Post | None:
        return next((post for post in self._double.posts if post.urn == urn), None)

    def _own(self, urn: str, token: Token, request: Request, method: str) -> Post:
        """The post, where the token may change it. A stranger's is not found: a 404 may mask a 403."""
        post = self._known(urn)
        if post is None or not self._double.may_act(token, post.author):
            raise Refusal(json_reply(404, code="NOT_FOUND", message="Could not find entity"))
        self._may(token, post.author, "w", request, f"partnerApiPostsExternal.{method}")
        return post

    def _may(self, token: Token, author: str, verb: str, request: Request, what: str) -> None:
        kind = "organization" if author.startswith("urn:li:organization:") else "member"
        if f"{verb}_{kind}_social" not in token.scope or not self._double.may_act(token, author):
            raise Refusal(self._double.forbidden(what, request))


def _handler(answering: Answering) -> Handler:
    async def handle(request: Request, _writer: asyncio.StreamWriter) -> Reply:
        try:
            return answering(request)
        except Refusal as refusal:
            return refusal.reply

    return handle


def _entity(request: Request, below: str, end: str = "") -> str:
    """The URN in a path; its colons must be percent-encoded."""
    path = request.path.partition("?")[0]
    if ":" in path or not path.endswith(end):
        raise Refusal(json_reply(400, code="ILLEGAL_ARGUMENT", message="Syntax exception in path variables"))
    return unquote(path.removeprefix(below).removesuffix(end))


def _document(document: dict[str, Any]) -> Reply:
    return Reply(200, json.dumps(document).encode(), {"Content-Type": "application/json"})


def _shown(post: Post) -> dict[str, Any]:
    body = json.loads(post.body)
    return {**body, "id": post.urn, "commentary": post.commentary, "lifecycleState": "PUBLISHED"}
