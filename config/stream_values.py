"""What may be written in a stream file, read as what it stands for. ValueError says what is allowed."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite, isnan
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from config.field_path import PATH_FORM, FieldPath
from config.formats import RAW_TYPES
from config.pattern import Pattern
from config.quantities import DURATION_FORM, LONGEST_DURATION, parse_duration
from config.template import Template
from config.topics import check_topic, check_topic_filter

TIME_FORMATS = ("s", "ms", "us", "ns", "iso8601", "rfc2822")
# Seconds.
LONGEST_REPEAT = 60.0
# Characters.
_LONGEST_WORD = 64
# What stands for a year in a pattern, alone or in a whole date.
_YEARS = ("%Y", "%y", "%G", "%c", "%x")
_SOME_TIMES = datetime(2026, 11, 23, 14, 20, 30, tzinfo=UTC), datetime(2031, 2, 5, 1, 2, 3, tzinfo=UTC)


def read_text(value: object, allowed: str) -> str:
    """Return a text, or say what is `allowed`."""
    if not isinstance(value, str):
        raise ValueError(allowed)
    return value


def read_texts(value: object, allowed: str) -> list[str]:
    """Return a text, or a list of texts, as a list; or say what is `allowed`."""
    values = value if isinstance(value, list) else [value]
    return [read_text(each, allowed) for each in values]


def read_topics(value: object) -> tuple[str, ...]:
    """Return the topic filters. A single one with a comma is taken for a list that is written wrong."""
    texts = read_texts(value, "must be an MQTT topic filter, or a list of these")
    if not isinstance(value, list) and "," in texts[0]:
        listed = ", ".join(f'"{text.strip()}"' for text in texts[0].split(","))
        raise ValueError(f'must be a list if these are several: [{listed}]; if it is one, ["{texts[0]}"]')
    if not texts or len(set(texts)) < len(texts):
        raise ValueError("must name at least one topic filter, and each only once")
    return tuple(map(check_topic_filter, texts))


def read_path(value: object) -> FieldPath:
    """Return where something stands in a message."""
    return FieldPath.parse(read_text(value, f"must be {PATH_FORM}"))


def read_paths(value: object) -> tuple[FieldPath, ...]:
    """Return the paths, each once: what is written in two ways would count twice."""
    paths = tuple(map(FieldPath.parse, read_texts(value, f"must be {PATH_FORM}, or a list of these")))
    if not paths or len(set(paths)) < len(paths):
        raise ValueError("must name at least one path, and each only once")
    return paths


def read_time_format(value: object) -> str:
    """Return the format of a time: the name of one, or a pattern for strptime that tells a whole date."""
    if isinstance(value, str) and (value in TIME_FORMATS or _is_date_pattern(value)):
        return value
    raise ValueError(
        f"must be one of {', '.join(TIME_FORMATS)}, or a pattern for a date and a time such as %d.%m.%Y %H:%M"
    )


def _is_date_pattern(pattern: str) -> bool:
    """Whether a date and a time of day that are written by the pattern are read again by it."""
    if not any(year in pattern for year in _YEARS):
        return False  # Python warns of a day without a year
    try:
        return all(
            datetime.strptime(time.strftime(pattern), pattern).timetuple()[:5] == time.timetuple()[:5]  # noqa: DTZ007
            for time in _SOME_TIMES
        )
    except (ValueError, IndexError, KeyError):
        return False


def read_time_zone(value: object) -> str:
    """Return the name of a time zone that this machine knows."""
    name = read_text(value, "must be a time zone such as Europe/Berlin, or local")
    if name == "local":
        return name
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if not available_timezones():
            raise ValueError(
                "needs the time zones of the world, which this machine does not have: install tzdata"
            ) from None
        raise ValueError("must be a time zone such as Europe/Berlin, or local") from None
    return name


def choice_of(*choices: str) -> Callable[[object], str]:
    """Return a reader of one of these words."""

    def read(value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"must be {' or '.join(choices)}")
        return value

    return read


def read_template(value: object) -> Template:
    """Return how a series' name is put together."""
    return Template.parse(read_text(value, "must be a text with fields in braces, such as {model}/{id}"))


