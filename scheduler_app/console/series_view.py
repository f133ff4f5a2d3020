"""Shows the statistics of all series, as they are published."""

import sys
import time
from collections.abc import Callable
from queue import Empty
from typing import Protocol

from loguru import logger

from config.settings import Settings
from config.topics import matches
from scheduler_app.console.absence import Absence
from scheduler_app.console.inbox import Inbox
from scheduler_app.console.series_table import SeriesTable
from scheduler_app.console.table import render_columns
from scheduler_app.log import LogLimit, more_like_it
from scheduler_app.mqtt.message import Message
from scheduler_app.publishing.messages import InvalidMessage, parse_series, parse_state, write_series
from scheduler_app.publishing.topics import is_of_series, metrics_topic, state_topic

# Seconds. Retained messages come in one go, and so do those of one tick: after a pause of this length all
# of them are here.
_QUIET = 0.5
# Seconds. Messages that come without such a pause are shown after this time.
_PATIENCE = 2.0
# Seconds between two times that a table is drawn.
_REDRAW = 1.0
# Bytes of the messages that are kept, a limit beside MAX_SERIES: enough for 20,000 of 1.6 kB each. In
# memory they take up to ten times as much.
_MOST_BYTES = 32 * 2**20


class Display(Protocol):
    """Where the series are shown."""

    # Whether what is shown changes with time, also when no message comes.
    moves: bool

    @property
    def ended(self) -> bool:
        """Whether the person who looks at it has had enough."""

    def show(self, series_table: SeriesTable, now: float) -> None:
        """Show the series at `now`, in UTC epoch seconds."""

    def react(self, series_table: SeriesTable) -> bool:
        """Do what the person who looks at it has asked for; return whether that was anything."""


class _Printed:
    """What is printed stays as it is, and nobody asks it for anything."""

    moves = False
    ended = False

    def react(self, series_table: SeriesTable) -> bool:
        return False


class Tables(_Printed):
    """Prints a table below the one before."""

    def __init__(self, table_format: str) -> None:
        self._format = table_format

    def show(self, series_table: SeriesTable, now: float) -> None:
        headings, rows, right = series_table.table(now)
        print(render_columns(rows, headings, right, self._format), flush=True)


class JsonLines(_Printed):
    """Prints the messages that have changed, one a line, with every digit."""

    def show(self, series_table: SeriesTable, now: float) -> None:
        for message in series_table.changed(now):
            print(write_series(message))
        sys.stdout.flush()


class Rhythm:
    """Knows when it is time to show something. Times are seconds by a clock that never jumps."""

    def __init__(self, *, moves: bool) -> None:
        """With `moves` it is time again after a while, even if nothing new has come."""
        self._moves = moves
        self._complete = False
        self._last_retained = self._last = self._first_new = float("inf")
        self._shown = float("-inf")

    def heard(self, now: float, *, retained: bool) -> None:
        """Note that something new has come."""
        self._last = now
        self._first_new = min(self._first_new, now)
        if retained or self._last_retained == float("inf"):
            self._last_retained = now

    def shown(self, now: float) -> None:
        self._shown = now
        self._complete = True
        self._last = self._first_new = float("inf")

    def due(self) -> float:
        """Return when it is time to show something; infinity if a message must come first."""
        if not self._complete:
            return self._last_retained + _QUIET
        if self._moves:
            return self._shown + _REDRAW
        return max(min(self._last + _QUIET, self._first_new + _PATIENCE), self._shown + _REDRAW)


