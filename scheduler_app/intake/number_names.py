"""The names of the fields of a message: which of them are numbers, and which are called as times are."""

import re
from collections.abc import Iterator

from config.field_path import FieldPath
from config.text import printable

# What is called so is a time and no reading, in whatever case.
TIME_NAMES = frozenset(
    {
        *("time", "ts", "tst", "date", "datetime", "epoch", "epochtime", "unixtime", "utc"),
        *("last_seen", "lastseen", "last_update", "last_updated", "last_changed", "updated", "created"),
    }
)
_TIME_ENDING = "timestamp"
# Characters of a name and of a path that are looked at, and of a path that is shown.
_LONGEST_NAME, _LONGEST_PATH, _LONGEST_SHOWN = 1024, 200, 60
# So many fields are looked at, so many levels deep; and so many of the numbers should be named.
_MOST_FIELDS, _MOST_LEVELS, MOST_NAMED = 200, 8, 6
# A dotted path that is certain to be read as such: what comes often must not take long.
_USUAL = re.compile(r"[\w-]++(?:\.[\w-]++)*+", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,20}(?:\.\d{0,20})?", re.ASCII)


def is_time_name(key: object) -> bool:
    """Whether the name of a field says that it is a time."""
    if not isinstance(key, str) or len(key) > _LONGEST_NAME:
        return False
    name = key.lower()
    return name in TIME_NAMES or name.endswith(_TIME_ENDING)


def path_text(keys: tuple[str, ...]) -> str:
    """Return a path as a user writes it: dotted, or as a JSON Pointer where a dotted path would mislead."""
    dotted = ".".join(keys)
    if _USUAL.fullmatch(dotted) and dotted.count(".") == len(keys) - 1:
        return dotted
    try:
        if FieldPath.parse(dotted).keys == keys:
            return dotted
    except ValueError:
        pass
    return "".join(f"/{key.replace('~', '~0').replace('/', '~1')}" for key in keys)


def fields_of(content: object) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield the keys that lead to each field of an object, and what is there if it holds no more fields.

    Only the first fields of many, and not those that lie deep or have long names: what is looked at is
    bounded.
    """
    waiting: list[tuple[tuple[str, ...], Iterator[tuple[object, object]]]] = [((), _items(content))]
    for _ in range(_MOST_FIELDS):
        while waiting and (item := next(waiting[-1][1], None)) is None:
            waiting.pop()
        if not waiting or item is None:
            return
        keys = (*waiting[-1][0], str(item[0]))
        if sum(map(len, keys)) > _LONGEST_PATH:
            continue
        if isinstance(item[1], dict):
            if len(keys) < _MOST_LEVELS:
                waiting.append((keys, _items(item[1])))
        elif all(keys) and not isinstance(item[1], list):
            yield keys, item[1]


def looks_like_a_number(found: object) -> bool:
    """Whether a field is a number, or a text that is one in the usual way."""
    if isinstance(found, str):
        return _NUMBER.fullmatch(found.strip()[:50]) is not None
    return isinstance(found, int | float) and not isinstance(found, bool)


def number_paths(content: object) -> list[str]:
    """Return where the numbers of an object stand, as paths for a stream file. Times are none of them."""
    paths = (
        path_text(keys)
        for keys, found in fields_of(content)
        if looks_like_a_number(found) and not is_time_name(keys[-1])
    )
    return [path for path in paths if len(path) <= _LONGEST_SHOWN and path == printable(path)]


def _items(content: object) -> Iterator[tuple[object, object]]:
    return iter(content.items()) if isinstance(content, dict) else iter(())
