"""What needs no broker; the rest is in the integration tests."""

import socket
import sys
from collections.abc import Iterator

import pytest

from scheduler_app.errors import CommandError
from scheduler_app.mqtt.embedded_broker import accepts_connections, run_embedded_broker


@pytest.fixture
def port() -> Iterator[int]:
    """Listen on a port of our own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_port_that_is_listened_on_accepts_connections(port: int) -> None:
    assert accepts_connections("127.0.0.1", port)


def test_a_port_that_nobody_listens_on_accepts_none() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert not accepts_connections("127.0.0.1", bound.getsockname()[1])


def test_without_its_wheel_the_broker_says_what_to_install_instead(
    monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    monkeypatch.setitem(sys.modules, "iotcore", None)
    with pytest.raises(CommandError, match=r"install Mosquitto.*or set BROKER") as caught:
        run_embedded_broker("127.0.0.1", port)
    assert "\n" not in str(caught.value)


def test_a_port_that_is_taken_is_told_in_one_line(port: int) -> None:
    pytest.importorskip("iotcore")
    with pytest.raises(CommandError) as caught:
        run_embedded_broker("127.0.0.1", port)
    assert str(caught.value) == (
        f"the embedded broker cannot listen on 127.0.0.1:{port}: Address already in use"
    )
