"""Publish the average of each window."""

import json
from collections.abc import Callable, Sequence

from models.rolling import RollingAverages


def publish_averages(
    averages: RollingAverages,
    names: Sequence[str],
    publish: Callable[[str], object],
    now: Callable[[], float],
) -> None:
    """Compute the averages at `now()` (UTC epoch seconds) and hand them to `publish` as JSON.

    `names` are those of the windows, in order: `{"avg_1min": 46, "avg_5min": null}`. An empty
    window is null.
    """
    results = averages.advance(now())
    message = {f"avg_{name}": _plain(result.mean) for name, result in zip(names, results, strict=True)}
    publish(json.dumps(message))


def _plain(mean: float | None) -> float | int | None:
    """Return a whole number as an int, so that it is written `46`, as its readers expect."""
    return int(mean) if mean is not None and mean.is_integer() and abs(mean) < 2**53 else mean
