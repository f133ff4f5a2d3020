"""What reads the payloads of a stream, by their format. Each makes of them what JSON would have held."""

from collections.abc import Callable
from functools import partial

from config.conversion import Conversion
from config.formats import ROOT
from config.streams import Stream
from scheduler_app.intake.payload import parse, parse_as_written
from scheduler_app.intake.raw_bytes import raw_parser
from scheduler_app.intake.senml import parse_senml
from scheduler_app.intake.text_lines import parse_csv, parse_influx

# Returns what a payload holds. An element of a list that cannot be read is a Rejected, so that the others
# count. Raises Rejected or NothingToRead.
Parser = Callable[[bytes], object]


def parser_of(stream: Stream) -> Parser:
    """Return what reads the payloads of a stream."""
    return _PARSERS[stream.format](stream)


def _json_parser(stream: Stream) -> Parser:
    """Return what reads JSON; where a whole message may be a text with a number in it, texts too."""
    whole: list[Conversion] = []
    if stream.each is None and not stream.every_number:
        whole = [value.conversion for value in stream.values if value.path == ROOT]
        if not stream.values:
            whole = [stream.conversion]
    if not any(conversion.reads_texts for conversion in whole):
        return parse
    # where nothing else is looked for
    searched = all(conversion.pattern for conversion in whole) and len(whole) == max(1, len(stream.values))
    return partial(parse_as_written, searched=searched)


def _csv_parser(stream: Stream) -> Parser:
    return partial(parse_csv, columns=stream.columns, delimiter=stream.delimiter)


def _raw_parser(stream: Stream) -> Parser:
    several = bool(stream.values or stream.every_number or stream.each)
    return raw_parser(stream.type, stream.endianness, several=several)


# What few need is imported where a stream asks for it, and nowhere else.
def _cbor_parser(_: Stream) -> Parser:
    from scheduler_app.intake.packed import cbor_parser

    return cbor_parser()


def _msgpack_parser(_: Stream) -> Parser:
    from scheduler_app.intake.packed import msgpack_parser

    return msgpack_parser()


def _sparkplug_parser(_: Stream) -> Parser:
    from scheduler_app.intake.sparkplug import parse_sparkplug

    return parse_sparkplug


_PARSERS: dict[str, Callable[[Stream], Parser]] = {
    "json": _json_parser,
    "csv": _csv_parser,
    "influx": lambda _: parse_influx,
    "senml": lambda _: parse_senml,
    "raw": _raw_parser,
    "cbor": _cbor_parser,
    "msgpack": _msgpack_parser,
    "sparkplug_b": _sparkplug_parser,
}
