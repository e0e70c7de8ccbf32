"""A mail server that does what it is told: the record of the world, and every way a real server can fail.

It is as strict as the strictest real one: who speaks out of his turn, out of order or out of the grammar is hung up on,
and noted in `breaches`, which fail the test.

async with SmtpDouble(faults={"RCPT": ["550 5.1.1 no such user"]}) as server: ...     in a test
python -m tests.doubles.smtp --port-file F --world FILE                               in a process of its own
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import ssl
from collections.abc import Callable, Mapping, Sequence
from email.parser import BytesHeaderParser
from pathlib import Path
from types import TracebackType
from typing import Any

DROP = "<drop>"  # close the connection instead of answering
HANG = "<hang>"  # never answer
Answer = str | bytes
Judge = Callable[
    [str], "Answer | None"
]  # a command line (or, for ".", the recipient) -> an answer, None = the usual one

_USUAL = {
    "CONNECT": "220 double.example ESMTP",
    "HELO": "250 double.example",
    "STARTTLS": "220 2.0.0 go ahead",
    "AUTH": "235 2.7.0 welcome",
    "MAIL": "250 2.1.0 sender ok",
    "RCPT": "250 2.1.5 recipient ok",
    "DATA": "354 end with a dot",
    ".": "250 2.0.0 queued",
    "RSET": "250 2.0.0 flushed",
    "NOOP": "250 2.0.0 ok",
    "QUIT": "221 2.0.0 bye",
}
_IN_GROUPS = {"MAIL", "RCPT", "RSET"}  # RFC 2920 section 3.1: all others end a group, where groups are allowed at all
_LINE = 998  # octets at most, RFC 5321 section 4.5.3.1.6
_ENVELOPE = re.compile(r"(?:MAIL FROM|RCPT TO):<([^<>\s]*)>((?: [A-Z0-9]+(?:=[^ =]+)?)*)", re.IGNORECASE)


class SmtpDouble:
    """One server on 127.0.0.1. `world` lists what it accepted; `conversations` what each connection said.

    `faults` maps a verb ("CONNECT", "EHLO", ..., "." for the final dot) to answers used up in order, or to a judge that
    is asked each time. `before_dot` hangs up while the message comes in, that many times. `accept_then` runs after a
    message was recorded: DROP or HANG instead of the 250. `nobody` is what DATA is answered without a recipient.
    `deaf` throws away what was said in one breath with a message, as servers do that offer more than they can.
    `turns` counts how often it had to wait for the other side, `latency` makes each of these longer, in seconds.
    """

    def __init__(
        self,
        *,
        faults: Mapping[str, Sequence[Answer] | Judge] | None = None,
        offers: Sequence[str] = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE 10485760"),
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        before_dot: int = 0,
        accept_then: str | None = None,
        close_after: int | None = None,
        drip: bool = False,
        world_file: Path | None = None,
        delay: float = 0,
        nobody: str = "503 5.5.1 no valid recipients",
        deaf: bool = False,
        latency: float = 0,
    ) -> None:
        self.world: list[dict[str, Any]] = []
        self.conversations: list[list[str]] = []
        self.breaches: list[str] = []
        self.turns = 0
        self.port = 0
        self._faults = {verb: fault if callable(fault) else list(fault) for verb, fault in (faults or {}).items()}
        self.offers = list(offers)
        self.tls = tls
        self._implicit_tls = implicit_tls
        self.before_dot = before_dot
        self.accept_then = accept_then
        self.close_after = close_after
        self.drip = drip
        self._world_file = world_file
        self.delay = delay
        self.nobody = nobody
        self.deaf = deaf
        self.latency = latency
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, port: int = 0) -> SmtpDouble:
        context = self.tls if self._implicit_tls else None
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port, ssl=context, limit=64 * 1024 * 1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        if self._server:
            self._server.close()
        self.hang_up()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    def hang_up(self) -> None:
        """Close every connection, as a server does with idle ones."""
        for writer in list(self._writers):
            writer.transport.abort()

    def say(self, words: str) -> None:
        """To everybody, out of turn."""
        for writer in self._writers:
            writer.write(f"{words}\r\n".encode())

    async def __aenter__(self) -> SmtpDouble:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.stop()
        if exc is None:
            assert not self.breaches, self.breaches

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        said: list[str] = []
        self.conversations.append(said)
        try:
            await _Conversation(self, reader, writer, said).run()
        except _Breach as breach:
            self.breaches.append(str(breach))
            with contextlib.suppress(ConnectionError):
                writer.write(f"554 5.5.0 {breach}\r\n".encode("utf-8", "replace"))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, _HangUp, ssl.SSLError):
            pass
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.close()
            with contextlib.suppress(Exception):
                async with asyncio.timeout(1):  # a failed TLS handshake never gets there
                    await writer.wait_closed()

    def record(self, sender: str, recipients: list[str], data: bytes) -> None:
        message = data.replace(b"\r\n..", b"\r\n.")
        entry = {
            "from": sender,
            "to": recipients[0] if len(recipients) == 1 else list(recipients),
            "message_id": str(BytesHeaderParser().parsebytes(message.partition(b"\r\n\r\n")[0])["Message-ID"] or ""),
            "data": message.decode("utf-8", "surrogateescape"),
        }
        self.world.append(entry)
        if self._world_file:
            with self._world_file.open("a", encoding="utf-8", errors="surrogateescape") as file:
                file.write(json.dumps(entry) + "\n")

    def fault(self, verb: str, command: str) -> Answer | None:
        fault = self._faults.get(verb)
        if fault is None:
            return None
        if callable(fault):
            return fault(command)
        return fault.pop(0) if fault else None


class _Conversation:
    """One connection, from greeting to goodbye."""

    def __init__(
        self, server: SmtpDouble, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: list[str]
    ) -> None:
        self.server, self.reader, self.writer, self.said = server, reader, writer, said
        self.offers: set[str] = set()  # keywords of what was offered to EHLO
        self.greeted = False
        self.sender: str | None = None  # None: no transaction
        self.words: set[str] = set()  # parameters of MAIL
        self.recipients: list[str] = []
        self.accepted = 0
        self.unsent = bytearray()

    async def run(self) -> None:
        await self.answer("CONNECT", "")
        while line := await self.listen():
            if not line.endswith(b"\r\n") or len(line) > 1024:
                raise _Breach(f"a command that does not end as it should: {line[:80]!r}")
            command = line[:-2].decode("utf-8", "replace")
            self.said.append(command)
            verb = command.split(" ", 1)[0].upper()
            if not (verb in _IN_GROUPS and "PIPELINING" in self.offers):
                await self.expect_silence(command)
            if not line.isascii() and "SMTPUTF8" not in self.words and " SMTPUTF8" not in command:
                raise _Breach(f"SMTPUTF8 was not asked for: {command}")
            act = getattr(self, f"on_{verb.lower()}", None)
            if act is not None:
                await act(command)
            elif verb in _USUAL:
                await self.answer(verb, command)
            else:
                await self.write("500 5.5.1 what?")
            if verb == "QUIT" or (self.accepted and self.accepted == self.server.close_after):
                await self.flush()
                return

    async def listen(self) -> bytes:
        await self.their_turn()
        return await self.reader.readline()

    async def their_turn(self) -> None:
        if not self.waiting():
            await self.flush()
            self.server.turns += 1
            await asyncio.sleep(self.server.latency)

    def waiting(self) -> bytearray:
        """What was said and not read yet."""
        return self.reader._buffer  # type: ignore[attr-defined,no-any-return]  # nothing public tells

    async def expect_silence(self, command: str) -> None:
        """Who says more before this was answered breaks RFC 2920 section 3.1, or RFC 5321 section 4.1.1.4."""
        await asyncio.sleep(0)
        if early := bytes(self.waiting()):
            raise _Breach(f"said before {command!r} was answered: {early[:80]!r}")

    async def on_ehlo(self, command: str) -> None:
        self.reset()
        lines = ["double.example", *self.server.offers]
        usual = "\r\n".join(f"250{' ' if n == len(lines) - 1 else '-'}{text}" for n, text in enumerate(lines))
        if await self.answer("EHLO", command, usual):
            self.greeted = True
            self.offers = {offer.split()[0] for offer in self.server.offers}

    async def on_helo(self, command: str) -> None:
        self.reset()
        self.greeted, self.offers = await self.answer("HELO", command), set()

    async def on_rset(self, command: str) -> None:
        if await self.answer("RSET", command):
            self.reset()

    async def on_mail(self, command: str) -> None:
        if not self.greeted or self.sender is not None:
            raise _Breach(f"{'nested' if self.greeted else 'without a greeting'}: {command}")
        sender, words = self.path(command)
        size = next((int(word[5:]) for word in words if word.startswith("SIZE=")), 0)
        usual = "552 5.3.4 too big" if 0 < self.largest() < size else ""
        if await self.answer("MAIL", command, usual):
            self.sender, self.words, self.recipients = sender, words, []

    async def on_rcpt(self, command: str) -> None:
        recipient, _ = self.path(command)
        begun = self.sender is not None
        if await self.answer("RCPT", command, "" if begun else "503 5.5.1 MAIL first") and begun:
            self.recipients.append(recipient)

    async def on_data(self, command: str) -> None:
        usual = _USUAL["DATA"] if self.recipients else self.server.nobody
        fault = self.server.fault("DATA", command)
        answer = usual if fault is None else fault
        await self.write(answer)
        if str(answer).startswith("354"):
            await self.their_turn()
            await self.message()

    async def on_starttls(self, command: str) -> None:
        if await self.answer("STARTTLS", command):
            await self.flush()
            if self.server.tls:
                await self.writer.start_tls(self.server.tls)
            self.greeted, self.offers = False, set()  # RFC 3207 section 4.2
            self.reset()

    async def on_auth(self, command: str) -> None:
        if command.upper() == "AUTH LOGIN":
            for prompt in ("334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"):
                await self.write(prompt)
                await self.flush()
                self.said.append((await self.reader.readline()).decode().strip())
        await self.answer("AUTH", command)

    async def message(self) -> None:
        server = self.server
        if server.before_dot:
            server.before_dot -= 1
            await self.reader.readline()
            raise _HangUp
        data, sender, recipients = await self.content(), self.sender or "", self.recipients
        words = self.words
        self.reset()
        if not recipients:
            await self.answer(".", "", "554 5.5.1 no valid recipients")
            return
        self.inspect(data, words)
        self.accepted += 1
        fault = server.fault(".", recipients[0])
        if fault is None or str(fault)[:1] == "2" or fault[:1] == b"2":
            if server.delay:
                await asyncio.sleep(server.delay)
            server.record(sender, recipients, data)
            if server.accept_then:
                await self.write(server.accept_then)
                return
        await self.write(_USUAL["."] if fault is None else fault)
        if server.deaf:
            self.waiting().clear()

    async def content(self) -> bytes:
        """Up to the dot, without it; b"" where nothing came before it."""
        begin = await self.reader.readexactly(3)
        if begin == b".\r\n":
            return b""
        if begin == b"\r\n." and (await self.reader.readexactly(2)) == b"\r\n":
            return b"\r\n"
        return (begin + await self.reader.readuntil(b"\r\n.\r\n"))[:-3]

    def inspect(self, data: bytes, words: set[str]) -> None:
        """Grammar of a message: RFC 5321 section 2.3.8 and 4.5.3.1.6, RFC 6152, RFC 1870."""
        lines, ends = data.split(b"\r\n"), (data.count(b"\r"), data.count(b"\n"))
        if not data or ends != (len(lines) - 1,) * 2 or max(map(len, lines)) > _LINE:
            raise _Breach(f"a message of nothing, with bare CR or LF, or with lines too long: {data[:80]!r}")
        if not data.isascii() and "BODY=8BITMIME" not in words:
            raise _Breach("a message of eight bits in a transaction of seven")
        declared = next((int(word[5:]) for word in words if word.startswith("SIZE=")), None)
        if declared is not None and not len(data.replace(b"\r\n..", b"\r\n.")) <= declared <= len(data):
            raise _Breach(f"SIZE={declared} for {len(data)} bytes")

    def path(self, command: str) -> tuple[str, set[str]]:
        found = _ENVELOPE.fullmatch(command)
        if not found:
            raise _Breach(f"no address: {command}")
        words = set(found[2].upper().split())
        known = {"SIZE": "SIZE", "BODY": "8BITMIME", "SMTPUTF8": "SMTPUTF8"}
        for word in words:
            if known.get(word.partition("=")[0]) not in self.offers:
                raise _Breach(f"{word} was not offered: {command}")
        if not found[1].isascii() and command.upper().startswith("RCPT") and "SMTPUTF8" not in self.words:
            raise _Breach(f"SMTPUTF8 was not asked for: {command}")
        return found[1], words

    def largest(self) -> int:
        return next((int(offer.split()[1]) for offer in self.server.offers if re.fullmatch(r"SIZE \d+", offer)), 0)

    def reset(self) -> None:
        self.sender, self.words, self.recipients = None, set(), []

    async def answer(self, verb: str, command: str, usual: str = "") -> bool:
        """Answer; whether the answer was a good one."""
        fault = self.server.fault(verb, command)
        answer = (usual or _USUAL[verb]) if fault is None else fault
        await self.write(answer)
        return (answer.decode("latin-1") if isinstance(answer, bytes) else answer)[:1] == "2"

    async def write(self, answer: Answer) -> None:
        if answer in (DROP, HANG):
            await self.flush()
        if answer == DROP:
            self.writer.transport.abort()
            raise _HangUp
        if answer == HANG:
            await asyncio.sleep(3600)
        self.unsent += answer if isinstance(answer, bytes) else f"{answer}\r\n".encode()
        if not self.waiting():  # answers to what came together leave together
            await self.flush()

    async def flush(self) -> None:
        data, self.unsent = bytes(self.unsent), bytearray()
        if not self.server.drip:
            self.writer.write(data)
            await self.writer.drain()
            return
        for byte in data:
            self.writer.write(bytes([byte]))
            await self.writer.drain()
            await asyncio.sleep(0)


class _HangUp(Exception):
    pass


class _Breach(Exception):
    """The client did what no client may."""


async def _serve(port_file: Path, world: Path, port: int, delay: float) -> None:
    world.touch()
    server = await SmtpDouble(world_file=world, delay=delay).start(port)
    draft = port_file.with_name(f"{port_file.name}.part")
    draft.write_text(f"{server.port}\n")
    draft.replace(port_file)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description="A mail server that takes everything and writes it down.")
    parser.add_argument("--port-file", type=Path, required=True, help="where its port is written once it listens")
    parser.add_argument("--world", type=Path, required=True, help="one JSON line for each accepted letter")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0, help="seconds between the final dot and its answer")
    options = parser.parse_args()
    asyncio.run(_serve(options.port_file, options.world, options.port, options.delay))
    os._exit(0)


if __name__ == "__main__":
    main()
