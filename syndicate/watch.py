"""Hints from the file system that a folder changed. Only hints: the periodic full scan is the truth."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from syndicate.logs import get

STEP_MS = 10  # how often events are gathered; costs nothing while nothing happens
AGAIN = 60.0  # seconds until a folder that could not be watched is tried anew

log = get(__name__)


async def hints(folders: Sequence[Path], settle: float, stop: asyncio.Event, changed: Callable[[], None]) -> None:
    """Call `changed` whenever files below these folders have rested for `settle` seconds after a change.

    Ends when `stop` is set. A folder that is not there, or a system without events, costs only the hint.
    """
    from watchfiles import awatch

    while not stop.is_set():
        there = [folder for folder in folders if folder.is_dir()]
        try:
            if there:
                async for _ in awatch(*there, debounce=50, step=STEP_MS, stop_event=stop, yield_on_timeout=False):
                    if not await _stopped(stop, settle + STEP_MS / 1000):
                        changed()
        except (OSError, RuntimeError) as error:
            log.warning("not watched", error=str(error))
        await _stopped(stop, AGAIN)


async def _stopped(stop: asyncio.Event, seconds: float) -> bool:
    """Rest, but not past the end."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True
