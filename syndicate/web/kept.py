"""An answer that serves everybody who asks within a moment, however many they are. Looked up once at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

FRESH = 1.0  # seconds for which an answer holds at least
SHARE = 50.0  # times as long as it took to find it: looking takes no more than a fiftieth of the time
STALE = 30.0  # seconds after which an answer is none, whatever it cost


class Kept(Generic[T]):
    """One question. An answer that took long is given once more while the next is looked up.

    `share`: times its cost that an answer holds, if that is longer; 0: it holds for FRESH, whatever it cost.
    """

    def __init__(self, ask: Callable[[], Awaitable[T]], share: float = SHARE) -> None:
        self._ask = ask
        self._share = share
        self._answer: T | None = None
        self._at = float("-inf")
        self._holds = FRESH
        self._forgotten = 0  # times
        self._looking = asyncio.Lock()
        self._renewal: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """The answer."""
        age = time.monotonic() - self._at
        if self._answer is not None and age < self._holds:
            return self._answer
        if self._answer is None or age >= STALE or self._holds == FRESH:
            return await self._look(self._at)
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._look(self._at))
            self._renewal.add_done_callback(_quietly)
        return self._answer

    def forget(self) -> None:
        """The next who asks gets a new one, not what is being looked up just now either."""
        self._answer = None
        self._forgotten += 1

    async def _look(self, known: float) -> T:
        async with self._looking:
            if self._answer is not None and self._at > known:  # somebody else found it meanwhile
                return self._answer
            begun, forgotten = time.monotonic(), self._forgotten
            answer = await self._ask()
            if forgotten == self._forgotten:
                self._answer, self._at = answer, time.monotonic()
                self._holds = min(STALE, max(FRESH, (self._at - begun) * self._share))
            return answer


def _quietly(task: asyncio.Task[object]) -> None:
    if not task.cancelled():
        task.exception()  # whoever asks next waits for a new answer, and is told
