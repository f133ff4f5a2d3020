"""A connection for all that is published, and all that is read but readings."""

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial

from loguru import logger
from paho.mqtt.client import Client, ConnectFlags
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from config.settings import Settings
from config.text import printable
from scheduler_app.log import LogLimit
from scheduler_app.mqtt.causes import doubts
from scheduler_app.mqtt.dialer import Dialer
from scheduler_app.mqtt.granted import Granted
from scheduler_app.mqtt.message import Message, Puback, Retained
from scheduler_app.mqtt.paho_client import PahoClient
from scheduler_app.mqtt.publications import Publications
from scheduler_app.mqtt.reconnecting import Backoff
from scheduler_app.mqtt.subscribing import Subscribing
from scheduler_app.mqtt.turns import Turns
from scheduler_app.mqtt.waker import Waker

# Seconds.
_FAREWELL_TIMEOUT = 1.0
_END_TIMEOUT = 2.0
_LOOP_TIMEOUT = 0.5
# Bytes of a PUBLISH that are neither its topic nor its payload: type and length, the length of the topic,
# packet id, and the length of the properties (MQTT 5 section 3.3).
_OVERHEAD = 5 + 2 + 2 + 1


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
        subscribe_qos: int = 1,
        on_message: Callable[[Message], object] | None = None,
        state: Retained | None = None,
        client_id: str | None = None,
        may_connect: Callable[[], bool] = lambda: True,
        quiet: bool = False,
        beside: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Build it; nothing is opened before `start`.

        `state` is what the broker publishes when we are gone, with or without a goodbye. With a `client_id` a
        broker lets only one such connection be, and ends the one before: `may_connect` is asked before each
        try whether that is to be. Without, each connection has an id of its own. `quiet` logs outages at
        DEBUG only. `beside` another connection of ours, which tells what is wrong with the broker itself.
        `monotonic` returns seconds of a clock that nobody sets.
        """
        self._monotonic = monotonic
        self._quiet = quiet
        own = f"{settings.client_id}-{role}-{secrets.token_hex(4)}"
        self._dialer = Dialer(settings, client_id or own, quiet=quiet)
        self._may_connect = may_connect
        self._dialer.suspicion = self._suspicion
        self._subscribing = Subscribing(subscribe, quiet=quiet, qos=subscribe_qos) if subscribe else None
        self._on_message = on_message
        self._when_connected: Callable[[], object] = lambda: None
        self._state = state
        if state is not None:
            doubt = (
                "it may not take the message that it is to publish when we are gone, which is retained and "
                "has QoS 1 (Mosquitto: retain_available true, max_qos 1)"
            )
            self._dialer.doubt = doubt if beside else f"{doubts(settings)}, or {doubt}"
        # Grows with each connection that is made.
        self.number = 0
        self._ready = False
        self._client: PahoClient | None = None
        self._turns: Turns | None = None
        # What is published on this connection; None as long as there is none.
        self._publications: Publications | None = None
        # Ends the wait of the thread.
        self._wake: Callable[[], object] = lambda: None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"mqtt-{role}", daemon=True)
        self._refusals = LogLimit()
        # What was too large for the broker of this connection, in one line; None if nothing was.
        self.too_large: str | None = None

    def start(self, on_connect: Callable[[], object] = lambda: None) -> None:
        """Begin to connect; returns at once. `on_connect` is called whenever that has worked."""
        self._when_connected = on_connect
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye and end the thread, or leave it behind after 2 s if the broker hangs."""
        self._stopping.set()
        self._wake()
        self._thread.join(_END_TIMEOUT)

    @property
    def connected(self) -> bool:
        return self._ready and self._client is not None and self._client.is_connected()

    @property
    def trouble(self) -> str | None:
        """What keeps us from being connected and subscribed, in one line; None if nothing is known to."""
        subscribing = "" if self._subscribing is None else self._subscribing.trouble
        return self._dialer.outage.trouble or subscribing or None

    @property
    def subscribed(self) -> bool:
        """Whether the broker has granted all that this connection subscribes to."""
        return self.connected and self._subscribing is not None and self._subscribing.done

    @property
    def version(self) -> str:
        """The version of MQTT that is spoken, or tried, as MQTT_VERSION has it."""
        return self._dialer.version

    @property
    def granted(self) -> Granted:
        """What the broker has granted the latest connection."""
        return self._dialer.granted

    @property
    def behind(self) -> bool:
        """Whether some of what was published still waits, since the broker took no more."""
        return self._publications is not None and self._publications.behind

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

        It never waits. Where the broker takes nothing, what is published waits, up to MOST_WAITING bytes.
        `when_acknowledged` is called when the PUBACK has come. If the connection is lost before,
        it is never called. `number`, if given, is that of the one connection to publish on. A broker
        that allows only QoS 0, or keeps no retained messages, gets what it allows.
        """
        publications = self._publications
        if publications is None or not self.connected or number not in (None, self.number):
            return False
        if not self._fits(topic, payload):
            return False
        try:
            return publications.add(
                topic, payload, retain=retain and self._retains, when_acknowledged=when_acknowledged
            )
        except ValueError as error:  # no broker would take it
            if self._refusals.allows("topic") is not None:
                logger.error("nothing can be published on {}: {}", printable(topic[:200]), error)
            return False

    def _tell_qos(self) -> None:
        """Tell that what only publishes cannot do so as it should; else the ingest session has told."""
        publishes = self._subscribing is None and not self._quiet
        if publishes and self._qos == 0 and self._refusals.allows("qos") is not None:
            logger.error(
                "the broker at {} allows QoS 0 only: what is lost on the way there is not sent again. Have "
                "it allow QoS 1 (Mosquitto: max_qos 1)",
                self._dialer.address,
            )

    @property
    def _qos(self) -> int:
        return 0 if self.granted.maximum_qos == 0 else 1

    @property
    def _retains(self) -> bool:
        return self.granted.retain_available is not False

    def _fits(self, topic: str, payload: str) -> bool:
        """Whether the broker takes a packet with this message; at a larger one it would hang up."""
        most = self.granted.packet_size
        # a character takes up to four bytes: mostly there is nothing to count
        if most is None or 4 * (len(topic) + len(payload)) + _OVERHEAD <= most:
            return True
        size = len(topic.encode()) + len(payload.encode()) + _OVERHEAD
        if size <= most:
            return True
        self.too_large = (
            f"the broker at {self._dialer.address} takes messages of {most} bytes at most, and that on "
            f"{printable(topic[:200])} has {size}: have it take larger ones (Mosquitto: max_packet_size)"
        )
        if not self._quiet and self._refusals.allows("size") is not None:
            logger.error("{}", self.too_large)
        return False

    def _suspicion(self) -> str:
        """Say what it may be that connections are lost again and again."""
        if self._state is not None:
            return (
                "does it hang up at what we publish? Its rules (ACL) must allow that, and it must take "
                "retained messages at QoS 1, of our size (Mosquitto: retain_available, max_qos, "
                "max_packet_size)"
            )
        return "does it hang up at what we publish or subscribe to? Then its rules (ACL) must allow that"

    def _run(self) -> None:
        backoff = Backoff()
        with closing(Waker()) as waker:
            self._wake = waker.wake
            while not self._stopping.wait(0 if self._dialer.at_once else backoff.next()):
                self._ready = False
                if not self._may_connect():
                    continue
                client = self._dialer.dial(self._prepare)
                if client is None:
                    continue
                self._client, self._turns = client, Turns(client, waker)
                turn = partial(self._dialer.survives, client, partial(self._turns.take, _LOOP_TIMEOUT))
                while not self._stopping.is_set() and turn():
                    if client.is_connected():
                        backoff.reset()
                        self._dialer.settle()
                        if self._subscribing is not None and client.silent_for > _LOOP_TIMEOUT:
                            self._subscribing.tend(client)
                if self._stopping.is_set():
                    self._say_goodbye(client, self._turns)
                self._client = self._turns = self._publications = None

    def _say_goodbye(self, client: PahoClient, turns: Turns) -> None:
        deadline = self._monotonic() + _FAREWELL_TIMEOUT
        left = threading.Event()
        if self._state is not None:
            # the broker publishes a will only for those who leave without a goodbye
            self.publish(
                self._state.topic,
                self._state.payload,
                retain=True,
                when_acknowledged=lambda puback: left.set(),
            )
        turn = partial(self._dialer.survives, client, partial(turns.take, _FAREWELL_TIMEOUT / 10))
        publications = self._publications
        while publications is not None and (
            publications.waiting or not (left.is_set() or self._state is None)
        ):
            if not client.is_connected() or self._monotonic() >= deadline or not turn():
                break
        client.disconnect()
        while client.want_write() and client.socket() is not None and self._monotonic() < deadline:
            client.loop_write()

    def _prepare(self, client: PahoClient) -> None:
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        if self._on_message is not None:
            client.when_received = _guarded(self._on_message)
        if self._state is not None:
            client.will_set(self._state.topic, self._state.payload, qos=self._qos, retain=self._retains)

    def _on_connect(
        self,
        client: Client,
        userdata: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if self._dialer.answered(reason, properties):
            self.number += 1
            self.too_large = None
            self._tell_qos()
            self._begin_publishing()
            self._ready = True
            if self._subscribing is not None:
                self._subscribing.forget()
                self._subscribing.ask(client)
            self._when_connected()

    def _begin_publishing(self) -> None:
        if self._client is not None and self._turns is not None:
            self._publications = Publications(
                self._client, qos=self._qos, receive_maximum=self.granted.receive_maximum, wake=self._wake
            )
            self._turns.begin(self._publications)

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


def _guarded(handler: Callable[[Message], object]) -> Callable[[Message], None]:
    """Keep an error in `handler` from ending the connection's thread, which nobody would notice."""

    def on_message(message: Message) -> None:
        try:
            handler(message)
        except Exception:  # noqa: BLE001 - whatever it is, the thread must live
            logger.exception("a message could not be handled")

    return on_message
