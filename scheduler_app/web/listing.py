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
    """Lists what the live statistics hold. What one request has sorted is there for the next."""

    def __init__(self, live: LiveStatistics) -> None:
        self._live = live
        # Sorted at which version, in which order, and the rows.
        self._sorted: tuple[int, Order, list[Entry]] | None = None

    def rows(self, wanted: Wanted, now: float) -> dict[str, object]:
        """Return the rows that are `wanted`, as they are sent, with how many there are of them."""
        with self._live.lock:
            found = self._found(wanted)
            shown = found[wanted.offset : wanted.offset + wanted.limit]
            windows = windows_of(self._live.entries.values())
            return {
                "at": now,
                "version": self._live.version,
                "total": len(self._live.entries),
                "matching": len(found),
                "offset": wanted.offset,
                "limit": wanted.limit,
                "windows": [
                    {"name": name, "seconds": window_length(name), "statistic": statistic}
                    for name, statistic in windows.items()
                ],
                "series": [row(entry) for entry in shown],
            }

    def one(self, name: str) -> dict[str, object] | None:
        """Return the row of one series, None if nothing was published of it."""
        with self._live.lock:
            entry = self._live.entries.get(name)
            return None if entry is None else row(entry)

    def windows_of(self, name: str) -> tuple[str, ...]:
        """Return the names of the windows that are published of a series, the shortest first."""
        with self._live.lock:
            entry = self._live.entries.get(name)
            names = () if entry is None else entry.message.windows
            return tuple(sorted(names, key=lambda window: window_length(window) or 0.0))

    def _found(self, wanted: Wanted) -> list[Entry]:
        entries = self._in_order(wanted.order)
        words = search_words(wanted.search)
        return [entry for entry in entries if has_words(entry.folded, words)] if words else entries

    def _in_order(self, order: Order) -> list[Entry]:
        if self._sorted is None or self._sorted[:2] != (self._live.version, order):
            entries = in_order(self._live.entries.values(), order)
            self._sorted = (self._live.version, order, entries)
        return self._sorted[2]


def row(entry: Entry) -> dict[str, object]:
    """Return a series as it is sent. Its age is for the reader to tell, by its own clock or by `at`."""
    message = entry.message
    return {
        "name": message.series,
        "at": message.at,
        "last": {"value": message.last, "time": message.last_time},
        "count": entry.count,
        "unit": None,
        "trend": list(entry.trend),
        "windows": message.windows,
    }


def in_order(entries: Iterable[Entry], order: Order) -> list[Entry]:
    """Return the entries sorted; those without a value come last, and equal ones by name."""
    by_name = sorted(entries, key=lambda entry: entry.key)
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
