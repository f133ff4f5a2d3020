"""The table of all series that is drawn again and again in its place, and that keys move."""

from collections.abc import Sequence
from queue import Empty, SimpleQueue
from textwrap import wrap

from config.text import printable
from scheduler_app.console.browsing import Browsing
from scheduler_app.console.screen import Screen
from scheduler_app.console.series_table import SeriesTable
from scheduler_app.console.table import render_columns
from scheduler_app.formatting import moment_text

# How many lines there are above the table, and how many of the table are above its first row.
_HEAD = 2
_HEADING = 2


class Live:
    """Draws as many rows as there is room for."""

    moves = True

    def __init__(self, screen: Screen, table_format: str, title: str, log: Sequence[str]) -> None:
        """`log` holds what has been logged: a page that is redrawn must show it itself."""
        self._screen = screen
        self._format = table_format
        self._title = title
        self._log = log
        self._browsing = Browsing()
        # By their names, in the order in which they were pressed. Any thread may add one.
        self.keys: SimpleQueue[str] = SimpleQueue()
        # What a person sees last, when the page is gone: without what is only for the keys.
        self.picture: list[str] = []

    @property
    def ended(self) -> bool:
        return self._browsing.ended

    def react(self, series_table: SeriesTable) -> bool:
        pressed = False
        while True:
            try:
                key = self.keys.get_nowait()
            except Empty:
                return pressed
            self._browsing.press(key, series_table)
            pressed = True

    def show(self, series_table: SeriesTable, now: float) -> None:
        browsing = self._browsing
        columns, height = self._screen.size
        foot = [self._log[-1].partition("\n")[0]] if self._log else []
        if not len(series_table):  # why there are none is said there, and there is room for all of it
            foot = [part for line in foot for part in wrap(printable(line), columns)]
        room = max(0, height - _HEAD - len(foot))
        browsing.room = max(1, room - _HEADING)
        matching = series_table.count(browsing.search)
        browsing.stay_inside(matching)
        lines: list[str] = []
        if matching:
            headings, rows, right = series_table.table(
                now,
                browsing.room,
                first=browsing.first,
                containing=browsing.search,
                trends=True,
                columns=columns,
            )
            lines = render_columns(rows, headings, right, self._format).splitlines()[:room]
        head = f"{self._title} at {moment_text(now)}: {self._rows_text(series_table, matching)}"
        self.picture = [head, *lines]
        self._screen.draw([head, browsing.prompt(series_table), *lines, *foot])

    def _rows_text(self, series_table: SeriesTable, matching: int) -> str:
        """Return which rows are shown, of how many, and in which order, as `--sort` names it."""
        total = len(series_table)
        text = f"{total:,} series" if matching == total else f"{matching:,} (of {total:,}) series"
        if not matching:
            return text
        column, descending = series_table.order
        first, last = self._browsing.first + 1, min(self._browsing.first + self._browsing.room, matching)
        return f"{first:,}-{last:,} of {text} by {'-' if descending else ''}{column}"
