"""Publish the average of all readings in each window."""

from collections.abc import Callable, Mapping, Sequence

from models.statistics.rolling import RollingStatistics


def publish_averages(
    statistics: RollingStatistics,
    names: Sequence[str],
    publish: Callable[[Mapping[str, float | None]], object],
) -> None:
    """Hand the averages at the latest tick to `publish`, by the names of the windows.

    `names` are those of the windows, in order. The average of an empty window is None.
    """
    averages = statistics.pooled()
    publish({name: average.mean for name, average in zip(names, averages, strict=True)})
