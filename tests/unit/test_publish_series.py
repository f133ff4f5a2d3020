import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.publish_series import SeriesPublisher
from models.catalog import SeriesRow
from models.series_message import SeriesMessage
from models.statistics.grid import Grid
from models.statistics.ordered import At
from models.statistics.rolling import Plan, RollingStatistics
from models.storage.connection import reading_database, writing_database
from models.storage.opening import prepare
from models.storage.store import Store
from scheduler_app.publishing.messages import write_series
from tests.unit.stored import add, catalog_of, series_row

NOW = 1_700_000_000.0
RETENTION = 2100.0


class FakeSeries:
    """A series with one window, whose only statistic is its average."""

    def __init__(self, number: int, name: str, value: float | None = 1.0, time: float = NOW - 5) -> None:
        self.row = series_row(number, name, retention=RETENTION)
        self.newest = At(time, value or 0.0)
        self.avg = value

    def windows(self, at: float) -> list[tuple[str, dict[str, float | int | None]]]:
        return [("1min", {"count": 0 if self.avg is None else 3, "coverage": 1.0, "avg": self.avg})]


class FakeStatistics:
    """Statistics at a tick."""

    def __init__(self, *all_series: FakeSeries) -> None:
        self.at = NOW
        self.sequence = 17
        self.all_series = list(all_series)

    def series(self) -> Sequence[FakeSeries]:
        return self.all_series


class Broker:
    """Takes what is published, as long as there is a connection."""

    def __init__(self) -> None:
        self.connected = True
        self.published: list[tuple[str, str]] = []
        self.failed: list[str] = []
        self.publisher = SeriesPublisher(self.publish, self.failed.append)

    def publish(self, message: SeriesMessage) -> bool:
        if self.connected:
            self.published.append((message.series, write_series(message)))
        return self.connected

    def names_at(self, statistics: FakeStatistics, at: float) -> list[str]:
        """Return which series are published at a tick."""
        statistics.at = at
        self.published.clear()
        self.publisher.publish(cast(RollingStatistics, statistics))
        return [name for name, _ in self.published]


@pytest.fixture
def broker() -> Broker:
    return Broker()


def test_a_message_is_the_json_that_is_documented(broker: Broker) -> None:
    statistics = FakeStatistics(FakeSeries(1, "zigbee2mqtt/kitchen/temperature", 21.4))
    assert broker.names_at(statistics, NOW) == ["zigbee2mqtt/kitchen/temperature"]
    [(_, payload)] = broker.published
    assert payload == (
        '{"series": "zigbee2mqtt/kitchen/temperature", "at": 1700000000.0, "sequence": 17, '
        '"last": {"value": 21.4, "time": 1699999995.0}, '
        '"windows": {"1min": {"count": 3, "coverage": 1.0, "avg": 21.4}}}'
    )


def test_an_empty_window_has_count_zero_and_null(broker: Broker) -> None:
    broker.names_at(FakeStatistics(FakeSeries(1, "a", None)), NOW)
    [(_, payload)] = broker.published
    assert json.loads(payload)["windows"] == {"1min": {"count": 0, "coverage": 1.0, "avg": None}}


@given(st.text(min_size=1), st.floats(allow_nan=False, allow_infinity=False))
def test_a_message_is_json_whatever_the_name_and_to_the_last_bit(name: str, value: float) -> None:
    broker = Broker()
    broker.names_at(FakeStatistics(FakeSeries(1, name, value)), NOW)
    [(_, payload)] = broker.published

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    message: dict[str, Any] = json.loads(payload, parse_constant=refuse)
    assert list(message) == ["series", "at", "sequence", "last", "windows"]
    assert message["series"] == name
    assert message["last"]["value"] == message["windows"]["1min"]["avg"] == value


def test_only_what_has_changed_is_published_again(broker: Broker) -> None:
    one, other = FakeSeries(1, "a"), FakeSeries(2, "b")
    statistics = FakeStatistics(one, other)
    assert broker.names_at(statistics, NOW) == ["a", "b"]
    assert broker.names_at(statistics, NOW + 10) == []
    other.avg = 2.0
    assert broker.names_at(statistics, NOW + 20) == ["b"]
    assert broker.names_at(statistics, NOW + 30) == []
    one.newest = At(NOW - 4, 1.0)
    assert broker.names_at(statistics, NOW + 40) == ["a"]


@pytest.mark.parametrize(
    ("before", "after"), [(-1.0, -2.0), (0.0, -0.0), (None, 0.0), (None, -1.0), (1.0, 1.0000000000000002)]
)
def test_a_change_of_any_bit_is_a_change(broker: Broker, before: float | None, after: float | None) -> None:
    """Python's hash is the same for -1 and -2."""
    series = FakeSeries(1, "a", before)
    statistics = FakeStatistics(series)
    broker.names_at(statistics, NOW)
    series.avg = after
    assert broker.names_at(statistics, NOW + 10) == ["a"]
    assert broker.names_at(statistics, NOW + 20) == []


