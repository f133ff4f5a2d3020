"""What would become of a message: decided by the writer itself, which writes nothing here."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import cast

from config.settings import Settings
from config.streams import Stream
from models.catalog import Catalog
from models.storage.batch import Batch
from models.storage.interface import WritingStore
from scheduler_app.intake.number_names import listed, number_paths
from scheduler_app.intake.payload import NothingToRead, Rejected, parse
from scheduler_app.intake.redelivery import Redeliveries
from scheduler_app.intake.times import local_time_hint
from scheduler_app.intake.writer import Writer
from scheduler_app.mqtt.message import Message

# So many ids of readings are remembered, so that one that comes again is told as a duplicate.
_REMEMBERED_IDS = 100_000
# Formats of times that have no zone.
_OF_1970 = frozenset({"s", "ms", "us", "ns"})
# How a date ends that says its offset.
_OFFSET = re.compile(r"(?:Z|[+-]\d\d:?\d\d|GMT|UTC)$", re.IGNORECASE)


@dataclass(frozen=True)
class TriedReading:
    """A reading that would be stored. `time` in UTC epoch seconds."""

    series: str
    value: float
    time: float
    unit: str | None


@dataclass(frozen=True)
class Rejection:
    """Why a message, or a part of one, would be rejected."""

    reason: str
    detail: str


@dataclass
class Fate:
    """What would become of one message.

    `counts` is by the names of the counters that `status` prints; without any, no stream reads its topic.
    """

    message: Message
    readings: list[TriedReading] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    # What else there is to say: of late readings, and of a message in which there is nothing to read.
    remark: str = ""


class Trial(Writer):
    """A writer that looks at one message after another, and hands nothing to a store.

    What it says of a message is what the subscriber would do with it, since it is done by the same code.
    """

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        """`catalog` is one without series: those that the messages begin are added to it."""
        nowhere = cast(WritingStore, None)  # what is sorted is never committed
        super().__init__(settings, nowhere, Redeliveries(), catalog, lambda readings, sequence: None)
        self._ids: set[tuple[int, str]] = set()
        self._rejections: list[Rejection] = []
        self._next_id = 1

    def of(self, message: Message) -> Fate:
        """Return what would become of a message."""
        self._rejections = []
        batch = self.sort([message])
        route = self._route(message.topic)
        fate = Fate(message, rejections=self._rejections, counts=Counter(batch.counts))
        if route is None:
            return fate
        names = self._begin_series(batch)
        for reading in batch.readings:
            row = self._catalog.row(names.get(reading.series, reading.series))
            assert row is not None
            if reading.reading_id is not None and self._is_known(row.id, reading.reading_id):
                fate.counts["duplicates"] += 1
                continue
            unit = route.stream.conversion_of(row.name).unit
            fate.readings.append(TriedReading(row.name, reading.value, reading.time, unit))
        if fate.counts["late"]:
            fate.remark = self._how_late(message, route.stream)
        elif fate.counts["ignored"]:
            fate.remark = _what_there_is(message)
        return fate

    def of_new(self, message: Message) -> Fate:
        """Return what would become of an old copy of a message if it came when it was new."""
        message = message._replace(retained=False)
        fate = self.of(message)
        if fate.counts["late"]:
            route = self._route(message.topic)
            assert route is not None
            when_new = max(self._times(message, route.stream), default=message.arrived)
            return self.of(message._replace(arrived=min(when_new, message.arrived)))
        return fate

    def _reject(self, message: Message, reason: str, detail: str, batch: Batch) -> None:
        batch.counts["rejected"] += 1
        self._rejections.append(Rejection(str(reason), detail))

    def _begin_series(self, batch: Batch) -> dict[int, int]:
        """Take in the series that a batch begins; return their ids by those that they have in it."""
        ids = {}
        for row in batch.series:
            ids[row.id] = self._next_id
            self._catalog.add([row._replace(id=self._next_id)])
            self._next_id += 1
        return ids

    def _is_known(self, series: int, reading_id: str) -> bool:
        known = (series, reading_id) in self._ids
        if len(self._ids) >= _REMEMBERED_IDS:
            self._ids.clear()
        self._ids.add((series, reading_id))
        return known

    def _how_late(self, message: Message, stream: Stream) -> str:
        """Say how old the readings of a message are of which one is late."""
        behind = min(self._times(message, stream), default=message.arrived) - message.arrived
        text = f"{-behind:.0f} s before it came, and readings are kept for {stream.retention:.0f} s"
        hint = ""
        if stream.time is not None and stream.time_format not in _OF_1970 and stream.format == "json":
            try:
                found = stream.time.find(parse(message.payload))
            except (NothingToRead, Rejected):
                return text
            if found is not None and not _OFFSET.search(str(found)):
                hint = local_time_hint(behind, zone_is_set=stream.time_zone != "UTC")
        return f"{text}; {hint}" if hint else text

    def _times(self, message: Message, stream: Stream) -> list[float]:
        """Return the times of the readings in a message."""
        latest = message.arrived + self._max_clock_skew
        try:
            decode = self._routes[stream.topic].decode
            found, _ = decode(message.payload, message.topic, message.arrived, latest)
        except (NothingToRead, Rejected):
            return []
        return [reading.time for reading in found]


def _what_there_is(message: Message) -> str:
    """Say which numbers a message has that nothing is read of."""
    try:
        paths = number_paths(parse(message.payload))
    except (NothingToRead, Rejected):
        return ""
    return f"it has {listed(paths)}" if paths else ""
