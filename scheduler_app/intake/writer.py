"""Turns a batch of messages into one transaction."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from loguru import logger

from config.home_assistant import is_our_config
from config.settings import Settings
from config.streams import Stream
from config.topics import is_at_or_below
from models.catalog import LONGEST_NAME, Catalog, NoSuchSeries
from models.reading import Reading
from models.storage.batch import Batch, NewRejected
from models.storage.errors import NotStored, SeriesBegun, StoreUnavailable, UnusableDatabase
from models.storage.interface import WritingStore
from scheduler_app.intake.counting import as_it_counts
from scheduler_app.intake.fields import Decoder, decoder_of
from scheduler_app.intake.lateness import LateReadings
from scheduler_app.intake.payload import NothingToRead, Rejected, decode
from scheduler_app.intake.redelivery import Redeliveries
from scheduler_app.intake.sample import Sample
from scheduler_app.intake.strangers import Strangers
from scheduler_app.log import LogLimit, log_unexpected
from scheduler_app.mqtt.message import Message
from scheduler_app.mqtt.numbering import Numbering

# How much is kept of a rejected payload, in bytes, and of what there is to say of it, in characters.
_KEPT_PAYLOAD = 4096
_KEPT_DETAIL = 500
# Of so many topics it is remembered which stream they belong to; those too long for a series are not.
_REMEMBERED_TOPICS = 50_000
_REMEMBERED_DUPLICATES = 10_000
# Why a message is rejected that we fail on: that is our fault, and must not end the service.
_INTERNAL_ERROR = "internal error"


class _Route(NamedTuple):
    """The stream that a topic belongs to, and what becomes of its messages: the same for all its topics."""

    stream: Stream
    # What reads them where they are not plain.
    decode: Decoder
    # Puts the readings of a message into a batch.
    take: "Callable[[Message, _Route, Batch], None]"


class Writer:
    """Decides what each message is, and stores all of a batch or nothing of it."""

    def __init__(
        self,
        settings: Settings,
        store: WritingStore,
        redeliveries: Redeliveries,
        catalog: Catalog,
        feed: Callable[[Sequence[Reading], int], object],
        *,
        subscribed: Sequence[str] = ("#",),
    ) -> None:
        """`feed` gets what has been stored, and the sequence of the last of it.

        `subscribed`: the topic filters by which all comes that the broker sends.
        """
        self._strangers = Strangers(subscribed, settings.stats_topic)
        self._streams = settings.streams
        self._routes = {stream.topic: self._route_to(stream) for stream in settings.streams}
        self._max_clock_skew = settings.max_clock_skew
        self._stats_topic = settings.stats_topic
        self._ha_prefix = settings.ha_prefix
        self._store = store
        self._redeliveries = redeliveries
        self._catalog = catalog
        self._feed = feed
        self._route_of_topic: dict[str, _Route | None] = {}
        # What was found out about the latest batch, and what it changes in the table of deliveries.
        self._arrival = redeliveries.look_at(())
        self._rows = redeliveries.forgotten()
        # The values of the latest duplicates, by series and id.
        self._duplicates: dict[tuple[int, str], float] = {}
        self._warnings = LogLimit()
        self._late = LateReadings(self._warnings)
        self._sample = Sample()

    def sort(self, messages: Sequence[Message], *, unstorable: bool = False) -> Batch:
        """Return what is to be stored of `messages`; if they are `unstorable`, that they are rejected.

        Each message, and each reading of one that holds several, counts as received, and as exactly
        one of stored, duplicates, late, rejected, retained, ignored. What belongs to no stream is no
        input, our own output among it, and counts as nothing.
        """
        batch = Batch()
        self._arrival = self._redeliveries.look_at(messages)
        repeated = self._arrival.repeated
        for place, message in enumerate(messages):
            try:
                route = self._route(message.topic)
                if unstorable:
                    self._reject(message, _INTERNAL_ERROR, "it cannot be stored", batch)
                elif route is not None:
                    self._sort(message, route, batch, repeated=place in repeated)
                else:
                    self._strangers.look_at(message.topic)
            except MemoryError:
                raise  # no fault of the message
            except Exception as error:  # noqa: BLE001 - it would come again with the message after a restart
                log_unexpected(self._warnings, "reading a message")
                self._reject(message, _INTERNAL_ERROR, type(error).__name__, batch)
        received = len(batch.readings) + sum(batch.counts.values())
        if received:
            batch.counts["received"] = received
            # what is no input too: its packet ids are no longer those of older readings
            self._rows = self._redeliveries.rows(self._arrival)
            batch.deliveries, batch.forgotten = self._rows
        return batch

    def commit(self, batch: Batch) -> None:
        """Store `batch`, the latest that was sorted, in one transaction.

        Or raise StoreUnavailable, NotStored or SeriesBegun and change nothing; after the last, the messages
        are to be sorted anew.
        """
        if not batch.counts:
            self.forget_deliveries()
            self._redeliveries.pass_by(self._arrival)
            return
        try:
            stored = self._store.add(batch)
        except SeriesBegun as error:
            self._catalog.add(error.rows)
            raise
        except (StoreUnavailable, UnusableDatabase, MemoryError):
            raise
        except Exception as error:
            raise NotStored from error
        self._redeliveries.record(self._arrival, self._rows)
        self._catalog.add(stored.series)
        self._catalog.saw(stored.readings)
        self._feed(stored.readings, stored.sequence)
        if stored.duplicates:
            self._warn_of_reused_ids(stored.duplicates)

    @property
    def unmatched(self) -> int:
        """How many messages matched none of the topic filters. Safe in any thread."""
        return self._strangers.count

    @property
    def new_messages(self) -> int:
        """How many messages have come that had not come before; grows only."""
        return self._redeliveries.position

    @property
    def unproven(self) -> int:
        """Of how many messages it is not proven that their acknowledgements on this connection arrived."""
        return self._redeliveries.unproven

    def set_numbering(self, numbering: Numbering) -> None:
        """Take note of what the broker does with packet ids: before the first message of a connection."""
        self._redeliveries.set_numbering(numbering)

    def begin_connection(self) -> None:
        """Take note that from now on messages come, and are acknowledged, on another connection."""
        self._redeliveries.begin_connection()

    def await_proof(self) -> None:
        """Take note that proof is asked for that the acknowledgements of all that is stored have arrived."""
        self._redeliveries.ask()

    def take_proof(self) -> None:
        """Forget what is proven. The database does so with the next batch, or by `forget_deliveries`."""
        self._redeliveries.prove()

    def forget_deliveries(self) -> None:
        """Delete the deliveries that are proven or too old, or raise StoreUnavailable."""
        if self._redeliveries.anything_to_delete:
            rows = self._redeliveries.forgotten()
            self._store.forget_deliveries(rows.deleted, rows.written)
            self._redeliveries.forget(rows)

    def forget_all_deliveries(self) -> None:
        """Forget all deliveries, since the session has ended: whatever comes now is new.

        Raises StoreUnavailable and forgets nothing.
        """
        self._store.forget_deliveries(self._redeliveries.all_rows())
        self._redeliveries.forget_everything()

    def _route(self, topic: str) -> _Route | None:
        if topic in self._route_of_topic:
            return self._route_of_topic[topic]
        ours = is_at_or_below(topic, self._stats_topic) or is_our_config(self._ha_prefix, topic)
        stream = None if ours else self._streams.of_topic(topic)
        route = None if stream is None else self._routes[stream.topic]
        if len(topic) <= LONGEST_NAME:
            if len(self._route_of_topic) >= _REMEMBERED_TOPICS:
                self._route_of_topic.clear()
            self._route_of_topic[topic] = route
        return route

    def _route_to(self, stream: Stream) -> _Route:
        take = self._take_by_rules if stream.counts_by_rules else self._take_fields
        return _Route(stream, decoder_of(stream), self._take_plain if stream.plain else take)

    def _sort(self, message: Message, route: _Route, batch: Batch, *, repeated: bool) -> None:
        """Put `message` where it belongs in `batch`; what is a new reading only the store can count."""
        if message.retained and route.stream.retained == "skip":
            batch.counts["retained"] += 1  # an old message, sent because we subscribed
        elif repeated:
            batch.counts["duplicates"] += 1
        else:
            try:
                route.take(message, route, batch)
            except NothingToRead:
                batch.counts["ignored"] += 1
            except Rejected as rejection:
                self._reject(message, rejection.reason, rejection.detail, batch)

    def _take_plain(self, message: Message, route: _Route, batch: Batch) -> None:
        latest = message.arrived + self._max_clock_skew
        field, time, value, reading_id = decode(message.payload, message.arrived, latest)
        series = self._series(message, route.stream, field, time, batch)
        if series is not None:
            batch.readings.append(Reading(series, time, value, reading_id))

    def _take_fields(self, message: Message, route: _Route, batch: Batch) -> None:
        stream = route.stream
        latest = message.arrived + self._max_clock_skew
        readings, rejections = route.decode(message.payload, message.topic, message.arrived, latest)
        for field, time, value, reading_id in readings:
            series = self._series(message, stream, field, time, batch)
            if series is not None:
                batch.readings.append(Reading(series, time, value, reading_id))
        for rejection in rejections:
            self._reject(message, rejection.reason, rejection.detail, batch)

    def _take_by_rules(self, message: Message, route: _Route, batch: Batch) -> None:
        """Take the readings of a stream that says which of them count: each reading by itself."""
        stream = route.stream
        latest = message.arrived + self._max_clock_skew
        readings, rejections = route.decode(message.payload, message.topic, message.arrived, latest)
        for reading in readings:
            counting = as_it_counts(reading, message, stream)
            if counting is None:
                batch.counts["retained"] += 1
                continue
            field, time, value, reading_id = counting
            series = self._series(message, stream, field, time, batch)
            if series is None:
                continue
            # what was stored before the stream said that retained copies are taken has no id
            within = 0.0 if message.retained and stream.repeat is None else stream.repeat
            if within is not None:
                batch.unless_repeated[len(batch.readings)] = within
            batch.readings.append(Reading(series, time, value, reading_id))
        for rejection in rejections:
            self._reject(message, rejection.reason, rejection.detail, batch)

    def _series(self, message: Message, stream: Stream, field: str, time: float, batch: Batch) -> int | None:
        """Return the series that a reading belongs to, which it begins if there is none.

        None if it cannot be stored; then it is counted as what it is.
        """
        if time <= message.arrived - stream.retention:
            batch.counts["late"] += 1
            self._late.warn(time, message, stream)
            return None
        topic = message.topic
        if stream.series is not None:
            return self._named_series(message, stream, field, time, batch)
        series = self._catalog.find(topic, field)
        if series is not None:
            return series
        series = batch.series.find(topic, field)
        if series is not None:
            return series
        try:
            return self._catalog.begin(topic, field, time, stream.retention, batch.series)
        except NoSuchSeries as error:
            self._reject(message, error.reason, error.detail, batch)
            return None

    def _named_series(
        self, message: Message, stream: Stream, name: str, time: float, batch: Batch
    ) -> int | None:
        """Return the series of that name, which a reading begins if there is none.

        None if it cannot be stored; then it is counted as what it is.
        """
        row = self._catalog.named(name) or batch.series.named(name)
        if row is None:
            try:
                return self._catalog.begin(message.topic, "", time, stream.retention, batch.series, name=name)
            except NoSuchSeries as error:
                self._reject(message, error.reason, error.detail, batch)
                return None
        route = self._route(row.topic)
        if route is None or route.stream is stream or route.stream.series == stream.series:
            return row.id
        detail = f"{name} is a series of {route.stream.topic}, whose stream names its series otherwise"
        self._reject(message, "name taken", detail, batch)
        return None

    def _reject(self, message: Message, reason: str, detail: str, batch: Batch) -> None:
        batch.counts["rejected"] += 1
        size = len(message.topic) + min(len(message.payload), _KEPT_PAYLOAD)
        if self._sample.takes(message.arrived, message.topic, reason, size):
            batch.rejected.append(
                NewRejected(
                    message.arrived,
                    # SQLite takes no lone surrogates
                    message.topic.encode(errors="replace").decode(),
                    message.payload[:_KEPT_PAYLOAD],
                    len(message.payload),
                    reason,
                    detail[:_KEPT_DETAIL].encode(errors="replace").decode(),
                )
            )
        held = self._warnings.allows(reason)
        if held is not None:
            logger.warning(
                "rejected a message on {!r}: {}{} ({} bytes){}",
                message.topic[:200],
                reason,
                f", {detail[:200]}" if detail else "",
                len(message.payload),
                f"; {held} more since the last such line" if held else "",
            )

    def _warn_of_reused_ids(self, duplicates: Sequence[Reading]) -> None:
        """Warn if duplicates have one id and several values: a device that gives its own name as `id`.

        It loses its readings. What was stored under the id is not looked up.
        """
        if len(self._duplicates) >= _REMEMBERED_DUPLICATES:
            self._duplicates.clear()
        for series, _, value, reading_id in duplicates:
            if reading_id is None or self._duplicates.setdefault((series, reading_id), value) == value:
                continue
            row = self._catalog.row(series)
            if row is not None and self._warnings.allows("reused id") is not None:
                logger.warning(
                    "{!r} came again as the id of another number on {!r}, which was dropped as a duplicate: "
                    "an id must name one reading, not a device",
                    reading_id,
                    row.name,
                )
