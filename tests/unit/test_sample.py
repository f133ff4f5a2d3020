import pytest

from scheduler_app.intake import sample as module
from scheduler_app.intake.sample import INTERVAL, KEPT, KEPT_BYTES, KEPT_OF_A_KIND, Sample
from tests.unit.messages import NOW


def taken(sample: Sample, count: int, *, at: float = NOW, topic: str = "a", reason: str = "not JSON") -> int:
    """Return how many of `count` messages are taken."""
    return sum(sample.takes(at, topic, reason, 1) for _ in range(count))


def test_of_one_topic_and_reason_so_many_are_kept_a_minute() -> None:
    sample = Sample()
    assert taken(sample, KEPT_OF_A_KIND) == KEPT_OF_A_KIND == 100
    assert taken(sample, 1, at=NOW + INTERVAL - 1) == 0
    assert taken(sample, 200, at=NOW + INTERVAL) == 100


def test_a_flood_of_one_kind_takes_nothing_from_the_others() -> None:
    sample = Sample()
    taken(sample, 10_000)
    assert taken(sample, 200, topic="b") == 100
    assert taken(sample, 200, reason="no number") == 100


def test_of_all_kinds_together_so_many_are_kept_a_minute() -> None:
    """Topics can be made up without end."""
    sample = Sample()
    count = sum(sample.takes(NOW, f"a/{number}", "not JSON", 1) for number in range(KEPT + 10))
    assert count == KEPT == 5000
    assert taken(sample, 1, topic="b") == 0
    assert taken(sample, 1, at=NOW + INTERVAL, topic="b") == 1


def test_of_all_kinds_together_so_many_bytes_are_kept_a_minute() -> None:
    sample = Sample()
    assert KEPT_BYTES == 5_000_000
    assert sample.takes(NOW, "a", "not JSON", KEPT_BYTES - 10)
    assert not sample.takes(NOW, "b", "not JSON", 11)
    assert sample.takes(NOW, "b", "not JSON", 10)
    assert not sample.takes(NOW, "b", "not JSON", 1)
    assert sample.takes(NOW + INTERVAL, "b", "not JSON", KEPT_BYTES)


def test_a_clock_that_was_set_back_stops_nothing() -> None:
    sample = Sample()
    assert taken(sample, 200) == 100
    assert taken(sample, 200, at=NOW - 3600) == 100
    assert taken(sample, 200, at=NOW - 3600 + INTERVAL - 1) == 0


def test_what_is_remembered_is_bounded_by_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 3)
    sample = Sample()
    for number in range(1000):
        sample.takes(NOW, f"a/{number}", "not JSON", 1)
    assert len(sample._taken) == 3
