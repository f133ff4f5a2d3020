"""When a reading waits for others to share its commit with, and when it does not."""

import pytest

from scheduler_app.intake.pace import ENOUGH, IN_A_ROW, SPACING, WITHIN, CommitPace

# Monotonic seconds.
NOW = 1000.0


def pace_after(apart: float, messages: int = 1, commits: int = IN_A_ROW, interval: float = 0.0) -> CommitPace:
    """Return a pace after `commits` that began so many seconds `apart`, the last of them at NOW."""
    pace = CommitPace(interval)
    for number in range(commits):
        pace.begin(messages, NOW - (commits - 1 - number) * apart)
    return pace


def test_the_first_reading_of_all_waits_for_nothing() -> None:
    assert CommitPace().pause(1, NOW) == 0
    assert CommitPace(interval=10.0).pause(1, NOW) == 0


@pytest.mark.parametrize("rate", [1, 10, 100, 150])
def test_readings_at_a_low_rate_wait_for_nothing(rate: int) -> None:
    assert pace_after(1 / rate).pause(1, NOW) == 0


@pytest.mark.parametrize("rate", [350, 1000, 3000])
def test_where_commits_are_close_together_they_are_spaced(rate: int) -> None:
    pace = pace_after(1 / rate)
    assert pace.pause(1, NOW) == pytest.approx(SPACING)
    assert pace.pause(1, NOW + SPACING / 3) == pytest.approx(SPACING * 2 / 3)
    assert pace.pause(1, NOW + SPACING * 1.01) == 0


@pytest.mark.parametrize(("commits", "waits"), [(IN_A_ROW - 1, False), (IN_A_ROW, True)])
def test_a_few_commits_close_together_are_no_reason_to_wait(commits: int, waits: bool) -> None:
    assert (pace_after(0.001, commits=commits).pause(1, NOW) > 0) == waits


@pytest.mark.parametrize(("share", "waits"), [(0.99, True), (1.01, False)])
def test_commits_are_close_together_if_so_many_fall_within_a_time(share: float, waits: bool) -> None:
    apart = WITHIN * share / (IN_A_ROW - 1)
    assert (pace_after(apart).pause(1, NOW) > 0) == waits


def test_commits_go_on_to_be_spaced_when_they_are() -> None:
    """Also if each pause takes longer than it should, as on a machine that has much to do."""
    pace, now = pace_after(0.001), NOW
    for _ in range(5 * IN_A_ROW):
        assert pace.pause(1, now) > 0
        now += 1.5 * SPACING
        pace.begin(3, now)


@pytest.mark.parametrize(("messages", "waits"), [(ENOUGH - 1, True), (ENOUGH, False)])
def test_enough_messages_wait_no_longer(messages: int, waits: bool) -> None:
    assert (pace_after(0.001).pause(messages, NOW) > 0) == waits
    assert (pace_after(0.001, interval=10.0).pause(messages, NOW) > 0) == waits


@pytest.mark.parametrize(("share", "waits"), [(0.9, True), (1.2, False)])
def test_where_enough_come_anyway_none_waits(share: float, waits: bool) -> None:
    """A broker that lets only so many be on their way waits for us: the wait would only slow it down."""
    apart, messages = SPACING / 5, ENOUGH / 5
    pace = pace_after(apart / share, messages=round(messages))
    assert (pace.pause(1, NOW) > 0) == waits


def test_whoever_has_waited_for_nothing_ends_the_waiting() -> None:
    pace = pace_after(0.001)
    assert pace.pause(1, NOW) > 0
    pace.begin(1, NOW + SPACING)
    assert pace.pause(1, NOW + SPACING) == 0


def test_a_reading_that_is_alone_and_has_not_waited_ends_nothing() -> None:
    pace = pace_after(0.001)
    assert pace.pause(1, NOW + 2 * SPACING) == 0
    pace.begin(1, NOW + 2 * SPACING)
    assert pace.pause(1, NOW + 2 * SPACING) > 0


def test_a_wait_that_was_worth_it_is_over_with_its_commit() -> None:
    pace = pace_after(0.001)
    assert pace.pause(1, NOW) > 0
    pace.begin(3, NOW + SPACING)
    pace.begin(1, NOW + 2 * SPACING)
    assert pace.pause(1, NOW + 2 * SPACING) > 0


@pytest.mark.parametrize(("later", "pause"), [(0.0, 5.0), (4.5, 0.5), (5.0, 0.0), (60.0, 0.0)])
def test_an_interval_that_the_user_wants_is_kept_at_any_rate(later: float, pause: float) -> None:
    assert pace_after(60.0, interval=5.0).pause(1, NOW + later) == pytest.approx(pause)


def test_an_interval_is_kept_also_if_nothing_else_comes() -> None:
    pace = CommitPace(interval=5.0)
    pace.begin(1, NOW)
    assert pace.pause(1, NOW + 1) == 4
    pace.begin(1, NOW + 5)
    assert pace.pause(1, NOW + 6) == 4


def test_an_interval_that_is_longer_than_the_spacing_is_kept_where_commits_are_spaced() -> None:
    assert pace_after(0.001, interval=5.0).pause(1, NOW) == pytest.approx(5.0)


def test_an_interval_shorter_than_the_spacing_does_not_shorten_it() -> None:
    assert pace_after(0.001, interval=SPACING / 10).pause(1, NOW) == pytest.approx(SPACING)
