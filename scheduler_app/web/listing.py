"""The list of series: searched, sorted, and cut to the rows that somebody looks at."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from scheduler_app.console.order import Order
from scheduler_app.publishing.messages import headline, window_length
from scheduler_app.web.entry import Entry
from scheduler_app.web.live import LiveStatistics
from scheduler_app.web.names import has_words, search_words

# By what the list is sorted, beside the windows.
COLUMNS = ("name", "last", "age", "count")
_BY_NAME = Order("name")
# In so many orders the rows are kept.
_MOST_ORDERS = 8
# The most windows that get a column.
MOST_WINDOWS = 50


@dataclass(frozen=True)
class Wanted:
    """Which rows are asked for."""

    search: str = ""
    order: Order = _BY_NAME
    limit: int = 100
    offset: int = 0


class Listing:
    """Lists what the live statistics hold. What one request has sorted is there for the next.

    Its methods take turns by the lock of the live statistics.
    """

    def __init__(
        self, live: LiveStatistics, unit_of: Callable[[str], str | None] = lambda name: None
    ) -> None:
        """`unit_of` returns the unit of a series by its name, None if it is not known."""
        self._live = live
        self.unit_of = unit_of
        # All by name, and of which series there were then.
        self._by_name: list[Entry] = []
        self._membership = -1
        # Of one version: the windows there are, and the rows in each order that was asked for.
        self._version = -1
        self._windows: dict[str, str | None] = {}
        self._sorted: dict[Order, list[Entry]] = {}

    def rows(self, wanted: Wanted, now: float) -> dict[str, object]:
        """Return the rows that are `wanted`, as they are sent, with how many there are of them."""
        with self._live.lock:
            found = self._found(wanted)
            shown = found[wanted.offset : wanted.offset + wanted.limit]
            return {
                "at": now,
                "version": self._live.version,
                "total": len(self._live.entries),
                "matching": len(found),
                "offset": wanted.offset,
                "limit": wanted.limit,
                "windows": [
                    {"name": name, "seconds": window_length(name), "statistic": statistic}
                    for name, statistic in self._windows.items()
                ],
                "series": [row(entry, self.unit_of) for entry in shown],
            }

    def one(self, name: str) -> dict[str, object] | None:
        """Return the row of one series, None if nothing was published of it."""
        with self._live.lock:
            entry = self._live.entries.get(name)
            return None if entry is None else row(entry, self.unit_of)

    def windows_of(self, name: str) -> tuple[str, ...]:
        """Return the names of the windows that are published of a series, the shortest first."""
        with self._live.lock:
            entry = self._live.entries.get(name)
            names = () if entry is None else entry.message.windows
            return tuple(sorted(names, key=lambda window: window_length(window) or 0.0))

    def _found(self, wanted: Wanted) -> list[Entry]:
        self._look()
        entries = self._sorted.get(wanted.order)
        if entries is None:
            if len(self._sorted) >= _MOST_ORDERS:
                self._sorted.clear()
            entries = self._sorted[wanted.order] = in_order(self._by_name, wanted.order)
        words = search_words(wanted.search)
        return [entry for entry in entries if has_words(entry.folded, words)] if words else entries

    def _look(self) -> None:
        """Take note of what has changed since the last request."""
        if self._membership != self._live.membership:
            self._membership = self._live.membership
            self._by_name = sorted(self._live.entries.values(), key=lambda entry: entry.key)
        elif self._version == self._live.version:
            return
        self._version = self._live.version
        self._windows = windows_of(self._by_name)
        self._sorted.clear()


def row(entry: Entry, unit_of: Callable[[str], str | None]) -> dict[str, object]:
    """Return a series as it is sent. Its age is for the reader to tell, by its own clock or by `at`."""
    message = entry.message
    return {
        "name": message.series,
        "at": message.at,
        "last": {"value": message.last, "time": message.last_time},
        "count": entry.count,
        "unit": unit_of(message.series),
        "trend": list(entry.trend),
        "windows": message.windows,
    }


def in_order(by_name: list[Entry], order: Order) -> list[Entry]:
    """Return the entries, given by name, sorted; those without a value come last, and equal ones by name."""
    if order.column == "name":
        return by_name[::-1] if order.descending else by_name
    value_of = _values(order.column)
    valued = [(value_of(entry), entry) for entry in by_name]
    known = [(value, entry) for value, entry in valued if value is not None]
    known.sort(key=lambda pair: pair[0], reverse=order.descending)
    return [entry for _, entry in known] + [entry for value, entry in valued if value is None]


def windows_of(entries: Iterable[Entry]) -> dict[str, str | None]:
    """Return the windows there are, the shortest first, with the statistic that is shown of each.

    None where that is not the same one for all series.
    """
    statistics: dict[str, set[str]] = {}
    # series of one stream have the same windows with the same statistics: each kind is looked at once
    kinds = {
        tuple((name, tuple(values)) for name, values in entry.message.windows.items()) for entry in entries
    }
    for kind in kinds:
        for name, names in kind:
            statistics.setdefault(name, set()).add(headline(dict.fromkeys(names)))
    ordered = sorted(statistics, key=lambda name: window_length(name) or 0.0)[:MOST_WINDOWS]
    return {name: min(statistics[name]) if len(statistics[name]) == 1 else None for name in ordered}


def _values(column: str) -> Callable[[Entry], float | int | None]:
    match column:
        case "last":
            return lambda entry: entry.message.last
        case "age":
            return lambda entry: -entry.message.last_time
        case "count":
            return lambda entry: entry.count
        case _:
            return lambda entry: entry.shown(column)
