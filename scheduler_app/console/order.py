"""In which order a table shows its rows."""

from typing import NamedTuple


class Order(NamedTuple):
    """By which column rows are sorted."""

    column: str
    descending: bool = False
