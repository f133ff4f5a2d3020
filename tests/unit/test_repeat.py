"""A stream may say that a value that is repeated counts once."""

import json
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.storage.errors import StoreUnavailable
from scheduler_app.mqtt.message import Message
from tests.unit.messages import NOW, message
from tests.unit.rows import locked, rows
from tests.unit.rules_service import RulesService
from tests.unit.stream_reading import refusal, stream_of

REPEAT = 'repeat = "5s"'
# A reading: when it was taken, in seconds after NOW - 1000, and its value; in the order of arrival.
Taken = tuple[float, int]


def at(offset: float, value: object, topic: str = "DATA", packet_id: int = 1, **more: object) -> Message:
    payload = json.dumps({"number": value, "epochtime": NOW - 1000 + offset, **more}).encode()
    return message(payload, topic, packet_id=packet_id)


def kept(service: RulesService, topic: str = "DATA") -> list[Taken]:
    return [(time - NOW + 1000, round(value)) for name, time, value in service.readings if name == topic]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RulesService]:
    service = RulesService(tmp_path, REPEAT)
    yield service
    service.store.close()


def test_the_same_reading_through_two_gateways_counts_once(service: RulesService) -> None:
    service.take(*(message(value, packet_id=n) for n, value in enumerate((b"20", b"20", b"20", b"26"), 1)))
    assert [value for _, _, value in service.readings] == [20, 26]
    assert service.counts == {"received": 4, "stored": 2, "duplicates": 2}


def test_without_the_key_each_counts(tmp_path: Path) -> None:
    service = RulesService(tmp_path, "")
    service.take(message(b"20", packet_id=1), message(b"20", packet_id=2))
    assert service.counts == {"received": 2, "stored": 2}
    service.store.close()


@pytest.mark.parametrize(
    ("readings", "counting"),
    [
        ([(0, 1), (5, 1)], [(0, 1)]),
        ([(0, 1), (5.0625, 1)], [(0, 1), (5.0625, 1)]),
        ([(5, 1), (0, 1)], [(5, 1)]),
        ([(5.0625, 1), (0, 1)], [(0, 1), (5.0625, 1)]),
        ([(0, 1), (4, 1), (8, 1)], [(0, 1), (8, 1)]),
        ([(0, 1), (1, 0), (2, 1)], [(0, 1), (1, 0), (2, 1)]),
        ([(0, 1), (2, 1), (1, 0)], [(0, 1), (1, 0)]),
        ([(0, 1), (1, 0), (0.5, 1), (0.6, 0)], [(0, 1), (1, 0)]),
        ([(0, 1), (0, 0), (0, 1)], [(0, 1), (0, 0), (0, 1)]),
    ],
    ids=[
        "as far as it may be",
        "further",
        "before another",
        "further before",
        "of the last that counted",
        "a switch",
        "what lies between came later",
        "a slow gateway",
        "at one time",
    ],
)
@pytest.mark.parametrize("way", ["in one batch", "one by one", "with restarts"])
def test_it_goes_by_the_readings_beside_it_in_time(
    service: RulesService, readings: Sequence[Taken], counting: Sequence[Taken], way: str
) -> None:
    messages = [at(*reading, packet_id=number) for number, reading in enumerate(readings, 1)]
    if way == "in one batch":
        service.take(*messages)
    for one in messages if way != "in one batch" else ():
        if way == "with restarts":
            service.start_again()
        service.take(one)
    assert kept(service) == counting


def test_each_series_is_by_itself(tmp_path: Path) -> None:
    service = RulesService(tmp_path, f'value = ["t", "h"]\n{REPEAT}')
    for number, payload in enumerate((b'{"t": 1, "h": 1}', b'{"t": 1, "h": 2}', b'{"t": 2, "h": 2}'), 1):
        for topic in ("a", "b"):
            service.take(message(payload, topic, packet_id=number, arrived=NOW + number))
    assert service.counts == {"received": 12, "stored": 8, "duplicates": 4}
    assert [(name, value) for name, _, value in service.readings] == [
        (f"{topic}/{field}", value) for topic in "ab" for field in "ht" for value in (1, 2)
    ]
    service.store.close()


def test_other_streams_are_as_ever(tmp_path: Path) -> None:
    service = RulesService(tmp_path, f'{REPEAT}\n[[stream]]\ntopic = "b"', topic="a")
    service.take(*(message(b"1", topic, packet_id=n) for n, topic in enumerate("aabbab", 1)))
    assert [name for name, _, _ in service.readings] == ["a", "b", "b", "b"]
    service.store.close()