class SeriesView:
    """Takes messages from `inbox` until there is None, and shows them on a display."""

    def __init__(
        self,
        settings: Settings,
        inbox: Inbox,
        series_table: SeriesTable,
        display: Display,
        *,
        topic_filter: str | None = None,
        once: bool = False,
        connected: Callable[[], bool] = lambda: True,
        now: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now` tells UTC epoch seconds, `elapsed` the seconds of a clock that never jumps.

        `connected` tells whether there is a connection to the broker.
        """
        self._root = settings.stats_topic
        self._state_topic = state_topic(settings)
        self._no_series = {settings.stats_topic, metrics_topic(settings)}
        self._inbox = inbox
        self._series_table = series_table
        self._display = display
        self._filter = topic_filter
        self._once = once
        self._now = now
        self._elapsed = elapsed
        self._rhythm = Rhythm(moves=display.moves)
        self._warnings = LogLimit()
        self._absence = Absence("nothing newer is shown", connected, elapsed=elapsed)
        self._most = settings.max_series
        # Of each series that is shown, the size of its message in bytes.
        self._sizes: dict[str, int] = {}
        self._bytes = 0

    def run(self) -> None:
        """Show the series until the inbox ends; with `once`, a single time.

        Nothing is shown before all retained messages are here.
        """
        if self._display.moves:
            self._display.show(self._series_table, self._now())
        while True:
            self._absence.look()
            if self._display.react(self._series_table):
                self._display.show(self._series_table, self._now())
            if self._display.ended:
                return
            now = self._elapsed()
            due = self._rhythm.due()
            if now >= due:
                self._rhythm.shown(now)
                if len(self._series_table) or self._display.moves:
                    self._display.show(self._series_table, self._now())
                if self._once:
                    self._absence.settle(self._inbox, self._take)
                    return
                continue
            try:
                message = self._next_message(max(0.0, min(due, self._absence.due) - now))
            except Empty:
                continue
            if message is None:
                return
            self._take(message)

    def _next_message(self, patience: float) -> Message | None:
        """Return the next message, None at the end; raise Empty after `patience` seconds, or before."""
        if patience < float("inf"):
            return self._inbox.get(timeout=patience)
        if not self._display.moves:
            return self._inbox.get()
        try:
            return self._inbox.get(timeout=_REDRAW)
        except Empty:  # nothing has come yet, and what is logged is all that there is to see
            self._display.show(self._series_table, self._now())
            raise

    def _take(self, message: Message) -> None:
        if message.topic == self._state_topic:
            self._take_state(message)
            # if there is no series at all, this is the last of the retained messages
            self._rhythm.heard(self._elapsed(), retained=message.retained)
            return
        name = message.topic.removeprefix(f"{self._root}/")
        if (
            message.topic in self._no_series
            or not is_of_series(name)
            or (self._filter and not matches(self._filter, name))
        ):
            return
        if not message.payload:
            self._series_table.clear(name)
            self._bytes -= self._sizes.pop(name, 0)
        else:
            try:
                series = parse_series(message.payload, name)
                self._make_room(name, len(name) + len(message.payload))
            except InvalidMessage as error:
                self._complain(message.topic, error)
                return
            self._series_table.put(series)
        self._rhythm.heard(self._elapsed(), retained=message.retained)

    def _take_state(self, message: Message) -> None:
        try:
            state = parse_state(message.payload)
        except InvalidMessage as error:
            self._complain(message.topic, error)
            return
        self._absence.heard(state)

    def _make_room(self, name: str, size: int) -> None:
        """Note the size of what is kept of a series; InvalidMessage if it is too much."""
        if name not in self._sizes and len(self._sizes) >= self._most:
            raise InvalidMessage(
                f"there are already {self._most:,} other series, as many as MAX_SERIES allows"
            )
        total = self._bytes - self._sizes.get(name, 0) + size
        if total > _MOST_BYTES:
            raise InvalidMessage(f"all series together would take more than {_MOST_BYTES:,} bytes")
        self._bytes, self._sizes[name] = total, size

    def _complain(self, topic: str, error: InvalidMessage) -> None:
        if (held := self._warnings.allows(error.reason)) is not None:
            logger.warning("a message on {!r} is not shown: {}{}", topic, error, more_like_it(held))
