"""What a service manager such as systemd hears of us, over a real socket."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler_app.runtime.lifecycle import StopSignal, serve
from scheduler_app.runtime.service_manager import ServiceManager
from tests.support.notify_socket import NotifySocket, notify_socket

LINUX_ONLY = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has sockets without a file")
HEARTBEAT = ["READY=1", "WATCHDOG=1", "STATUS=connected and working"]
TROUBLE = ["STATUS=not connected, or what arrives cannot be stored: see the log"]
GOODBYE = ["STOPPING=1", "STATUS=ending"]


@pytest.fixture(params=["file", pytest.param("abstract", marks=LINUX_ONLY)])
def systemd(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[NotifySocket]:
    """Listen where NOTIFY_SOCKET says."""
    with notify_socket(abstract=request.param == "abstract") as listening:
        monkeypatch.setenv("NOTIFY_SOCKET", listening.address)
        yield listening


def test_lines_go_out_as_one_message(systemd: NotifySocket) -> None:
    manager = ServiceManager()
    assert manager
    manager.tell("READY=1", "STATUS=läuft")
    manager.tell("STOPPING=1")
    assert systemd.heard == [["READY=1", "STATUS=läuft"], ["STOPPING=1"]]


@pytest.mark.parametrize("address", [None, ""])
def test_without_a_service_manager_nobody_is_told(
    monkeypatch: pytest.MonkeyPatch, log_lines: list[str], address: str | None
) -> None:
    if address is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    manager = ServiceManager()
    assert not manager
    manager.tell("READY=1")
    assert log_lines == []


@pytest.mark.parametrize("address", ["/nowhere/notify", "vsock:2:1234", "/" + "x" * 200])
def test_a_socket_that_cannot_be_reached_is_told_once_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, log_lines: list[str], address: str
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    manager = ServiceManager()
    manager.tell("READY=1")
    manager.tell("READY=1")
    [line] = log_lines
    assert line.startswith(f"ERROR: the service manager at NOTIFY_SOCKET={address} cannot be told: ")


def test_a_service_manager_that_does_not_read_holds_up_nothing(
    monkeypatch: pytest.MonkeyPatch, log_lines: list[str]
) -> None:
    """Its queue is full at some time; what does not go in then is left."""
    with notify_socket() as listening:
        monkeypatch.setenv("NOTIFY_SOCKET", listening.address)
        manager = ServiceManager()
        while not log_lines:
            manager.tell("READY=1")
    assert len(log_lines) == 1


def test_serving_says_ready_only_when_healthy_and_goodbye_at_the_end(
    systemd: NotifySocket, tmp_path: Path
) -> None:
    """The watchdog hears nothing while there is no health; what is wrong is told once."""
    stop = StopSignal()
    answers = iter([False, False, True])

    def healthy() -> bool:
        answer = next(answers)
        if answer:
            stop.request()
        return answer

    serve(stop, healthy, tmp_path / "health")
    assert systemd.heard == [TROUBLE, HEARTBEAT, GOODBYE]


def test_the_watchdog_is_fed_again_and_again_but_not_without_health(
    systemd: NotifySocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where there is no health file."""
    monkeypatch.setattr("scheduler_app.runtime.lifecycle._HEALTH_INTERVAL", 0.0)
    stop = StopSignal()
    answers = iter([True, True, False, False, True])

    def healthy() -> bool:
        answer = next(answers, None)
        if answer is None:
            stop.request()
        return bool(answer)

    serve(stop, healthy, None)
    assert systemd.heard == [HEARTBEAT, HEARTBEAT, TROUBLE, HEARTBEAT, TROUBLE, GOODBYE]
