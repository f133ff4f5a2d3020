"""Names that are nearly those of settings: misspelt ones, which would be ignored without a word."""

from collections.abc import Iterable

# The most letters that a misspelt name differs in. A short name must differ in one only: BROWSER, which
# desktops set, is two letters from BROKER.
_MOST, _LONG = 2, 8


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the one of `known` that `name` is a misspelling of; None if it is one of them, or like none."""
    alike = ((distance(name, other), other) for other in known if abs(len(other) - len(name)) <= _MOST)
    least, other = min(alike, default=(0, ""))
    allowed = _MOST if min(len(name), len(other)) >= _LONG else 1
    return other if 0 < least <= allowed else None


def distance(one: str, other: str) -> int:
    """Return how many letters were left out, added, mistaken, or swapped with their neighbour.

    (The optimal string alignment distance.) Takes the product of both lengths: for short texts.
    """
    # how far the beginning of `one` is from each beginning of `other`; then of a letter less, and of two
    before, before_that = list(range(len(other) + 1)), [0]
    for here, letter in enumerate(one, start=1):
        row = [here]
        for there, its in enumerate(other, start=1):
            steps = min(before[there] + 1, row[-1] + 1, before[there - 1] + (letter != its))
            if here > 1 and there > 1 and letter == other[there - 2] and one[here - 2] == its:
                steps = min(steps, before_that[there - 2] + 1)
            row.append(steps)
        before_that, before = before, row
    return before[-1]
