import pytest

from config.settings import load_settings
from scheduler_app.publishing.messages import write_metrics
from scheduler_app.publishing.records import Metrics, TickMark
from scheduler_app.web import live as module
from scheduler_app.web.entry import TREND
from scheduler_app.web.live import LiveStatistics
from tests.unit.messages import message
from tests.unit.series_messages import AT, payload


def live(**settings: str) -> LiveStatistics:
    return LiveStatistics(load_settings(settings), now=lambda: AT)


def metrics(at: float, received: int = 0, series: int = 0) -> bytes:
    return write_metrics(
        Metrics(at, AT - 1000, received=received, series=series, tick=TickMark(at, 1))
    ).encode()


def test_each_message_is_kept_as_what_it_is() -> None:
    statistics = live()
    assert statistics.topics == ("STATS/#",)
    for topic, content in (
        ("STATS", b'{"avg_1min": 46}'),
        ("STATS/$state", b"online"),
        ("STATS/$metrics", metrics(AT, received=7)),
        ("STATS/a/b", payload("a/b")),
    ):
        assert statistics.take(message(content, topic))
    assert statistics.averages is not None
    assert statistics.averages.values == {"avg_1min": 46}
    assert statistics.state == "online"
    assert statistics.metrics is not None
    assert statistics.metrics.received == 7
    assert statistics.metrics_arrived == AT
    assert list(statistics.entries) == ["a/b"]


def test_a_message_that_came_before_changes_nothing() -> None:
    statistics = live()
    assert statistics.take(message(payload("a"), "STATS/a"))
    assert not statistics.take(message(payload("a"), "STATS/a", retained=True))
    assert list(statistics.entries["a"].trend) == [21.25]
    assert statistics.take(message(payload("a", at=AT + 10), "STATS/a"))
    assert list(statistics.entries["a"].trend) == [21.25, 21.25]


def test_an_empty_message_ends_a_series() -> None:
    statistics = live()
    statistics.take(message(payload("a"), "STATS/a"))
    assert statistics.take(message(b"", "STATS/a"))
    assert not statistics.take(message(b"", "STATS/a"))
    assert statistics.entries == {}


@pytest.mark.parametrize("topic", ["STATS/$check", "STATS/$proof/x"])
def test_what_else_a_subscriber_tells_of_itself_is_no_series(topic: str, log_lines: list[str]) -> None:
    assert not live().take(message(b"anything", topic))
    assert log_lines == []


@pytest.mark.parametrize("topic", ["STATS", "STATS/$state", "STATS/$metrics", "STATS/a"])
def test_what_is_no_message_of_a_subscriber_is_told_once(topic: str, log_lines: list[str]) -> None:
    statistics = live()
    assert not statistics.take(message(b"\xff", topic))
    assert not statistics.take(message(b"\xff", topic))
    assert len(log_lines) == 1
    assert topic in log_lines[0]


def test_no_more_series_are_kept_than_max_series(log_lines: list[str]) -> None:
    statistics = live(max_series="2")
    for name in ("a", "b", "c"):
        statistics.take(message(payload(name), f"STATS/{name}"))
    assert list(statistics.entries) == ["a", "b"]
    assert "MAX_SERIES" in log_lines[0]
    assert statistics.take(message(payload("a", at=AT + 10), "STATS/a"))


def test_no_more_bytes_are_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(payload("a")) + 1
    monkeypatch.setattr(module, "MOST_BYTES", 2 * size)
    statistics = live()
    for name in ("a", "b", "c"):
        statistics.take(message(payload(name), f"STATS/{name}"))
    assert list(statistics.entries) == ["a", "b"]
    statistics.take(message(b"", "STATS/a"))
    statistics.take(message(payload("c"), "STATS/c"))
    assert list(statistics.entries) == ["b", "c"]


def test_a_series_that_ended_unseen_is_forgotten_after_a_while() -> None:
    statistics = live()
    statistics.take(message(payload("gone"), "STATS/gone"))
    statistics.take(message(payload("there", at=AT + 300), "STATS/there"))
    statistics.take(message(metrics(AT + 300, series=1), "STATS/$metrics"))
    assert sorted(statistics.entries) == ["gone", "there"]
    statistics.take(message(metrics(AT + 301, series=2), "STATS/$metrics"))
    assert sorted(statistics.entries) == ["gone", "there"]  # as many as the subscriber says there are
    statistics.take(message(metrics(AT + 301, series=1), "STATS/$metrics"))
    assert sorted(statistics.entries) == ["there"]


def test_the_small_curve_has_the_newest_values_and_where_there_were_none() -> None:
    statistics = live()
    for number in range(TREND + 5):
        windows = {
            "5min": {"count": 9, "avg": 1.0},
            "1min": {"count": 0, "avg": number if number % 2 else None},
        }
        statistics.take(message(payload("a", at=AT + number, windows=windows), "STATS/a"))
    expected = [number if number % 2 else None for number in range(5, TREND + 5)]
    assert list(statistics.entries["a"].trend) == expected


def test_rates_are_taken_over_the_last_minute() -> None:
    statistics = live()
    assert statistics.rates() is None
    for tenth in range(13):
        content = metrics(AT + 10 * tenth, received=0 if tenth < 6 else 100 * (tenth - 6))
        statistics.take(message(content, "STATS/$metrics"))
    rates = statistics.rates()
    assert rates is not None
    assert rates["received"] == 10.0
    assert rates["rejected"] == 0.0


def test_counters_that_begin_anew_have_no_rate() -> None:
    statistics = live()
    statistics.take(message(metrics(AT, received=100), "STATS/$metrics"))
    statistics.take(message(metrics(AT - 50, received=1), "STATS/$metrics"))
    assert statistics.rates() is None


def test_a_name_of_a_window_is_kept_once_for_all_series() -> None:
    statistics = live()
    for name in ("a", "b"):
        statistics.take(message(payload(name), f"STATS/{name}"))
    first, second = (statistics.entries[name].message.windows for name in ("a", "b"))
    assert all(one is other for one, other in zip(first, second, strict=True))
    assert first == second
