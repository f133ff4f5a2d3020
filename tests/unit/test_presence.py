from collections.abc import Callable
from typing import Any

import pytest

from config.settings import load_settings
from scheduler_app.publishing import presence as module
from scheduler_app.publishing.presence import Presence
from tests.unit.messages import message


class FakeConnection:
    """Notes what is published; `take` is what it calls with a message."""

    def __init__(self, *_: object, on_message: Callable[[Any], object], **__: object) -> None:
        self.take = on_message
        self.published: list[tuple[str, str, bool]] = []

    def start(self, on_connect: Callable[[], object]) -> None:
        on_connect()

    def stop(self) -> None:
        self.published.append(("gone", "", False))

    def publish(self, topic: str, payload: str, *, retain: bool) -> bool:
        self.published.append((topic, payload, retain))
        return True


class FakeTimer:
    """Is over when the test says so."""

    made: "list[FakeTimer]"

    def __init__(self, pause: float, action: Callable[[], None]) -> None:
        self.pause, self.action = pause, action
        self.cancelled = False
        self.made.append(self)

    def start(self) -> None: ...

    def cancel(self) -> None:
        self.cancelled = True


ONLINE = ("STATS/$state", "online", True)


class Service:
    """A presence that is connected since second 100."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.timers: list[FakeTimer] = []
        FakeTimer.made = self.timers
        monkeypatch.setattr(module, "Connection", FakeConnection)
        monkeypatch.setattr("scheduler_app.publishing.presence.threading.Timer", FakeTimer)
        self.presence = Presence(load_settings(), lambda: self.now)
        self.presence.start(lambda: None)
        self.connection: Any = self.presence._connection

    def hear(self, payload: bytes, *, retained: bool = False) -> None:
        self.connection.take(message(payload, "STATS/$state", retained=retained))

    @property
    def published(self) -> list[tuple[str, str, bool]]:
        published: list[tuple[str, str, bool]] = self.connection.published
        return published


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    return Service(monkeypatch)


@pytest.mark.parametrize("forged", [b"offline", b"", b"\xff", b"Online"])
def test_what_says_that_we_are_not_there_is_answered_at_once(service: Service, forged: bytes) -> None:
    service.now = 101.0
    service.hear(forged)
    assert service.published == [ONLINE, ONLINE]
    assert service.timers == []


def test_what_we_say_ourselves_is_not_answered(service: Service) -> None:
    """Nor what another subscriber with the same topic says: they do not fight."""
    service.now = 200.0
    service.hear(b"online")
    service.hear(b"offline", retained=True)  # older than what we have said on connecting
    assert service.published == [ONLINE]


def test_a_flood_is_answered_once_a_second(service: Service, log_lines: list[str]) -> None:
    service.now = 100.25
    for _ in range(1000):
        service.hear(b"offline")
    assert service.published == [ONLINE]
    [timer] = service.timers
    assert timer.pause == 0.75
    service.now = 101.0
    timer.action()
    assert service.published == [ONLINE, ONLINE]
    service.hear(b"offline")
    assert [each.pause for each in service.timers] == [0.75, 1.0]
    assert len(log_lines) == 1


def test_who_is_about_to_go_does_not_say_that_it_is_there(service: Service) -> None:
    """The `offline` of its goodbye comes back to it before it is gone."""
    service.now = 100.5
    service.hear(b"offline")
    service.now = 200.0
    service.presence.stop()
    [timer] = service.timers
    assert timer.cancelled
    timer.action()
    service.hear(b"offline")
    assert service.published == [ONLINE, ("gone", "", False)]
