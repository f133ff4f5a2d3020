"""What can be done about messages that are rejected."""

# By reason. Every reason that there is has one: a test holds that.
CURES = {
    "too long": "A payload may have 64 KiB: have the device publish less at once.",
    "not UTF-8": "The payload is no text: leave its topic out, or have the device publish numbers or JSON.",
    "not JSON": "The payload is neither a number nor JSON: say in a stream file (STREAMS_FILE) how it is "
    "read, by map for words, unit, decimal, pattern or format; or leave its topic out.",
    "nested too deep": "The JSON has too many levels: leave its topic out, or have the device publish less.",
    "no number": "There is no number where one is looked for: name the right fields in a stream file "
    "(STREAMS_FILE) or in VALUE, or leave the topic out.",
    "boolean": "true and false are no numbers: say which they stand for in a stream file, as in "
    "map = { true = 1, false = 0 }, or leave the topic out.",
    "unknown word": "The stream file says for other words what number they stand for: add this one to "
    "its map.",
    "out of range": "The value is not within the range that the stream file allows, so it is kept out. Where "
    "it is right, widen the range.",
    "no name for its series": "What the stream file makes the name of the series of is missing: name a "
    "field, or a level of the topic, that every message has.",
    "wrong format": "The payload is not in the format that the stream file says: change its format.",
    "not finite": "NaN and infinity are no readings: have the device publish nothing when it has none.",
    "no time": "The time is not in the form that is looked for: name its time_format in a stream file.",
    "too far ahead": "The device's clock is ahead of ours, or its time is in another unit: set the clock, "
    "name the time_format or the time_zone in a stream file, or raise MAX_CLOCK_SKEW.",
    "too many numbers": "The message has more numbers than are taken of one: name those that are wanted in "
    "a stream file.",
    "too many series": "There are as many series as MAX_SERIES allows: raise it, or leave topics out.",
    "name too long": "The topic is too long for a series of its own: shorten it, or leave it out.",
    "name not allowed": "No topic of statistics may hold what this one holds: rename it at its device.",
    "name taken": "Two sources would have the same name: rename a topic, or a field of a message.",
    "internal error": "This is a fault of the program: the subscriber's log says more. Please report it.",
}
_UNKNOWN = "The subscriber's log says more."


def cure_of(reason: str) -> str:
    """Return what can be done about messages that are rejected for a reason."""
    return CURES.get(reason, _UNKNOWN)
