from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs import prune as module
from jobs.prune import REJECTED_KEPT, REJECTED_RETENTION, STEP, SteadyClock, prune
from models.database import prepare, reading_database, writing_database
from models.rolling import RollingAverages
from models.store import Batch, NewReading, NewRejected, Store
from tests.unit.rows import rows

NOW = 1_700_000_000.0
RETENTION = 2100.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "test.db"
    prepare(path)
    return path


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(writing_database(path))
    yield store
    store.close()


def add(store: Store, *times: float) -> None:
    store.add(Batch(readings=[NewReading("DATA", time, 1) for time in times]))


def step_of(store: Store, oldest_needed: float = NOW) -> Callable[[], bool]:
    """Return the step that a prune at `NOW` hands in."""
    handed_in: list[Callable[[], bool]] = []
    prune(handed_in.append, store, RETENTION, lambda: oldest_needed, lambda: NOW)
    [step] = handed_in
    return step


def times(path: Path) -> list[float]:
    return [time for (time,) in rows(path, "SELECT time FROM reading ORDER BY time")]


def test_readings_as_old_as_the_retention_are_deleted(store: Store, path: Path) -> None:
    add(store, NOW - RETENTION - 1, NOW - RETENTION, NOW - RETENTION + 1, NOW, NOW + 30)
    assert not step_of(store)()
    assert times(path) == [NOW - RETENTION + 1, NOW, NOW + 30]


def test_what_a_window_still_needs_is_kept_however_old(store: Store, path: Path) -> None:
    """Averages that have not been computed for long still hold what they must take away."""
    add(store, NOW - 9000, NOW - 8000, NOW - 7000)
    assert not step_of(store, oldest_needed=NOW - 8000)()
    assert times(path) == [NOW - 7000]


def test_nothing_is_deleted_before_the_job_runs_and_none_by_the_job_itself(store: Store, path: Path) -> None:
    """Handing in is all it does: the ingest thread alone writes."""
    add(store, NOW - 9000)
    step_of(store)
    assert times(path) == [NOW - 9000]


def test_a_step_deletes_a_bounded_number_until_all_is_done(store: Store, path: Path) -> None:
    add(store, *[NOW - 9000 + number for number in range(2 * STEP + 1)], NOW)
    step = step_of(store)
    left = []
    for _ in range(2):
        assert step()
        left.append(len(times(path)))
    assert not step()
    assert [*left, len(times(path))] == [STEP + 2, 2, 1]


def test_what_was_pruned_is_one_line_of_the_log(store: Store, log_lines: list[str]) -> None:
    add(store, *[NOW - 9000] * (STEP + 5))
    step = step_of(store)
    while step():
        pass
    assert log_lines == [f"INFO: pruned {STEP + 5} readings"]


def test_what_was_pruned_is_counted(store: Store, path: Path) -> None:
    add(store, *[NOW - 9000] * (STEP + 5), NOW)
    step = step_of(store)
    while step():
        pass
    assert not step_of(store)()
    assert rows(path, "SELECT value FROM counter WHERE name = 'pruned'") == [(STEP + 5,)]


def test_nothing_pruned_is_nothing_to_tell(store: Store, log_lines: list[str]) -> None:
    assert not step_of(store)()
    assert log_lines == []


