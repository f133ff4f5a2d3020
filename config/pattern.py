"""The pattern that finds a number in a text: a regular expression that no text can keep busy for long.

What devices send is searched with it, so it may not be able to try endlessly many ways of matching. That is
held by its form: single characters, each of which may be repeated, and one group; nothing that is repeated
holds a repeat. What then remains grows with a power of the text's length, and so the length is bounded.
"""

import re
from dataclasses import dataclass, field
from math import factorial

_FORM = (
    "must be a regular expression with one group in parentheses around the number, such as 'T=([0-9.]+)'; "
    "single characters, classes such as [0-9.] or \\d, and . may be repeated; no other groups, and no |"
)
# One character, an escape or a class, with how often it is repeated; or an anchor, or an end of the group.
_PIECE = re.compile(
    r"(?P<atom>\\[dDsSwWnrt]|\\[^\na-zA-Z0-9]|\[\^?(?:[^\[\]\\]|\\.)++\]|[^\\\[\](){}.*+?|^$]|\.)"
    r"(?P<repeat>[*+?]|\{\d{1,3}(?:,\d{0,3})?\})?(?P<lazy>\?)?|(?P<mark>[()^$])"
)
# What Python may take for an operation on sets of characters one day, and warns of.
_AMBIGUOUS = re.compile(r"--|&&|~~|\|\|")
_CHARACTERS = [*map(chr, range(32, 127)), "\t", "\n", "\r", "°", "é", "中"]
# How many ways of matching may be tried for one text.
_MOST_TRIES = 1_000_000
# Characters. For a pattern that is taken, a text may have so many at least, and so many at most.
SHORTEST, LONGEST = 64, 1024


@dataclass(frozen=True)
class Pattern:
    """A pattern as it is written, and how many characters a text may have in which it is looked for."""

    text: str
    longest: int
    compiled: re.Pattern[str] = field(compare=False, repr=False)

    @classmethod
    def parse(cls, text: str) -> "Pattern":
        """Read a pattern; ValueError says what is allowed."""
        pieces = _pieces(text)
        group = [place for place, piece in enumerate(pieces) if piece["mark"] in ("(", ")")]
        if len(group) != 2 or group[1] == group[0] + 1 or _AMBIGUOUS.search(text):
            raise ValueError(_FORM)
        try:
            compiled = re.compile(text)
        except re.error:
            raise ValueError(_FORM) from None
        longest = _longest(pieces)
        if longest < SHORTEST:
            raise ValueError("must have fewer repeats (*, +, ?): there are too many ways to tell them apart")
        return cls(text, longest, compiled)


def _pieces(text: str) -> list[re.Match[str]]:
    pieces, end = [], 0
    while end < len(text):
        found = _PIECE.match(text, end)
        if found is None:
            raise ValueError(_FORM)
        pieces.append(found)
        end = found.end()
    return pieces


def _longest(pieces: list[re.Match[str]]) -> int:
    """Return how long a text may be for which no more than `_MOST_TRIES` ways of matching are tried.

    A repeat that nothing has to follow gives nothing back, and one whose next character is none that it
    repeats itself ends in one place only. Each other one can give back what it has taken, so that what
    follows is tried once more for each character of it.
    """
    anchored = pieces[0]["mark"] == "^"
    pieces = [piece for piece in pieces if piece["atom"] or piece["mark"] == "$"]
    required = [place for place, piece in enumerate(pieces) if not _optional(piece)]
    repeats, power, bounded = 1, 1 if anchored else 2, 1  # each try reads on, and may begin anywhere
    for place, piece in enumerate(pieces[: required[-1]] if required else []):
        most = _most_repeats(piece["repeat"])
        next_required = next(other for other in required if other > place)
        followers = pieces[place + 1 : next_required + 1]
        if most == 1 or all(_disjoint(piece, follower) for follower in followers):
            repeats += most is None
        elif most is None:
            power += 1
        else:
            bounded *= most
    length = (_MOST_TRIES * factorial(power) / (repeats * bounded)) ** (1 / power)
    return int(min(length, LONGEST))


def _most_repeats(repeat: str | None) -> int | None:
    """Return in how many lengths something can match that is repeated so, None if there is no bound."""
    if repeat is None:
        return 1
    if repeat in ("*", "+"):
        return None
    if repeat == "?":
        return 2
    least, comma, most = repeat[1:-1].partition(",")
    if comma and not most:
        return None
    return max(1, int(most or least) - int(least) + 1) if comma else 1


def _optional(piece: re.Match[str]) -> bool:
    repeat = piece["repeat"]
    return repeat is not None and (repeat in ("*", "?") or repeat.startswith("{0"))


def _disjoint(one: re.Match[str], other: re.Match[str]) -> bool:
    """Whether no character is matched by both."""
    if other["atom"] is None:
        return False  # the end: where it is not, everything is given back
    first, second = re.compile(one["atom"]), re.compile(other["atom"])
    return not any(first.fullmatch(sign) and second.fullmatch(sign) for sign in _CHARACTERS)
