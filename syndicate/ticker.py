"""The ticker: calls coarse jobs again and again. It alone knows APScheduler, and it decides nothing.

The database alone says what is due, so a late, doubled or missed tick does no harm.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from syndicate.logs import get

Job = Callable[[], Awaitable[None]]

log = get(__name__)


class Ticker:
    """Runs each job every so many seconds; a job that still runs is not started a second time."""

    def __init__(self, jobs: Mapping[str, tuple[float, Job]]) -> None:
        logging.getLogger("apscheduler").setLevel(logging.ERROR)  # a job that still runs is no news
        # A second's lateness is APScheduler's default to drop a run for good: late runs happen here, once.
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        for name, (seconds, job) in jobs.items():
            self._scheduler.add_job(job, "interval", seconds=seconds, id=name, next_run_time=datetime.now(UTC))
        self._scheduler.add_listener(_tell, EVENT_JOB_ERROR)

    def start(self) -> None:
        """Start inside the running loop; every job runs at once."""
        self._scheduler.start()

    def hurry(self, name: str) -> None:
        """Run a job now, not at its next tick."""
        self._scheduler.modify_job(name, next_run_time=datetime.now(UTC))

    def stop(self) -> None:
        """Start nothing more. Whoever waits for what is running does so before: running jobs are cancelled here."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)


def _tell(event: JobExecutionEvent) -> None:
    log.error("job failed", job=event.job_id, error=f"{type(event.exception).__name__}: {event.exception}")
