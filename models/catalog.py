"""The series there are."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from models.reading import Reading

# In bytes: with STATS_TOPIC before it, it must still be a topic that every broker takes.
LONGEST_NAME = 1024
# For the same reason: Mosquitto closes the connection of who publishes to a topic of more than 200.
MOST_LEVELS = 190
# The last part of the limit is left to the branches of the topics that have less than a small part of it.
LEFT_TO_OTHERS = 1 / 4
SMALL_BRANCH = 1 / 16
_NEVER = float("-inf")
# Seconds that a series stays without readings: a tick that was under way may still publish it.
_SETTLING = 10.0


class SeriesRow(NamedTuple):
    """A series, in the order of the table's columns. `since` in UTC epoch seconds, `retention` in seconds."""

    id: int
    name: str
    topic: str
    field: str
    since: float
    retention: float


def usual_name(topic: str, field: str) -> str:
    """Return how a series is named where its stream says nothing else."""
    return f"{topic}/{field}" if field else topic


class NewSeries:
    """The series that a batch begins; the catalog takes them in when the batch is committed.

    Their ids are negative, -1 and down: the store decides the real ones.
    """

    def __init__(self) -> None:
        self._rows: list[SeriesRow] = []
        self._ids: dict[tuple[str, str], int] = {}
        self._by_name: dict[str, SeriesRow] = {}
        self._in_branch: dict[str, int] = {}

    def __iter__(self) -> Iterator[SeriesRow]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, topic: str, field: str = "") -> int | None:
        """Return the negative id of a series that the batch begins, None if it begins no such one."""
        return self._ids.get((topic, field))

    def named(self, name: str) -> SeriesRow | None:
        """Return the series of that name that the batch begins, None if it begins no such one."""
        return self._by_name.get(name)

    def in_branch(self, branch: str) -> int:
        return self._in_branch.get(branch, 0)

    @property
    def next_id(self) -> int:
        """The id of the next series that is added."""
        return -1 - len(self._rows)

    def add(self, row: SeriesRow, branch: str) -> None:
        """Put a series of a branch of topics among them, under the `next_id`."""
        self._rows.append(row)
        if row.name == usual_name(row.topic, row.field):
            self._ids[row.topic, row.field] = row.id
        self._by_name[row.name] = row
        self._in_branch[branch] = self.in_branch(branch) + 1


