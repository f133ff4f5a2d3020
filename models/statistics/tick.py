"""What the statistics are at one moment: values that never change, whoever holds them."""

from dataclasses import dataclass
from typing import NamedTuple

from models.statistics.content import Number
from models.statistics.plan import Plan
from models.statistics.span import At


@dataclass(frozen=True, slots=True)
class WindowAverage:
    """The average of all readings in one window; None with count 0."""

    window: str
    mean: float | None
    count: int


class SeriesResult(NamedTuple):
    """The statistics of one series at a tick.

    `numbers` holds those of all windows one after the other, in the order of the plan: as one tuple of
    numbers they take a third of the memory of a dictionary a window.

    Beside the statistics of the plan each window has its `count`, and as `coverage` the part of it for
    which there is history: 1 if the first reading of the series is older than the window. If values
    are held, there is an `age` too: the seconds since the reading whose value an empty window has.
    """

    series: str
    # The latest of all its readings, also if it is in no window any more.
    newest: At
    plan: Plan
    numbers: tuple[Number, ...]

    def windows(self) -> dict[str, dict[str, Number]]:
        """Return for each window, by name, its statistics by their names."""
        names, numbers = self.plan.names, iter(self.numbers)
        return {window: dict(zip(names, numbers, strict=False)) for window, _ in self.plan.windows}


@dataclass(frozen=True, slots=True)
class Tick:
    """All statistics, taken at one moment, `at` (UTC epoch seconds).

    All readings up to `sequence` are in it and no later one. `averages` are those of all readings
    together. A series is in `series` as long as it has a reading within its retention.
    """

    at: float
    sequence: int
    averages: tuple[WindowAverage, ...]
    series: tuple[SeriesResult, ...]
