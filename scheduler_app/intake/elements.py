"""The elements of a message, each of which is read like a message of its own."""

from collections.abc import Iterable, Iterator
from typing import TypeGuard

from config.streams import FieldPath, topic_level
from models.catalog import LONGEST_NAME
from scheduler_app.intake.payload import Reason, Rejected

# So many elements may one message hold.
MOST_ELEMENTS = 1000


class Element:
    """One element, what it is called, and the message around it."""

    __slots__ = ("content", "message", "name", "topic")

    def __init__(self, topic: str, message: object, name: str, content: object) -> None:
        """`name` is the element's key, or its number, as it may stand in the name of a series."""
        self.topic = topic
        self.message = message
        self.name = name
        self.content = content

    def find(self, path: FieldPath) -> object:
        """Return what stands in the element, or else in the object around it; None if nothing does."""
        found = path.find(self.content)
        if found is None and isinstance(self.message, dict) and self.content is not self.message:
            return path.find(self.message)
        return found


def elements_of(topic: str, message: object, each: FieldPath | None) -> Iterator[Element]:
    """Yield the elements of what stands at `each`; without one, the message itself. Raises Rejected.

    An element that is a list of objects is taken object by object, all under its name.
    """
    if each is None:
        yield Element(topic, message, "", message)
        return
    found = each.find(message)
    items: Iterable[tuple[object, object]] = ()
    if isinstance(found, dict):
        items = found.items()
    elif isinstance(found, list):
        items = enumerate(found)
    number = 0
    for key, content in items:
        name = topic_level(str(key)[: LONGEST_NAME + 1])
        for part in content if _holds_objects(content) else (content,):
            number += 1
            if number > MOST_ELEMENTS:
                raise Rejected(Reason.TOO_MANY_NUMBERS, f"{MOST_ELEMENTS} elements are allowed")
            yield Element(topic, message, name, part)


def _holds_objects(content: object) -> TypeGuard[list[object]]:
    return isinstance(content, list) and bool(content) and all(isinstance(part, dict) for part in content)
