import threading
from typing import Any

import pytest

from config.settings import load_settings
from scheduler_app.console import lookout
from scheduler_app.console.lookout import Lookout
from tests.unit.messages import message


class FakeConnection:
    """The viewer's connection, as far as the lookout looks at it."""

    trouble: str | None = None

    def __init__(self, *connected: bool) -> None:
        self._connected = list(connected)

    @property
    def connected(self) -> bool:
        return self._connected.pop(0) if len(self._connected) > 1 else self._connected[0]


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return what STATS_TOPICs the broker knows, with the states, which a test may change."""
    found: dict[str, str] = {}
    monkeypatch.setattr(lookout, "_stats_topics", lambda settings, over: found)
    return found


def told(connection: FakeConnection, *, state: bytes | None = None) -> list[str]:
    """Return what is told of a wait that is over at once."""
    reasons: list[str] = []
    watching = Lookout(load_settings({"stats_topic": "NOTHERE"}), "NOTHERE", patience=0)
    if state is not None:
        watching.note(message(state, "NOTHERE/$state"))
    viewer: Any = connection
    watching.watch(viewer, reasons.append)
    return reasons


NOTHING = "nothing has come on NOTHERE from the broker at localhost:1883 in 0 s. "


def test_who_waits_is_told_what_is_there(there: dict[str, str]) -> None:
    there.update({"home/STATS": "online", "STATS": "offline"})
    named = "STATS (offline), home/STATS (online)"
    assert told(FakeConnection(True)) == [
        f"{NOTHING}What subscribers publish there is on {named}: set STATS_TOPIC to that"
    ]


@pytest.mark.usefixtures("there")
def test_where_nothing_is_there_a_subscriber_is_missing() -> None:
    assert told(FakeConnection(True)) == [
        f"{NOTHING}No subscriber has published its state at this broker: 'manage.py subscriber' starts one"
    ]


@pytest.mark.usefixtures("there")
def test_a_subscriber_that_has_nothing_to_tell_yet_is_named() -> None:
    [reason] = told(FakeConnection(True), state=b"online\x1b")
    assert reason.startswith(
        f"{NOTHING}The subscriber's state there is online\\x1b, and it has published nothing"
    )


@pytest.mark.usefixtures("there")
def test_without_a_connection_that_is_what_is_told() -> None:
    connection = FakeConnection(False)
    assert told(connection) == ["the broker at localhost:1883 does not answer"]
    connection.trouble = "no broker answers at localhost:1883: Connection refused"
    assert told(connection) == [connection.trouble]


@pytest.mark.usefixtures("there")
def test_who_goes_on_waiting_gets_one_line_in_the_log_once_there_is_a_connection(
    log_lines: list[str],
) -> None:
    connection: Any = FakeConnection(False, False, True)
    Lookout(load_settings(), "STATS", patience=0).watch(connection, None)
    assert len(log_lines) == 1
    assert log_lines[0].startswith("WARNING: nothing has come on STATS from the broker at localhost:1883")


def test_once_something_has_come_nothing_is_told(log_lines: list[str]) -> None:
    connection: Any = FakeConnection(True)
    watching = Lookout(load_settings(), "STATS", patience=0)
    watching.note(message(b"{}", "STATS"))
    watching.watch(connection, None)
    assert log_lines == []


def test_it_ends_when_it_is_told_to() -> None:
    connection: Any = FakeConnection(True)
    watching = Lookout(load_settings(), "STATS")
    thread = threading.Thread(target=watching.watch, args=(connection, None))
    thread.start()
    watching.end()
    thread.join(10)
    assert not thread.is_alive()
