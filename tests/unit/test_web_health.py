import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from tests.unit.database_file import store_readings
from tests.unit.series_messages import AT
from tests.unit.web_pages import Pages, pages

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def found() -> Pages:
    store_readings(Path("test.db"), {"a": [(AT, 1.0)]})
    return pages()


def report(pages_: Pages) -> dict[str, Any]:
    answer = pages_.client.get("/api/v1/health")
    assert answer.status_code == 200
    content = answer.json()
    assert isinstance(content, dict)
    return content


def codes(pages_: Pages) -> list[str]:
    return [problem["code"] for problem in report(pages_)["problems"]]


def test_all_is_well(found: Pages) -> None:
    found.publish_health()
    found.publish("", b'{"avg_1min": 46}')
    content = report(found)
    assert (content["trust"], content["problems"]) == ("good", [])
    assert content["broker"] == {"address": "localhost:1883", "connected": True, "trouble": None}
    assert content["subscriber"]["state"] == "online"
    assert content["subscriber"]["metrics"]["stored"] == 3
    assert content["tick"] == {"at": AT, "age": 0.0, "sequence": 3}
    assert content["averages"] == {"arrived": AT, "values": {"avg_1min": 46}}
    assert content["balance"] == {"received": 3, "accounted": 3, "difference": 0}
    assert content["database"]["trouble"] is None
    assert content["database"]["disk"]["total"] > 0
    assert content["settings"] == {"stats_topic": "STATS", "stats_interval": 10.0}
    assert set(content["program"]) == {"version", "python"}
    assert found.client.get("/readyz").status_code == 200


def test_nothing_is_known_at_first() -> None:
    content = report(pages())
    assert content["trust"] == "bad"
    assert [problem["code"] for problem in content["problems"]] == [
        "subscriber_offline",
        "database_unreadable",
    ]
    assert content["tick"] is content["balance"] is content["rates"] is content["averages"] is None
    assert content["subscriber"] == {"state": None, "arrived": None, "metrics": None}


def test_a_broker_that_is_gone_is_told_and_so_is_its_return(found: Pages) -> None:
    found.publish_health()
    found.connected = False
    assert codes(found) == ["broker_gone"]
    assert report(found)["broker"]["trouble"] == "it is gone"
    answer = found.client.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "not ready: broker_gone\n")
    assert found.client.get("/healthz").status_code == 200
    found.connected = True
    assert codes(found) == []


def test_a_subscriber_that_has_stopped(found: Pages) -> None:
    found.publish_health()
    found.publish("$state", b"offline")
    assert codes(found) == ["subscriber_offline"]
    assert found.client.get("/readyz").text == "not ready: subscriber_offline\n"


def test_statistics_that_have_not_come_yet(found: Pages) -> None:
    found.publish_health(tick=None)
    assert codes(found) == ["no_tick"]


@pytest.mark.parametrize(("interval", "timeout"), [("10s", 120), ("60s", 120), ("61s", 122), ("1h", 7200)])
def test_old_statistics(interval: str, timeout: int) -> None:
    found = pages(stats_interval=interval)
    found.publish_health()
    found.now = AT + timeout
    assert found.client.get("/readyz").status_code == 200
    found.now = AT + timeout + 1
    assert found.client.get("/readyz").text == "not ready: no_tick\n"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"received": 4}, "unbalanced"),
        ({"trouble": "the broker allows QoS 0 only"}, "subscriber_trouble"),
        ({"oldest_unacknowledged": 10.1}, "writing_held_up"),
        ({"oldest_unacknowledged": 10.0}, None),
        ({"last_commit": AT - 601}, "readings_stopped"),
        ({"last_commit": AT - 600}, None),
        ({"others": {"members": {"1": {"process": 1}, "2": None}}}, "slot_empty"),
        ({"others": {"members": {"1": {"process": 1}}}}, None),
        ({"session_lost_at": AT - 86399}, "session_lost"),
        ({"session_lost_at": AT - 86400}, None),
    ],
)
def test_what_the_counters_tell(found: Pages, changes: dict[str, Any], code: str | None) -> None:
    found.publish_health(**changes)
    assert codes(found) == ([code] if code else [])
    trust = {"unbalanced": "bad", None: "good"}.get(code, "limited")
    assert report(found)["trust"] == trust


@pytest.mark.parametrize(("name", "code"), [("rejected", "rejecting"), ("late", "late")])
def test_what_has_been_counted_in_the_last_minute(found: Pages, name: str, code: str) -> None:
    found.publish_health()
    found.now += 60
    found.publish_health(received=9, **{name: 6})
    content = report(found)
    assert [problem["code"] for problem in content["problems"]] == [code]
    assert " 6 " in content["problems"][0]["text"]
    assert content["rates"][name] == 0.1


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (3600, "less than one message a minute"),
        (121, "less than one message a minute"),
        (60, "1 message a minute"),
        (30, "2 messages a minute"),
    ],
)
def test_one_rejected_message_is_told_as_often_as_it_comes(found: Pages, seconds: int, told: str) -> None:
    found.publish_health()
    found.now += seconds
    found.publish_health(received=4, rejected=1)
    assert report(found)["problems"][0]["text"] == f"the subscriber rejects {told}"


@pytest.mark.parametrize(
    ("total", "free", "low"),
    [
        (10**12, 10**12 // 20, False),
        (10**12, 10**12 // 20 - 1, True),
        (10**9, 500_000_000, False),
        (10**9, 499_999_999, True),
    ],
)
def test_a_disk_that_is_nearly_full(
    found: Pages, monkeypatch: pytest.MonkeyPatch, total: int, free: int, low: bool
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(total, 0, free))
    found.publish_health()
    assert codes(found) == (["disk_low"] if low else [])


def test_a_disk_that_cannot_be_looked_at(found: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(shutil, "disk_usage", fail)
    found.publish_health()
    assert report(found)["database"]["disk"] is None
    assert "averages_disk" not in found.client.get("/metrics").text
