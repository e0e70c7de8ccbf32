"""An SMTP server that takes all and keeps nothing, as quick as Python can be; its port on stdout.

python bench/sink.py [DELAY]        seconds before each answer, as if the network took so long there and back
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop

END = b"\r\n.\r\n"
HELLO = b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 90000000\r\n"


class Sink(asyncio.Protocol):
    """One connection."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._held = b""
        self._message = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by name
        self._answer(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        held, answers = self._held + data, []
        while held:
            mark = END if self._message else b"\r\n"
            line, found, rest = held.partition(mark)
            if not found:
                break
            held = rest
            answers.append(b"250 2.0.0 taken\r\n" if self._message else self._command(line[:4].upper()))
            self._message = not self._message and line[:4].upper() == b"DATA"
        self._held = held
        if answers:
            self._answer(b"".join(answers))

    def _command(self, verb: bytes) -> bytes:
        known = {b"EHLO": HELLO, b"DATA": b"354 go on\r\n", b"QUIT": b"221 2.0.0 bye\r\n"}
        return known.get(verb, b"250 2.1.0 good\r\n")

    def _answer(self, text: bytes) -> None:
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._transport.write, text)
        else:
            self._transport.write(text)


async def main(delay: float = 0.0) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Sink(delay), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(*map(float, sys.argv[1:])))
