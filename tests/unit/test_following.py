"""How what members store comes to the statistics."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from models.catalog import Catalog, SeriesRow
from models.reading import Reading
from models.statistics.hand_over import HandOver
from models.storage.cluster import News, Rewound
from scheduler_app.averages.following import Follower

NOW = 10_000.0


def row(series: int, retention: float = 100.0) -> SeriesRow:
    return SeriesRow(series, f"s{series}", f"s{series}", "", 0.0, retention)


class FakeFollowing:
    """Has what the test puts there."""

    def __init__(self) -> None:
        self.new: list[Reading] = []
        self.rows = [row(1)]
        self.gone = [row(2)]
        self.error: Rewound | None = None
        self.sequence = 0

    @property
    def position(self) -> Mapping[str, int]:
        return {"1": self.sequence}

    def news(self) -> News:
        if self.error is not None:
            raise self.error
        new, self.new = self.new, []
        self.sequence += len(new)
        return News(new, self.sequence)

    @contextmanager
    def snapshot(self) -> Iterator[Any]:
        yield None

    def series(self) -> list[SeriesRow]:
        return self.rows

    def revive(self, series: Iterable[int]) -> list[SeriesRow]:
        return [each for each in (*self.rows, *self.gone) if each.id in set(series)]

    def close(self) -> None: ...


class Process:
    def __init__(self) -> None:
        self.stored = FakeFollowing()
        self.catalog = Catalog([row(1)], 10)
        self.hand_over = HandOver()
        self.follower = Follower(self.stored, self.catalog, self.hand_over, lambda: NOW)
        self.hand_over.end_loading(0)

    def arrived(self) -> dict[int, list[float]]:
        return {series: flat.tolist() for series, flat in self.hand_over.take().readings.items()}


@pytest.fixture
def process() -> Process:
    return Process()


def test_what_is_new_is_handed_over_up_to_where_it_goes(process: Process) -> None:
    process.stored.new = [Reading(1, NOW, 5.0), Reading(1, NOW + 1, 6.0)]
    process.follower.follow()
    assert process.hand_over.take().sequence == 2
    process.stored.new = [Reading(1, NOW + 2, 7.0)]
    process.follower.follow()
    assert process.arrived() == {1: [NOW + 2, 7.0]}
    assert process.catalog.newest == {1: NOW + 2}


def test_a_series_that_has_begun_or_come_back_is_taken_in(process: Process) -> None:
    """The one was not known yet, the other was removed: a member did not know that."""
    process.stored.rows.append(row(3))
    process.stored.new = [Reading(2, NOW, 1.0), Reading(3, NOW, 2.0)]
    process.follower.follow()
    assert set(process.arrived()) == {2, 3}
    assert {each.id for each in process.catalog} == {1, 2, 3}


def test_everything_is_loaded_anew_when_what_was_taken_is_gone(
    process: Process, log_lines: list[str]
) -> None:
    """In one line; nothing is followed until that is done."""
    process.stored.error = Rewound("readings are lost")
    process.follower.follow()
    process.stored.new = [Reading(1, NOW, 5.0)]
    process.follower.follow()
    assert not process.hand_over.loaded
    assert process.stored.new  # still there, and loaded with all else
    [line] = log_lines
    assert "readings are lost. All averages are taken anew" in line


def test_a_series_that_is_gone_is_let_go_when_its_readings_are_too_old(process: Process) -> None:
    """One with a younger reading is about to be taken back by whoever sees that reading."""
    process.stored.rows = []
    process.catalog.saw([Reading(1, NOW - 99, 1.0)])
    process.follower.look_at_series()
    assert process.catalog.row(1) is not None
    process.catalog.add([row(4)])
    process.catalog.saw([Reading(4, NOW - 100, 1.0)])
    process.follower.look_at_series()
    assert process.catalog.row(4) is None
    assert process.hand_over.take().removed == {4}


def test_series_that_have_begun_are_known_before_all_is_loaded(process: Process) -> None:
    process.stored.rows.append(row(7))
    with process.follower.snapshot():
        assert process.catalog.row(7) is not None
