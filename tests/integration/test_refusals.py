"""Brokers that let nobody in without a password or a certificate, and brokers that never answer."""

import signal
from pathlib import Path

import pytest

from tests.conftest import MakeRole
from tests.support.brokers import Access, EmbeddedBroker, Login, Mosquitto
from tests.support.certificates import Certificates
from tests.support.database import wait_for_rows
from tests.support.processes import end_well
from tests.support.silent import SilentListener
from tests.support.waiting import stays, wait_for

CLIENTS = ("subscriber", "stats", "publisher")


def test_wrong_password(mosquitto_password: Mosquitto, make_role: MakeRole) -> None:
    """A wrong password is one ERROR line that says so; roles keep trying, and work when it is right."""
    login = mosquitto_password.access.login
    assert login is not None
    wrong = Login(login.username, "guessed")
    with_wrong = Access(mosquitto_password.port, login=wrong)
    roles = [make_role(command, broker=with_wrong).start() for command in CLIENTS]
    # each of four connections tries again
    refused = "disconnected, not authorised"
    wait_for(lambda: len(mosquitto_password.packets(refused)) >= 8, "more tries of all")
    for role in roles:
        [line] = role.complaints(with_wrong.address)
        assert "| ERROR" in line
        assert "not authorized" in line.lower() or "user name or password" in line.lower()
    mosquitto_password.set_password(wrong)
    mosquitto_password.process.send(signal.SIGHUP)
    for role in roles:
        role.wait_healthy()
        assert len(role.complaints(with_wrong.address)) == 1


def test_unknown_authority(mosquitto_tls: Mosquitto, make_role: MakeRole) -> None:
    """A broker whose certificate is not trusted is one clear line, and is told nothing."""
    untrusting = Access(mosquitto_tls.port, "mqtts")
    roles = [make_role(command, broker=untrusting).start() for command in CLIENTS]
    for role in roles:
        role.wait_for_complaint()
    stays(lambda: all(len(role.complaints()) == 1 for role in roles), "one line", 1.5)
    for role in roles:
        assert "certificate verify failed" in role.complaints()[0]
        assert "set BROKER_CAFILE to the file with its certificate" in role.complaints()[0]
        assert role.running
    assert mosquitto_tls.packets("New client connected") == []


def test_client_certificate(
    mosquitto_client_certificate: Mosquitto,
    certificates: Certificates,
    make_role: MakeRole,
    database: Path,
) -> None:
    """With a certificate of its own a role gets in; without it, it is told so in one line."""
    ours = {
        "BROKER_CERTFILE": str(certificates.client.certificate),
        "BROKER_KEYFILE": str(certificates.client.key),
    }
    stranger = make_role("stats", broker=mosquitto_client_certificate).start()
    make_role("subscriber", broker=mosquitto_client_certificate, **ours).start_and_wait()
    publisher = make_role("publisher", "--count", "1", broker=mosquitto_client_certificate, **ours)
    assert publisher.start().wait() == 0
    wait_for_rows(database, 1)
    stranger.wait_for_complaint()
    [line] = stranger.complaints()
    assert "it asks for a client certificate" in line
    assert "set BROKER_CERTFILE and BROKER_KEYFILE" in line
    assert mosquitto_client_certificate.packets("as averages-stats") == []


def test_port_for_tls_without_tls(mosquitto_tls: Mosquitto, make_role: MakeRole) -> None:
    """The line names the setting that is wrong."""
    role = make_role("subscriber", broker=Access(mosquitto_tls.port)).start()
    role.wait_for_complaint(f"set BROKER=mqtts://{mosquitto_tls.address}")
    stays(lambda: len(role.complaints()) == 1, "one line", 1.5)


def test_tls_at_a_port_without_it(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    role = make_role("subscriber", broker=Access(mosquitto.port, "mqtts")).start()
    role.wait_for_complaint("does not speak TLS there")
    assert "or to mqtt:// instead of mqtts://" in role.complaints()[0]
    stays(lambda: len(role.complaints()) == 1, "one line", 1.5)


def test_mqtt_5_at_a_broker_that_does_not_know_it(embedded: EmbeddedBroker, make_role: MakeRole) -> None:
    role = make_role("subscriber", broker=embedded, MQTT_VERSION="5").start()
    role.wait_for_complaint("set MQTT_VERSION=auto")
    stays(lambda: len(role.complaints()) == 1, "one line", 1.5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_broker_that_never_answers(make_role: MakeRole, number: signal.Signals) -> None:
    """Roles end in time though the broker accepts connections and says nothing."""
    with SilentListener() as broker:
        roles = [make_role(command, broker=broker.access).start() for command in CLIENTS]
        # the subscriber has two connections
        wait_for(lambda: broker.accepted >= 4, "connections of all roles")
        end_well(number, *roles)


def test_broker_that_stops_answering(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    """Roles end in time though the broker has frozen."""
    roles = [make_role(command, broker=mosquitto).start_and_wait() for command in CLIENTS]
    mosquitto.process.send(signal.SIGSTOP)
    try:
        end_well(signal.SIGTERM, *roles)
    finally:
        mosquitto.process.send(signal.SIGCONT)
