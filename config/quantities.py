"""Durations and windows as people write them: `10s`, `5min`, `24h`."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from config.text import printable

T = TypeVar("T")

# Seconds.
_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|min|h|d)")
# Seconds.
LONGEST_DURATION = 366 * 86400.0
DURATION_FORM = "must be a number with a unit (ms, s, min, h or d), for example 10s, 5min, 24h"


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


def each_of(texts: Iterable[str], parse: Callable[[str], T]) -> Iterator[T]:
    """Parse each of the texts that make up a list; where one of several is wrong, ValueError says which."""
    parts = list(texts)
    for part in parts:
        try:
            yield parse(part)
        except ValueError as error:
            if len(parts) == 1:
                raise
            raise ValueError(f"holds '{printable(part)}', which {error}") from None


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
            raise ValueError("must be a window from 1s to 366d, in whole milliseconds")
        return cls("".join(name.split()), seconds)

    @property
    def milliseconds(self) -> int:
        return whole_milliseconds(self.seconds)
