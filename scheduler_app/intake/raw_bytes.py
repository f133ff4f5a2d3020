"""Numbers as the bytes that a processor has them in."""

import struct
from collections.abc import Callable

from config.formats import RAW_TYPES
from scheduler_app.intake.payload import MAX_PAYLOAD, Reason, Rejected


def raw_parser(types: tuple[str, ...], endianness: str, *, several: bool) -> Callable[[bytes], object]:
    """Return what reads payloads of numbers one after another.

    With one type it is that of all of them, however many there are; with several each number has its own.
    Unless `several` are looked for, a payload is a number itself.
    """
    order = "<" if endianness == "le" else ">"
    one = struct.Struct(order + "".join(RAW_TYPES[name] for name in types))
    repeated = several and len(types) == 1
    said = " ".join(types)

    def parse(payload: bytes) -> object:
        size = len(payload)
        if size > MAX_PAYLOAD:
            raise Rejected(Reason.TOO_LONG, f"{size} bytes, {MAX_PAYLOAD} are allowed")
        if not size or (size % one.size if repeated else size != one.size):
            raise Rejected(Reason.WRONG_FORMAT, f"{size} bytes, {said} has {one.size}")
        if repeated:
            return [number for (number,) in one.iter_unpack(payload)]
        numbers = one.unpack(payload)
        return list(numbers) if several else numbers[0]

    return parse
