"""What is published on STATS_TOPIC, as it is now: the series, the averages, and the subscriber itself."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from loguru import logger

from config.settings import Settings
from models.storage.records import ENDINGS
from scheduler_app.log import LogLimit, more_like_it
from scheduler_app.mqtt.message import Message
from scheduler_app.publishing.messages import (
    InvalidMessage,
    parse_averages,
    parse_metrics,
    parse_series,
    parse_state,
)
from scheduler_app.publishing.records import Metrics
from scheduler_app.publishing.topics import is_of_series, metrics_topic, state_topic
from scheduler_app.web.entry import Entry

# Bytes of the messages that are kept, a limit beside MAX_SERIES: enough for 20,000 of 1.6 kB each.
MOST_BYTES = 32 * 2**20
# Seconds. A subscriber publishes each series at least once a minute. One of which nothing came for so much
# longer is gone: it ended while we were not connected.
GONE_AFTER = 300.0
# Seconds over which rates are taken.
RATES_OVER = 60.0


class Averages(NamedTuple):
    """The averages over all readings, by their names on the wire, and when they came (UTC epoch seconds)."""

    arrived: float
    values: dict[str, float | int | None]


class LiveStatistics:
    """The newest of each message. Taken in by one thread, looked at by others under `lock`."""

    def __init__(self, settings: Settings, *, now: Callable[[], float] = time.time) -> None:
        """`now` tells UTC epoch seconds."""
        self._root = settings.stats_topic
        self._state_topic = state_topic(settings)
        self._metrics_topic = metrics_topic(settings)
        self._most = settings.max_series
        self._now = now
        self._warnings = LogLimit()
        self._bytes = 0
        self.lock = threading.Lock()
        # Grows whenever something has changed that is shown.
        self.version = 0
        # Grows whenever a series has begun or ended.
        self.membership = 0
        self.entries: dict[str, Entry] = {}
        self.averages: Averages | None = None
        self.state: str | None = None
        self.metrics: Metrics | None = None
        # When they came, by our clock.
        self.metrics_arrived: float | None = None
        self._earlier: deque[Metrics] = deque()

    @property
    def topics(self) -> tuple[str, ...]:
        """What to subscribe to: `#` matches the level above too."""
        return (f"{self._root}/#",)

    def take(self, message: Message) -> bool:
        """Take a message in; return whether anything has changed by it."""
        with self.lock:
            try:
                return self._take(message)
            except InvalidMessage as error:
                if (held := self._warnings.allows(error.reason)) is not None:
                    logger.warning(
                        "a message on {!r} is not shown: {}{}", message.topic, error, more_like_it(held)
                    )
                return False

    def rates(self) -> dict[str, float] | None:
        """Return of each counter how much it grows a second; None as long as that is not known.

        Over the last minute, or as long as we have been told. Call it under `lock`.
        """
        if len(self._earlier) < 2:
            return None
        first, last = self._earlier[0], self._earlier[-1]
        seconds = last.at - first.at
        if seconds <= 0:
            return None
        names = ("received", *ENDINGS)
        return {name: (getattr(last, name) - getattr(first, name)) / seconds for name in names}

    def _take(self, message: Message) -> bool:
        topic = message.topic
        if topic == self._root:
            self.averages = Averages(self._now(), parse_averages(message.payload))
        elif topic == self._state_topic:
            self.state = parse_state(message.payload)
        elif topic == self._metrics_topic:
            self._take_metrics(parse_metrics(message.payload))
        else:
            name = topic.removeprefix(f"{self._root}/")
            return is_of_series(name) and self._take_series(message, name)
        return True

    def _take_series(self, message: Message, name: str) -> bool:
        if not message.payload:
            return self._forget(name)
        series = parse_series(message.payload, name)
        entry = self.entries.get(name)
        size = len(name) + len(message.payload)
        self._make_room(entry, size)
        if entry is None:
            self.entries[name] = Entry(series, size)
            self.membership += 1
            return True
        return entry.put(series, size)

    def _take_metrics(self, metrics: Metrics) -> None:
        before = self.metrics
        self.metrics = metrics
        self.metrics_arrived = self._now()
        if before is not None and (metrics.at < before.at or metrics.since != before.since):
            self._earlier.clear()  # another database, or a clock that was set back
        if before is None or metrics.at != before.at:
            self._earlier.append(metrics)
        while len(self._earlier) > 2 and metrics.at - self._earlier[1].at >= RATES_OVER:
            self._earlier.popleft()
        if metrics.tick is not None and len(self.entries) > metrics.series:
            self._forget_gone(metrics.tick.at - GONE_AFTER)

    def _forget_gone(self, until: float) -> None:
        gone = [name for name, entry in self.entries.items() if entry.message.at < until]
        for name in gone:
            self._forget(name)

    def _forget(self, name: str) -> bool:
        entry = self.entries.pop(name, None)
        if entry is not None:
            self._bytes -= entry.size
            self.membership += 1
        return entry is not None

    def _make_room(self, entry: Entry | None, size: int) -> None:
        """Note the size of what is kept of a series; InvalidMessage if it is too much."""
        if entry is None and len(self.entries) >= self._most:
            raise InvalidMessage(
                f"there are already {self._most:,} other series, as many as MAX_SERIES allows"
            )
        total = self._bytes + size - (entry.size if entry else 0)
        if total > MOST_BYTES:
            raise InvalidMessage(f"all series together would take more than {MOST_BYTES:,} bytes")
        self._bytes = total
