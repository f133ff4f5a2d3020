"""What is printed where a terminal or a file cannot hold all characters: the nearest ones that it can."""

import codecs
from io import TextIOWrapper
from typing import TextIO

# By the characters that we draw with, those of ASCII that look most like them. One stands for one, so that
# columns stay in line.
_DRAWN = {
    **dict(zip("▁▂▃▄▅▆▇█", "_.-~=+*#", strict=True)),
    **dict.fromkeys("─━┄┈╌", "-"),
    **dict.fromkeys("│┃┆┊╎", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╯╰╒╓╕╖╘╙╛╜╞╡╤╧╪╔╗╚╝╠╣╦╩╬", "+"),
    **dict.fromkeys("═", "="),
    **dict.fromkeys("║", "|"),
    **dict.fromkeys("•▪■●", "*"),
    "…": "~",
}
_BRAILLE = range(0x2800, 0x2900)


def _nearest(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    place = error.start
    character = error.object[place]
    text = _DRAWN.get(character) or ("." if ord(character) in _BRAILLE else _escape(character))
    return text, place + 1


def _escape(character: str) -> str:
    return character.encode("ascii", "backslashreplace").decode()


codecs.register_error("nearest", _nearest)


def print_what_can_be(*streams: TextIO | None) -> None:
    """Let no character that a stream cannot hold be an error."""
    for stream in streams:
        if isinstance(stream, TextIOWrapper):  # it is not closed, and nothing else stands in its place
            stream.reconfigure(errors="nearest")
