"""The door to MQTT: the one file that knows paho."""

import logging
import secrets
import select
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from loguru import logger
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from config.settings import Settings
from scheduler_app.management import CommandError

# Seconds. A broker that answers nothing for two of these is given up and connected to anew.
KEEPALIVE = 30
# Shorter than the 5 s within which a role ends when it is told to.
_CONNECT_TIMEOUT = 3.0
_STOP_TIMEOUT = 2.0
_BACKOFF = (1.0, 30.0)


Acknowledged = Callable[[], object]


class Message(NamedTuple):
    """One PUBLISH packet as it arrived (MQTT 3.1.1 section 3.3)."""

    topic: str
    payload: bytes
    qos: int
    retained: bool
    packet_id: int
    # UTC epoch seconds, by our clock
    arrived: float


@dataclass(frozen=True)
class LastWill:
    """What the broker publishes, retained, when the connection is lost without a goodbye."""

    topic: str
    payload: str


def unique_client_id(settings: Settings, role: str) -> str:
    """Return a client id that no other process has, for a role that keeps no session."""
    return f"{settings.client_id}-{role}-{secrets.token_hex(4)}"


def session_client_id(settings: Settings) -> str:
    """Return the client id that the subscriber's session is known by; the same after a restart."""
    return f"{settings.client_id}-subscriber"


class Connection:
    """A connection that a thread of its own keeps up, for everything but taking in readings.

    It keeps no session: what was missed while it was away is not delivered later, but what was
    published meanwhile is sent. Callbacks run on its thread.
    """

    def __init__(
        self,
        settings: Settings,
        role: str,
        *,
        subscribe: Sequence[str] = (),
        on_message: Callable[[Message], None] | None = None,
        will: LastWill | None = None,
        on_connect: Callable[[], object] = lambda: None,
        quiet: bool = False,
    ) -> None:
        """`on_connect` is called on each connect; `quiet` logs outages at DEBUG only."""
        self._settings = settings
        self._subscribe = subscribe
        self._when_connected = on_connect
        self._outage = _OutageLog(settings, quiet=quiet)
        # By packet id: those that wait for a PUBACK, and those whose PUBACK was faster than `publish`.
        self._acknowledging = threading.Lock()
        self._unacknowledged: dict[int, Acknowledged | None] = {}
        self._early: set[int] = set()
        self._client = _new_client(settings, unique_client_id(settings, role))
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.reconnect_delay_set(*map(int, _BACKOFF))
        if on_message is not None:
            self._client.on_message = _guarded(on_message)
        if will is not None:
            self._client.will_set(will.topic, will.payload, qos=1, retain=True)

    def start(self) -> None:
        """Begin to connect; returns at once."""
        address = self._settings.broker
        self._client.connect_async(address.host, address.port, keepalive=KEEPALIVE)
        self._client.loop_start()

    def stop(self, farewell: LastWill | None = None) -> None:
        """Publish `farewell`, retained, then disconnect; within 2 s even if the broker hangs.

        The broker publishes a will only for those who leave without a goodbye.
        """
        deadline = time.monotonic() + _STOP_TIMEOUT
        if farewell is not None and self.connected:
            sent = threading.Event()
            self.publish(farewell.topic, farewell.payload, retain=True, when_acknowledged=sent.set)
            sent.wait(_STOP_TIMEOUT / 2)
        self._client.disconnect()
        ending = threading.Thread(target=self._client.loop_stop, daemon=True)
        ending.start()
        ending.join(max(0.0, deadline - time.monotonic()))

    @property
    def connected(self) -> bool:
        return self._client.is_connected()

    @property
    def trouble(self) -> str | None:
        """What keeps us from being connected, in one line; None if nothing is known to."""
        return self._outage.trouble

    def publish(
        self, topic: str, payload: str, *, retain: bool = False, when_acknowledged: Acknowledged | None = None
    ) -> None:
        """Publish at QoS 1. While disconnected it is queued, and sent on connecting.

        `when_acknowledged` is called, on the connection's thread, when the PUBACK has come.
        """
        # The PUBACK can be faster than we are: it may be handled before paho returns.
        packet_id = self._client.publish(topic, payload, qos=1, retain=retain).mid
        with self._acknowledging:
            if packet_id in self._early:
                self._early.remove(packet_id)
                if when_acknowledged:
                    when_acknowledged()
            else:
                self._unacknowledged[packet_id] = when_acknowledged

    def _on_connect(
        self, client: Client, userdata: object, flags: ConnectFlags, reason: ReasonCode, properties: object
    ) -> None:
        if reason.is_failure:
            self._outage.refused(str(reason))
            return
        self._outage.over()
        for topic in self._subscribe:
            client.subscribe(topic, qos=1)
        self._when_connected()

    def _on_publish(
        self, client: Client, userdata: object, packet_id: int, reason: ReasonCode, properties: object
    ) -> None:
        with self._acknowledging:
            if packet_id not in self._unacknowledged:
                self._early.add(packet_id)
                return
            when_acknowledged = self._unacknowledged.pop(packet_id)
        if when_acknowledged:
            when_acknowledged()

    def _on_connect_fail(self, client: Client, userdata: object) -> None:
        # paho tells no reason, but calls this while it handles the error
        self._outage.unreachable(sys.exc_info()[1])

    def _on_disconnect(
        self,
        client: Client,
        userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: object,
    ) -> None:
        if reason.is_failure:
            self._outage.lost(str(reason))


