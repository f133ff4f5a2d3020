import argparse
import os
import resource
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from scheduler_app.errors import CommandError
from scheduler_app.runtime import lifecycle
from scheduler_app.runtime.lifecycle import (
    Stint,
    Stopped,
    StopSignal,
    background,
    role,
    serve,
    stop_at_end_of_input,
    wait_until,
)

# Seconds until a test gives up waiting for what must come.
PATIENCE = 10.0
SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Put a pipe in the place of standard input; return the end that writes."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        yield writing


def options(*, stop_at_eof: bool = False) -> argparse.Namespace:
    return argparse.Namespace(stop_at_eof=stop_at_eof)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_the_wish_to_stop(number: signal.Signals) -> None:
    with StopSignal() as stop:
        assert not stop.requested
        os.kill(os.getpid(), number)
        assert stop.wait(PATIENCE)
        assert stop.requested
        assert stop.failure is None


def test_work_that_takes_long_ends_when_it_looks_whether_we_are_to_stop() -> None:
    stop = StopSignal()
    stop.look()
    stop.request()
    with pytest.raises(Stopped):
        stop.look()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_a_wait(number: signal.Signals) -> None:
    with StopSignal() as stop:
        sender = threading.Timer(0.02, os.kill, (os.getpid(), number))
        sender.start()
        assert stop.wait(PATIENCE)
        sender.join()


def test_the_former_handlers_are_restored() -> None:
    got: list[int] = []
    before = {number: signal.signal(number, lambda n, frame: got.append(n)) for number in SIGNALS}
    try:
        with StopSignal() as stop:
            signal.raise_signal(signal.SIGTERM)
        assert stop.requested
        assert got == []
        with pytest.raises(ZeroDivisionError), StopSignal():
            raise ZeroDivisionError
        for number in SIGNALS:
            signal.raise_signal(number)
        assert got == SIGNALS
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_many_signals_are_one_wish() -> None:
    with StopSignal() as stop:
        for _ in range(50):
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
        assert [stop.wait(0), stop.wait(0)] == [True, True]


def test_without_a_wish_a_wait_ends_in_time() -> None:
    assert not StopSignal().wait(0)
    assert not StopSignal().wait(0.001)


def test_the_first_failure_is_the_reason() -> None:
    stop = StopSignal()
    stop.request()
    stop.request(failure="first")
    stop.request(failure="second")
    stop.request()
    assert stop.failure == "first"


def test_standard_input_that_closes_is_the_wish_to_stop(stdin: int) -> None:
    stop = StopSignal()
    stop_at_end_of_input(stop)
    os.write(stdin, b"anything")
    assert not stop.requested
    os.close(stdin)
    assert stop.wait(PATIENCE)


def test_a_role_looks_at_standard_input_only_when_it_is_told_to(stdin: int) -> None:
    os.close(stdin)
    with role(options()) as stop:
        assert not stop.wait(0.01)
    with role(options(stop_at_eof=True)) as stop:
        assert stop.wait(PATIENCE)


def test_a_role_that_was_told_to_stop_ends_without_an_error() -> None:
    with role(options()) as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested


def test_a_role_that_failed_ends_with_the_reason() -> None:
    with pytest.raises(CommandError, match="the disk is gone") as caught, role(options()) as stop:
        stop.request(failure="the disk is gone")
    assert (str(caught.value), caught.value.status) == ("the disk is gone", 1)


def test_an_error_inside_a_role_is_not_hidden_by_a_failure() -> None:
    def fail(stop: StopSignal) -> None:
        stop.request(failure="the disk is gone")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), role(options()) as stop:
        fail(stop)


def test_serving_touches_the_health_file_while_healthy(tmp_path: Path) -> None:
    stop = StopSignal()
    health_file = tmp_path / "health"
    health_file.write_text("of an earlier process")
    looks: list[bool] = []

    def healthy() -> bool:
        looks.append(health_file.exists())
        if len(looks) == 3:
            stop.request()
        return len(looks) == 3

    serve(stop, healthy, health_file)
    assert looks == [False, False, False]
    assert health_file.read_bytes() == b""


def healthy_once(stop: StopSignal) -> bool:
    stop.request()
    return True


def test_nobody_else_may_write_the_health_file(tmp_path: Path) -> None:
    health_file = tmp_path / "health"
    stop = StopSignal()
    serve(stop, lambda: healthy_once(stop), health_file)
    assert stat.S_IMODE(health_file.stat().st_mode) == 0o600


def test_a_health_file_that_is_replaced_by_a_link_is_told_and_its_target_left_alone(
    tmp_path: Path, log_lines: list[str]
) -> None:
    target, health_file = tmp_path / "target", tmp_path / "health"
    target.touch()
    os.utime(target, (1, 1))
    stop = StopSignal()

    def healthy() -> bool:
        health_file.symlink_to(target)
        return healthy_once(stop)

    serve(stop, healthy, health_file)
    assert target.stat().st_mtime == 1
    assert log_lines == [
        f"ERROR: HEALTH_FILE={health_file} cannot be written: Too many levels of symbolic links"
    ]


def test_it_is_told_once_when_the_health_file_can_be_written_again(
    tmp_path: Path, log_lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "_HEALTH_INTERVAL", 0.0)
    health_file = tmp_path / "missing" / "health"
    stop = StopSignal()
    looks = count(1)

    def healthy() -> bool:
        look = next(looks)
        if look == 2:
            [line] = log_lines
            assert line.startswith(f"ERROR: HEALTH_FILE={health_file} cannot be written: ")
            health_file.parent.mkdir()
        if look == 4:
            stop.request()
        return True

    serve(stop, healthy, health_file)
    assert log_lines[1:] == [f"INFO: HEALTH_FILE={health_file} can be written again"]


