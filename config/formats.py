"""The forms of payloads that a stream may have, and where the reading stands in each unless it is said."""

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from config.field_path import FieldPath
from config.stream import ValueTable
from config.template import Template

ROOT = FieldPath(())
INSTALL = "pip install -r requirements-formats.txt"
# The numbers that raw bytes may be, with their letters in Python's `struct`.
RAW_TYPES = {
    "int8": "b",
    "uint8": "B",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float16": "e",
    "float32": "f",
    "float64": "d",
}


@dataclass(frozen=True)
class Format:
    """A form of payloads."""

    # What a stream of it has under some keys unless it says otherwise.
    defaults: dict[str, Any] = field(default_factory=dict)
    # Keys that a stream of it has to have.
    needs: tuple[str, ...] = ()
    # The module that reads it, where that is of no library of ours.
    module: str | None = None
    # How many elements it has is said by itself: `each` must not be set.
    has_elements: bool = False


FORMATS = {
    "json": Format(),
    "csv": Format({"each": ROOT}, needs=("value",), has_elements=True),
    "influx": Format(
        {"each": ROOT, "time": FieldPath(("time",)), "time_format": "ns"},
        needs=("value", "series"),
        has_elements=True,
    ),
    "senml": Format(
        {
            "each": ROOT,
            "value": (ValueTable(FieldPath(("v",))),),
            "time": FieldPath(("t",)),
            "series": Template.parse("{topic}/{n}"),
        },
        has_elements=True,
    ),
    "raw": Format(needs=("type",)),
    "cbor": Format(module="cbor2"),
    "msgpack": Format(module="msgpack"),
    "sparkplug_b": Format(
        {
            "each": FieldPath(("metrics",)),
            "value": (ValueTable(FieldPath(("value",))),),
            "time": FieldPath(("timestamp",)),
            "time_format": "ms",
            "series": Template.parse("{topic}/{name}"),
        },
        module="google.protobuf",
        has_elements=True,
    ),
}


def read_format(value: object) -> str:
    """Return the name of a format; ValueError says which there are, or that a library is missing."""
    if not isinstance(value, str) or value not in FORMATS:
        raise ValueError(f"must be one of {', '.join(FORMATS)}")
    module = FORMATS[value].module
    if module is not None and not _installed(module):
        raise ValueError(f"needs a library that is not installed: {INSTALL}")
    return value


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package it is in
        return False
