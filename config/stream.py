"""A stream: topics that are read in the same way."""

from dataclasses import dataclass

from config.field_path import FieldPath
from config.quantities import Window
from models.statistics.rules import DEFAULT_RULES, Rules

DEFAULT_STATISTICS = ("avg",)
# Seconds. What is kept beyond the longest window, so that late readings find their place and ticks
# their rows.
RETENTION_MARGIN = 5 * 60.0


@dataclass(frozen=True)
class Stream:
    """Topics that are read in the same way. A topic belongs to the first stream whose filter matches it.

    What a stream file says under a key is in the attribute of that name, unless it is said otherwise; a key
    that is left out has the default that stands here.
    """

    # MQTT topic filter
    topic: str
    windows: tuple[Window, ...]
    # For how many seconds its readings are kept.
    retention: float
    statistics: tuple[str, ...] = DEFAULT_STATISTICS
    # Which fields are readings (`value`). Empty: the payload is a plain number, or has the field `number`.
    fields: tuple[FieldPath, ...] = ()
    # Every number in a message is a reading (`value = "*"`).
    every_number: bool = False
    # Where the time of a reading stands. None: in `epochtime`, or else it is the time of arrival.
    time: FieldPath | None = None
    time_format: str = "s"
    # For how many seconds a value holds if no other comes. None: an empty window has no value.
    hold: float | None = DEFAULT_RULES.hold
    # A counter began again at 0 where it reads less than this share of the reading before.
    reset_below: float = DEFAULT_RULES.reset_below
    # In how many seconds a rate is the increase.
    per: float = DEFAULT_RULES.per
    # Whether its readings are in the averages over all readings together.
    overall: bool = True

    @property
    def plain(self) -> bool:
        """Whether a message is one reading in the form that our own publisher uses."""
        return not (self.fields or self.every_number or self.time)

    @property
    def rules(self) -> Rules:
        """What it says about how its statistics are computed.

        The reading before a window is known for as long as readings are certain to be kept.
        """
        return Rules(self.hold, self.reset_below, self.per, self.retention - RETENTION_MARGIN)
