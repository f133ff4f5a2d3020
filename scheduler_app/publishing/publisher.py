"""Whatever publishes ticks, and how several do it side by side."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from models.statistics.tick import Tick
from scheduler_app.log import LogLimit, attempt


class Publisher(Protocol):
    """Shows or sends what is in the ticks. STATS is one; a list of them is in the subscriber's role.

    Its methods are called on different threads, and must not wait for anything.
    """

    def connected(self) -> None:
        """There is a new connection to the broker, which may have forgotten what was published."""

    def publish(self, tick: Tick) -> None:
        """Publish what is in a tick, or of it what is new."""

    def series_gone(self, name: str, when_gone: Callable[[], object]) -> None:
        """Take back what was published of a series, which has no readings any more.

        Calls `when_gone`, on any thread, when that has worked. If it has not, or if it raises, the
        series is kept, and it is told of it again at the next pruning.
        """


class Publishers:
    """Several publishers as one. What one of them raises is logged, and keeps no other from its work."""

    def __init__(self, publishers: Sequence[Publisher], errors: LogLimit) -> None:
        self._publishers = publishers
        self._errors = errors

    def connected(self) -> None:
        """Tell all of a new connection."""
        for publisher in self._publishers:
            attempt(self._errors, f"beginning to publish ({_name(publisher)})", publisher.connected)

    def publish(self, tick: Tick) -> None:
        """Have all publish a tick, in their order."""
        for publisher in self._publishers:
            attempt(self._errors, f"publishing ({_name(publisher)})", partial(publisher.publish, tick))

    def series_gone(self, name: str, when_gone: Callable[[], object]) -> None:
        """Have all take back a series. `when_gone` is called once, when it is gone from the last of them."""
        gone = _WhenAll(len(self._publishers), when_gone)
        for place, publisher in enumerate(self._publishers):
            take_back = partial(publisher.series_gone, name, partial(gone.done, place))
            attempt(self._errors, f"clearing a series ({_name(publisher)})", take_back)


class _WhenAll:
    """Calls something once, when each of several has said that it is done. Safe in any thread."""

    def __init__(self, count: int, action: Callable[[], object]) -> None:
        self._waiting = set(range(count))
        self._action = action
        self._lock = threading.Lock()

    def done(self, place: int) -> None:
        with self._lock:
            was_the_last = self._waiting == {place}
            self._waiting.discard(place)
        if was_the_last:
            self._action()


def _name(publisher: Publisher) -> str:
    return type(publisher).__name__
