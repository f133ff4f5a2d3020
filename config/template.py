"""The name of a series, put together from the topic and from what a message says of itself."""

import re
from dataclasses import dataclass

from config.field_path import FieldPath
from config.topics import check_topic

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_FORM = (
    "must be a name with fields of the message and levels of the topic in braces, such as "
    "{topic}/{id} or {topic.2}/{model}; the first level is {topic.1}"
)


@dataclass(frozen=True)
class TopicPart:
    """The whole topic, or one level of it, counted from 1."""

    level: int | None = None


@dataclass(frozen=True)
class ElementName:
    """The key or the number of an element of what `each` names."""


Part = str | FieldPath | TopicPart | ElementName


@dataclass(frozen=True)
class Template:
    """A name of a series as its parts, in order: texts as they stand, and what is to be looked up."""

    parts: tuple[Part, ...]

    @classmethod
    def parse(cls, text: str) -> "Template":
        """Read a name with places to be filled in, in braces; ValueError says what is allowed."""
        literals = _PLACEHOLDER.split(text)
        if not text or any("{" in literal or "}" in literal for literal in literals[::2]):
            raise ValueError(_FORM)
        check_topic(_PLACEHOLDER.sub("x", text))
        parts = [_part(piece) if number % 2 else piece for number, piece in enumerate(literals)]
        return cls(tuple(part for part in parts if part != ""))

    @property
    def paths(self) -> tuple[FieldPath, ...]:
        """Where the fields stand that it takes from a message."""
        return tuple(part for part in self.parts if isinstance(part, FieldPath))

    @property
    def names_elements(self) -> bool:
        return ElementName() in self.parts


def _part(text: str) -> Part:
    if text == "topic":
        return TopicPart()
    if text == "each":
        return ElementName()
    name, dot, level = text.partition(".")
    if name == "topic" and dot:
        if not (level.isascii() and level.isdecimal() and 1 <= int(level[:9]) <= 999):
            raise ValueError(_FORM)
        return TopicPart(int(level))
    try:
        return FieldPath.parse(text)
    except ValueError:
        raise ValueError(_FORM) from None
