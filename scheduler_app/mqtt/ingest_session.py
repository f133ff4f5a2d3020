"""The session that readings come in by."""

import select
import time
from collections.abc import Callable, Sequence

from loguru import logger
from paho.mqtt.client import Client, ConnectFlags
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from config.settings import Settings
from config.text import listed
from scheduler_app.log import LogLimit
from scheduler_app.mqtt.buffered_socket import BufferedSocket
from scheduler_app.mqtt.dialer import CONNECT_TIMEOUT, RECEIVE_MAXIMUM, Dialer
from scheduler_app.mqtt.farewell import Farewell
from scheduler_app.mqtt.fast_path import FastPath
from scheduler_app.mqtt.granted import Granted
from scheduler_app.mqtt.holding import LatestHeld
from scheduler_app.mqtt.message import Message
from scheduler_app.mqtt.paho_client import PahoClient
from scheduler_app.mqtt.proof import Proof
from scheduler_app.mqtt.shortcomings import Lacking
from scheduler_app.mqtt.subscribing import Subscribing
from scheduler_app.mqtt.waker import Waker

# Seconds to send what is still to be sent when we go.
_FAREWELL_TIMEOUT = 1.0
# Seconds between two looks whether the broker has ended the connection that we leave.
_LEAVE_PAUSE = 0.01
# Seconds.
_LOOP_TIMEOUT = 0.5
# Seconds. While acknowledgements are sent, the connection is maintained so often, and not with each.
MAINTENANCE = 1.0


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
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Build it; nothing is opened before `connect`.

        `unsubscribe`: filters that the session may be subscribed to, and is to be no more. `quiet`
        logs what is no error at DEBUG only. `now` returns UTC epoch seconds,
        `monotonic` seconds of a clock that nobody sets.
        """
        self._monotonic = monotonic
        self._settings = settings
        self._topic_filters = topic_filters
        self._unwanted = unsubscribe
        # Called when the broker has taken the subscriptions, and ended the unwanted ones.
        self.when_subscribed: Callable[[], object] = lambda: None
        # the same after a restart: the broker knows the session by it
        self.client_id = f"{settings.client_id}-{role}"
        self._dialer = Dialer(
            settings, self.client_id, keep_session=True, quiet=quiet, now=now, monotonic=monotonic
        )
        self._dialer.suspicion = self._suspicion
        self._subscribing = Subscribing(topic_filters, quiet=quiet, monotonic=monotonic)
        # What the broker of the latest connection does not grant though we need it.
        self.lacking = Lacking(topic_filters, quiet=quiet)
        self._level = "DEBUG" if quiet else "INFO"
        self._client: PahoClient | None = None
        self._fast_path: FastPath | None = None
        self._inbox: list[Message] = []
        self._subscribed = False
        self._session_lost = False
        self._proof = Proof(f"{settings.stats_topic}/$proof", monotonic=monotonic)
        # When the connection was last maintained (monotonic time).
        self._maintained = 0.0
        # How we leave this connection; None: we stay.
        self._farewell: Farewell | None = None
        self._told = LogLimit(clock=monotonic)
        # Whether the last connection was left for a new one, and whether this one is the new one.
        self._left = self._renewed = False
        self._waker = Waker()
        # Whether the latest message is acknowledged with the next ones only.
        self.one_is_held = False
        self._latest = LatestHeld()

    @property
    def connected(self) -> bool:
        """Whether there is a connection, or one is being made."""
        return self._client is not None and self._client.socket() is not None

    @property
    def subscribed(self) -> bool:
        return self._subscribed and (self.connected or self._left)

    @property
    def granted(self) -> Granted:
        """What the broker has granted the latest connection."""
        return self._dialer.granted

    @property
    def trouble(self) -> str | None:
        """What keeps readings from coming in, in one line; None if nothing is known to."""
        return self._dialer.outage.trouble or self._subscribing.trouble or None

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
        self._farewell = None
        self._proof.begin_connection()
        self._latest.begin_connection()
        self._subscribing.forget()
        # what was read and not handed out is sent again; to acknowledge it here would be stale
        self._inbox = [message for message in self._inbox if message.qos == 0]
        self._client = self._dialer.dial(self._prepare)
        self._fast_path = None if self._client is None else FastPath(self._client)
        return self._client is not None

    def receive(self, limit: int, timeout: float) -> list[Message]:
        """Wait up to `timeout` seconds; return all messages that are there, about `limit` at most.

        Reads until no more is there: one wait is paid for many packets. What comes before and after a
        CONNACK is never in one batch.
        """
        client = self._client
        if client is None:
            return []
        if timeout and not self._inbox:
            self._wait(client, timeout)
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
            packet_ids = [message.packet_id for message in batch if message.qos == 1]
            self._fast_path.acknowledge(self._latest.take(packet_ids) if self.one_is_held else packet_ids)
        if self._monotonic() - self._maintained >= MAINTENANCE:
            self.maintain()

    def maintain(self) -> None:
        """Write what waits, ping when it is time; call it at least every few seconds."""
        self._maintained = self._monotonic()
        self._write()
        if self._client is not None:
            self._client.loop_misc()
            self._dialer.settle()

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
        """Ask for proof that all acknowledgements so far have arrived; False if that cannot be done now."""
        if self._client is None or not self.connected or not self._proof.request(self._client):
            return False
        self.maintain()
        return True

    def take_proof(self) -> bool:
        """Return, once for each request, whether the proof has come."""
        return self._proof.take()

    def leave(self) -> bool:
        """Leave this connection for a new one; return whether it is over, and call it again until it is.

        Then `connect`: that is no news, and the session is subscribed as it was. What is read meanwhile
        is thrown away, and sent again.
        """
        client = self._client
        sock = None if client is None else client.buffered_socket
        if client is None or sock is None:
            return True
        if self._farewell is None:
            self._write_out(client, self._monotonic() + _FAREWELL_TIMEOUT)
            self._farewell = Farewell(sock, monotonic=self._monotonic)
        self.sleep(_LEAVE_PAUSE)
        if not self._farewell.answered():
            if not self._farewell.overdue:
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
        self._waker.wake()

    def sleep(self, timeout: float) -> None:
        """Wait up to `timeout` seconds, or until `wake`."""
        self._waker.sleep(timeout)

    def gather(self, timeout: float) -> None:
        """Wait as `sleep` does, and let what comes meanwhile gather, for the next `receive`."""
        sock = None if self._client is None else self._client.buffered_socket
        if sock is not None:
            sock.confirm_at_once()
        self.sleep(timeout)

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

    def _read(self, client: PahoClient, limit: int) -> None:
        while self.connected and len(self._inbox) < limit:
            before = len(self._inbox)
            messages = None if self._fast_path is None else self._fast_path.read(limit - before)
            if messages is not None:
                self._inbox += messages
            elif not self._dialer.survives(client, client.loop_read):
                self._client = None
                break
            sock = client.buffered_socket
            if len(self._inbox) == before or (sock is not None and sock.exhausted):
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
            return  # what was read ahead, select does not tell of
        writable: list[BufferedSocket] = [sock] if client.want_write() else []
        readable: list[BufferedSocket | Waker] = [sock, self._waker]
        ready, _, _ = select.select(readable, writable, [], timeout)
        if self._waker in ready:
            self._waker.take()

    def _prepare(self, client: PahoClient) -> None:
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_unsubscribe = self._on_unsubscribe
        client.when_received = self._on_message

    def _on_connect(
        self,
        client: Client,
        userdata: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if self._dialer.answered(reason, properties, told=not self._renewed):
            self.lacking.take(self.granted)
            self._session_lost = not flags.session_present
            if self._session_lost:
                self._subscribed = False
            elif not self._subscribed:
                self.subscribe()

    def _suspicion(self) -> str:
        """Say what it may be that connections are lost again and again."""
        another = f"does another client use our id {self.client_id!r}? Then set CLIENT_ID"
        if self._subscribed:
            return another
        return f"does it not allow us to subscribe to {listed(self._topic_filters)}? Or {another}"

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
        self.lacking.take(self.granted, at_qos_0=self._subscribing.at_qos_0)
        level = "DEBUG" if self._dialer.suspicious else self._level
        logger.log(level, "subscribed to {} as {}", listed(self._topic_filters), self.client_id)
        # packets are worked off in order, so what was sent before is done too
        self.when_subscribed()

    def _on_unsubscribe(self, client: Client, userdata: object, packet_id: int, *_: object) -> None:
        self._proof.answered(packet_id)

    def _on_message(self, message: Message) -> None:
        self._inbox.append(message)
