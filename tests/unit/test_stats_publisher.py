import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import load_settings
from models.statistics.grid import Grid
from models.statistics.hand_over import HandOver
from models.statistics.plan import Plan
from models.statistics.rules import Rules
from models.statistics.span import At
from models.statistics.tick import SeriesResult, Tick, WindowAverage
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.store import Store
from scheduler_app.publishing import stats_publisher as module
from scheduler_app.publishing.records import Metrics, TickMark
from scheduler_app.publishing.stats_publisher import StatsPublisher
from tests.unit.rolling import rolling_statistics
from tests.unit.stored import add, catalog_of

NOW = 1_700_000_000.0
PLAN = Plan([("1min", 60_000)], ["avg"])
AVERAGES = (WindowAverage("1min", 46.0, 2), WindowAverage("5min", None, 0))


def result(name: str, avg: float | None = 1.0, time: float = NOW - 5) -> SeriesResult:
    """Return the result of a series with one window, whose only statistic is its average."""
    return SeriesResult(name, At(time, avg or 0.0), PLAN, (0 if avg is None else 3, 1.0, avg))


class Broker:
    """Takes what is published, as long as there is a connection."""

    def __init__(self, **settings: str) -> None:
        self.connected = True
        self.behind = False
        self.published: list[tuple[str, str]] = []
        self.marks: list[TickMark | None] = []
        self.metrics: Metrics | None = None
        self.sequence = 17
        self.publisher = StatsPublisher(load_settings(settings), self, self.read_metrics)

    def publish(self, topic: str, payload: str, *, when_acknowledged: object = None) -> bool:
        if self.connected:
            self.published.append((topic, payload))
        return self.connected

    def read_metrics(self, mark: TickMark | None) -> Metrics | None:
        self.marks.append(mark)
        return self.metrics

    def tick(self, at: float, *results: SeriesResult) -> list[str]:
        """Return which series are published at a tick."""
        self.published.clear()
        self.publisher.publish(Tick(at, self.sequence, AVERAGES, results))
        return [topic.removeprefix("STATS/") for topic, _ in self.published[1:]]


@pytest.fixture
def broker() -> Broker:
    return Broker()


def test_the_averages_come_first_then_the_metrics_of_the_tick_and_then_the_series(broker: Broker) -> None:
    """`audit` relies on it: nothing else says of which tick the averages are."""
    broker.metrics = Metrics(NOW + 1, 1.0, tick=TickMark(NOW, 17))
    broker.tick(NOW, result("a"), result("b"))
    assert [topic for topic, _ in broker.published] == ["STATS", "STATS/$metrics", "STATS/a", "STATS/b"]
    assert broker.published[0][1] == '{"avg_1min": 46, "avg_5min": null}'
    assert json.loads(broker.published[1][1])["tick"] == {"at": NOW, "sequence": 17}
    assert broker.marks == [TickMark(NOW, 17)]


def test_metrics_go_out_without_a_tick_and_tell_the_latest_there_was(broker: Broker) -> None:
    broker.metrics = Metrics(NOW + 1, 1.0)
    broker.publisher.publish_metrics()
    broker.tick(NOW)
    broker.publisher.publish_metrics()
    assert broker.marks == [None, TickMark(NOW, 17), TickMark(NOW, 17)]
    assert [topic for topic, _ in broker.published] == ["STATS", "STATS/$metrics", "STATS/$metrics"]


@pytest.mark.parametrize("broken", ["write_averages", "write_metrics", "write_result"])
def test_what_fails_keeps_nothing_else_from_going_out(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, log_lines: list[str], broken: str
) -> None:
    broker.metrics = Metrics(NOW + 1, 1.0)
    monkeypatch.setattr(module, broken, None)
    broker.tick(NOW, result("a"))
    broken_topic = {"write_averages": "STATS", "write_metrics": "STATS/$metrics", "write_result": "STATS/a"}
    expected = [topic for topic in ("STATS", "STATS/$metrics", "STATS/a") if topic != broken_topic[broken]]
    assert [topic for topic, _ in broker.published] == expected
    assert len([line for line in log_lines if "failed" in line]) == 1


