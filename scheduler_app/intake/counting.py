"""Which readings of a message count, and when, where their stream says it otherwise than most."""

from config.streams import Stream
from scheduler_app.intake.payload import Decoded
from scheduler_app.intake.times import FromArrival
from scheduler_app.mqtt.message import Message


def as_it_counts(reading: Decoded, message: Message, stream: Stream) -> Decoded | None:
    """Return a reading of `message` with the time and the id that it counts by.

    None if it comes in a retained copy and does not bring its own time: nobody knows how old it is.
    A retained copy never counts by the time of its arrival, since it arrives again and again.
    """
    field, time, value, reading_id = reading
    # it is that very object only where nothing else was found; an equal time may have been sent
    if time is message.arrived or isinstance(time, FromArrival):
        return None if message.retained else reading
    if stream.late_as == "arrival" and not message.retained and is_late(time, message, stream):
        return Decoded(field, message.arrived, value, reading_id)
    if reading_id is None and stream.implies_ids:
        return Decoded(field, time, value, implied_id(time, value))
    return reading


def is_late(time: float, message: Message, stream: Stream) -> bool:
    """Whether a reading of that time (UTC epoch seconds) was older than the retention when it arrived."""
    return time <= message.arrived - stream.retention


def implied_id(time: float, value: float) -> str:
    """Return what names a reading within its series that brings its own `time`."""
    return f"{value!r} at {time!r}"
