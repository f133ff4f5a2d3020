"""What needs no broker, or one that says what a test wants; the rest is in the integration tests."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from paho.mqtt.enums import MQTTErrorCode

from config.settings import load_settings
from scheduler_app.mqtt.ingest_session import MAINTENANCE, IngestSession
from tests.support.waiting import TIMEOUT
from tests.unit.scripted_broker import scripted_broker

# Seconds. Nobody waits so long: a test that needs a wake must not end without one.
FOR_EVER = 86_400.0


def returns(work: Callable[[], object]) -> bool:
    """Whether `work` comes to its end, which is awaited in another thread, or the test would hang."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(TIMEOUT)
    return not thread.is_alive()


def is_awake(session: IngestSession) -> bool:
    """Whether the next wait would end at once."""
    return session._waker.awake


CONNACK, NEW_SESSION = b"\x20\2\1\0", b"\x20\2\0\0"
PUBLISH = b"\x32\x09\0\4DATA\0%c5"
PUBACK = b"\x40\2\0%c"
DISCONNECT = b"\xe0\0"


def test_a_session_can_be_woken_when_it_is_over() -> None:
    """Whoever stops the loop cannot know whether it has ended by itself a moment before."""
    session = IngestSession(load_settings(), ["DATA"])
    session.disconnect()
    session.wake()


def test_a_session_that_is_made_has_connected_to_nothing() -> None:
    session = IngestSession(load_settings(), ["DATA"])
    assert not session.connected
    assert not session.subscribed
    session.disconnect()


def test_waking_ends_the_next_sleep_at_once() -> None:
    session = IngestSession(load_settings(), ["DATA"])
    for _ in range(10_000):  # more than fit into a socket
        session.wake()
    assert returns(lambda: session.sleep(FOR_EVER))
    session.disconnect()


def test_waking_ends_the_wait_for_messages_too() -> None:
    with scripted_broker() as broker:
        broker.session.wake()
        assert returns(lambda: broker.session.receive(1000, FOR_EVER))


def test_a_wake_ends_one_wait_and_not_those_after_it() -> None:
    """Or the loop would never wait again, and take a whole core."""
    with scripted_broker() as broker:
        session = broker.session
        for wait in (lambda: session.sleep(FOR_EVER), lambda: session.receive(1000, FOR_EVER)):
            session.wake()
            assert is_awake(session)
            assert returns(wait)
            assert not is_awake(session)


def test_a_broker_that_does_not_answer_is_one_line(log_lines: list[str]) -> None:
    session = IngestSession(load_settings({"broker": "127.0.0.1:1"}), ["DATA"])
    assert not session.connect()
    assert not session.connect()
    session.disconnect()
    assert log_lines == [
        "WARNING: no broker answers at 127.0.0.1:1: Connection refused; trying again until it works"
    ]


@pytest.mark.parametrize("password", ["geheim", "ge:h@im"])
def test_a_broker_that_does_not_answer_is_told_without_the_password(
    log_lines: list[str], password: str
) -> None:
    session = IngestSession(
        load_settings({"broker": f"mqtt://user:{password.replace('@', '%40')}@127.0.0.1:1"}), ["DATA"]
    )
    assert not session.connect()
    session.disconnect()
    assert len(log_lines) == 1
    assert password not in log_lines[0]


class Listener:
    """The broker's side of a session's connections, one after the other."""

    def __init__(self, session: IngestSession, listener: socket.socket) -> None:
        self.session = session
        self._listener = listener

    def connect(self, connack: bytes = CONNACK) -> None:
        """Have the session connect, and answer it."""
        assert self.session.connect()
        self._connection, _ = self._listener.accept()
        self._connection.settimeout(10)
        self.session.maintain()
        assert self._connection.recv(1000)[:1] == b"\x10"
        self.send(connack)
        self.session.receive(1000, 10)
        self.session.maintain()

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def read(self, size: int) -> bytes:
        return self._connection.recv(size, socket.MSG_WAITALL)

    def close(self) -> None:
        self._connection.close()

    def subscribe(self) -> None:
        """Take the session's subscription."""
        packet = self.read(2 + 2 + 2 + 4 + 1)
        assert packet[:1] == b"\x82"
        self.send(b"\x90\3" + packet[2:4] + b"\1")
        self.session.receive(1000, 10)
        assert self.session.subscribed

    def take_one(self, packet_id: int) -> None:
        """Have the session take a message and acknowledge it."""
        self.send(PUBLISH % packet_id)
        [message] = self.session.receive(1000, 10)
        self.session.acknowledge([message])


@pytest.mark.parametrize(("seconds", "pings"), [(MAINTENANCE - 0.1, 0), (MAINTENANCE, 1)])
def test_a_connection_with_messages_all_the_time_is_maintained_too(seconds: float, pings: int) -> None:
    """Or no ping would be sent, and a broker may leave those who send none."""
    with listening() as broker:
        broker.connect()
        client = broker.session._client
        assert client is not None
        asked: list[float] = []
        now = 1000.0

        def note() -> MQTTErrorCode:
            asked.append(now)
            return MQTTErrorCode.MQTT_ERR_SUCCESS

        client.loop_misc = note  # type: ignore[method-assign]
        broker.session._monotonic = lambda: now
        broker.session.maintain()
        for number in range(4):
            now += seconds / 4
            broker.take_one(number + 1)
        assert len(asked) == 1 + pings


def test_a_message_that_comes_alone_is_looked_for_once() -> None:
    with listening() as broker:
        broker.connect()
        broker.take_one(1)
        client = broker.session._client
        assert client is not None
        assert client.buffered_socket is not None
        fill = client.buffered_socket.fill
        looks: list[int] = []

        def look() -> None:
            looks.append(1)
            fill()

        client.buffered_socket.fill = look  # type: ignore[method-assign]
        broker.take_one(2)
        assert len(looks) == 1


