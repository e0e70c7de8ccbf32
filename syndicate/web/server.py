"""The web server: uvicorn without its signals and exits, and with patience for nobody.

It binds, serves and stops; what is served is `web.app`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import resource
import socket
from collections import Counter
from collections.abc import Generator, Sequence
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from syndicate.config import is_loopback_host
from syndicate.errors import SyndicateError
from syndicate.logs import get
from syndicate.web import peer

HEAD_LIMIT = 16 * 1024  # bytes of request line and headers
REQUEST_TIME = 20.0  # seconds for a request to come in, head and body
STALL_TIME = 60.0  # seconds without a client taking anything of its answer
STOP_TIME = 10  # seconds for requests under way when the server stops
LINES = 64  # connections of one network (IPv4 /24, IPv6 /64) that may be open at once
TELL_EVERY = 60.0  # seconds: of refused connections that is told in the log no more often
LAST_CALL = 0.5  # seconds in which a client that has just come may still ask, then

log = get(__name__)

_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class Server(uvicorn.Server):
    """Serve one application at one address, inside somebody else's event loop.

    Stop it by `should_exit = True`. `bind` may be called ahead of `serve`, to hear early that the port is taken.
    `handed`: listening sockets of a supervisor, taken instead of the address. Who connects while nobody serves waits.
    `uncounted`: networks that may have as many connections open as they like, as those of proxies.
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        *,
        handed: Sequence[socket.socket] = (),
        uncounted: Sequence[str] = peer.HOUSE,
        request_time: float = REQUEST_TIME,
        stall_time: float = STALL_TIME,
    ) -> None:
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        super().__init__(
            _Config(
                app,
                host=host,
                port=port,
                http=_Impatient,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",  # below it every stray byte from the internet is a line
                access_log=False,  # addresses hold tokens
                proxy_headers=False,  # the peer is who connected, whatever a header says
                server_header=False,
                workers=1,
                limit_concurrency=max(16, files // 2),  # the other half is for sending mail
                timeout_keep_alive=5,
                timeout_graceful_shutdown=STOP_TIME,
                h11_max_incomplete_event_size=HEAD_LIMIT,
                lines=_Lines(uncounted),
                request_time=request_time,
                stall_time=stall_time,
            )
        )
        self._sockets: list[socket.socket] = list(handed)

    @property
    def port(self) -> int:
        """The port bound, also where 0 was asked for."""
        return int(self._sockets[0].getsockname()[1]) if self._sockets else self.config.port

    def bind(self) -> None:
        """Take the address, or look at the sockets handed over. Raise SyndicateError when it cannot be had."""
        host, port = self.config.host, self.config.port
        if self._sockets:
            self._check_handed(host)
            return
        missing: OSError | None = None
        try:
            found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            for family, _, _, _, address in dict.fromkeys(found):
                try:
                    self._sockets.append(_listening(family, (address[0], self.port, *address[2:])))
                except OSError as error:
                    # "localhost" has an IPv6 address where IPv6 is off, too: one that works is enough.
                    if error.errno not in _NOT_HERE:
                        raise
                    missing = error
            if missing and not self._sockets:
                raise missing
        except OSError as error:
            self.release()
            raise SyndicateError(_reason(error, host, port)) from error

    def _check_handed(self, host: str) -> None:
        for one in self._sockets:
            address = str(one.getsockname()[0])
            if is_loopback_host(host) and not is_loopback_host(address):
                self.release()
                raise SyndicateError(
                    f"the socket handed over listens at {address}, web.host says {host}: make ListenStream= say so too"
                )

    def release(self) -> None:
        """Let go of what `bind` took and `serve` never used."""
        for bound in self._sockets:
            bound.close()
        self._sockets.clear()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until `should_exit`. Raise SyndicateError when the address cannot be had."""
        if not self._sockets:
            self.bind()
        try:
            await super().serve(self._sockets)
        finally:
            self.release()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to the daemon: uvicorn would take them and raise them a second time."""
        yield


def _listening(family: int, address: tuple[object, ...]) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
        bound.listen(1024)  # here already: two sockets may be bound to one port, but not listen there
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return bound


def _reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken: set web.port or stop the other program"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"port {port} may not be used by this user: set web.port to 1024 or above"
    if error.errno in _NOT_HERE or isinstance(error, socket.gaierror):
        return f"{host} is no address of this machine: set web.host"
    return f"cannot serve at {host} port {port}: {error.strerror or error}"


class _Lines:
    """Connections that are open, counted by network: else one stranger could hold all that there can be."""

    def __init__(self, uncounted: Sequence[str]) -> None:
        self._uncounted = uncounted
        self._open: Counter[str] = Counter()
        self._tell_from = 0.0

    def network(self, host: str) -> str | None:
        return peer.crowd(host, self._uncounted)

    def take(self, network: str) -> bool:
        """Count one more; False: there are too many."""
        if self._open[network] < LINES:
            self._open[network] += 1
            return True
        now = asyncio.get_running_loop().time()
        if now >= self._tell_from:
            self._tell_from = now + TELL_EVERY
            log.warning("connections refused", because=f"one network has {LINES}; proxies: web.trusted_proxies")
        return False

    def give_back(self, network: str) -> None:
        self._open[network] -= 1
        if not self._open[network]:
            del self._open[network]


class _Config(uvicorn.Config):
    """uvicorn's settings, how long `_Impatient` waits, and for how many."""

    def __init__(self, app: ASGIApp, *, lines: _Lines, request_time: float, stall_time: float, **settings: Any) -> None:
        super().__init__(app, **settings)
        self.lines = lines
        self.request_time = request_time
        self.stall_time = stall_time


class _Impatient(H11Protocol):
    """One connection, given up when its request does not come in or its answer is not taken.

    uvicorn waits for ever for both, so that a few hundred idle connections would take all descriptors.
    """

    config: _Config
    _network: str | None = None  # that it is counted for
    _request_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None
    _unsent = 0
    _called = False  # for the last time

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # over TCP it is one
        super().connection_made(transport)
        lines = self.config.lines
        network = lines.network(self.client[0] if self.client else "")
        if network is not None and not lines.take(network):
            transport.abort()
            return
        self._network = network
        self._await_request()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._network is not None:
            self.config.lines.give_back(self._network)
            self._network = None
        self._stop_request_timer()
        self._stop_stall_timer()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The server stops. Who has just connected still gets his answer; the listening socket is another's already."""
        if self.cycle is None and not self._called:
            self._called = True
            self.loop.call_later(LAST_CALL, self.shutdown)
        elif not self.transport.is_closing():
            super().shutdown()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_progress()

    def resume_writing(self) -> None:
        self._stop_stall_timer()
        super().resume_writing()

    def _await_request(self) -> None:
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._stop_request_timer()
        elif self._request_timer is None:
            self._request_timer = self.loop.call_later(self.config.request_time, self.transport.abort)

    def _await_progress(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        self._stall_timer = self.loop.call_later(self.config.stall_time, self._check_progress)

    def _check_progress(self) -> None:
        if self.transport.get_write_buffer_size() < self._unsent:
            self._await_progress()
        else:
            self.transport.abort()

    def _stop_request_timer(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _stop_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
