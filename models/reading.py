"""The one shape of a reading, wherever it goes."""

from typing import NamedTuple


class Reading(NamedTuple):
    """One number, of one series, at one time.

    `time` is its event time in UTC epoch seconds. A series that does not exist yet has the negative
    number that its batch gives it (models/catalog.py, NewSeries).
    """

    series: int
    time: float
    value: float
    # What the payload gave as its `id`.
    reading_id: str | None = None
