"""What is known of one series from what was published of it."""

import math
import sys
from array import array
from collections.abc import Iterator

from scheduler_app.publishing.messages import headline, window_length
from scheduler_app.publishing.records import SeriesMessage
from scheduler_app.web.names import Key, natural_key

# How many values a small curve beside a series shows.
TREND = 30


class Entry:
    """The newest message of a series, and the values that its small curve is made of."""

    __slots__ = ("_trend", "folded", "key", "message", "size")

    def __init__(self, message: SeriesMessage, size: int) -> None:
        """`size`: of topic and payload, in bytes."""
        self.message = _with_shared_names(message)
        self.size = size
        self.key: Key = natural_key(message.series)
        self.folded = message.series.casefold()
        # 8 bytes each, NaN where there is no value
        self._trend = array("d")
        self._remember()

    def put(self, message: SeriesMessage, size: int) -> bool:
        """Take the newest message; return whether it is another one than before."""
        self.size = size
        if message == self.message:
            return False  # the same message, sent again on a new connection
        self.message = _with_shared_names(message)
        self._remember()
        return True

    @property
    def trend(self) -> Iterator[float | None]:
        """The recent values of the shortest window, the oldest first."""
        return (None if math.isnan(value) else value for value in self._trend)

    @property
    def count(self) -> int:
        """How many readings the longest window holds."""
        return max(int(statistics["count"] or 0) for statistics in self.message.windows.values())

    def shown(self, window: str) -> float | int | None:
        """Return the statistic that is shown of a window if it is only one."""
        statistics = self.message.windows.get(window)
        return None if statistics is None else statistics[headline(statistics)]

    def _remember(self) -> None:
        shortest = min(self.message.windows, key=lambda name: window_length(name) or 0.0)
        value = self.shown(shortest)
        self._trend.append(math.nan if value is None else value)
        del self._trend[:-TREND]


def _with_shared_names(message: SeriesMessage) -> SeriesMessage:
    """Return a message whose names of windows and statistics are those of all others: they take memory."""
    share = sys.intern
    windows = {
        share(window): {share(name): value for name, value in statistics.items()}
        for window, statistics in message.windows.items()
    }
    return message._replace(windows=windows)
