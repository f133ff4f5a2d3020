"""CBOR (RFC 8949) and MessagePack. They are JSON in fewer bytes, and more: what JSON has not is left out."""

import math
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import partial
from io import BytesIO
from typing import Any

from scheduler_app.intake.payload import MAX_PAYLOAD, NothingToRead, Reason, Rejected

# A payload can hold no more parts; but parts of CBOR can refer to others, over and over.
_MOST_PARTS = MAX_PAYLOAD
_DEEPEST = 100
_LARGEST = 2**127


def cbor_parser() -> Callable[[bytes], object]:
    """Return what reads payloads of CBOR. It raises Rejected or NothingToRead."""
    import cbor2

    def load(payload: bytes) -> Any:
        source = BytesIO(payload)
        content = cbor2.CBORDecoder(source).decode()
        if source.tell() < len(payload):
            raise ValueError  # `loads` would take the `2` of the text `21.5` for -19, and leave out the rest
        return content

    return partial(_parse, load=load, name="CBOR")


def msgpack_parser() -> Callable[[bytes], object]:
    """Return what reads payloads of MessagePack. It raises Rejected or NothingToRead."""
    import msgpack

    load = partial(msgpack.unpackb, strict_map_key=False, timestamp=1)
    return partial(_parse, load=load, name="MessagePack")


def _parse(payload: bytes, load: Callable[[bytes], Any], name: str) -> object:
    if not payload:
        raise NothingToRead
    if len(payload) > MAX_PAYLOAD:
        raise Rejected(Reason.TOO_LONG, f"{len(payload)} bytes, {MAX_PAYLOAD} are allowed")
    try:
        content = load(payload)
    except MemoryError:
        raise  # no fault of the message
    except RecursionError:
        raise Rejected(Reason.TOO_DEEP) from None
    except Exception:  # noqa: BLE001 - whatever a library makes of bytes that anybody can send
        raise Rejected(Reason.WRONG_FORMAT, f"not {name}") from None
    return _Likeness().of(content)


class _Likeness:
    """Makes of what a library has decoded what JSON would have held."""

    def __init__(self) -> None:
        self._parts = 0

    def of(self, content: object, depth: int = 0) -> object:
        self._parts += 1
        if self._parts > _MOST_PARTS or depth > _DEEPEST:
            raise Rejected(Reason.TOO_DEEP)
        if content is None or isinstance(content, bool | float | str):
            return content
        if isinstance(content, int):
            if -_LARGEST < content < _LARGEST:
                return content
            return math.inf if content > 0 else -math.inf
        if isinstance(content, list):
            return [self.of(part, depth + 1) for part in content]
        if isinstance(content, dict):
            return {
                str(key): self.of(part, depth + 1)
                for key, part in content.items()
                if isinstance(key, str) or (isinstance(key, int) and -_LARGEST < key < _LARGEST)
            }
        return _number_of(content)


def _number_of(content: object) -> float | None:
    """Return a time, or a fraction that JSON would have written with a point; None for anything else."""
    if isinstance(content, datetime):
        return content.timestamp()
    if not isinstance(content, Decimal | Fraction):
        return None
    try:
        return float(content)
    except OverflowError:
        return math.inf if content > 0 else -math.inf
