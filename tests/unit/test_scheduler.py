import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from apscheduler.events import (
    EVENT_JOB_EXECUTED,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_REMOVED,
    EVENT_JOB_SUBMITTED,
)

from scheduler_app.runtime.scheduler import Every, RandomInterval, Scheduler

# Seconds until a test gives up waiting for what must come.
PATIENCE = 10.0


class FakeTime:
    """The two clocks, which a jump drives apart."""

    def __init__(self) -> None:
        self.wall = 1_700_000_000.0
        self.elapsed = 5000.0

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.elapsed += seconds


@pytest.fixture
def clock() -> FakeTime:
    return FakeTime()


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    yield from shut_down_at_the_end(Scheduler())


@pytest.fixture
def waiting(clock: FakeTime) -> Iterator[Scheduler]:
    """Return a scheduler that has a job, but runs nothing by itself."""
    scheduler = Scheduler(lambda: clock.wall, lambda: clock.elapsed)
    scheduler.start(paused=True)
    scheduler.add("job", print, Every(60))
    yield from shut_down_at_the_end(scheduler)


def shut_down_at_the_end(scheduler: Scheduler) -> Iterator[Scheduler]:
    yield scheduler
    if scheduler.running:
        scheduler.shutdown()


def due(scheduler: Scheduler) -> datetime:
    time: datetime = scheduler.get_job("job").next_run_time
    return time


def often() -> RandomInterval:
    return RandomInterval(0.001, 0.002, Random(1))


@pytest.mark.parametrize("jump", [3600, -3600, 365 * 86400, -365 * 86400, 0.6, -0.6])
def test_jobs_move_along_when_the_clock_jumps(
    clock: FakeTime, waiting: Scheduler, log_lines: list[str], jump: float
) -> None:
    before = due(waiting)
    clock.pass_by(5)
    clock.wall += jump
    waiting._follow_the_clock()
    assert abs(due(waiting) - before - timedelta(seconds=jump)) < timedelta(milliseconds=1)
    assert log_lines == [f"WARNING: the system clock jumped by {jump:+.1f} s"]


def test_a_jump_is_followed_once(clock: FakeTime, waiting: Scheduler) -> None:
    clock.wall += 3600
    waiting._follow_the_clock()
    after = due(waiting)
    clock.pass_by(1)
    waiting._follow_the_clock()
    assert due(waiting) == after


def test_a_clock_that_is_set_back_and_right_again_leaves_a_job_where_it_was(
    clock: FakeTime, waiting: Scheduler
) -> None:
    before = due(waiting)
    for jump in (-3600, 3600):
        clock.wall += jump
        waiting._follow_the_clock()
    assert abs(due(waiting) - before) < timedelta(milliseconds=1)


def test_a_clock_that_is_slowly_put_right_is_no_jump(
    clock: FakeTime, waiting: Scheduler, log_lines: list[str]
) -> None:
    before = due(waiting)
    for _ in range(100):
        clock.pass_by(1)
        clock.wall += 0.01
        waiting._follow_the_clock()
    assert due(waiting) == before
    assert log_lines == []


def test_a_jump_is_noticed_within_a_second(clock: FakeTime, waiting: Scheduler) -> None:
    """Each round follows the clock, and the scheduler never waits longer for the next one."""
    before = due(waiting)
    clock.wall -= 3600
    assert 0 < waiting._process_jobs() <= 1
    assert due(waiting) < before


def test_nothing_runs_before_the_start(scheduler: Scheduler) -> None:
    ran = threading.Event()
    scheduler.add("job", ran.set, often())
    assert not scheduler.running
    assert not ran.is_set()
    scheduler.start()
    assert ran.wait(PATIENCE)


def test_a_job_gets_its_arguments(scheduler: Scheduler) -> None:
    got: list[tuple[int, str]] = []
    ran = threading.Event()

    def job(number: int, text: str) -> None:
        got.append((number, text))
        ran.set()

    scheduler.add("job", job, often(), times=1, number=46, text="x")
    scheduler.start()
    assert ran.wait(PATIENCE)
    assert got == [(46, "x")]


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_job_runs_as_often_as_it_is_told_and_is_gone(scheduler: Scheduler, times: int) -> None:
    runs: list[None] = []
    all_done, gone = threading.Event(), threading.Event()

    def note_the_end(event: object) -> None:
        if len(runs) == times:
            all_done.set()

    scheduler.add_listener(lambda event: gone.set(), EVENT_JOB_REMOVED)
    scheduler.add_listener(note_the_end, EVENT_JOB_EXECUTED)
    scheduler.add("job", lambda: runs.append(None), often(), times=times)
    scheduler.add("other", lambda: None, often())
    scheduler.start()
    assert gone.wait(PATIENCE)
    assert all_done.wait(PATIENCE)
    assert scheduler.get_job("job") is None
    assert scheduler.get_job("other") is not None
    assert len(runs) == times


class Yearly(RandomInterval):
    """Is never due while a test runs."""

    def __init__(self) -> None:
        super().__init__(365 * 86400, 365 * 86400, Random())

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        return super().get_next_fire_time(now, now)


