"""How the connection for publishing keeps to what the broker grants. The rest is in the integration tests."""

import itertools
import socket
from typing import Any

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from config.settings import load_settings
from scheduler_app.mqtt.connection import Connection
from scheduler_app.mqtt.granted import UNTOLD, Granted
from scheduler_app.mqtt.message import Retained
from scheduler_app.mqtt.packets import read_publishes
from scheduler_app.mqtt.turns import Turns

STATE = Retained("STATS/$state", "offline")


class Client:
    """Is connected, takes what it is given, and notes its will."""

    protocol = MQTTProtocolVersion.MQTTv5
    wants_write = False

    def __init__(self) -> None:
        self.sent = b""
        self._packet_ids = itertools.count(1)
        self.will: tuple[int, bool] | None = None

    @property
    def buffered_socket(self) -> "Client":
        return self

    @property
    def published(self) -> list[tuple[bytes, int, bool]]:
        messages, _ = read_publishes(self.sent, 10, 0.0, version_5=True)
        return [(each.payload, each.qos, each.retained) for each in messages]

    def is_connected(self) -> bool:
        return True

    def next_packet_id(self) -> int:
        return next(self._packet_ids)

    def send(self, data: bytes) -> None:
        self.sent += data

    def will_set(self, topic: str, payload: str, *, qos: int, retain: bool) -> None:
        self.will = qos, retain


def connected(granted: Granted, *, quiet: bool = False) -> tuple[Connection, Client]:
    """Return a connection that was granted this."""
    connection = Connection(load_settings(), "test", state=STATE, quiet=quiet)
    client: Any = Client()
    connection._client, connection._ready = client, True
    waker: Any = None
    connection._turns = Turns(client, waker)
    connection._dialer.granted = granted
    connection._prepare(client)
    connection._begin_publishing()
    return connection, client


def send(connection: Connection) -> None:
    assert connection._publications is not None
    connection._publications.send()


@pytest.mark.parametrize(
    ("granted", "qos", "retain"),
    [
        (UNTOLD, 1, True),
        (Granted(maximum_qos=1, retain_available=True), 1, True),
        (Granted(maximum_qos=0, retain_available=True), 0, True),
        (Granted(maximum_qos=2, retain_available=False), 1, False),
    ],
)
def test_what_is_published_is_what_the_broker_allows(granted: Granted, qos: int, retain: bool) -> None:
    """And so is what it is to publish when we are gone."""
    connection, client = connected(granted)
    assert connection.publish("a", "x", retain=True)
    assert connection.publish("a", "y")
    send(connection)
    assert client.published == [(b"x", qos, retain), (b"y", qos, False)]
    assert client.will == (qos, retain)


@pytest.mark.parametrize(("granted", "told"), [(Granted(maximum_qos=0), 1), (Granted(maximum_qos=1), 0)])
def test_who_only_publishes_tells_that_it_cannot_at_qos_1(
    log_lines: list[str], granted: Granted, told: int
) -> None:
    connection, _ = connected(granted)
    connection._tell_qos()
    connection._tell_qos()
    assert len(log_lines) == told


# A PUBLISH has 10 bytes beside its topic and its payload.
@pytest.mark.parametrize(
    ("payload", "fits"), [("x" * 89, True), ("x" * 90, False), ("ä" * 44, True), ("ä" * 45, False)]
)
def test_what_is_larger_than_the_broker_takes_is_left_out_and_told(
    log_lines: list[str], payload: str, fits: bool
) -> None:
    """It would end the connection, and each of the next ones."""
    connection, client = connected(Granted(packet_size=100))
    assert connection.publish("a", payload) is fits
    send(connection)
    assert len(client.published) == fits
    size = 11 + len(payload.encode())
    line = (
        f"the broker at localhost:1883 takes messages of 100 bytes at most, and that on a has {size}: have "
        "it take larger ones (Mosquitto: max_packet_size)"
    )
    assert log_lines == ([] if fits else [f"ERROR: {line}"])
    assert connection.too_large == (None if fits else line)


def test_a_quiet_connection_leaves_it_to_others_to_tell(log_lines: list[str]) -> None:
    connection, _ = connected(Granted(packet_size=100), quiet=True)
    assert not connection.publish("a", "x" * 100)
    assert connection.too_large is not None
    assert log_lines == []


def test_a_connection_has_an_id_of_its_own_unless_only_one_may_be() -> None:
    ids = {Connection(load_settings(), "test")._dialer._client_id for _ in range(2)}
    assert len(ids) == 2
    assert all(each.startswith("averages-test-") for each in ids)
    assert Connection(load_settings(), "test", client_id="one")._dialer._client_id == "one"


def test_nobody_connects_who_may_not() -> None:
    """It is asked anew before each try; nothing is sent before that."""
    answers = [False, True]
    connection = Connection(load_settings(), "test", client_id="one", may_connect=lambda: answers.pop(0))
    dialled: list[int] = []

    def dial(prepare: object) -> None:
        dialled.append(len(answers))
        connection._stopping.set()

    connection._dialer.dial = dial  # type: ignore[method-assign]
    connection._dialer.at_once = True  # no pause between the tries
    connection._run()
    assert dialled == [0]


@pytest.mark.parametrize("beside", [False, True])
def test_what_hangs_up_may_speak_tls_unless_another_connection_of_ours_would_tell_that(beside: bool) -> None:
    """What `check` finds first, and a process that only publishes, is not always our last message."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        settings = load_settings({"broker": f"127.0.0.1:{port}", "mqtt_version": "5"})
        connection = Connection(settings, "test", state=STATE, beside=beside, quiet=True)
        client = connection._dialer.dial(lambda client: None)
        assert client is not None
        listener.accept()[0].close()
        while connection._dialer.survives(client, client.loop_read):
            pass
    tls = f"it may speak TLS there (then set BROKER=mqtts://127.0.0.1:{port})"
    assert connection.trouble is not None
    assert (tls in connection.trouble) is not beside
    assert "it may not take the message that it is to publish when we are gone" in connection.trouble
