"""Where in a message something stands, and how that is written as a part of a series' name."""

import re
from dataclasses import dataclass

from config.topics import NOT_IN_TOPICS

PATH_FORM = "a dotted path such as ENERGY.Power, or a JSON Pointer such as /ENERGY/Power"
# The index of an element in a list. No payload holds more elements than that, and Python refuses to convert
# a number of thousands of digits.
_INDEX = re.compile(r"[0-9]{1,9}")
# The root, or an index, as JSONPath has it.
_JSON_PATH = re.compile(r"^\$(?:\.|$)|\[([0-9]{1,9})\]")
_MANY = (
    "must lead to one field. For a list, or an object with many: each says where it stands, value what is "
    'taken of each element, and series how its readings are named, such as each = "meters", value = "E", '
    'series = "{topic}/{each}"'
)
# Characters that are escaped in the name of a series: those that no topic may hold, those that end a level,
# and the sign of an escape itself.
_ESCAPED = re.compile(rf"[%/+#{NOT_IN_TOPICS}]")


@dataclass(frozen=True)
class FieldPath:
    """Where in a JSON payload something stands, as the keys that lead to it."""

    keys: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "FieldPath":
        """Read a dotted path or a JSON Pointer (RFC 6901), or `.`, which is the whole; ValueError says so.

        What looks like JSONPath is refused: as a dotted path it would be valid, and lead nowhere.
        """
        if text == ".":
            return cls(())
        if text.startswith("/"):
            keys = [key.replace("~1", "/").replace("~0", "~") for key in text[1:].split("/")]
        else:
            keys = text.split(".")
            if "*" in keys or "[*]" in text:
                raise ValueError(_MANY)
            meant = _JSON_PATH.sub(lambda found: f".{found[1]}" if found[1] else "", text) or "."
            if text and meant != text:
                pointer = "/" + text.replace("~", "~0").replace("/", "~1")
                raise ValueError(f"must be {meant} in a dotted path; a key that is spelled so is {pointer}")
        if not all(keys):
            raise ValueError(f"must be {PATH_FORM}")
        return cls(tuple(keys))

    def find(self, content: object) -> object:
        """Return what stands there in a decoded payload, None if nothing does."""
        for key in self.keys:
            if isinstance(content, dict):
                content = content.get(key)
            elif isinstance(content, list) and _INDEX.fullmatch(key) and int(key) < len(content):
                content = content[int(key)]
            else:
                return None
        return content

    def __str__(self) -> str:
        """Return it as it stands in the name of a series: a topic level for each key."""
        return "/".join(map(topic_level, self.keys))


def topic_level(key: str) -> str:
    """Return a key as one level of a topic, escaped where no topic may hold it; an empty one is `%`."""
    return _ESCAPED.sub(_escape, key) or "%"


def _escape(found: re.Match[str]) -> str:
    """Return a character as in a URL: each byte of it in hexadecimal."""
    return "".join(f"%{byte:02X}" for byte in found[0].encode(errors="surrogatepass"))