class IngestSession:
    """The persistent session that readings come in by, driven by one thread.

    The caller receives a batch, stores it, and acknowledges it. There is no other thread, and
    `connect` is called only when nothing is held, so that an acknowledgement always goes to the
    connection its message came on: on another one it would acknowledge a message that was never
    stored.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._outage = _OutageLog(settings)
        self._inbox: list[Message] = []
        self._subscribed = False
        # ends a wait in `receive` at once, from any thread or signal handler
        self._waker, self._wakened = socket.socketpair()
        self._waker.setblocking(False)
        self._wakened.setblocking(False)
        self._client = _new_client(
            settings, session_client_id(settings), clean_session=False, manual_ack=True
        )
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        # With this set, paho queues what it sends instead of writing to the socket at once.
        self._client.on_socket_register_write = lambda client, userdata, sock: None

    @property
    def connected(self) -> bool:
        """Whether there is a connection, or one is being made."""
        return self._client.socket() is not None

    @property
    def subscribed(self) -> bool:
        return self._subscribed and self.connected

    def connect(self) -> bool:
        """Try once to connect; return whether the broker's answer can be waited for."""
        address = self._settings.broker
        try:
            self._client.connect(address.host, address.port, keepalive=KEEPALIVE)
        except OSError as error:
            self._outage.unreachable(error)
            return False
        return True

    def receive(self, limit: int, timeout: float) -> list[Message]:
        """Wait up to `timeout` seconds; return all messages that are there, about `limit` at most.

        Reads until a read brings no message: one wait is paid for many packets.
        """
        self._wait(timeout)
        while self.connected and len(self._inbox) < limit:
            before = len(self._inbox)
            if self._client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS or len(self._inbox) == before:
                break
        batch, self._inbox = self._inbox, []
        return batch

    def acknowledge(self, batch: Sequence[Message]) -> None:
        """Send a PUBACK for each message, in the order received (MQTT-4.6.0-2)."""
        if self.connected:
            for message in batch:
                if message.qos == 1:
                    self._client.ack(message.packet_id, message.qos)
        self.maintain()

    def maintain(self) -> None:
        """Write what waits, ping when it is time; call it at least every few seconds."""
        if self._client.want_write():
            self._client.loop_write()
        self._client.loop_misc()

    def wake(self) -> None:
        """End a wait in `receive`. Safe in any thread and in a signal handler."""
        with suppress(BlockingIOError):  # then it is awake already
            self._waker.send(b"\0")

    def sleep(self, timeout: float) -> None:
        """Wait up to `timeout` seconds, or until `wake`."""
        if select.select([self._wakened], [], [], timeout)[0]:
            self._wakened.recv(4096)

    def disconnect(self) -> None:
        """Say goodbye; the broker keeps the session, and what is sent to it meanwhile."""
        self._client.disconnect()
        deadline = time.monotonic() + _STOP_TIMEOUT
        while self._client.want_write() and self.connected and time.monotonic() < deadline:
            self._client.loop_write()
        self._waker.close()
        self._wakened.close()

    def _wait(self, timeout: float) -> None:
        sock: Any = self._client.socket()
        if sock is None:
            return
        if hasattr(sock, "pending") and sock.pending() > 0:  # TLS has read more than it handed out
            return
        writable = [sock] if self._client.want_write() else []
        ready, _, _ = select.select([sock, self._wakened], writable, [], timeout)
        if self._wakened in ready:
            self._wakened.recv(4096)

    def _on_connect(
        self, client: Client, userdata: object, flags: ConnectFlags, reason: ReasonCode, properties: object
    ) -> None:
        if reason.is_failure:
            self._outage.refused(str(reason))
            return
        self._outage.over()
        client.subscribe(self._settings.topic, qos=1)

    def _on_subscribe(
        self,
        client: Client,
        userdata: object,
        packet_id: int,
        reasons: list[ReasonCode],
        properties: Properties | None,
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            logger.error("the broker refuses the subscription to {}: {}", self._settings.topic, reasons[0])
            return
        self._subscribed = True
        logger.info("subscribed to {} as {}", self._settings.topic, session_client_id(self._settings))

    def _on_disconnect(
        self,
        client: Client,
        userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: object,
    ) -> None:
        self._subscribed = False
        if reason.is_failure:
            self._outage.lost(str(reason))

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        self._inbox.append(_convert(message))


class _OutageLog:
    """Tells an outage of the broker in one line, and its end in another."""

    def __init__(self, settings: Settings, *, quiet: bool = False) -> None:
        self._address = settings.broker
        self._quiet = quiet
        self._kind: str | None = None
        # What is wrong now, in one line.
        self.trouble: str | None = None

    def over(self) -> None:
        self._kind = self.trouble = None
        self._log("INFO", f"connected to the broker at {self._address}")

    def unreachable(self, error: BaseException | None) -> None:
        reason = getattr(error, "strerror", None) or str(error)
        self._tell("away", "WARNING", f"no broker answers at {self._address}: {reason}")

    def refused(self, reason: str) -> None:
        self._tell("refused", "ERROR", f"the broker at {self._address} refuses us: {reason}")

    def lost(self, reason: str) -> None:
        known = "" if reason == "Unspecified error" else f": {reason}"
        self._tell("away", "WARNING", f"lost the connection to the broker at {self._address}{known}")

    def _tell(self, kind: str, level: str, line: str) -> None:
        self.trouble = line
        if self._kind not in (kind, "refused"):
            self._log(level, f"{line}; trying again until it works")
            self._kind = kind

    def _log(self, level: str, line: str) -> None:
        logger.log("DEBUG" if self._quiet else level, "{}", line)


def _new_client(
    settings: Settings, client_id: str, *, clean_session: bool = True, manual_ack: bool = False
) -> Client:
    address = settings.broker
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=clean_session,
        transport="websockets" if address.websockets else "tcp",
        reconnect_on_failure=not manual_ack,
        manual_ack=manual_ack,
    )
    client.connect_timeout = _CONNECT_TIMEOUT
    if address.username is not None:
        client.username_pw_set(address.username, address.password)
    if address.websockets:
        client.ws_set_options(path=address.path)
    if address.tls:
        try:
            client.tls_set(
                ca_certs=_text(settings.broker_cafile),
                certfile=_text(settings.broker_certfile),
                keyfile=_text(settings.broker_keyfile),
            )
        except (ssl.SSLError, OSError) as error:
            raise CommandError(
                "BROKER_CAFILE, BROKER_CERTFILE or BROKER_KEYFILE cannot be read as PEM "
                f"certificates and key: {error}"
            ) from None
    if logging.getLogger("paho").isEnabledFor(logging.DEBUG):
        client.enable_logger(logging.getLogger("paho"))
    return client


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _convert(message: MQTTMessage) -> Message:
    try:
        topic = message.topic
    except UnicodeDecodeError:  # forbidden (MQTT-1.5.3-1), but it must not end the connection
        topic = "\ufffd"
    return Message(topic, bytes(message.payload), message.qos, message.retain, message.mid, time.time())


def _guarded(handler: Callable[[Message], None]) -> Callable[[Client, object, MQTTMessage], None]:
    """Keep an error in `handler` from ending paho's thread, which nobody would notice."""

    def on_message(client: Client, userdata: object, message: MQTTMessage) -> None:
        try:
            handler(_convert(message))
        except Exception:  # noqa: BLE001 - whatever it is, the thread must live
            logger.exception("a message on {!r} could not be handled", message.topic)

    return on_message
