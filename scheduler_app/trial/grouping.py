"""Topics that one stream can read, and the topic filters for them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from config.topics import matches
from scheduler_app.intake.number_names import is_time_name
from scheduler_app.trial.observed import Field, Keys, Topic


@dataclass
class Group:
    """Topics that are read in the same way."""

    topics: list[Topic]
    filters: tuple[str, ...] = ()

    @property
    def is_object(self) -> bool:
        return self.topics[0].is_object

    @property
    def names(self) -> list[str]:
        return [topic.name for topic in self.topics]

    def fields(self) -> dict[Keys, list[Field]]:
        """Return the fields of all its messages, in the order in which they were seen."""
        found: dict[Keys, list[Field]] = {}
        for topic in self.topics:
            for keys, field in topic.fields.items():
                found.setdefault(keys, []).append(field)
        return found


def groups_of_objects(topics: Iterable[Topic]) -> list[Group]:
    """Return groups of topics with as many levels and the same first one, whose messages share a field."""
    groups: list[tuple[set[object], Group]] = []
    for topic in topics:
        levels = topic.name.split("/")
        place = len(levels), levels[0]
        marks: set[object] = {(place, keys) for keys in topic.fields if not is_time_name(keys[-1])}
        together = [entry for entry in groups if entry[0] & marks]
        merged = Group([one for _, group in together for one in group.topics] + [topic])
        groups = [entry for entry in groups if entry not in together]
        groups.append((marks.union(*(known for known, _ in together)), merged))
    return [group for _, group in groups]


def groups_of_plain(topics: Iterable[Topic], kind: dict[str, object]) -> list[Group]:
    """Return groups of topics whose messages are numbers or words of the same `kind`, by topic.

    They have as many levels, the same first one, and the same last one, if it is on several topics; else all
    but the last.
    """
    by_end: defaultdict[object, list[Topic]] = defaultdict(list)
    for topic in topics:
        levels = topic.name.split("/")
        by_end[kind[topic.name], len(levels), levels[0], levels[-1]].append(topic)
    by_begin: defaultdict[object, list[Topic]] = defaultdict(list)
    found = []
    for end, members in by_end.items():
        if len(members) > 1:
            found.append(Group(members))
        else:
            begin, _, _ = members[0].name.rpartition("/")  # nothing, for `a` as for `/a`
            assert isinstance(end, tuple)
            by_begin[end[:2], begin].append(members[0])
    return found + [Group(members) for members in by_begin.values()]


def set_filters(groups: Sequence[Group], others: Mapping[str, bool]) -> None:
    """Give each group its topic filters: one in which + stands for what varies, if it matches no more.

    More is the topics of the other groups and the `others`, by whether these have objects: those do no
    harm where a stream names fields, since a message that has none of them is ignored.
    """
    owner = {name: group for group in groups for name in group.names}
    for group in groups:
        wide = _filter_of(group.names)
        strays = [name for name, other in owner.items() if other is not group]
        strays += [name for name, is_object in others.items() if not (is_object and group.is_object)]
        # a wildcard in the place of the first level would take the topics of strangers
        apart = not wide.startswith("+") and not any(matches(wide, name) for name in strays)
        group.filters = (wide,) if apart else tuple(group.names)


def _filter_of(names: Sequence[str]) -> str:
    columns = zip(*(name.split("/") for name in names), strict=True)
    return "/".join(column[0] if len(set(column)) == 1 else "+" for column in columns)
