"""What must be so of the keys of a stream together, and of the streams of a file."""

from collections.abc import Container, Iterable, Mapping
from itertools import product
from typing import Any

from config.field_path import FieldPath
from config.formats import FORMATS
from config.stream import DEFAULT_STATISTICS
from config.stream_keys import KEYS, WrongKey
from config.text import printable
from config.topics import covers, is_shared


def check_together(given: Mapping[str, Any], all_keys: Mapping[str, Any]) -> None:
    """Check what is `given` in one stream; `all_keys` has the defaults of its format too. Raises WrongKey."""
    if "topic" not in given:
        raise WrongKey("", "this stream needs a topic")
    for key in map(KEYS.__getitem__, given):
        if key.needs is not None and key.needs not in all_keys:
            raise WrongKey(key.name, f"{key.name} needs {key.needs}, {key.for_what}")
        if key.statistic is not None and key.statistic not in all_keys.get("statistics", DEFAULT_STATISTICS):
            raise WrongKey(key.name, f"{key.name} needs {key.statistic} among the statistics")
    if "time_zone" in given and _counts_from_1970(all_keys.get("time_format", "s")):
        raise WrongKey(
            "time_zone",
            "time_zone needs a time_format for a date and a time, such as iso8601: numbers are UTC",
        )
    if given.get("retained") == "take":
        _check_retained(given)
    for name in ("include", "exclude"):
        if name in given and all_keys.get("value", ()) is not None:
            raise WrongKey(name, f'{name} needs value = "*", of whose numbers it takes some')
    _check_included(given.get("include", ()), given.get("exclude", ()))
    _check_format(given, all_keys)
    _check_elements(given, all_keys)


def _check_included(included: Iterable[FieldPath], excluded: Iterable[FieldPath]) -> None:
    for path, other in product(included, excluded):
        if path.keys[: len(other.keys)] == other.keys:
            shown, above = (printable(".".join(each.keys)) or "." for each in (path, other))
            raise WrongKey(
                "include", f"include = {shown} is at or below exclude = {above}: nothing is left of it"
            )


def _check_retained(given: Mapping[str, Any]) -> None:
    if given.get("implied_id") is False:
        raise WrongKey(
            "implied_id",
            "implied_id = false must not stand beside retained = take: a retained copy comes again at each "
            "start, and is known by its time and value",
        )
    if (shared := next(filter(is_shared, given["topic"]), None)) is not None:
        raise WrongKey(
            "retained",
            f"retained = take needs a topic without $share: {printable(shared)} gets no retained copies",
        )


def _check_format(given: Mapping[str, Any], all_keys: Mapping[str, Any]) -> None:
    name = all_keys.get("format", "json")
    for needed in FORMATS[name].needs:
        if needed not in all_keys:
            raise WrongKey("format", f"format = {name} needs {needed} too")
    for of_format, keys in (("raw", ("type", "endianness")), ("csv", ("columns", "delimiter"))):
        for key in keys:
            if key in given and name != of_format:
                raise WrongKey(key, f'{key} needs format = "{of_format}"')


def _check_elements(given: Mapping[str, Any], all_keys: Mapping[str, Any]) -> None:
    name = all_keys.get("format", "json")
    if "each" in given and FORMATS[name].has_elements:
        raise WrongKey(
            "each", f"each must not stand beside format = {name}, which says itself what its readings are"
        )
    if "each" in given and "series" not in given and "time" not in given:
        raise WrongKey(
            "each",
            "each needs series, such as {topic}/{each}, or time: else its readings cannot be told apart",
        )
    series = all_keys.get("series")
    if series is not None and series.names_elements and "each" not in all_keys:
        raise WrongKey("series", "series = … {each} needs each, which says where the elements stand")


def hidden_by(topic_filter: str, earlier: Container[str], wild: Iterable[str]) -> str | None:
    """Return which of the `earlier` filters leaves nothing to a later one; `wild` are those with wildcards.

    A topic belongs to the first. Without wildcards a filter leaves nothing to another only if it is the same.
    """
    if topic_filter in earlier:
        return topic_filter
    return next((other for other in wild if covers(other, topic_filter)), None)


def hidden(topic_filter: str, by: str, line: int) -> str:
    """Say that a stream never gets a message, and what was probably meant."""
    return (
        f"topic = {printable(topic_filter)} never gets a message: {printable(by)} in line {line} matches all "
        "of it, and a topic belongs to the first stream that matches. Name several fields in one stream: "
        'value = ["a", "b"]; put an exception before the rule'
    )


def _counts_from_1970(time_format: str) -> bool:
    return time_format in ("s", "ms", "us", "ns")
