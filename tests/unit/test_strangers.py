import pytest

from scheduler_app.intake import strangers as module
from scheduler_app.intake.strangers import Strangers


@pytest.fixture
def strangers() -> Strangers:
    return Strangers(["home/a.b", "$share/g/x/+", "y/#"], "STATS")


def test_what_matches_nothing_is_counted_and_warned_of_once(
    strangers: Strangers, log_lines: list[str]
) -> None:
    """RabbitMQ sends what comes by the first filter under that name."""
    for topic in ("home/a/b", "home/a/b", "other"):
        strangers.look_at(topic)
    assert strangers.count == 3
    [line] = log_lines
    assert line.startswith(
        "WARNING: a message came on 'home/a/b', which matches nothing that we have subscribed to (home/a.b, "
    )


@pytest.mark.parametrize("topic", ["home/a.b", "x/1", "y", "y/1/2", "STATS", "STATS/home/a/b"])
def test_what_a_filter_matches_is_none_and_neither_is_our_own(
    strangers: Strangers, log_lines: list[str], topic: str
) -> None:
    """A filter that covers several streams may match what none of them does."""
    strangers.look_at(topic)
    strangers.look_at(topic)
    assert (strangers.count, log_lines) == (0, [])


@pytest.mark.parametrize(("length", "remembered"), [(1024, 1), (1025, 0)])
def test_what_is_remembered_of_topics_is_bounded(strangers: Strangers, length: int, remembered: int) -> None:
    strangers.look_at("z" * length)
    assert len(strangers._known) == remembered


def test_no_more_topics_are_remembered_than_fit(
    strangers: Strangers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 2)
    for topic in ("a", "b", "c", "a"):
        strangers.look_at(topic)
    assert strangers.count == 4
    assert len(strangers._known) == 2
