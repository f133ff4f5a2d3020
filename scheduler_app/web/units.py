"""The units of series, as far as stream files say them."""

import re
from collections.abc import Callable
from functools import lru_cache

from config.quantities import format_duration
from config.settings import Settings
from config.streams import stream_of_name

# Of so many series it is remembered.
_REMEMBERED = 20_000


def units(settings: Settings) -> Callable[[str], str | None]:
    """Return what tells the unit of a series by its name, None if it is not known."""

    @lru_cache(_REMEMBERED)
    def unit_of(name: str) -> str | None:
        stream = stream_of_name(settings.streams, name)
        return None if stream is None else stream.conversion_of(name).unit

    return unit_of


def rate_unit(settings: Settings, name: str) -> str | None:
    """Return the unit of the `rate` of a series, such as kWh/h, None if none is known of its readings."""
    stream = stream_of_name(settings.streams, name)
    if stream is None or (unit := stream.conversion_of(name).unit) is None:
        return None
    # of one hour is said an hour
    return f"{unit}/{re.sub('^1(?=[a-z])', '', format_duration(stream.per))}"
