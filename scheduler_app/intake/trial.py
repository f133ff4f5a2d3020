"""What would become of a message: decided by the writer itself, which writes nothing here."""

from collections import Counter
from dataclasses import dataclass, field
from typing import cast

from config.settings import Settings
from config.streams import Stream
from config.text import listed
from models.catalog import Catalog
from models.reading import Reading
from models.storage.batch import Batch
from models.storage.interface import WritingStore
from scheduler_app.intake.lateness import LateReadings, late_text
from scheduler_app.intake.number_names import MOST_NAMED, number_paths
from scheduler_app.intake.payload import NothingToRead, Rejected, parse
from scheduler_app.intake.redelivery import Redeliveries
from scheduler_app.intake.strangers import Strangers
from scheduler_app.intake.writer import Writer, _Route
from scheduler_app.log import LogLimit
from scheduler_app.mqtt.message import Message

# So many ids of readings are remembered, so that one that comes again is told as a duplicate.
_REMEMBERED_IDS = 100_000


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
        self._late = self._lateness = _Lateness()
        self._strangers = _NoStrangers((), settings.stats_topic)
        self._ids: set[tuple[int, str]] = set()
        # Value and time of the last reading of each series.
        self._last: dict[int, tuple[float, float]] = {}
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
        for place, reading in enumerate(batch.readings):
            row = self._catalog.row(names.get(reading.series, reading.series))
            assert row is not None
            if self._is_duplicate(reading._replace(series=row.id), batch.unless_repeated.get(place)):
                fate.counts["duplicates"] += 1
                continue
            unit = route.stream.conversion_of(row.name).unit
            fate.readings.append(TriedReading(row.name, reading.value, reading.time, unit))
        if fate.counts["late"]:
            fate.remark = self._lateness.text
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
            when_new = max(self._times(message, route), default=message.arrived)
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

    def _is_duplicate(self, reading: Reading, within: float | None) -> bool:
        """Whether a reading has come before: under its id, or with its value `within` so many seconds."""
        if reading.reading_id is not None:
            known = (reading.series, reading.reading_id) in self._ids
            if len(self._ids) >= _REMEMBERED_IDS:
                self._ids.clear()
            self._ids.add((reading.series, reading.reading_id))
            if known:
                return True
        value, time = self._last.get(reading.series, (None, 0.0))
        if within is not None and value == reading.value and abs(reading.time - time) <= within:
            return True
        self._last[reading.series] = reading.value, reading.time
        return False

    def _times(self, message: Message, route: _Route) -> list[float]:
        """Return the times of the readings in a message."""
        latest = message.arrived + self._max_clock_skew
        try:
            found, _ = route.decode(message.payload, message.topic, message.arrived, latest)
        except (NothingToRead, Rejected):
            return []
        return [reading.time for reading in found]


class _Lateness(LateReadings):
    """Keeps what is to be said of the latest late reading, in the place of warning of it."""

    def __init__(self) -> None:
        super().__init__(LogLimit())
        self.text = ""

    def warn(self, time: float, message: Message, stream: Stream) -> None:
        self.text = late_text(time, message, stream)


class _NoStrangers(Strangers):
    """Warns of none: what is tried need not have come by a subscription."""

    def look_at(self, topic: str) -> None:
        pass


def _what_there_is(message: Message) -> str:
    """Say which numbers a message has that nothing is read of."""
    try:
        paths = number_paths(parse(message.payload))
    except (NothingToRead, Rejected):
        return ""
    return f"it has {listed(paths, MOST_NAMED)}" if paths else ""
