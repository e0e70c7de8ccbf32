"""A WebSub hub on loopback: it fetches what it is told of at once, as real ones do, and remembers what it got.

Each ping may meet a fault from a script: "500" and the like (429 and 503: "429:300" is Retry-After), "hang", "drop".
"""

from __future__ import annotations

import threading
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass
class Hub:
    """`pings` are (topic, bytes served there at that moment) in the order of arrival; `asked` counts all tries."""

    faults: list[str] = field(default_factory=list)
    pings: list[tuple[str, bytes]] = field(default_factory=list)
    asked: int = 0
    url: str = ""

    def take(self, form: dict[str, list[str]]) -> None:
        assert form["hub.mode"] == ["publish"]
        assert form["hub.url"] == form["hub.topic"]
        (topic,) = form["hub.url"]
        with urllib.request.urlopen(topic, timeout=10) as answer:
            body = answer.read()
        self.pings.append((topic, body))

    def __enter__(self) -> Self:
        self._gone = threading.Event()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode("ascii")
                assert self.headers["Content-Type"] == "application/x-www-form-urlencoded"
                hub.asked += 1
                fault, _, wish = (hub.faults.pop(0) if hub.faults else "204").partition(":")
                if fault == "hang":
                    hub._gone.wait(60)
                if not fault.isdecimal():
                    self.close_connection = True
                    return
                if fault == "204":
                    hub.take(urllib.parse.parse_qs(body, strict_parsing=True))
                self.send_response(int(fault))
                if wish:
                    self.send_header("Retry-After", wish)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        return self

    def __exit__(self, *_: object) -> None:
        self._gone.set()
        self._server.shutdown()
        self._server.server_close()
