"""A transaction pooler as PgBouncer is one: each transaction of a client may meet another connection to the server.

It knows the framing of the protocol, version 3 (PostgreSQL's documentation, chapter "Frontend/Backend Protocol"), and
nobody's password.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import struct
import threading
from collections import deque
from types import TracebackType

_SSL, _GSS, _VERSION = 80877103, 80877104, 196608
_LENGTH = struct.Struct("!I")


class Pooler:
    """Listens on `port` in threads of its own, in front of the server at `server_port`."""

    def __init__(self, server_port: int, *, connections: int = 3, mode: str = "transaction") -> None:
        self._server_port = server_port
        self._connections = connections
        self._mode = mode
        self._idle: dict[bytes, deque[socket.socket]] = {}  # by what clients ask for at their start
        self._greetings: dict[bytes, bytes] = {}
        self._lock = threading.Condition()
        self._open: list[socket.socket] = []
        self.changes = 0  # transactions that met another connection than the client's one before

    def __enter__(self) -> Pooler:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, name="pooler", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(client)
            threading.Thread(target=self._serve, args=(client,), name="pooled", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError):
            asked = _startup(client)
            self._prepare(asked)
            ours = b"K" + struct.pack("!II", 12, secrets.randbelow(1 << 31)) + secrets.token_bytes(4)
            client.sendall(self._greetings[asked] + ours + b"Z\0\0\0\5I")
            self._relay(client, asked)
        client.close()

    def _relay(self, client: socket.socket, asked: bytes) -> None:
        server: socket.socket | None = None
        last: socket.socket | None = None
        try:
            while (message := _message(client))[:1] != b"X":
                if self._mode == "statement" and b"BEGIN" in message:
                    client.sendall(_error("08P01", "transaction blocks not allowed in statement pooling mode"))
                    return
                if server is None:
                    server = self._take(asked)
                    self.changes += last is not None and last is not server
                    last = server
                server.sendall(message)
                if message[:1] in b"QS" and _answer(server, client) == b"I":
                    self._give_back(asked, server)
                    server = None
        finally:
            if server is not None:
                server.close()  # in the middle of a transaction: nobody else may have it
                self._connect(asked)

    def _prepare(self, asked: bytes) -> None:
        with self._lock:
            first = asked not in self._idle
            self._idle.setdefault(asked, deque())
        if first:
            for _ in range(self._connections):
                self._connect(asked)

    def _connect(self, asked: bytes) -> None:
        server = socket.create_connection(("127.0.0.1", self._server_port))
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.append(server)
        server.sendall(_LENGTH.pack(len(asked) + 4) + asked)
        greeting = b""
        while (message := _message(server))[:1] != b"Z":
            greeting += message if message[:1] != b"K" else b""
        self._greetings.setdefault(asked, greeting)
        self._give_back(asked, server)

    def _take(self, asked: bytes) -> socket.socket:
        with self._lock:
            while not self._idle[asked]:
                self._lock.wait(10)
            return self._idle[asked].popleft()  # the one that rested longest: seldom the same again

    def _give_back(self, asked: bytes, server: socket.socket) -> None:
        with self._lock:
            self._idle[asked].append(server)
            self._lock.notify()


def _startup(client: socket.socket) -> bytes:
    while True:
        body = _read(client, _LENGTH.unpack(_read(client, 4))[0] - 4)
        code = _LENGTH.unpack(body[:4])[0]
        if code == _VERSION:
            return body
        if code not in (_SSL, _GSS):
            raise EOFError("to cancel is not offered")
        client.sendall(b"N")


def _answer(server: socket.socket, client: socket.socket) -> bytes:
    """Hand on what the server says until it is ready; in a transaction (T), in one that failed (E), or idle (I)."""
    while True:
        message = _message(server)
        client.sendall(message)
        if message[:1] == b"Z":
            return message[5:6]


def _message(source: socket.socket) -> bytes:
    head = _read(source, 5)
    return head + _read(source, _LENGTH.unpack(head[1:])[0] - 4)


def _read(source: socket.socket, count: int) -> bytes:
    read = b""
    while len(read) < count:
        if not (part := source.recv(count - len(read))):
            raise EOFError
        read += part
    return read


def _error(state: str, words: str) -> bytes:
    fields = b"".join(kind + text.encode() + b"\0" for kind, text in ((b"S", "FATAL"), (b"C", state), (b"M", words)))
    return b"E" + _LENGTH.pack(len(fields) + 5) + fields + b"\0"