def test_rejected_messages_are_bounded_in_age_and_number(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (REJECTED_RETENTION, REJECTED_KEPT) == (7 * 86400, 10_000)
    monkeypatch.setattr(module, "REJECTED_KEPT", 3)
    arrived = [NOW - REJECTED_RETENTION, NOW - 5, NOW - 4, NOW - 3, NOW - 2]
    store.add(Batch(rejected=[NewRejected(time, "DATA", b"x", 1, "not JSON", "") for time in arrived]))
    assert not step_of(store)()
    assert rows(path, "SELECT arrived FROM rejected_message") == [(NOW - 4,), (NOW - 3,), (NOW - 2,)]


def test_rejected_messages_are_kept_for_a_week(store: Store, path: Path) -> None:
    arrived = [NOW - REJECTED_RETENTION - 1, NOW - REJECTED_RETENTION + 1]
    store.add(Batch(rejected=[NewRejected(time, "DATA", b"x", 1, "not JSON", "") for time in arrived]))
    assert not step_of(store)()
    assert rows(path, "SELECT arrived FROM rejected_message") == [(NOW - REJECTED_RETENTION + 1,)]


def test_a_step_that_runs_after_the_clock_was_set_back_leaves_the_windows_right(
    store: Store, path: Path
) -> None:
    """While a step waits there may be a tick by a clock that was set back.

    Its windows then hold readings that were free to be deleted before. Deleted all the same, they
    could never be taken away again: the averages would be wrong until the next restart.
    """
    averages = RollingAverages(reading_database(path), [60.0], 30.0)
    add(store, NOW - 3600, NOW - 3590)
    averages.advance(NOW)
    handed_in: list[Callable[[], bool]] = []
    prune(handed_in.append, store, RETENTION, lambda: averages.oldest_needed, lambda: NOW)
    assert averages.advance(NOW - 3590)[0].count == 2
    for step in handed_in:
        while step():
            pass
    for now in (NOW - 3535, NOW - 3500, NOW - 3450):
        restarted = RollingAverages(reading_database(path), [60.0], 30.0)
        assert averages.advance(now) == restarted.advance(now)


def test_a_steady_clock_is_the_wall_clock_while_nothing_jumps() -> None:
    clock = SteadyClock(100)
    for elapsed in range(0, 1000, 7):
        assert clock.now(NOW + elapsed, 50 + elapsed) == NOW + elapsed


@pytest.mark.parametrize("jump", [3600.0, 365 * 86400.0])
def test_a_jump_forward_is_believed_only_after_the_patience(jump: float) -> None:
    clock = SteadyClock(100)
    clock.now(NOW, 0)
    for elapsed in range(1, 101):
        assert clock.now(NOW + jump + elapsed, elapsed) == NOW + elapsed
    assert clock.now(NOW + jump + 101, 101) == NOW + jump + 101


@pytest.mark.parametrize("jump", [3600.0, 365 * 86400.0])
def test_a_jump_back_is_believed_at_once(jump: float) -> None:
    clock = SteadyClock(100)
    clock.now(NOW, 0)
    assert clock.now(NOW - jump + 1, 1) == NOW - jump + 1


def test_a_jump_forward_that_was_a_mistake_is_never_believed() -> None:
    clock = SteadyClock(100)
    clock.now(NOW, 0)
    assert clock.now(NOW + 3600 + 50, 50) == NOW + 50
    assert clock.now(NOW + 90, 90) == NOW + 90
    assert clock.now(NOW + 150, 150) == NOW + 150


HISTORIES = st.lists(st.tuples(st.floats(0, 200), st.sampled_from([0, 0, 0, 3600, -3600, 0.1, -0.1])))


@given(st.floats(1.6e9, 2e9), st.floats(0, 1e6), HISTORIES)
@example(1733546471.12272, 888592.372033, [(0.0, 0)])  # the difference rounds up
def test_a_steady_clock_is_never_ahead_of_the_wall_clock(
    wall: float, elapsed: float, history: list[tuple[float, float]]
) -> None:
    clock = SteadyClock(100)
    for passed, jump in history:
        wall += passed + jump
        elapsed += passed
        assert clock.now(wall, elapsed) <= wall


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from([0, 0, 0, 3600, -3600, 7])), min_size=1))
def test_a_steady_clock_follows_the_slowest_clock_of_the_patience(history: list[tuple[int, int]]) -> None:
    clock = SteadyClock(100)
    wall = NOW
    elapsed = 0
    offsets: list[tuple[int, float]] = []
    for passed, jump in history:
        wall += passed + jump
        elapsed += passed
        offsets.append((elapsed, wall - elapsed))
        slowest = min(offset for seen, offset in offsets if seen >= elapsed - 100)
        assert clock.now(wall, elapsed) == elapsed + slowest
