"""The session that readings come in by."""

import select
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from loguru import logger
from paho.mqtt.client import Client, ConnectFlags
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from config.settings import Settings
from scheduler_app.log import Once
from scheduler_app.mqtt.buffered_socket import READ_SIZE, BufferedSocket
from scheduler_app.mqtt.dialer import CONNECT_TIMEOUT, RECEIVE_MAXIMUM, Dialer
from scheduler_app.mqtt.fast_path import FastPath
from scheduler_app.mqtt.message import Message
from scheduler_app.mqtt.paho_client import PahoClient
from scheduler_app.mqtt.subscribing import Subscribing

_FAREWELL_TIMEOUT = 1.0
_LEAVE_TIMEOUT = 30.0
_DISCARD_SIZE, _DISCARD_PAUSE = 1 << 18, 0.01
_DISCONNECT = b"\xe0\x00"
_LOOP_TIMEOUT = 0.5


class IngestSession:
    """The persistent session that readings come in by, driven by one thread.

    The caller receives a batch, stores it, and acknowledges it. There is no other thread, and
    `connect` is called only when nothing is held, so that an acknowledgement always goes to the
    connection its message came on: on another one it would acknowledge a message that was never
    stored.
    """

    def __init__(
        self,
        settings: Settings,
        topic_filters: Sequence[str],
        *,
        unsubscribe: Sequence[str] = (),
        role: str = "subscriber",
        quiet: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Build it; nothing is opened before `connect`.

        `unsubscribe`: filters that the session may be subscribed to, and is to be no more. `quiet`
        logs what is no error at DEBUG only. `monotonic` returns seconds of a clock that nobody sets.
        """
        self._monotonic = monotonic
        self._settings = settings
        self._topic_filters = topic_filters
        self._unwanted = unsubscribe
        # Called when the broker has taken the subscriptions, and ended the unwanted ones.
        self.when_subscribed: Callable[[], object] = lambda: None
        # the same after a restart: the broker knows the session by it
        self.client_id = f"{settings.client_id}-{role}"
        self._dialer = Dialer(settings, self.client_id, keep_session=True, quiet=quiet)
        self._subscribing = Subscribing(topic_filters, quiet=quiet)
        self._level = "DEBUG" if quiet else "INFO"
        self._client: PahoClient | None = None
        self._fast_path: FastPath | None = None
        self._inbox: list[Message] = []
        self._subscribed = False
        self._session_lost = False
        # The packet id of the request for proof that waits for its answer.
        self._proof_id: int | None = None
        self._proof_here = False
        # Until when (monotonic seconds) we wait for the broker to end the connection; None: we stay.
        self._leaving_until: float | None = None
        self._told = Once()
        # Whether the last connection was left for a new one, and whether this one is the new one.
        self._left = self._renewed = False
        # ends a wait at once, from any thread
        self._waker, self._wakened = socket.socketpair()
        self._waker.setblocking(False)
        self._wakened.setblocking(False)

    @property
    def connected(self) -> bool:
        """Whether there is a connection, or one is being made."""
        return self._client is not None and self._client.socket() is not None

    @property
    def subscribed(self) -> bool:
        return self._subscribed and (self.connected or self._left)

    @property
    def short_connections(self) -> int:
        """How many connections in a row were lost within seconds, as two clients with one id do."""
        return self._dialer.short_connections

    @property
    def may_connect_at_once(self) -> bool:
        """Whether the last try failed only for its MQTT version, and the next needs no pause."""
        return self._dialer.at_once

    def connect(self) -> bool:
        """Try once to connect; return whether the broker's answer can be waited for."""
        self._renewed, self._left = self._left, False
        self._subscribed = self._subscribed and self._renewed
        self._proof_id, self._proof_here, self._leaving_until = None, False, None
        self._subscribing.forget()
        # what was read and not handed out is sent again; to acknowledge it here would be stale
        self._inbox = [message for message in self._inbox if message.qos == 0]
        self._client = self._dialer.dial(self._prepare)
        self._fast_path = None if self._client is None else FastPath(self._client)
        return self._client is not None

    def receive(self, limit: int, timeout: float) -> list[Message]:
        """Wait up to `timeout` seconds; return all messages that are there, about `limit` at most.

        Reads until a read brings no message: one wait is paid for many packets. What comes before
        and after a CONNACK is never in one batch.
        """
        client = self._client
        if client is None:
            return []
        self._wait(client, 0 if self._inbox else timeout)
        self._read(client, limit)
        batch, self._inbox = self._inbox, []
        return batch

    def hold(self) -> None:
        """Keep the connection alive while a batch cannot be stored.

        The answers to our pings come behind more messages: those wait for the next `receive`.
        """
        self.maintain()
        if self._client is not None:
            self._read(self._client, RECEIVE_MAXIMUM)

    def acknowledge(self, batch: Sequence[Message]) -> None:
        """Send a PUBACK for each message, in the order received (MQTT-4.6.0-2)."""
        self._write()  # first what paho has queued before
        if self._fast_path is not None and self.connected:
            self._fast_path.acknowledge([message.packet_id for message in batch if message.qos == 1])
        self.maintain()

    def maintain(self) -> None:
        """Write what waits, ping when it is time; call it at least every few seconds."""
        self._write()
        if self._client is not None:
            self._client.loop_misc()

    def subscribe(self) -> None:
        """Subscribe, so that messages come. A session that goes on does it by itself on connecting."""
        if self._client is not None:
            if self._unwanted:
                self._client.unsubscribe(list(self._unwanted))
            self._subscribing.ask(self._client)

    def take_session_loss(self) -> bool:
        """Return, once for each time, whether the broker has begun a new session for us.

        Then nothing comes until `subscribe`: what was remembered of the old session must be
        forgotten before.
        """
        lost, self._session_lost = self._session_lost, False
        return lost

    def request_proof(self) -> bool:
        """Ask for proof that all acknowledgements so far have arrived; False if one is asked for already.

        A broker works off our packets in order, so any answer to a later packet is the proof. A
        ping would do, but paho tells nobody of its answer; unsubscribing from nothing is answered
        too (MQTT-3.10.4-5).
        """
        if self._client is None or not self.connected or self._proof_id is not None:
            return False
        if self._client.want_write():
            return False  # it would only wait behind them
        _, self._proof_id = self._client.unsubscribe(f"{self._settings.stats_topic}/$proof")
        self.maintain()
        return True

    def take_proof(self) -> bool:
        """Return, once for each request, whether the proof has come."""
        here, self._proof_here = self._proof_here, False
        return here

    def leave(self) -> bool:
        """Leave this connection for a new one; return whether it is over, and call it again until it is.

        A broker works off our packets in order, so when it ends the connection at our DISCONNECT
        (MQTT-3.14.4) it has worked off the acknowledgements before. If we ended it, they could be
        lost. What is read meanwhile is thrown away: it is not acknowledged, so it is sent again.
        Not much at a time, since a broker that can always write may hardly read. Then `connect`:
        that is no news, and the session is subscribed as it was.
        """
        client = self._client
        if client is None or not self.connected:
            return True
        sock = client.buffered_socket
        assert sock is not None  # for we are connected
        if self._leaving_until is None:
            self._leaving_until = self._monotonic() + _LEAVE_TIMEOUT
            self._write_out(client, self._monotonic() + _FAREWELL_TIMEOUT)
            sock.send(_DISCONNECT)
        self.sleep(_DISCARD_PAUSE)
        sock.flush()
        if not _discard(sock, _DISCARD_SIZE):
            if self._monotonic() < self._leaving_until:
                return False
            if self._told.allows("behind") is not None:
                logger.log(
                    self._level,
                    "the broker at {} is behind on our acknowledgements; what waits there is taken in as it "
                    "works them off",
                    self._settings.broker,
                )
        sock.close()  # not by the library, which would call it a lost connection
        self._client, self._left = None, True
        return True

    def wake(self) -> None:
        """End a wait. Safe in any thread."""
        with suppress(OSError):  # it is awake already, or has ended
            self._waker.send(b"\0")

    def sleep(self, timeout: float) -> None:
        """Wait up to `timeout` seconds, or until `wake`."""
        if select.select([self._wakened], [], [], timeout)[0]:
            self._wakened.recv(4096)

    def discard(self) -> None:
        """Have the broker forget the session, and what waits in it."""
        self._dialer.forget_session()
        if self.connect():
            deadline = self._monotonic() + CONNECT_TIMEOUT
            while not self._session_lost and self.connected and self._monotonic() < deadline:
                self.receive(1, _LOOP_TIMEOUT)
                self.maintain()
        self.disconnect()

    def disconnect(self) -> None:
        """Say goodbye; the broker keeps the session, and what is sent to it meanwhile."""
        if self._client is not None:
            deadline = self._monotonic() + _FAREWELL_TIMEOUT
            self._write_out(self._client, deadline)  # the acknowledgements, before we have left
            self._client.disconnect()
            self._write_out(self._client, deadline)
        self._waker.close()
        self._wakened.close()

    def _read(self, client: PahoClient, limit: int) -> None:
        while self.connected and len(self._inbox) < limit:
            before = len(self._inbox)
            messages = None if self._fast_path is None else self._fast_path.read(limit - before)
            if messages is not None:
                self._inbox += messages
            elif not self._dialer.survives(client, client.loop_read):
                self._client = None
                break
            if len(self._inbox) == before:
                self._subscribing.tend(client)
                break

    def _write(self) -> None:
        if self._client is not None and self._client.want_write():
            self._client.loop_write()

    def _write_out(self, client: PahoClient, deadline: float) -> None:
        while client.want_write() and self.connected and self._monotonic() < deadline:
            client.loop_write()

    def _wait(self, client: PahoClient, timeout: float) -> None:
        sock = client.buffered_socket
        if sock is None or sock.pending():
            return
        writable: list[BufferedSocket] = [sock] if client.want_write() else []
        readable: list[BufferedSocket | socket.socket] = [sock, self._wakened]
        ready, _, _ = select.select(readable, writable, [], timeout)
        if self._wakened in ready:
            self._wakened.recv(4096)

    def _prepare(self, client: PahoClient) -> None:
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_unsubscribe = self._on_unsubscribe
        client.when_received = self._on_message

    def _on_connect(
        self, client: Client, userdata: object, flags: ConnectFlags, reason: ReasonCode, properties: object
    ) -> None:
        if self._dialer.answered(reason, told=not self._renewed):
            self._session_lost = not flags.session_present
            if self._session_lost:
                self._subscribed = False
            elif not self._subscribed:
                self.subscribe()

    def _on_subscribe(
        self,
        client: Client,
        userdata: object,
        packet_id: int,
        reasons: list[ReasonCode],
        properties: Properties | None,
    ) -> None:
        if not self._subscribing.answered(packet_id, reasons):
            return
        self._subscribed = True
        level = "DEBUG" if self._dialer.suspicious else self._level
        logger.log(level, "subscribed to {} as {}", ", ".join(self._topic_filters), self.client_id)
        # packets are worked off in order, so what was sent before is done too
        self.when_subscribed()

    def _on_unsubscribe(self, client: Client, userdata: object, packet_id: int, *_: object) -> None:
        if packet_id == self._proof_id:  # not that of what is unwanted
            self._proof_id, self._proof_here = None, True

    def _on_message(self, message: Message) -> None:
        self._inbox.append(message)


def _discard(sock: BufferedSocket, size: int) -> bool:
    """Read up to `size` bytes that are there; return whether the connection is over."""
    try:
        while size > 0 and (data := sock.recv(min(size, READ_SIZE))):
            size -= len(data)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return size > 0