def test_a_job_can_be_run_out_of_turn(scheduler: Scheduler) -> None:
    ran, other = threading.Event(), threading.Event()
    submitted = threading.Event()
    scheduler.add_listener(lambda event: submitted.set(), EVENT_JOB_SUBMITTED)
    scheduler.add("job", ran.set, Yearly())
    scheduler.add("other", other.set, Yearly())
    scheduler.start()
    scheduler.run_soon("job")
    assert ran.wait(PATIENCE)
    assert submitted.wait(PATIENCE)
    assert scheduler.get_job("job").next_run_time > datetime.now(UTC) + timedelta(days=300)
    assert not other.is_set()


def test_several_jobs_can_be_run_out_of_turn(scheduler: Scheduler) -> None:
    ran, other = threading.Event(), threading.Event()
    scheduler.add("job", ran.set, Yearly())
    scheduler.add("other", other.set, Yearly())
    scheduler.start()
    scheduler.run_soon("job", "other")
    assert ran.wait(PATIENCE)
    assert other.wait(PATIENCE)


def test_a_job_that_is_to_run_soon_while_it_runs_runs_again_when_it_has_ended(
    scheduler: Scheduler, log_lines: list[str]
) -> None:
    """What it was asked for came too late for the run that is under way; and it is no overrun."""
    started, release, again, skipped = (threading.Event() for _ in range(4))
    runs: list[bool] = []

    def job() -> None:
        runs.append(release.is_set())
        if len(runs) == 1:
            started.set()
            release.wait(PATIENCE)
        else:
            again.set()

    scheduler.add_listener(lambda event: skipped.set(), EVENT_JOB_MAX_INSTANCES)
    scheduler.add("job", job, Yearly())
    scheduler.start()
    scheduler.run_soon("job")
    assert started.wait(PATIENCE)
    scheduler.run_soon("job")
    assert skipped.wait(PATIENCE)
    assert len(runs) == 1
    release.set()
    assert again.wait(PATIENCE)
    scheduler.shutdown()
    assert runs == [False, True]
    assert log_lines == []


def test_a_job_that_fails_is_told_and_runs_again(scheduler: Scheduler, log_lines: list[str]) -> None:
    again = threading.Event()
    runs = 0

    def job() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise RuntimeError("no luck")
        again.set()

    scheduler.add("averages", job, often())
    scheduler.start()
    assert again.wait(PATIENCE)
    scheduler.shutdown()
    [error] = [line for line in log_lines if line.startswith("ERROR")]
    assert error.startswith("ERROR: job averages failed; it runs again when it is due\n")
    assert "RuntimeError: no luck" in error


def test_a_job_never_runs_beside_itself(scheduler: Scheduler, log_lines: list[str]) -> None:
    release, skipped = threading.Event(), threading.Event()
    running = most = 0

    def job() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        release.wait(PATIENCE)
        running -= 1

    scheduler.add_listener(lambda event: skipped.set(), EVENT_JOB_MAX_INSTANCES)
    scheduler.add("job", job, often(), may_miss=lambda: False)
    scheduler.start()
    assert skipped.wait(PATIENCE)
    release.set()
    scheduler.shutdown()
    assert most == 1
    assert "WARNING: job job is still running and was not started again" in log_lines


@pytest.mark.parametrize("may_miss", [True, lambda: True], ids=["always", "now"])
def test_a_job_that_makes_up_for_it_may_miss_its_time_without_a_word(
    scheduler: Scheduler, log_lines: list[str], may_miss: bool | Callable[[], bool]
) -> None:
    release, skipped = threading.Event(), threading.Event()
    scheduler.add_listener(lambda event: skipped.set(), EVENT_JOB_MAX_INSTANCES)
    scheduler.add("job", lambda: release.wait(PATIENCE), often(), may_miss=may_miss)
    scheduler.start()
    assert skipped.wait(PATIENCE)
    release.set()
    scheduler.shutdown()
    assert log_lines == []


def test_a_slow_job_does_not_hold_up_another(scheduler: Scheduler) -> None:
    release, ran = threading.Event(), threading.Event()
    started = threading.Event()

    def slow() -> None:
        started.set()
        release.wait(PATIENCE)

    scheduler.add("slow", slow, often(), times=1)
    scheduler.start()
    assert started.wait(PATIENCE)
    scheduler.add("quick", ran.set, often(), times=1)
    assert ran.wait(PATIENCE)
    release.set()


def test_shutting_down_waits_for_the_job_that_runs(scheduler: Scheduler) -> None:
    started, release = threading.Event(), threading.Event()
    ended: list[str] = []

    def job() -> None:
        started.set()
        release.wait(PATIENCE)
        ended.append("job")

    scheduler.add("job", job, often(), times=1)
    scheduler.start()
    assert started.wait(PATIENCE)

    def shut_down() -> None:
        scheduler.shutdown()
        ended.append("shutdown")

    waiter = threading.Thread(target=shut_down)
    waiter.start()
    release.set()
    waiter.join(PATIENCE)
    assert ended == ["job", "shutdown"]
