"""When a viewer says that the subscriber is gone, and when it is only the broker."""

import pytest

from config.settings import load_settings
from scheduler_app.console import absence
from scheduler_app.console.absence import Absence
from scheduler_app.console.averages_view import AveragesView, Json
from scheduler_app.console.inbox import Inbox
from scheduler_app.mqtt.message import Message

LINE = "WARNING: the subscriber is offline: nothing comes until it is back"
NEVER = float("inf")


class Viewer:
    """Looks at the state of a subscriber, by a clock that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0
        self.connected = True
        self.absence = Absence("nothing comes", lambda: self.connected, elapsed=lambda: self.now)

    def look(self, now: float) -> None:
        self.now = now
        self.absence.look()


@pytest.fixture
def viewer() -> Viewer:
    return Viewer()


def test_a_subscriber_that_has_gone_is_told_a_moment_later(viewer: Viewer, log_lines: list[str]) -> None:
    assert viewer.absence.patience() is None
    viewer.absence.heard("offline")
    viewer.look(101.5)
    assert (viewer.absence.due, viewer.absence.patience(), log_lines) == (102.0, 0.5, [])
    viewer.look(102.0)
    viewer.look(103.0)
    assert log_lines == [LINE]
    assert (viewer.absence.due, viewer.absence.patience()) == (NEVER, None)


def test_the_last_word_of_a_broker_that_is_stopped_is_not_told(viewer: Viewer, log_lines: list[str]) -> None:
    """Nor what it had retained, when the subscriber follows."""
    viewer.absence.heard("offline")
    viewer.connected = False
    viewer.look(102.0)
    viewer.connected = True
    viewer.look(110.0)
    viewer.absence.heard("offline")
    viewer.look(111.5)
    viewer.absence.heard("online")
    viewer.look(120.0)
    assert log_lines == []


def test_a_broker_that_is_back_very_soon_gives_the_subscriber_the_same_time(
    viewer: Viewer, log_lines: list[str]
) -> None:
    viewer.absence.heard("offline")
    viewer.look(101.0)
    viewer.absence.heard("offline")
    viewer.look(102.5)
    assert log_lines == []
    viewer.look(103.0)
    assert log_lines == [LINE]


def test_a_subscriber_that_is_back_at_once_is_not_told(viewer: Viewer, log_lines: list[str]) -> None:
    viewer.absence.heard("offline")
    viewer.absence.heard("online")
    viewer.look(102.0)
    assert log_lines == []


def test_it_is_told_once_a_minute_at_most(viewer: Viewer, log_lines: list[str]) -> None:
    for now in (100.0, 110.0):
        viewer.now = now
        viewer.absence.heard("offline")
        viewer.look(now + 2)
    assert log_lines == [LINE]


@pytest.mark.parametrize("connected", [True, False])
def test_who_prints_averages_waits_for_that_moment(
    log_lines: list[str], monkeypatch: pytest.MonkeyPatch, connected: bool
) -> None:
    """Though nothing else comes."""
    monkeypatch.setattr(absence, "_PAUSE", 0.0)

    class Ending(Inbox):
        def get(self, timeout: float | None = None) -> Message | None:
            if timeout is None:  # there is nothing left to wait for
                self.end()
            return super().get(timeout)

    inbox = Ending()
    view = AveragesView(load_settings(), inbox, Json(), connected=lambda: connected)
    view._absence.heard("offline")
    view.run()
    told = ["WARNING: the subscriber is offline: there are no newer averages until it is back"]
    assert log_lines == (told if connected else [])
