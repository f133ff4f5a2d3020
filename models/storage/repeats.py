"""Readings that are repeated: heard by two gateways, or sent thrice so that one arrives.

A reading is repeated if, of the stored readings of its series, the last one up to its time or the first one
after it has the same value and is no further away than so many seconds. What is a repeat itself is not
stored, and so does not make others one.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from models.storage.reading_id import Packed

# A reading as it is about to be stored: time, sequence, series, value, packed id.
Row = tuple[float, int, int, float, Packed | None]
# Returns what is stored of some series from and up to a time, both included (UTC epoch seconds), in order:
# series, time, value.
Near = Callable[[float, float], Iterable[tuple[int, float, float]]]
_Span = tuple[float, float]


class _Timeline:
    """Readings of one series in the order of time and, where that is equal, of arrival."""

    __slots__ = ("_times", "_values")

    def __init__(self) -> None:
        self._times: list[float] = []
        self._values: list[float] = []

    def append(self, time: float, value: float) -> None:
        """Add a reading behind all others."""
        self._times.append(time)
        self._values.append(value)

    def add(self, time: float, value: float) -> None:
        place = bisect_right(self._times, time)
        self._times.insert(place, time)
        self._values.insert(place, value)

    def has_near(self, time: float, value: float, within: float) -> bool:
        """Whether one of the two readings beside that time has that value, `within` so many seconds."""
        after = bisect_right(self._times, time)
        return any(
            self._values[place] == value and abs(self._times[place] - time) <= within
            for place in (after - 1, after)
            if 0 <= place < len(self._times)
        )


def find_repeats(
    rows: Sequence[Row],
    unless_repeated: Mapping[int, float],
    known: Collection[int],
    near: Callable[[Collection[int]], Near],
) -> set[int]:
    """Return the places of those `rows` that are repeated, of the ones in `unless_repeated`.

    That says within how many seconds. The rows at the places that are `known` are not stored. `near` gets
    the series in question. What it goes by is what is stored, and nothing else: so it is the same after a
    restart, and when a transaction is tried again.
    """
    series = {rows[place][2] for place in unless_repeated}
    timelines: defaultdict[int, _Timeline] = defaultdict(_Timeline)
    stored = near(series)
    for begin, end in _joined((rows[place][0], within) for place, within in unless_repeated.items()):
        for number, time, value in stored(begin, end):
            timelines[number].append(time, value)
    found = set()
    for place, (time, _, number, value, _) in enumerate(rows):
        if number not in series or place in known:
            continue
        within = unless_repeated.get(place)
        if within is not None and timelines[number].has_near(time, value, within):
            found.add(place)
        else:
            timelines[number].add(time, value)
    return found


def _joined(around: Iterable[tuple[float, float]]) -> Iterator[_Span]:
    """Yield spans that hold all that is so many seconds `around` these times; none touches another."""
    spans = sorted((time - within, time + within) for time, within in around)
    if not spans:
        return
    begin, end = spans[0]
    for next_begin, next_end in spans[1:]:
        if next_begin > end:
            yield begin, end
            begin, end = next_begin, next_end
        else:
            end = max(end, next_end)
    yield begin, end
