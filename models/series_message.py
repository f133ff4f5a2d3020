"""What a tick says of one series. Whoever takes it from the statistics or from a message holds this."""

from typing import NamedTuple


class SeriesMessage(NamedTuple):
    """The statistics of a series at a tick. Times are UTC epoch seconds.

    `sequence` is that of the newest reading that was known at the tick; `last` and `last_time` tell
    the one of the series that is latest. `windows` are by name, each with its `count`.
    """

    series: str
    at: float
    sequence: int
    last: float
    last_time: float
    windows: dict[str, dict[str, float | int | None]]
