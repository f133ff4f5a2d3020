"""Rolling statistics that cost what has arrived and what has left, not what is stored."""

from array import array
from collections.abc import Callable, Iterable, Mapping

from models.statistics.all_series import AllSeries, Layout
from models.statistics.ended import EndedSlots
from models.statistics.grid import Grid
from models.statistics.hand_over import HandOver
from models.statistics.loading import Source, UnknownSeries, load
from models.statistics.results import results
from models.statistics.tick import Tick

# So many readings of a series are taken apart at once: Python's own numbers take several times their memory.
_CHUNK = 10_000
# So often loading is tried when it meets a series that has begun this moment and is not known yet.
_TRIES = 3


class RollingStatistics:
    """The statistics of all series, and the average of all readings together, over windows that end now.

    A window of W seconds at time `at` holds the readings with `at - W < time`, up to a little ahead
    of `at`. One thread feeds what it has stored into the hand-over, another ticks. Ticks are taken
    at the edges of the grid. What is carried from tick to tick is loaded from what is stored at
    the start, and when the clock was set back.
    """

    def __init__(
        self,
        source: Source,
        hand_over: HandOver,
        layout: Layout,
        *,
        when_loaded: Callable[[Mapping[int, float]], object],
        when_failed: Callable[[str], object],
        look: Callable[[], object] = lambda: None,
    ) -> None:
        """Build it; nothing is read before the first tick.

        `when_loaded` gets the time of the newest reading of each series, by id, when all has been loaded.
        `when_failed` gets the name of a series while an error is handled that its formulas have raised.
        `look` is called several times a second while all is loaded, and ends that by what it raises.
        """
        self._source = source
        self._hand_over = hand_over
        self._layout = layout
        self._when_loaded = when_loaded
        self._when_failed = when_failed
        self._look = look
        self._everything = AllSeries(layout, 0)
        self._sequence = 0

    @property
    def grid(self) -> Grid:
        """The slots of time by which it goes."""
        return self._layout.grid

    def tick(self, now: float) -> Tick:
        """Return all statistics at the latest edge of the grid before `now` (UTC epoch seconds).

        Raises whatever the source raises. If it raises, the next call begins anew, from what is stored.
        """
        slot = self._layout.grid.last_slot(now)
        try:
            if self._hand_over.loaded and slot >= self._everything.slot:
                self._take_arrived()
                self._everything.move(slot)
            else:
                self._load(slot)
        except BaseException:
            self._hand_over.begin_loading()
            raise
        at = self._layout.grid.edge(slot)
        everything = self._everything
        found = results(everything.by_id.values(), at, self._when_failed)
        return Tick(at, self._sequence, everything.overall.averages(), tuple(found))

    def ended(self, after: float, until: float) -> EndedSlots | None:
        """Return the sums of the slots that have ended in a span (UTC epoch seconds), by the latest tick.

        None if that failed. For the thread that ticks, between two ticks.
        """
        if not self._hand_over.loaded:
            return None
        grid, everything = self._layout.grid, self._everything
        slots = range(grid.last_slot(after) + 1, grid.last_slot(until) + 1)
        at = grid.edge(everything.slot)
        return EndedSlots(at, everything.ended(slots))

    def _take_arrived(self) -> None:
        everything, arrived = self._everything, self._hand_over.take()
        self._sequence = arrived.sequence
        for number, flat in arrived.readings.items():
            series = everything.find(number)
            if series is None:
                continue  # pruned and removed since it came: it was so old that it is in no window
            for chunk in _cut(flat, 2 * _CHUNK):
                mixed = chunk.tolist()
                everything.add(series, mixed[0::2], mixed[1::2])
        everything.enter()
        for number in arrived.removed:
            everything.remove(number)

    def _load(self, slot: int) -> None:
        """Begin anew, from what is stored."""
        for tries_left in reversed(range(_TRIES)):
            self._hand_over.begin_loading()
            self._everything = AllSeries(self._layout, slot)
            try:
                with self._source.snapshot() as stored:
                    sequence = stored.latest_sequence()
                    load(self._everything, stored, self._look)
                break
            except UnknownSeries:
                if not tries_left:
                    raise
        self._hand_over.end_loading(sequence)
        self._take_arrived()
        self._when_loaded({number: series.newest.time for number, series in self._everything.by_id.items()})


def _cut(flat: "array[float]", length: int) -> Iterable["array[float]"]:
    """Return an array cut into pieces that are no longer than `length`, one at a time: mostly itself."""
    if len(flat) <= length:
        return (flat,)
    return (flat[begin : begin + length] for begin in range(0, len(flat), length))
