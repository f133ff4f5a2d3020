"""How a broker sends again what was not acknowledged: found out with a session of its own.

MQTT asks that a message comes again with the DUP flag and under its old packet id (MQTT 3.1.1 and 5,
section 4.4), and says nothing of when a packet id may be given to another message. Not all brokers do
the one, and few may be relied on for the other. No single message tells which broker it is, so a few
messages of our own are looked at before the first of others is taken in.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum
from secrets import token_hex

from paho.mqtt.client import Client
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from config.settings import Settings
from scheduler_app.mqtt.dialer import Dialer
from scheduler_app.mqtt.message import Message
from scheduler_app.mqtt.paho_client import PahoClient

# Seconds that it may take, all in all.
TIMEOUT = 4.0
# Seconds after which a message does not come again.
_NOT_AGAIN = 1.5
# Seconds.
_LOOP_TIMEOUT = 0.05


class Numbering(Enum):
    """What a broker does with packet ids. Its value is what is to be said of it, if anything is."""

    # They are given out in turn, and a message keeps its own: as MQTT asks, and as most do.
    IN_TURN = ""
    # Given again as soon as nothing waits for an acknowledgement: NATS 2.9.
    REUSED = (
        "this broker gives packet ids again at once; the latest reading is acknowledged when the next has "
        "come, so that they tell readings apart all the same"
    )
    # A message comes again under another one: RabbitMQ 3.10.
    RENUMBERED = (
        "this broker gives a message that it sends again another packet id: what has no id of its own is "
        "taken for new, and can count twice after a lost connection, so that nothing is lost"
    )
    # A message comes again without the DUP flag: rumqttd, which is the embedded broker, and aedes.
    UNFLAGGED = (
        "this broker does not flag what it sends again: a reading without an id can count twice after a "
        "lost connection"
    )

    @property
    def one_is_held(self) -> bool:
        """Whether one message must always wait for its acknowledgement, the latest.

        NATS begins with 1 again when none does. As long as one waits, it gives out packet ids in turn.
        """
        return self is Numbering.REUSED


def latest_packet_id(messages: Sequence[Message]) -> int | None:
    """Return the packet id of the last of `messages` that is to be acknowledged, if there is one."""
    return next((message.packet_id for message in reversed(messages) if message.qos == 1), None)


class _End(Exception):
    """The broker does not let us find out."""


def find_out_numbering(
    settings: Settings,
    topic: str,
    stopped: Callable[[], bool] = lambda: False,
    *,
    monotonic: Callable[[], float] = time.monotonic,
) -> Numbering | None:
    """Return how the broker numbers; None if that cannot be found out now, or we are `stopped`.

    Publishes three messages on `topic`, which nobody else uses.
    """
    probe = _Probe(settings, topic, stopped, monotonic)
    try:
        return probe.numbering()
    except _End:
        return None
    finally:
        probe.close()


class _Probe:
    def __init__(
        self,
        settings: Settings,
        topic: str,
        stopped: Callable[[], bool],
        monotonic: Callable[[], float],
    ) -> None:
        self._topic = topic
        self._stopped = stopped
        self._monotonic = monotonic
        self._deadline = monotonic() + TIMEOUT
        client_id = f"{settings.client_id}-numbering"
        self._dialer = Dialer(settings, client_id, keep_session=True, quiet=True, monotonic=monotonic)
        self._client: PahoClient
        self._clients: list[PahoClient] = []
        self._connected = self._subscribed = self._refused = False
        self._messages: list[Message] = []
        # What tells our messages from those of a probe that was cut short.
        self._mark = token_hex(4)

    def numbering(self) -> Numbering:
        """Return what was found out, and leave nothing behind at the broker. Raises _End."""
        found = self._find_out()
        with suppress(_End):
            self._leave()
            self._dialer.forget_session()
            self._connect()
            self._leave()
        return found

    def _find_out(self) -> Numbering:
        """Take one message, acknowledge it; take two, acknowledge the first; come again."""
        self._connect()
        self._client.subscribe(self._topic, qos=1)
        self._wait(lambda: self._subscribed)
        first = self._message(0)
        second = self._message(1)
        if second.packet_id == first.packet_id:
            return Numbering.REUSED
        third = self._message(2, acknowledge=False)
        self._leave()
        self._connect()
        try:
            again = self._message(2, publish=False)
        except _End:
            if self._monotonic() >= self._deadline or self._stopped():
                raise
            return Numbering.IN_TURN  # it comes later, or never; nothing speaks against it
        if not again.duplicate:
            return Numbering.UNFLAGGED
        return Numbering.IN_TURN if again.packet_id == third.packet_id else Numbering.RENUMBERED

    def close(self) -> None:
        """Have no connection any more, however it has ended."""
        for client in self._clients:
            if (sock := client.socket()) is not None:
                sock.close()

    def _connect(self) -> None:
        self._connected = False
        while not self._connected:
            client = self._dialer.dial(self._prepare)
            if client is None:
                raise _End
            self._client = client
            self._clients.append(client)
            try:
                self._wait(lambda: self._connected or self._refused)
            except _End:
                if not self._dialer.at_once:  # in another version
                    raise

    def _message(self, number: int, *, publish: bool = True, acknowledge: bool = True) -> Message:
        """Publish a message and return it as it comes."""
        payload = f"{self._mark} {number}"
        self._messages.clear()
        if publish:
            self._client.publish(self._topic, payload, qos=1)
        timeout = None if publish else _NOT_AGAIN

        def found() -> list[Message]:
            return [message for message in self._messages if message.payload == payload.encode()]

        self._wait(found, timeout)
        [message] = found()[:1]
        if message.qos != 1:
            raise _End
        if acknowledge:
            self._client.ack(message.packet_id, 1)
        return message

    def _wait(self, condition: Callable[[], object], timeout: float | None = None) -> None:
        """Have the client work until `condition()` holds. Raises _End if it does not in time."""
        now = self._monotonic()
        end = self._deadline if timeout is None else min(self._deadline, now + timeout)
        while not condition():
            if self._monotonic() >= end or self._refused or self._stopped():
                raise _End
            if not self._dialer.survives(self._client, lambda: self._client.loop(_LOOP_TIMEOUT)):
                raise _End

    def _leave(self) -> None:
        self._client.disconnect()
        while self._client.want_write() and self._client.socket() is not None:
            if self._monotonic() >= self._deadline or not self._dialer.survives(
                self._client, self._client.loop_write
            ):
                break

    def _prepare(self, client: PahoClient) -> None:
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.when_received = self._messages.append

    def _on_connect(
        self,
        client: Client,
        userdata: object,
        flags: object,
        reason: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        self._connected = self._dialer.answered(reason, properties)
        self._refused = not self._connected and not self._dialer.at_once

    def _on_subscribe(
        self, client: Client, userdata: object, packet_id: int, reasons: list[ReasonCode], *_: object
    ) -> None:
        self._subscribed = True
        self._refused = reasons[0].is_failure
