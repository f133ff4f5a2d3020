"""What was seen of topics: their fields, and what stood in these."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from config.text import printable
from scheduler_app.intake.number_names import fields_of, path_text
from scheduler_app.intake.payload import NothingToRead, Rejected, number, parse_or_text
from scheduler_app.mqtt.message import Message

Keys = tuple[str, ...]
# Of each field so many values are remembered, and so many words.
_MOST_SAMPLES, _MOST_WORDS = 20, 8
# Characters of a path that is written, and of a topic.
_LONGEST_PATH, _LONGEST_TOPIC = 200, 500


class Sample(NamedTuple):
    """A value that was seen, when it arrived, and whether that may be long after it was sent."""

    value: object
    arrived: float
    is_old: bool


@dataclass
class Field:
    """What stood in one field."""

    seen: int = 0
    numbers: int = 0
    # How often there was something that is neither a number nor a short word.
    others: int = 0
    words: set[str] = field(default_factory=set)
    samples: list[Sample] = field(default_factory=list)
    first: float | None = None
    last: float | None = None
    falls: bool = False

    def take(self, found: object, arrived: float, *, is_old: bool) -> None:
        """Note a value."""
        self.seen += 1
        if len(self.samples) < _MOST_SAMPLES:
            self.samples.append(Sample(found, arrived, is_old))
        try:
            value = number(found)
        except NothingToRead:
            return
        except Rejected:
            word = str(found).strip().lower()
            if isinstance(found, str | bool) and len(word) <= 20 and len(self.words) < _MOST_WORDS:
                self.words.add(word)
            else:
                self.others += 1
            return
        self.numbers += 1
        self.falls |= self.last is not None and value < self.last
        self.first = value if self.first is None else self.first
        self.last = value

    @property
    def distinct(self) -> int:
        """How many values there are among those that are remembered."""
        return len({repr(sample.value) for sample in self.samples})

    @property
    def comes_again(self) -> bool:
        """Whether a value was there more than once."""
        return self.distinct < len(self.samples)

    @property
    def grows(self) -> bool:
        """Whether its numbers never fell, and rose."""
        return self.numbers >= 3 and not self.falls and self.first != self.last


@dataclass
class Topic:
    """What was seen on one topic."""

    name: str
    # Whether its messages are objects; else each is a number or a word, whose field is ().
    is_object: bool
    messages: int = 0
    fields: dict[Keys, Field] = field(default_factory=dict)
    # Whether anything but old copies came.
    is_live: bool = False
    # Whether something came that is in another form than the first message.
    is_mixed: bool = False


class Observed:
    """Everything that was seen."""

    def __init__(self, *, recorded: bool = False) -> None:
        """Begin with nothing; `recorded`: whether messages may have been sent long before they arrive."""
        self._recorded = recorded
        self.topics: dict[str, Topic] = {}
        # Topics with a message that is no JSON, no number and no word, and those too odd to be written.
        self.unreadable: set[str] = set()

    def take(self, message: Message) -> None:
        """Note a message."""
        name = message.topic
        if len(name) > _LONGEST_TOPIC or name != printable(name) or set(name) & set("+#"):
            self.unreadable.add(printable(name[:60]))
            return
        try:
            content = parse_or_text(message.payload)
        except NothingToRead:
            return
        except Rejected:
            self.unreadable.add(name)
            return
        is_object = isinstance(content, dict)
        topic = self.topics.setdefault(name, Topic(name, is_object))
        topic.messages += 1
        topic.is_live |= not message.retained
        if topic.is_object != is_object or isinstance(content, list):
            topic.is_mixed = True
            return
        for keys, found in _fields(content):
            topic.fields.setdefault(keys, Field()).take(
                found, message.arrived, is_old=message.retained or self._recorded
            )


def _fields(content: object) -> Iterator[tuple[Keys, object]]:
    if not isinstance(content, dict):
        yield (), content
        return
    for keys, found in fields_of(content):
        path = path_text(keys)
        if len(path) <= _LONGEST_PATH and path == printable(path):
            yield keys, found
