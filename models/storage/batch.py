"""What is handed to the store, and what it hands back."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from models.catalog import NewSeries, SeriesRow
from models.reading import Reading


class NewRejected(NamedTuple):
    """A message to be kept as rejected, in the order of the table's columns."""

    arrived: float
    topic: str
    payload: bytes
    size: int
    reason: str
    detail: str


@dataclass
class Batch:
    """What one transaction writes.

    `counts` has no `stored`: only the store can tell how many of the readings were new.
    """

    readings: list[Reading] = field(default_factory=list)
    # By the places of readings among these: for how many seconds such a reading is none if it is repeated
    # (models/storage/repeats.py).
    unless_repeated: dict[int, float] = field(default_factory=dict)
    # Series that begin with one of the readings.
    series: NewSeries = field(default_factory=NewSeries)
    rejected: list[NewRejected] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    # Deliveries to be written or written anew: their numbers, and their packet ids and digests.
    deliveries: Sequence[tuple[int, bytes]] = ()
    # The numbers of deliveries that are forgotten.
    forgotten: Sequence[int] = ()


class Stored(NamedTuple):
    """What has become of a batch: which readings are stored, and which are duplicates, by id or repeated."""

    readings: Sequence[Reading]
    duplicates: Sequence[Reading]
    # The series that the batch began, with the ids that they have now.
    series: Sequence[SeriesRow]
    # Of the last reading.
    sequence: int


# Where a reading lies: its event time (UTC epoch seconds) and its sequence.
Place = tuple[float, int]


class Deleted(NamedTuple):
    """How many readings were deleted, and up to which one; None when that was all of them."""

    rows: int
    last: Place | None
