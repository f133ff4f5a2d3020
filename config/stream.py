"""A stream: topics that are read in the same way."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

from config.conversion import AS_IT_STANDS, Conversion
from config.field_path import FieldPath
from config.quantities import Window
from config.template import Template
from config.topics import has_wildcards, matches, unshared
from models.statistics.rules import DEFAULT_RULES, Rules

DEFAULT_STATISTICS = ("avg",)
# Seconds. What is kept beyond the longest window, so that late readings find their place and ticks
# their rows.
RETENTION_MARGIN = 5 * 60.0


@dataclass(frozen=True)
class Value:
    """One of the numbers in a message."""

    path: FieldPath
    # What the name of its series ends with; empty where a message is one reading.
    name: str = ""
    conversion: Conversion = AS_IT_STANDS


class ValueTable(NamedTuple):
    """One of the numbers in a message as it is written, with what is said of it alone."""

    path: FieldPath
    name: str | None = None
    own: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Stream:
    """Topics that are read in the same way. A topic belongs to the first stream whose filter matches it.

    What a stream file says under a key is in the attribute of that name, unless it is said otherwise; a key
    that is left out has the default that stands here.
    """

    # MQTT topic filter. A stream of several topics is as many streams.
    topic: str
    windows: tuple[Window, ...]
    # For how many seconds its readings are kept.
    retention: float
    statistics: tuple[str, ...] = DEFAULT_STATISTICS
    # Which fields are readings (`value`). Empty: the payload is a plain number, or has the field `number`.
    values: tuple[Value, ...] = ()
    # Every number in a message is a reading (`value = "*"`): of these fields alone, or without these.
    every_number: bool = False
    include: tuple[FieldPath, ...] = ()
    exclude: tuple[FieldPath, ...] = ()
    # Where the time of a reading stands. None: in `epochtime`, or else it is the time of arrival.
    time: FieldPath | None = None
    # The name of a format, or a pattern for strptime.
    time_format: str = "s"
    # For how many seconds a value holds if no other comes. None: an empty window has no value.
    hold: float | None = DEFAULT_RULES.hold
    # A counter began again at 0 where it reads less than this share of the reading before.
    reset_below: float = DEFAULT_RULES.reset_below
    # In how many seconds a rate is the increase.
    per: float = DEFAULT_RULES.per
    # Whether its readings are in the averages over all readings together.
    overall: bool = True
    # Of times without an offset: a name of IANA, or `local`.
    time_zone: str = "UTC"
    # What becomes of a reading whose time cannot be: `reject`, or `arrival`.
    bad_time: str = "reject"
    # What becomes of a reading that is older than the retention: `late`, or `arrival`, whose time it gets.
    late_as: str = "late"
    # What becomes of a retained copy: `skip`, or `take`, if it brings its own time.
    retained: str = "skip"
    # For how many seconds a value that is repeated counts once. None: each time that it comes.
    repeat: float | None = None
    # A reading that brings its own time and no id counts once for that time and its value.
    implied_id: bool = False
    # Where the elements stand, each of which is read like a message of its own.
    each: FieldPath | None = None
    # What takes the place of the topic in the name of a series.
    series: Template | None = None
    # Where the id of a reading stands.
    id: FieldPath | None = None
    # How payloads are read, and what that needs to know.
    format: str = "json"
    type: tuple[str, ...] = ()
    endianness: str = "be"
    columns: tuple[str, ...] = ()
    delimiter: str = ","
    # Whether its averages appear in Home Assistant. None: HA_DISCOVERY says it.
    ha_discovery: bool | None = None
    # How a number is made of what stands where no entry of `values` says it: the keys of a Conversion.
    conversion: Conversion = AS_IT_STANDS

    @property
    def plain(self) -> bool:
        """Whether a message is one reading in the form that our own publisher uses."""
        looked_for = self.values or self.every_number or self.time or self.each or self.id
        usual = self.format == "json" and self.bad_time == "reject" and self.conversion.changes_nothing
        return usual and not (looked_for or self.series or self.counts_by_rules)

    @property
    def counts_by_rules(self) -> bool:
        """Whether it says which of its readings count, or when, otherwise than by their ids and times."""
        said = self.retained == "take", self.late_as == "arrival", self.repeat is not None, self.implied_id
        return any(said)

    @property
    def implies_ids(self) -> bool:
        """Whether time and value name a reading: also where a retained copy may be the same one again."""
        return self.implied_id or self.retained == "take"

    @property
    def rules(self) -> Rules:
        """What it says about how its statistics are computed.

        The reading before a window is known for as long as readings are certain to be kept.
        """
        return Rules(self.hold, self.reset_below, self.per, self.retention - RETENTION_MARGIN)

    def conversion_of(self, series: str) -> Conversion:
        """Return how the numbers of a series are made, by its name.

        It tells their unit and what they measure, for whoever shows them.
        """
        value = self.value_of(series)
        return self.conversion if value is None else value.conversion

    def value_of(self, series: str) -> Value | None:
        """Return which number of a message a series is of, by its name; None where none is named."""
        fitting = [
            value for value in self.values if not value.name or f"/{series}".endswith(f"/{value.name}")
        ]
        return max(fitting, key=lambda value: len(value.name), default=None)


class Streams(tuple[Stream, ...]):
    """Streams in the order in which they stand. There may be thousands, most of them of one topic each."""

    def of_topic(self, topic: str) -> Stream | None:
        """Return the stream that a topic belongs to: the first whose filter matches it."""
        return next((each for each in self.near([topic]) if matches(each.topic, topic)), None)

    def near(self, topics: Iterable[str]) -> Iterator[Stream]:
        """Yield those whose filters match one of some topics, and all that have wildcards, in their order."""
        single, wild = self._places
        found = {single[topic] for topic in topics if topic in single}
        return (self[place] for place in (sorted({*found, *wild}) if found else wild))

    @cached_property
    def naming(self) -> Stream | None:
        """The one that names its series, if there is one and all that do name them alike."""
        found = [stream for stream in self if stream.series is not None]
        return found[0] if found and all(stream.series == found[0].series for stream in found) else None

    @cached_property
    def _places(self) -> tuple[Mapping[str, int], Sequence[int]]:
        """Where those without wildcards stand, by their topics, and those with wildcards."""
        single: dict[str, int] = {}
        wild = []
        for place, stream in enumerate(self):
            if has_wildcards(stream.topic):
                wild.append(place)
            else:
                single.setdefault(unshared(stream.topic), place)
        return single, wild
