"""A stream may say that retained copies are taken: each counts once, by its own time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.messages import NOW, message
from tests.unit.rules_service import RulesService
from tests.unit.stream_reading import refusal

TAKE = 'value = "v"\ntime = "t"\nretained = "take"'


def timed(value: object, ago: float = 600) -> bytes:
    return b'{"v": %s, "t": %r}' % (str(value).encode(), NOW - ago)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RulesService]:
    service = RulesService(tmp_path, TAKE)
    yield service
    service.store.close()


def test_a_retained_copy_counts_by_its_own_time(service: RulesService) -> None:
    service.take(message(timed(5), retained=True))
    assert service.readings == [("DATA", NOW - 600, 5.0)]
    assert service.counts == {"received": 1, "stored": 1}


def test_without_the_key_it_is_skipped(tmp_path: Path) -> None:
    for number, keys in enumerate(('value = "v"\ntime = "t"', TAKE.replace("take", "skip"))):
        service = RulesService(tmp_path, keys, f"{number}.db")
        service.take(message(timed(5), retained=True))
        assert service.readings == []
        assert service.counts == {"received": 1, "retained": 1}
        service.store.close()


@pytest.mark.parametrize("retained", [True, False])
@pytest.mark.parametrize("again", [True, False])
def test_however_often_and_in_whatever_way_it_comes_it_counts_once(
    service: RulesService, *, retained: bool, again: bool
) -> None:
    """Live before retained, retained before live, and retained at each new subscription."""
    service.take(message(timed(5), packet_id=1, retained=retained))
    service.start_again()
    service.take(
        message(timed(5), packet_id=2, retained=again), message(timed(5), packet_id=3, retained=True)
    )
    assert service.readings == [("DATA", NOW - 600, 5.0)]
    assert service.counts == {"received": 3, "stored": 1, "duplicates": 2}


def test_what_was_stored_before_the_stream_said_so_is_known_too(tmp_path: Path) -> None:
    """It has no implied id: the reading itself is looked for."""
    service = RulesService(tmp_path, 'value = "v"\ntime = "t"')
    service.take(message(timed(5), packet_id=1), message(timed(6, ago=300), packet_id=2))
    service.start_again(TAKE)
    service.take(message(timed(6, ago=300), retained=True))
    assert service.counts == {"received": 3, "stored": 2, "duplicates": 1}
    service.take(message(timed(7, ago=300), retained=True), message(timed(6, ago=299), retained=True))
    assert service.counts == {"received": 5, "stored": 4, "duplicates": 1}
    service.store.close()


def test_an_id_of_its_own_is_the_one_that_counts(tmp_path: Path) -> None:
    service = RulesService(tmp_path, f'{TAKE}\nid = "n"')
    for name in ("a", "a", "b"):
        payload = b'{"v": 5, "t": %r, "n": "%s"}' % (NOW - (600 if name == "a" else 500), name.encode())
        service.take(message(payload, retained=True))
    assert service.counts == {"received": 3, "stored": 2, "duplicates": 1}
    service.store.close()


def test_a_copy_that_does_not_bring_its_own_time_is_skipped(service: RulesService) -> None:
    service.take(message(b'{"v": 5}', retained=True))
    assert service.counts == {"received": 1, "retained": 1}
    service.take(message(b'{"v": 5}'))
    assert service.readings == [("DATA", NOW, 5.0)]


@pytest.mark.parametrize("bad", ["0", "978307199", '"never"'])
def test_nor_does_one_count_whose_time_cannot_be(tmp_path: Path, bad: str) -> None:
    service = RulesService(tmp_path, f'{TAKE}\nbad_time = "arrival"')
    service.take(message(b'{"v": 5, "t": %s}' % bad.encode(), retained=True))
    assert service.counts == {"received": 1, "retained": 1}
    service.store.close()


def test_a_time_that_is_counted_from_the_arrival_is_none_of_its_own(tmp_path: Path) -> None:
    """SenML: the records of a copy would be new ones whenever it comes."""
    service = RulesService(tmp_path, 'format = "senml"\nretained = "take"')
    pack = b'[{"n": "a", "v": 1, "t": -5}, {"n": "b", "v": 2, "t": %r}, {"n": "c", "v": 3}]' % (NOW - 5)
    service.take(message(pack, retained=True))
    assert service.readings == [("DATA/b", NOW - 5, 2.0)]
    assert service.counts == {"received": 3, "stored": 1, "retained": 2}
    service.take(message(pack, packet_id=2))
    assert service.counts == {"received": 6, "stored": 3, "retained": 2, "duplicates": 1}
    service.store.close()


@pytest.mark.parametrize("late_as", ["late", "arrival"])
def test_a_copy_as_old_as_the_retention_is_late_and_never_taken_at_its_arrival(
    tmp_path: Path, late_as: str
) -> None:
    service = RulesService(tmp_path, f'{TAKE}\nlate_as = "{late_as}"')
    service.take(message(timed(5, ago=2100), retained=True), message(timed(6, ago=2099), retained=True))
    assert service.readings == [("DATA", NOW - 2099, 6.0)]
    assert service.counts == {"received": 2, "stored": 1, "late": 1}
    service.store.close()


def test_each_reading_of_a_copy_counts_by_itself(tmp_path: Path) -> None:
    keys = 'each = "."\nvalue = "v"\ntime = "t"\nseries = "{n}"\nretained = "take"'
    service = RulesService(tmp_path, keys)
    service.take(message(b'[{"n": "a", "v": 1, "t": %r}]' % (NOW - 5)))
    elements = ",".join(
        [
            f'{{"n": "a", "v": 1, "t": {NOW - 5!r}}}',
            f'{{"n": "b", "v": 2, "t": {NOW - 4!r}}}',
            '{"n": "c", "v": 3}',
            f'{{"n": "d", "v": true, "t": {NOW - 3!r}}}',
            f'{{"n": "e", "v": 5, "t": {NOW - 9999!r}}}',
        ]
    )
    service.take(message(f"[{elements}]".encode(), retained=True))
    assert [name for name, _, _ in service.readings] == ["a", "b"]
    ends = {"stored": 2, "duplicates": 1, "retained": 1, "rejected": 1, "late": 1}
    assert service.counts == {"received": 6, **ends}
    service.store.close()


def test_it_needs_to_be_known_where_the_time_stands(tmp_path: Path) -> None:
    path = tmp_path / "streams.toml"
    assert refusal(path, 'value = "v"\nretained = "take"') == (
        "line 4: retained needs time, which says where the time stands"
    )
    assert refusal(path, 'retained = true\ntime = "t"').startswith(
        "line 3: retained = True must be skip or take"
    )


def test_what_it_is_known_by_must_not_be_forbidden(tmp_path: Path) -> None:
    assert refusal(tmp_path / "streams.toml", f"{TAKE}\nimplied_id = false").startswith(
        "line 6: implied_id = false must not stand beside retained = take: "
    )


def test_it_needs_a_subscription_by_which_retained_copies_are_sent(tmp_path: Path) -> None:
    """MQTT 5 section 4.8.2."""
    assert refusal(tmp_path / "streams.toml", f'topic = ["b", "$share/g/a"]\n{TAKE}') == (
        "line 5: retained = take needs a topic without $share: $share/g/a gets no retained copies"
    )
