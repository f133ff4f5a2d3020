"""What a stream says about how its statistics are computed."""

import math
from typing import NamedTuple


class Rules(NamedTuple):
    """What may be different from stream to stream, beside the windows and the names of the statistics."""

    # For how many seconds a value holds if no other comes. None: until the next one, but an empty window
    # has none.
    hold: float | None = None
    # A counter began again at 0 where it reads less than this share of the reading before. 0: never.
    reset_below: float = 0.9
    # In how many seconds a rate is the increase.
    per: float = 1.0
    # How many seconds before a tick the reading before a window may be and is still known.
    reach: float = 0.0

    @property
    def longest_hold(self) -> float:
        """For how many seconds a value holds at most."""
        return math.inf if self.hold is None else self.hold


DEFAULT_RULES = Rules()
