"""The door to MQTT: the one file that knows paho."""

import logging
import secrets
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from loguru import logger
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from config.settings import Settings
from config.text import printable
from scheduler_app.errors import CommandError
from scheduler_app.log import LogLimit
from scheduler_app.mqtt.fast_path import READ_SIZE, Bypass
from scheduler_app.mqtt.packets import (
    INVALID_TOPIC,
    KEPT_PAYLOAD,
    LARGEST_BEGINNING,
    LARGEST_PACKET,
    CutPayload,
    Message,
    Unusual,
    check_first_byte,
    is_publish,
    read_publish,
)
from scheduler_app.mqtt.reconnecting import Backoff, OutageLog

# Seconds. A broker that answers nothing for two of these is given up and connected to anew.
KEEPALIVE = 30
# How many unacknowledged messages we ask an MQTT 5 broker to send us: as many as share a commit.
# With MQTT 3.1.1 the broker's own setting decides (Mosquitto: max_inflight_messages).
RECEIVE_MAXIMUM = 1000
_SESSION_NEVER_EXPIRES = 0xFFFFFFFF
_CONNECT_TIMEOUT = 5.0
# So many connections in a row, each lost within so many seconds, are no accident.
SUSPICIOUS = 3
_SHORT_CONNECTION = 10.0
_FAREWELL_TIMEOUT = 1.0
_END_TIMEOUT = 2.0
# A broker may take so long to work off our acknowledgements when we leave it.
_LEAVE_TIMEOUT = 30.0
# Meanwhile so many bytes are thrown away at a time, after each pause.
_DISCARD_SIZE, _DISCARD_PAUSE = 1 << 18, 0.01
# The packet of MQTT 3.1.1, and of MQTT 5 with reason code 0 (section 3.14): the session goes on.
_DISCONNECT = b"\xe0\x00"
_LOOP_TIMEOUT = 0.5
# Bytes. An MQTT 5 broker sends us nothing larger. Mosquitto drops such a message, and for each that it
# drops it sends one less at a time until we connect anew. So it is far more than a reading takes: what
# is smaller, and still too long, is rejected and told.
MAXIMUM_PACKET_SIZE = 16 << 20
# Seconds. Within each, a packet that has begun must end, or bring another LARGEST_PACKET bytes.
PACKET_TIMEOUT = 60.0
# Seconds to wait for the answer to a SUBSCRIBE before it is sent again: at first, and at most.
SUBACK_TIMEOUT = (10.0, 60.0)


class Puback(NamedTuple):
    """The broker's answer to what we published. MQTT 3.1.1 brokers always accept."""

    accepted: bool
    reason: str


@dataclass(frozen=True)
class Retained:
    """A message that the broker keeps for those who subscribe later."""

    topic: str
    payload: str


