"""The text of a stream file that is suggested."""

import json
import re
from collections.abc import Iterator, Sequence

from config.text import printable
from scheduler_app.intake.number_names import path_text
from scheduler_app.trial.suggested import SuggestedStream, SuggestedValue, some

# Characters of a line with a list on it; a longer one has a line for each entry.
_LINE = 100
# A key that TOML takes without quotation marks.
_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def stream_text(stream: SuggestedStream, *, mixed: bool) -> str:
    """Return a stream as it stands in a stream file; `mixed`: whether its numbers are of several kinds."""
    return "\n".join(_lines(stream, mixed=mixed)) + "\n"


def comment(text: str) -> str:
    """Return a line that is for people."""
    return f"# {printable(text)}"


def _lines(stream: SuggestedStream, *, mixed: bool) -> Iterator[str]:
    names = stream.group.names
    yield comment(f"{len(names)} {'topic' if len(names) == 1 else 'topics'}: {some(names)}")
    for remark in stream.remarks:
        yield comment(remark)
    if stream.left_out:
        yield comment(f"left out, as it tells of the device: {', '.join(stream.left_out)}")
    yield "[[stream]]"
    filters = [_text(one) for one in stream.group.filters]
    # a single one with a comma is taken for a list that is written wrong
    alone = len(filters) == 1 and "," not in filters[0]
    yield f"topic = {filters[0] if alone else _list(filters)}"
    if stream.group.is_object:
        values = stream.values
        only = len(values) == 1
        yield f"value = {_value(values[0]) if only else _list([_value(one) for one in values])}"
    else:
        yield from _keys(stream.values[0])
    if stream.series is not None:
        yield f"series = {_text(stream.series)}"
    if stream.time is not None:
        yield f"time = {_text(path_text(stream.time.keys))}"
        yield f"time_format = {_text(stream.time.time_format)}"
        if stream.time.time_zone is not None:
            yield comment(
                "its time has no offset: local is the zone of this machine; name the device's zone instead"
            )
            yield comment("where that is another one, or in a container")
            yield f"time_zone = {_text(stream.time.time_zone)}"
    yield f"statistics = {_list([_text(name) for name in stream.statistics])}"
    if "rate" in stream.statistics:
        grown = [path_text(value.keys) for value in stream.values if value.total and value.keys]
        yield comment(f"{some(grown) if grown else 'this'} only grows: its rate is the increase in so long")
        yield 'per = "1h"'
    if mixed:
        yield "overall = false"


def _keys(value: SuggestedValue) -> Iterator[str]:
    if value.unit is not None:
        yield f"unit = {_text(value.unit)}"
    if value.device_class is not None:
        yield f"device_class = {_text(value.device_class)}"
    if value.words:
        words = ", ".join(f"{_key(word)} = {number:g}" for word, number in value.words.items())
        yield f"map = {{ {words} }}"


def _value(value: SuggestedValue) -> str:
    path = _text(path_text(value.keys))
    keys = list(_keys(value))
    return f"{{ {', '.join([f'path = {path}', *keys])} }}" if keys else path


def _list(entries: Sequence[str]) -> str:
    line = f"[{', '.join(entries)}]"
    if len(line) <= _LINE:
        return line
    return "\n".join(["[", *(f"    {entry}," for entry in entries), "]"])


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    """Return a text as TOML has it, which is as JSON has it but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
