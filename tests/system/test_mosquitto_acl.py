"""The shipped Mosquitto configuration with its lines for more than one machine: what a device can do with it.

The lines are taken from the shipped files as they are, by the command that stands in them.
"""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeRole
from tests.support.brokers import Access, Broker, Login, find_program
from tests.support.database import wait_for_rows
from tests.support.mqtt_client import Peer
from tests.support.ports import HOST, free_port
from tests.support.processes import ROOT, Process, manage
from tests.support.waiting import stays, wait_for

SHIPPED = ROOT / "config" / "mosquitto"
OURS, DEVICE, OTHER = Login("averages", "one"), Login("kitchen", "two"), Login("cellar", "three")
VIEWER = Login("viewer", "four")
SUBSCRIBER = "averages-subscriber"


class SecuredMosquitto(Broker):
    """Mosquitto as we ship it, with all lines for more than one machine."""

    persistent = True

    def __init__(self, folder: Path) -> None:
        self.devices_port = free_port()
        super().__init__(Access(free_port(), login=OURS))
        self._folder = folder

    def device(self, login: Login | None) -> Access:
        """Return how a device reaches it."""
        return Access(self.devices_port, login=login)

    def _process(self) -> Process:
        passwords = self._folder / "passwords"
        passwords.touch()
        for login in (OURS, DEVICE, OTHER, VIEWER):
            subprocess.run([find_program("mosquitto_passwd"), "-b", str(passwords), *login], check=True)
        acl = self._folder / "acl"
        acl.write_text((SHIPPED / "acl").read_text())
        text = (SHIPPED / "mosquitto.conf").read_text()
        [command] = re.findall(r"^#\s+sed -i '(.*)' config/mosquitto/mosquitto.conf$", text, re.MULTILINE)
        text = subprocess.run(["sed", command], input=text, capture_output=True, text=True, check=True).stdout
        for shipped, ours in (
            ("listener 1883", f"listener {self.devices_port} {HOST}"),
            ("listener 1884", f"listener {self.port} {HOST}"),
            ("password_file /mosquitto/data/passwords", f"password_file {passwords}"),
            ("acl_file /mosquitto/config/acl", f"acl_file {acl}"),
            ("persistence_location /mosquitto/data/", f"persistence_location {self._folder}/"),
        ):
            text, count = re.subn(rf"^{shipped}$", ours, text, flags=re.MULTILINE)
            assert count == 1, f"{shipped!r} stands {count} times"
        for path in (passwords, acl):
            path.chmod(0o644)
        path = self._folder / "mosquitto.conf"
        path.write_text(text)
        return Process("mosquitto", [find_program("mosquitto"), "-c", str(path)], self._folder)


@pytest.fixture
def mosquitto() -> Iterator[SecuredMosquitto]:
    # not below tmp_path: started by root, Mosquitto becomes a user who may not enter that
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        broker = SecuredMosquitto(folder)
        try:
            yield broker.start()
        finally:
            broker.end()


@pytest.mark.parametrize("login", [None, Login("kitchen", "wrong"), Login("stranger", "two")])
def test_nobody_gets_in_without_a_password(mosquitto: SecuredMosquitto, login: Login | None) -> None:
    for access in (mosquitto.device(login), Access(mosquitto.port, login=login)):
        with pytest.raises(AssertionError, match="refuses"), Peer(access):
            pass


def test_a_device_cannot_take_our_client_id(
    mosquitto: SecuredMosquitto, make_role: MakeRole, database: Path
) -> None:
    """It is let in, under its own name: our session stays, and what is in its queue comes to us."""
    settings = {"TOPIC": "DATA/#"}
    subscriber = make_role("subscriber", broker=mosquitto, **settings).start_and_wait()
    with Peer(mosquitto.device(DEVICE)) as device:
        device.publish("DATA/kitchen", "1")
        wait_for_rows(database, 1)
        with Peer(mosquitto.device(OTHER), SUBSCRIBER) as thief:  # with a clean session
            thief.publish("DATA/cellar", "2")
        wait_for_rows(database, 2)
        assert subscriber.running
    subscriber.stop()
    with Peer(mosquitto.device(DEVICE)) as device:
        device.publish("DATA/kitchen/oven", "3")
    with Peer(mosquitto.device(OTHER), SUBSCRIBER, keep_session=True) as thief:
        stays(lambda: not thief.messages, "nothing of our session comes to it", 0.5)
    with Peer(mosquitto.device(OTHER), SUBSCRIBER):
        pass
    again = make_role("subscriber", broker=mosquitto, **settings).start_and_wait()
    wait_for_rows(database, 3)
    assert again.complaints("no session of ours") == []
    assert "lost the connection" not in subscriber.stderr


def test_a_device_cannot_publish_statistics_nor_for_another_device(mosquitto: SecuredMosquitto) -> None:
    with Peer(mosquitto.access) as ours, Peer(mosquitto.device(DEVICE)) as device:
        ours.subscribe("#")
        for topic in ("STATS", "STATS/$state", "STATS/DATA/kitchen", "DATA", "DATA/cellar", "other"):
            device.publish(topic, "forged", retain=True)
        device.publish("DATA/kitchen", "last")
        ours.wait_for_message("DATA/kitchen", b"last")
        assert [message.topic for message in ours.messages] == ["DATA/kitchen"]


def test_a_restart_while_we_are_away_loses_nothing(
    mosquitto: SecuredMosquitto, make_role: MakeRole, database: Path
) -> None:
    """Mosquitto knows after a restart what the user of a session that is away may read, and keeps it."""
    settings = {"TOPIC": "DATA/#"}
    subscriber = make_role("subscriber", broker=mosquitto, **settings).start_and_wait()
    subscriber.stop()
    mosquitto.restart()
    with Peer(mosquitto.device(DEVICE)) as device:
        device.publish("DATA/kitchen", "1", "2", "3")
    make_role("subscriber", broker=mosquitto, **settings).start_and_wait()
    wait_for_rows(database, 3)


def test_all_commands_work_with_it(mosquitto: SecuredMosquitto, make_role: MakeRole, tmp_path: Path) -> None:
    settings = {"TOPIC": "DATA/#", "STATS_INTERVAL": "200ms"}
    make_role("subscriber", broker=mosquitto, **settings).start_and_wait()
    stats = make_role("stats", broker=mosquitto).start_and_wait()
    wait_for(lambda: "avg_1min" in stats.stdout, "a table")
    done = manage("publisher", "--count", "1", folder=tmp_path, environment=mosquitto.environment)
    assert done.returncode == 0, done.stderr
    for command in ("check", "status"):
        done = manage(command, folder=tmp_path, environment=mosquitto.environment | settings)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "FAIL" not in done.stdout


def test_who_only_looks_can_forge_nothing_and_a_device_can_read_nothing(mosquitto: SecuredMosquitto) -> None:
    with (
        Peer(mosquitto.access) as ours,
        Peer(mosquitto.device(VIEWER)) as viewer,
        Peer(mosquitto.device(DEVICE)) as device,
    ):
        viewer.subscribe("#")
        device.subscribe("#")
        for topic in ("STATS", "STATS/$state", "DATA/kitchen"):
            viewer.publish(topic, "forged", retain=True)
        ours.publish("DATA/kitchen", "1")
        ours.publish("STATS", "ours")
        ours.publish("STATS/$state", "online")
        viewer.wait_for_message("STATS/$state")
        assert [(message.topic, message.payload) for message in viewer.messages] == [
            ("STATS", b"ours"),
            ("STATS/$state", b"online"),
        ]
        stays(lambda: not device.messages, "nothing comes to the device", 0.5)
