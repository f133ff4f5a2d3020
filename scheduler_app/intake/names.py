"""The names of series that a stream puts together from the topic and from what a message says of itself."""

from collections.abc import Callable

from config.streams import FieldPath, topic_level
from config.template import ElementName, Part, Template, TopicPart
from models.catalog import LONGEST_NAME
from scheduler_app.intake.elements import Element
from scheduler_app.intake.payload import Reason, Rejected

# Returns a name. Raises Rejected.
Namer = Callable[[Element], str]


def namer(template: Template) -> Namer:
    """Return what names series by a template."""
    pieces = [_piece(part) for part in template.parts]
    return lambda element: "".join([piece(element) for piece in pieces])


def _piece(part: Part) -> Namer:
    if isinstance(part, str):
        return lambda element: part
    if isinstance(part, ElementName):
        return lambda element: element.name
    if isinstance(part, FieldPath):
        return lambda element: _field(element, part)
    if part.level is None:
        return lambda element: element.topic
    return lambda element: _level(element.topic, part)


def _level(topic: str, part: TopicPart) -> str:
    assert part.level is not None
    levels = topic.split("/", part.level)
    if len(levels) < part.level or not levels[part.level - 1]:
        raise Rejected(Reason.NO_NAME, f"its topic has no level {part.level}")
    return levels[part.level - 1]


def _field(element: Element, path: FieldPath) -> str:
    found = element.find(path)
    if found is None or found == "":
        raise Rejected(Reason.NO_NAME, f"{path} is missing")
    if not isinstance(found, str | int | float) or isinstance(found, bool):
        raise Rejected(Reason.NO_NAME, f"{path} is no text and no number")
    return topic_level(str(found)[: LONGEST_NAME + 1])
