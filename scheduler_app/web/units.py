"""The units of series, as far as stream files say them."""

from collections.abc import Callable
from functools import lru_cache

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
