"""What a failed connection is told as: the likely cause, and the setting that cures it."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from paho.mqtt.client import WebsocketConnectionError

from config.settings import Settings, load_settings
from scheduler_app.mqtt import causes
from scheduler_app.mqtt.ingest_session import IngestSession
from tests.support.certificates import Certificates, make_certificates
from tests.unit.scripted_broker import CONNACK

# What a server answers to our CONNECT: that of MQTT 3.1.1 which knows no other version, an alert of TLS, and
# what a web server says.
OLD_BROKER, TLS_ALERT, WEB = b"\x20\2\0\1", b"\x15\3\1\0\2\2\x28", b"HTTP/1.1 400 Bad Request\r\n\r\n"


class Server:
    """Answers each connection with the same bytes, and hangs up."""

    def __init__(self, listener: socket.socket, session: IngestSession) -> None:
        self.port = listener.getsockname()[1]
        self.session = session
        self._listener = listener

    def answer(self, data: bytes) -> None:
        """Have the session connect, and answer its CONNECT."""
        assert self.session.connect()
        connection, _ = self._listener.accept()
        with connection:
            self.session.maintain()
            assert connection.recv(1000)[:1] == b"\x10"
            connection.sendall(data)
        while self.session.connected:
            self.session.receive(10, 1)


@contextmanager
def server(version: str) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        session = IngestSession(load_settings({"broker": address, "mqtt_version": version}), ["DATA"])
        try:
            yield Server(listener, session)
        finally:
            session.disconnect()


@pytest.mark.parametrize(
    ("version", "answer", "line"),
    [
        ("5", OLD_BROKER, "refuses us: Unsupported protocol version: set MQTT_VERSION=auto, and we speak"),
        ("5", CONNACK["3.1.1"], "has sent what is no MQTT 5 ("),
        ("5", b"", "or it may not speak MQTT 5 (then set MQTT_VERSION=auto);"),
        ("3.1.1", b"", "or it may not speak MQTT 3.1.1 (then set MQTT_VERSION=auto);"),
        (
            "auto",
            b"",
            "hangs up before it answers; it may speak TLS there (then set BROKER=mqtts://127.0.0.1:",
        ),
        ("auto", TLS_ALERT, "speaks TLS there: set BROKER=mqtts://127.0.0.1:"),
        ("auto", WEB, "a web server answers at 127.0.0.1:"),
        ("auto", b"SSH-2.0-OpenSSH_9.2\r\n", "set BROKER to the port of an MQTT broker"),
        ("3.1.1", b"\x20\2\0\5", "Not authorized: does it ask for a password? Then set BROKER=mqtt://USER:"),
    ],
)
def test_what_answers_in_another_way_is_one_line_with_the_setting(
    log_lines: list[str], version: str, answer: bytes, line: str
) -> None:
    with server(version) as broker:
        for _ in range(4):  # both versions, twice
            broker.answer(answer)
        told = [each for each in log_lines if not each.startswith("DEBUG")]
        assert len(told) == 1, told
        assert line in told[0]
        assert broker.session.trouble is not None
        assert broker.session.trouble in told[0]


def test_a_broker_of_mqtt_3_1_1_is_spoken_to_in_its_version(log_lines: list[str]) -> None:
    with server("auto") as broker:
        broker.answer(OLD_BROKER)
        assert broker.session.may_connect_at_once
        assert log_lines == []


def settings_of(**values: str) -> Settings:
    return load_settings({"broker": "mqtts://user:secret@broker.example", **values})


def handshake(certificates: Certificates, authority: Path | None, name: str = "127.0.0.1") -> ssl.SSLError:
    """Return the error of a client that trusts an `authority` and looks for a server of that `name`."""
    context = ssl.create_default_context(cafile=None if authority is None else str(authority))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificates.server.certificate, certificates.server.key)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_side = context.wrap_bio(incoming, outgoing, server_hostname=name)
    server_side = server.wrap_bio(outgoing, incoming, server_side=True)
    while True:
        with suppress(ssl.SSLWantReadError):
            try:
                client_side.do_handshake()
            except ssl.SSLError as error:
                if not isinstance(error, ssl.SSLWantReadError):
                    return error
        with suppress(ssl.SSLWantReadError):
            server_side.do_handshake()


def test_a_broker_with_an_authority_of_its_own_is_told_with_the_setting_for_it(
    certificates: Certificates,
) -> None:
    error = handshake(certificates, None)
    act, line = causes.unreachable(error, settings_of())
    assert act
    assert "certificate verify failed" in line
    assert line.endswith("set BROKER_CAFILE to the file with its certificate")


def test_a_certificate_for_another_name_is_told_with_the_name_we_know(certificates: Certificates) -> None:
    act, line = causes.unreachable(
        handshake(certificates, certificates.authority, "broker.example"), settings_of()
    )
    assert act
    assert line.endswith("set BROKER to a host that it is for; broker.example is none")
    assert "secret" not in line


@pytest.mark.parametrize(
    ("error", "act", "part"),
    [
        (
            ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"),
            True,
            "to mqtt:// instead of",
        ),
        (ConnectionResetError(104, "Connection reset by peer"), True, "does not speak TLS there (Connection"),
        (TimeoutError("_ssl.c:983: The handshake operation timed out"), True, "does not speak TLS there"),
        (ConnectionRefusedError(111, "Connection refused"), False, "no broker answers at mqtts://broker.ex"),
        (TimeoutError("timed out"), False, "no broker answers at mqtts://broker.example:8883: timed out"),
        (
            socket.gaierror(-2, "Name or service not known"),
            False,
            "no broker answers at mqtts://broker.example:8883: Name or service not known",
        ),
    ],
)
def test_why_no_connection_could_be_made(error: OSError, act: bool, part: str) -> None:
    found = causes.unreachable(error, settings_of())
    assert found[0] == act
    assert part in found[1]
    assert "_ssl.c" not in found[1]


@pytest.mark.parametrize(("scheme", "other"), [("ws", "wss:// or mqtt"), ("wss", "mqtts")])
def test_who_speaks_no_websockets_is_told_as_that(scheme: str, other: str) -> None:
    """Also behind TLS, which it does speak; and of a proxy, whose broker may come back by itself."""
    settings = settings_of(broker=f"{scheme}://broker.example/path")
    act, line = causes.unreachable(WebsocketConnectionError("WebSocket handshake error"), settings)
    assert not act
    assert line.startswith(
        f"no broker answers over WebSockets at {settings.broker}: if that lasts, set BROKER"
    )
    assert line.endswith(f"or to {other}:// instead of {scheme}://")


class Alert(ssl.SSLError):
    reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"


@pytest.mark.parametrize("when", ["in the handshake", "after it"])
def test_a_client_certificate_that_is_missing_is_told_with_its_settings(when: str) -> None:
    if when == "after it":  # as in TLS 1.3
        act, line = causes.unanswered(settings_of(), None, Alert())
    else:
        act, line = causes.unreachable(Alert(), settings_of())
    assert act
    assert "it asks for a client certificate" in line
    assert line.endswith("set BROKER_CERTFILE and BROKER_KEYFILE")


def test_a_client_certificate_that_is_not_trusted_is_told_otherwise(certificates: Certificates) -> None:
    settings = settings_of(
        broker_certfile=str(certificates.client.certificate), broker_keyfile=str(certificates.client.key)
    )
    _, line = causes.unanswered(settings, None, Alert())
    assert "it does not trust our certificate" in line


@pytest.mark.parametrize(
    ("broker", "part"),
    [
        ("host", "does it ask for a password?"),
        ("mqtt://me:secret@127.0.0.1", "is the password in BROKER right"),
    ],
)
def test_a_login_that_is_refused_is_told_with_where_it_stands(broker: str, part: str) -> None:
    advice = causes.cure("Not authorized", load_settings({"broker": broker}))
    assert part in advice
    assert "secret" not in advice


def test_a_reason_that_we_know_nothing_about_gets_no_advice() -> None:
    assert causes.cure("Server busy", load_settings()) == ""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))
