"""A broker for a session that sends byte for byte what a test says, over TCP or TLS."""

import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from config.settings import load_settings
from scheduler_app.mqtt.ingest_session import IngestSession
from scheduler_app.mqtt.message import Message
from tests.support.certificates import Certificates, serve_tls
from tests.support.waiting import TIMEOUT

CONNACK = {"3.1.1": b"\x20\2\1\0", "5": b"\x20\3\1\0\0"}


class ScriptedBroker:
    """The other end of a session's connection."""

    def __init__(self, session: IngestSession, connection: socket.socket) -> None:
        self.session = session
        self.connection = connection
        # What it was sent at first.
        self.connect = b""

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def take(self, wait: float = 1.0) -> list[Message]:
        """Return what the session receives, by and by, until nothing comes for `wait` seconds."""
        taken: list[Message] = []
        while batch := self.session.receive(1000, wait):
            taken += batch
        return taken

    def take_until(self, end: Callable[[list[Message]], bool]) -> list[Message]:
        """Return what the session receives until `end` says that it is all."""
        taken: list[Message] = []
        deadline = time.monotonic() + TIMEOUT
        while not end(taken):
            assert self.session.connected, f"the connection is lost after {len(taken)} messages"
            assert time.monotonic() < deadline, f"only {len(taken)} messages came"
            taken += self.session.receive(1000, 1)
        return taken

    def read(self, count: int) -> bytes:
        """Read at least `count` more bytes, while the session writes."""
        data = b""
        deadline = time.monotonic() + TIMEOUT
        while len(data) < count:
            assert time.monotonic() < deadline, f"{len(data)} of {count} bytes came"
            self.session.maintain()
            if not (more := self.received(1 << 16)):
                select.select([self.connection], [], [], 0.01)
            data += more
        return data

    def received(self, size: int) -> bytes:
        """Return up to `size` bytes that have come, without waiting."""
        self.connection.setblocking(False)
        try:
            return self.connection.recv(size)
        except (BlockingIOError, ssl.SSLWantReadError):
            return b""
        finally:
            self.connection.settimeout(TIMEOUT)


@contextmanager
def scripted_broker(
    version: str = "3.1.1", *, narrow: bool = False, certificates: Certificates | None = None
) -> Iterator[ScriptedBroker]:
    """Have a session connected to a broker that says nothing more than its CONNACK by itself.

    If `narrow`, little fits into the connection before the session must wait. With `certificates` it
    speaks TLS.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        if narrow:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        scheme = "mqtts" if certificates else "mqtt"
        address = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        authority = {"broker_cafile": str(certificates.authority)} if certificates else {}
        settings = load_settings({"broker": address, "mqtt_version": version, **authority})
        session = IngestSession(settings, ["DATA"], quiet=True)
        with ThreadPoolExecutor(1) as executor:
            accepted = executor.submit(_accept, listener, certificates)
            assert session.connect()
            connection = accepted.result(TIMEOUT)
        if narrow:
            assert session._client is not None
            assert session._client.buffered_socket is not None
            inner: Any = session._client.buffered_socket._socket
            inner.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        with connection:
            connection.settimeout(TIMEOUT)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session.maintain()
            broker = ScriptedBroker(session, connection)
            broker.connect = broker.connection.recv(1000)
            assert broker.connect[:1] == b"\x10"
            broker.send(CONNACK[version])
            assert session.receive(1000, 10) == []  # subscribes, since the session is present
            assert broker.read(1)[:1] == b"\x82"
            try:
                yield broker
            finally:
                session.disconnect()


def _accept(listener: socket.socket, certificates: Certificates | None) -> socket.socket:
    connection, _ = listener.accept()
    if certificates is None:
        return connection
    return serve_tls(connection, certificates)
