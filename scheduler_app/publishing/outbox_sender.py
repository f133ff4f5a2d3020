"""Sends what is in the outbox, and takes out what the broker has acknowledged."""

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import takewhile
from queue import Empty, SimpleQueue
from typing import Protocol

from loguru import logger

from models.storage.errors import StoreUnavailable
from models.storage.sqlite.outbox import Outbox
from scheduler_app.log import LogLimit
from scheduler_app.mqtt.message import Puback

# So many are on their way at once.
_WINDOW = 100
# Seconds until what the broker refused, or the disk did not take, is tried again.
_REFUSED_PAUSE = 30.0
_STORE_PAUSE = 1.0
# Seconds that a reading is kept after its PUBACK, to be sent again on a new connection. A broker
# acknowledges before it saves: what it forgets when it is killed must be younger than this.
_SETTLING = 10.0
# MQTT 5 section 3.4.2.1: accepted, but nobody has subscribed.
_NO_SUBSCRIBERS = "No matching subscribers"


class Link(Protocol):
    """What the sender needs of a Connection; described there."""

    number: int

    def publish(
        self, topic: str, payload: str, *, when_acknowledged: Callable[[Puback], object], number: int
    ) -> bool: ...


class OutboxSender:
    """Stores each reading before it is published, and deletes it some time after its PUBACK.

    One thread does all of it, in `run`; other threads leave it notes. What is in the outbox when a
    connection begins is sent anew, in order and with the ids it had, so that the subscriber can
    tell. `waiting`, for other threads to look at, counts what no broker has acknowledged yet, and
    `stores` says whether the outbox could be written when that was tried last.
    """

    def __init__(self, outbox: Outbox, link: Link, waiting: int) -> None:
        """Build it; `waiting` says how many readings an earlier run has left in the outbox."""
        self._outbox = outbox
        self._link = link
        self._notes: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._stopping = False
        self._new: list[tuple[str, str]] = []
        # Acknowledged readings that are kept for a while: until when, and which.
        self._settling: deque[tuple[float, int]] = deque()
        self._settling_ids: set[int] = set()
        # The readings on their way on this connection, and the last that was sent.
        self._in_flight: set[int] = set()
        self._last_sent = 0
        self._connection = 0
        self._retry_at = float("inf")
        self._warnings = LogLimit()
        # Whether the disk has taken what it was given last; whether it was told that it has not.
        self.stores = True
        self._complained = False
        self._stored = waiting
        self._put = 0
        self._acknowledged = 0

    @property
    def waiting(self) -> int:
        return self._stored + self._put - self._acknowledged

    def put(self, topic: str, payload: str) -> None:
        """Have a reading stored and published. Called by one thread at a time."""
        self._put += 1
        self._notes.put(lambda: self._new.append((topic, payload)))

    def on_connect(self) -> None:
        """Have everything that waits sent on the new connection. Safe in any thread."""
        self._notes.put(self._begin_connection)

    def stop(self) -> None:
        """Ask `run` to return. Safe in any thread."""
        self._notes.put(self._stop)

    def run(self) -> None:
        """Work until `stop`; what was put before it is stored."""
        while not self._stopping:
            self._read_notes()
            try:
                self._persist()
                self._send()
            except StoreUnavailable as error:
                self.stores = False
                if self._warnings.allows("store") is not None:
                    self._complained = True
                    logger.error("the outbox cannot be written ({}); trying again", error)
                self._retry_at = time.monotonic() + _STORE_PAUSE
            else:
                self._tell_end_of_failure()
        if self._new:
            logger.error("{} readings could not be stored in the outbox and are lost", len(self._new))
        self._outbox.close()

    def _tell_end_of_failure(self) -> None:
        self.stores = True
        if self._complained:
            self._complained = False
            logger.info("the outbox can be written again; what was held is stored")

    def _read_notes(self) -> None:
        """Wait for a note or for the time to try again, then do all that is noted."""
        next_settled = self._settling[0][0] if self._settling else float("inf")
        patience = min(self._retry_at, next_settled) - time.monotonic()
        try:
            note = self._notes.get(timeout=None if patience == float("inf") else max(0.0, patience))
            while True:
                note()
                note = self._notes.get_nowait()
        except Empty:
            pass
        if time.monotonic() >= self._retry_at:
            self._retry_at = float("inf")
            self._last_sent = 0  # begin with the oldest that is not on its way

    def _persist(self) -> None:
        if self._new:
            self._outbox.add(self._new)
            self._new = []
        now = float("inf") if self._stopping else time.monotonic()
        settled = list(takewhile(lambda kept: kept[0] <= now, self._settling))
        if settled:
            self._outbox.remove(reading for _, reading in settled)
            for _ in settled:
                self._settling_ids.discard(self._settling.popleft()[1])

    def _send(self) -> None:
        while (room := _WINDOW - len(self._in_flight)) > 0:
            readings = self._outbox.after(self._last_sent, room)
            for reading in readings:
                if reading.id not in self._in_flight and reading.id not in self._settling_ids:
                    answer = partial(self._on_puback, self._connection, reading.id)
                    if not self._link.publish(
                        reading.topic, reading.payload, when_acknowledged=answer, number=self._connection
                    ):
                        return  # all of it again when the note about a new connection is here
                    self._in_flight.add(reading.id)
                self._last_sent = reading.id
            if len(readings) < room:
                return

    def _on_puback(self, connection: int, reading: int, puback: Puback) -> None:
        """Take a PUBACK, on the connection's thread, which must not wait for the disk."""
        self._notes.put(partial(self._answered, connection, reading, puback))

    def _answered(self, connection: int, reading: int, puback: Puback) -> None:
        if connection != self._connection:
            return  # it was sent again since
        self._in_flight.discard(reading)
        if puback.accepted:
            self._settling.append((time.monotonic() + _SETTLING, reading))
            self._settling_ids.add(reading)
            self._acknowledged += 1
            if puback.reason == _NO_SUBSCRIBERS and self._warnings.allows(puback.reason) is not None:
                logger.warning(
                    "the broker took a reading that nobody has subscribed to: is a subscriber running?"
                )
            return
        self._retry_at = min(self._retry_at, time.monotonic() + _REFUSED_PAUSE)
        if self._warnings.allows(puback.reason) is not None:
            logger.error("the broker refuses a reading: {}; it stays in the outbox", puback.reason)

    def _begin_connection(self) -> None:
        if self._connection == self._link.number:
            return  # an earlier note was about the same
        self._connection = self._link.number
        self._in_flight.clear()
        self._last_sent = 0
        # the broker may have been killed before it saved these
        self._acknowledged -= len(self._settling)
        self._settling.clear()
        self._settling_ids.clear()

    def _stop(self) -> None:
        self._stopping = True
