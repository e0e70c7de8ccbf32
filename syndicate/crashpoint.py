"""Places where the tests kill the process, to prove that nothing is lost there. Does nothing in ordinary use."""

from __future__ import annotations

import os
import signal

_wanted, _, _hit = os.environ.get("SYNDICATE_CRASH", "").partition(":")
_hits_left = int(_hit) if _hit.isdecimal() else 1


def crashpoint(name: str) -> None:
    """Die here, as by power cut, at the Nth hit of `SYNDICATE_CRASH=name:N`; without `:N` at the first.

    The environment is read once, at import.
    """
    global _hits_left
    if _wanted and name == _wanted:
        _hits_left -= 1
        if _hits_left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
