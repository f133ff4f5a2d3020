"""What reads the payloads of a stream, by their format."""

from collections.abc import Callable

from config.conversion import Conversion
from config.formats import ROOT
from config.streams import Stream
from scheduler_app.intake.payload import parse, parse_or_text

# Returns what a payload holds, as JSON would have it. Raises Rejected or NothingToRead.
Parser = Callable[[bytes], object]


def parser_of(stream: Stream) -> Parser:
    """Return what reads the payloads of a stream."""
    if any(conversion.reads_texts for conversion in _of_whole_messages(stream)):
        return parse_or_text
    return parse


def _of_whole_messages(stream: Stream) -> list[Conversion]:
    """Return how those numbers are made that are not looked for inside a message."""
    if stream.every_number or stream.each is not None:
        return []
    if not stream.values:
        return [stream.conversion]
    return [value.conversion for value in stream.values if value.path == ROOT]
