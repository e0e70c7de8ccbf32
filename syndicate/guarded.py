"""Asks addresses that somebody else wrote (articles, feeds, subscribers): reading only, from public machines only.

Each hop of a request looks its host up once, checks every address it has, and connects to one that was checked, so that
a name cannot lead elsewhere a moment later. It keeps no cookies, sends no credentials, and takes no proxy from the
environment; bytes and seconds are counted for the whole chain of redirects.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from syndicate.errors import DeliveryError, Refused, Unavailable
from syndicate.fetch import Answer, answer_of, check_headers, hush, meaning, origin, read_body

if TYPE_CHECKING:
    import ssl

    import httpx

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a host and a port to numeric addresses; raises OSError."""

REDIRECTS = 5
_PORTS = {"http": 80, "https": 443}
_TRIED = 4  # addresses of one host that are tried, so that a long list cannot use up the time
_REDIRECTING = frozenset({301, 302, 303, 307, 308})
_ASKED_OTHERWISE = frozenset({429, 503})  # answers to HEAD that GET would get too
# Beside 80, 443 and what a user may serve from: ports above 1023 that speak something else, as browsers block them
# (fetch.spec.whatwg.org, "port blocking").
_OTHER_SERVICES = frozenset(
    {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080}
)
_HARMLESS = frozenset({"accept", "accept-language", "if-modified-since", "if-none-match", "range"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a look at an address shows, without its body."""

    status: int
    content_type: str  # media type alone, lower case; "" = not said
    length: int | None  # bytes of the whole; None = not said
    url: str  # where the redirects ended


async def system_names(host: str, port: int) -> Sequence[str]:
    """Look a host up as the system does; it also reads "0x7f.1" and "2130706433" as the system does."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class GuardedFetcher:
    """Reads from public addresses on ports 80, 443 and those above 1023. Closed by `aclose`; for one event loop.

    `allow_private` names hosts that may be private, on any port ("intranet") or on one ("localhost:1313"); of the
    addresses in the configuration `trusted` makes such names. `connect` and `deadline` are seconds, the latter for a
    request with all its redirects. Nothing is tried again here: whoever asks knows when it is worth asking.
    """

    def __init__(
        self,
        user_agent: str,
        *,
        allow_private: Sequence[str] = (),
        resolve: Resolve = system_names,
        connect: float = 10.0,
        deadline: float = 30.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._user_agent = user_agent
        self._allowed = frozenset(map(_host_and_port, allow_private))
        self._resolve = resolve
        self._connect = connect
        self._deadline = deadline
        self._tls = tls
        self._transport: httpx.AsyncHTTPTransport | None = None

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        limit: int,
        accept: Sequence[str] = (),
        redirects: int = REDIRECTS,
    ) -> Answer:
        """The answer of whatever status, its body cut at `limit` bytes (then it is not `whole`).

        `accept` holds beginnings of media types ("image/"); a success of another type is Refused before its body is
        read. To another host only conditions and wishes go along of the `headers`. Raises Refused for what may never
        be asked ("not a public address", another scheme or port, user:password@), Unavailable for everything else
        that went wrong.
        """
        return await self._follow("GET", url, headers or {}, limit, tuple(accept), redirects)

    async def look(self, url: str) -> Found:
        """Type and length of what is there, by HEAD, or by the beginning of GET where HEAD is refused.

        Any status counts as found out. Raises as `get` does.
        """
        wish = {"Accept-Encoding": "identity"}  # or the length is that of what is packed
        answer = await self._follow("HEAD", url, wish, 0, (), REDIRECTS)
        if answer.status >= 400 and answer.status not in _ASKED_OTHERWISE:
            answer = await self._follow("GET", url, wish | {"Range": "bytes=0-0"}, 0, (), REDIRECTS)
        return Found(
            status=200 if answer.status == 206 else answer.status,
            content_type=_media_type(answer.headers),
            length=_length(answer.headers),
            url=answer.url,
        )

    async def aclose(self) -> None:
        """Let go of connections; the next request opens anew."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()

    async def _follow(
        self, method: str, url: str, headers: Mapping[str, str], limit: int, accept: tuple[str, ...], redirects: int
    ) -> Answer:
        target = _address(url)
        check_headers(headers)
        try:
            async with asyncio.timeout(self._deadline):
                for _ in range(redirects + 1):
                    answer = await self._exchange(method, target, headers, limit, accept)
                    location = answer.headers.get("location")
                    if answer.status not in _REDIRECTING or not location:
                        return answer
                    here, target = target, _redirected(target, location)
                    if (here.host, here.port, here.scheme) != (target.host, target.port, target.scheme):
                        headers = {name: value for name, value in headers.items() if name.lower() in _HARMLESS}
        except TimeoutError:
            pass
        else:
            raise Unavailable(f"{origin(url)} redirects more than {redirects} times")
        raise Unavailable(f"{origin(str(target))} did not answer within {self._deadline:.0f} s")

    async def _exchange(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], limit: int, accept: tuple[str, ...]
    ) -> Answer:
        import httpx

        where = origin(str(url))
        addresses = await self._addresses(url)
        failure: DeliveryError | None = None
        for address in addresses:
            request = self._request(method, url, address, headers, self._connect / len(addresses))
            try:
                return await self._once(request, str(url), where, limit, accept)
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as exc:
                failure = meaning(exc, where, True)
                if not isinstance(exc, httpx.ConnectError | httpx.ConnectTimeout):
                    break
        # Raised out here, so that no httpx exception hangs on as the context.
        raise failure or Unavailable(f"{where} cannot be found: its name leads nowhere")

    def _request(
        self, method: str, url: httpx.URL, address: str, headers: Mapping[str, str], connect: float
    ) -> httpx.Request:
        """The request with the checked address in place of the host, which `Host` and TLS still name."""
        import httpx

        sent = httpx.Headers({"User-Agent": self._user_agent, "Accept": "*/*", "Accept-Encoding": "gzip"})
        sent.update(headers)
        sent.update({"Host": url.netloc.decode("ascii"), "Connection": "close"})
        return httpx.Request(
            method,
            url.copy_with(host=address, fragment=None),
            headers=sent,
            extensions={
                "timeout": httpx.Timeout(self._deadline, connect=connect).as_dict(),
                "sni_hostname": url.raw_host.decode("ascii").rstrip("."),
            },
        )

    async def _once(self, request: httpx.Request, url: str, where: str, limit: int, accept: tuple[str, ...]) -> Answer:
        response = await self._open().handle_async_request(request)
        try:
            success = 200 <= response.status_code < 300
            if success and accept and not _media_type(response.headers).startswith(accept):
                raise Refused(f"{where} answers with {_media_type(response.headers) or 'no type'}, not {accept[0]}")
            body = bytearray()
            whole = await read_body(response, body, 0 if response.status_code in _REDIRECTING else limit)
        finally:
            await response.aclose()
        if success and limit and request.method == "GET":
            if response.headers.get("content-encoding", "").strip().lower() not in ("", "identity", "gzip"):
                raise Unavailable(f"{where} answers in a packing that was not offered")
            if not whole and len(body) < limit:
                raise Unavailable(f"{where} broke off in the middle of its answer")
        return answer_of(response, body, whole, url)

    def _open(self) -> httpx.AsyncHTTPTransport:
        """The transport alone: what a client adds (cookies, proxies, redirects) is what is not wanted here."""
        if self._transport is None:
            import httpx

            hush()
            self._transport = httpx.AsyncHTTPTransport(
                verify=self._tls or True,
                trust_env=False,
                # None is kept: the pool knows only the address, and two hosts may share one.
                limits=httpx.Limits(max_connections=20, max_keepalive_connections=0),
            )
        return self._transport

    async def _addresses(self, url: httpx.URL) -> Sequence[str]:
        """The numeric addresses of a host, all of them fit to be asked. Raises Refused, Unavailable."""
        where = origin(str(url))
        host, port = _normal(url.raw_host.decode("ascii")), url.port or _PORTS[url.scheme]
        trusted = not self._allowed.isdisjoint({(host, None), (host, port)})
        if not trusted and not _is_web_port(port):
            raise Refused(f"{where}: port {port} is not one that pages are served from")
        try:
            async with asyncio.timeout(self._connect):
                addresses = list(dict.fromkeys(await self._resolve(host, port)))
        except (OSError, UnicodeError) as exc:  # a time-out is one too
            words = getattr(exc, "strerror", None) or "no answer about its name"
            raise Unavailable(f"{where} cannot be found: {words}") from None
        if not trusted and not all(map(is_public, addresses)):
            raise Refused(f"{where}: not a public address; http.allow_private names hosts that need not be")
        return addresses[:_TRIED]


# --- which addresses --------------------------------------------------------------------------------------------------

_V6_IN_USE = ip_network("2000::/3")  # RFC 4291 section 2.4, as far as assigned
_V4_IN_V6 = ip_network("64:ff9b::/96")  # RFC 6052: translated to IPv4 on the way
# What Python's own tables do not know in every version: special blocks of IANA's registries, and the one public
# address at which a cloud's host answers its guests.
_SPECIAL = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "3fff::/20", "2001::/23")))


def is_public(address: str) -> bool:
    """Whether a numeric address is somebody on the open internet, in whatever clothes it comes."""
    try:
        number = ip_address(address)
    except ValueError:
        return False
    if isinstance(number, IPv6Address):
        inner = _inside(number)
        if inner is not None:
            return is_public(str(inner))
        if number.scope_id or number not in _V6_IN_USE:
            return False
    return number.is_global and not (
        number.is_multicast or number.is_reserved or any(number in block for block in _SPECIAL)
    )


def _inside(number: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for: mapped, 6to4 or NAT64."""
    if number in _V4_IN_V6:
        return IPv4Address(int(number) & 0xFFFF_FFFF)
    return number.ipv4_mapped or number.sixtofour


def _is_web_port(port: int) -> bool:
    return port in (80, 443) or (1024 <= port <= 65535 and port not in _OTHER_SERVICES)


def trusted(*urls: str) -> tuple[str, ...]:
    """Of addresses in the configuration the hosts with their ports, as `allow_private` takes them."""
    names = []
    for url in urls:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme)
        except ValueError:
            continue
        if host and port:
            names.append(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    return tuple(dict.fromkeys(names))


def _host_and_port(name: str) -> tuple[str, int | None]:
    """A host as the owner writes it: "intranet", "localhost:1313", "10.0.0.5", "::1", "[::1]:8080"."""
    host, colon, port = name.strip().rpartition(":")
    if colon and port.isdecimal() and (":" not in host or host.endswith("]")):
        return _normal(host), int(port)
    return _normal(name.strip()), None


def _normal(host: str) -> str:
    host = host.strip("[]").rstrip(".").lower()
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            return host
    return host


# --- addresses and headers --------------------------------------------------------------------------------------------


def _address(url: str) -> httpx.URL:
    """Read with the client's own eyes, so that what is checked is what is asked. Raises Refused."""
    import httpx

    try:
        parts = httpx.URL(url)
        usable = (
            parts.scheme in ("http", "https") and bool(parts.host) and b"%" not in parts.raw_host and parts.port != 0
        )
    except httpx.InvalidURL:
        usable = False
    if not usable:
        raise Refused("the address cannot be used: it is not an absolute http or https address")
    if parts.userinfo:
        raise Refused(f"{origin(url)}: an address with a name or a password in it is not asked")
    return parts


def _redirected(here: httpx.URL, location: str) -> httpx.URL:
    import httpx

    try:
        target = str(here.join(location))
    except (httpx.InvalidURL, ValueError):
        target = ""
    return _address(target)


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _length(headers: Mapping[str, str]) -> int | None:
    """Bytes of the whole, from a partial answer too (RFC 9110 section 14.4)."""
    stated = headers.get("content-range", "").rpartition("/")[2].strip() or headers.get("content-length", "").strip()
    return int(stated) if stated.isdecimal() and len(stated) < 19 else None
