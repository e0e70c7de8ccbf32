"""The files of the feeds: each whole or as it was before, whoever reads the folder meanwhile or after a crash."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from syndicate.crashpoint import crashpoint
from syndicate.errors import SyndicateError


def write(files: Mapping[str, bytes], folder: Path) -> list[str]:
    """Write those files whose bytes changed, each whole or not at all, and name them.

    Whoever reads the folder meanwhile, or after a crash, finds the old file or the new one. Raises SyndicateError.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _held(folder):
            return [name for name, content in files.items() if _replace(folder / name, content)]
    except OSError as error:
        raise SyndicateError(f"cannot write the feeds into {folder}: {error.strerror or error}") from error


def _replace(target: Path, content: bytes) -> bool:
    temporary = target.with_name(f".{target.name}.tmp")
    temporary.unlink(missing_ok=True)  # left behind by a killed process
    with suppress(FileNotFoundError):
        if target.read_bytes() == content:
            return False
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        crashpoint("feed.tmp")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return True


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """One writer at a time, a command beside the daemon included; the renames are on disk when it ends."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # some network file systems lock no folders; there the last writer wins
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
