"""Making a client for each connection: MQTT version, login, TLS."""

import logging
import ssl
import time
from collections.abc import Callable
from pathlib import Path

from paho.mqtt.client import Client, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from config.settings import Settings
from scheduler_app.errors import CommandError
from scheduler_app.mqtt.packets import Unusual
from scheduler_app.mqtt.paho_client import MAXIMUM_PACKET_SIZE, PahoClient
from scheduler_app.mqtt.reconnecting import OutageLog

# Seconds. A broker that answers nothing for two of these is given up and connected to anew.
KEEPALIVE = 30
# How many unacknowledged messages we ask an MQTT 5 broker to send us: as many as share a commit.
# With MQTT 3.1.1 the broker's own setting decides (Mosquitto: max_inflight_messages).
RECEIVE_MAXIMUM = 1000
# Seconds.
CONNECT_TIMEOUT = 5.0
_SESSION_NEVER_EXPIRES = 0xFFFFFFFF
# So many connections in a row, each lost within so many seconds, are no accident.
SUSPICIOUS = 3
_SHORT_CONNECTION = 10.0


class Dialer:
    """Makes a new client for each connection, and finds out which MQTT version the broker speaks.

    A new client has nothing left over from the connection before: no queue, no half-read packet.
    """

    def __init__(
        self,
        settings: Settings,
        client_id: str,
        *,
        keep_session: bool = False,
        quiet: bool = False,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now` returns UTC epoch seconds, `monotonic` seconds of a clock that nobody sets."""
        self._now = now
        self._monotonic = monotonic
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

    def dial(self, prepare: Callable[[PahoClient], None]) -> PahoClient | None:
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
            self._connected_at = self._monotonic()
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
            self._judge(self._monotonic() - self._connected_at)
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

    def _new_client(self) -> PahoClient:
        address = self._settings.broker
        version_5 = self._version == MQTTProtocolVersion.MQTTv5
        client = PahoClient(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=None if version_5 else not self._keep_session,
            protocol=self._version,
            transport="websockets" if address.websockets else "tcp",
            reconnect_on_failure=False,
            manual_ack=self._keep_session,
            now=self._now,
            monotonic=self._monotonic,
        )
        client.connect_timeout = CONNECT_TIMEOUT
        if address.username is not None:
            client.username_pw_set(address.username, address.password)
        if address.websockets:
            client.ws_set_options(path=address.path)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        if logging.getLogger("paho").isEnabledFor(logging.DEBUG):
            client.enable_logger(logging.getLogger("paho"))
        return client


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
