"""A folder of Markdown: what is there, and the bytes of one file. Never writes, never follows a link out."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from syndicate.config import SourceSettings
from syndicate.errors import ContentError, SourceError

LARGEST = 5_000_000  # bytes; a text is never that long
_SKIPPED_FOLDERS = {"node_modules", "__pycache__"}


class Seen(NamedTuple):
    """One file as the folder shows it, unread. A tuple: one is made for each file, at each look."""

    stat: str  # "size:mtime_ns:inode": equal = not touched
    size: int
    mtime: float  # seconds since 1970


class Folder:
    """A source of kind "folder"."""

    def __init__(self, settings: SourceSettings) -> None:
        self.name = settings.name
        self.path = settings.path
        self.pulls = settings.pull  # whether a checkout is brought up to date before each scan
        self._include = _pattern(settings.include)
        self._exclude = _pattern(settings.exclude)

    def look(self) -> dict[str, Seen]:
        """Every wanted file: path relative to the folder, with "/", -> Seen. Raises SourceError.

        A folder that cannot be listed, also one further down, is an outage and not the deletion of what is in it.
        """
        found: dict[str, Seen] = {}
        waiting = [(self.path, "")]
        while waiting:
            folder, prefix = waiting.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        self._take(entry, prefix, found, waiting)
            except OSError as error:
                words = (error.strerror or "cannot be read").lower()
                if folder == self.path and isinstance(error, FileNotFoundError | NotADirectoryError):
                    words += "; set it to the folder of your articles"
                raise SourceError(f"sources.{self.name}.path: {folder}: {words}") from error
        return found

    def _take(
        self, entry: os.DirEntry[str], prefix: str, found: dict[str, Seen], waiting: list[tuple[Path, str]]
    ) -> None:
        path = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            if not entry.name.startswith(".") and entry.name not in _SKIPPED_FOLDERS:
                waiting.append((Path(entry.path), path + "/"))
            return
        if not self._include(path) or self._exclude(path):
            return
        if entry.is_symlink() and not self._stays_inside(entry.path):
            return
        try:
            stat = entry.stat()
        except FileNotFoundError:  # a dangling link, or deleted this moment
            return
        found[path] = Seen(f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ino}", stat.st_size, stat.st_mtime)

    def _stays_inside(self, link: str) -> bool:
        target = Path(link).resolve()
        return target.is_file() and target.is_relative_to(self.path.resolve())

    def read(self, path: str, seen: Seen) -> bytes:
        """The bytes of one file. Raises ContentError: too large, unreadable, gone meanwhile."""
        if seen.size > LARGEST:
            raise ContentError(f"{seen.size / 1e6:.0f} MB: {LARGEST // 1_000_000} are the most", code="too-large")
        try:
            return (self.path / path).read_bytes()
        except OSError as error:
            raise ContentError(f"cannot be read: {(error.strerror or str(error)).lower()}") from error


def _pattern(globs: tuple[str, ...]) -> Callable[[str], object]:
    """Globs as a shell with `**` has them, matched against the whole relative path; none match nothing."""
    return re.compile("|".join(_translate(glob) for glob in globs) or r"(?!)").fullmatch


def _translate(glob: str) -> str:
    out, rest = "", glob
    while rest:
        if rest.startswith("**/"):
            out, rest = out + "(?:[^/]+/)*", rest[3:]
        elif rest.startswith("**"):
            out, rest = out + ".*", rest[2:]
        elif rest[0] == "*":
            out, rest = out + "[^/]*", rest[1:]
        elif rest[0] == "?":
            out, rest = out + "[^/]", rest[1:]
        elif rest[0] == "[" and (match := re.match(r"\[(!?)([^\]/]+)\]", rest)):
            out, rest = (
                out + f"[{'^' if match[1] else ''}{re.escape(match[2])}]".replace(r"\-", "-"),
                rest[match.end() :],
            )
        else:
            out, rest = out + re.escape(rest[0]), rest[1:]
    return out
