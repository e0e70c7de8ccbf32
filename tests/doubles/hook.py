"""A receiver of webhooks that believes nobody: it checks each signature by its own reading of Standard Webhooks 1.0.0.

Each request may meet a fault from a script: "500:words" (429 and 503: "429:300" is Retry-After), "drop", "reset",
"hang", "accept-then-drop", "accept-then-hang", "500-after-accept", "slow:0.1".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

SECRET = "whsec_" + base64.b64encode(b"twenty-four bytes or more").decode()
TOLERANCE = 300  # seconds between our clock and a timestamp


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]  # lower-case names
    body: bytes


@dataclass
class Receiver:
    """A server on loopback. `admit` says what a request deserves: (status, answer, key); under one key all are one.

    `world` is what was taken, by key, in the order of arrival; `times` how often each came.
    """

    clock: Callable[[], float] = time.time
    faults: list[str] = field(default_factory=list)
    requests: list[Asked] = field(default_factory=list)
    world: dict[str, Any] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    url: str = ""

    def admit(self, asked: Asked) -> tuple[int, str, str]:
        raise NotImplementedError

    def take(self, asked: Asked) -> tuple[int, str]:
        status, answer, key = self.admit(asked)
        if status < 300:
            self.world.setdefault(key, json.loads(asked.body))
            self.times[key] = self.times.get(key, 0) + 1
        return status, answer

    def __enter__(self) -> Self:
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def play(self, handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        """Answer one request, by the script while it lasts."""
        fault = self.faults.pop(0) if self.faults else ""
        kind, _, detail = fault.partition(":")
        if kind == "slow":
            time.sleep(float(detail))
            kind = ""
        status, answer = self.take(asked) if not kind or "accept" in kind else (500, "broken")
        if kind.endswith("hang"):
            self._over.wait(30)
        elif kind == "reset":
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif not kind:
            _answer(handler, status, answer)
        elif kind == "500-after-accept":
            _answer(handler, 500, "broken")
        elif not kind.endswith("drop"):
            waits = kind in ("429", "503") and detail.isdigit()
            _answer(handler, int(kind), "" if waits else detail, {"Retry-After": detail} if waits else {})
        handler.close_connection = True


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            asked = Asked(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            receiver.requests.append(asked)
            receiver.play(self, asked)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


def _answer(handler: BaseHTTPRequestHandler, status: int, body: str, headers: dict[str, str] | None = None) -> None:
    handler.send_response(status)
    for name, value in {"Location": "http://127.0.0.2/", **(headers or {})}.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body.encode())))
    handler.end_headers()
    handler.wfile.write(body.encode())


@dataclass
class HookDouble(Receiver):
    """Takes what is signed with one of its secrets, fresh, whole and small; drops what it has seen."""

    secrets: tuple[str, ...] = (SECRET,)

    def admit(self, asked: Asked) -> tuple[int, str, str]:
        try:
            return 202, '{"ok": true}', self.verified(asked)
        except ValueError as wrong:
            return 401, str(wrong), ""

    def verified(self, asked: Asked) -> str:
        """The id of a good message. Raises ValueError with what is wrong with it."""
        message, stamp = asked.headers.get("webhook-id", ""), asked.headers.get("webhook-timestamp", "")
        if not re.fullmatch(r"[A-Za-z0-9_-]{8,100}", message):
            raise ValueError(f"no usable id: {message!r}")
        if not stamp.isdigit() or abs(int(stamp) - self.clock()) > TOLERANCE:
            raise ValueError(f"stale: {stamp!r}")
        if len(asked.body) > 20_480 or asked.headers.get("content-type") != "application/json":
            raise ValueError("too large, or no JSON")
        if not {"type", "timestamp", "data"} <= json.loads(asked.body).keys():
            raise ValueError("not of the shape")
        given = [one[3:] for one in asked.headers.get("webhook-signature", "").split(" ") if one.startswith("v1,")]
        for secret in self.secrets:
            key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
            expected = hmac.digest(key, message.encode() + b"." + stamp.encode() + b"." + asked.body, hashlib.sha256)
            if any(hmac.compare_digest(base64.b64decode(one), expected) for one in given):
                return message
        if self.secrets:
            raise ValueError("no signature of ours")
        return message
