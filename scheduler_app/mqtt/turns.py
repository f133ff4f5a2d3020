"""What the thread of a connection does by turns: send, wait, read."""

import select

from paho.mqtt.enums import MQTTErrorCode

from scheduler_app.mqtt.buffered_socket import BufferedSocket
from scheduler_app.mqtt.fast_path import FastPath
from scheduler_app.mqtt.paho_client import PahoClient
from scheduler_app.mqtt.publications import Publications
from scheduler_app.mqtt.waker import Waker

# So many messages are taken in one turn.
_TOGETHER = 100


class Turns:
    """Drives one connection in place of paho's own loop, which takes a packet at a time."""

    def __init__(self, client: PahoClient, waker: Waker) -> None:
        """`client` has begun to connect. `waker` ends a wait."""
        self._client = client
        self._waker = waker
        self._fast_path = FastPath(client)
        self._publications: Publications | None = None

    def begin(self, publications: Publications) -> None:
        """Send what is published from now on. The CONNACK has come."""
        self._publications = publications
        self._client.when_acknowledged = publications.acknowledged

    def take(self, timeout: float) -> MQTTErrorCode:
        """Do all there is to do, and wait for it up to `timeout` seconds; return how paho finds it."""
        client, sock = self._client, self._client.buffered_socket
        if sock is None:
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        if self._publications is not None:
            self._publications.send()
        pending = sock.pending()  # select does not tell of what was read ahead
        readable: list[BufferedSocket | Waker] = [sock, self._waker]
        writable = [sock] if client.want_write() else []
        ready, _, _ = select.select(readable, writable, [], 0 if pending else timeout)
        if self._waker in ready:
            self._waker.take()
        result = self._read() if pending or sock in ready else MQTTErrorCode.MQTT_ERR_SUCCESS
        if not result and client.want_write():
            result = client.loop_write()
        return result or client.loop_misc()

    def _read(self) -> MQTTErrorCode:
        messages = self._fast_path.read(_TOGETHER)
        if messages is not None:
            for message in messages:
                self._client.when_received(message)
            self._fast_path.acknowledge([message.packet_id for message in messages if message.qos])
        elif self._publications is None or not (pubacks := self._fast_path.read_pubacks()):
            return self._client.loop_read()
        else:
            for puback in pubacks:
                self._publications.acknowledged(*puback)
        return MQTTErrorCode.MQTT_ERR_SUCCESS
