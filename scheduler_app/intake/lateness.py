"""The warnings of readings that came too late to count."""

from loguru import logger

from config.streams import TIME_FORMATS, Stream
from scheduler_app.formatting import age_text, time_text
from scheduler_app.intake.payload import other_unit
from scheduler_app.intake.times import EARLIEST, UNITS, local_time_hint
from scheduler_app.log import LogLimit, more_like_it
from scheduler_app.mqtt.message import Message

# So many topics have a warning a minute of their own; all others have one together.
MOST_TOPICS = 100
# Characters of a topic.
_SHOWN = 200
# Seconds. What is longer is told by its first digits.
_LONGEST_AGE = 1e12
# What a number since 1970 is read by, or what names its zone itself.
_WITHOUT_ZONE = frozenset(TIME_FORMATS) - {"iso8601"}
_AT_ARRIVAL = 'late_as = "arrival" in its stream (STREAMS_FILE) takes such readings at their arrival'


class LateReadings:
    """Warns of late readings: once a minute for each topic, with the age and what can be done."""

    def __init__(self, limit: LogLimit) -> None:
        self._limit = limit
        self._topics: set[str] = set()

    def warn(self, time: float, message: Message, stream: Stream) -> None:
        """Take note of a late reading, whose `time` is in UTC epoch seconds."""
        topic = message.topic[:_SHOWN]
        if len(self._topics) < MOST_TOPICS:
            self._topics.add(topic)
        held = self._limit.allows(f"late on {topic}" if topic in self._topics else "late elsewhere")
        if held is None:
            return
        how_late = late_text(time, message, stream)
        logger.warning("late: a reading on {!r} is {}{}", topic, how_late, more_like_it(held))


def late_text(time: float, message: Message, stream: Stream) -> str:
    """Return how old a late reading is, for how long those like it are kept, and what to do about it."""
    age = message.arrived - time
    shown = age_text(age) if age < _LONGEST_AGE else f"{age:.3g}s"
    kept = f"readings there are kept for {age_text(stream.retention)}"
    return f"{shown} old ({time_text(time)} UTC), and {kept}: {_cure(time, age, message, stream)}"


def _cure(time: float, age: float, message: Message, stream: Stream) -> str:
    """Say what is probably wrong, and what to do about it."""
    if message.retained:
        return "it is a retained copy; a longer hold, or a longer window, keeps such readings"
    units = UNITS.get(stream.time_format)
    if units is not None and (hint := other_unit(time, message.arrived, units)):
        return f"{hint}: is time_format right?"
    if time < EARLIEST:
        return f"its clock was never set? {_AT_ARRIVAL}"
    if stream.time_format not in _WITHOUT_ZONE:
        hint = local_time_hint(-age, zone_is_set=stream.time_zone != "UTC")
        if hint:
            return hint
    return f"a clock that is behind, or sent late? {_AT_ARRIVAL}"
