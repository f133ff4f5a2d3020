"""The ids that messages come with, as short as they can be stored."""

import re

# UUIDs, hexadecimal and decimal numbers, and what our publisher gives.
_HEXADECIMAL = re.compile(r"[0-9a-f-]+").fullmatch
_SYMBOLS = "0123456789abcdef-"
# Python reads digits of this base, `g` being the last.
_BASE = len(_SYMBOLS)

# As it is stored.
Packed = bytes | str


def pack(message_id: str) -> Packed:
    """Return an id as it is stored, each id as another value.

    One of hexadecimal digits and dashes takes half as many bytes, as one number: its digits follow
    a 1, so that those that are 0 count too. Any other is its text.
    """
    if not _HEXADECIMAL(message_id):
        return message_id
    number = int("1" + message_id.replace("-", "g"), _BASE)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def unpack(stored: Packed) -> str:
    """Return the id that is stored so."""
    if isinstance(stored, str):
        return stored
    number = int.from_bytes(stored, "big")
    symbols = []
    while number > 1:
        number, symbol = divmod(number, _BASE)
        symbols.append(_SYMBOLS[symbol])
    return "".join(reversed(symbols))
