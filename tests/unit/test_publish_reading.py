import json
from collections import Counter
from random import Random

from jobs.publish_reading import LEAST, MOST, ReadingIds, publish_reading
from scheduler_app.intake.payload import decode

NOW = 1_700_000_000.25


def published(random: Random, count: int) -> list[str]:
    payloads: list[str] = []
    ids = ReadingIds()
    for _ in range(count):
        publish_reading(payloads.append, random, ids.next, lambda: NOW)
    return payloads


def test_a_reading_is_a_number_its_time_and_an_id() -> None:
    [payload] = published(Random(1), 1)
    reading = json.loads(payload)
    assert list(reading) == ["number", "epochtime", "id"]
    assert type(reading["number"]) is int
    assert reading["epochtime"] == NOW
    assert isinstance(reading["id"], str)


def test_a_reading_is_understood_by_the_subscriber() -> None:
    [payload] = published(Random(1), 1)
    reading = json.loads(payload)
    assert decode(payload.encode(), arrived=0.0, latest=NOW)[1:] == (NOW, reading["number"], reading["id"])


def test_numbers_are_uniform_from_1_to_100_inclusive() -> None:
    numbers = Counter(json.loads(payload)["number"] for payload in published(Random(1), 20_000))
    assert (LEAST, MOST) == (1, 100)
    assert set(numbers) == set(range(1, 101))
    assert all(120 < count < 280 for count in numbers.values())  # 200 expected, 5.7 sigma


def test_the_same_seed_gives_the_same_numbers() -> None:
    one, other, third = ([json.loads(p)["number"] for p in published(Random(seed), 20)] for seed in (7, 7, 8))
    assert one == other != third


def test_no_two_readings_have_the_same_id() -> None:
    """Neither of one start of the publisher nor of several."""
    starts = [ReadingIds() for _ in range(100)]
    ids = [start.next() for start in starts for _ in range(100)]
    assert len(set(ids)) == len(ids)
