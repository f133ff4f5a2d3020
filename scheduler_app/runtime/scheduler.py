"""Periodic work: APScheduler, made to keep its rhythm when the wall clock jumps."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    EVENT_JOB_SUBMITTED,
    JobExecutionEvent,
    JobSubmissionEvent,
)
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from loguru import logger

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Seconds. A jump of the wall clock goes unnoticed for this long at most.
_LONGEST_WAIT = 1.0
# Seconds. A smaller difference between the two clocks is no jump.
_JUMP = 0.5
# A job that is to run soon but still runs is tried again after this time.
_SOON = timedelta(milliseconds=50)


class Every(BaseTrigger):  # type: ignore[misc]
    """Fires whenever the clock shows a whole multiple of `seconds`, counted from the epoch."""

    def __init__(self, seconds: float) -> None:
        self._milliseconds = round(seconds * 1000)

    def __str__(self) -> str:
        return f"every {self._milliseconds / 1000:g} s"

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        passed = (now - _EPOCH) // timedelta(milliseconds=self._milliseconds)
        return _EPOCH + (passed + 1) * timedelta(milliseconds=self._milliseconds)


class RandomInterval(BaseTrigger):  # type: ignore[misc]
    """Fires at once, then each time after a random time, uniform from `least` to `most` seconds."""

    def __init__(self, least: float, most: float, random: Random) -> None:
        self._least = least
        self._most = most
        self._random = random

    def __str__(self) -> str:
        return f"after {self._least:g} to {self._most:g} s"

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        if previous is None:
            return now
        return now + timedelta(seconds=self._random.uniform(self._least, self._most))


class Scheduler(BackgroundScheduler):  # type: ignore[misc]
    """Runs jobs in threads of its own. Nothing runs before `start`.

    APScheduler compares the wall clock with the time a job is due, so that a clock set back by an
    hour would silence it for an hour. Here the wall clock is compared with the monotonic one in
    each round. Where their difference has changed, the clock has jumped, and the times at which jobs are
    due are moved by as much.
    """

    def __init__(
        self,
        wall_clock: Callable[[], float] = time.time,
        monotonic_clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`wall_clock` tells UTC epoch seconds, `monotonic_clock` the seconds of one that never jumps."""
        super().__init__(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(max_workers=2)},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self._wall_clock = wall_clock
        self._monotonic_clock = monotonic_clock
        self._wall_minus_monotonic = wall_clock() - monotonic_clock()
        # By job, since when it is to run soon; it is taken out when a run begins after that.
        self._hurried: dict[str, datetime] = {}
        self._hurrying = threading.Lock()
        # By job, whether a run that is left out now is nothing to tell.
        self._may_miss: dict[str, Callable[[], bool]] = {}
        self.add_listener(_report, EVENT_JOB_ERROR | EVENT_JOB_MISSED)
        self.add_listener(self._on_still_running, EVENT_JOB_MAX_INSTANCES)
        self.add_listener(self._on_submitted, EVENT_JOB_SUBMITTED)

    def add(
        self,
        name: str,
        job: Callable[..., object],
        trigger: BaseTrigger,
        times: int | None = None,
        *,
        may_miss: bool | Callable[[], bool] = False,
        **arguments: Any,
    ) -> None:
        """Run `job(**arguments)` whenever `trigger` fires, `times` times or until we are shut down.

        With `may_miss` it is nothing to tell when one run takes the time of the next: that makes up for it.
        It is that, or says whether it is so now.
        """
        self._may_miss[name] = may_miss if callable(may_miss) else lambda: may_miss
        self.add_job(job, trigger, id=name, name=name, kwargs=arguments)
        if times is not None:
            rounds = iter(range(1, times))

            def end_after_the_last(event: JobSubmissionEvent) -> None:
                if event.job_id == name and next(rounds, None) is None:
                    self.remove_job(name)

            self.add_listener(end_after_the_last, EVENT_JOB_SUBMITTED)

    def run_soon(self, *names: str) -> None:
        """Run the jobs called `names` now, out of turn; one that is running, again when it has ended.

        Safe in any thread.
        """
        for name in names:
            now = datetime.now(UTC)
            with self._hurrying:
                self._hurried[name] = now
            self.modify_job(name, next_run_time=now)

    def _on_submitted(self, event: JobSubmissionEvent) -> None:
        with self._hurrying:
            since = self._hurried.get(event.job_id)
            # the event may come late, from a run that had begun before
            if since is not None and event.scheduled_run_times[-1] >= since:
                del self._hurried[event.job_id]

    def _on_still_running(self, event: JobSubmissionEvent) -> None:
        if event.job_id in self._hurried:
            self.modify_job(event.job_id, next_run_time=datetime.now(UTC) + _SOON)
        elif not self._may_miss[event.job_id]():
            logger.warning("job {} is still running and was not started again", event.job_id)

    def _process_jobs(self) -> float:
        self._follow_the_clock()
        wait = super()._process_jobs()
        return _LONGEST_WAIT if wait is None else min(wait, _LONGEST_WAIT)

    def _follow_the_clock(self) -> None:
        offset = self._wall_clock() - self._monotonic_clock()
        jump = offset - self._wall_minus_monotonic
        self._wall_minus_monotonic = offset
        if abs(jump) > _JUMP:
            logger.warning("the system clock jumped by {:+.1f} s", jump)
            for job in self.get_jobs():
                if job.next_run_time is not None:
                    job.modify(next_run_time=job.next_run_time + timedelta(seconds=jump))


def _report(event: JobExecutionEvent) -> None:
    if event.code == EVENT_JOB_ERROR:
        logger.opt(exception=event.exception).error(
            "job {} failed; it runs again when it is due", event.job_id
        )
    else:
        logger.warning("job {} did not run when it was due", event.job_id)