def test_a_new_sequence_alone_is_no_change(broker: Broker) -> None:
    """It grows with the readings of all other series."""
    statistics = FakeStatistics(FakeSeries(1, "a"))
    broker.names_at(statistics, NOW)
    statistics.sequence += 1
    assert broker.names_at(statistics, NOW + 10) == []


def test_what_has_not_changed_is_published_when_it_is_a_minute_old(broker: Broker) -> None:
    statistics = FakeStatistics(FakeSeries(1, "a"))
    published = [second for second in range(0, 200, 10) if broker.names_at(statistics, NOW + second)]
    assert published == [0, 60, 120, 180]


def test_a_clock_that_was_set_back_silences_nothing(broker: Broker) -> None:
    statistics = FakeStatistics(FakeSeries(1, "a", time=NOW - 7000))
    statistics.all_series[0].row = series_row(1, "a", retention=86400.0)
    assert broker.names_at(statistics, NOW) == ["a"]
    assert broker.names_at(statistics, NOW - 3600) == ["a"]
    assert broker.names_at(statistics, NOW - 3590) == []
    assert broker.names_at(statistics, NOW - 3540) == ["a"]


def test_what_could_not_be_published_is_tried_again(broker: Broker) -> None:
    statistics = FakeStatistics(FakeSeries(1, "a"))
    broker.connected = False
    assert broker.names_at(statistics, NOW) == []
    broker.connected = True
    assert broker.names_at(statistics, NOW + 10) == ["a"]
    broker.connected = False
    statistics.all_series[0].avg = 2.0
    assert broker.names_at(statistics, NOW + 20) == []
    broker.connected = True
    assert broker.names_at(statistics, NOW + 30) == ["a"]


def test_on_a_new_connection_all_is_published_anew(broker: Broker) -> None:
    statistics = FakeStatistics(FakeSeries(1, "a"), FakeSeries(2, "b"))
    broker.names_at(statistics, NOW)
    broker.publisher.publish_all_anew()
    assert broker.names_at(statistics, NOW + 1) == ["a", "b"]
    assert broker.names_at(statistics, NOW + 2) == []


def test_what_has_aged_out_is_not_published(broker: Broker) -> None:
    """Its message is about to be cleared, and would be there again for ever."""
    series = FakeSeries(1, "a", time=NOW - RETENTION + 60)
    statistics = FakeStatistics(series)
    assert broker.names_at(statistics, NOW) == ["a"]
    assert broker.names_at(statistics, NOW + 59.5) == []
    assert broker.names_at(statistics, NOW + 60) == []
    assert broker.names_at(statistics, NOW + 600) == []


def test_what_comes_back_after_it_had_aged_out_is_published_at_once(broker: Broker) -> None:
    """Also if it looks as it did: what was published has been cleared."""
    series = FakeSeries(1, "a", time=NOW - 1)
    statistics = FakeStatistics(series)
    assert broker.names_at(statistics, NOW) == ["a"]
    series.row = series_row(1, "a", retention=1.0)
    assert broker.names_at(statistics, NOW + 1) == []
    series.row = series_row(1, "a", retention=RETENTION)
    assert broker.names_at(statistics, NOW + 2) == ["a"]


def test_real_statistics_are_published_as_they_are(broker: Broker, tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    prepare(path)
    store = Store(writing_database(path), "me")
    add(store, NOW - 100, NOW - 20, value=2)
    add(store, NOW - 10, value=4)
    store.close()

    def plan_of(row: SeriesRow) -> Plan:
        return Plan((("1min", 60_000), ("5min", 300_000)), ("avg", "max", "count", "stddev"))

    statistics = RollingStatistics(
        reading_database(path),
        catalog_of(store),
        plan_of=plan_of,
        pooled=[60_000],
        ahead=30_000,
        grid=Grid([60_000, 300_000, 30_000]),
    )
    store.close()
    statistics.advance(NOW)
    broker.publisher.publish(statistics)
    [(name, payload)] = broker.published
    assert (name, json.loads(payload)) == (
        "DATA",
        {
            "series": "DATA",
            "at": NOW,
            "sequence": 3,
            "last": {"value": 4, "time": NOW - 10},
            "windows": {
                "1min": {"count": 2, "coverage": 1.0, "avg": 3, "max": 4, "stddev": 2**0.5},
                "5min": {"count": 3, "coverage": 1 / 3, "avg": 8 / 3, "max": 4, "stddev": (4 / 3) ** 0.5},
            },
        },
    )


class BrokenSeries(FakeSeries):
    def windows(self, at: float) -> list[tuple[str, dict[str, float | int | None]]]:
        raise OverflowError


def test_a_series_that_fails_keeps_no_other_from_being_published(broker: Broker) -> None:
    broken = BrokenSeries(2, "broken")
    statistics = FakeStatistics(FakeSeries(1, "a"), broken, FakeSeries(3, "c"))
    assert broker.names_at(statistics, NOW) == ["a", "c"]
    assert broker.failed == ["broken"]
    assert broker.names_at(statistics, NOW + 60) == ["a", "c"]
    assert broker.failed == ["broken"] * 2
