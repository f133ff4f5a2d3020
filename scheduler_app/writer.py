"""Turns a batch of messages into one transaction."""

from collections.abc import Sequence
from contextlib import suppress

from loguru import logger

from config.settings import Settings
from config.topics import is_at_or_below
from models.store import Batch, NewReading, NewRejected, Store
from models.transaction import StoreUnavailable
from scheduler_app.log import Once
from scheduler_app.packets import Message
from scheduler_app.payload import Rejected, decode
from scheduler_app.redelivery import Redeliveries

# How much of a rejected payload is kept, in bytes.
_KEPT_PAYLOAD = 4096


class Writer:
    """Decides what each message is, and stores all of a batch or nothing of it."""

    def __init__(self, settings: Settings, store: Store, redeliveries: Redeliveries) -> None:
        self._retention = settings.retention
        self._max_clock_skew = settings.max_clock_skew
        self._stats_topic = settings.stats_topic
        self._store = store
        self._redeliveries = redeliveries
        self._warnings = Once()

    def sort(self, messages: Sequence[Message]) -> Batch:
        """Return what is to be stored of `messages`.

        Every message counts as received, and as exactly one of stored, duplicates, late, rejected,
        retained. Our own output is no input, and counts as nothing.
        """
        batch = Batch()
        inputs = [message for message in messages if not is_at_or_below(message.topic, self._stats_topic)]
        for message in inputs:
            ending = self._sort(message, batch)
            if ending:
                batch.counts[ending] += 1
        if inputs:
            batch.counts["received"] = len(inputs)
            batch.forget_until = self._redeliveries.outdated()
            # our own output too: its packet ids are no longer those of older readings
            if packets := self._redeliveries.encode(messages):
                batch.delivery = self._redeliveries.latest + 1, packets
        return batch

    def commit(self, batch: Batch) -> None:
        """Store `batch` in one transaction, or raise StoreUnavailable and change nothing."""
        if not batch.counts:
            return
        duplicates = self._store.add(batch)
        if batch.delivery:
            self._redeliveries.record(*batch.delivery)
        self._redeliveries.forget(batch.forget_until)
        if duplicates:
            with suppress(StoreUnavailable):  # the batch is stored all the same
                self._warn_of_reused_ids(batch)

    @property
    def latest_delivery(self) -> int:
        return self._redeliveries.latest

    @property
    def remembers_deliveries(self) -> bool:
        """Whether anything is remembered that a proof would allow to be forgotten."""
        return self._redeliveries.any_remembered

    def forget_deliveries(self, until: int) -> None:
        """Forget deliveries up to number `until`: what comes with their packet ids is new.

        Raises StoreUnavailable and forgets nothing.
        """
        self._store.forget_deliveries(until)
        self._redeliveries.forget(until)

    def _sort(self, message: Message, batch: Batch) -> str | None:
        """Put `message` where it belongs in `batch`; return its counter, None if the store must tell."""
        if message.retained:
            return "retained"  # an old message, sent because we subscribed
        if self._redeliveries.knows(message):
            return "duplicates"
        try:
            reading = decode(message.payload, message.arrived, message.arrived + self._max_clock_skew)
        except Rejected as rejection:
            self._warn(message, rejection)
            batch.rejected.append(
                NewRejected(
                    message.arrived,
                    # SQLite takes no lone surrogates
                    message.topic.encode(errors="replace").decode(),
                    message.payload[:_KEPT_PAYLOAD],
                    len(message.payload),
                    rejection.reason,
                    rejection.detail,
                )
            )
            return "rejected"
        if reading.time <= message.arrived - self._retention:
            return "late"
        batch.readings.append(NewReading(message.topic, reading.time, reading.value, reading.message_id))
        return None

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

    def _warn_of_reused_ids(self, batch: Batch) -> None:
        """Warn if a duplicate is none: a device that puts its own name into `id` loses its readings."""
        if self._warnings.due("reused id"):
            reused = self._store.reused_id(batch.readings)
            if reused is not None and self._warnings.allows("reused id") is not None:
                logger.warning(
                    "{!r} came again as the id of another number on {!r}, which was dropped as a duplicate: "
                    "an id must name one reading, not a device",
                    reused.message_id,
                    reused.series,
                )
