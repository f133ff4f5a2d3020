"""A broker for the publisher to Home Assistant, whose clock stands still unless it is told to go on."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings, settings_from
from models.catalog import SeriesRow, usual_name
from models.statistics.plan import Plan
from models.statistics.span import At
from models.statistics.tick import SeriesResult, Tick
from scheduler_app.mqtt.message import Puback
from scheduler_app.publishing.home_assistant import publisher as module
from scheduler_app.publishing.home_assistant.publisher import HomeAssistantPublisher
from tests.support.discovery_schema import complaints
from tests.unit.discovery_payloads import Told
from tests.unit.messages import message

PLAN = Plan([("1min", 60_000), ("5min", 300_000)], ["avg"])
ACCEPTED = Puback(accepted=True, reason="Success")


class FakeConnection:
    """Notes what is published; `take` is what it calls with a message, `begin` when it is connected."""

    def __init__(
        self,
        settings: Settings,
        role: str,
        *,
        subscribe: Sequence[str],
        on_message: Callable[[Any], object],
        **_: object,
    ) -> None:
        self.topic_filters = subscribe
        self.take = on_message
        self.connected = False
        self.trouble: str | None = None
        self.too_large: str | None = None
        self.answer = ACCEPTED
        self.published: list[tuple[str, str]] = []
        self.begin: Callable[[], object] = lambda: None

    def start(self, on_connect: Callable[[], object]) -> None:
        self.begin = on_connect

    def stop(self) -> None:
        self.connected = False

    def publish(
        self, topic: str, payload: str, *, retain: bool, when_acknowledged: Callable[[Puback], object]
    ) -> bool:
        assert retain
        assert complaints(topic, payload) == []
        self.published.append((topic, payload))
        when_acknowledged(self.answer)
        return True


class Site:
    """A publisher with its broker, which keeps what is retained, and the series there are."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, streams: str = "", **settings: str
    ) -> None:
        """`streams`: the content of a stream file. All topics are announced, unless `settings` say else."""
        monkeypatch.setattr(module, "Connection", FakeConnection)
        if streams:
            path = tmp_path / "streams.toml"
            path.write_text(streams)
            settings["streams_file"] = str(path)
        self.settings = settings_from({"topic": "#", "ha_discovery": "#", **settings})
        self.now = 1000.0
        self.rows: dict[str, SeriesRow] = {}
        self.plans: dict[str, Plan] = {}
        self.retained: dict[str, str] = {}
        self.restart()

    def restart(self) -> None:
        """Have another publisher in the place of this one; the broker keeps what it has."""
        self.publisher = HomeAssistantPublisher(
            self.settings, self.rows.get, now=lambda: self.now, chance=lambda least, most: most
        )
        self.connection: Any = self.publisher._connection
        self.publisher.start()

    def series(self, topic: str, field: str = "", name: str | None = None, plan: Plan = PLAN) -> str:
        """Have another series, and return its name."""
        name = name or usual_name(topic, field)
        self.rows[name] = SeriesRow(len(self.rows), name, topic, field, 0.0, 600.0)
        self.plans[name] = plan
        return name

    def connect(self) -> None:
        """Connect, and hear what the broker keeps."""
        self.connection.connected = True
        self.connection.begin()
        for topic, payload in self.retained.items():
            self.hear(topic, payload, retained=True)

    def hear(self, topic: str, payload: str, *, retained: bool = False) -> None:
        self.connection.take(message(payload.encode(), topic, retained=retained))

    def tell(self, told: Told, **other: object) -> None:
        """Have a source tell of its sensors."""
        payload = json.dumps({**told.content, **other})
        self.retained[told.topic] = payload
        self.hear(told.topic, payload)

    def tick(self) -> None:
        """Have a tick with all series."""
        results = tuple(SeriesResult(name, At(0.0, 1.0), plan, ()) for name, plan in self.plans.items())
        self.publisher.publish(Tick(1.0, 1, (), results))

    def gone(self, name: str) -> list[str]:
        """Have a series go, and return what was told of that."""
        del self.rows[name], self.plans[name]
        told: list[str] = []
        self.publisher.series_gone(name, lambda: told.append(name))
        return told

    def send(self, seconds: float = 1.0) -> list[tuple[str, dict[str, Any] | None]]:
        """Return what is sent after so many seconds, which the broker keeps and sends back to us."""
        self.now += seconds
        self.connection.published.clear()
        self.publisher.send()
        sent = list(self.connection.published)
        for topic, payload in sent:
            self.retained.pop(topic, None)
            if payload:
                self.retained[topic] = payload
            self.hear(topic, payload)
        return [(topic, json.loads(payload) if payload else None) for topic, payload in sent]

    def send_all(self) -> list[tuple[str, dict[str, Any] | None]]:
        """Return what is sent until there is no more, from when there was time to listen on."""
        found = sent = self.send(6.0)
        while sent:
            found = found + (sent := self.send())
        return found

    def up(self) -> list[tuple[str, dict[str, Any] | None]]:
        """Connect, have a tick, and return what is sent."""
        self.connect()
        self.tick()
        return self.send_all()


def entities(content: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Return the entities in a message, by their names."""
    assert content is not None
    return {each["name"]: each for each in content["components"].values() if "name" in each}
