"""Making a client for each connection: MQTT version, login, TLS."""

import logging
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from paho.mqtt.client import Client, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from config.settings import Settings
from scheduler_app.errors import CommandError
from scheduler_app.mqtt import causes
from scheduler_app.mqtt.granted import NEVER, UNTOLD, read_granted
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
# Seconds that a broker may take to answer our CONNECT: at first, and at most, after it has taken longer.
# At KEEPALIVE the library would give up by itself, without saying why.
ANSWER_TIMEOUT = (5.0, 25.0)
# So many connections in a row, each lost within so many seconds, are no accident.
SUSPICIOUS = 3
_SHORT_CONNECTION = 10.0
_VERSION_NAMES = {MQTTProtocolVersion.MQTTv5: "5", MQTTProtocolVersion.MQTTv311: "3.1.1"}


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
        self.address = settings.broker
        self._settings = settings
        self._client_id = client_id
        self._keep_session = keep_session
        # What the broker has granted the latest connection, as far as it has told.
        self.granted = UNTOLD
        # What it may be that connections are lost again and again, soon after they are made.
        self.suspicion: Callable[[], str] = lambda: (
            f"does another client use our id {self._client_id!r}? Then set CLIENT_ID"
        )
        # What it may be that the broker hangs up at our CONNECT, if we know better than by the settings.
        self.doubt: str | None = None
        self._client: PahoClient | None = None
        self._connected_at: float | None = None
        self._patience, _ = ANSWER_TIMEOUT
        self._answer_due = 0.0
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
        if not self._answered and self._monotonic() >= self._answer_due:
            self._tell_silence()
            _drop(client)
            return False
        try:
            return work() == MQTTErrorCode.MQTT_ERR_SUCCESS
        except Exception as error:  # noqa: BLE001 - paho trusts what it reads: any error may come of it
            what = error if isinstance(error, Unusual) else repr(error)
            if self._answered:
                self._tell_loss(f"it sent what is no MQTT ({what})")
            elif not self._try_the_other_version():
                self._tell_no_answer(str(what))
            _drop(client)
            return False

    @property
    def version(self) -> str:
        """The version of MQTT that is spoken, or tried, as MQTT_VERSION has it."""
        return _VERSION_NAMES[self._version]

    @property
    def suspicious(self) -> bool:
        """Whether connections are lost so soon and so often that it is no accident."""
        return self.short_connections >= SUSPICIOUS

    def settle(self) -> None:
        """Note that this connection has lasted so long that all is well again; call it now and then."""
        if self.suspicious and self._connected_at is not None:
            self._judge(self._monotonic() - self._connected_at, over=False)

    def _judge(self, lasted: float, *, over: bool) -> None:
        """Look at a connection that has lasted so many seconds, and may be `over`."""
        if lasted < _SHORT_CONNECTION:
            self.short_connections += over
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
        client = self._client = self._new_client()
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
            if isinstance(error, ConnectionRefusedError):  # it has ended: that is no doing of another client
                self.short_connections = 0
            self._tell(*causes.unreachable(error, self._settings))
            return None
        self._answer_due = self._monotonic() + self._patience
        return client

    def answered(self, reason: ReasonCode, properties: Properties | None, *, told: bool = True) -> bool:
        """Take reason code and properties of a CONNACK; return whether we are connected, which is `told`."""
        self._answered = True
        self._patience, _ = ANSWER_TIMEOUT
        name = reason.getName()
        if not reason.is_failure:
            self._connected_at = self._monotonic()
            self._take_granted(properties)
            if told and not self.suspicious:
                self.outage.over()
        elif name == "Unsupported protocol version" and self._try_the_other_version():
            pass
        elif name == "Retain not supported" and self.granted.retain_available is not False:
            # of the will: the next one is published without
            self.granted, self.at_once = replace(self.granted, retain_available=False), True
        elif name == "QoS not supported" and self.granted.maximum_qos != 0:
            self.granted, self.at_once = replace(self.granted, maximum_qos=0), True
        else:
            self.outage.refused(f"{reason}{causes.cure(name, self._settings)}")
        return not reason.is_failure

    def _take_granted(self, properties: Properties | None) -> None:
        if properties is None:
            self.granted = UNTOLD
            return
        session_expiry = NEVER if self._keep_session else None
        granted = read_granted(properties, session_expiry=session_expiry, keep_alive=KEEPALIVE)
        self.granted = granted
        if self._client is not None and granted.receive_maximum is not None:
            self._client.limit_in_flight(granted.receive_maximum)

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
        if not self._answered:
            self._tell_no_answer()
            return
        cure = causes.cure(reason.getName(), self._settings)
        self._tell_loss(f"{reason}{cure}", None if cure else self.suspicion())

    def _tell_loss(self, reason: str, suspicion: str | None = None) -> None:
        """Tell that the connection is lost; `suspicion`: what it may be that it is lost again and again."""
        if self._connected_at is not None:
            self._judge(self._monotonic() - self._connected_at, over=True)
        if self.suspicious:
            lost = f"{self.short_connections} connections in a row were lost within seconds"
            self.outage.refused(f"{lost}; {suspicion or reason}")
        else:
            self.outage.lost(reason)

    def _tell_no_answer(self, wrong: str | None = None) -> None:
        """Tell that the connection is lost, and no CONNACK has come on it, but what was `wrong`."""
        if (client := self._client) is not None:
            begin, error = client.first_byte, client.read_error
            self._tell(*causes.unanswered(self._settings, begin, error, wrong=wrong, doubt=self.doubt))

    def _tell_silence(self) -> None:
        """Tell that the broker has not answered in time, and try another version, or have more patience."""
        line = causes.silent(self._settings, self._patience)
        tried = self.version
        if self._try_the_other_version():
            self.outage.silent(line, at_once=f"that was MQTT {tried}, now we try MQTT {self.version}")
            return
        self.outage.silent(line)
        _, most = ANSWER_TIMEOUT
        self._patience = min(2 * self._patience, most)

    def _tell(self, somebody_must_act: bool, line: str) -> None:
        if somebody_must_act:
            self.outage.wrong(line)
        else:
            self.outage.away(line)

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
            properties.SessionExpiryInterval = NEVER
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


def _drop(client: Client) -> None:
    """End a connection without a goodbye."""
    if sock := client.socket():
        sock.close()


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
