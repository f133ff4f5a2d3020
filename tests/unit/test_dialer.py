"""A broker that takes the connection and says nothing, or loses it again and again."""

import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from config.settings import load_settings
from scheduler_app.mqtt.ingest_session import IngestSession
from tests.unit.scripted_broker import CONNACK

SUBACK = b"\x90\3\0%c\1"


class Broker:
    """The other end; `now` is the session's clock."""

    def __init__(self, version: str) -> None:
        self.now = 0.0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        settings = load_settings({"broker": self.address, "mqtt_version": version})
        self.session = IngestSession(settings, ["DATA"], monotonic=lambda: self.now)
        self.connection: Any = None

    def connect(self, answer: bytes = b"") -> int:
        """Have the session connect, and answer it; return which level of MQTT its CONNECT is of."""
        assert self.session.connect()
        if self.connection is not None:
            self.connection.close()
        self.connection, _ = self.listener.accept()
        self.session.maintain()
        level: int = self.connection.recv(1000)[8]
        if answer:
            self.connection.sendall(answer)
            self.session.receive(10, 10)
        return level

    def pass_time(self, seconds: float) -> bool:
        """Return whether the session stays connected after so many seconds."""
        self.now += seconds
        self.session.receive(10, 0)
        return self.session.connected

    def lose(self) -> None:
        self.connection.close()
        while self.session.connected:
            self.session.receive(10, 10)

    def close(self) -> None:
        self.session.disconnect()
        self.listener.close()
        if self.connection is not None:
            self.connection.close()


@pytest.fixture
def make(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with closing(Broker(request.param)) as broker:
        yield broker


@pytest.mark.parametrize("make", ["auto"], indirect=True)
def test_silence_is_told_after_five_seconds_and_the_other_version_tried_at_once(
    make: Broker, log_lines: list[str]
) -> None:
    assert make.connect() == 5
    assert make.pass_time(4.9)
    assert log_lines == []
    assert not make.pass_time(0.1)
    [line] = log_lines
    assert line == (
        f"WARNING: the broker at {make.address} has not answered for 5 s; it may speak TLS there (then set "
        f"BROKER=mqtts://{make.address}); that was MQTT 5, now we try MQTT 3.1.1"
    )
    assert make.session.may_connect_at_once
    assert make.session.trouble is None  # it may work now
    assert make.connect(CONNACK["3.1.1"]) == 4
    assert "INFO: connected to the broker" in log_lines[-1]
    make.lose()
    assert make.connect() == 4  # what it is known to speak


@pytest.mark.parametrize("make", ["3.1.1"], indirect=True)
def test_a_slow_broker_is_given_more_time_at_each_try(make: Broker, log_lines: list[str]) -> None:
    """Up to 25 s, and from the start again after it has answered."""
    for patience in (5, 10, 20, 25, 25):
        make.connect()
        assert make.pass_time(patience - 0.1)
        assert not make.pass_time(0.1)
        assert not make.session.may_connect_at_once
    assert len(log_lines) == 1
    assert log_lines[0].endswith("; trying again until it works")
    assert make.session.trouble is not None
    assert "has not answered for 25 s" in make.session.trouble
    make.connect(CONNACK["3.1.1"])
    assert make.pass_time(31)
    make.lose()
    make.connect()
    assert not make.pass_time(5)


@pytest.mark.parametrize("make", ["3.1.1"], indirect=True)
def test_a_connection_that_lasts_after_many_that_did_not_is_told(make: Broker, log_lines: list[str]) -> None:
    """As when the other client with our id has ended."""
    for _ in range(3):
        make.connect(CONNACK["3.1.1"])
        make.lose()
    assert "3 connections in a row were lost within seconds; does it not allow us to sub" in log_lines[-1]
    make.connect(CONNACK["3.1.1"])
    told = list(log_lines)
    make.now += 9.9
    make.session.maintain()
    assert make.session.short_connections == 3
    assert log_lines == told
    make.now += 0.1
    make.session.maintain()
    assert make.session.short_connections == 0
    assert make.session.trouble is None
    assert log_lines[len(told) :] == [f"INFO: connected to the broker at {make.address}"]


@pytest.mark.parametrize("make", ["3.1.1"], indirect=True)
def test_connections_that_are_lost_though_subscribed_are_laid_to_another_client(
    make: Broker, log_lines: list[str]
) -> None:
    for _ in range(3):
        make.connect(CONNACK["3.1.1"])
        make.session.maintain()
        packet = make.connection.recv(1000)
        make.connection.sendall(SUBACK % packet[3])
        make.session.receive(10, 10)
        assert make.session.subscribed
        make.lose()
    assert "does another client use our id 'averages-subscriber'? Then set CLIENT_ID" in log_lines[-1]


@pytest.mark.parametrize("make", ["3.1.1"], indirect=True)
def test_a_broker_that_crashes_again_and_again_is_not_laid_to_another_client(
    make: Broker, log_lines: list[str]
) -> None:
    """It does not listen in between, as it does where it closes connections itself."""
    place = make.listener.getsockname()
    for _ in range(4):
        make.connect(CONNACK["3.1.1"])
        make.listener.close()
        make.lose()
        assert not make.session.connect()
        make.listener = socket.create_server(place)
    make.connect(CONNACK["3.1.1"])
    assert make.session.trouble is None
    assert make.session.short_connections == 0
    assert {line.partition(" the broker")[0] for line in log_lines} == {
        "INFO: connected to",
        "WARNING: lost the connection to",
    }


@pytest.mark.parametrize("make", ["5"], indirect=True)
def test_a_broker_that_says_why_it_ends_the_connection_is_told_with_the_cure(
    make: Broker, log_lines: list[str]
) -> None:
    make.connect(CONNACK["5"])
    make.connection.sendall(b"\xe0\2\x8e\0")  # session taken over
    make.lose()
    assert (
        f"lost the connection to the broker at {make.address}: Session taken over: another client uses our "
        "client id: set another CLIENT_ID for one of the two"
    ) in log_lines[-1]


@pytest.mark.parametrize("make", ["5"], indirect=True)
def test_what_a_broker_grants_is_known_and_what_it_lacks_is_told_once(
    make: Broker, log_lines: list[str]
) -> None:
    shorter = b"\x20\x08\1\0\5\x11\0\0\1\x2c"  # session expiry 300 s
    for _ in range(2):
        make.connect(shorter)
        assert make.session.granted.session_expiry == 300
        make.lose()
    told = [line for line in log_lines if "forgets us 5min after we have gone" in line]
    assert len(told) == 1
    assert told[0].startswith("WARNING")
    assert [shortcoming.grave for shortcoming in make.session.lacking.found] == [False]
