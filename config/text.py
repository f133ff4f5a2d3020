"""Text from outside, made fit for one line on a terminal."""

from collections.abc import Sequence

# Characters that Python calls printable although nothing of them is visible (Unicode:
# Default_Ignorable_Code_Point, and blanks other than the space). Two names that look alike could differ by
# one of them.
_INVISIBLE = frozenset(
    {
        *map(chr, (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F)),
        *map(chr, (0x2800, 0x3164, 0xFFA0)),
        *map(chr, range(0xFE00, 0xFE10)),
        *map(chr, range(0xE0100, 0xE01F0)),
    }
)


def printable(text: str) -> str:
    """Return `text` with an escape in place of every character that is not printable.

    Those are line ends, the characters that a terminal obeys (C0 and C1 controls), those that change the
    direction of writing, and those that are invisible. A text that has been made printable stays as it is.
    """
    if text.isprintable() and (text.isascii() or _INVISIBLE.isdisjoint(text)):
        return text
    return "".join(
        character
        if character.isprintable() and character not in _INVISIBLE
        else character.encode("unicode_escape").decode()
        for character in text
    )


def complaint(shown: str, why: str) -> str:
    """Return in one sentence what was given and why it is wrong.

    `why` goes on after what was given: `must be an existing file`. What only names what is allowed gets
    a `must be` before it.
    """
    goes_on = why.startswith(("must ", "needs ", "holds "))
    return f"{shown} {why}" if goes_on else f"{shown} must be {why}"


def listed(names: Sequence[str], most: int = 5) -> str:
    """Return some names in one line: the first ones, if there are more than `most`, and how many more."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def shortened(text: str, longest: int) -> str:
    """Return `text`, with an ellipsis in its middle where it has more than `longest` characters.

    Names differ at their ends as often as at their beginnings.
    """
    if len(text) <= longest:
        return text
    end = (longest - 1) // 2
    return f"{text[: longest - 1 - end]}…{text[len(text) - end :]}"
