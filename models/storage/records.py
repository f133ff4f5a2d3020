"""What is read from a database of readings."""

import base64
from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from models.catalog import SeriesRow

# Every message received is counted as exactly one of these.
ENDINGS = ("stored", "duplicates", "rejected", "late", "retained", "ignored")
COUNTERS = ("received", *ENDINGS, "pruned")


class RejectedRow(NamedTuple):
    """A rejected message. `payload` is the beginning of it, `size` the length of the whole in bytes."""

    arrived: float
    topic: str
    payload: bytes
    size: int
    reason: str
    detail: str

    def content(self) -> dict[str, object]:
        """Return it as it is exported; a payload that is no text as base64."""
        try:
            payload = {"payload": self.payload.decode()}
        except UnicodeDecodeError:
            payload = {"payload_base64": base64.b64encode(self.payload).decode()}
        return {
            "arrived": self.arrived,
            "topic": self.topic,
            "reason": self.reason,
            "detail": self.detail,
            "size": self.size,
            **payload,
        }


@dataclass(frozen=True)
class SeriesSummary:
    """A series and its stored readings: how many, and the event times (UTC epoch seconds) of two.

    Without readings the times are None.
    """

    series: SeriesRow
    count: int
    first: float | None
    last: float | None

    @property
    def per_minute(self) -> float | None:
        """Readings a minute from the first to the last; None unless there are two times."""
        if self.first is None or self.last is None or self.last <= self.first:
            return None
        return (self.count - 1) / (self.last - self.first) * 60


# Columns with a row for each series, sometimes more: its id, how many readings, and two floats with the same
# sum; and floats that have the same sum as the readings of all these series.
SumsOfSeries = tuple["array[int]", "array[int]", "array[float]", "array[float]", "array[float]"]


class SummedSlot(NamedTuple):
    """What the readings with `after` < time <= `until` (UTC epoch seconds) add up to, as it was noted.

    `rest`: the values that are not in the sums, by the ids of their series.
    """

    after: float
    until: float
    sums: Sequence[SumsOfSeries]
    rest: Mapping[int, Sequence[float]]


class Columns:
    """Readings in the order of time and, where that is equal, of sequence: 24 bytes each."""

    __slots__ = ("sequences", "times", "values")

    def __init__(self) -> None:
        self.times = array("d")
        self.sequences = array("q")
        self.values = array("d")


class Batches:
    """Which of several members has stored which sequences, as far as that is still known."""

    def __init__(self) -> None:
        self._firsts = array("q")
        self._lasts = array("q")
        self._members: list[str] = []
        # The last sequence of each member.
        self.latest: dict[str, int] = {}

    def append(self, member: str, first: int, last: int) -> None:
        """Add a batch, in the order of sequences."""
        self._firsts.append(first)
        self._lasts.append(last)
        self._members.append(member)

    def member_of(self, sequence: int) -> str | None:
        """Return which member has stored it; None if that was so long ago that it is not known any more."""
        place = bisect_right(self._firsts, sequence) - 1
        return self._members[place] if place >= 0 and sequence <= self._lasts[place] else None


@dataclass(frozen=True)
class Snapshot:
    """All that is stored at one moment: the series by name, and their readings by id.

    `sequence` is that of the newest reading there ever was. `batches` tells the members apart, where there
    can be several.
    """

    series: dict[str, SeriesRow]
    readings: defaultdict[int, Columns]
    sequence: int
    batches: Batches | None = None