def test_the_id_of_a_repeat_does_not_stay(service: RulesService) -> None:
    """Nobody would ever delete it, since there is no reading that goes with it."""
    service.take(at(0, 1, id="a"), at(1, 1, packet_id=2, id="b"))
    assert rows(service.path, "SELECT message_id FROM message_id") == [(b"\x1b",)]
    assert service.counts == {"received": 2, "stored": 1, "duplicates": 1}


def test_what_is_a_duplicate_by_its_id_makes_no_repeat_of_others(service: RulesService) -> None:
    """Its value was never stored there: here a device has used an id twice."""
    service.take(at(0, 1, id="a"))
    service.take(at(100, 7, packet_id=2, id="a"), at(101, 7, packet_id=3))
    assert kept(service) == [(0, 1), (101, 7)]
    assert service.counts == {"received": 3, "stored": 2, "duplicates": 1}


def test_a_batch_that_could_not_be_stored_is_judged_anew(service: RulesService) -> None:
    batch = service.writer.sort([at(0, 1), at(1, 1, packet_id=2)])
    with locked(service.path), pytest.raises(StoreUnavailable):
        service.writer.commit(batch)
    service.writer.commit(batch)
    assert service.counts == {"received": 2, "stored": 1, "duplicates": 1}


def test_what_the_broker_sends_again_is_no_repeat_of_itself(service: RulesService) -> None:
    """A kill between the commit and the acknowledgement: each message counts once, as what it was."""
    sent = [at(0, 1), at(1, 1, packet_id=2), at(2, 0, packet_id=3), at(3, 1, packet_id=4)]
    service.take(*sent)
    service.start_again()
    service.take(*(one._replace(duplicate=True) for one in sent))
    assert kept(service) == [(0, 1), (2, 0), (3, 1)]
    assert service.counts == {"received": 8, "stored": 3, "duplicates": 5}


@pytest.mark.parametrize("at_most", ["1ms", "60s", "1min"])
def test_it_is_a_short_time(tmp_path: Path, at_most: str) -> None:
    assert stream_of(tmp_path / "s.toml", f'repeat = "{at_most}"').repeat in (0.001, 60.0)


@pytest.mark.parametrize("wrong", ['"61s"', '"0s"', '"5"', "5", "true"])
def test_it_is_no_long_one(tmp_path: Path, wrong: str) -> None:
    assert refusal(tmp_path / "s.toml", f"repeat = {wrong}").startswith(
        f"line 3: repeat = {wrong.strip(chr(34)).replace('true', 'True')} must be "
    )


def plain_oracle(readings: Sequence[Taken], within: float) -> list[Taken]:
    """Return which of them count, in the order of time: in the plainest way there is."""
    counting: list[Taken] = []
    for time, value in readings:
        before = [one for one in counting if one[0] <= time]
        after = [one for one in counting if one[0] > time]
        beside = before[-1:] + after[:1]
        if not any(its_value == value and abs(its_time - time) <= within for its_time, its_value in beside):
            counting = [*before, (time, value), *after]
    return counting


READINGS = st.tuples(st.integers(0, 120).map(lambda number: number / 4), st.integers(0, 2))
# Of each batch, whether the process is killed before it.
BATCHES = st.lists(st.tuples(st.booleans(), st.lists(READINGS, max_size=8)), max_size=6)
NUMBERS = count()


@pytest.fixture(scope="module")
def long_lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RulesService]:
    """Have a service for many histories, each on a topic of its own: to make a database takes long."""
    service = RulesService(tmp_path_factory.mktemp("repeat"), REPEAT)
    yield service
    service.store.close()


@given(batches=BATCHES)
@example(batches=[(False, [(0.0, 1), (9.0, 1)]), (True, [(4.5, 1)])])
@example(batches=[(False, [(10.0, 1)]), (False, [(0.0, 1), (8.0, 1)])])
@example(batches=[(False, [(1.0, 1), (2.0, 0), (3.0, 1), (4.0, 0)]), (False, [(0.0, 2), (2.0, 0), (4.0, 1)])])
def test_whatever_comes_in_whatever_order_and_batches(
    long_lived: RulesService, batches: list[tuple[bool, list[Taken]]]
) -> None:
    """What counts does not depend on where batches end, and where the process is killed."""
    topic = f"topic {next(NUMBERS)}"
    for is_killed, batch in batches:
        if is_killed:
            long_lived.start_again()
        long_lived.take(*(at(*reading, topic, number) for number, reading in enumerate(batch, 1)))
    readings = [reading for _, batch in batches for reading in batch]
    assert kept(long_lived, topic) == plain_oracle(readings, 5)
