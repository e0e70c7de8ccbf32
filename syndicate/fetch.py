"""The one HTTP client of the package: limits, deadlines, and what a broken exchange means for the other side.

It never follows a redirect, takes a proxy from the environment, or lets a header, a query or a body into a message.
"""

from __future__ import annotations

import asyncio
import logging
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from syndicate.clock import Chance, Clock
from syndicate.errors import DeliveryError, InDoubt, Refused, Unavailable

if TYPE_CHECKING:
    import httpx
    from tenacity import RetryCallState

TRIES = 3
BODY_LIMIT = 1_000_000  # bytes, unpacked
PATIENCE = timedelta(seconds=5)  # the longest Retry-After worth waiting for here; longer waits are rows in the ledger
LONGEST_WAIT = timedelta(days=7)  # a server that asks for more is not believed
_PASSING = frozenset({408, 429, 500, 502, 503, 504})  # answers that another try may change


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. `headers` have lower-case names; a repeated one is joined with a comma."""

    status: int
    headers: Mapping[str, str]
    body: bytes  # unpacked
    whole: bool = True  # false: the body is only its beginning (too long, or the connection broke)
    url: str = ""  # where a chain of redirects ended; only `guarded` follows them

    def text(self) -> str:
        """The body as text; what is not UTF-8 shows as a replacement character."""
        return self.body.decode("utf-8", "replace")


class Fetcher:
    """Sends requests. Opened by the first, closed by `aclose`; may be used by many tasks of one event loop.

    `connect` and `read` are seconds of silence, `deadline` the seconds one exchange may take in all.
    """

    def __init__(
        self,
        clock: Clock,
        chance: Chance,
        user_agent: str,
        *,
        connect: float = 10.0,
        read: float = 60.0,
        deadline: float = 90.0,
        body_limit: int = BODY_LIMIT,
    ) -> None:
        self.clock = clock
        self.chance = chance
        self._user_agent = user_agent
        self._connect = connect
        self._read = read
        self._deadline = deadline
        self._body_limit = body_limit
        self._client: httpx.AsyncClient | None = None

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None = None,
        repeatable: bool,
        deadline: float | None = None,
    ) -> Answer:
        """Exchange one request for one answer, of whatever status; 3 tries within seconds where that is safe.

        Not repeatable (a create without idempotency key): tried again only when certainly nothing arrived; a break
        after that raises InDoubt. Repeatable: broken exchanges and passing answers (408, 429, 5xx) are tried again
        too, and there is no doubt to be in. Raises Unavailable when nothing was accepted for certain (or nothing
        hangs on it), Refused for a request that can never leave (a malformed address or header). `deadline`: seconds
        for one exchange, where they are fewer than this client's.
        """
        from tenacity import AsyncRetrying, retry_if_exception_type, retry_if_result, stop_after_attempt

        _check(url, headers)

        def passing(answer: Answer) -> bool:
            return repeatable and _worth_repeating(answer, self.clock.now())

        def wait(state: RetryCallState) -> float:
            backoff: float = 0.5 * 2 ** (state.attempt_number - 1) * (1 + self.chance.random())
            assert state.outcome is not None
            if state.outcome.failed:
                return backoff
            wish = retry_after(_last_outcome(state).headers, self.clock.now())
            return max(backoff, wish.total_seconds()) if wish else backoff

        # Built for this call: one shared between tasks mixes up their counts.
        retrying = AsyncRetrying(
            stop=stop_after_attempt(TRIES),
            wait=wait,
            sleep=self.clock.sleep,
            retry=retry_if_exception_type(Unavailable) | retry_if_result(passing),
            retry_error_callback=_last_outcome,  # as `reraise`, but it gives back the last answer too
        )
        seconds = min(deadline or self._deadline, self._deadline)
        return await retrying(self._exchange, method, url, headers, content, repeatable, seconds)

    async def aclose(self) -> None:
        """Let go of connections; the next request opens anew."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None,
        repeatable: bool,
        deadline: float,
    ) -> Answer:
        import httpx

        begun: list[httpx.Response] = []
        body = bytearray()
        failure: DeliveryError
        try:
            async with asyncio.timeout(deadline):
                request = self._open().stream(method, url, headers=dict(headers), content=content)
                async with request as response:
                    begun.append(response)
                    whole = await read_body(response, body, self._body_limit)
            return answer_of(response, body, whole)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as exc:
            if begun and not repeatable:  # the status line is the outcome, whatever happens to the body
                return answer_of(begun[0], body, whole=False)
            failure = meaning(exc, origin(url), repeatable)
        # Raised out here, so that no httpx exception with its request and headers hangs on as the context.
        raise failure

    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            import httpx

            hush()
            self._client = httpx.AsyncClient(
                headers={"User-Agent": self._user_agent, "Accept-Encoding": "gzip"},
                timeout=httpx.Timeout(self._read, connect=self._connect, pool=self._connect),
                # One request a connection: a kept one that the other side has just closed makes a doubt out of nothing.
                limits=httpx.Limits(max_connections=20, max_keepalive_connections=0),
                follow_redirects=False,
                trust_env=False,
            )
        return self._client


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """The wait a server asks for (RFC 9110 section 10.2.3): seconds or a date; never negative, a week at most.

    `headers` with lower-case names. None where there is none or it says nothing.
    """
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)  # fractions are no standard, but sent
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        if moment.tzinfo is None:  # "-0000": UTC without saying where
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - now).total_seconds()
    if math.isnan(seconds):
        return None
    return timedelta(seconds=min(max(seconds, 0.0), LONGEST_WAIT.total_seconds()))


