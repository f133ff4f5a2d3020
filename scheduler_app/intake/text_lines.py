"""Payloads of lines: CSV (RFC 4180), and the line protocol of InfluxDB."""

import csv
import re
from collections.abc import Sequence
from io import StringIO

from scheduler_app.intake.payload import NothingToRead, Reason, Rejected, text_of

# No sign can be matched in two ways, and none is given back.
_KEY = r"(?:[^,= \\]|\\.)++"
_LINE = re.compile(
    rf"\A(?P<measurement>(?:[^, \\]|\\.)++)(?P<tags>(?:,{_KEY}={_KEY})*+) ++"
    r'(?P<fields>(?:[^" \\]|\\.|"(?:[^"\\]|\\.)*+")++)(?: ++(?P<time>-?\d{1,20}))? *+'
)
_TAG = re.compile(rf",({_KEY})=({_KEY})")
_FIELD = re.compile(rf'(?:\A|(?<=,))({_KEY})=("(?:[^"\\]|\\.)*+"|[^,"]++)(?:,(?=.)|$)')
_ESCAPED = re.compile(r'\\([,= "\\])')
_NUMBER = re.compile(r"([+-]?\d{1,20}+)[iu]|[+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?", re.ASCII)
_BOOLEANS = {
    **dict.fromkeys(("t", "T", "true", "True", "TRUE"), True),
    **dict.fromkeys(("f", "F", "false", "False", "FALSE"), False),
}


def parse_csv(payload: bytes, columns: Sequence[str], delimiter: str) -> list[object]:
    """Return the rows: as objects if the `columns` have names, else as lists. Raises Rejected.

    A row that repeats the names is none; one with more cells than names is Rejected itself.
    """
    reader = csv.reader(StringIO(_text(payload), newline=""), delimiter=delimiter)
    try:
        rows = [[cell.strip() for cell in row] for row in reader if row]
    except csv.Error as error:
        raise Rejected(Reason.WRONG_FORMAT, f"no CSV: {error}") from None
    if not columns:
        return list(rows)
    return [_named(row, columns) for row in rows if row != list(columns)]


def parse_influx(payload: bytes) -> list[object]:
    """Return the points, each an object of its `measurement`, tags, fields and `time`. Raises Rejected."""
    lines = map(str.strip, _text(payload).split("\n"))
    return [_point(line) for line in lines if line and not line.startswith("#")]


def _text(payload: bytes) -> str:
    text = text_of(payload).strip("\ufeff\0")
    if not text.strip():
        raise NothingToRead
    return text


def _named(row: Sequence[str], columns: Sequence[str]) -> dict[str, str] | Rejected:
    """Return the cells of a row by the names of their columns.

    One without a name may be the rest of a number with a decimal comma, of which half would be read.
    """
    if any(row[len(columns) :]):
        return Rejected(
            Reason.WRONG_FORMAT, f"a row has {len(row)} cells, and columns has {len(columns)} names"
        )
    return dict(zip(columns, row, strict=False))


def _point(line: str) -> dict[str, object] | Rejected:
    found = _LINE.fullmatch(line)
    if found is None:
        return Rejected(Reason.WRONG_FORMAT, "no line protocol")
    point: dict[str, object] = {_plain(key): _plain(value) for key, value in _TAG.findall(found["tags"])}
    end = 0
    while end < len(found["fields"]):
        field = _FIELD.match(found["fields"], end)
        if field is None:
            return Rejected(Reason.WRONG_FORMAT, "no line protocol: its fields are none")
        point[_plain(field[1])] = _value(field[2])
        end = field.end()
    point["measurement"] = _plain(found["measurement"])
    point["time"] = None if found["time"] is None else int(found["time"])
    return point


def _value(text: str) -> object:
    if text.startswith('"'):
        return _plain(text[1:-1])
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    number = _NUMBER.fullmatch(text)
    if number is None:
        return text
    return float(text) if number[1] is None else int(number[1])


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)
