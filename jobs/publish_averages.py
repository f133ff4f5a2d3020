"""Publish the average of all readings in each window."""

import json
from collections.abc import Callable, Sequence

from models.rolling import RollingStatistics


def publish_averages(
    statistics: RollingStatistics, names: Sequence[str], publish: Callable[[str], object]
) -> None:
    """Hand the averages at the latest tick to `publish` as JSON.

    `names` are those of the windows, in order: `{"avg_1min": 46, "avg_5min": null}`. An empty
    window is null.
    """
    averages = statistics.pooled()
    message = {f"avg_{name}": _plain(average.mean) for name, average in zip(names, averages, strict=True)}
    publish(json.dumps(message))


def _plain(mean: float | None) -> float | int | None:
    """Return a whole number as an int, so that it is written `46`, as its readers expect."""
    return int(mean) if mean is not None and mean.is_integer() and abs(mean) < 2**53 else mean
