"""How old readings go, and series that have none any more."""

import time
from collections.abc import Callable, Sequence
from functools import partial

from jobs.prune import Pruner, SteadyClock
from models.catalog import SeriesRow
from scheduler_app.intake.ingest import Task


class Retention:
    """Has old readings deleted by the thread that writes; then what was published of series without any.

    A series goes only when it is gone from all publishers: otherwise its messages would stay for ever.
    """

    def __init__(
        self,
        pruner: Pruner,
        patience: float,
        *,
        take_back: Callable[[str, Callable[[], object]], object],
        submit: Callable[[Task], object],
        when_removed: Callable[[int], object],
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Build it. A jump of the wall clock is believed after `patience` seconds.

        `take_back` gets the name of a series and what to call when nothing of it is published any
        more; `when_removed` gets the id of a series that is removed. `wall` returns UTC epoch
        seconds, `monotonic` seconds by a clock that never jumps.
        """
        self._pruner = pruner
        self._take_back = take_back
        self._submit = submit
        self._when_removed = when_removed
        self._wall = wall
        self._monotonic = monotonic
        self._clock = SteadyClock(patience)
        self._now()  # from now on it knows a jump when it sees one

    def begin(self) -> None:
        """Have everything deleted that is old by now."""
        self._submit(self._pruner.task(self._now(), self._clear))

    def watch(self) -> None:
        """Look at the clock alone, so that a jump of it is known, where another process deletes."""
        self._now()

    def _now(self) -> float:
        return self._clock.now(self._wall(), self._monotonic())

    def _clear(self, aged: Sequence[SeriesRow]) -> None:
        for row in aged:
            self._take_back(row.name, partial(self._submit, partial(self._remove, row)))

    def _remove(self, row: SeriesRow) -> bool:
        """Remove a series, as a task; there is no more to do after it."""
        if self._pruner.remove(row):
            self._when_removed(row.id)
        return False
