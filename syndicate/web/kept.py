"""An answer that serves everybody who asks within a moment, however many they are. Looked up once at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

FRESH = 1.0  # seconds for which an answer holds at least
SHARE = 50.0  # times as long as it took to find it: looking takes no more than a fiftieth of the time
STALE = 30.0  # seconds after which an old answer is no answer, and whoever asks waits for a new one


class Kept(Generic[T]):
    """One question. An answer that took long is given once more while the next is looked up."""

    def __init__(self, ask: Callable[[], Awaitable[T]]) -> None:
        self._ask = ask
        self._answer: T | None = None
        self._at = self._cost = float("-inf")
        self._looking = asyncio.Lock()
        self._renewal: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """The answer."""
        age = time.monotonic() - self._at
        if self._answer is not None and age < max(FRESH, self._cost * SHARE):
            return self._answer
        if self._answer is None or age >= STALE or self._cost * SHARE < FRESH:
            return await self._look(self._at)
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._look(self._at))
            self._renewal.add_done_callback(_quietly)
        return self._answer

    def forget(self) -> None:
        """The next who asks gets a new one."""
        self._answer = None

    async def _look(self, known: float) -> T:
        async with self._looking:
            if self._answer is not None and self._at > known:  # somebody else found it meanwhile
                return self._answer
            begun = time.monotonic()
            answer = await self._ask()
            self._answer, self._at = answer, time.monotonic()
            self._cost = self._at - begun
            return answer


def _quietly(task: asyncio.Task[object]) -> None:
    if not task.cancelled():
        task.exception()  # whoever asks next waits for a new answer, and is told
