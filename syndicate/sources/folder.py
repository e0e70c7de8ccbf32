"""A folder of Markdown: what is there, and the bytes of one file. Never writes, never follows a link out."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from stat import S_ISREG

from syndicate.config import SourceSettings
from syndicate.errors import ContentError, SourceError

LARGEST = 5_000_000  # bytes; a text is never that long
LONGEST_PATH = 1_000  # bytes; a longer one is no key of any index
_LISTING = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY
_READING = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # never waits for the other end of a pipe in a file's place
_SKIPPED_FOLDERS = {"node_modules", "__pycache__"}


class Folder:
    """A source of kind "folder"."""

    def __init__(self, settings: SourceSettings) -> None:
        self.name = settings.name
        self.path = settings.path
        self.pulls = settings.pull  # whether a checkout is brought up to date before each scan
        self._wants = _pattern(settings.include, settings.exclude)
        self._names: dict[str, str] = {}  # path -> as the system has it, where that is no text: not UTF-8, too long

    def look(self) -> dict[str, str]:
        """Every wanted file: path relative to the folder, with "/", -> its stat, "size:mtime_ns:inode": equal = not
        touched. A plain text: one is made for each file at each look. Raises SourceError.

        A folder that cannot be listed, also one further down, is an outage and not the deletion of what is in it.
        """
        found: dict[str, str] = {}
        waiting = [""]
        while waiting:
            prefix = waiting.pop()
            try:
                place = os.open(self.path / prefix, _LISTING)  # by its number every stat in it is a sixth cheaper
                try:
                    self._list(place, prefix, found, waiting)
                finally:
                    os.close(place)
            except OSError as error:
                words = (error.strerror or "cannot be read").lower()
                if not prefix and isinstance(error, FileNotFoundError | NotADirectoryError):
                    words += "; set it to the folder of your articles"
                where = _as_text(str(self.path / prefix))
                raise SourceError(f"sources.{self.name}.path: {where}: {words}") from error
        return found

    def _list(self, place: int, prefix: str, found: dict[str, str], waiting: list[str]) -> None:
        """What one folder holds. One function, called once: each call for each file would cost as much as its stat."""
        wants = self._wants
        with os.scandir(place) as entries:
            for entry in entries:
                path = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if not entry.name.startswith(".") and entry.name not in _SKIPPED_FOLDERS:
                        waiting.append(path + "/")
                    continue
                if not wants(path) or (entry.is_symlink() and not self._stays_inside(f"{self.path}/{path}")):
                    continue
                try:
                    stat = entry.stat()
                except FileNotFoundError:  # a dangling link, or deleted this moment
                    continue
                if not S_ISREG(stat.st_mode):  # a pipe would keep its reader waiting
                    continue
                if not (path.isascii() and len(path) <= LONGEST_PATH) and (text := _as_text(path)) != path:
                    self._names[text], path = path, text
                found[path] = f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ino}"

    def _stays_inside(self, link: str | Path) -> bool:
        target, root = os.path.realpath(link), os.path.realpath(self.path)
        return os.path.isfile(target) and os.path.commonpath([target, root]) == root  # noqa: PTH113 - loops raise there

    def read(self, path: str, seen: str) -> bytes:
        """The bytes of one file; `seen` is its stat as the look had it.

        Raises ContentError: too large, unreadable, gone meanwhile, leads out by now.
        """
        whole = f"{self.path}/{self._names.get(path, path)}"
        try:
            file = os.open(whole, _READING)
            try:
                stat = os.fstat(file)
                if _print_of(stat) != seen and not self._stays_inside(whole):  # not the file that was seen inside
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


def written(stat: str) -> float:
    """When the file with that stat was written to; seconds since 1970."""
    return int(stat.split(":")[1]) / 1e9


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
    return re.compile(rf"(?!(?:{_any_of(exclude)})\Z)(?:{_any_of(include)})").fullmatch


def _any_of(globs: tuple[str, ...]) -> str:
    """What they share is tried once: nearly all of them begin with `**/`."""
    deep = "|".join(_translate(glob[3:]) for glob in globs if glob.startswith("**/"))
    rest = [_translate(glob) for glob in globs if not glob.startswith("**/")]
    return "|".join([*rest, f"{_translate('**/')}(?:{deep})"] if deep else rest) or r"(?!)"


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
