from types import SimpleNamespace
from typing import Any

import pytest

from scheduler_app.mqtt.shortcomings import Shortcoming
from scheduler_app.publishing.messages import parse_metrics, write_metrics
from scheduler_app.publishing.records import Metrics
from scheduler_app.subscriber.troubles import Troubles


class Session:
    def __init__(self) -> None:
        self.subscribed = True
        self.trouble: str | None = None
        self.lacking = SimpleNamespace(found=[])


class Presence:
    def __init__(self) -> None:
        self.outage: str | None = None
        self.trouble: str | None = None
        self.works = True
        self.looks = 0

    def look(self) -> None:
        self.looks += 1


class Subscriber:
    """Both connections are well."""

    def __init__(self) -> None:
        self.session, self.presence = Session(), Presence()
        session: Any = self.session
        presence: Any = self.presence
        self.storing: str | None = None
        self.troubles = Troubles(session, presence, storing=lambda: self.storing)

    def break_presence(self, trouble: str | None) -> None:
        self.presence.outage = self.presence.trouble = trouble
        self.presence.works = trouble is None


@pytest.fixture
def subscriber() -> Subscriber:
    return Subscriber()


def test_where_all_is_well_there_is_nothing_to_tell(subscriber: Subscriber, log_lines: list[str]) -> None:
    subscriber.troubles.look()
    assert subscriber.troubles.text is None
    assert not subscriber.troubles.grave
    assert log_lines == []
    assert subscriber.presence.looks == 1


def test_what_keeps_statistics_from_going_out_is_told_once_when_it_lasts(
    subscriber: Subscriber, log_lines: list[str]
) -> None:
    subscriber.break_presence("refused")
    subscriber.troubles.look()
    assert log_lines == []
    for _ in range(3):
        subscriber.troubles.look()
    assert log_lines == ["ERROR: no statistics are published: refused"]
    assert subscriber.troubles.text == "refused"
    assert subscriber.troubles.grave
    subscriber.break_presence(None)
    subscriber.troubles.look()
    subscriber.troubles.look()
    assert log_lines[1:] == ["INFO: statistics are published again"]


def test_one_outage_of_the_broker_is_the_sessions_to_tell(
    subscriber: Subscriber, log_lines: list[str]
) -> None:
    subscriber.session.subscribed, subscriber.session.trouble = False, "no broker answers"
    subscriber.break_presence("no broker answers either")
    for _ in range(3):
        subscriber.troubles.look()
    assert log_lines == []
    assert subscriber.troubles.text == "no broker answers"
    assert subscriber.troubles.grave


@pytest.mark.parametrize("lost", [None, "no broker answers"])
def test_what_keeps_readings_from_being_stored_comes_first(subscriber: Subscriber, lost: str | None) -> None:
    """Where the broker is away too, both are told. The health has its own eye on it."""
    subscriber.storing = "the database cannot be written (database is locked)"
    subscriber.session.trouble = lost
    assert subscriber.troubles.text == "; ".join(filter(None, (subscriber.storing, lost)))
    assert not subscriber.troubles.grave


def test_what_is_told_is_no_longer_than_its_readers_take(subscriber: Subscriber) -> None:
    for length, ends in ((1000, "xxx"), (1001, "xxx")):
        subscriber.session.trouble = "x" * length
        text = subscriber.troubles.text
        assert text is not None
        assert len(text) == 1000
        assert text.endswith(ends)
        parse_metrics(write_metrics(Metrics(2.0, 1.0, trouble=text)).encode())


def test_a_short_loss_is_not_told(subscriber: Subscriber, log_lines: list[str]) -> None:
    for trouble in ("lost", None, "lost", None):
        subscriber.break_presence(trouble)
        subscriber.troubles.look()
    assert log_lines == []


@pytest.mark.parametrize("grave", [True, False])
def test_what_the_broker_does_not_grant_is_told_and_grave_or_not(subscriber: Subscriber, grave: bool) -> None:
    subscriber.session.lacking.found = [Shortcoming("no retained messages", grave)]
    subscriber.presence.trouble = "one is too large"
    assert subscriber.troubles.text == "no retained messages; one is too large"
    assert subscriber.troubles.grave == grave
