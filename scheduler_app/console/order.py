"""In which order a table shows its rows."""

import re
from typing import NamedTuple

# A text between numbers, then the number: how many digits it has, and which.
NameKey = tuple[tuple[str, int, str], ...]


class Order(NamedTuple):
    """By which column rows are sorted."""

    column: str
    descending: bool = False


def name_key(name: str) -> tuple[NameKey, str]:
    """Return what to sort names of series by, so that room2 comes before room10."""
    parts = re.findall(r"([^0-9]*)0*([0-9]*)", name)
    # of two numbers the one with more digits is larger; to read them as numbers could take for ever
    return tuple((text, len(digits), digits) for text, digits in parts), name
