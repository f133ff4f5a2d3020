"""A message as its stream reads it: all that a stream file says of it, put together once for each stream."""

from collections.abc import Callable

from config.streams import FieldPath, Stream, Value
from scheduler_app.intake.elements import Element, elements_of
from scheduler_app.intake.every_number import number_finder
from scheduler_app.intake.formats import parser_of
from scheduler_app.intake.names import namer
from scheduler_app.intake.numbers import number_reader
from scheduler_app.intake.payload import (
    EPOCHTIME,
    NUMBER,
    Decoded,
    NothingToRead,
    Reason,
    Rejected,
    id_of,
    no_number,
)
from scheduler_app.intake.times import time_reader

# Returns the readings in a payload, and why others of its fields are none. The payload was published to a
# topic, arrived at a time, and may have one up to another, in UTC epoch seconds. Raises Rejected if there is
# no reading at all for a reason that all fields share, NothingToRead if there is nothing that is looked for.
Decoder = Callable[[bytes, str, float, float], tuple[list[Decoded], list[Rejected]]]

# Takes the readings of a time out of a message or an element of one, and notes why others are none.
# Raises Rejected and NothingToRead.
_Taker = Callable[[object, float, list[Decoded], list[Rejected]], None]

_EPOCHTIME, _ID = FieldPath((EPOCHTIME,)), FieldPath(("id",))
# Where every number is taken, what is none is no error.
_NO_NUMBER = frozenset({Reason.NO_NUMBER, Reason.BOOLEAN, Reason.UNKNOWN_WORD})


def decoder_of(stream: Stream) -> Decoder:
    """Return what reads the messages of a stream. What the stream says is looked up here, and never again."""
    take = _taker(stream)
    id_path = stream.id
    if id_path is None and not stream.values and not stream.every_number:
        id_path = _ID
    if stream.each is None and stream.series is None and id_path is None:
        return _message_decoder(stream, take)
    return _element_decoder(stream, take, id_path)


def _message_decoder(stream: Stream, take: _Taker) -> Decoder:
    parse = parser_of(stream)
    read_time = time_reader(stream)
    find_time = (stream.time or _EPOCHTIME).find

    def decode(
        payload: bytes, topic: str, arrived: float, latest: float
    ) -> tuple[list[Decoded], list[Rejected]]:
        content = parse(payload)
        readings: list[Decoded] = []
        rejections: list[Rejected] = []
        try:
            time = read_time(find_time(content), arrived, latest)
        except Rejected:
            take(content, arrived, readings, rejections)
            if readings:
                raise
        else:
            take(content, time, readings, rejections)
        if not readings and not rejections:
            raise NothingToRead
        return readings, rejections

    return decode


def _element_decoder(stream: Stream, take: _Taker, id_path: FieldPath | None) -> Decoder:
    parse = parser_of(stream)
    name = None if stream.series is None else namer(stream.series)
    read_time = time_reader(stream)
    time_path = stream.time or _EPOCHTIME

    def decode(
        payload: bytes, topic: str, arrived: float, latest: float
    ) -> tuple[list[Decoded], list[Rejected]]:
        readings: list[Decoded] = []
        rejections: list[Rejected] = []
        for element in elements_of(topic, parse(payload), stream.each):
            found: list[Decoded] = []
            bad: list[Rejected] = []
            try:
                if isinstance(element.content, Rejected):
                    raise element.content
                take(element.content, arrived, found, bad)
                if found:
                    time = read_time(element.find(time_path), arrived, latest)
                    reading_id = None if id_path is None else id_of(id_path.find(element.content))
                    begin = "" if name is None else name(element)
                    readings += [
                        Decoded(_joined(begin, field), time, value, reading_id)
                        for field, _, value, _ in found
                    ]
            except NothingToRead:
                continue
            except Rejected as rejection:
                if stream.each is None:
                    raise
                bad.append(rejection)
            rejections += bad if stream.each is None else [_within(element, rejection) for rejection in bad]
        if not readings and not rejections:
            raise NothingToRead
        return readings, rejections

    return decode


def _joined(begin: str, field: str) -> str:
    return f"{begin}/{field}" if begin and field else begin or field


def _within(element: Element, rejection: Rejected) -> Rejected:
    return Rejected(rejection.reason, f"element {element.name}: {rejection.detail}".removesuffix(": "))


def _taker(stream: Stream) -> _Taker:
    if stream.every_number:
        return _every_number_taker(stream)
    return _values_taker(stream.values) if stream.values else _number_taker(stream)


def _values_taker(values: tuple[Value, ...]) -> _Taker:
    fields = [
        (
            value.name,
            value.path.keys[0] if len(value.path.keys) == 1 else None,
            value.path.find,
            number_reader(value.conversion),
            str(value.path) or value.name,
        )
        for value in values
    ]

    def take(content: object, time: float, readings: list[Decoded], rejections: list[Rejected]) -> None:
        get = content.get if type(content) is dict else None
        for name, key, find, read, shown in fields:
            found = find(content) if get is None or key is None else get(key)
            if found is None:
                continue
            try:
                readings.append(Decoded(name, time, read(found)))
            except Rejected as rejection:
                rejections.append(_of_field(shown, rejection))
            except NothingToRead:
                continue

    return take


def _every_number_taker(stream: Stream) -> _Taker:
    find = number_finder(stream)
    read = number_reader(stream.conversion)

    def take(content: object, time: float, readings: list[Decoded], rejections: list[Rejected]) -> None:
        for name, found in find(content):
            try:
                readings.append(Decoded(name, time, read(found)))
            except Rejected as rejection:
                if rejection.reason not in _NO_NUMBER:
                    rejections.append(_of_field(name, rejection))
            except NothingToRead:
                continue

    return take


def _number_taker(stream: Stream) -> _Taker:
    """Return what takes a message that is a number, or has the field `number`."""
    read = number_reader(stream.conversion)

    def take(content: object, time: float, readings: list[Decoded], rejections: list[Rejected]) -> None:
        found = content.get(NUMBER) if isinstance(content, dict) else content
        if found is None:
            raise no_number(content)
        readings.append(Decoded("", time, read(found)))

    return take


def _of_field(name: str, rejection: Rejected) -> Rejected:
    return Rejected(rejection.reason, f"{name} {rejection.detail}".strip())