class Connection:
    """A connection that a thread of its own keeps up, for everything but taking in readings.

    It keeps no session and no queue: what is published while there is no connection is not sent
    later. Callbacks run on its thread.
    """

    def __init__(
        self,
        settings: Settings,
        role: str,
        *,
        subscribe: Sequence[str] = (),
        on_message: Callable[[Message], object] | None = None,
        state: Retained | None = None,
        quiet: bool = False,
    ) -> None:
        """Build it; nothing is opened before `start`.

        `state` is what the broker publishes when we are gone, with or without a goodbye. `quiet`
        logs outages at DEBUG only.
        """
        self._dialer = _Dialer(settings, f"{settings.client_id}-{role}-{secrets.token_hex(4)}", quiet=quiet)
        self._subscribing = _Subscribing(subscribe, quiet=quiet) if subscribe else None
        self._on_message = on_message
        self._when_connected: Callable[[], object] = lambda: None
        self._state = state
        # Grows with each connection that is made.
        self.number = 0
        self._ready = False
        self._client: Client | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"mqtt-{role}", daemon=True)
        # By packet id: those that wait for a PUBACK, and PUBACKs that were faster than `publish`.
        self._acknowledging = threading.Lock()
        self._waiting: dict[int, Callable[[Puback], object] | None] = {}
        self._early: dict[int, Puback] = {}
        self._refusals = LogLimit()

    def start(self, on_connect: Callable[[], object] = lambda: None) -> None:
        """Begin to connect; returns at once. `on_connect` is called whenever that has worked."""
        self._when_connected = on_connect
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye and end the thread, or leave it behind after 2 s if the broker hangs."""
        self._stopping.set()
        self._thread.join(_END_TIMEOUT)

    @property
    def connected(self) -> bool:
        return self._ready and self._client is not None and self._client.is_connected()

    @property
    def trouble(self) -> str | None:
        """What keeps us from being connected, in one line; None if nothing is known to."""
        return self._dialer.outage.trouble

    def publish(
        self,
        topic: str,
        payload: str,
        *,
        retain: bool = False,
        when_acknowledged: Callable[[Puback], object] | None = None,
        number: int | None = None,
    ) -> bool:
        """Publish at QoS 1; return whether it could be, and there was a connection to do it on.

        `when_acknowledged` is called when the PUBACK has come. If the connection is lost before,
        it is never called. `number`, if given, is that of the one connection to publish on.
        """
        client = self._client
        if client is None or not self.connected or number not in (None, self.number):
            return False
        try:
            packet_id = client.publish(topic, payload, qos=1, retain=retain).mid
        except ValueError as error:  # the library knows that no broker would take it
            if self._refusals.allows("topic") is not None:
                logger.error("nothing can be published on {}: {}", printable(topic[:200]), error)
            return False
        with self._acknowledging:
            if client is not self._client:
                return False  # it was lost meanwhile, and the packet id may be another's
            puback = self._early.pop(packet_id, None)
            if puback is None:
                self._waiting[packet_id] = when_acknowledged
        if puback is not None and when_acknowledged is not None:
            when_acknowledged(puback)
        return True

    def _run(self) -> None:
        backoff = Backoff()
        while not self._stopping.wait(0 if self._dialer.at_once else backoff.next()):
            self._ready = False
            client = self._dialer.dial(self._prepare)
            if client is None:
                continue
            self._client = client
            while not self._stopping.is_set() and self._dialer.survives(
                client, partial(client.loop, _LOOP_TIMEOUT)
            ):
                if client.is_connected():
                    backoff.reset()
                    if self._subscribing is not None and client.silent_for > _LOOP_TIMEOUT:
                        self._subscribing.tend(client)
            if self._stopping.is_set():
                self._say_goodbye(client)
            with self._acknowledging:
                self._client = None
                self._waiting.clear()
                self._early.clear()

    def _say_goodbye(self, client: Client) -> None:
        deadline = time.monotonic() + _FAREWELL_TIMEOUT
        if self._state is not None:
            # the broker publishes a will only for those who leave without a goodbye
            left = threading.Event()
            self.publish(
                self._state.topic,
                self._state.payload,
                retain=True,
                when_acknowledged=lambda puback: left.set(),
            )
            while client.is_connected() and not left.is_set() and time.monotonic() < deadline:
                client.loop(_FAREWELL_TIMEOUT / 10)
        client.disconnect()
        while client.want_write() and client.socket() is not None and time.monotonic() < deadline:
            client.loop_write()

    def _prepare(self, client: "_Client") -> None:
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        if self._on_message is not None:
            client.when_received = _guarded(self._on_message)
        if self._state is not None:
            client.will_set(self._state.topic, self._state.payload, qos=1, retain=True)

    def _on_connect(
        self, client: Client, userdata: object, flags: ConnectFlags, reason: ReasonCode, properties: object
    ) -> None:
        if self._dialer.answered(reason):
            self.number += 1
            self._ready = True
            if self._subscribing is not None:
                self._subscribing.forget()
                self._subscribing.ask(client)
            self._when_connected()

    def _on_subscribe(
        self,
        client: Client,
        userdata: object,
        packet_id: int,
        reasons: list[ReasonCode],
        properties: Properties | None,
    ) -> None:
        if self._subscribing is not None:
            self._subscribing.answered(packet_id, reasons)

    def _on_publish(
        self, client: Client, userdata: object, packet_id: int, reason: ReasonCode, properties: object
    ) -> None:
        puback = Puback(accepted=not reason.is_failure, reason=str(reason))
        with self._acknowledging:
            if packet_id not in self._waiting:
                self._early[packet_id] = puback
                return
            when_acknowledged = self._waiting.pop(packet_id)
        if when_acknowledged is not None:
            when_acknowledged(puback)


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
    ) -> None:
        """Build it; nothing is opened before `connect`.

        `unsubscribe`: filters that the session may be subscribed to, and is to be no more. `quiet`
        logs what is no error at DEBUG only.
        """
        self._settings = settings
        self._topic_filters = topic_filters
        self._unwanted = unsubscribe
        # Called when the broker has taken the subscriptions, and ended the unwanted ones.
        self.when_subscribed: Callable[[], object] = lambda: None
        # the same after a restart: the broker knows the session by it
        self.client_id = f"{settings.client_id}-{role}"
        self._dialer = _Dialer(settings, self.client_id, keep_session=True, quiet=quiet)
        self._subscribing = _Subscribing(topic_filters, quiet=quiet)
        self._level = "DEBUG" if quiet else "INFO"
        self._client: _Client | None = None
        self._bypass: Bypass | None = None
        self._inbox: list[Message] = []
        self._subscribed = False
        self._session_lost = False
        # The packet id of the request for proof that waits for its answer.
        self._proof_id: int | None = None
        self._proof_here = False
        # Until when (monotonic seconds) we wait for the broker to end the connection; None: we stay.
        self._leaving_until: float | None = None
        self._told = LogLimit()
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
        self._bypass = None if self._client is None else _bypass(self._client)
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
        if self._client is not None and self.connected:
            packet_ids = [message.packet_id for message in batch if message.qos == 1]
            if self._bypass is not None:
                self._bypass.acknowledge(packet_ids)
            else:
                for packet_id in packet_ids:
                    self._client.ack(packet_id, qos=1)
        self.maintain()

    def maintain(self) -> None:
        """Write what waits, ping when it is time; call it at least every few seconds."""
        if self._client is not None:
            self._write(self._client)
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
        if self._bypass is not None and self._bypass.wants_write:
            return False  # the request would go before them
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
        sock: Any = client.socket()
        if self._leaving_until is None:
            self._leaving_until = time.monotonic() + _LEAVE_TIMEOUT
            self._write_out(client, time.monotonic() + _FAREWELL_TIMEOUT)
            with suppress(OSError):
                sock.send(_DISCONNECT)
        self.sleep(_DISCARD_PAUSE)
        if not _discard(sock, _DISCARD_SIZE):
            if time.monotonic() < self._leaving_until:
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
            deadline = time.monotonic() + _CONNECT_TIMEOUT
            while not self._session_lost and self.connected and time.monotonic() < deadline:
                self.receive(1, _LOOP_TIMEOUT)
                self.maintain()
        self.disconnect()

    def disconnect(self) -> None:
        """Say goodbye; the broker keeps the session, and what is sent to it meanwhile."""
        if self._client is not None:
            deadline = time.monotonic() + _FAREWELL_TIMEOUT
            self._write_out(self._client, deadline)  # the acknowledgements, before we have left
            self._client.disconnect()
            self._write_out(self._client, deadline)
        self._waker.close()
        self._wakened.close()

    def _read(self, client: "_Client", limit: int) -> None:
        while self.connected and len(self._inbox) < limit:
            before = len(self._inbox)
            messages = None if self._bypass is None else self._bypass.read(limit - before)
            if messages is not None:
                if messages:
                    self._inbox += messages
                    client.heard()
            elif not self._dialer.survives(client, client.loop_read):
                self._client = None
                break
            if len(self._inbox) == before:
                self._subscribing.tend(client)
                break

    def _write(self, client: Client) -> None:
        if self._bypass is not None and not self._bypass.between_packets:
            self._bypass.write()  # first the rest of the packet, which the library waits for
        if client.want_write() and (self._bypass is None or self._bypass.between_packets):
            client.loop_write()
        if self._bypass is not None and not client.want_write():
            self._bypass.write()

    def _wants_write(self, client: Client) -> bool:
        return client.want_write() or (self._bypass is not None and self._bypass.wants_write)

    def _write_out(self, client: Client, deadline: float) -> None:
        while self._wants_write(client) and self.connected and time.monotonic() < deadline:
            self._write(client)

    def _wait(self, client: Client, timeout: float) -> None:
        sock: Any = client.socket()
        if sock is None or (hasattr(sock, "pending") and sock.pending() > 0):
            return  # the second: TLS has read more than it handed out
        writable = [sock] if self._wants_write(client) else []
        ready, _, _ = select.select([sock, self._wakened], writable, [], timeout)
        if self._wakened in ready:
            self._wakened.recv(4096)

    def _prepare(self, client: "_Client") -> None:
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_unsubscribe = self._on_unsubscribe
        client.when_received = self._on_message

    def _on_connect(
        self, client: Client, userdata: object, flags: ConnectFlags, reason: ReasonCode, properties: object
    ) -> None:
        if self._bypass is not None:
            self._bypass.resume()
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
        if self._bypass is not None:
            self._bypass.resume()


class _Subscribing:
    """Sees to it that our SUBSCRIBE is answered: without an answer we are deaf, and would not know."""

    def __init__(self, topic_filters: Sequence[str], *, quiet: bool) -> None:
        self._topic_filters = topic_filters
        self._level = "DEBUG" if quiet else "WARNING"
        # The packet ids of those on this connection that may still be answered.
        self._packet_ids: set[int] = set()
        # When to send the next one, and how many seconds there are to be between it and the one after it.
        self._next: float | None = None
        self._pause = 0.0
        # What was told last; told again only after all was well.
        self._trouble = ""

    def forget(self) -> None:
        """There is a new connection, on which nothing is asked for yet."""
        self._packet_ids.clear()
        self._next = None
        self._pause, _ = SUBACK_TIMEOUT

    def ask(self, client: Client) -> None:
        _, packet_id = client.subscribe([(topic_filter, 1) for topic_filter in self._topic_filters])
        if packet_id is not None:
            self._packet_ids.add(packet_id)
        self._next = time.monotonic() + self._pause
        _, longest = SUBACK_TIMEOUT
        self._pause = min(2 * self._pause, longest)

    def tend(self, client: Client) -> None:
        """Ask again if it is time. Call it when all is read that has come."""
        if self._next is None or time.monotonic() < self._next:
            return
        if not self._trouble:
            self._tell(
                self._level, "the broker does not answer our SUBSCRIBE: nothing may come; asking again"
            )
        self.ask(client)

    def answered(self, packet_id: int, reasons: Sequence[ReasonCode]) -> bool:
        """Take a SUBACK; return whether it is the first that grants us all we ask for."""
        if packet_id not in self._packet_ids:
            return False
        if len(reasons) != len(self._topic_filters):
            raise Unusual(f"a SUBACK for {len(reasons)} of {len(self._topic_filters)} topic filters")
        for topic_filter, reason in zip(self._topic_filters, reasons, strict=True):
            if reason.is_failure:
                self._tell("ERROR", f"the broker refuses the subscription to {topic_filter}: {reason}")
                return False
        self.forget()
        self._trouble = ""
        return True

    def _tell(self, level: str, line: str) -> None:
        if line != self._trouble:
            logger.log(level, "{}", line)
            self._trouble = line


class _Dialer:
    """Makes a new client for each connection, and finds out which MQTT version the broker speaks.

    A new client has nothing left over from the connection before: no queue, no half-read packet.
    """

    def __init__(
        self, settings: Settings, client_id: str, *, keep_session: bool = False, quiet: bool = False
    ) -> None:
        self.outage = OutageLog(settings.broker, quiet=quiet)
        # Whether the next try is for another version, and needs no pause.
        self.at_once = False
        self._settings = settings
        self._client_id = client_id
        self._keep_session = keep_session
        self._connected_at: float | None = None
        self.short_connections = 0
        self._answered = False
        self._versions = {
            "auto": [MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311],
            "5": [MQTTProtocolVersion.MQTTv5],
            "3.1.1": [MQTTProtocolVersion.MQTTv311],
        }[settings.mqtt_version]
        self._version = self._versions[0]
        self._tls = tls_context(settings) if settings.broker.tls else None

    def survives(self, client: Client, work: Callable[[], MQTTErrorCode]) -> bool:
        """Have the client work; return whether the connection is still there after it."""
        try:
            return work() == MQTTErrorCode.MQTT_ERR_SUCCESS
        except Exception as error:  # noqa: BLE001 - paho trusts what it reads: any error may come of it
            what = error if isinstance(error, Unusual) else repr(error)
            if self._answered or not self._try_the_other_version():
                self._tell_loss(f"it sent what is no MQTT ({what})")
            if sock := client.socket():
                sock.close()
            return False

    @property
    def suspicious(self) -> bool:
        """Whether connections are lost so soon and so often that it is no accident."""
        return self.short_connections >= SUSPICIOUS

    def _judge(self, lasted: float) -> None:
        """Count a connection that was lost after so many seconds."""
        if lasted < _SHORT_CONNECTION:
            self.short_connections += 1
            return
        if self.suspicious:
            self.outage.over()
        self.short_connections = 0

    def forget_session(self) -> None:
        """Begin each further connection without a session."""
        self._keep_session = False

    def dial(self, prepare: Callable[["_Client"], None]) -> "_Client | None":
        """Return a client that waits for its CONNACK, or None if nobody answers."""
        self.at_once = self._answered = False
        self._connected_at = None
        client = self._new_client()
        client.on_disconnect = self._on_disconnect
        # With this set, paho queues what it sends, and the loop that drives the client writes it;
        # without it, each thread would write to the socket by itself.
        client.on_socket_register_write = lambda client, userdata, sock: None
        prepare(client)
        address = self._settings.broker
        try:
            if self._version == MQTTProtocolVersion.MQTTv5:
                client.connect(
                    address.host,
                    address.port,
                    keepalive=KEEPALIVE,
                    clean_start=not self._keep_session,
                    properties=self._properties(),
                )
            else:
                client.connect(address.host, address.port, keepalive=KEEPALIVE)
        except OSError as error:
            self.outage.unreachable(error)
            return None
        return client

    def answered(self, reason: ReasonCode, *, told: bool = True) -> bool:
        """Take the reason code of a CONNACK; return whether we are connected, which is `told`."""
        self._answered = True
        if not reason.is_failure:
            self._connected_at = time.monotonic()
            if told and not self.suspicious:
                self.outage.over()
        elif reason.getName() == "Unsupported protocol version" and self._try_the_other_version():
            pass
        else:
            self.outage.refused(str(reason))
        return not reason.is_failure

    def _on_disconnect(
        self,
        client: Client,
        userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: object,
    ) -> None:
        # a broker that does not know the version of a CONNECT may just hang up
        if self.at_once or (not self._answered and self._try_the_other_version()):
            return
        if not reason.is_failure:
            return
        self._tell_loss(
            str(reason), f"does another client use our id {self._client_id!r}? Then set CLIENT_ID"
        )

    def _tell_loss(self, reason: str, suspicion: str = "") -> None:
        """Tell that the connection is lost; `suspicion`: what it may be that it is lost again and again."""
        if self._connected_at is not None:
            self._judge(time.monotonic() - self._connected_at)
        if self.suspicious:
            lost = f"{self.short_connections} connections in a row were lost within seconds"
            self.outage.refused(f"{lost}; {suspicion or reason}")
        else:
            self.outage.lost(reason)

    def _try_the_other_version(self) -> bool:
        """Return whether there is a version to try at once; after the last one, begin anew, later."""
        position = (self._versions.index(self._version) + 1) % len(self._versions)
        self._version = self._versions[position]
        self.at_once = position > 0
        return self.at_once

    def _properties(self) -> Properties:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.MaximumPacketSize = MAXIMUM_PACKET_SIZE
        if self._keep_session:
            properties.SessionExpiryInterval = _SESSION_NEVER_EXPIRES
            properties.ReceiveMaximum = RECEIVE_MAXIMUM
        return properties

    def _new_client(self) -> "_Client":
        address = self._settings.broker
        version_5 = self._version == MQTTProtocolVersion.MQTTv5
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=None if version_5 else not self._keep_session,
            protocol=self._version,
            transport="websockets" if address.websockets else "tcp",
            reconnect_on_failure=False,
            manual_ack=self._keep_session,
        )
        client.connect_timeout = _CONNECT_TIMEOUT
        if address.username is not None:
            client.username_pw_set(address.username, address.password)
        if address.websockets:
            client.ws_set_options(path=address.path)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        if logging.getLogger("paho").isEnabledFor(logging.DEBUG):
            client.enable_logger(logging.getLogger("paho"))
        return client


class _Client(Client):
    """paho's client, which trusts a broker in everything, with limits and with our reader of PUBLISH.

    It looks at each packet while paho reads it, on whatever kind of socket. What it raises, and it
    raises Unusual, ends the connection in `survives`.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Called with each message.
        self.when_received: Callable[[Message], object] = lambda message: None
        self.on_message = _hand_on  # those of QoS 2, which nobody asks for: they are left to paho
        self._greeted = False
        # When the packet that is being read began, or the last LARGEST_PACKET bytes of it.
        self._packet_began = 0.0
        # Bytes of it that were read and not kept, and about how many since then.
        self._skipped = self._skipped_since = 0

    def heard(self) -> None:
        """Note that packets have come past paho: a broker that sends is alive, whatever it answers."""
        with self._msgtime_mutex:
            self._last_bytes_received = time.monotonic()

    @property
    def silent_for(self) -> float:
        """How many seconds ago the broker sent something, as far as we have read."""
        return time.monotonic() - self._last_bytes_received

    def _sock_recv(self, bufsize: int) -> bytes:
        packet = self._in_packet
        if packet["command"] == 0:
            return self._begin_packet(super()._sock_recv(bufsize))
        try:
            if packet["have_remaining"] and packet["remaining_length"] > LARGEST_PACKET:
                return self._read_large(bufsize)
            return super()._sock_recv(bufsize)
        except BlockingIOError:  # all that has come is read
            if time.monotonic() - self._packet_began > PACKET_TIMEOUT:
                raise Unusual(f"a packet that has not ended after {PACKET_TIMEOUT:.0f} s") from None
            raise

    def _begin_packet(self, first_byte: bytes) -> bytes:
        if first_byte:
            version_5 = self._protocol == MQTTProtocolVersion.MQTTv5
            check_first_byte(first_byte[0], version_5=version_5, connected=self._greeted)
            self._greeted = True
            self._packet_began = time.monotonic()
            self._skipped = self._skipped_since = 0
        return first_byte

    def _read_large(self, bufsize: int) -> bytes:
        """Read from a packet that is larger than is good for us; keep no more than its beginning.

        To refuse a message would not help: it would come again on the next connection.
        """
        packet = self._in_packet
        size = packet["remaining_length"]
        if not is_publish(bytes([packet["command"]])) or _has_qos_2(packet["command"]):
            raise Unusual(f"a packet of {size} bytes that is no PUBLISH of QoS 0 or 1")
        if self.transport == "websockets" and size > MAXIMUM_PACKET_SIZE:
            # paho holds all that is in one frame
            raise Unusual(f"a message of {size} bytes over WebSockets, {MAXIMUM_PACKET_SIZE} are allowed")
        missing = LARGEST_BEGINNING - len(packet["packet"])
        if missing > 0:
            return super()._sock_recv(min(bufsize, missing))
        data = super()._sock_recv(min(bufsize, LARGEST_BEGINNING))
        if data:
            # paho takes the first byte, in place of the one before; of the rest it is told that it has come
            self._skipped += len(data) - 1 - missing
            self._skipped_since += len(data)
            del packet["packet"][LARGEST_BEGINNING:]
            packet["to_process"] -= len(data) - 1
            if self._skipped_since > LARGEST_PACKET:
                self._packet_began, self._skipped_since = time.monotonic(), 0
        return data[:1]

    def _handle_publish(self) -> MQTTErrorCode:
        packet = self._in_packet
        command, body = packet["command"], bytes(packet["packet"])
        version_5 = self._protocol == MQTTProtocolVersion.MQTTv5
        if _has_qos_2(command):
            # its packet is built like that of QoS 1, which has the bit before it set
            read_publish(command ^ 0x06, body, time.time(), version_5=version_5)
            return super()._handle_publish()
        message = read_publish(command, body, time.time(), version_5=version_5)
        if packet["remaining_length"] > LARGEST_PACKET:
            cut = CutPayload(message.payload[:KEPT_PAYLOAD], len(message.payload) + self._skipped)
            message = message._replace(payload=cut)
        self.when_received(message)
        if message.qos == 0 or self._manual_ack:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        return self._send_puback(message.packet_id)


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Return how to verify the broker and show our certificate. CommandError if a file is no PEM."""
    try:
        context = ssl.create_default_context(cafile=_text(settings.broker_cafile))
        if settings.broker_certfile is not None:
            context.load_cert_chain(settings.broker_certfile, settings.broker_keyfile)
    except (ssl.SSLError, OSError) as error:
        raise CommandError(
            "BROKER_CAFILE, BROKER_CERTFILE or BROKER_KEYFILE cannot be read as PEM "
            f"certificates and key: {error}"
        ) from None
    return context


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _bypass(client: Client) -> Bypass | None:
    """Return a bypass where the library reads and writes its packets on a TCP socket as they are.

    Not through TLS or WebSockets, whose packets are other ones.
    """
    sock = client.socket()
    if type(sock) is not socket.socket:
        return None
    return Bypass(sock, version_5=client.protocol == MQTTProtocolVersion.MQTTv5)


def _discard(sock: Any, size: int) -> bool:
    """Read up to `size` bytes that are there; return whether the connection is over."""
    try:
        while size > 0 and (data := sock.recv(min(size, READ_SIZE))):
            size -= len(data)
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    return size > 0


def _convert(message: MQTTMessage) -> Message:
    try:
        topic = message.topic
    except UnicodeDecodeError:  # forbidden (MQTT-1.5.3-1), but it must not end the connection
        topic = INVALID_TOPIC
    return Message(
        topic, bytes(message.payload), message.qos, message.retain, message.dup, message.mid, time.time()
    )


def _has_qos_2(first_byte: int) -> bool:
    """Whether a PUBLISH that begins like that has QoS 2 (section 3.3.1.2)."""
    return first_byte & 0x06 == 0x04


def _hand_on(client: Any, userdata: object, message: MQTTMessage) -> None:
    client.when_received(_convert(message))


def _guarded(handler: Callable[[Message], object]) -> Callable[[Message], None]:
    """Keep an error in `handler` from ending the connection's thread, which nobody would notice."""

    def on_message(message: Message) -> None:
        try:
            handler(message)
        except Exception:  # noqa: BLE001 - whatever it is, the thread must live
            logger.exception("a message could not be handled")

    return on_message


def answers(host: str, port: int, timeout: float) -> bool:
    """Whether an MQTT broker lets a client in within `timeout` seconds."""
    client = Client(CallbackAPIVersion.VERSION2, client_id=f"probe-{secrets.token_hex(4)}")
    client.connect_timeout = timeout
    deadline = time.monotonic() + timeout
    try:
        client.connect(host, port)
        while not client.is_connected() and time.monotonic() < deadline:
            if client.loop(timeout / 10) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return False
        connected = client.is_connected()
        client.disconnect()
    except OSError:
        return False
    return connected
