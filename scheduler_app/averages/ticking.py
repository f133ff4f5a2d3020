"""The ticks: taken by every process, so that it could lead at once, and published by the one that does."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

from jobs.tick import tick
from models.statistics.rolling import RollingStatistics
from models.statistics.tick import Tick
from models.storage.errors import UnreadableDatabase
from scheduler_app.averages.following import Follower
from scheduler_app.averages.leading import Leading
from scheduler_app.averages.term import LeaderTerm
from scheduler_app.log import LogLimit, attempt
from scheduler_app.runtime.lifecycle import Stopped
from scheduler_app.subscriber.monitor import ReadErrors


class Ticking:
    """Follows and ticks, one at a time: what is in a tick, and up to where, is known exactly."""

    def __init__(
        self,
        follower: Follower,
        statistics: RollingStatistics,
        leading: Leading[LeaderTerm],
        *,
        errors: LogLimit,
        read_errors: ReadErrors,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`now` returns UTC epoch seconds."""
        self._follower = follower
        self._statistics = statistics
        self._leading = leading
        self._errors = errors
        self._read_errors = read_errors
        self._now = now
        # Up to which sequence of each member the latest tick goes.
        self.position: Mapping[str, int] = {}
        # Whether what members store was read when that was tried last.
        self.works = False

    def tick(self) -> None:
        """Take a tick, and publish it if the lead is ours."""
        with self._read_errors.round():
            self._tick()

    def _tick(self) -> None:
        take = partial(tick, self._take, self._publish, self._now)
        self.works = False
        with suppress(Stopped), self._read_errors.told():
            self.works = attempt(
                self._errors, "taking the statistics", take, but=(UnreadableDatabase, Stopped)
            )
        if self.works:  # it has loaded all there is, or fetched what is new
            self._read_errors.has_read()
        term = self._leading.term
        if not self.works and term is not None:  # what has become of the messages is told all the same
            term.outlets.stats.publish_metrics()

    def follow(self) -> None:
        """Fetch what is new."""
        with self._read_errors.told(), self._follower.lock:
            self._follower.follow()

    def look_at_series(self) -> None:
        """See which series there are."""
        with self._read_errors.told(), self._follower.lock:
            self._follower.look_at_series()

    def _take(self, now: float) -> Tick:
        with self._follower.lock:
            self._follower.follow()
            taken = self._statistics.tick(now)
            self.position = self._follower.position
        return taken

    def _publish(self, taken: Tick) -> None:
        """Publish a tick, unless the lead may be another's by now."""
        if (term := self._leading.term) is not None:
            term.publish(taken)
