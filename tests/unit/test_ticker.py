"""The ticker: what it starts again and again, whatever becomes of a job or of the wall clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from syndicate.alert import Failure
from syndicate.errors import StoreError
from syndicate.ticker import Ticker

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Counted:
    def __init__(self) -> None:
        self.times = 0

    async def run(self) -> None:
        self.times += 1


async def times(job: Counted, count: int, within: float = 5) -> None:
    async with asyncio.timeout(within):
        while job.times < count:
            await asyncio.sleep(0.02)


async def test_a_clock_that_is_set_back_stops_no_job() -> None:
    """The scheduler would wait for the moment that it noted by the old time."""
    wall, job = [NOON], Counted()
    ticker = Ticker({"hourly": (3600, job.run)}, {}, wall=lambda: wall[0])
    ticker.start()
    await times(job, 1)
    wall[0] += timedelta(hours=9)
    await asyncio.sleep(1.2)
    assert job.times == 1
    wall[0] -= timedelta(days=1)
    await times(job, 2)
    ticker.stop()


async def test_a_job_that_fails_is_started_again_and_noted_until_it_works() -> None:
    class Mended(Counted):
        async def run(self) -> None:
            await super().run()
            if self.times < 3:
                raise OSError("no space left")

    failing: dict[str, Failure] = {}
    job = Mended()
    ticker = Ticker({"look": (0.05, job.run)}, failing)
    ticker.start()
    await times(job, 2)
    assert failing["look"].error == "OSError: no space left"
    await times(job, 4)
    assert failing == {}
    ticker.stop()


class Broken(Counted):
    """Fails always, and otherwise the third time."""

    async def run(self) -> None:
        await super().run()
        raise StoreError("the disk is full") if self.times < 3 else KeyError("a mistake of ours")


async def test_a_failure_is_told_once_and_with_a_traceback_only_where_it_is_no_sentence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    job = Broken()
    ticker = Ticker({"look": (0.05, job.run)}, {})
    ticker.start()
    await times(job, 6)
    ticker.stop()
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["job failed"] * 2
    sentence, mistake = (record for record in caplog.records if record.levelname == "ERROR")
    assert not sentence.exc_info
    assert mistake.exc_info is not None
    assert isinstance(mistake.exc_info[1], KeyError)


async def test_a_job_that_failed_does_not_wait_for_its_next_tick() -> None:
    job = Broken()
    ticker = Ticker({"look": (3600, job.run)}, {}, again=0.1)
    ticker.start()
    await times(job, 2, within=2)
    ticker.stop()


async def test_a_job_is_hurried() -> None:
    job = Counted()
    ticker = Ticker({"look": (3600, job.run)}, {})
    ticker.start()
    await times(job, 1)
    ticker.hurry("look")
    await times(job, 2)
    ticker.stop()
