"""When a reading was taken, as its message says it."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from zoneinfo import ZoneInfo

from config.streams import Stream
from scheduler_app.intake.payload import Reason, Rejected, event_time, too_much

# Returns UTC epoch seconds for what stands in a message. It arrived at a time, and may have one up to another
# that is later.
# Raises Rejected.
TimeReader = Callable[[object, float, float], float]

# Of each so many are a second.
UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
# Characters. No date is longer, and what reads them need not be quick.
_LONGEST_DATE = 64
# UTC epoch seconds: 2001-01-01. Clocks that were never set begin in 1970, 1980 or 2000.
EARLIEST = 978307200.0
# A time of SenML that is no time of day, in seconds.
_SMALLEST_TIME = 2.0**28
# Seconds. The difference between a local time and UTC is a multiple of the one up to the other, and what a
# message takes to arrive is less than the last.
_HALF_HOUR, _FURTHEST, _WAY = 1800.0, 14 * 3600.0, 300.0


class FromArrival(float):
    """A time that is counted from the arrival: the next time that its message comes, it is another."""


def time_reader(stream: Stream) -> TimeReader:
    """Return what reads the times of a stream."""
    read: TimeReader
    if stream.time_format in UNITS:
        read = partial(event_time, units=UNITS[stream.time_format])
    else:
        read = _date_reader(stream)
    if stream.format == "senml":
        read = _relative(read)
    return _forgiving(read) if stream.bad_time == "arrival" else read


def local_time_hint(ahead: float, *, zone_is_set: bool = False) -> str:
    """Say what is probably wrong with a time that is so many seconds `ahead` of its arrival, or behind it.

    Empty if that is no difference between a local time and UTC.
    """
    steps = round(abs(ahead) / _HALF_HOUR)
    if not steps or steps * _HALF_HOUR > _FURTHEST or abs(abs(ahead) - steps * _HALF_HOUR) > _WAY:
        return ""
    cure = "is time_zone right?" if zone_is_set else "a local time? set time_zone"
    return f"about {steps / 2:g} h {'ahead' if ahead > 0 else 'behind'}: {cure}"


def _forgiving(read: TimeReader) -> TimeReader:
    """Return a reader that takes the time of arrival where a time cannot be."""

    def read_or_arrival(found: object, arrived: float, latest: float) -> float:
        try:
            time = read(found, arrived, latest)
        except Rejected:
            return arrived
        return time if time >= EARLIEST else arrived

    return read_or_arrival


def _relative(read: TimeReader) -> TimeReader:
    """Return a reader to which a small number counts from the arrival (RFC 8428, section 4.5.3)."""

    def read_relative(found: object, arrived: float, latest: float) -> float:
        time = read(found, arrived, latest)
        if time >= _SMALLEST_TIME:
            return time
        if arrived + time > latest:
            raise Rejected(Reason.TOO_FAR_AHEAD, too_much(arrived + time - latest))
        return FromArrival(arrived + time)

    return read_relative


def _date_reader(stream: Stream) -> TimeReader:
    parse, form = _parser(stream.time_format)
    in_zone = _zone(stream.time_zone)
    zone_is_set = stream.time_zone != "UTC"

    def read(found: object, arrived: float, latest: float) -> float:
        if found is None:
            return arrived
        try:
            date = parse(found)
        except (TypeError, ValueError, IndexError, OverflowError, AttributeError):
            raise Rejected(Reason.BAD_TIME, f"not {form}") from None
        try:
            time = in_zone(date, arrived) if date.tzinfo is None else date.timestamp()
        except (OverflowError, ValueError, OSError):  # at the edges of the calendar
            raise Rejected(Reason.BAD_TIME) from None
        if time > latest:
            hint = local_time_hint(time - arrived, zone_is_set=zone_is_set) if date.tzinfo is None else ""
            raise Rejected(Reason.TOO_FAR_AHEAD, hint or too_much(time - latest))
        return time

    return read


def _parser(time_format: str) -> tuple[Callable[..., datetime], str]:
    """Return what reads a date, and what it reads."""
    if time_format == "iso8601":
        return datetime.fromisoformat, "ISO 8601, such as 2026-11-23T10:00:00Z"
    if time_format == "rfc2822":
        form = "RFC 2822, such as Mon, 23 Nov 2026 10:00:00 +0000"
        return lambda found: parsedate_to_datetime(_short(found)), form
    # the zone comes later
    return lambda found: datetime.strptime(_short(found), time_format), f"of the form {time_format}"  # noqa: DTZ007


def _short(found: object) -> str:
    if not isinstance(found, str) or len(found) > _LONGEST_DATE:
        raise ValueError
    return found


def _zone(name: str) -> Callable[[datetime, float], float]:
    """Return what makes UTC epoch seconds of a date without an offset.

    When clocks are set back, an hour comes twice: the one is meant that is nearer to the arrival.
    """
    if name == "UTC":
        return lambda date, arrived: date.replace(tzinfo=UTC).timestamp()
    zone = None if name == "local" else ZoneInfo(name)

    def in_zone(date: datetime, arrived: float) -> float:
        first = date.replace(tzinfo=zone, fold=0).timestamp()
        second = date.replace(tzinfo=zone, fold=1).timestamp()
        return first if abs(first - arrived) <= abs(second - arrived) else second

    return in_zone
