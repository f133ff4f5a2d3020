from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.runtime.scheduler import Every, RandomInterval

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
JUMPS = [timedelta(hours=1), timedelta(hours=-1), timedelta(days=365), timedelta(days=-365)]


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


class Extreme(Random):
    """Draws the same end of each range."""

    def __init__(self, end: int) -> None:
        super().__init__()
        self.end = end

    def uniform(self, a: float, b: float) -> float:
        return (a, b)[self.end]


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


@pytest.mark.parametrize("previous", [None, NOW - seconds(7), NOW, NOW + seconds(3)])
def test_every_fires_at_whole_multiples_of_its_interval(previous: datetime | None) -> None:
    """So that the statistics of several starts, and of several services, are of the same moments."""
    assert Every(10).get_next_fire_time(previous, NOW + seconds(3.2)) == NOW + seconds(10)
    assert Every(60).get_next_fire_time(previous, NOW + seconds(59.999999)) == NOW + seconds(60)
    assert Every(7).get_next_fire_time(previous, EPOCH + seconds(700)) == EPOCH + seconds(707)


@pytest.mark.parametrize("delay", [0, 0.001, 3, 9.999])
def test_every_keeps_its_rhythm_when_a_round_is_late(delay: float) -> None:
    assert Every(10).get_next_fire_time(NOW, NOW + seconds(delay)) == NOW + seconds(10)


@pytest.mark.parametrize(("delay", "due"), [(10, 20), (10.5, 20), (25, 30), (3600, 3610), (3609.999, 3610)])
def test_every_leaves_out_what_was_missed(delay: float, due: float) -> None:
    assert Every(10).get_next_fire_time(NOW, NOW + seconds(delay)) == NOW + seconds(due)


@pytest.mark.parametrize("jump", JUMPS)
def test_every_goes_by_the_new_time_after_a_jump_of_the_clock(jump: timedelta) -> None:
    assert Every(10).get_next_fire_time(NOW, NOW + jump) == NOW + jump + seconds(10)


@given(st.integers(100, 86_400_000), st.datetimes(EPOCH.replace(tzinfo=None), timezones=st.just(UTC)))
def test_every_is_due_within_one_interval_at_a_whole_multiple(milliseconds: int, now: datetime) -> None:
    """A pure function of what it is given: whatever was before, it answers the same."""
    trigger = Every(milliseconds / 1000)
    interval = timedelta(milliseconds=milliseconds)
    try:
        latest = now + interval
    except OverflowError:  # the calendar ends
        return
    due = trigger.get_next_fire_time(None, now)
    assert now < due <= latest
    assert (due - EPOCH) % interval == timedelta()
    assert trigger.get_next_fire_time(now, now) == due
    # the next round follows one interval later
    assert due + interval > datetime.max.replace(tzinfo=UTC) - interval or (
        trigger.get_next_fire_time(due, due) == due + interval
    )


def test_a_random_interval_fires_at_once_and_then_after_a_random_time() -> None:
    trigger = RandomInterval(5, 5, Random())
    assert trigger.get_next_fire_time(None, NOW) == NOW
    assert trigger.get_next_fire_time(NOW, NOW) == NOW + seconds(5)


@given(st.floats(0.001, 100), st.floats(0, 100), st.integers(), st.floats(-1e8, 1e8))
def test_a_random_interval_is_within_its_bounds(
    least: float, more: float, seed: int, previous: float
) -> None:
    trigger = RandomInterval(least, least + more, Random(seed))
    due = trigger.get_next_fire_time(NOW + seconds(previous), NOW)
    assert NOW + seconds(least) <= due <= NOW + seconds(least + more)


@pytest.mark.parametrize(("end", "pause"), [(0, 1), (1, 30)])
def test_both_bounds_of_a_random_interval_belong_to_it(end: int, pause: float) -> None:
    assert RandomInterval(1, 30, Extreme(end)).get_next_fire_time(NOW, NOW) == NOW + seconds(pause)


def test_random_intervals_are_spread_over_their_range() -> None:
    trigger = RandomInterval(1, 30, Random(1))
    pauses = [(trigger.get_next_fire_time(NOW, NOW) - NOW).total_seconds() for _ in range(3000)]
    assert min(pauses) < 1.1
    assert max(pauses) > 29.9
    assert sum(pauses) / len(pauses) == pytest.approx(15.5, abs=0.5)


@pytest.mark.parametrize("jump", JUMPS)
def test_a_random_interval_does_not_look_at_the_time_before(jump: timedelta) -> None:
    """So a clock that was set by a year neither silences it nor makes it catch up."""
    before, after = (
        RandomInterval(1, 30, Random(7)).get_next_fire_time(time, NOW) for time in (NOW, NOW + jump)
    )
    assert before == after


def test_the_same_seed_gives_the_same_intervals() -> None:
    one, other, third = (RandomInterval(1, 30, Random(seed)) for seed in (7, 7, 8))
    ones, others, thirds = ([t.get_next_fire_time(NOW, NOW) for _ in range(5)] for t in (one, other, third))
    assert ones == others != thirds
