"""When a reading waits for others to share its commit with, and when it does not."""

import pytest

from scheduler_app.intake.pace import ALONE, ENOUGH, IN_A_ROW, SPACING, WITHIN, CommitPace

# Monotonic seconds.
NOW = 1000.0


def pace_after(apart: float, messages: int = 1, commits: int = IN_A_ROW, interval: float = 0.0) -> CommitPace:
    """Return a pace after `commits` that began so many seconds `apart`, the last of them at NOW."""
    pace = CommitPace(interval)
    for number in range(commits):
        pace.begin(messages, NOW - (commits - 1 - number) * apart)
    return pace


def test_the_first_reading_of_all_waits_for_nothing() -> None:
    assert CommitPace().rest(NOW) == CommitPace().pause(1, NOW) == 0
    assert CommitPace(interval=10.0).pause(1, NOW) == 0


@pytest.mark.parametrize("rate", [1, 10, 100, 150])
def test_readings_at_a_low_rate_wait_for_nothing(rate: int) -> None:
    pace = pace_after(1 / rate)
    assert pace.rest(NOW) == pace.pause(1, NOW) == 0


@pytest.mark.parametrize("rate", [350, 1000, 3000])
def test_where_commits_are_close_together_they_are_spaced(rate: int) -> None:
    pace = pace_after(1 / rate)
    assert pace.rest(NOW) == pytest.approx(SPACING)
    assert pace.rest(NOW + SPACING / 3) == pytest.approx(SPACING * 2 / 3)
    assert pace.rest(NOW + SPACING * 1.01) == 0


def test_what_comes_after_a_rest_waits_no_more() -> None:
    pace = pace_after(0.001)
    assert pace.rest(NOW) > 0
    assert pace.pause(1, NOW + SPACING) == 0


@pytest.mark.parametrize(("commits", "rests"), [(IN_A_ROW - 1, False), (IN_A_ROW, True)])
def test_a_few_commits_close_together_are_no_reason_to_rest(commits: int, rests: bool) -> None:
    assert (pace_after(0.001, commits=commits).rest(NOW) > 0) == rests


@pytest.mark.parametrize(("share", "rests"), [(0.99, True), (1.01, False)])
def test_commits_are_close_together_if_so_many_fall_within_a_time(share: float, rests: bool) -> None:
    apart = WITHIN * share / (IN_A_ROW - 1)
    assert (pace_after(apart).rest(NOW) > 0) == rests


def test_commits_go_on_to_be_spaced_when_they_are() -> None:
    """Also if each rest takes longer than it should, as on a machine that has much to do."""
    pace, now = pace_after(0.001), NOW
    for _ in range(5 * IN_A_ROW):
        assert pace.rest(now) > 0
        now += 1.5 * SPACING
        pace.begin(3, now)


@pytest.mark.parametrize(("messages", "waits"), [(ENOUGH - 1, True), (ENOUGH, False)])
def test_enough_messages_wait_for_no_others(messages: int, waits: bool) -> None:
    """Nor do others wait behind so many: a broker may have no more on its way, and wait for us."""
    assert (pace_after(1.0, interval=10.0).pause(messages, NOW) > 0) == waits
    pace = pace_after(0.001)
    pace.begin(messages, NOW)
    assert (pace.rest(NOW) > 0) == waits


@pytest.mark.parametrize(("share", "rests"), [(0.9, True), (1.2, False)])
def test_where_enough_come_anyway_there_is_no_rest(share: float, rests: bool) -> None:
    """A broker that lets only so many be on their way waits for us: the rest would only slow it down."""
    apart, messages = SPACING / 5, ENOUGH / 5
    pace = pace_after(apart / share, messages=round(messages))
    assert (pace.rest(NOW) > 0) == rests


@pytest.mark.parametrize(
    ("messages", "goes_on"),
    [
        ([1] * (ALONE - 1), True),
        ([1] * ALONE, False),
        ([1] * (ALONE - 1) + [2] + [1] * (ALONE - 1), True),
        # what comes only after a rest has not waited
        ([0] * 5 * ALONE, True),
        ([1] * (ALONE - 1) + [0, 1], False),
    ],
)
def test_readings_that_waited_alone_end_the_rests(messages: list[int], goes_on: bool) -> None:
    """`messages`: how many there are at the end of each rest."""
    pace, now = pace_after(0.001), NOW
    for number in messages:
        assert pace.rest(now) > 0
        now += SPACING
        if not number:
            assert pace.rest(now) == 0
        pace.begin(number or 1, now)
    assert (pace.rest(now) > 0) == goes_on


def test_a_rest_is_one_of_the_commit_after_it_only() -> None:
    pace = pace_after(0.001)
    assert pace.rest(NOW) > 0
    for number in range(ALONE):
        pace.begin(1, NOW + SPACING + number * 0.001)
    assert pace.rest(NOW + SPACING + ALONE * 0.001) > 0


def test_a_reading_that_is_alone_without_a_rest_ends_nothing() -> None:
    pace = pace_after(0.001)
    assert pace.rest(NOW + 2 * SPACING) == 0
    pace.begin(1, NOW + 2 * SPACING)
    assert pace.rest(NOW + 2 * SPACING) > 0


def test_a_rest_that_was_worth_it_is_over_with_its_commit() -> None:
    pace = pace_after(0.001)
    assert pace.rest(NOW) > 0
    pace.begin(3, NOW + SPACING)
    pace.begin(1, NOW + 2 * SPACING)
    assert pace.rest(NOW + 2 * SPACING) > 0


@pytest.mark.parametrize(("later", "pause"), [(0.0, 5.0), (4.5, 0.5), (5.0, 0.0), (60.0, 0.0)])
def test_an_interval_that_the_user_wants_is_kept_at_any_rate(later: float, pause: float) -> None:
    assert pace_after(60.0, interval=5.0).pause(1, NOW + later) == pytest.approx(pause)
    assert pace_after(0.001, interval=5.0).pause(1, NOW + later) == pytest.approx(pause)


def test_an_interval_is_kept_also_if_nothing_else_comes() -> None:
    pace = CommitPace(interval=5.0)
    pace.begin(1, NOW)
    assert pace.pause(1, NOW + 1) == 4
    pace.begin(1, NOW + 5)
    assert pace.pause(1, NOW + 6) == 4


def test_an_interval_shorter_than_the_spacing_does_not_shorten_it() -> None:
    assert pace_after(0.001, interval=SPACING / 10).rest(NOW) == pytest.approx(SPACING)
