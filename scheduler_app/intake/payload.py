"""What a message says: one reading, or the reason why it is none."""

import json
import math
import re
from enum import StrEnum
from hashlib import blake2b
from typing import Any, NamedTuple, NoReturn

MAX_PAYLOAD = 65536
# Where a reading stands, and its event time, unless a stream file names other fields.
NUMBER, EPOCHTIME = "number", "epochtime"
# No digit can be matched in two ways, and none is given back (`++`, `*+`): what a sensor sends must not
# be able to keep the search busy for longer than it takes to read it once.
_NUMBER = re.compile(r"[+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_LONGEST_INTEGER = 40
# Longer ids are stored as a digest.
_LONGEST_ID = 64
_YEAR = 365 * 86400.0
_SUBSECOND_UNITS = {"milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}


class Reason(StrEnum):
    """Why a message is no reading."""

    TOO_LONG = "too long"
    NOT_UTF8 = "not UTF-8"
    NOT_JSON = "not JSON"
    TOO_DEEP = "nested too deep"
    NO_NUMBER = "no number"
    BOOLEAN = "boolean"
    NOT_FINITE = "not finite"
    BAD_TIME = "no time"
    TOO_FAR_AHEAD = "too far ahead"
    TOO_MANY_NUMBERS = "too many numbers"


class Rejected(Exception):
    """The message is no reading. `detail` says more than `reason` where there is more to say."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class Decoded(NamedTuple):
    """A reading whose series is not known yet, in the order of a Reading: see models/reading.py.

    `time` is its event time in UTC epoch seconds.
    """

    # As it stands in the name of the series; empty where a message is one reading.
    field: str
    time: float
    value: float
    reading_id: str | None = None


def decode(payload: bytes, arrived: float, latest: float) -> Decoded:
    """Return the reading in `payload`, or raise Rejected.

    Taken are a JSON object with `number` and, optionally, `epochtime` (each a JSON number or a
    numeric string), and a plain number as text. Without a time of its own a reading has the time
    it `arrived`. Its time may be up to `latest`. All times are UTC epoch seconds. An `id` (a string
    or a whole number) names this one reading among all of its topic.
    """
    content = parse(payload)
    if not isinstance(content, dict):
        return Decoded("", arrived, number(content))
    value = number(content.get(NUMBER))
    reading_id = _reading_id(content.get("id"))
    return Decoded("", event_time(content.get(EPOCHTIME), arrived, latest), value, reading_id)


def event_time(found: object, arrived: float, latest: float, units: float = 1.0) -> float:
    """Return the event time (UTC epoch seconds) that was `found` in a payload, or raise Rejected.

    Without one a reading has the time it `arrived`. `units`: how many of them are a second.
    """
    if found is None:
        return arrived
    time = number(found, Reason.BAD_TIME) / units
    if time > latest:
        raise Rejected(Reason.TOO_FAR_AHEAD, _ahead(time, latest))
    return time


def parse(payload: bytes) -> Any:
    """Return what a payload holds as JSON, or a plain number as text. Raises Rejected."""
    if len(payload) > MAX_PAYLOAD:
        raise Rejected(Reason.TOO_LONG, f"{len(payload)} bytes, {MAX_PAYLOAD} are allowed")
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        raise Rejected(Reason.NOT_UTF8) from None
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise Rejected(Reason.TOO_DEEP) from None
    except ValueError:
        return _plain_number(text)


def _plain_number(text: str) -> str:
    stripped = text.strip()
    if _NUMBER.fullmatch(stripped) or _NOT_FINITE.fullmatch(stripped):
        return stripped  # `+21.5`, `.5` and `007` are no JSON, but numbers
    raise Rejected(Reason.NOT_JSON)


def number(content: object, otherwise: Reason = Reason.NO_NUMBER) -> float:
    """Return `content` as a finite float; what is no number at all is rejected as `otherwise`."""
    if isinstance(content, float) and math.isfinite(content):
        return content  # as mostly
    if isinstance(content, bool):
        raise Rejected(Reason.BOOLEAN)
    if isinstance(content, str):
        text = content.strip()
        if _NUMBER.fullmatch(text):
            content = float(text)
        elif _NOT_FINITE.fullmatch(text):
            raise Rejected(Reason.NOT_FINITE)
    if isinstance(content, int):
        content = float(content)
    if not isinstance(content, float):
        raise Rejected(otherwise)
    if not math.isfinite(content):
        raise Rejected(Reason.NOT_FINITE)
    return content


def _integer(text: str) -> float | int:
    """Read a JSON integer of any length: one that no id has becomes a float, if need be infinity."""
    return int(text) if len(text) <= _LONGEST_INTEGER else float(text)


def _reading_id(content: object) -> str | None:
    if isinstance(content, bool) or not isinstance(content, str | int) or content == "":
        return None
    text = str(content)
    if len(text) <= _LONGEST_ID and text.isascii() and not text.startswith("#"):
        return text
    return "#" + blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def _ahead(time: float, latest: float) -> str:
    for unit, scale in _SUBSECOND_UNITS.items():
        if abs(time / scale - latest) < 10 * _YEAR:
            return f"looks like {unit}"
    return f"{time - latest:.0f} s more than allowed"


def _refuse_constant(name: str) -> NoReturn:
    raise Rejected(Reason.NOT_FINITE)


# Made once: `json.loads` would make one for each payload, at the cost of decoding it.
_DECODER = json.JSONDecoder(parse_int=_integer, parse_constant=_refuse_constant)
