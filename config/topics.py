"""Topic names and topic filters, as MQTT 3.1.1 and 5 define them (section 4.7)."""

import re
from collections.abc import Iterable, Mapping
from itertools import chain, zip_longest

_MAX_BYTES = 65535
# Mosquitto closes the connection of a client that publishes to a topic with more of them.
_MOST_SLASHES = 200
# Characters that no topic may hold, beside the wildcards, written for a set in a regular expression: NUL and
# surrogates (MQTT 5 section 1.5.4), and those for which Mosquitto closes the connection of whoever sends
# them: control characters and non-characters.
_NO_CHARACTERS = "".join(f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(17))
NOT_IN_TOPICS = rf"\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef{_NO_CHARACTERS}"
_UNPUBLISHABLE = re.compile(rf"[+#{NOT_IN_TOPICS}]")


# What a shared subscription begins with: this, the name of its group, and a slash (MQTT 5 section 4.8.2).
_SHARE = "$share/"


def is_shared(topic_filter: str) -> bool:
    """Whether those who subscribe to it by the same group share its messages among them."""
    return topic_filter.startswith(_SHARE)


def unshared(topic_filter: str) -> str:
    """Return the filter that topics have to match, which is what is left without `$share/GROUP/`."""
    return topic_filter.split("/", 2)[-1] if is_shared(topic_filter) else topic_filter


def check_topic(topic: str) -> str:
    """Return `topic` if messages can be published to it, else raise ValueError."""
    if is_shared(topic):
        raise ValueError("must be a topic: $share/GROUP/ stands before a filter that is subscribed to")
    if "+" in topic or "#" in topic:
        raise ValueError("must be a topic without the wildcards + and #")
    if _UNPUBLISHABLE.search(_check_text(topic)):
        raise ValueError("must be a topic without control characters")
    return topic


def check_topic_filter(topic_filter: str) -> str:
    """Return `topic_filter` if it can be subscribed to, else raise ValueError."""
    if is_shared(topic_filter):
        _, group, *rest = topic_filter.split("/", 2)
        if not group or set(group) & set("+#") or not rest or not rest[0]:
            raise ValueError(
                "must name a group and a filter after $share, for example $share/averages/home/#"
            )
    levels = unshared(topic_filter).split("/")
    if "#" in topic_filter[:-1] or any(len(level) > 1 and set(level) & set("+#") for level in levels):
        raise ValueError(
            "must have + alone between slashes, and # alone and at the end, for example sensors/+/temp"
        )
    return _check_text(topic_filter)


def unpublishable(topic: str) -> str | None:
    """Say why a message on `topic` cannot be published, None if it can.

    Where one broker passes a message on and another closes the connection, the stricter one decides.
    """
    if found := _UNPUBLISHABLE.search(topic):
        return f"no topic may hold {found[0]!a}"
    if not 0 < (size := len(topic.encode())) <= _MAX_BYTES:
        return f"{topic[:40]}… has {size} bytes, 1 to {_MAX_BYTES} are allowed in a topic"
    if topic.count("/") > _MOST_SLASHES:
        return f"{topic[:40]}… has more than {_MOST_SLASHES + 1} levels"
    return None


def has_wildcards(topic_filter: str) -> bool:
    """Whether a filter may match several topics."""
    return "+" in topic_filter or "#" in topic_filter


def matches(topic_filter: str, topic: str) -> bool:
    """Whether messages on `topic` are sent to those who subscribe to `topic_filter` (section 4.7)."""
    topic_filter = unshared(topic_filter)
    if topic.startswith("$") and topic_filter[0] in "+#":
        return False  # MQTT-4.7.2-1
    wanted = topic_filter.split("/")
    levels = topic.split("/", len(wanted))  # no further: a topic may have 65,535 of them
    for position, level in enumerate(wanted):
        if level == "#":
            return True  # the level above too
        if position == len(levels) or level not in ("+", levels[position]):
            return False
    return len(wanted) == len(levels)


def disjoint(topic_filters: Iterable[str]) -> tuple[str, ...]:
    """Return filters that cover all of `topic_filters`, of which no two match the same topic.

    A broker may send a message once for each filter that matches it (MQTT-3.3.5-1, MQTT 5
    section 3.3.4), and nothing in such copies tells them from two messages. So where filters
    overlap, one that covers both takes their place; it may match more than they did. That cannot be
    for filters of which one is shared by a group, and the other not by the same: ValueError.
    """
    apart: dict[str, None] = {}  # in their order
    # Those without wildcards, by the one topic that they match: where there are thousands, each would else
    # be compared with each.
    single: dict[str, str] = {}
    wild: dict[str, None] = {}
    for topic_filter in topic_filters:
        cover = topic_filter
        while (other := _overlapping(cover, single, wild)) is not None:
            del apart[other]
            wild.pop(other, None)
            single.pop(unshared(other), None)
            cover = _cover_of_group(cover, other)
        apart[cover] = None
        if has_wildcards(cover):
            wild[cover] = None
        else:
            single[unshared(cover)] = cover
    return tuple(apart)


def covers(one: str, other: str) -> bool:
    """Whether the filter `one` matches every topic that the filter `other` matches."""
    return _overlap(one, other) and _cover(one, other) == one


def is_at_or_below(topic: str, root: str) -> bool:
    """Whether a topic, or whatever a topic filter matches, is `root` or lies below it."""
    topic = unshared(topic)
    return topic == root or topic.startswith(f"{root}/")


def shared_levels(topic_filters: Iterable[str]) -> int:
    """Return how many levels are the same in whatever matches one of `topic_filters`."""
    number = 0
    for levels in zip(*(unshared(each).split("/") for each in topic_filters), strict=False):
        if len(set(levels)) > 1 or levels[0] in ("+", "#"):
            break
        number += 1
    return number


def _check_text(text: str) -> str:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= _MAX_BYTES or "\0" in text:
        raise ValueError(f"must be 1 to {_MAX_BYTES} bytes of UTF-8 without NUL")
    return text


def _overlap(one: str, other: str) -> bool:
    """Whether there is a topic that both filters match."""
    if {one[:1], other[:1]} in ({"$", "+"}, {"$", "#"}):
        return False  # MQTT-4.7.2-1
    for level, other_level in zip_longest(one.split("/"), other.split("/")):
        if "#" in (level, other_level):
            return True
        if level != other_level and (None in (level, other_level) or "+" not in (level, other_level)):
            return False
    return True


def _overlapping(topic_filter: str, single: Mapping[str, str], wild: Iterable[str]) -> str | None:
    """Return one of the filters that overlaps with `topic_filter`, None if none does."""
    topic = unshared(topic_filter)
    others: Iterable[str] = wild
    if has_wildcards(topic):
        others = chain(wild, single.values())
    elif topic in single:
        return single[topic]
    return next((other for other in others if _overlap(topic, unshared(other))), None)


def _cover_of_group(one: str, other: str) -> str:
    """Return the narrowest filter of their group that matches whatever either of two does."""
    group = one.removesuffix(unshared(one))
    if group != other.removesuffix(unshared(other)):
        raise ValueError(
            f"{one} and {other} overlap: a message that both match would come twice, and count twice"
        )
    return f"{group}{_cover(unshared(one), unshared(other))}"


def _cover(one: str, other: str) -> str:
    """Return the narrowest filter that matches whatever either of two overlapping filters does."""
    levels = ""
    for level, other_level in zip_longest(one.split("/"), other.split("/")):
        if "#" in (level, other_level):
            return f"{levels}#"
        levels += f"{level if level == other_level else '+'}/"
    return levels.removesuffix("/")
