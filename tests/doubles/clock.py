"""Clocks that stand still until somebody moves them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class StillClock:
    """Sleeping moves it at once and is remembered in `slept`. It follows nobody, and what moves it is no jump."""

    pretends = True

    def __init__(self, moment: datetime = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)) -> None:
        self.moment = moment
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.moment += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    def follow(self, moment: datetime) -> None:
        pass

    def jumped(self) -> timedelta:
        return timedelta(0)

    def accept(self) -> None:
        pass


class TwoClocks(StillClock):
    """A wall clock that may jump beside a monotonic one that does not."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds
        self.moment += timedelta(seconds=seconds)
