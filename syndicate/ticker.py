"""The ticker: calls coarse jobs again and again. It alone knows APScheduler, and it decides nothing.

The database alone says what is due, so a late, doubled or missed tick does no harm.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from syndicate.alert import Failure
from syndicate.errors import SyndicateError
from syndicate.logs import get

STEP = 1.0  # seconds between looks at the wall clock
AGAIN = 15.0  # seconds after which a job that failed is started again, however seldom it runs otherwise

Job = Callable[[], Awaitable[None]]

log = get(__name__)


def _wall() -> datetime:
    return datetime.now(UTC)


class Ticker:
    """Runs each job every so many seconds; a job that still runs is not started a second time.

    `failing` is where it notes the jobs that failed the last time.
    """

    def __init__(
        self,
        jobs: Mapping[str, tuple[float, Job]],
        failing: MutableMapping[str, Failure],
        wall: Callable[[], datetime] = _wall,
        again: float = AGAIN,
    ) -> None:
        # A job that still runs is no news, and one that fails is told here: once, not with a traceback a second.
        logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
        # A second's lateness is APScheduler's default to drop a run for good: late runs happen here, once.
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        for name, (seconds, job) in jobs.items():
            self._scheduler.add_job(job, "interval", seconds=seconds, id=name, next_run_time=datetime.now(UTC))
        self._scheduler.add_listener(self._tell, EVENT_JOB_ERROR)
        self._scheduler.add_listener(self._went_well, EVENT_JOB_EXECUTED)
        self._failing = failing
        self._wall = wall
        self._again = timedelta(seconds=again)
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start inside the running loop; every job runs at once."""
        self._scheduler.start()
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        """The scheduler goes by the wall clock: set back by an hour, it would start nothing for an hour."""
        last = self._wall()
        while True:
            await asyncio.sleep(STEP)
            now = self._wall()
            if now < last:
                log.warning("the clock was set back", by=str(last - now))
                for job in self._scheduler.get_jobs():
                    self.hurry(job.id)
            last = now

    def hurry(self, name: str) -> None:
        """Run a job now, not at its next tick."""
        self._scheduler.modify_job(name, next_run_time=datetime.now(UTC))

    def stop(self) -> None:
        """Start nothing more. Whoever waits for what is running does so before: running jobs are cancelled here."""
        if self._watching is not None:
            self._watching.cancel()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _tell(self, event: JobExecutionEvent) -> None:
        """Once: a job that fails each second in the same way is told when it fails otherwise, or works again."""
        cause = _cause(event.exception)
        error = f"{type(cause).__name__}: {cause}"
        before = self._failing.get(event.job_id)
        if before is None or before.error != error:
            if isinstance(cause, SyndicateError):  # a sentence; whatever else it is, somebody will want to know where
                log.error("job failed", job=event.job_id, error=error)
            else:
                log.exception("job failed", cause, job=event.job_id, error=error)
        self._failing[event.job_id] = Failure(times=before.times + 1 if before else 1, error=error)
        self._soon(event.job_id)

    def _soon(self, name: str) -> None:
        """A job that failed need not wait for an hourly tick until it does its work again."""
        job = self._scheduler.get_job(name)
        again = datetime.now(UTC) + self._again
        if job is not None and job.next_run_time is not None and job.next_run_time > again:
            job.modify(next_run_time=again)

    def _went_well(self, event: JobExecutionEvent) -> None:
        if self._failing.pop(event.job_id, None) is not None:
            log.info("job works again", job=event.job_id)


def _cause(error: BaseException | None) -> BaseException | None:
    """Of a group of tasks the first that failed: the others were cancelled for it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
