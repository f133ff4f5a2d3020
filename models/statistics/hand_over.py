"""What the thread that stores readings hands over to the thread that takes statistics."""

import threading
from array import array
from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

# A reading, in the order of models/reading.py: series, time (UTC epoch seconds), value, id.
Fed = tuple[int, float, float, object]


class Arrived(NamedTuple):
    """What has come since it was last taken: readings, series that were removed, the latest sequence."""

    # Of each series: time, value, time, value …
    readings: Mapping[int, "array[float]"]
    removed: Set[int]
    sequence: int


class HandOver:
    """Keeps what has been stored until the next tick. Safe in any thread.

    While the statistics are loaded from what is stored, readings wait: which of them are among
    those that are loaded is told by the sequence only afterwards.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._arrived: dict[int, array[float]] = {}
        self._removed: set[int] = set()
        # All readings up to this one are here or have been taken.
        self._sequence = 0
        # What was fed since loading began, with its sequence; None while nothing is to be loaded.
        self._waiting: list[tuple[int, Sequence[Fed]]] | None = []

    @property
    def loaded(self) -> bool:
        """Whether loading has ended and nothing has gone wrong since."""
        return self._waiting is None

    def feed(self, readings: Sequence[Fed], sequence: int) -> None:
        """Take in readings that have been stored, `sequence` being that of the last one."""
        with self._lock:
            if self._waiting is None:
                self._add(readings, sequence)
            else:
                self._waiting.append((sequence, readings))

    def remove(self, series: int) -> None:
        """Note that a series is gone: it has no readings any more."""
        with self._lock:
            self._removed.add(series)

    def take(self) -> Arrived:
        """Return what has come, and keep it no longer."""
        with self._lock:
            arrived = Arrived(self._arrived, self._removed, self._sequence)
            self._arrived, self._removed = {}, set()
        return arrived

    def begin_loading(self) -> None:
        """Have readings wait until all is loaded: also when what was taken before is lost.

        What has been fed before is stored, and so it is loaded.
        """
        with self._lock:
            self._waiting = []
            self._arrived = {}

    def end_loading(self, sequence: int) -> None:
        """Keep what has been fed meanwhile and is later than `sequence`, up to which all is loaded."""
        with self._lock:
            self._sequence = sequence
            for last, readings in self._waiting or ():
                self._add(readings, last)
            self._waiting = None

    def _add(self, readings: Sequence[Fed], sequence: int) -> None:
        if sequence <= self._sequence:
            return  # loaded already: it was committed before loading began and is only fed now
        arrived = self._arrived
        for series, time, value, _ in readings:
            flat = arrived.get(series)
            if flat is None:
                flat = arrived[series] = array("d")
            flat.append(time)
            flat.append(value)
        self._sequence = sequence
