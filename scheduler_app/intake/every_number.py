"""Every number in a message, with the name of its field: what a stream takes whose value is `"*"`."""

from collections.abc import Callable, Iterator

from config.streams import FieldPath, Stream, topic_level
from models.catalog import LONGEST_NAME
from scheduler_app.intake.number_names import is_time_name
from scheduler_app.intake.payload import Reason, Rejected, is_number

# So many readings may one message hold, where all its numbers are taken.
MOST_NUMBERS = 256
# Returns the names of what may be a number in a message, and what stands there. Raises Rejected.
Finder = Callable[[object], Iterator[tuple[str, object]]]


def number_finder(stream: Stream) -> Finder:
    """Return what finds all numbers that a stream takes: in the order in which they stand in a message.

    What the stream names for the time, the id or the name of a series is none of them.
    """
    named = [stream.time, stream.id, *(stream.series.paths if stream.series else ())]
    left_out = frozenset(map(str, (*stream.exclude, *(path for path in named if path is not None))))
    included = _outermost(stream.include) or (FieldPath(()),)
    roots = [path for path in included if not any(str(above) in left_out for above in _at_and_above(path))]
    worth_looking = _may_be_read if stream.conversion.reads_texts else _is_number

    def find(content: object) -> Iterator[tuple[str, object]]:
        numbers = 0
        for root in roots:
            for name, found in _below(str(root), root.find(content), left_out, worth_looking):
                numbers += 1
                if numbers > MOST_NUMBERS:
                    raise Rejected(Reason.TOO_MANY_NUMBERS, f"{MOST_NUMBERS} are allowed")
                yield name, found

    return find


def _outermost(paths: tuple[FieldPath, ...]) -> tuple[FieldPath, ...]:
    """Return those that lie below no other: a number is to be found once."""
    keys = [path.keys for path in paths]
    return tuple(
        path for path in paths if not any(path.keys[: len(other)] == other != path.keys for other in keys)
    )


def _at_and_above(path: FieldPath) -> Iterator[FieldPath]:
    """Yield a path and those that it lies below, but not the whole message, which is never left out."""
    return (FieldPath(path.keys[:length]) for length in range(1, len(path.keys) + 1))


def _below(
    root: str, content: object, left_out: frozenset[str], worth_looking: Callable[[object], bool]
) -> Iterator[tuple[str, object]]:
    inside = [iter([(root, content)])]
    while inside:
        name, found = next(inside[-1], (None, None))
        if name is None:
            inside.pop()
        elif isinstance(found, dict | list):
            inside.append(_inside(name, found, left_out, worth_looking))
        elif worth_looking(found):
            yield name, found


def _inside(
    name: str,
    content: dict[str, object] | list[object],
    left_out: frozenset[str],
    worth_looking: Callable[[object], bool],
) -> Iterator[tuple[str, object]]:
    """Yield the names of what stands in `content`, as far as there may be numbers in it.

    Of a name that is too long for any series there is only so much that it is seen to be; else one
    message of 64 KiB could keep us busy for seconds.
    """
    items = content.items() if isinstance(content, dict) else enumerate(content)
    for key, found in items:
        holds_more = isinstance(found, dict | list)
        if not holds_more and (not worth_looking(found) or is_time_name(key)):
            continue
        level = topic_level(str(key)[:LONGEST_NAME])
        full = (f"{name}/{level}" if name else level)[:LONGEST_NAME]
        if full not in left_out:
            yield full, found


def _is_number(content: object) -> bool:
    """Whether something is a number, or a text that is one."""
    if isinstance(content, str):
        return is_number(content.strip())
    return isinstance(content, int | float) and not isinstance(content, bool)


def _may_be_read(content: object) -> bool:
    """Whether something may be a number to a stream that says how texts are read."""
    return isinstance(content, str | int | float)
