"""Files that hold a copy of a database: never half a one, never in another's place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from syndicate.errors import StoreError
from syndicate.store.schema import HEAD


def unused(path: Path) -> Path:
    """That path, or the next free one: an earlier copy is not written over, nor one that is being restored."""
    count, free = 1, path
    while free.exists():
        count += 1
        free = path.with_stem(f"{path.stem}-{count}")
    return free


def refuse_newer(backup: Path, found: str) -> None:
    """Asked before anything is put in its place: this program could not open it. Raises StoreError."""
    if found > HEAD:
        raise StoreError(f"{backup} was made by a newer syndicate (schema {found}): install that version or newer")


@contextlib.contextmanager
def whole(target: Path) -> Iterator[None]:
    """Whatever goes wrong inside, no half copy stays: it would be taken for one."""
    try:
        yield
    except BaseException:
        target.unlink(missing_ok=True)
        raise
