from collections.abc import Callable
from typing import Any

import pytest

from config.settings import load_settings
from scheduler_app.mqtt.granted import UNTOLD, Granted
from scheduler_app.mqtt.message import Puback
from scheduler_app.publishing import presence as module
from scheduler_app.publishing.presence import Presence
from scheduler_app.publishing.topics import member_state_topic
from tests.unit.messages import message


class FakeConnection:
    """Notes what is published; `take` is what it calls with a message."""

    def __init__(self, *_: object, on_message: Callable[[Any], object], **__: object) -> None:
        self.take = on_message
        self.published: list[tuple[str, str, bool]] = []
        self.answers: list[Callable[[Puback], object]] = []
        self.connected = True
        self.trouble: str | None = None
        self.too_large: str | None = None
        self.granted = UNTOLD
        self.version = "3.1.1"

    def start(self, on_connect: Callable[[], object]) -> None:
        on_connect()

    def stop(self) -> None:
        self.published.append(("gone", "", False))

    def publish(
        self, topic: str, payload: str, *, retain: bool, when_acknowledged: Callable[[Puback], object]
    ) -> bool:
        self.published.append((topic, payload, retain))
        self.answers.append(when_acknowledged)
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

    def answer(self, reason: str = "Success") -> None:
        """Answer what was published last."""
        self.connection.answers[-1](Puback(accepted=reason == "Success", reason=reason))

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


def test_what_is_said_on_another_topic_is_not_ours(service: Service) -> None:
    service.connection.take(message(b"online", "STATS/$other"))
    assert not service.presence.works


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
    service.hear(b"online")
    service.hear(b"offline")
    assert [each.pause for each in service.timers] == [0.75, 1.0]
    service.timers[-1].action()
    service.hear(b"online")
    assert len(log_lines) == 1


def test_what_said_that_we_are_not_there_is_told_when_we_are_heard_again(
    service: Service, log_lines: list[str]
) -> None:
    for _ in range(2):
        service.hear(b"online")
        service.now += 10.0
        service.hear(b"offline")
    assert log_lines == [
        (
            "INFO: STATS/$state did not say that we are here, perhaps because of an older connection of "
            "ours: we have said it again"
        )
    ]


def test_the_last_word_of_a_broker_that_is_stopped_is_nothing_to_tell(
    service: Service, log_lines: list[str]
) -> None:
    """It publishes our will, and hears nothing more; when it is back, it is told that we are there."""
    service.hear(b"online")
    service.now = 101.0
    service.hear(b"offline")
    service.presence.start(lambda: None)  # on a new connection
    service.hear(b"offline", retained=True)
    service.hear(b"online")
    assert service.presence.works
    assert log_lines == []


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


ALLOW = "have the broker's rules (ACL) allow us to publish on STATS/$state, STATS and STATS/#"


def test_what_comes_back_is_known_to_arrive(service: Service) -> None:
    """Also if it is retained: a broker may work off our subscription after what we publish."""
    for retained in (False, True):
        service.presence.start(lambda: None)
        assert not service.presence.works
        service.hear(b"online", retained=retained)
        assert service.presence.works
        assert service.presence.trouble is None


def test_what_does_not_come_back_is_said_again_and_told_at_the_third_look(
    service: Service, log_lines: list[str]
) -> None:
    """A broker of MQTT 3.1.1 acknowledges what it throws away."""
    service.answer()
    service.presence.look()
    service.presence.look()
    assert service.published == [ONLINE] * 3
    assert (service.presence.trouble, log_lines) == (None, [])
    service.presence.look()
    line = f"what we publish on STATS/$state does not come back: {ALLOW}, and to read STATS/$state"
    assert service.presence.trouble == line
    service.presence.look()
    assert log_lines == [f"ERROR: {line}"]
    service.hear(b"online")
    assert service.presence.trouble is None
    assert service.presence.works


def test_what_a_broker_of_mqtt_5_accepts_arrives(service: Service) -> None:
    service.connection.version = "5"
    assert not service.presence.works
    service.answer()
    assert service.presence.works


@pytest.mark.parametrize(("topic", "works"), [("STATS", False), ("STATS/$state", False), ("STATS/a", True)])
def test_what_the_broker_refuses_is_told_until_it_takes_it(
    service: Service, log_lines: list[str], topic: str, works: bool
) -> None:
    """Once a minute. A single series that is refused is no reason to take all for broken."""
    service.hear(b"online")
    for _ in range(2):
        service.presence.publish(topic, "{}")
        service.answer("Not authorized")
    line = f"the broker refuses what we publish on {topic}: Not authorized; {ALLOW}"
    assert service.presence.trouble == line
    assert service.presence.works == works
    assert log_lines == [f"ERROR: {line}"]
    service.presence.publish(topic, "{}")
    service.answer()
    assert service.presence.trouble is None
    assert service.presence.works


def test_what_was_refused_is_forgotten_with_its_connection(service: Service) -> None:
    service.answer("Not authorized")
    service.presence.start(lambda: None)
    assert service.presence.trouble is None


def test_who_asks_for_the_answer_gets_it_whatever_it_is(service: Service) -> None:
    answers: list[Puback] = []
    for payload, reason in (("{}", "Not authorized"), ("", "Topic name invalid"), ("", "Success")):
        service.presence.publish("STATS/a", payload, when_acknowledged=answers.append)
        service.answer(reason)
    assert [answer.reason for answer in answers] == ["Not authorized", "Topic name invalid", "Success"]


def test_a_broker_that_keeps_nothing_is_told_again_and_again_that_we_are_there(service: Service) -> None:
    service.hear(b"online")
    service.presence.look()
    assert service.published == [ONLINE]
    service.connection.granted = Granted(retain_available=False)
    service.presence.look()
    assert service.published == [ONLINE] * 2


def test_what_is_too_large_is_told_once_a_minute(service: Service, log_lines: list[str]) -> None:
    service.hear(b"online")
    service.connection.too_large = "too large"
    service.presence.look()
    service.presence.look()
    assert log_lines == ["ERROR: too large"]
    assert service.presence.trouble == "too large"
    assert service.presence.works


def test_who_is_not_connected_has_the_trouble_of_its_connection(service: Service) -> None:
    service.hear(b"online")
    service.connection.connected, service.connection.trouble = False, "no broker answers"
    service.presence.look()
    assert service.published == [ONLINE]
    assert service.presence.outage == service.presence.trouble == "no broker answers"
    assert not service.presence.works


def test_a_member_says_on_a_topic_of_its_own_that_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """And hears there that it does; what others say of themselves is nothing to it."""
    monkeypatch.setattr(module, "Connection", FakeConnection)
    settings = load_settings()
    presence = Presence(settings, topic=member_state_topic(settings, 2))
    presence.start(lambda: None)
    connection: Any = presence._connection
    assert connection.published == [("STATS/$state/2", "online", True)]
    connection.take(message(b"online", "STATS/$state"))
    assert not presence.works
    connection.take(message(b"online", "STATS/$state/2"))
    assert presence.works
