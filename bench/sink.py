"""A mail server that takes everything at once and keeps nothing: it must never be what a sender waits for.

python bench/sink.py [DELAY]    prints its port; VRFY answers how many messages it took. DELAY: seconds before each
                                answer, as if the network took so long there and back
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

END = b"\r\n.\r\n"
EHLO = b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE 50000000\r\n"


class Sink(asyncio.Protocol):
    """One connection."""

    taken = 0  # messages, over all connections
    delay = 0.0  # seconds

    def connection_made(self, transport: asyncio.WriteTransport) -> None:  # type: ignore[override]  # over TCP it is one
        self._transport = transport
        self._left = b""
        self._in_message = False
        self._write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._left += data
        answers = []
        while answer := self._answer():
            answers.append(answer)
        if answers:
            self._write(b"".join(answers))

    def _write(self, text: bytes) -> None:
        if self.delay:
            asyncio.get_running_loop().call_later(self.delay, self._transport.write, text)
        else:
            self._transport.write(text)

    def _answer(self) -> bytes:
        """The answer to the next whole command or message; nothing where none is there yet."""
        end = self._left.find(END if self._in_message else b"\n")
        if end < 0:
            return b""
        if self._in_message:
            self._left, self._in_message = self._left[end + len(END) :], False
            Sink.taken += 1
            return b"250 2.0.0 taken\r\n"
        line, self._left = self._left[:end], self._left[end + 1 :]
        verb = line[:4].upper()
        self._in_message = verb == b"DATA"
        usual = {b"EHLO": EHLO, b"DATA": b"354 go on\r\n", b"QUIT": b"221 2.0.0 bye\r\n"}
        return b"252 %d\r\n" % Sink.taken if verb == b"VRFY" else usual.get(verb, b"250 2.1.0 ok\r\n")


async def taken(port: int) -> int:
    """How many messages the sink at this port took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()
    writer.write(b"VRFY\r\n")
    count = int((await reader.readline()).split()[1])
    writer.close()
    return count


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    Sink.delay = float(sys.argv[1]) if sys.argv[1:] else 0.0
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve())