@contextmanager
def listening() -> Iterator[Listener]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        session = IngestSession(load_settings({"broker": address, "mqtt_version": "3.1.1"}), ["DATA"])
        broker = Listener(session, listener)
        try:
            yield broker
        finally:
            session.disconnect()
            broker.close()


def test_a_proof_is_the_answer_to_the_request_and_to_nothing_else() -> None:
    """It can be asked for while the answer to the subscription is still behind other packets."""
    with listening() as broker:
        broker.connect()
        broker.read(13)
        assert broker.session.request_proof()
        assert not broker.session.request_proof()
        packet = broker.read(2 + 2 + 2 + len("STATS/$proof"))
        assert packet[:1] == b"\xa2"
        for packet_id, proof in ((b"\xff\xff", False), (packet[2:4], True)):
            broker.send(b"\xb0\2" + packet_id)
            broker.session.receive(1000, 10)
            assert broker.session.take_proof() == proof
        assert not broker.session.take_proof()
        assert broker.session.request_proof()


@pytest.mark.parametrize(
    ("silent", "asked", "again"), [(10.1, 10.1, True), (9.0, 10.1, False), (10.1, 9.0, False)]
)
def test_proof_is_asked_for_again_when_the_broker_has_been_silent_since(
    silent: float, asked: float, *, again: bool
) -> None:
    """Else a request that the broker leaves without an answer would be the last one."""
    with listening() as broker:
        broker.connect()
        broker.read(13)
        assert broker.session.request_proof()
        first = broker.read(6 + len("STATS/$proof"))
        client: Any = broker.session._client
        client._last_bytes_received -= silent
        broker.session._proof._asked_at -= asked
        assert broker.session.request_proof() == again
        if again:
            second = broker.read(6 + len("STATS/$proof"))
            for packet, proof in ((first, False), (second, True)):
                broker.send(b"\xb0\2" + packet[2:4])
                broker.session.receive(1000, 10)
                assert broker.session.take_proof() == proof


def test_a_request_for_proof_ends_with_its_connection() -> None:
    with listening() as broker:
        broker.connect()
        assert broker.session.request_proof()
        broker.close()
        while broker.session.connected:
            broker.session.receive(1000, 10)
        broker.connect()
        assert broker.session.request_proof()


def test_a_connection_is_left_when_the_broker_has_read_all_and_ends_it(log_lines: list[str]) -> None:
    """What comes meanwhile is thrown away; the new connection is no news, and subscribed as before."""
    with listening() as broker:
        broker.connect()
        broker.subscribe()
        broker.take_one(1)
        told = list(log_lines)
        assert not broker.session.leave()
        broker.send(PUBLISH % 2)
        assert not broker.session.leave()
        assert broker.read(6) == PUBACK % 1 + DISCONNECT
        broker.close()
        while not broker.session.leave():
            pass
        assert broker.session.subscribed
        assert not broker.session.connected
        broker.connect()
        assert broker.session.subscribed
        broker.take_one(3)
        assert broker.read(4) == PUBACK % 3  # and no SUBSCRIBE
        assert broker.session.short_connections == 0
    assert log_lines == told
    assert "INFO: connected to the broker" in told[0]


def test_a_connection_whose_subscription_was_not_answered_is_left_for_one_that_subscribes() -> None:
    with listening() as broker:
        broker.connect()
        broker.session.leave()
        broker.close()
        while not broker.session.leave():
            pass
        assert not broker.session.subscribed
        broker.connect()
        broker.subscribe()


def test_a_session_that_is_gone_after_a_connection_was_left_is_subscribed_to_nothing() -> None:
    with listening() as broker:
        broker.connect()
        broker.subscribe()
        broker.session.leave()
        broker.close()
        while not broker.session.leave():
            pass
        broker.connect(NEW_SESSION)
        assert not broker.session.subscribed
        assert broker.session.take_session_loss()


def test_a_broker_that_works_off_nothing_is_left_after_a_while(
    monkeypatch: pytest.MonkeyPatch, log_lines: list[str]
) -> None:
    """That is told, but not each time."""
    monkeypatch.setattr("scheduler_app.mqtt.farewell._LEAVE_TIMEOUT", 0.0)
    with listening() as broker:
        for _ in range(3):
            broker.connect()
            assert broker.session.leave()
            broker.close()
        lines = [line for line in log_lines if "is behind on our acknowledgements" in line]
        assert len(lines) == 1
        assert lines[0].startswith("INFO")


def test_a_connection_that_is_lost_while_it_is_left_is_over() -> None:
    with listening() as broker:
        broker.connect()
        broker.close()
        while broker.session.connected:
            broker.session.receive(1000, 10)
        assert broker.session.leave()
        assert not broker.session.subscribed


def test_where_one_must_wait_the_latest_message_is_acknowledged_with_the_next() -> None:
    """Not when we leave either: it comes again, and is recognised."""
    with scripted_broker() as broker:
        broker.session.one_is_held = True
        broker.send(PUBLISH % 1 + PUBLISH % 2)
        broker.session.acknowledge(broker.take_until(lambda taken: len(taken) == 2))
        assert broker.read(4) == PUBACK % 1
        broker.send(PUBLISH % 3)
        broker.session.acknowledge(broker.take_until(lambda taken: len(taken) == 1))
        assert broker.read(4) == PUBACK % 2
        broker.session.disconnect()
        assert broker.received(100) == DISCONNECT
