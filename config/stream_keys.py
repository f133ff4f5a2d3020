"""The keys of a stream: what may stand behind each, and what it is read as.

A further key is an entry in KEYS, and an attribute of the same name with its default in `config/stream.py`;
what `config/stream_values.py` has no reader for gets one there.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from config.conversion import Conversion
from config.field_path import PATH_FORM, FieldPath
from config.formats import read_format
from config.quantities import Window, each_of
from config.stream import Value, ValueTable
from config.stream_values import (
    choice_of,
    read_columns,
    read_decimal,
    read_delimiter,
    read_duration,
    read_label,
    read_map,
    read_name,
    read_path,
    read_paths,
    read_pattern,
    read_range,
    read_repeat,
    read_scale,
    read_share,
    read_switch,
    read_template,
    read_text,
    read_texts,
    read_time_format,
    read_time_zone,
    read_topics,
    read_types,
)
from config.text import complaint, printable, shortened
from models.statistics.registry import STATISTICS_FORM, is_statistic

# Characters of what is written behind a key.
_LONGEST_SHOWN = 200
_VALUE_FORM = f'must be {PATH_FORM}, or a list of these, or "*"'


class Key(NamedTuple):
    """One key of a stream."""

    name: str
    # Returns what is written there as the stream has it; ValueError says what is allowed.
    read: Callable[[Any], object]
    # Another key, without which this one says nothing, and what that says.
    needs: str | None = None
    for_what: str = ""
    # The statistic that it changes, without which it says nothing either.
    statistic: str | None = None


class WrongKey(ValueError):
    """A key is wrong, or what stands behind it. The text names it.

    So does `name`, for whoever looks for its line; that of a key of the third value is `value.2.scale`.
    """

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


def read_keys(table: Mapping[str, object], keys: Mapping[str, Key], of_what: str) -> dict[str, Any]:
    """Read what stands behind each key of a table. Raises WrongKey."""
    read: dict[str, Any] = {}
    for name, value in table.items():
        if name not in keys:
            allowed = ", ".join(keys)
            raise WrongKey(name, f"{printable(name)} is no key of {of_what}: its keys are {allowed}")
        try:
            read[name] = keys[name].read(value)
        except WrongKey:
            raise
        except ValueError as error:
            raise WrongKey(name, complaint(f"{name} = {_shown(value)}", str(error))) from None
    return read


def _shown(value: object) -> str:
    """Return what is written behind a key as it is told: in one line that can be read."""
    try:
        return shortened(printable(str(value)), _LONGEST_SHOWN)
    except ValueError:  # Python writes no number of thousands of digits
        return "a number of thousands of digits"


def read_windows(texts: Iterable[str]) -> tuple[Window, ...]:
    """Read one window or more; ValueError says which is none, or that one is there twice."""
    found = tuple(each_of(texts, Window.parse))
    if not found or len({window.name for window in found}) < len(found):
        raise ValueError("must name at least one window, and each only once")
    return found


def as_values(tables: tuple[ValueTable, ...], defaults: Conversion) -> tuple[Value, ...]:
    """Return the numbers in a message. What is not said of one alone, the stream says of all.

    Raises WrongKey.
    """
    several = len(tables) > 1
    values = tuple(
        Value(
            path=table.path,
            name=table.name or (str(table.path) if several else ""),
            conversion=defaults.but(table.own),
        )
        for table in tables
    )
    if several and not all(value.name for value in values):
        raise WrongKey("value", "value: what is the whole message needs a name, if it is one of several")
    if len({value.name for value in values}) < len(values):
        raise WrongKey("value", "value: two of these have the same name; set another with name")
    return values


def _values(value: object) -> tuple[ValueTable, ...] | None:
    """Return where the numbers stand, None for every number there is."""
    if value == "*":
        return None
    tables = tuple(
        _value(each, number) for number, each in enumerate(value if isinstance(value, list) else [value])
    )
    paths = [table.path for table in tables if table.name is None]
    if not tables or len(set(paths)) < len(paths):  # what is written in two ways would count twice
        raise ValueError("must name at least one path, and each only once")
    return tables


def _value(value: object, number: int) -> ValueTable:
    if not isinstance(value, dict):
        return ValueTable(FieldPath.parse(read_text(value, _VALUE_FORM)))
    try:
        read = read_keys(value, VALUE_KEYS, "a value")
    except WrongKey as error:
        raise WrongKey(f"value.{number}.{error.name}", str(error)) from None
    if "path" not in read:
        raise WrongKey(f"value.{number}", f"value = {_shown(value)} needs a path")
    return ValueTable(read.pop("path"), read.pop("name", None), read)


def _windows(value: object) -> tuple[Window, ...]:
    return read_windows(read_texts(value, "must be a window such as 5min, or a list of windows"))


def _statistics(value: object) -> tuple[str, ...]:
    names = read_texts(value, STATISTICS_FORM)
    if not names or not all(map(is_statistic, names)) or len(set(names)) < len(names):
        raise ValueError(STATISTICS_FORM)
    return tuple(names)


def _by_name(*keys: Key) -> dict[str, Key]:
    return {key.name: key for key in keys}


_WHERE = "which says where the time stands"
# What may be said of each number alone, or of all numbers of a stream: the attributes of a Conversion.
CONVERSION_KEYS = _by_name(
    Key("pattern", read_pattern),
    Key("unit", read_label),
    Key("decimal", choice_of(".", ",")),
    Key("map", read_map),
    Key("scale", read_scale),
    Key("offset", read_decimal),
    Key("range", read_range),
    Key("device_class", read_label),
)
VALUE_KEYS = _by_name(Key("path", read_path), Key("name", read_name), *CONVERSION_KEYS.values())
KEYS = _by_name(
    Key("topic", read_topics),
    Key("value", _values),
    Key("time", read_path),
    Key("time_format", read_time_format, needs="time", for_what=_WHERE),
    Key("time_zone", read_time_zone, needs="time", for_what=_WHERE),
    Key("bad_time", choice_of("reject", "arrival")),
    Key("late_as", choice_of("late", "arrival")),
    Key("retained", choice_of("skip", "take"), needs="time", for_what=_WHERE),
    Key("repeat", read_repeat),
    Key("implied_id", read_switch),
    Key("windows", _windows),
    Key("statistics", _statistics),
    Key("hold", read_duration),
    Key("reset_below", read_share, statistic="rate"),
    Key("per", read_duration, statistic="rate"),
    Key("overall", read_switch),
    Key("ha_discovery", read_switch),
    Key("series", read_template),
    Key("each", read_path),
    Key("id", read_path),
    *CONVERSION_KEYS.values(),
    Key("include", read_paths),
    Key("exclude", read_paths),
    Key("format", read_format),
    Key("type", read_types),
    Key(
        "endianness",
        choice_of("be", "le"),
        needs="type",
        for_what="which says what the bytes are",
    ),
    Key("columns", read_columns),
    Key("delimiter", read_delimiter),
)