def test_a_value_that_is_held_is_published_again_when_it_changes_and_not_when_it_is_older(
    broker: Broker,
) -> None:
    """Its age is there, at the time of the message; at every tick it would be another."""
    plan = Plan([("1min", 60_000), ("5min", 300_000)], ["avg"], Rules(hold=3600.0))

    def held(age: float | None, value: float | None) -> SeriesResult:
        return SeriesResult("a", At(NOW - 400, 4.0), plan, (0, 1.0, age, value, 0, 1.0, age, value))

    assert broker.tick(NOW, held(400.0, 4.0)) == ["a"]
    shown = '"5min": {"count": 0, "coverage": 1.0, "age": 400.0, "avg": 4.0}'
    assert shown in broker.published[1][1]
    assert broker.tick(NOW + 10, held(410.0, 4.0)) == []
    assert broker.tick(NOW + 20, held(None, None)) == ["a"]
    assert broker.tick(NOW + 30, held(None, None)) == []
    assert broker.tick(NOW + 80, held(None, None)) == ["a"]


def test_a_message_is_the_json_that_is_documented(broker: Broker) -> None:
    assert broker.tick(NOW, result("zigbee2mqtt/kitchen/temperature", 21.4)) == [
        "zigbee2mqtt/kitchen/temperature"
    ]
    assert broker.published[1][1] == (
        '{"series": "zigbee2mqtt/kitchen/temperature", "at": 1700000000.0, "sequence": 17, '
        '"last": {"value": 21.4, "time": 1699999995.0}, '
        '"windows": {"1min": {"count": 3, "coverage": 1.0, "avg": 21.4}}}'
    )


def test_an_empty_window_has_count_zero_and_null(broker: Broker) -> None:
    broker.tick(NOW, result("a", None))
    assert json.loads(broker.published[1][1])["windows"] == {
        "1min": {"count": 0, "coverage": 1.0, "avg": None}
    }


