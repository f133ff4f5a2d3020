"""Rolling averages that cost what arrived and what left, not what is stored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from peewee import SqliteDatabase

from models import history
from models.exact import exact_sum, mean


@dataclass(frozen=True)
class WindowAverage:
    """The average of one window; None with count 0."""

    mean: float | None
    count: int


@dataclass(frozen=True)
class _Span:
    """The readings with `after` < time <= `until`: how many, and their exact sum."""

    after: float
    until: float
    count: int = 0
    total: int = 0

    def average(self) -> WindowAverage:
        return WindowAverage(mean(self.total, self.count) if self.count else None, self.count)

    def plus(self, values: Sequence[float]) -> "_Span":
        return replace(self, count=self.count + len(values), total=self.total + exact_sum(values))

    def minus(self, values: Sequence[float]) -> "_Span":
        return replace(self, count=self.count - len(values), total=self.total - exact_sum(values))


class RollingAverages:
    """The averages over windows that end now.

    A window of W seconds at time `now` holds the readings with `now - W < time`, up to
    `max_clock_skew` seconds ahead of `now`. Each window's exact sum is carried from tick to tick:
    what has arrived is added, what its edges have passed is added or taken away. So late rows and
    a clock that is set back are right too, and the first tick after a restart reads everything
    once.
    """

    def __init__(self, database: SqliteDatabase, windows: Sequence[float], max_clock_skew: float) -> None:
        """`windows`: their lengths in seconds. The database is opened for each tick."""
        self._database = database
        self._windows = windows
        self._max_clock_skew = max_clock_skew
        self._seen = 0
        self._spans: list[_Span] = []
        # Readings up to this time are in no window, and may be deleted (UTC epoch seconds).
        self.oldest_needed = float("-inf")

    def advance(self, now: float) -> list[WindowAverage]:
        """Return the average of each window at `now`, in order. If it raises, nothing has changed."""
        until = now + self._max_clock_skew
        oldest = now - max(self._windows)
        self.oldest_needed = min(self.oldest_needed, oldest)  # before we read them
        # one transaction: all queries see the same rows
        with self._database.connection_context(), self._database.atomic():
            newest = history.newest_id(self._database)
            spans = [
                self._move(span, now - length, until)
                for span, length in zip(self._spans, self._windows, strict=False)
            ] or [_Span(now - length, until) for length in self._windows]
            for rows in history.arrivals(self._database, self._seen, newest):
                spans = [
                    span.plus([value for time, value in rows if span.after < time <= until]) for span in spans
                ]
        self._seen, self._spans, self.oldest_needed = newest, spans, oldest
        return [span.average() for span in spans]

    def _move(self, span: _Span, after: float, until: float) -> _Span:
        """Return `span` with new edges, for the readings seen so far."""

        def between(low: float, high: float) -> list[float]:
            if low >= high:
                return []
            return history.values_between(self._database, low, high, self._seen)

        # After a jump by more than its length the old and the new interval have nothing in common.
        if after >= span.until or until <= span.after:
            return _Span(after, until).plus(between(after, until))
        moved = span.minus(between(span.after, after)).plus(between(after, span.after))
        moved = moved.plus(between(span.until, until)).minus(between(until, span.until))
        return replace(moved, after=after, until=until)
