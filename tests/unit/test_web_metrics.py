import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from scheduler_app.cures import CURES, cure_of
from scheduler_app.intake.payload import Reason
from scheduler_app.publishing.messages import parse_series
from scheduler_app.publishing.records import SeriesMessage
from scheduler_app.web import metrics as module
from scheduler_app.web.metrics import MOST_SERIES, series_metrics
from scheduler_app.web.parameters import WrongRequest
from tests.unit.database_file import store_readings
from tests.unit.series_messages import AT, payload
from tests.unit.web_pages import Pages, pages

ROOT = Path(__file__).parents[2]


@pytest.fixture
def found() -> Pages:
    made = pages()
    made.publish_health()
    made.publish_series("zigbee2mqtt/a", "zigbee2mqtt/b", "other")
    return made


def samples(text: str) -> dict[str, float]:
    """Return what Prometheus would read: each line that is no comment."""
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    assert len({name for name, _, _ in lines}) == len(lines)
    return {name: float(value) for name, _, value in lines}


def test_our_own_health_is_some_twenty_samples(found: Pages) -> None:
    answer = found.client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    read = samples(answer.text)
    assert 18 <= len(read) <= 25
    assert read["averages_broker_connected"] == 1
    assert read["averages_subscriber_online"] == 1
    assert read['averages_messages_total{result="stored"}'] == 3
    assert read["averages_tick_timestamp_seconds"] == AT
    assert read["averages_series"] == 1
    assert read["averages_disk_free_bytes"] > 0
    assert "averages_last_commit_timestamp_seconds" not in read
    assert "averages_session_lost_timestamp_seconds" not in read


def test_what_is_not_known_is_left_out() -> None:
    made = pages()
    made.connected = False
    read = samples(made.client.get("/metrics").text)
    assert read["averages_broker_connected"] == 0
    assert read["averages_subscriber_online"] == 0
    assert "averages_series" not in read


def test_a_subscriber_is_not_known_to_be_online_without_a_broker(found: Pages) -> None:
    found.connected = False
    assert samples(found.client.get("/metrics").text)["averages_subscriber_online"] == 0


def test_rejected_messages_are_told_by_reasons_that_are_known() -> None:
    store_readings(Path("test.db"), {})
    with closing(sqlite3.connect("test.db")) as connection, connection:
        connection.executemany(
            "INSERT INTO rejected_message (arrived, topic, payload, size, reason, detail) "
            "VALUES (1, ?, '', 0, ?, '')",
            [("a", "not JSON"), ("b", "not JSON"), ("a", "no number"), ("a", 'made "up')],
        )
    read = samples(pages().client.get("/metrics").text)
    assert {name: value for name, value in read.items() if "kept" in name} == {
        'averages_rejected_messages_kept{reason="no number"}': 1,
        'averages_rejected_messages_kept{reason="not JSON"}': 2,
    }


def test_the_series_that_match_have_samples(found: Pages) -> None:
    read = samples(found.client.get("/metrics/series?match=zigbee2mqtt/%2B").text)
    assert read['averages_window_average{series="zigbee2mqtt/a",window="1min"}'] == 21.25
    assert read['averages_window_readings{series="zigbee2mqtt/b",window="5min"}'] == 9
    assert read['averages_window_coverage{series="zigbee2mqtt/b",window="5min"}'] == 0.5
    assert read['averages_last_value{series="zigbee2mqtt/a"}'] == 21.5
    assert read['averages_last_timestamp_seconds{series="zigbee2mqtt/a"}'] == AT - 5
    assert len(read) == 2 * (2 + 2 * 3)


def test_all_are_all_also_those_that_mqtt_leaves_out(found: Pages) -> None:
    found.publish_series("$SYS/broker/load")
    label = 'averages_last_value{series="$SYS/broker/load"}'
    for match, is_there in (("%23", True), ("other&match=%23", True), ("$SYS/%23", True), ("%2B/%23", False)):
        read = samples(found.client.get(f"/metrics/series?match={match}").text)
        assert (label in read) is is_there, match


