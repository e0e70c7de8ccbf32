"""Places where the tests kill the process, to prove that nothing is lost there. Does nothing in ordinary use."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

Action = Callable[[str], None]
"""What happens at a crash point, told its name. A simulation raises here what an `except Exception` lets through."""


def crashpoint(name: str) -> None:
    """Die here, as by power cut, at the Nth hit of `SYNDICATE_CRASH=name:N`; without `:N` at the first.

    The environment is read once, at import; `arm` puts something else in the place of dying.
    """
    if _action is not None:
        _action(name)


def arm(action: Action | None) -> None:
    """Do this at every crash point of this process from here on; None: nothing."""
    global _action
    _action = action


def _killing(wanted: str) -> Action | None:
    name, _, hit = wanted.partition(":")
    hits_left = int(hit) if hit.isdecimal() else 1

    def kill(reached: str) -> None:
        nonlocal hits_left
        if reached == name:
            hits_left -= 1
            if hits_left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return kill if name else None


_action = _killing(os.environ.get("SYNDICATE_CRASH", ""))
