"""What was published last of each series, as rows of a table."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from config.text import printable, shortened
from scheduler_app.console.order import Order, name_key
from scheduler_app.formatting import age_text, number_text, sparkline
from scheduler_app.publishing.messages import headline, window_length
from scheduler_app.publishing.records import SeriesMessage

COLUMNS = ("name", "last", "age", "count")
# How many values a sparkline shows.
_TREND = 20
# So many characters of a name are shown in any case. So many are between two columns, and added to a heading.
_SHORTEST_NAME = 12
_BETWEEN = 2
# The most windows that get a column.
_MOST_COLUMNS = 50


class Table(NamedTuple):
    """The texts of a table; `right` holds the positions of the columns with numbers."""

    headings: list[str]
    rows: list[list[str]]
    right: set[int]


@dataclass(slots=True)
class _Entry:
    message: SeriesMessage
    trend: deque[float | None] = field(default_factory=lambda: deque(maxlen=_TREND))


class SeriesTable:
    """Keeps the newest message of each series, and the values that its sparkline is made of."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._entries: dict[str, _Entry] = {}
        # The names of all series in their order; None when one has come or gone.
        self._names: list[str] | None = None
        self._changed: set[str] = set()

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, message: SeriesMessage) -> None:
        entry = self._entries.get(message.series)
        if entry is None:
            entry = self._entries[message.series] = _Entry(message)
            self._names = None
        elif entry.message == message:
            return  # the same message, sent again on a new connection
        entry.message = message
        entry.trend.append(self._charted(message))
        self._changed.add(message.series)

    def clear(self, series: str) -> None:
        """Forget a series that has ended."""
        if self._entries.pop(series, None) is not None:
            self._names = None
        self._changed.discard(series)

    @property
    def order(self) -> Order:
        return self._order

    def sort_by(self, order: Order) -> None:
        """Show the rows in another order; the sparklines begin again if they are of another window now."""
        charted = {name: self._charted_window(entry.message) for name, entry in self._entries.items()}
        self._order = order
        for name, entry in self._entries.items():
            if self._charted_window(entry.message) != charted[name]:
                entry.trend.clear()
                entry.trend.append(self._charted(entry.message))

    def count(self, containing: str) -> int:
        """Return how many series have a name that contains this text, in capitals or not."""
        wanted = containing.casefold()
        return sum(wanted in name.casefold() for name in self._entries) if wanted else len(self)

    @property
    def windows(self) -> list[str]:
        """The names of all windows, the shortest first; if there are very many, only the first ones."""
        names = {name for entry in self._entries.values() for name in entry.message.windows}
        return sorted(names, key=lambda name: window_length(name) or 0.0)[:_MOST_COLUMNS]

    def changed(self, now: float) -> Iterator[SeriesMessage]:
        """Yield, in the order of the table, the messages that have changed since the last call."""
        changed, self._changed = self._changed, set()
        for entry in self._in_order(now):
            if entry.message.series in changed:
                yield entry.message

    def table(
        self,
        now: float,
        limit: int | None = None,
        *,
        first: int = 0,
        containing: str = "",
        trends: bool = False,
        columns: int | None = None,
    ) -> Table:
        """Return the rows from the one numbered `first` on, at most `limit`; `trends` adds sparklines.

        Only series whose name contains the text `containing` have one. Names are cut short where the table
        would be wider than `columns`.

        The column of a window holds one statistic of each series. Where that is not the same statistic for
        all series, each cell names its own.
        """
        entries = self._in_order(now)
        if containing:
            wanted = containing.casefold()
            entries = [entry for entry in entries if wanted in entry.message.series.casefold()]
        entries = entries[first : None if limit is None else first + limit]
        windows = self.windows
        shared = {window: self._shared_headline(window) for window in windows}
        headings = ["series", "last", "age", "count"]
        headings += [f"{shared[window]}_{window}" if shared[window] else window for window in windows]
        rows = []
        for entry in entries:
            message = entry.message
            row = [
                printable(message.series),
                number_text(message.last),
                age_text(now - message.last_time),
                str(_count(message)),
            ]
            row += [_cell(message, window, labeled=not shared[window]) for window in windows]
            if trends:
                row.append(sparkline(entry.trend))
            rows.append(row)
        right = set(range(1, len(headings)))
        if trends:
            headings.append("trend")
        if columns is not None:
            _shorten_names(rows, headings, columns)
        return Table([printable(heading) for heading in headings], rows, right)

    def _in_order(self, now: float) -> list[_Entry]:
        if self._names is None:
            self._names = sorted(self._entries, key=name_key)
        entries = [self._entries[name] for name in self._names]
        column, descending = self._order
        if column == "name":
            return entries[::-1] if descending else entries
        valued = [(self._value(entry.message, column, now), entry) for entry in entries]
        known = [(value, entry) for value, entry in valued if value is not None]
        known.sort(key=lambda pair: pair[0], reverse=descending)
        return [entry for _, entry in known] + [entry for value, entry in valued if value is None]

    def _value(self, message: SeriesMessage, column: str, now: float) -> float | int | None:
        if column == "last":
            return message.last
        if column == "age":
            return now - message.last_time
        if column == "count":
            return _count(message)
        statistics = message.windows.get(column)
        return None if statistics is None else statistics[headline(statistics)]

    def _charted(self, message: SeriesMessage) -> float | None:
        """Return the value for the sparkline."""
        return self._value(message, self._charted_window(message), 0.0)

    def _charted_window(self, message: SeriesMessage) -> str:
        """Return the window that is sorted by, else the shortest."""
        if self._order.column in message.windows:
            return self._order.column
        return min(message.windows, key=lambda name: window_length(name) or 0.0)

    def _shared_headline(self, window: str) -> str | None:
        """Return the statistic that all series show of a window, None if it is not one."""
        names = {
            headline(entry.message.windows[window])
            for entry in self._entries.values()
            if window in entry.message.windows
        }
        return names.pop() if len(names) == 1 else None


def _shorten_names(rows: list[list[str]], headings: list[str], columns: int) -> None:
    """Cut the names short that make the table wider than `columns` characters."""
    widths = [
        max(len(heading) + _BETWEEN, *map(len, cells)) + _BETWEEN
        for heading, *cells in zip(headings, *rows, strict=True)
    ]
    room = max(columns - sum(widths[1:]), _SHORTEST_NAME)
    for row in rows:
        row[0] = shortened(row[0], room)


def _count(message: SeriesMessage) -> int:
    """Return how many readings the longest window holds."""
    return max(int(statistics["count"] or 0) for statistics in message.windows.values())


def _cell(message: SeriesMessage, window: str, *, labeled: bool) -> str:
    statistics = message.windows.get(window)
    if statistics is None:
        return ""
    name = headline(statistics)
    text = number_text(statistics[name])
    return f"{printable(name)} {text}" if labeled else text
