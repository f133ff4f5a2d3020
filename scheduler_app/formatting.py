"""Numbers, ages and times as texts of a table."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime

_BLOCKS = "▁▂▃▄▅▆▇█"
# Units with their lengths in seconds.
_AGES = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))


def number_text(value: float | None) -> str:
    """Return a number with six significant digits, a whole number with all its digits; a dash for None."""
    if value is None:
        return "-"
    if abs(value) < 1e15 and value == math.floor(value):
        return str(int(value))
    return f"{value:.6g}"


def age_text(seconds: float) -> str:
    """Return an age in one unit, of which there are at least two: 119s, 2min, 47h, 2d."""
    for length, unit in _AGES:
        if seconds >= 2 * length:
            return f"{seconds // length:.0f}{unit}"
    return f"{max(0.0, seconds):.0f}s"


def time_text(time: float | None) -> str:
    """Return UTC epoch seconds as date and time, in UTC; a dash for None."""
    if time is None:
        return "-"
    try:
        return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):  # outside the years 1 to 9999
        return number_text(time)


def sparkline(values: Sequence[float | None]) -> str:
    """Return a block for each value, from the lowest to the highest of them; a space for None."""
    numbers = [value for value in values if value is not None]
    if not numbers:
        return " " * len(values)
    lowest, highest = min(numbers), max(numbers)
    # halves, since the difference of two floats may be too large for one
    height = highest / 2 - lowest / 2

    def block(value: float | None) -> str:
        if value is None:
            return " "
        share = (value / 2 - lowest / 2) / height if height else 0.5
        return _BLOCKS[min(len(_BLOCKS) - 1, int(share * len(_BLOCKS)))]

    return "".join(map(block, values))
