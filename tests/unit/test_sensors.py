import json
from collections import Counter
from itertools import count, islice, pairwise
from random import Random

import pytest

from jobs.sensors import Due, Sensors, WanderingValues, due_at_random, due_at_rate
from scheduler_app.intake.payload import decode

NOW = 1_700_000_000.25


class Bench:
    """Sensors whose clocks the test moves, and what they have published."""

    def __init__(self, schedule: list[Due]) -> None:
        self.elapsed = 1000.0
        self.published: list[tuple[int, str]] = []
        ids = count(1)
        self.sensors = Sensors(
            iter(schedule),
            float,
            lambda sensor, reading: self.published.append((sensor, reading)),
            lambda: f"boot-{next(ids)}",
            now=lambda: NOW,
            elapsed=lambda: self.elapsed,
        )

    def after(self, seconds: float) -> list[int]:
        """Return which sensors publish if they are asked so many seconds later."""
        self.elapsed += seconds
        before = len(self.published)
        self.sensors.publish_due()
        return [sensor for sensor, _ in self.published[before:]]


def test_at_a_rate_readings_are_evenly_spaced_and_the_sensors_take_turns() -> None:
    assert list(islice(due_at_rate(4, 3), 5)) == [(0, 0), (0.25, 1), (0.5, 2), (0.75, 0), (1, 1)]


def test_at_random_each_sensor_keeps_its_pauses() -> None:
    due = list(islice(due_at_random(1, 3, 5, Random(1)), 1000))
    assert due[0] == (0, 0)
    assert due == sorted(due)
    for sensor in range(5):
        times = [time for time, number in due if number == sensor]
        assert times[0] <= 3
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert 1 <= min(gaps) < 1.2
        assert 2.8 < max(gaps) <= 3


def test_the_same_seed_gives_the_same_pauses_and_values() -> None:
    def run(seed: int) -> tuple[list[Due], list[float]]:
        values = WanderingValues(3, Random(seed))
        schedule = due_at_random(1, 3, 3, Random(seed))
        return list(islice(schedule, 50)), [values.next(number % 3) for number in range(50)]

    assert run(7) == run(7) != run(8)


def test_values_wander_slowly_and_not_away() -> None:
    values = WanderingValues(2, Random(1))
    walk = [values.next(0) for _ in range(20_000)]
    assert max(abs(new - old) for old, new in pairwise(walk)) < 1
    assert 1 < max(walk) - min(walk) < 20
    assert all(value == round(value, 2) for value in walk)


def test_a_sensor_wanders_by_itself() -> None:
    values = WanderingValues(2, Random(1))
    before = values.next(1)
    for _ in range(1000):
        values.next(0)
    assert abs(values.next(1) - before) < 1


def test_what_is_due_is_published_once() -> None:
    bench = Bench([(0.0, 0), (0.5, 1), (0.9, 0), (2.0, 1)])
    assert [bench.after(pause) for pause in (0, 0, 0.5, 0.3, 0.2, 0.9, 0.2, 9)] == [
        *([0], [], [1], [], [0], [], [1], [])
    ]


def test_a_reading_has_number_time_and_id_and_is_understood() -> None:
    bench = Bench([(0.0, 3), (0.0, 4)])
    bench.after(0)
    assert [json.loads(payload) for _, payload in bench.published] == [
        {"number": 3.0, "epochtime": NOW, "id": "boot-1"},
        {"number": 4.0, "epochtime": NOW, "id": "boot-2"},
    ]
    assert decode(bench.published[0][1].encode(), arrived=0.0, latest=NOW)[:3] == ("", NOW, 3.0)


def test_nothing_is_made_up_for_after_a_sleep() -> None:
    """A laptop that wakes does not publish an hour's readings at once."""
    bench = Bench(list(islice(due_at_rate(10, 1), 1000)))
    bench.after(0)
    assert len(bench.after(3600)) == 1
    assert len(bench.after(0.5)) == 5


@pytest.mark.parametrize("rate", [0.5, 7, 333])
def test_the_rate_is_kept_over_time(rate: float) -> None:
    bench = Bench(list(islice(due_at_rate(rate, 4), int(rate * 100))))
    pauses = [0.0, *[0.05] * 1200]
    turns = Counter(sensor for pause in pauses for sensor in bench.after(pause))
    assert abs(sum(turns.values()) - 60 * rate) <= 1
    assert max(turns.values()) - min(turns.values()) <= 1
