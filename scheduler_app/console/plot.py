"""Plots in a terminal: the one file that knows plotext."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import plotext

from config.text import printable
from scheduler_app.formatting import local_zone, zone_text

# A series: (time in UTC epoch seconds, value), in the order of time.
Points = Sequence[tuple[float, float]]

# Seconds.
_DAY = 86400.0
_TICKS = 5
# Dots in the width of a Braille character.
_DOTS = 2


def plot(curves: Sequence[tuple[str, Points]], *, title: str, columns: int, lines: int, colored: bool) -> str:
    """Return curves under their labels, each with at least one point, as text of that size.

    Where there are more points than dots, the lowest and the highest of those that share one are drawn.
    """
    plotext.clear_figure()
    plotext.limit_size(False, False)
    plotext.plotsize(columns, lines)
    plotext.theme("pro" if colored else "clear")
    plotext.title(printable(title))
    begin = min(points[0][0] for _, points in curves)
    end = max(points[-1][0] for _, points in curves)
    scale = _Scale([value for _, points in curves for _, value in points])
    for number, (label, points) in enumerate(curves):
        drawn = list(_fewer(points, begin, end, columns * _DOTS))
        # times count from the beginning, so that plotext does not lose digits of large numbers
        plotext.plot(
            [time - begin for time, _ in drawn],
            [scale.place(value) for _, value in drawn],
            label=printable(label),
            marker="braille" if number else "dot",
        )
    ticks = [(end - begin) * place / (_TICKS - 1) for place in range(_TICKS)] if end > begin else [0.0]
    zone = local_zone()
    form = "%H:%M:%S" if end - begin < _DAY else "%d %b %H:%M"
    plotext.xticks(ticks, [f"{datetime.fromtimestamp(begin + tick, zone):{form}}" for tick in ticks])
    plotext.xlabel(zone_text())
    plotext.ylim(0, 1)
    plotext.yticks(*scale.ticks())
    text = str(plotext.build())
    return text if colored else str(plotext.uncolorize(text))


class _Scale:
    """Where values stand between the lowest, at 0, and the highest, at 1.

    plotext cannot draw all floats, but all from 0 to 1. Values are halved before they are subtracted, since
    the difference of two floats may be too large for one.
    """

    def __init__(self, values: Sequence[float]) -> None:
        self._lowest = min(values) / 2
        self._height = max(values) / 2 - self._lowest

    def place(self, value: float) -> float:
        return (value / 2 - self._lowest) / self._height if self._height else 0.5

    def ticks(self) -> tuple[list[float], list[str]]:
        """Return places and labels, with as many digits as tell them apart."""
        if not self._height:
            return [0.5], [f"{2 * self._lowest:.6g}"]
        places = [place / (_TICKS - 1) for place in range(_TICKS)]
        values = [2 * (self._lowest + self._height * place) for place in places]
        for digits in range(4, 18):
            labels = [f"{value:.{digits}g}" for value in values]
            if len(set(labels)) == len(labels):
                break
        return places, labels


def _fewer(points: Points, begin: float, end: float, dots: int) -> Iterator[tuple[float, float]]:
    """Yield the points, but of those in one of `dots` parts of the time only the lowest and the highest."""
    if len(points) <= 2 * dots:
        yield from points
        return
    part: list[tuple[float, float]] = []
    place = 0

    def extremes() -> list[tuple[float, float]]:
        ends = {min(part, key=lambda point: point[1]), max(part, key=lambda point: point[1])}
        return sorted(ends)

    for point in points:
        here = int((point[0] - begin) / (end - begin) * dots)
        if here != place and part:
            yield from extremes()
            part = []
        place = here
        part.append(point)
    yield from extremes()