def origin(url: str) -> str:
    """Scheme, host and port: all of an address that may stand in a message (paths and queries hold secrets)."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "the address"
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def hush() -> None:
    """Keep addresses, which hold secrets, out of the logs: the HTTP libraries write each one, at INFO and below."""
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _check(url: str, headers: Mapping[str, str]) -> None:
    """Refuse what the client would choke on in words that quote it, secrets and all."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isprintable():
        raise Refused("the address cannot be used: it is not an absolute http or https address")
    check_headers(headers)


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise Refused for a header that cannot be sent, without its value."""
    for name, value in headers.items():
        if not value.isascii() or not value.isprintable():
            raise Refused(f"the header {name} holds a character that cannot be sent")


def _worth_repeating(answer: Answer, now: datetime) -> bool:
    wish = retry_after(answer.headers, now)
    if answer.status not in _PASSING or (wish is not None and wish > PATIENCE):
        return False
    return answer.status != 429 or wish is not None


def _last_outcome(state: RetryCallState) -> Answer:
    assert state.outcome is not None
    answer: Answer = state.outcome.result()
    return answer


def meaning(exc: Exception, where: str, repeatable: bool) -> DeliveryError:
    """Say what a broken exchange means; by positive lists, so that what is unknown counts as doubt."""
    import httpx

    what = type(exc).__name__
    if isinstance(exc, httpx.ConnectError):  # name lookup, TCP and TLS; its words come from the system
        return Unavailable(f"{where} cannot be reached: {' '.join(str(exc).split())[:200] or what}")
    if isinstance(exc, httpx.ConnectTimeout | httpx.PoolTimeout):
        return Unavailable(f"{where} cannot be reached: no connection in time ({what})")
    if isinstance(exc, httpx.InvalidURL | httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return Refused(f"the request to {where} cannot be sent as it is ({what})")
    if repeatable:
        return Unavailable(f"{where} did not answer ({what})")
    return InDoubt(f"{where} was sent the request and did not answer ({what})")


async def read_body(response: httpx.Response, body: bytearray, limit: int) -> bool:
    """Collect the body up to `limit` bytes, unpacked here: layers of compression can grow without end."""
    packed = response.headers.get("content-encoding", "").strip().lower() == "gzip"
    inflate = zlib.decompressobj(31) if packed else None
    empty = True
    async for chunk in response.aiter_raw():
        empty = empty and not chunk
        room = limit - len(body)
        if inflate is None:
            body += chunk[:room]
            more = len(chunk) > room
        else:
            try:
                body += inflate.decompress(chunk, room + 1)
            except zlib.error:
                return False
            more = len(body) > limit
            del body[limit:]
        if more:
            return False
    return inflate is None or inflate.eof or empty


def answer_of(response: httpx.Response, body: bytearray, whole: bool, url: str = "") -> Answer:
    """What came back, of what `read_body` collected."""
    return Answer(
        status=response.status_code,
        headers={name.lower(): value for name, value in response.headers.items()},
        body=bytes(body),
        whole=whole,
        url=url,
    )
