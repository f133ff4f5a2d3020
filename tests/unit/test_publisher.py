"""Several publishers side by side. What STATS needs of one is enough for any other."""

from collections.abc import Callable

import pytest

from config.settings import load_settings
from models.statistics.plan import Plan
from models.statistics.span import At
from models.statistics.tick import SeriesResult, Tick
from scheduler_app.log import LogLimit
from scheduler_app.publishing.publisher import Publisher, Publishers
from scheduler_app.publishing.stats_publisher import StatsPublisher

PLAN = Plan([("1min", 60_000)], ["avg"])
TICK = Tick(100.0, 1, (), (SeriesResult("a", At(99.0, 21.5), PLAN, (1, 1.0, 21.5)),))


class FakePublisher:
    """Notes what it is told, and takes back a series when the test says so; or fails at everything."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.told: list[str] = []
        self.taking_back: list[Callable[[], object]] = []

    def connected(self) -> None:
        self._note("connected")

    def publish(self, tick: Tick) -> None:
        self._note(f"tick {tick.at:g}")

    def series_gone(self, name: str, when_gone: Callable[[], object]) -> None:
        self._note(name)
        self.taking_back.append(when_gone)

    def _note(self, what: str) -> None:
        self.told.append(what)
        if self.fails:
            raise ZeroDivisionError(what)


class FakePresence:
    behind = False

    def __init__(self) -> None:
        self.topics: list[str] = []

    def publish(self, topic: str, payload: str, *, when_acknowledged: object = None) -> bool:
        self.topics.append(topic)
        return True


@pytest.mark.parametrize("place", [0, 1], ids=["before", "after"])
def test_a_publisher_that_fails_disturbs_no_other(log_lines: list[str], place: int) -> None:
    presence = FakePresence()
    fake = FakePublisher(fails=True)
    both: list[Publisher] = [StatsPublisher(load_settings(), presence, lambda tick: None)]
    both.insert(place, fake)
    publishers = Publishers(both, LogLimit())
    publishers.publish(TICK)
    publishers.publish(TICK)
    assert presence.topics == ["STATS", "STATS/a", "STATS"]
    publishers.connected()
    publishers.publish(TICK)
    assert presence.topics[3:] == ["STATS", "STATS/a"]
    publishers.series_gone("a", lambda: pytest.fail("it is not gone from all of them"))
    assert presence.topics[5:] == ["STATS/a"]
    assert fake.told == ["tick 100", "tick 100", "connected", "tick 100", "a"]
    assert [line.partition("\n")[0] for line in log_lines] == [
        "ERROR: publishing (FakePublisher) failed",
        "ERROR: beginning to publish (FakePublisher) failed",
        "ERROR: clearing a series (FakePublisher) failed",
    ]


def test_a_series_is_gone_when_it_is_gone_from_all() -> None:
    one, other = FakePublisher(), FakePublisher()
    gone: list[str] = []
    Publishers([one, other], LogLimit()).series_gone("a", lambda: gone.append("a"))
    one.taking_back[0]()
    one.taking_back[0]()  # a broker may answer twice
    assert gone == []
    other.taking_back[0]()
    assert gone == ["a"]
    other.taking_back[0]()
    assert gone == ["a"]


def test_an_answer_from_before_does_not_count_for_the_next_time() -> None:
    one, other = FakePublisher(), FakePublisher()
    gone: list[str] = []
    publishers = Publishers([one, other], LogLimit())
    publishers.series_gone("a", lambda: gone.append("first"))
    publishers.series_gone("a", lambda: gone.append("second"))
    one.taking_back[0]()
    other.taking_back[1]()
    assert gone == []
    one.taking_back[1]()
    assert gone == ["second"]