@given(
    st.text(st.characters(exclude_characters="+#$", exclude_categories=["C"]), min_size=1),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_a_message_is_json_whatever_the_name_and_to_the_last_bit(name: str, value: float) -> None:
    broker = Broker()
    broker.tick(NOW, result(name, value))
    payload = broker.published[1][1]

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    message: dict[str, Any] = json.loads(payload, parse_constant=refuse)
    assert list(message) == ["series", "at", "sequence", "last", "windows"]
    assert message["series"] == name
    assert message["last"]["value"] == message["windows"]["1min"]["avg"] == value


def test_only_what_has_changed_is_published_again(broker: Broker) -> None:
    one, other = result("a"), result("b")
    assert broker.tick(NOW, one, other) == ["a", "b"]
    assert broker.tick(NOW + 10, one, other) == []
    other = result("b", 2.0)
    assert broker.tick(NOW + 20, one, other) == ["b"]
    assert broker.tick(NOW + 30, one, other) == []
    one = result("a", time=NOW - 4)
    assert broker.tick(NOW + 40, one, other) == ["a"]


@pytest.mark.parametrize(
    ("before", "after"), [(-1.0, -2.0), (0.0, -0.0), (None, 0.0), (None, -1.0), (1.0, 1.0000000000000002)]
)
def test_a_change_of_any_bit_is_a_change(broker: Broker, before: float | None, after: float | None) -> None:
    """Python's hash is the same for -1 and -2."""
    broker.tick(NOW, result("a", before))
    assert broker.tick(NOW + 10, result("a", after)) == ["a"]
    assert broker.tick(NOW + 20, result("a", after)) == []


def test_a_new_sequence_alone_is_no_change(broker: Broker) -> None:
    """It grows with the readings of all other series."""
    broker.tick(NOW, result("a"))
    broker.sequence += 1
    assert broker.tick(NOW + 10, result("a")) == []


def test_what_has_not_changed_is_published_when_it_is_a_minute_old(broker: Broker) -> None:
    published = [second for second in range(0, 200, 10) if broker.tick(NOW + second, result("a"))]
    assert published == [0, 60, 120, 180]


@pytest.mark.parametrize(
    ("interval", "expected"),
    [(7, [0, 56, 112, 168]), (30, [0, 60, 120, 180]), (31, [*range(0, 200, 31)]), (90, [0, 90, 180])],
)
def test_what_has_not_changed_is_never_older_than_a_minute_if_ticks_are_not(
    interval: int, expected: list[int]
) -> None:
    broker = Broker(stats_interval=f"{interval}s")
    ticks = range(0, 200, interval)
    assert [second for second in ticks if broker.tick(NOW + second, result("a"))] == expected


def test_a_clock_that_was_set_back_silences_nothing(broker: Broker) -> None:
    assert broker.tick(NOW, result("a")) == ["a"]
    assert broker.tick(NOW - 3600, result("a")) == ["a"]
    assert broker.tick(NOW - 3590, result("a")) == []
    assert broker.tick(NOW - 3540, result("a")) == ["a"]


def test_what_could_not_be_published_is_tried_again(broker: Broker) -> None:
    broker.connected = False
    broker.tick(NOW, result("a"))
    broker.connected = True
    assert broker.tick(NOW + 10, result("a")) == ["a"]
    broker.connected = False
    broker.tick(NOW + 20, result("a", 2.0))
    broker.connected = True
    assert broker.tick(NOW + 30, result("a", 2.0)) == ["a"]


def test_on_a_new_connection_all_is_published_anew(broker: Broker) -> None:
    broker.tick(NOW, result("a"), result("b"))
    broker.publisher.connected()
    assert broker.tick(NOW + 1, result("a"), result("b")) == ["a", "b"]
    assert broker.tick(NOW + 2, result("a"), result("b")) == []


def test_while_the_tick_before_has_not_gone_out_a_tick_is_left_out_and_told(
    broker: Broker, log_lines: list[str]
) -> None:
    """Whole, so that the averages and the metrics behind them are of the same tick; the next one is newer."""
    broker.metrics = Metrics(NOW, 1.0)
    broker.tick(NOW, result("a"))
    broker.behind = True
    assert broker.tick(NOW + 10, result("a", 2.0)) == []
    assert broker.tick(NOW + 20, result("a", 3.0)) == []
    assert broker.published == []
    [line] = log_lines
    assert "does not take the statistics as fast" in line
    broker.behind = False
    assert broker.tick(NOW + 30, result("a", 3.0)) == ["$metrics", "a"]
    assert broker.marks == [TickMark(NOW, 17), TickMark(NOW + 30, 17)]


def test_what_comes_back_after_it_was_taken_back_is_published_at_once(broker: Broker) -> None:
    """Also if it looks as it did: what was published has been cleared."""
    assert broker.tick(NOW, result("a")) == ["a"]
    broker.published.clear()
    broker.publisher.series_gone("a", lambda: None)
    assert broker.published == [("STATS/a", "")]
    assert broker.tick(NOW + 2, result("a")) == ["a"]


def test_real_statistics_are_published_as_they_are(broker: Broker, tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    prepare(path)
    store = Store(writing_database(path), "me")
    add(store, NOW - 100, NOW - 20, value=2)
    add(store, NOW - 10, value=4)
    plan = Plan((("1min", 60_000), ("5min", 300_000)), ("avg", "max", "count", "stddev"))
    statistics = rolling_statistics(
        path,
        catalog_of(store),
        HandOver(),
        lambda row: plan,
        overall=[("1min", 60_000)],
        grid=Grid([60_000, 300_000, 30_000]),
    )
    store.close()
    broker.publisher.publish(statistics.tick(NOW))
    [(_, averages), (topic, payload)] = broker.published
    assert averages == '{"avg_1min": 3}'
    assert (topic, json.loads(payload)) == (
        "STATS/DATA",
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
