"""HTTP/1.1, as much of it as a client of an API speaks, and the shapes of LinkedIn's answers."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]  # lower-case names
    body: bytes


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """A request the strict server does not take."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def json_reply(status: int, **document: Any) -> Reply:
    body = json.dumps({"status": status, **document}).encode()
    return Reply(status, body, {"Content-Type": "application/json", "x-li-uuid": "AAX-double"})


def content_error(status: int, code: str, message: str, description: str = "") -> Reply:
    return json_reply(
        status,
        errorDetailType="com.linkedin.common.error.BadRequest",
        message=f"com.linkedin.content.common.exception.BadRequestResponseException: {message}",
        errorDetails={"inputErrors": [{"description": description or message, "input": {}, "code": code}]},
    )


def missing(path: str) -> Refusal:
    return Refusal(
        json_reply(422, message=f"ERROR :: {path} :: field is required but not found and has no default value\n")
    )


Handler = Callable[[Request, asyncio.StreamWriter], Awaitable[Reply | None]]
"""Answers one request; None: it has dealt with the connection itself."""


async def read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head[:-4].split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)


async def answer(writer: asyncio.StreamWriter, reply: Reply) -> None:
    headers = {**reply.headers, "Content-Length": str(len(reply.body)), "Connection": "close"}
    lines = [f"HTTP/1.1 {reply.status} X", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + reply.body)
    await writer.drain()


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset (RST) instead of an orderly end."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
