"""A mail server that does what it is told: the record of the world, and every way a real server can fail.

async with SmtpDouble(faults={"RCPT": ["550 5.1.1 no such user"]}) as server: ...     in a test
python -m tests.doubles.smtp --port-file F --world FILE                               in a process of its own
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
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


class SmtpDouble:
    """One server on 127.0.0.1. `world` lists what it accepted; `conversations` what each connection said.

    `faults` maps a verb ("CONNECT", "EHLO", ..., "." for the final dot) to answers used up in order, or to a judge that
    is asked each time. `before_dot` hangs up while the message comes in, that many times. `accept_then` runs after a
    message was recorded: DROP or HANG instead of the 250.
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
    ) -> None:
        self.world: list[dict[str, Any]] = []
        self.conversations: list[list[str]] = []
        self.port = 0
        self._faults = {verb: fault if callable(fault) else list(fault) for verb, fault in (faults or {}).items()}
        self._offers = list(offers)
        self._tls = tls
        self._implicit_tls = implicit_tls
        self.before_dot = before_dot
        self.accept_then = accept_then
        self._close_after = close_after
        self._drip = drip
        self._world_file = world_file
        self._delay = delay
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, port: int = 0) -> SmtpDouble:
        context = self._tls if self._implicit_tls else None
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

    async def __aenter__(self) -> SmtpDouble:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.stop()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        said: list[str] = []
        self.conversations.append(said)
        try:
            await self._converse(reader, writer, said)
        except (ConnectionError, asyncio.IncompleteReadError, _HangUp, ssl.SSLError):
            pass
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.close()
            with contextlib.suppress(Exception):
                async with asyncio.timeout(1):  # a failed TLS handshake never gets there
                    await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: list[str]) -> None:
        sender = ""
        recipients: list[str] = []
        accepted = 0
        await self._answer(writer, "CONNECT", "")
        while line := await reader.readline():
            command = line.decode("utf-8", "replace").rstrip("\r\n")
            said.append(command)
            verb = command.split(" ", 1)[0].upper()
            if verb == "EHLO":
                lines = ["double.example", *self._offers]
                usual = "\r\n".join(f"250{' ' if n == len(lines) - 1 else '-'}{text}" for n, text in enumerate(lines))
                await self._answer(writer, verb, command, usual)
            elif verb == "MAIL":
                if await self._answer(writer, verb, command):
                    sender, recipients = _path(command), []
            elif verb == "RCPT":
                if await self._answer(writer, verb, command):
                    recipients.append(_path(command))
            elif verb == "DATA":
                usual = _USUAL["DATA"] if recipients else "503 5.5.1 no valid recipients"
                if await self._answer(writer, verb, command, usual) and recipients:
                    await self._message(reader, writer, sender, recipients)
                    accepted += 1
                    sender, recipients = "", []
                    if accepted == self._close_after:
                        return
            elif verb == "STARTTLS":
                if await self._answer(writer, verb, command) and self._tls:
                    await writer.start_tls(self._tls)
            elif verb == "AUTH" and command.upper() == "AUTH LOGIN":
                for prompt in ("334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"):
                    await self._write(writer, prompt)
                    said.append((await reader.readline()).decode().strip())
                await self._answer(writer, verb, command)
            elif verb == "QUIT":
                await self._answer(writer, verb, command)
                return
            elif verb in _USUAL:
                await self._answer(writer, verb, command)
            else:
                await self._write(writer, "500 5.5.1 what?")

    async def _message(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sender: str, recipients: list[str]
    ) -> None:
        if self.before_dot:
            self.before_dot -= 1
            await reader.readline()
            raise _HangUp
        data = (await reader.readuntil(b"\r\n.\r\n"))[:-3]
        fault = self._fault(".", recipients[0])
        if fault is None:
            if self._delay:
                await asyncio.sleep(self._delay)
            self._record(sender, recipients, data)
            if self.accept_then:
                await self._write(writer, self.accept_then)
                return
        await self._write(writer, _USUAL["."] if fault is None else fault)

    def _record(self, sender: str, recipients: list[str], data: bytes) -> None:
        message = data.replace(b"\r\n..", b"\r\n.")
        entry = {
            "from": sender,
            "to": recipients[0] if len(recipients) == 1 else list(recipients),
            "message_id": str(BytesHeaderParser().parsebytes(message)["Message-ID"] or ""),
            "data": message.decode("utf-8", "surrogateescape"),
        }
        self.world.append(entry)
        if self._world_file:
            with self._world_file.open("a", encoding="utf-8", errors="surrogateescape") as file:
                file.write(json.dumps(entry) + "\n")

    def _fault(self, verb: str, command: str) -> Answer | None:
        fault = self._faults.get(verb)
        if fault is None:
            return None
        if callable(fault):
            return fault(command)
        return fault.pop(0) if fault else None

    async def _answer(self, writer: asyncio.StreamWriter, verb: str, command: str, usual: str = "") -> bool:
        """Answer; whether the answer was a good one."""
        fault = self._fault(verb, command)
        answer = (usual or _USUAL[verb]) if fault is None else fault
        await self._write(writer, answer)
        return str(answer)[:1] in "23"

    async def _write(self, writer: asyncio.StreamWriter, answer: Answer) -> None:
        if answer == DROP:
            writer.transport.abort()
            raise _HangUp
        if answer == HANG:
            await asyncio.sleep(3600)
        data = answer if isinstance(answer, bytes) else f"{answer}\r\n".encode()
        if not self._drip:
            writer.write(data)
            await writer.drain()
            return
        for byte in data:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)


class _HangUp(Exception):
    pass


def _path(command: str) -> str:
    return command.partition("<")[2].partition(">")[0]


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
