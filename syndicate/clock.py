"""Time and chance, passed in everywhere: nothing else in the package asks the machine for either.

A clock that jumps is not believed: ours runs on as before until somebody says that the new time is right.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

BACK = timedelta(minutes=5)  # further than this no clock is set back in passing
AHEAD = timedelta(hours=12)  # a machine that was put aside so long looks like one whose clock was set

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RUNNING = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # goes on while the machine sleeps


class Clock(Protocol):
    """What the program knows of time."""

    def now(self) -> datetime:
        """The moment, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump; for intervals and leases."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    @property
    def pretends(self) -> bool:
        """Whether a person shifted it (`--now`)."""
        ...

    def follow(self, moment: datetime) -> None:
        """It is `moment` now, says the one clock that several machines share; that of this machine counts no more."""
        ...

    def jumped(self) -> timedelta:
        """How far the clock was set ahead (or back, below zero) while this process ran; zero where it was not."""
        ...

    def accept(self) -> None:
        """The new time is right: go by it from now on."""
        ...


def jump(expected: timedelta, told: timedelta) -> timedelta:
    """How far a clock was set from where it is expected; up to `AHEAD` and `BACK` it is corrected, or was asleep."""
    moved = told - expected
    return timedelta(0) if -BACK <= moved <= AHEAD else moved


def _running() -> float:
    return time.clock_gettime(_RUNNING)


class SystemClock:
    """The machine's clock, or the one it was told to follow, shifted by one offset (`--now`).

    It is kept as the moment at which the machine began to count its seconds: small corrections move that, jumps do not.
    """

    def __init__(
        self,
        offset: timedelta = timedelta(0),
        *,
        wall: Callable[[], float] = time.time,
        running: Callable[[], float] = _running,
    ) -> None:
        """`wall`: seconds since 1970, may be set; `running`: seconds that only ever pass."""
        self.offset = offset
        self._wall = wall
        self._running = running
        self._told: timedelta | None = None  # by the shared clock: since then that of this machine is not asked
        self._origin = self._stated()

    @classmethod
    def at(cls, moment: datetime) -> SystemClock:
        """A clock that reads `moment` now and runs on from there."""
        return cls(moment - datetime.now(UTC))

    @property
    def pretends(self) -> bool:
        return bool(self.offset)

    def now(self) -> datetime:
        running = timedelta(seconds=self._running())
        stated = self._stated()
        if not jump(self._origin, stated):
            self._origin = stated
        return _EPOCH + self._origin + running + self.offset

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def follow(self, moment: datetime) -> None:
        first = self._told is None
        self._told = moment - _EPOCH - timedelta(seconds=self._running())
        if first:
            self.accept()

    def jumped(self) -> timedelta:
        return jump(self._origin, self._stated())

    def accept(self) -> None:
        self._origin = self._stated()

    def _stated(self) -> timedelta:
        """When the machine began to count its seconds, as the clock that counts says now."""
        if self._told is not None:
            return self._told
        return timedelta(seconds=self._wall() - self._running())


Chance = random.Random


def system_chance() -> Chance:
    """Randomness for jitter; never for secrets."""
    return random.SystemRandom()
