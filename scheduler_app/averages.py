"""A message with averages, as the stats role reads it."""

import json
import math
from typing import TypeGuard


class NotAverages(Exception):
    """The message holds no averages; the text says why."""


def parse_averages(payload: bytes) -> dict[str, float | int | None]:
    """Return the averages in `payload`: a JSON object with a number or null for each window."""
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        raise NotAverages("it is not JSON") from None
    if not isinstance(content, dict) or not content:
        raise NotAverages("it is no JSON object with a value for each window")
    for name, value in content.items():
        if not name.isprintable():
            raise NotAverages(f"{name!r} is no name of a window")
        if value is not None and not is_number(value):
            raise NotAverages(f"{name!r} is neither a number nor null")
    return content


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a number that a float can hold, as JSON gives it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that is no float
        return False
