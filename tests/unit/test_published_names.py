"""What the subscriber publishes and what it never tries to, with no broker there."""

from types import SimpleNamespace
from typing import Any

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from config.settings import load_settings
from models.statistics.plan import Plan
from models.statistics.span import At
from models.statistics.tick import SeriesResult, Tick
from scheduler_app.mqtt.connection import Connection
from scheduler_app.mqtt.message import INVALID_TOPIC, Puback
from scheduler_app.mqtt.publications import Publications
from scheduler_app.publishing.stats_publisher import StatsPublisher
from scheduler_app.publishing.topics import unpublishable_name

BAD = [
    "w/+",
    "#",
    "a\0b",
    "\x1b",
    "\ud800",
    "$state",
    "$metrics",
    "$check/1",
    INVALID_TOPIC,
    f"{INVALID_TOPIC}/x",
]


class FakePresence:
    """Takes what is published, and notes the topics below that of the averages."""

    behind = False

    def __init__(self, puback: Puback) -> None:
        self.puback = puback
        self.published: list[str] = []

    def publish(self, topic: str, payload: str, *, when_acknowledged: object = None) -> bool:
        if "/" in topic:
            self.published.append(topic)
        if callable(when_acknowledged):
            when_acknowledged(self.puback)
        return True


def tick_with(name: str) -> Tick:
    return Tick(100.0, 1, (), (SeriesResult(name, At(99.0, 21.5), PLAN, (1, 1.0, 21.5)),))


PLAN = Plan([("1min", 60_000)], ["avg"])


def publisher_over(presence: FakePresence, **settings: str) -> StatsPublisher:
    return StatsPublisher(load_settings(settings), presence, lambda tick: None)


@pytest.mark.parametrize("name", BAD)
def test_a_name_that_cannot_be_published_is_not_tried_and_gone_at_once(
    name: str, log_lines: list[str]
) -> None:
    """A broker may close the connection for it, and `$state` is not to be cleared."""
    presence = FakePresence(Puback(accepted=True, reason="Success"))
    publisher = publisher_over(presence)
    cleared: list[str] = []
    for _ in range(2):
        publisher.publish(tick_with(name))
    publisher.series_gone(name, lambda: cleared.append(name))
    assert presence.published == []
    assert cleared == [name]
    [line] = log_lines
    assert line.isprintable()
    assert "cannot be published" in line


@pytest.mark.parametrize("name", ["a/b", "$SYS/load", "a/$state", "$stated", "a//b", "ü"])
def test_any_other_name_is_published_and_cleared(name: str) -> None:
    presence = FakePresence(Puback(accepted=True, reason="Success"))
    publisher = publisher_over(presence)
    cleared: list[str] = []
    publisher.publish(tick_with(name))
    publisher.series_gone(name, lambda: cleared.append(name))
    assert presence.published == [f"STATS/{name}"] * 2
    assert cleared == [name]


@pytest.mark.parametrize(("reason", "gone"), [("Topic name invalid", True), ("Not authorized", False)])
def test_a_series_that_the_broker_has_no_topic_for_goes_and_one_that_it_refuses_stays(
    reason: str, gone: bool
) -> None:
    publisher = publisher_over(FakePresence(Puback(accepted=False, reason=reason)))
    cleared: list[str] = []
    publisher.series_gone("a", lambda: cleared.append("a"))
    assert cleared == ["a"] * gone


def test_a_name_must_fit_behind_the_topic_of_the_statistics() -> None:
    settings = load_settings({"stats_topic": "s" * 65_000})
    assert unpublishable_name(settings, "a" * 534) is None
    why = unpublishable_name(settings, "a" * 535)
    assert why is not None
    assert why.endswith("has 65536 bytes, 1 to 65535 are allowed in a topic")
    deep = load_settings({"stats_topic": "s" + "/" * 150})
    assert unpublishable_name(deep, "/" * 49) is None
    assert unpublishable_name(deep, "/" * 50) is not None


def test_a_topic_that_no_broker_takes_is_no_error_and_told_once(
    log_lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connection, "connected", True)
    connection = Connection(load_settings({}), "test")
    client: Any = SimpleNamespace(protocol=MQTTProtocolVersion.MQTTv311)
    connection._publications = Publications(client, qos=1, receive_maximum=None, wake=lambda: None)
    topics = ("w/+", "#", "x" * 65536, "", "\ud800")
    assert [connection.publish(topic, "1") for topic in topics] == [False] * 5
    assert log_lines == [
        "ERROR: nothing can be published on w/+: a topic that is published on holds no wildcards"
    ]
    assert connection.publish("x" * 65535, "1")
