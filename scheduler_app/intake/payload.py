"""What a message says: one reading, or the reason why it is none."""

import json
import math
import re
from enum import StrEnum
from hashlib import blake2b
from typing import Any, NamedTuple

from config.text import listed
from scheduler_app.intake.number_names import MOST_NAMED, number_paths

MAX_PAYLOAD = 65536
# Where a reading stands, and its event time, unless a stream file names other fields.
NUMBER, EPOCHTIME = "number", "epochtime"
# No digit can be matched in two ways, and none is given back (`++`, `*+`): what a sensor sends must not
# be able to keep the search busy for longer than it takes to read it once.
_NUMBER = re.compile(r"[+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
# What a home automation writes where a sensor says nothing.
_NO_VALUES = frozenset({"", "unavailable", "unknown", "none", "null"})
# What some devices put around a payload, and no JSON may hold: a byte order mark, and the end of a text in C.
_AROUND = "\ufeff\0"
# What JSON allows around a value (RFC 8259 section 2).
_BLANKS = " \t\n\r"
_LONGEST_INTEGER = 40
# Below it each whole number is a float of its own.
_WHOLE = 2.0**53
# Longer ids are stored as a digest.
_LONGEST_ID = 64
_YEAR = 365 * 86400.0
# Seconds.
_MANY = 1e12
_UNITS = {"seconds": 1.0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}


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
    UNKNOWN_WORD = "unknown word"
    OUT_OF_RANGE = "out of range"
    NO_NAME = "no name for its series"
    WRONG_FORMAT = "wrong format"


class Rejected(Exception):
    """The message is no reading. `detail` says more than `reason` where there is more to say."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class NothingToRead(Exception):
    """The message says nothing: that is no error, and no reading either."""


class Decoded(NamedTuple):
    """A reading whose series is not known yet, in the order of a Reading: see models/reading.py.

    `time` is its event time in UTC epoch seconds.
    """

    # What the name of the series has behind the topic, empty where a message is one reading; the whole name
    # where the stream says how its series are named.
    field: str
    time: float
    value: float
    reading_id: str | None = None


def decode(payload: bytes, arrived: float, latest: float) -> Decoded:
    """Return the reading in `payload`, or raise Rejected or NothingToRead.

    Taken are a JSON object with `number` and, optionally, `epochtime` (each a JSON number or a
    numeric string), and a plain number as text. Without a time of its own a reading has the time
    it `arrived`. Its time may be up to `latest`. All times are UTC epoch seconds. An `id` (a string
    or a whole number) names this one reading among all of its topic.
    """
    content = parse(payload)
    if not isinstance(content, dict):
        return Decoded("", arrived, number(content))
    if (found := content.get(NUMBER)) is None:
        raise no_number(content)
    value = number(found)
    reading_id = id_of(content.get("id"))
    return Decoded("", event_time(content.get(EPOCHTIME), arrived, latest), value, reading_id)


def no_number(content: object) -> Rejected | NothingToRead:
    """Return what is to be said of a message without a `number`: an empty one is no error."""
    if content is None or (isinstance(content, dict | list) and (not content or NUMBER in content)):
        return NothingToRead()
    if not (paths := number_paths(content)):
        return Rejected(Reason.NO_NUMBER, f"looked for {NUMBER}")
    cure = f"name them in STREAMS_FILE, or --value {paths[0]}"
    return Rejected(Reason.NO_NUMBER, f"has {listed(paths, MOST_NAMED)}; {cure}")


def event_time(found: object, arrived: float, latest: float, units: float = 1.0) -> float:
    """Return the event time (UTC epoch seconds) that was `found` in a payload, or raise Rejected.

    Without one a reading has the time it `arrived`. `units`: how many of them are a second.
    """
    if found is None:
        return arrived
    time = number(found, Reason.BAD_TIME) / units
    if time > latest:
        raise Rejected(Reason.TOO_FAR_AHEAD, other_unit(time, latest, units) or too_much(time - latest))
    return time


def parse(payload: bytes) -> Any:
    """Return what a payload holds as JSON, or a plain number as text. Raises Rejected or NothingToRead."""
    text = text_of(payload)
    try:
        if text[:1] not in _BLANKS:
            content, end = _DECODER.raw_decode(text)
            if end == len(text):
                return content  # as mostly; `decode` takes longer, since it looks for blanks around it
        return _DECODER.decode(text)
    except RecursionError:
        raise Rejected(Reason.TOO_DEEP) from None
    except ValueError:
        return _no_json(text)


def parse_or_text(payload: bytes) -> Any:
    """Return what a payload holds as JSON, or as its text. Raises Rejected or NothingToRead."""
    try:
        return parse(payload)
    except Rejected as rejection:
        if rejection.reason != Reason.NOT_JSON:
            raise
        text = _stripped(text_of(payload))
        if text.startswith(("{", "[")):
            raise  # it was to be JSON
        return text


def parse_as_written(payload: bytes, *, searched: bool = False) -> Any:
    """Return what a payload holds as JSON, or its text where it is a text, a number, or says nothing.

    For what reads texts: with a decimal comma `1.234` is another number than in JSON, and `none` may be a
    word for one. Where texts are `searched`, one may begin as JSON does. Raises Rejected.
    """
    try:
        content = parse_or_text(payload)
    except NothingToRead:
        return _stripped(text_of(payload))
    except Rejected as rejection:
        if not searched or rejection.reason != Reason.NOT_JSON:
            raise
        return _stripped(text_of(payload))
    if type(content) in (int, float) and math.isfinite(content):
        return _stripped(text_of(payload))
    return content


def text_of(payload: bytes) -> str:
    """Return the text of a payload that is not too long. Raises Rejected."""
    if len(payload) > MAX_PAYLOAD:
        raise Rejected(Reason.TOO_LONG, f"{len(payload)} bytes, {MAX_PAYLOAD} are allowed")
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise Rejected(Reason.NOT_UTF8) from None


def _no_json(text: str) -> Any:
    """Return what a payload holds that is no JSON as it stands."""
    stripped = _stripped(text)
    if len(stripped) < len(text.strip()):  # there was something around it
        try:
            return _DECODER.decode(stripped)
        except RecursionError:
            raise Rejected(Reason.TOO_DEEP) from None
        except ValueError:
            pass
    unquoted = stripped[1:-1] if stripped[:1] == stripped[-1:] == "'" else stripped
    if is_number(unquoted) or _NOT_FINITE.fullmatch(unquoted):
        return unquoted  # `+21.5`, `.5` and `007` are no JSON, but numbers
    if says_nothing(stripped):
        raise NothingToRead
    raise Rejected(Reason.NOT_JSON)


def _stripped(text: str) -> str:
    return text.strip().strip(_AROUND).strip()


def is_number(text: str) -> bool:
    """Whether a text, without spaces around it, is a number."""
    return _NUMBER.fullmatch(text) is not None


def says_nothing(text: str) -> bool:
    """Whether a text, without spaces around it, says that there is no value."""
    return len(text) < 12 and text.lower() in _NO_VALUES


def number(content: object, otherwise: Reason = Reason.NO_NUMBER) -> float:
    """Return `content` as a finite float; what is no number at all is rejected as `otherwise`.

    Where a number is expected, a text that says that there is none raises NothingToRead.
    """
    if isinstance(content, float) and math.isfinite(content):
        return content  # as mostly
    if isinstance(content, bool):
        raise Rejected(Reason.BOOLEAN)
    if isinstance(content, str):
        content = _number_of(content.strip(), otherwise)
    if isinstance(content, int):
        content = float(content)
    if not isinstance(content, float):
        if otherwise == Reason.NO_NUMBER and (content is None or content == []):
            raise NothingToRead
        raise Rejected(otherwise)
    if not math.isfinite(content):
        raise Rejected(Reason.NOT_FINITE)
    return content


def _number_of(text: str, otherwise: Reason) -> float:
    if _NUMBER.fullmatch(text):
        return float(text)
    if _NOT_FINITE.fullmatch(text):
        raise Rejected(Reason.NOT_FINITE)
    if otherwise == Reason.NO_NUMBER and says_nothing(text):
        raise NothingToRead
    raise Rejected(otherwise)


def _integer(text: str) -> float | int:
    """Read a JSON integer of any length: one that no id has becomes a float, if need be infinity."""
    return int(text) if len(text) <= _LONGEST_INTEGER else float(text)


def id_of(content: object) -> str | None:
    """Return the id of a reading that was found in its payload, None if it has none."""
    if isinstance(content, bool) or not isinstance(content, str | int) or content == "":
        # 17.0 is a whole number, too, up to where two of them may become one float
        if not (isinstance(content, float) and content.is_integer() and abs(content) < _WHOLE):
            return None
        content = int(content)
    text = str(content)
    if len(text) <= _LONGEST_ID and text.isascii() and not text.startswith("#"):
        return text
    return "#" + blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def other_unit(time: float, near: float, units: float) -> str:
    """Say in which unit a time was probably given that was read in another; empty if in none.

    Both are UTC epoch seconds; `units`: how many of those that it was read in are a second. In the right unit
    it is `near` the other, give or take ten years.
    """
    for unit, scale in _UNITS.items():
        if scale != units and abs(time * units / scale - near) < 10 * _YEAR:
            return f"looks like {unit}"
    return ""


def too_much(seconds: float) -> str:
    """Say how far a time is further ahead than allowed. What is very much is told by its first digits."""
    return f"{seconds:.0f} s more than allowed" if seconds < _MANY else f"{seconds:.3g} s more than allowed"


# Made once: `json.loads` would make one for each payload, at the cost of decoding it. A NaN is refused where
# it is looked at: beside it there may be a good reading.
_DECODER = json.JSONDecoder(parse_int=_integer)
