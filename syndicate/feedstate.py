"""What is known of a web feed from the last time it was asked: plain values, to be stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """`State()` = never asked."""

    url: str = ""  # all else is of this address
    etag: str = ""
    modified: str = ""  # Last-Modified, as the server wrote it
    hash: str = ""  # of the last document that was read
    retry_at: datetime | None = None  # not asked before
    failures: int = 0  # in a row
    problem: str = ""  # of the last one
