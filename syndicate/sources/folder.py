"""A folder of Markdown: what is there, and the bytes of one file. Never writes, never follows a link out."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

from syndicate.config import SourceSettings
from syndicate.errors import ContentError, SourceError

LARGEST = 5_000_000  # bytes; a text is never that long
LONGEST_PATH = 1_000  # bytes; a longer one is no key of any index
_READING = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # never waits for the other end of a pipe in a file's place
_SKIPPED_FOLDERS = {"node_modules", "__pycache__"}


class Seen(NamedTuple):
    """One file as the folder shows it, unread. A tuple: one is made for each file, at each look."""

    stat: str  # "size:mtime_ns:inode": equal = not touched
    size: int
    mtime: float  # seconds since 1970
    name: str | None = None  # as the system has it, where that is no text: bytes that are not UTF-8


class Folder:
    """A source of kind "folder"."""

    def __init__(self, settings: SourceSettings) -> None:
        self.name = settings.name
        self.path = settings.path
        self.pulls = settings.pull  # whether a checkout is brought up to date before each scan
        self._wants = _pattern(settings.include, settings.exclude)

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
                raise SourceError(f"sources.{self.name}.path: {_as_text(str(folder))}: {words}") from error
        return found

    def _take(
        self, entry: os.DirEntry[str], prefix: str, found: dict[str, Seen], waiting: list[tuple[Path, str]]
    ) -> None:
        path = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            if not entry.name.startswith(".") and entry.name not in _SKIPPED_FOLDERS:
                waiting.append((Path(entry.path), path + "/"))
            return
        if not self._wants(path):
            return
        if entry.is_symlink() and not self._stays_inside(entry.path):
            return
        try:
            stat = entry.stat()
        except FileNotFoundError:  # a dangling link, or deleted this moment
            return
        if not S_ISREG(stat.st_mode):  # a pipe would keep its reader waiting
            return
        if (path.isascii() and len(path) <= LONGEST_PATH) or _as_text(path) == path:
            found[path] = Seen(_print_of(stat), stat.st_size, stat.st_mtime)
        else:
            found[_as_text(path)] = Seen(_print_of(stat), stat.st_size, stat.st_mtime, path)

    def _stays_inside(self, link: str | Path) -> bool:
        target, root = os.path.realpath(link), os.path.realpath(self.path)
        return os.path.isfile(target) and os.path.commonpath([target, root]) == root  # noqa: PTH113 - loops raise there

    def read(self, path: str, seen: Seen) -> bytes:
        """The bytes of one file. Raises ContentError: too large, unreadable, gone meanwhile, leads out by now."""
        whole = f"{self.path}/{seen.name or path}"
        try:
            file = os.open(whole, _READING)
            try:
                stat = os.fstat(file)
                if _print_of(stat) != seen.stat and not self._stays_inside(whole):  # not the file that was seen inside
                    raise ContentError("cannot be read: it leads out of the source's folder")
                content = os.read(file, min(stat.st_size, LARGEST) + 1)
                while len(content) != stat.st_size and len(content) <= LARGEST and (more := os.read(file, LARGEST)):
                    content += more  # it grows, or came in pieces
            finally:
                os.close(file)
        except OSError as error:
            raise ContentError(f"cannot be read: {(error.strerror or str(error)).lower()}") from error
        size = max(stat.st_size, len(content))
        if size > LARGEST:
            raise ContentError(f"{size / 1e6:.0f} MB: {LARGEST // 1_000_000} are the most", code="too-large")
        return content


def _print_of(stat: os.stat_result) -> str:
    return f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ino}"


def _as_text(path: str) -> str:
    """The bytes of a name that are no UTF-8 are written as `\\xe9`; of a very long path its begin and a digest."""
    raw = os.fsencode(path)
    if len(raw) > LONGEST_PATH:
        return f"{_as_text(os.fsdecode(raw[:200]))}…{blake2b(raw, digest_size=16).hexdigest()}"
    return raw.decode("utf-8", "backslashreplace")


def _pattern(include: tuple[str, ...], exclude: tuple[str, ...]) -> Callable[[str], object]:
    """Globs as a shell with `**` has them, matched against the whole relative path; none match nothing."""
    wanted, unwanted = ("|".join(map(_translate, globs)) or r"(?!)" for globs in (include, exclude))
    return re.compile(rf"(?!(?:{unwanted})\Z)(?:{wanted})").fullmatch


def _translate(glob: str) -> str:
    out, rest = "", glob
    while rest:
        if rest.startswith("**/"):
            out, rest = out + "(?:[^/]++/)*", rest[3:]
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
