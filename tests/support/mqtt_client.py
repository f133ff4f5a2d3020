"""A small MQTT client for tests: it publishes, and keeps what it receives."""

from collections.abc import Iterable
from types import TracebackType
from typing import NamedTuple, Self

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from tests.support.brokers import Access
from tests.support.ports import HOST
from tests.support.waiting import TIMEOUT, wait_for


class Received(NamedTuple):
    """A message as it came."""

    topic: str
    payload: bytes
    qos: int
    retained: bool
    duplicate: bool
    packet_id: int


class Peer:
    """A client on the other side of the broker. Connected while entered."""

    def __init__(
        self, access: Access, client_id: str = "", *, keep_session: bool = False, acknowledge: bool = True
    ) -> None:
        """Without `acknowledge` no message is ever acknowledged; `keep_session` needs a `client_id`."""
        self.messages: list[Received] = []
        self._access = access
        self._subscribed: set[int] = set()
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=not keep_session,
            transport="websockets" if access.scheme == "ws" else "tcp",
            manual_ack=not acknowledge,
        )
        self._client.max_inflight_messages_set(100)
        if access.login:
            self._client.username_pw_set(*access.login)
        if access.authority:
            self._client.tls_set(ca_certs=str(access.authority))
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda client, userdata, packet_id, reasons, properties: (
            self._subscribed.add(packet_id)
        )
        self._client.on_message = self._on_message
        self._refusal: str | None = None

    def __enter__(self) -> Self:
        self._client.connect(HOST, self._access.port)
        self._client.loop_start()
        try:
            wait_for(lambda: self._client.is_connected() or self._refusal, "the broker lets us in")
            assert self._refusal is None, f"the broker refuses the test's own client: {self._refusal}"
        except AssertionError:
            self._client.loop_stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def subscribe(self, topic_filter: str, qos: int = 1) -> Self:
        """Subscribe, and wait for the SUBACK."""
        _, packet_id = self._client.subscribe(topic_filter, qos)
        wait_for(lambda: packet_id in self._subscribed, f"a SUBACK for {topic_filter}")
        return self

    def publish(self, topic: str, *payloads: str | bytes, qos: int = 1, retain: bool = False) -> None:
        """Publish all, in order, and wait until each is acknowledged (QoS 0: sent)."""
        self.publish_all(((topic, payload) for payload in payloads), qos=qos, retain=retain)

    def publish_all(
        self, messages: Iterable[tuple[str, str | bytes]], *, qos: int = 1, retain: bool = False
    ) -> None:
        """Publish (topic, payload) pairs in order, and wait until each is acknowledged (QoS 0: sent)."""
        sent = [self._client.publish(topic, payload, qos, retain) for topic, payload in messages]
        for message in sent:
            message.wait_for_publish(TIMEOUT)  # returns silently when the time is over
            assert message.is_published(), "a message was not acknowledged in time"

    def on(self, topic: str) -> list[Received]:
        """Return what was received on `topic` so far."""
        return [message for message in self.messages if message.topic == topic]

    def wait_for_message(self, topic: str, payload: bytes | None = None, after: int = 0) -> Received:
        """Return the first message on `topic`, with that payload if one is given; skip the first `after`."""

        def found() -> list[Received]:
            return [m for m in self.on(topic)[after:] if payload is None or m.payload == payload]

        wanted = f"{payload!r} on {topic}" if payload is not None else f"a message on {topic}"
        return wait_for(found, lambda: f"{wanted}; received were {self.messages[-5:]}")[0]

    def _on_connect(
        self, client: Client, userdata: object, flags: ConnectFlags, reason: ReasonCode, properties: object
    ) -> None:
        self._refusal = str(reason) if reason.is_failure else None

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        self.messages.append(
            Received(
                message.topic, bytes(message.payload), message.qos, message.retain, message.dup, message.mid
            )
        )