def test_several_filters_and_other_statistics(found: Pages) -> None:
    answer = found.client.get("/metrics/series?match=other&match=zigbee2mqtt/a&statistics=max,p99.9,max")
    assert set(samples(answer.text)) == {
        *(f'averages_last_value{{series="{name}"}}' for name in ("other", "zigbee2mqtt/a")),
        *(f'averages_last_timestamp_seconds{{series="{name}"}}' for name in ("other", "zigbee2mqtt/a")),
        # that of the longer window is null
        *(f'averages_window_max{{series="{name}",window="1min"}}' for name in ("other", "zigbee2mqtt/a")),
    }


def test_an_empty_window_is_left_out(found: Pages) -> None:
    windows = {"1min": {"count": 0, "coverage": 0.0, "avg": None}}
    found.publish("empty", payload("empty", windows=windows))
    read = samples(found.client.get("/metrics/series?match=empty").text)
    assert 'averages_window_average{series="empty",window="1min"}' not in read
    assert read['averages_window_readings{series="empty",window="1min"}'] == 0


def test_names_cannot_break_a_line(found: Pages) -> None:
    name = 'a"b\\c}d'
    found.publish(name, payload(name))
    text = found.client.get("/metrics/series?match=%23").text
    assert r'averages_last_value{series="a\"b\\c}d"} 21.5' in text.splitlines()


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("", "match is missing"),
        ("match=a%23", "match=a# must have + alone between slashes"),
        ("match=a&statistics=mean", "statistics=mean must be a statistic, such as avg"),
        ("match=a&statistics=avg,mean", "holds 'mean', which must be a statistic"),
        ("match=a&window=5min", "window is no parameter"),
        ("&".join(["match=a"] * 101), "match may be given 100 times"),
        (f"match=a&statistics={','.join(f'p{number}' for number in range(21))}", "at most 20 statistics"),
    ],
)
def test_a_wrong_parameter_is_told(found: Pages, query: str, told: str) -> None:
    answer = found.client.get(f"/metrics/series?{query}")
    assert answer.status_code == 400
    assert told in answer.text


@pytest.mark.parametrize("gone", ["broker", "subscriber"])
def test_old_numbers_are_not_given_out(found: Pages, gone: str) -> None:
    """The scrape fails then, and what Prometheus has goes stale."""
    if gone == "broker":
        found.connected = False
    else:
        found.publish("$state", b"offline")
    answer = found.client.get("/metrics/series?match=%23")
    assert answer.status_code == 503


def message(name: str = "a") -> SeriesMessage:
    return parse_series(payload(name), name)


def test_too_many_series_are_refused_and_never_cut() -> None:
    assert series_metrics([message()] * MOST_SERIES, ["avg"])
    with pytest.raises(WrongRequest, match="match finds 5,001 series, and 5,000 are allowed") as caught:
        series_metrics([message()] * (MOST_SERIES + 1), ["avg"])
    assert caught.value.status == 413


def test_too_many_samples_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SAMPLES", 8)
    assert series_metrics([message()] * 2, ["avg", "count"])
    with pytest.raises(WrongRequest, match="12 samples would be sent, and 8 are allowed"):
        series_metrics([message()] * 2, ["avg", "count", "max"])


def test_every_reason_has_a_cure() -> None:
    """Those of payloads, and those that a message is rejected for because of its series."""
    named = set(re.findall(r'NoSuchSeries\(\s*"([^"]+)"', (ROOT / "models" / "catalog.py").read_text()))
    writer = (ROOT / "scheduler_app" / "intake" / "writer.py").read_text()
    named |= set(re.findall(r'_INTERNAL_ERROR = "([^"]+)"', writer))
    assert len(named) >= 5
    assert {str(reason) for reason in Reason} | named == set(CURES)
    assert cure_of("of a later version") == "The subscriber's log says more."
