"""Durations and windows as people write them: `10s`, `5min`, `24h`."""

import re
from dataclasses import dataclass

_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|min|h|d)")
LONGEST_DURATION = 366 * 86400.0
DURATION_FORM = "a number with a unit: ms, s, min, h or d, for example 10s, 5min, 24h"


def parse_duration(text: str) -> float:
    """Return the seconds that `text` (`10s`, `1.5h`) stands for.

    Raises ValueError, saying what is allowed, for anything else.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(DURATION_FORM)
    return float(match[1]) * _UNITS[match[2]]


def format_duration(seconds: float) -> str:
    """Return `seconds` in the largest unit that keeps it whole: 2100.0 is `35min`."""
    for unit in ("d", "h", "min", "s"):
        if seconds >= _UNITS[unit] and seconds % _UNITS[unit] == 0:
            return f"{seconds / _UNITS[unit]:.0f}{unit}"
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


def whole_milliseconds(seconds: float) -> int:
    """Return the nearest number of milliseconds."""
    return round(seconds * 1000)


@dataclass(frozen=True)
class Window:
    """A stretch of time that ends now, for example the last 5 minutes.

    `name` is what the user wrote; it names the average on the wire: `avg_5min`.
    """

    name: str
    seconds: float

    @classmethod
    def parse(cls, text: str) -> "Window":
        name = text.strip()
        seconds = parse_duration(name)
        if not 1 <= seconds <= LONGEST_DURATION or seconds != whole_milliseconds(seconds) / 1000:
            raise ValueError("a window lasts from 1s to 366d, in whole milliseconds")
        return cls("".join(name.split()), seconds)

    @property
    def milliseconds(self) -> int:
        return whole_milliseconds(self.seconds)
