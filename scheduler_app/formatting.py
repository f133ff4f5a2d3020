"""Numbers, ages and times as texts of a table."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

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


def counted_text(number: float, what: str) -> str:
    """Return a number of things, of which `what` is the name of one: 1 message, 12,345 messages."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def rate_text(per_second: float) -> str:
    """Return a rate, a second or, where that is less than one, a minute or an hour."""
    for seconds, unit in ((1.0, "second"), (60.0, "minute")):
        if per_second * seconds >= 1:
            return f"{_three_digits(per_second * seconds)} a {unit}"
    return f"{_three_digits(per_second * 3600)} an hour"


def size_text(size: float) -> str:
    """Return a number of bytes with its unit: 999 B, 1.00 kB, 5.07 MB."""
    for length, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= length:
            return f"{_three_digits(size / length)} {unit}"
    return f"{size:.0f} B"


def _three_digits(value: float) -> str:
    """Return a number with three significant digits, or all before the point."""
    return f"{value:,.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def time_text(time: float | None, zone: timezone = UTC) -> str:
    """Return UTC epoch seconds as date and time in `zone`, which is not named; a dash for None."""
    if time is None:
        return "-"
    moment = _moment(time, zone)
    return number_text(time) if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"


def local_zone() -> timezone:
    """Return the zone of this machine (TZ), with the offset that it has now.

    All times of a table have this one offset, also those from before a change of the clocks.
    """
    return timezone(datetime.now().astimezone().utcoffset() or timedelta())


def zone_text() -> str:
    """Return how the heading above local times names their zone: UTC, or such as UTC+05:30."""
    return str(local_zone())


def local_text(time: float | None) -> str:
    """Return UTC epoch seconds as date and time in the zone of this machine; a dash for None."""
    return time_text(time, local_zone())


def moment_text(time: float | None) -> str:
    """Return the same with its offset, as in the log: for a time that stands by itself."""
    moment = None if time is None else _moment(time, local_zone())
    return time_text(time) if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} {moment.isoformat()[-6:]}"


def _moment(time: float, zone: timezone) -> datetime | None:
    try:
        return datetime.fromtimestamp(time, zone)
    except (ValueError, OverflowError, OSError):  # outside the years 1 to 9999
        return None


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
