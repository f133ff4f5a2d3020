"""The rolling average at each reading of one series, from all its readings at once."""

from collections.abc import Sequence

from models.statistics.exact import ExactSum


def rolling_averages(readings: Sequence[tuple[float, float]], seconds: float) -> list[float]:
    """Return for each reading at time t `math.fsum(values) / count` of the readings in (t - seconds, t].

    `readings` are (time, value) pairs in the order of time, in UTC epoch seconds. Each is added to
    an exact sum once and taken away once, whatever the window.
    """
    averages: list[float] = []
    total = ExactSum()
    first = end = 0
    for time, _ in readings:
        while end < len(readings) and readings[end][0] <= time:
            total.add_float(readings[end][1])
            end += 1
        while readings[first][0] <= time - seconds:
            total.add_float(readings[first][1], -1)
            first += 1
        averages.append(total.mean(end - first))
    return averages


def averages_at(
    readings: Sequence[tuple[float, float]], seconds: float, moments: Sequence[float]
) -> list[float | None]:
    """Return for each moment `math.fsum(values) / count` of the readings in (moment - seconds, moment].

    None where there are none. Readings and moments are in the order of time, in UTC epoch seconds.
    """
    averages: list[float | None] = []
    total = ExactSum()
    first = end = 0
    for moment in moments:
        while end < len(readings) and readings[end][0] <= moment:
            total.add_float(readings[end][1])
            end += 1
        while first < end and readings[first][0] <= moment - seconds:
            total.add_float(readings[first][1], -1)
            first += 1
        averages.append(total.mean(end - first) if end > first else None)
    return averages