def test_what_is_no_file_is_not_removed_to_make_room_for_one(tmp_path: Path, log_lines: list[str]) -> None:
    """With HEALTH_FILE=/dev/null, a role of root would take that away from all programs."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    stop = StopSignal()
    serve(stop, lambda: healthy_once(stop), pipe)
    assert pipe.is_fifo()
    assert log_lines == [f"ERROR: HEALTH_FILE={pipe} cannot be written: No such device or address"]


@pytest.mark.parametrize("name", ["missing/health", ".", "file/health"])
def test_a_health_file_that_cannot_be_written_is_told_and_ends_nothing(
    tmp_path: Path, log_lines: list[str], name: str
) -> None:
    (tmp_path / "file").touch()
    stop = StopSignal()
    serve(stop, lambda: healthy_once(stop), tmp_path / name)
    assert len(log_lines) == 1
    assert log_lines[0].startswith(f"ERROR: HEALTH_FILE={tmp_path / name} cannot be written: ")


def test_a_health_file_is_touched_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scheduler_app.runtime.lifecycle._HEALTH_INTERVAL", 0.0)
    health_file = tmp_path / "health"
    stop = StopSignal()
    ages: list[bool] = []

    def healthy() -> bool:
        if health_file.exists():
            ages.append(health_file.stat().st_mtime > 1)
            os.utime(health_file, (1, 1))
        return healthy_once(stop) if len(ages) == 2 else True

    serve(stop, healthy, health_file)
    assert ages == [True, True]


def test_serving_without_a_health_file_waits_for_the_stop() -> None:
    stop = StopSignal()
    stop.request()
    serve(stop, lambda: True, None)


def test_waiting_for_a_condition_ends_with_it() -> None:
    answers = iter([False, False, True])
    assert wait_until(lambda: next(answers))
    assert next(answers, None) is None


def test_waiting_for_a_condition_ends_in_time() -> None:
    seconds = [100.0]

    def sleep(pause: float) -> None:
        seconds[0] += pause

    assert not wait_until(lambda: False, timeout=3.0, elapsed=lambda: seconds[0], sleep=sleep)
    assert 103.0 < seconds[0] < 103.1
    assert wait_until(lambda: seconds[0] > 105.9, timeout=3.0, elapsed=lambda: seconds[0], sleep=sleep)


def test_a_background_thread_is_ended_on_leaving() -> None:
    end = threading.Event()
    ran: list[str] = []

    def run() -> None:
        end.wait(PATIENCE)
        ran.append("ended")

    with background("printer", run, end.set, StopSignal()) as thread:
        assert thread.is_alive()
        assert thread.name == "printer"
    assert not thread.is_alive()
    assert ran == ["ended"]


def test_a_background_thread_is_ended_after_an_error_too() -> None:
    end = threading.Event()
    with pytest.raises(ZeroDivisionError), background("x", lambda: None, end.set, StopSignal()):
        raise ZeroDivisionError
    assert end.is_set()


def test_an_error_in_a_background_thread_stops_the_role(log_lines: list[str]) -> None:
    stop = StopSignal()

    def run() -> None:
        raise RuntimeError("no luck")

    with background("ingest", run, lambda: None, stop):
        assert stop.wait(PATIENCE)
    assert stop.failure == "ingest failed; the traceback is in the log above"
    assert log_lines[0].startswith("ERROR: ingest failed\n")
    assert "RuntimeError: no luck" in log_lines[0]


def test_a_background_thread_that_does_not_end_is_told(
    monkeypatch: pytest.MonkeyPatch, log_lines: list[str]
) -> None:
    monkeypatch.setattr("scheduler_app.runtime.lifecycle._END_TIMEOUT", 0.01)
    release = threading.Event()

    def run() -> None:
        release.wait(PATIENCE)

    with background("printer", run, lambda: None, StopSignal()) as thread:
        pass
    assert log_lines == ["WARNING: printer did not end within 0.01 s"]
    release.set()
    thread.join(PATIENCE)


def test_a_role_leaves_no_core_file_with_the_password_in_it() -> None:
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        with role(argparse.Namespace(stop_at_eof=False)):
            assert resource.getrlimit(resource.RLIMIT_CORE) == (0, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)


def test_a_stint_ends_before_the_role_does() -> None:
    """Whoever waits for either hears of it; the role goes on."""
    with StopSignal() as stop:
        stint = Stint(stop)
        assert not stint.wait(0)
        sender = threading.Timer(0.02, stint.end)
        sender.start()
        assert stint.wait(PATIENCE)
        sender.join()
        assert not stop.requested
        assert not stop.wait(0)
        assert not Stint(stop).requested


def test_a_stint_ends_with_the_role() -> None:
    with StopSignal() as stop:
        stint = Stint(stop)
        stop.request(failure="so it is")
        assert stint.requested
        assert stint.wait(PATIENCE)


def test_a_failure_in_a_stint_is_one_of_the_role() -> None:
    with StopSignal() as stop:
        Stint(stop).request(failure="so it is")
        assert stop.requested
        assert stop.failure == "so it is"


def test_a_role_is_served_until_its_stint_ends() -> None:
    """A wait that ended for nothing, since an earlier stint has ended, is no end of this one."""
    with StopSignal() as stop:
        Stint(stop).end()
        stint = Stint(stop)
        sender = threading.Timer(0.02, stint.end)
        sender.start()
        serve(stint, lambda: True, None)
        assert stint.requested
        sender.join()
