"""One thing that `check` looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found; where it is not `ok`, or `is_remark`, the text says what mends it."""

    what: str
    ok: bool
    text: str
    is_configuration: bool = False
    is_remark: bool = False  # fine as it is, but worth a look: no reason for another exit code

    @property
    def sign(self) -> str:
        if not self.ok:
            return "PROBLEM"
        return "note" if self.is_remark else "ok"
