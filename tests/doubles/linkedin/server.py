"""The server of the double: life, routes, the tokens it knows, and what every versioned request must bear."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from tests.doubles.linkedin import wire
from tests.doubles.linkedin.knobs import Knobs
from tests.doubles.linkedin.quota import Quota
from tests.doubles.linkedin.wire import Handler, Refusal, Reply, Request, json_reply

AUTHOR = "urn:li:person:abcd1234"
TOKEN = "AQ-double-token-5f2c"
MEMBER = frozenset({"openid", "profile", "w_member_social"})
APP = "our-app"
ORGANISATION = "urn:li:organization:2414183"  # where our member is an administrator
FOREIGN_ORGANISATION = "urn:li:organization:1337"  # where he is nobody
POSTING_ROLES = ("ADMINISTRATOR", "DIRECT_SPONSORED_CONTENT_POSTER", "CONTENT_ADMIN")
VERSIONS = tuple(f"2026{month:02}" for month in range(1, 10))
SUNSETS = {  # when a version dies, as announced on 2026-09-19
    "202510": "2026-10-15", "202511": "2026-11-16", "202601": "2027-01-15", "202602": "2027-02-15",
    "202603": "2027-03-16", "202604": "2027-04-15", "202605": "2027-05-15", "202606": "2027-06-15",
    "202607": "2027-07-15", "202608": "2027-08-17", "202609": "2027-09-15",
}  # fmt: skip
DEAD = {
    "expired": (65602, "EXPIRED_ACCESS_TOKEN", "The token used in the request has expired"),
    "revoked": (65601, "REVOKED_ACCESS_TOKEN", "The token used in the request has been revoked by the user"),
    "restricted": (65608, "RESTRICTED_MEMBER", "Member is restricted"),
}


@dataclass(frozen=True)
class Token:
    """An access token that was given out. Put into `Server.tokens`; a dead one stands in `Server.dead` too."""

    scope: frozenset[str] = MEMBER
    expires_at: float = float("inf")  # seconds since 1970
    member: str = AUTHOR  # whose it is
    app: str = APP
    valid_from: float = 0.0  # until then it is answered as revoked, as after a renewal


class Server:
    """A thread with an event loop of its own. Parts add to `routes`; nobody is asked whom no route names.

    A route is (method, path) -> handler; a path that ends in "/" takes all below it. Queries are not looked at.
    `requests` remembers all but those below /_double/.
    """

    def __init__(
        self,
        *,
        author: str = AUTHOR,
        token: str = TOKEN,
        versions: Iterable[str] = VERSIONS,
        port: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.author = author
        self.token = token
        self.tokens: dict[str, Token] = {token: Token(member=author)}
        self.dead: dict[str, str] = {}  # token -> "expired" or "revoked"
        self.roles = {(author, ORGANISATION): "ADMINISTRATOR"}  # (member, organisation) -> what he is there
        self.versions = frozenset(versions)
        self.sunsets: dict[str, float] = {}  # version -> when it dies; none by itself: tests outlive every version
        self.quota = Quota()
        self.knobs = Knobs()
        self.clock = clock
        self.routes: dict[tuple[str, str], Handler] = {}
        self.requests: list[Request] = []
        self.url = ""
        self._port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="linkedin-double", daemon=True)

    # -- life --------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
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

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await wire.read_request(reader)
        path = request.path.partition("?")[0]
        if not path.startswith("/_double/"):
            self.requests.append(request)
        reply = await self._handler(request.method, path)(request, writer)
        if reply is not None:
            await wire.answer(writer, reply)

    def _handler(self, method: str, path: str) -> Handler:
        if exact := self.routes.get((method, path)):
            return exact
        below = [at for at in self.routes if at[0] == method and at[1].endswith("/") and path.startswith(at[1])]
        return self.routes[max(below, key=lambda at: len(at[1]))] if below else self._elsewhere

    async def _elsewhere(self, request: Request, _writer: asyncio.StreamWriter) -> Reply:
        if request.path == "/rest/posts" or not request.path.startswith("/rest/"):
            return json_reply(404, code="RESOURCE_NOT_FOUND", message="No virtual resource found")
        return json_reply(403, serviceErrorCode=100, code="ACCESS_DENIED", message="Not enough permissions to access")

    # -- what every request to the API is held to ----------------------------------------------------------------

    def check_token(self, authorization: str) -> Token:
        scheme, _, token = authorization.partition(" ")
        if scheme != "Bearer" or not token:
            raise Refusal(json_reply(401, serviceErrorCode=401, message="Empty oauth2_access_token"))
        if token in self.dead:
            number, code, message = DEAD[self.dead[token]]
            raise Refusal(json_reply(401, serviceErrorCode=number, code=code, message=message))
        known = self.tokens.get(token)
        if known is None:
            words = "Invalid access token"
            raise Refusal(json_reply(401, serviceErrorCode=65600, code="INVALID_ACCESS_TOKEN", message=words))
        if known.expires_at <= self.clock() or known.valid_from > self.clock():
            number, code, message = DEAD["expired" if known.expires_at <= self.clock() else "revoked"]
            raise Refusal(json_reply(401, serviceErrorCode=number, code=code, message=message))
        return known

    def admit(self, request: Request, endpoint: str) -> Token:
        """Token, version and quota, in this order (which one LinkedIn looks at first is unknown)."""
        token = self.check_token(request.headers.get("authorization", ""))
        self.check_version(request.headers)
        self.quota.spend(endpoint, token.member, token.app, self.clock())
        return token

    def may_act(self, token: Token, author: str) -> bool:
        """Whether the token's member is this author, or may post for it."""
        if author.startswith("urn:li:organization:"):
            return self.roles.get((token.member, author)) in POSTING_ROLES
        return author == token.member

    def forbidden(self, what: str, request: Request) -> Reply:
        """403 of a missing scope, role or product: RESOURCE.METHOD.VERSION01."""
        words = f"Not enough permissions to access: {what}.{request.headers['linkedin-version']}01"
        return json_reply(403, serviceErrorCode=100, code="ACCESS_DENIED", message=words)

    def check_version(self, headers: Mapping[str, str]) -> None:
        version = headers.get("linkedin-version")
        if version is None:
            words = "A version must be present. Please specify a version by adding the Linkedin-Version header."
            raise Refusal(json_reply(400, code="VERSION_MISSING", message=words))
        if version not in self.versions or self.sunsets.get(version, float("inf")) <= self.clock():
            status = 426 if re.fullmatch(r"\d{6}", version) else self.knobs.malformed_version
            words = f"Requested version {version}01 is not active"
            raise Refusal(json_reply(status, code="NONEXISTENT_VERSION", message=words))
        if headers.get("x-restli-protocol-version") != "2.0.0":
            raise Refusal(
                json_reply(400, code="ILLEGAL_ARGUMENT", message="Protocol version 1.0 is not supported here")
            )
