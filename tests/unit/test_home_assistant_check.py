"""What `check` says of Home Assistant, by what a broker answers."""

from collections.abc import Callable
from typing import Any

import pytest

from config.settings import Settings, settings_from
from config.topics import matches
from scheduler_app.checks import home_assistant as module
from scheduler_app.checks.finding import Finding, Level
from scheduler_app.checks.home_assistant import check_home_assistant
from scheduler_app.mqtt.message import Puback
from scheduler_app.publishing.home_assistant.publisher import listened_to
from tests.unit.messages import message

SUCCESS, NOBODY = (
    Puback(accepted=True, reason="Success"),
    Puback(accepted=True, reason="No matching subscribers"),
)


def found(
    monkeypatch: pytest.MonkeyPatch,
    *,
    status: bytes | None = None,
    answer: Puback | None = SUCCESS,
    version: str = "5",
    trouble: str | None = None,
) -> Finding:
    """Return what is found at a broker that answers so."""

    class FakeConnection:
        def __init__(
            self, settings: Settings, role: str, *, on_message: Callable[[Any], object], **_: object
        ) -> None:
            self.take, self.trouble, self.version = on_message, trouble, version

        def start(self, on_connect: Callable[[], object]) -> None:
            if status is not None:
                self.take(message(status, "homeassistant/status", retained=True))
            on_connect()

        def publish(self, topic: str, payload: str, *, when_acknowledged: Callable[[Puback], object]) -> bool:
            assert payload == ""
            assert not any(matches(topic_filter, topic) for topic_filter in listened_to("homeassistant"))
            if answer is not None:
                when_acknowledged(answer)
            return True

        def stop(self) -> None: ...

    monkeypatch.setattr(module, "Connection", FakeConnection)
    monkeypatch.setattr(module, "wait_until", lambda condition, timeout: condition())
    finding = check_home_assistant(settings_from({"ha_discovery": "#"}))
    assert finding is not None
    return finding


@pytest.mark.parametrize(
    ("answers", "level", "text"),
    [
        ({"status": b"online"}, Level.OK, "homeassistant/status says that Home Assistant is online"),
        ({"status": b"offline"}, Level.WARN, "homeassistant/status says that Home Assistant is offline"),
        ({}, Level.OK, "somebody listens to what is told below homeassistant"),
        ({"status": b"\x1b"}, Level.OK, "somebody listens to what is told below homeassistant"),
        ({"answer": NOBODY}, Level.WARN, "nobody listens below homeassistant: is Home Assistant running"),
        ({"version": "3.1.1"}, Level.OK, "this broker does not say whether anybody listens"),
        (
            {"answer": Puback(accepted=False, reason="Not authorized")},
            Level.WARN,
            "(Not authorized): have its rules (ACL) allow us to publish on homeassistant/device/+/config",
        ),
        ({"answer": None}, Level.WARN, "the broker does not answer what is told below homeassistant"),
        ({"answer": None, "trouble": "lost"}, Level.WARN, "lost"),
    ],
)
def test_it_is_told_whether_anybody_listens(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any], level: Level, text: str
) -> None:
    finding = found(monkeypatch, **answers)
    assert (finding.level, finding.name) == (level, "discovery")
    assert text in finding.text


def test_nothing_is_asked_where_nobody_is_to_be_told() -> None:
    assert check_home_assistant(settings_from({})) is None