class NoSuchSeries(Exception):
    """There can be no such series; `reason` and `detail` say why."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class Catalog:
    """All series that are stored.

    Changed by the thread that takes in readings; others may look up what is there.
    """

    def __init__(
        self,
        rows: Iterable[SeriesRow],
        limit: int,
        branch_levels: int = 1,
        unpublishable: Callable[[str], str | None] = lambda name: None,
    ) -> None:
        """`limit`: how many there may be. `unpublishable` says why a name cannot be published, if so.

        Topics that share their first `branch_levels` levels are a branch. When one device has made up
        topics without end, what is left is for other branches: they still begin their series.
        """
        self._limit = limit
        self._limit_for_all = limit - int(limit * LEFT_TO_OTHERS)
        self._small_branch = max(1, int(limit * SMALL_BRANCH))
        self._branch_levels = branch_levels
        self._unpublishable = unpublishable
        self._rows: dict[int, SeriesRow] = {}
        self._in_branch: Counter[str] = Counter()
        self._ids: dict[tuple[str, str], int] = {}
        # None: there may be no more readings of it.
        self._by_name: dict[str, int | None] = {}
        self.add(rows)
        # Event time of the newest reading (UTC epoch seconds), as far as it is known.
        self.newest: dict[int, float] = {}
        # By retention in seconds: the event time up to which readings of series with it are deleted.
        self._pruned: dict[float, float] = {}
        self._pruned_most = _NEVER

    def __iter__(self) -> Iterator[SeriesRow]:
        return iter(list(self._rows.values()))

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, topic: str, field: str = "") -> int | None:
        """Return the id of a series, if it is there, is named as usual and may have more readings."""
        return self._ids.get((topic, field))

    def named(self, name: str) -> SeriesRow | None:
        """Return the series of that name, if it is there and may have more readings."""
        series = self._by_name.get(name)
        return None if series is None else self._rows.get(series)

    def row(self, series: int) -> SeriesRow | None:
        return self._rows.get(series)

    def begin(
        self,
        topic: str,
        field: str,
        since: float,
        retention: float,
        new: NewSeries,
        *,
        name: str | None = None,
    ) -> int:
        """Begin a series in a batch: put it among its `new` ones and return its negative id there.

        Without a `name` it is named as usual. The limits hold for the series of the catalog and of the batch
        together. Raises NoSuchSeries.
        """
        if name is None:
            name = usual_name(topic, field)
        there = len(self._rows) + len(new)
        if there >= self._limit:
            raise NoSuchSeries(
                "too many series", f"there are {there}, and MAX_SERIES={self._limit} allows no more"
            )
        if len(name.encode(errors="surrogatepass")) > LONGEST_NAME:
            raise NoSuchSeries("name too long", f"{LONGEST_NAME} bytes are allowed for a series")
        if name.count("/") >= MOST_LEVELS:
            raise NoSuchSeries("name too long", f"{MOST_LEVELS} levels are allowed for a series")
        if (why := self._unpublishable(name)) is not None:
            raise NoSuchSeries("name not allowed", why)
        if name in self._by_name or new.named(name) is not None:
            raise NoSuchSeries("name taken", f"{name} is another series")
        branch = self._branch(topic)
        in_branch = self._in_branch[branch] + new.in_branch(branch)
        if there >= self._limit_for_all and in_branch >= self._small_branch:
            raise NoSuchSeries(
                "too many series",
                f"{there} are there, {in_branch} of them at or below {branch}; the rest of "
                f"MAX_SERIES={self._limit} is kept for smaller branches",
            )
        row = SeriesRow(new.next_id, name, topic, field, since, retention)
        new.add(row, branch)
        return row.id

    def add(self, rows: Iterable[SeriesRow]) -> None:
        """Take in series that are stored now."""
        for row in rows:
            self._rows[row.id] = row
            self._in_branch[self._branch(row.topic)] += 1
            # An earlier version took names that cannot be published. What comes for them now is refused
            # like that of new ones, so that those series age out.
            refused = self._unpublishable(row.name) is not None
            self._by_name[row.name] = None if refused else row.id
            if not refused and row.name == usual_name(row.topic, row.field):
                self._ids[row.topic, row.field] = row.id

    def remove(self, row: SeriesRow) -> None:
        del self._rows[row.id]
        if self._ids.get((row.topic, row.field)) == row.id:
            del self._ids[row.topic, row.field]
        self._by_name.pop(row.name, None)
        branch = self._branch(row.topic)
        self._in_branch[branch] -= 1
        if not self._in_branch[branch]:
            del self._in_branch[branch]
        self.newest.pop(row.id, None)

    def learn(self, newest: Mapping[int, float]) -> bool:
        """Take the event time of the newest reading of each series, as the database has it.

        A series that is not among them has no readings. Returns that there is no more to do.
        """
        for row in self:
            self._saw(row.id, newest.get(row.id, row.since))
        return False

    def saw(self, readings: Iterable[Reading]) -> None:
        """Note that there are these readings."""
        newest = self.newest
        for series, time, _, _ in readings:
            if time > newest.get(series, _NEVER):
                newest[series] = time  # as nearly always
            if time <= self._pruned_most:
                self._saw(series, time)

    def pruned(self, retention: float) -> float:
        """Return up to which event time readings are deleted of series with this `retention` (seconds)."""
        return self._pruned.get(retention, _NEVER)

    def set_pruned(self, retention: float, until: float) -> None:
        """Note up to which event time readings are deleted of series with this `retention` (seconds)."""
        self._pruned[retention] = until
        self._pruned_most = max(self._pruned.values())

    def is_aged(self, row: SeriesRow) -> bool:
        """Whether a series has had no readings for some time: all are so old that they were deleted."""
        newest = self.newest.get(row.id)
        return newest is not None and newest + _SETTLING <= self.pruned(row.retention)

    def _branch(self, topic: str) -> str:
        """Return the levels that say which branch a topic is of."""
        return "/".join(topic.split("/", self._branch_levels)[: self._branch_levels])

    def _saw(self, series: int, time: float) -> None:
        """Note that a series has a reading at an event time."""
        if time > self.newest.get(series, _NEVER):
            self.newest[series] = time
        if time <= self._pruned_most:
            self._saw_old(self._rows[series].retention, time)

    def _saw_old(self, retention: float, time: float) -> None:
        """Note that there is a reading which may be older than what is deleted: a clock was set back."""
        if time <= self.pruned(retention):
            self.set_pruned(retention, math.nextafter(time, _NEVER))
