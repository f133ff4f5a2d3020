"""Turns a batch of messages into one transaction."""

from collections.abc import Sequence

from loguru import logger

from config.settings import Settings
from config.topics import is_at_or_below
from models.store import Batch, NewReading, NewRejected, Store
from scheduler_app.log import Once
from scheduler_app.mqtt import Message
from scheduler_app.payload import Rejected, decode

# How much of a rejected payload is kept, in bytes.
_KEPT_PAYLOAD = 4096


class Writer:
    """Decides what each message is, and stores all of a batch or nothing of it."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._retention = settings.retention
        self._max_clock_skew = settings.max_clock_skew
        self._stats_topic = settings.stats_topic
        self._store = store
        self._warnings = Once()

    def store(self, messages: Sequence[Message]) -> None:
        """Commit `messages` in one transaction, or raise StoreUnavailable and change nothing.

        Every message counts as received, and as exactly one of stored, late, rejected, retained.
        Our own output is no input, and counts as nothing.
        """
        batch = Batch()
        for message in messages:
            if not is_at_or_below(message.topic, self._stats_topic):
                batch.counts["received"] += 1
                batch.counts[self._sort(message, batch)] += 1
        if batch.counts:
            self._store.add(batch)

    def _sort(self, message: Message, batch: Batch) -> str:
        """Put `message` where it belongs in `batch`; return the counter it counts for."""
        if message.retained:
            return "retained"  # an old message, sent because we subscribed
        try:
            reading = decode(message.payload, message.arrived, message.arrived + self._max_clock_skew)
        except Rejected as rejection:
            self._warn(message, rejection)
            batch.rejected.append(
                NewRejected(
                    message.arrived,
                    message.topic,
                    message.payload[:_KEPT_PAYLOAD],
                    len(message.payload),
                    rejection.reason,
                    rejection.detail,
                )
            )
            return "rejected"
        if reading.time <= message.arrived - self._retention:
            return "late"
        batch.readings.append(NewReading(message.topic, reading.time, reading.value))
        return "stored"

    def _warn(self, message: Message, rejection: Rejected) -> None:
        held = self._warnings.allows(rejection.reason)
        if held is not None:
            logger.warning(
                "rejected a message on {!r}: {}{} ({} bytes){}",
                message.topic[:200],
                rejection.reason,
                f", {rejection.detail}" if rejection.detail else "",
                len(message.payload),
                f"; {held} more since the last such line" if held else "",
            )
