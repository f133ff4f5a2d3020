"""Which field of messages is their time, and how it is written: found out by reading what was seen."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from config.quantities import Window
from config.streams import FieldPath, Stream
from scheduler_app.intake.number_names import is_time_name, path_text
from scheduler_app.intake.payload import Rejected
from scheduler_app.intake.times import local_time_hint, time_reader
from scheduler_app.trial.observed import Keys, Sample

_OF_1970 = ("s", "ms", "us", "ns")
_DATES = (
    "iso8601",
    "rfc2822",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%H:%M:%S %d/%m/%Y",
    "%m/%d/%Y %H:%M:%S",
)
# Seconds: so late comes a message with a local time at the most; else it could be that of another zone.
_WAY = 300.0
# UTC epoch seconds: 2001-01-01. What is before it is no time.
_EARLIEST = 978307200.0
_OFFSET = re.compile(r"(?:Z|[+-]\d\d:?\d\d|GMT|UTC)$", re.IGNORECASE)


class TimeField(NamedTuple):
    """Where the time stands, and what a stream file says of it."""

    keys: Keys
    time_format: str
    time_zone: str | None


def find_time(
    fields: Mapping[Keys, Sequence[Sample]], skew: float, retention: float
) -> tuple[TimeField | None, str]:
    """Return the field that is a time in all that was seen, and what is to be said of one that is no use.

    `skew`: how many seconds ahead a time may be; `retention`: for how many seconds readings are kept.
    """
    remark = ""
    for keys, seen in fields.items():
        samples = [sample for sample in seen if sample.value is not None]
        if not samples or not keys or not is_time_name(keys[-1]):
            continue
        for time_format, time_zone in _forms(samples):
            ages = _ages(samples, time_format, time_zone, skew)
            if ages is None:
                continue
            longest = retention if time_zone is None else _WAY
            if all(-skew <= age < longest for age, sample in ages if not sample.is_old):
                return TimeField(keys, time_format, time_zone if time_zone != "UTC" else None), ""
            if remark:
                continue
            worst = max((age for age, sample in ages if not sample.is_old), key=abs)
            hint = local_time_hint(-worst) if time_zone is not None else ""
            off = hint or f"{abs(worst):.0f} s {'behind' if worst > 0 else 'ahead'}"
            remark = f"{path_text(keys)} is {off}. As it is, readings have the time at which they come"
    return None, remark


def _forms(samples: Sequence[Sample]) -> list[tuple[str, str | None]]:
    """Return which formats and zones there may be, the likeliest first; None where no zone is set."""
    if not all(isinstance(sample.value, str) for sample in samples):
        return [(unit, None) for unit in _OF_1970]
    if all(_OFFSET.search(str(sample.value)) for sample in samples):
        return [(date, None) for date in _DATES[:2]]
    # old copies do not tell whether a time is local, which is what it mostly is
    zones = ("local", "UTC") if all(sample.is_old for sample in samples) else ("UTC", "local")
    numbers: list[tuple[str, str | None]] = [(unit, None) for unit in _OF_1970]
    return numbers + [(date, zone) for date in _DATES if date != "rfc2822" for zone in zones]


def _ages(
    samples: Sequence[Sample], time_format: str, time_zone: str | None, skew: float
) -> list[tuple[float, Sample]] | None:
    """Return how many seconds before its arrival each time was; None if one cannot be read."""
    stream = Stream(
        "#",
        (Window("1min", 60.0),),
        60.0,
        time=FieldPath(()),
        time_format=time_format,
        time_zone=time_zone or "UTC",
    )
    read = time_reader(stream)
    ages = []
    for sample in samples:
        try:
            time = read(sample.value, sample.arrived, float("inf"))
        except Rejected:
            return None
        if time < _EARLIEST or time > sample.arrived + 86400.0:
            return None  # it is in another unit
        if sample.is_old and time > sample.arrived + skew:
            return None
        ages.append((sample.arrived - time, sample))
    return ages
