"""Numbers as they are stored many at a time: one column after the other, each in as few bytes as it takes."""

import sys
from array import array
from collections.abc import Collection, Sequence
from typing import Any

# For whole numbers from 0 on: 1, 2, 4 and 8 bytes each.
_WHOLE = "BHIQ"
_FLOAT = "d"
# All are stored with the low byte first.
_SWAPPED = sys.byteorder == "big"
# So many bits of the id of a series say in a stretch of time that it is there. Where two have the same,
# a history reads what it need not.
_SERIES_BITS = 0xFFFF


def pack(*columns: Sequence[int] | Sequence[float]) -> bytes:
    """Return columns of equal length in one piece, each of floats or of whole numbers from 0 on."""
    kinds, parts = "", []
    for column in columns:
        kind = _kind(column)
        kinds += kind
        parts.append(_bytes(array(kind, column)))
    return b"".join((kinds.encode(), b"\n", *parts))


def unpack(packed: bytes) -> "list[array[Any]]":
    """Return the columns that were packed."""
    kinds, _, content = packed.partition(b"\n")
    columns: list[array[Any]] = [array(kind) for kind in kinds.decode()]
    rows = len(content) // (sum(column.itemsize for column in columns) or 1)
    place = 0
    for column in columns:
        end = place + rows * column.itemsize
        column.frombytes(content[place:end])
        place = end
        if _SWAPPED:
            column.byteswap()
    return columns


def pack_series(series: Collection[int]) -> bytes:
    """Return how a stretch of time says that these series are there."""
    try:
        numbers = array("H", series)
    except OverflowError:  # only where there have been many
        numbers = array("H", [number & _SERIES_BITS for number in series])
    return _bytes(numbers)


def _kind(column: Sequence[int] | Sequence[float]) -> str:
    if isinstance(column[0] if column else 0.0, float):
        return _FLOAT
    most = max(column)
    return next(kind for kind in _WHOLE if most < 1 << 8 * array(kind).itemsize)


def _bytes(column: "array[Any]") -> bytes:
    if _SWAPPED:
        column.byteswap()
    return column.tobytes()
