"""What the readings of slots of time that have ended add up to: for whoever keeps it."""

from collections.abc import Mapping
from typing import NamedTuple

from models.statistics.slot_columns import SlotColumns


class EndedSlots(NamedTuple):
    """The sums of slots by their numbers, at the tick `at` (UTC epoch seconds).

    A series whose windows do not reach back to a slot may be missing in it.
    """

    at: float
    slots: Mapping[int, SlotColumns]
