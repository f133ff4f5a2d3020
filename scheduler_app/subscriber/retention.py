"""How old readings go, and series that have none any more."""

import time
from collections.abc import Callable, Sequence
from functools import partial

from jobs.prune import Pruner, SteadyClock
from models.catalog import SeriesRow
from scheduler_app.intake.ingest import Step
from scheduler_app.log import LogLimit, attempt
from scheduler_app.publishing.stats_publisher import Outlet


class Ageing:
    """Has old readings deleted by the thread that writes; then what was published of series without any.

    A series goes only when the broker has forgotten its message: otherwise that would stay for ever.
    """

    def __init__(
        self,
        pruner: Pruner,
        patience: float,
        outlet: Outlet,
        *,
        submit: Callable[[Step], object],
        when_removed: Callable[[int], object],
    ) -> None:
        """Build it. A jump of the clock is believed after `patience` seconds; `when_removed` gets an id."""
        self._pruner = pruner
        self._outlet = outlet
        self._submit = submit
        self._when_removed = when_removed
        self._errors = LogLimit()
        self._clock = SteadyClock(patience)
        self._now()  # from now on it knows a jump when it sees one

    def begin(self) -> None:
        """Have everything deleted that is old by now."""
        self._submit(self._pruner.steps(self._now(), self._clear))

    def _now(self) -> float:
        return self._clock.now(time.time(), time.monotonic())

    def _clear(self, aged: Sequence[SeriesRow]) -> None:
        for row in aged:
            remove = partial(self._submit, partial(self._remove, row))
            attempt(self._errors, "clearing a series", partial(self._outlet.clear_series, row.name, remove))

    def _remove(self, row: SeriesRow) -> bool:
        """Remove a series, as a step; there is no more to do after it."""
        if self._pruner.remove(row):
            self._when_removed(row.id)
        return False
