"""Names of series: how they are put in order, and how they are searched."""

import re

# One part after the other: text, then a number, then text.
_PARTS = re.compile(r"(\d+)")
# A number in a name may have so many digits.
_MOST_DIGITS = 18

# What names are compared by.
Key = tuple[tuple[int, int, str], ...]


def natural_key(name: str) -> Key:
    """Return what `name` is sorted by: numbers in it count as numbers, so `room/9` is before `room/10`."""
    folded = name.casefold()
    parts = _PARTS.split(folded)
    key: list[tuple[int, int, str]] = []
    for part in parts:
        if part.isdecimal() and len(part) <= _MOST_DIGITS:
            key.append((0, int(part), ""))
        elif part:
            key.append((1, 0, part))
    # names that differ only in zeros or in capitals still have one order
    return (*key, (-1, 0, name))


def search_words(text: str) -> tuple[str, ...]:
    """Return the words of a search, each once."""
    return tuple(dict.fromkeys(text.casefold().split()))


def has_words(folded: str, words: tuple[str, ...]) -> bool:
    """Whether a name, which is casefolded, holds all words, in any order."""
    return all(word in folded for word in words)
