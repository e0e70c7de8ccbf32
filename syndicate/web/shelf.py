"""The feeds as served: bytes held in memory, compressed once, looked up again when their file changes.

What a client has and takes is judged here (RFC 9110 sections 12 and 13). It never builds a feed.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path

from starlette.datastructures import Headers

from syndicate import logs
from syndicate.feeds import MEDIA_TYPES

log = logs.get(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedFile:
    """One feed, ready to be sent."""

    plain: bytes
    gzipped: bytes
    etag: str  # weak: it stands for the content, whatever its coding (RFC 9110 section 8.8.3.3)
    modified: int  # Unix seconds
    stamp: tuple[int, int, int]  # of the file it was read from


class Shelf:
    """The feeds in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, FeedFile] = {}
        self._reading = {name: asyncio.Lock() for name in MEDIA_TYPES}

    async def get(self, name: str) -> FeedFile | None:
        """The feed as its file stands now, or was when it could last be read; None if there never was one."""
        if self._is_current(name):
            return self._files[name]
        async with self._reading[name]:
            if not self._is_current(name):
                await self._refresh(name)
            return self._files.get(name)

    def _is_current(self, name: str) -> bool:
        known = self._files.get(name)
        try:
            return known is not None and known.stamp == _stamp((self._folder / name).stat())
        except OSError:
            return False

    async def _refresh(self, name: str) -> None:
        known = self._files.get(name)
        try:
            self._files[name] = await asyncio.to_thread(_read, self._folder / name, known)
        except FileNotFoundError:
            pass  # no pass has written it yet
        except OSError as error:
            log.warning("feed not readable", feed=name, error=str(error))


def _stamp(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _read(path: Path, known: FeedFile | None) -> FeedFile:
    with path.open("rb") as file:
        stat = os.fstat(file.fileno())
        plain = file.read()
    modified = int(stat.st_mtime)
    if known is not None and known.plain == plain:
        modified = known.modified
    elif known is not None:
        # Two versions within one second would have one date, and a client that knows only dates would miss the second.
        modified = max(modified, known.modified + 1)
    return FeedFile(
        plain=plain,
        gzipped=gzip.compress(plain, mtime=0),
        etag=f'W/"{hashlib.sha256(plain).hexdigest()[:32]}"',
        modified=modified,
        stamp=_stamp(stat),
    )


def is_known(file: FeedFile, asked: Headers) -> bool:
    """Whether the client has this version. Tags win over dates; they are compared weakly (RFC 9110 section 13.2.2)."""
    if tags := ",".join(asked.getlist("if-none-match")):
        known = [tag.strip().removeprefix("W/") for tag in tags.split(",")]
        return "*" in known or file.etag.removeprefix("W/") in known
    try:
        since = parsedate_to_datetime(asked.get("if-modified-since", ""))
    except ValueError:
        return False
    return file.modified <= since.replace(tzinfo=since.tzinfo or UTC).timestamp()


def takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header lets us compress (RFC 9110 section 12.5.3)."""
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        coding, _, parameter = part.partition(";")
        key, _, value = parameter.strip().partition("=")
        try:
            weights[coding.strip()] = float(value) if key.strip() == "q" else 1.0
        except ValueError:
            weights[coding.strip()] = 0.0
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0))) > 0
