"""The transport of a rehearsal: letters become .eml files, and nothing leaves the machine."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from email.utils import getaddresses
from pathlib import Path

from syndicate.letter import message_bytes
from syndicate.transports.base import Envelope, Fate, Hear, May, Verdict, always

_HEAD = 65_536  # bytes in which a letter's header ends


class Outbox:
    """Writes the first `limit` letters of an edition as `EDITION.LETTER.eml`; accepts the rest unseen."""

    live = False
    connections = 1

    def __init__(self, folder: Path, *, limit: int = 1000) -> None:
        self.folder = folder
        self.limit = limit
        self._written: dict[str, set[str]] = {}  # edition -> names; the folder's own content at first

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Outbox]:
        yield self

    async def send(self, group: Sequence[Envelope], hear: Hear, may: May = always) -> None:
        """A full or unwritable disk is trouble with the channel: the letters stay due."""
        for envelope in group:
            if not may():
                return
            try:
                await asyncio.to_thread(self._write, envelope)
            except OSError as exc:
                todo = f"make room in {self.folder}, and let it be written"
                hear(Verdict(letter=envelope.letter, fate=Fate.CHANNEL, answer=f"cannot write: {exc}", pauses=todo))
                return
            if not hear(Verdict(letter=envelope.letter, fate=Fate.ACCEPTED, answer="written to the outbox")):
                return

    def _write(self, envelope: Envelope) -> None:
        edition = re.sub(r"[^A-Za-z0-9_-]+", "-", envelope.edition).strip("-")[:100] or "letter"
        name = f"{edition}.{envelope.letter}.eml"
        if edition not in self._written:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._written[edition] = {
                entry.name for entry in os.scandir(self.folder) if entry.name.startswith(f"{edition}.")
            }
        written = self._written[edition]
        if name not in written and len(written) >= self.limit:
            return
        # Beside and renamed: whoever watches the folder never sees half a letter.
        draft = self.folder / f".{name}.{os.getpid()}.part"
        draft.write_bytes(message_bytes(envelope.pieces))
        with suppress(FileNotFoundError):  # `forget` was quicker
            draft.replace(self.folder / name)
            written.add(name)


def forget(folder: Path, is_theirs: Callable[[str], bool]) -> int:
    """Delete the letters to one person, told by the address in their `To`; returns how many. Raises OSError.

    Also those that a killed process left half written.
    """
    count = 0
    for pattern in (".*.part", "*.eml"):  # in this order a letter is both
        for entry in sorted(folder.glob(pattern)):
            with suppress(FileNotFoundError):  # renamed or deleted this moment
                if any(is_theirs(address) for _, address in getaddresses([_recipient(entry)])):
                    entry.unlink()
                    count += 1
    return count


def _recipient(entry: Path) -> str:
    """What stands in `To`; our own files alone are read, whose fields are UTF-8 (RFC 6532) or plain."""
    with entry.open("rb") as file:
        head = file.read(_HEAD).partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
    found = re.search(r"^To:(.*)$", re.sub(r"\r\n[ \t]+", " ", head), re.MULTILINE | re.IGNORECASE)
    return found[1].strip() if found else ""
