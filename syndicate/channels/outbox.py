"""Rehearsal: a channel whose last step writes a file instead of reaching anybody. It opens no socket of its own."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from syndicate.channels.base import Announcement, Channel, Payload, Receipt, Shown
from syndicate.errors import Unavailable

BEARER: Mapping[str, str] = MappingProxyType({"Authorization": "Bearer ***"})
NAME_LENGTH = 100


class Outbox:
    """Wraps a channel: composes like it, and leaves `FOLDER/KEY.json` where a post would have been.

    `masked` are the headers that are only added when something really leaves, without their secrets.
    """

    live = False
    by_hand = False

    def __init__(self, channel: Channel, folder: Path, *, masked: Mapping[str, str] = BEARER) -> None:
        self.name = channel.name
        self._channel = channel
        self._folder = folder
        self._masked = masked

    async def unable(self) -> str | None:
        """Nothing is needed to write a file."""
        return None

    def compose(self, announcement: Announcement) -> Payload:
        """As the channel composes."""
        return self._channel.compose(announcement)

    async def prepare(self, key: str, payload: Payload) -> Payload:
        """As the channel does it while it is not live: pictures are read and fitted, and uploaded nowhere."""
        return await self._channel.prepare(key, payload)

    def preview(self, payload: Payload) -> Shown:
        """As the channel shows it."""
        return self._channel.preview(payload)

    async def send(self, key: str, payload: Payload) -> Receipt:
        """Write the request; the same key writes the same file. Raises Unavailable when it cannot be written."""
        document = {
            "method": payload["method"],
            "url": payload["url"],
            "headers": {**payload["headers"], **self._masked},
            "body": json.loads(payload["body"]),
        }
        text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
        try:
            await asyncio.to_thread(_write, self._folder, f"{_file_name(key)}.json", text.encode("utf-8"))
        except OSError as exc:
            todo = f"make room in {self._folder}, and let it be written"
            raise Unavailable(f"the outbox cannot be written: {exc.strerror or exc}", pauses=todo) from exc
        return Receipt(answer=payload.get("note", ""))

    async def reconcile(self, key: str, payload: Payload) -> Receipt:
        """Write it once more: nothing can be there twice."""
        return await self.send(key, payload)

    async def retract(self, external_id: str) -> Receipt:
        """Nothing to do: a rehearsal reached nobody."""
        return Receipt()

    async def aclose(self) -> None:
        """Close the channel."""
        await self._channel.aclose()


def _file_name(key: str) -> str:
    """The key itself where it can be a file's name everywhere, else what is left of it and a fingerprint."""
    if re.fullmatch(rf"[A-Za-z0-9_-][A-Za-z0-9._-]{{0,{NAME_LENGTH}}}", key):
        return key
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", key).strip("-")[:NAME_LENGTH]
    return f"{plain or 'post'}-{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def _write(folder: Path, name: str, content: bytes) -> None:
    """Whole or not at all, also through a power cut."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(folder / name)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