def read_name(value: object) -> str:
    """Return what the name of a series may end with."""
    return check_topic(read_text(value, "must be a text"))


def read_label(value: object) -> str:
    """Return a text that is shown to people."""
    text = read_text(value, "must be a text")
    if not (text.strip() and text.isprintable() and len(text) <= _LONGEST_WORD):
        raise ValueError(f"must be a text of 1 to {_LONGEST_WORD} visible characters")
    return text.strip()


def read_map(value: object) -> Mapping[str, float]:
    """Return the numbers by words, which are the same in upper and lower case."""
    allowed = "must be numbers for words, such as { ON = 1, OFF = 0 }"
    if not isinstance(value, dict) or not value:
        raise ValueError(allowed)
    words = {word.strip().lower(): _number(number, allowed) for word, number in value.items()}
    if not all(map(isfinite, words.values())):
        raise ValueError(f"{allowed}: nan and inf are no readings")
    if len(words) < len(value) or any(len(word) > _LONGEST_WORD for word in words):
        raise ValueError("must have each word only once, in upper or in lower case")
    return MappingProxyType(words)


def read_decimal(value: object) -> Decimal:
    """Return a number as the decimal fraction that it is written as."""
    number = _number(value, "must be a number")
    if not isfinite(number):
        raise ValueError("must be a number")
    return Decimal(repr(value))


def read_scale(value: object) -> Decimal:
    """Return what numbers are multiplied by."""
    if not (scale := read_decimal(value)):
        raise ValueError("must be a number other than 0")
    return scale


def read_range(value: object) -> tuple[float, float]:
    """Return the bounds of what is possible."""
    allowed = (
        "must be the smallest and the largest number that is allowed, such as [-40, 80]; inf is no limit"
    )
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError(allowed)
    least, most = (_number(bound, allowed) for bound in value)
    if isnan(least) or isnan(most) or least >= most:
        raise ValueError(allowed)
    return least, most


def read_pattern(value: object) -> Pattern:
    """Return what a text is searched for."""
    return Pattern.parse(read_text(value, "must be a text"))


def read_types(value: object) -> tuple[str, ...]:
    """Return which numbers raw bytes hold."""
    allowed = f"must be one of {', '.join(RAW_TYPES)}, or a list of these"
    types = read_texts(value, allowed)
    if not types or not set(types) <= RAW_TYPES.keys():
        raise ValueError(allowed)
    return tuple(types)


def read_columns(value: object) -> tuple[str, ...]:
    """Return the names of the columns of CSV."""
    allowed = "must be the names of the columns, each once"
    names = read_texts(value, allowed)
    if not all(names) or len(set(names)) < len(names):
        raise ValueError(allowed)
    return tuple(names)


def read_delimiter(value: object) -> str:
    """Return what stands between the columns of CSV."""
    text = read_text(value, "must be one character")
    if len(text) != 1 or text in '"\r\n\0':
        raise ValueError("must be one character, and no quotation mark")
    return text


def _number(value: object, allowed: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(allowed)
    try:
        return float(value)
    except OverflowError:
        raise ValueError(allowed) from None


def read_duration(value: object) -> float:
    """Read a duration that is not 0, in seconds."""
    seconds = parse_duration(read_text(value, DURATION_FORM))
    if not 0.001 <= seconds <= LONGEST_DURATION:
        raise ValueError("must be a duration from 1ms to 366d, for example 1h")
    return seconds


def read_repeat(value: object) -> float:
    """Read within how many seconds a value counts once. Not many: all that is stored in them is looked at."""
    seconds = parse_duration(read_text(value, DURATION_FORM))
    if not 0.001 <= seconds <= LONGEST_REPEAT:
        raise ValueError("must be a duration from 1ms to 1min, for example 5s")
    return seconds


def read_share(value: object) -> float:
    """Read what part of something, from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("must be a number from 0 to 1: the share of the reading before")
    return float(value)


def read_switch(value: object) -> bool:
    """Read whether something is so."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false, without quotation marks")
    return value
