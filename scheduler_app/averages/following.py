"""What members store is followed: their readings into the hand-over, their series into the catalog."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from loguru import logger

from models.catalog import Catalog
from models.statistics.hand_over import HandOver
from models.statistics.loading import StoredReadings
from models.storage.cluster import Following, Rewound
from scheduler_app.subscriber.other_series import replace_series

# Seconds between two times that what is new is fetched, between two ticks too: so that a tick finds little.
FOLLOW_INTERVAL = 0.5
# Seconds between two looks which series there are.
SERIES_INTERVAL = 10.0


class Follower:
    """Feeds what members have stored to the statistics. Used under its `lock`, by any thread.

    It is a Source of the statistics too: where these load everything, it goes on from there.
    """

    def __init__(
        self,
        stored: Following,
        catalog: Catalog,
        hand_over: HandOver,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`now` returns UTC epoch seconds. Nothing is opened."""
        self._stored = stored
        self._catalog = catalog
        self._hand_over = hand_over
        self._now = now
        self.lock = threading.Lock()

    @property
    def position(self) -> Mapping[str, int]:
        """Up to which sequence everything of each member is taken, by its number in the database."""
        return self._stored.position

    def follow(self) -> None:
        """Feed what is new. Raises UnreadableDatabase.

        If something that was taken before is no longer stored, everything is loaded anew at the next tick.
        """
        if not self._hand_over.loaded:
            return  # what is new is loaded with all else
        try:
            news = self._stored.news()
        except Rewound as error:
            logger.error("{}. All averages are taken anew from what is stored", error)
            self._hand_over.begin_loading()
            return
        if not news.readings:
            return
        readings = news.readings
        row = self._catalog.row
        if unknown := {series for series in {reading.series for reading in readings} if row(series) is None}:
            self._catalog.add(self._stored.revive(unknown))
        self._catalog.saw(readings)
        self._hand_over.feed(readings, news.sequence)

    @contextmanager
    def snapshot(self) -> Iterator[StoredReadings]:
        """Have one moment's readings while inside. Raises UnreadableDatabase."""
        self._add_new()
        with self._stored.snapshot() as stored:
            yield stored

    def look_at_series(self) -> None:
        """Take in series that have begun, and let go of those that are gone. Raises UnreadableDatabase.

        One that is gone though it has had a reading since is about to be taken back, by whoever sees that.
        """
        there = self._add_new()
        for row in self._catalog:
            newest = self._catalog.newest.get(row.id, row.since)
            if row.id not in there and newest <= self._now() - row.retention:
                self._hand_over.remove(row.id)
                self._catalog.remove(row)

    def _add_new(self) -> set[int]:
        """Take in series that have begun; return the ids of all there are."""
        rows = self._stored.series()
        replace_series(self._catalog, rows)
        return {row.id for row in rows}
