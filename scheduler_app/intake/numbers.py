"""A number of what stands in a message, by what the stream file says of it."""

import math
from collections.abc import Callable, Mapping
from decimal import Context, Decimal

from config.conversion import Conversion
from config.pattern import Pattern
from scheduler_app.intake.payload import NothingToRead, Reason, Rejected, is_number, number, says_nothing

# Returns a finite number for what stands in a message. Raises Rejected or NothingToRead.
NumberReader = Callable[[object], float]

# Decimal digits: far more than a number and what it is multiplied by have together, so that the result is
# rounded once, when it becomes a float.
_EXACTLY = Context(prec=100)
# Characters of a word that are shown.
_SHOWN = 40


def number_reader(conversion: Conversion) -> NumberReader:
    """Return what makes a number of what stands in a message."""
    if conversion.changes_nothing:
        return number
    read: NumberReader = number
    if conversion.map:
        read = _mapped(read, conversion.map)
    if conversion.reads_texts:
        read = _of_text(read, conversion)
    if conversion.scale is not None or conversion.offset is not None:
        read = _scaled(read, conversion.scale or Decimal(1), conversion.offset or Decimal(0))
    if conversion.range is not None:
        read = _within(read, *conversion.range)
    return read


def _of_text(read: NumberReader, conversion: Conversion) -> NumberReader:
    pattern, unit, comma = conversion.pattern, conversion.unit, conversion.decimal == ","

    def of_text(content: object) -> float:
        if isinstance(content, str):
            text = content.strip()
            if pattern is not None:
                text = _found(pattern, text)
            if unit is not None and text.endswith(unit):
                text = text[: -len(unit)].rstrip()
            if comma:
                text = _with_point(text)
            content = text
        return read(content)

    return of_text


def _found(pattern: Pattern, text: str) -> str:
    """Return what the group of a pattern matches. A text without it says nothing. Raises Rejected."""
    if len(text) > pattern.longest:
        raise Rejected(
            Reason.TOO_LONG, f"{len(text)} characters, {pattern.longest} are allowed for the pattern"
        )
    found = pattern.compiled.search(text)
    if found is None:
        raise NothingToRead
    return found[1].strip()


def _with_point(text: str) -> str:
    """Return a number with a decimal comma as one with a point. A point in it could mean thousands."""
    if "." in text and is_number(text):
        raise Rejected(Reason.NO_NUMBER, f"{text[:_SHOWN]!r} has no decimal comma")
    return text.replace(",", ".", 1) if "." not in text else text


def _mapped(read: NumberReader, numbers: Mapping[str, float]) -> NumberReader:
    longest = max(map(len, numbers))

    def mapped(content: object) -> float:
        if isinstance(content, str):
            word = content.strip()
        elif isinstance(content, bool | int):
            word = str(content)
        else:
            return read(content)
        found = numbers.get(word.lower()) if len(word) <= longest else None
        if found is not None:
            return found
        if isinstance(content, bool) or (isinstance(content, str) and _is_word(word)):
            raise Rejected(Reason.UNKNOWN_WORD, f"{word[:_SHOWN]!r} is not in map")
        return read(content)

    return mapped


def _is_word(text: str) -> bool:
    return not (is_number(text) or says_nothing(text))


def _scaled(read: NumberReader, scale: Decimal, offset: Decimal) -> NumberReader:
    def scaled(content: object) -> float:
        # the shortest decimal fraction that is this number: the one that was sent
        exact = Decimal(repr(read(content)))
        value = float(_EXACTLY.fma(exact, scale, offset))
        if not math.isfinite(value):
            raise Rejected(Reason.NOT_FINITE)
        return value

    return scaled


def _within(read: NumberReader, least: float, most: float) -> NumberReader:
    def within(content: object) -> float:
        value = read(content)
        if least <= value <= most:
            return value
        raise Rejected(Reason.OUT_OF_RANGE, f"{value!r} is not from {least!r} to {most!r}")

    return within
