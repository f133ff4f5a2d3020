"""What a person at the live table looks at: which rows, of which series, in which order."""

from dataclasses import dataclass

from scheduler_app.console.order import Order
from scheduler_app.console.series_table import COLUMNS, SeriesTable

KEYS = "Up Down PgUp PgDn: scroll   /: search   s: sort   r: reverse   q: quit"


@dataclass
class Browsing:
    """The state that keys change. Nothing of it outlives the page."""

    # The number of the first row that is shown, from 0.
    first: int = 0
    # How many rows there was room for when they were drawn last.
    room: int = 1
    # Only series whose names contain this are shown.
    search: str = ""
    # Whether what is typed goes into `search`.
    typing: bool = False
    ended: bool = False

    def press(self, key: str, series_table: SeriesTable) -> None:
        """Do what a key stands for. `key` is a name of `Keyboard`, or a character."""
        steps = {
            **dict.fromkeys(("up", "k"), -1),
            **dict.fromkeys(("down", "j"), 1),
            **dict.fromkeys(("page up", "b"), -self.room),
            **dict.fromkeys(("page down", " "), self.room),
            **dict.fromkeys(("home", "g"), -len(series_table)),
            **dict.fromkeys(("end", "G"), len(series_table)),
        }
        if self.typing and (len(key) == 1 or key in ("enter", "escape", "backspace")):
            self._type(key)
        elif key in steps:
            self.first += steps[key]
        elif key == "/":
            self.typing = True
        elif key == "escape":
            self.search, self.first = "", 0
        elif key in ("s", "S"):
            self._sort_by_another(series_table, 1 if key == "s" else -1)
        elif key == "r":
            column, descending = series_table.order
            series_table.sort_by(Order(column, not descending))
            self.first = 0
        elif key == "q":
            self.ended = True
        self.stay_inside(series_table.count(self.search))

    def stay_inside(self, rows: int) -> None:
        """Scroll back where there are no more rows; `rows` is how many there are."""
        self.first = max(0, min(self.first, rows - self.room))

    def prompt(self, series_table: SeriesTable) -> str:
        """Return the line that says what can be done, or what is searched for."""
        if self.typing:
            return f"search: {self.search}_   Enter: done   Esc: all series"
        if self.search:
            return f"search: {self.search}   Esc: all series   {KEYS.partition('   ')[2]}"
        return KEYS

    def _type(self, key: str) -> None:
        self.first = 0
        if key == "backspace":
            self.search = self.search[:-1]
        elif len(key) == 1:
            self.search += key
        else:
            self.typing = False
            if key == "escape":
                self.search = ""

    def _sort_by_another(self, series_table: SeriesTable, step: int) -> None:
        columns = [*COLUMNS, *series_table.windows]
        self.first = 0
        column = series_table.order.column
        place = columns.index(column) if column in columns else -step
        series_table.sort_by(Order(columns[(place + step) % len(columns)], series_table.order.descending))
