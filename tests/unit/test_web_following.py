from queue import Empty

from config.settings import load_settings
from scheduler_app.mqtt.message import Message
from scheduler_app.web.following import PATIENCE, QUIET, Following
from scheduler_app.web.live import LiveStatistics
from tests.unit.messages import message
from tests.unit.series_messages import payload


class ScriptedInbox:
    """Hands out messages at their times, and moves the clock instead of waiting."""

    def __init__(self, *messages: tuple[float, Message | None]) -> None:
        self.seconds = 0.0
        self._messages = list(messages)

    def get(self, timeout: float | None = None) -> Message | None:
        at, found = self._messages[0] if self._messages else (float("inf"), None)
        if timeout is not None and at > self.seconds + timeout:
            self.seconds += timeout
            raise Empty
        self.seconds = max(self.seconds, at)
        del self._messages[0]
        return found


def told(*messages: tuple[float, Message | None]) -> list[tuple[float, int]]:
    """Return when it was told that something has changed, and the version then."""
    inbox = ScriptedInbox(*messages)
    live = LiveStatistics(load_settings())
    found: list[tuple[float, int]] = []
    following = Following(
        inbox,  # type: ignore[arg-type]
        live,
        lambda: found.append((round(inbox.seconds, 6), live.version)),
        elapsed=lambda: inbox.seconds,
    )
    following.run()
    return found


def series(name: str) -> Message:
    return message(payload(name), f"STATS/{name}")


def test_the_messages_of_a_tick_are_told_of_once_when_all_are_here() -> None:
    assert told((1.0, series("a")), (1.1, series("b")), (9.0, None)) == [(1.1 + QUIET, 1)]


def test_messages_without_a_pause_are_told_of_all_the_same() -> None:
    many = [(1.0 + 0.1 * number, series(str(number))) for number in range(8)]
    assert told(*many, (9.0, None)) == [(1.0 + PATIENCE, 1), (1.7 + QUIET, 2)]


def test_what_changes_nothing_is_not_told_of() -> None:
    assert told((1.0, message(b"rubbish", "STATS/a")), (9.0, None)) == []


def test_the_end_is_the_end() -> None:
    assert told((1.0, series("a")), (1.0, None)) == []
