"""The compose files and the configuration of Mosquitto that goes with them, as their programs read them."""

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import pytest

from scheduler_app.management import SUBSCRIBER_SETTINGS
from scheduler_app.publishing import outbox_sender
from tests.support.brokers import Access, Broker, find_program, missing
from tests.support.mqtt_client import Peer
from tests.support.ports import HOST, free_port
from tests.support.processes import ROOT, Process, settings_only
from tests.support.waiting import wait_for

NORMAL = ("docker-compose.yml",)
DEBUG = ("docker-compose.yml", "docker-compose-debug.yml")
MOSQUITTO_CONF = ROOT / "config" / "mosquitto" / "mosquitto.conf"


# A service with all that is said of it, as compose writes it.
_SERVICE = re.compile(r"^  ([a-z_0-9]+):\n(?:    .*\n)+", re.MULTILINE)
_PROFILES = "    profiles:\n"
# What is written once for several services. Version 2 of compose repeats it behind the services.
_EXTENSION = re.compile(r"^x-.*\n(?:[ -].*\n)*", re.MULTILINE)


class Compose:
    """The compose command that is installed, in a folder with our files and no .env. No engine is needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for file in DEBUG:
            shutil.copy(ROOT / file, folder)

    @cached_property
    def _command(self) -> list[str]:
        for command in (["docker", "compose"], ["docker-compose"]):
            if shutil.which(command[0]) and self._run([*command, "version"]).returncode == 0:
                return command
        return missing("neither docker compose nor docker-compose is installed")

    def config(self, *arguments: str, files: tuple[str, ...] = NORMAL, **settings: str) -> str:
        """Return what compose says of the services that run by default, and of their volumes.

        With `settings` in the user's environment. Some versions tell of the services of all profiles.
        """
        text = self._config(*arguments, files=files, settings=settings)
        return _SERVICE.sub(lambda found: "" if _PROFILES in found[0] else found[0], text)

    def cluster(self, **settings: str) -> dict[str, str]:
        """Return what compose says of the services of the cluster, by their names."""
        text = self._config("--profile", "cluster", settings=settings)
        return {found[1]: found[0] for found in _SERVICE.finditer(text) if _PROFILES in found[0]}

    def _config(
        self, *arguments: str, files: tuple[str, ...] = NORMAL, settings: Mapping[str, str] | None = None
    ) -> str:
        named = [argument for file in files for argument in ("-f", file)]
        profile = arguments if arguments[:1] == ("--profile",) else ()
        done = self._run([*self._command, *named, *profile, "config", *arguments[len(profile) :]], settings)
        assert done.returncode == 0, done.stderr
        return _EXTENSION.sub("", done.stdout) + done.stderr

    def _run(
        self, command: list[str], settings: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        environment = settings_only(settings or {})
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=self._folder,
            env=environment,
            timeout=60,
            check=False,
        )


@pytest.fixture
def compose(tmp_path: Path) -> Compose:
    return Compose(tmp_path)


class ShippedMosquitto(Broker):
    """Mosquitto with the configuration we ship, but for the port and the folder of its data."""

    persistent = True

    def __init__(self, folder: Path) -> None:
        super().__init__(Access(free_port()))
        self._folder = folder

    @property
    def saved_at(self) -> float:
        """When it saved last, UTC epoch seconds; 0 if it never has."""
        path = self._folder / "mosquitto.db"
        return path.stat().st_mtime if path.exists() else 0.0

    def _process(self) -> Process:
        text = MOSQUITTO_CONF.read_text()
        for shipped, ours in (
            ("listener 1883", f"listener {self.port} {HOST}"),
            ("persistence_location /mosquitto/data/", f"persistence_location {self._folder}/"),
        ):
            text, count = re.subn(rf"^{shipped}$", ours, text, flags=re.MULTILINE)
            assert count == 1, f"{shipped!r} stands {count} times in {MOSQUITTO_CONF}"
        path = self._folder / "mosquitto.conf"
        path.write_text(text)
        return Process("mosquitto", [find_program("mosquitto"), "-c", str(path)], self._folder)


@pytest.fixture
def mosquitto() -> Iterator[ShippedMosquitto]:
    """Mosquitto as we ship it, not started yet."""
    # not below tmp_path: started by root, Mosquitto becomes a user who may not enter that
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        broker = ShippedMosquitto(folder)
        try:
            yield broker
        finally:
            broker.end()


@pytest.mark.parametrize("files", [NORMAL, DEBUG], ids=["normal", "debug"])
def test_compose_takes_the_files(compose: Compose, files: tuple[str, ...]) -> None:
    """Both ways to start that the files themselves name are valid, and nothing is warned of."""
    assert compose.config("--quiet", files=files) == ""


def test_settings_of_the_user(compose: Compose) -> None:
    """The user's settings reach the roles, except where the broker and the database are."""
    text = compose.config(TOPIC="sensors/+/temp", WINDOWS="2min", BROKER="elsewhere", DB_FILE="mine.db")
    assert text.count(" TOPIC: sensors/+/temp") == 4
    assert text.count("WINDOWS: 2min") == 4
    assert text.count("BROKER: mosquitto") == 4
    assert "elsewhere" not in text
    assert "mine.db" not in text


# What a container has otherwise than by the name of the setting: the broker, files, and what is for several
# subscribers.
NOT_HANDED_ON = {
    *("broker", "broker_cafile", "broker_certfile", "broker_keyfile"),
    *("db_file", "db_url", "members", "share"),
}


def test_every_setting_of_the_subscriber_reaches_it() -> None:
    """And is named at the head of the file."""
    text = (ROOT / "docker-compose.yml").read_text()
    _, head = text.split("# Your settings come from", 1)
    head, _ = head.split("\n\n", 1)
    _, environment = text.split("environment: &environment\n", 1)
    environment, _ = environment.split("healthcheck:", 1)
    handed_on = {name.lower() for name in re.findall(r"^    (\w+): \$\{\1:-\}$", environment, re.MULTILINE)}
    assert handed_on == set(SUBSCRIBER_SETTINGS) - NOT_HANDED_ON
    assert {name for name in handed_on if name.upper() not in re.findall(r"\w+", head)} == set()


def test_log_levels(compose: Compose) -> None:
    """The roles are quiet unless the user or the debug file says otherwise."""
    assert compose.config().count("LOG_LEVEL: WARNING") == 4
    assert compose.config(LOG_LEVEL="INFO").count("LOG_LEVEL: INFO") == 4
    assert compose.config(files=DEBUG, LOG_LEVEL="INFO").count("LOG_LEVEL: DEBUG") == 4


def test_what_a_container_may_do(compose: Compose) -> None:
    """Each writes to its volumes and to memory alone, with none of root's rights and no way to get them."""
    text = compose.config()
    for line in (r"read_only: true", r"cap_drop:\n *- ALL", r"security_opt:\n *- no-new-privileges:true"):
        assert len(re.findall(rf"^    {line}$", text, re.MULTILINE)) == 5, text


def test_the_roles_connect_where_they_are_told(compose: Compose) -> None:
    """As the steps for more than one machine in mosquitto.conf tell them to."""
    url = "mqtt://averages:pa%40ss@mosquitto:1884"
    assert f"CONTAINERS_CONNECT_TO={url.replace('pa%40ss', 'PASSWORD')}\n" in MOSQUITTO_CONF.read_text()
    assert compose.config(CONTAINERS_CONNECT_TO=url).count(f"BROKER: {url}\n") == 4


def test_the_publisher_ends_by_itself_where_there_is_nothing_to_publish_to(compose: Compose) -> None:
    """It is not started again then, as all others are when they end."""
    text = compose.config()
    assert len(re.findall(r"^    restart: unless-stopped$", text, re.MULTILINE)) == 4
    [publisher] = re.findall(r"^  publisher:\n((?:    .*\n)+)", text, re.MULTILINE)
    assert "    restart: on-failure\n" in publisher
    assert "--if-one-topic" in publisher


def test_the_cluster_runs_by_its_profile_alone(compose: Compose) -> None:
    """PostgreSQL, two members of two that share the topics, two that take averages, and a page of theirs."""
    services = compose.cluster()
    roles = {"member_1", "member_2", "averages_1", "averages_2", "web_cluster"}
    assert set(services) == roles | {"postgres"}
    for name in roles:
        assert "DB_URL: postgresql://averages:averages@postgres/averages" in services[name]
        assert "STATS_TOPIC: CLUSTER\n" in services[name]  # STATS is the single subscriber's
        assert "DB_FILE" not in services[name]
    for name in ("member_1", "member_2"):
        assert re.search(r"""MEMBERS: ['"]?2['"]?\n""", services[name])
        assert "SHARE: averages\n" in services[name]


def test_what_a_container_of_the_cluster_may_do(compose: Compose) -> None:
    """No more than one of the others; and nobody reaches the database from outside."""
    for name, text in compose.cluster().items():
        for line in (
            "read_only: true",
            "cap_drop:\n    - ALL",
            "security_opt:\n    - no-new-privileges:true",
        ):
            pattern = line.replace("\n    ", "\n *")
            assert re.search(rf"^    {pattern}$", text, re.MULTILINE), (name, line)
        assert ("ports:" in text) == (name == "web_cluster")


def test_the_password_of_the_database_is_the_users_to_choose(compose: Compose) -> None:
    services = compose.cluster(POSTGRES_PASSWORD="secret")
    assert "POSTGRES_PASSWORD: secret\n" in services["postgres"]
    assert "postgresql://averages:secret@postgres/averages" in services["member_1"]


def test_the_image_has_what_the_cluster_needs() -> None:
    """The driver of the database, by a file that is not kept out of the image."""
    assert "-r requirements-postgresql.txt" in (ROOT / "Dockerfile").read_text()
    assert "!requirements-postgresql.txt\n" in (ROOT / ".dockerignore").read_text()


def test_published_port() -> None:
    """Mosquitto asks for no password, so nobody but this machine may reach it."""
    ports = re.findall(r"^\s*-\s*\"?([\w.:\[\]]*:1883)\"?\s*$", (ROOT / NORMAL[0]).read_text(), re.MULTILINE)
    assert ports == ["127.0.0.1:1883:1883"]


def test_the_page_is_published_on_this_machine_alone(compose: Compose) -> None:
    """It is told so, and asks for no token."""
    text = (ROOT / NORMAL[0]).read_text()
    [host] = re.findall(r"^\s*-\s*\"?(.*):\$\{WEB_PORT:-8080\}:8080\"?\s*$", text, re.MULTILINE)
    assert host == "127.0.0.1"
    written = compose.config()
    # the words of the command are in one line or in a list
    assert re.search(r"\bweb\s+(- )?--published-on-loopback\b", written)
    assert "WEB_HOST: 0.0.0.0" in written


def test_the_port_of_the_page_is_the_users_to_choose(compose: Compose) -> None:
    """Within the container it stays what it is."""
    written = compose.config(WEB_PORT="9000", WEB_TOKEN="0123456789abcdef")
    assert re.search(r"""WEB_PORT: ['"]?8080['"]?$""", written, re.MULTILINE)
    assert "9000" in written
    assert "WEB_TOKEN: 0123456789abcdef" in written


def test_mosquitto_takes_its_configuration(mosquitto: Broker) -> None:
    """It starts, serves, ends with status 0, and says nothing at all: not even that clients come and go."""
    mosquitto.start()
    with Peer(mosquitto.access) as peer:
        peer.subscribe("DATA").publish("DATA", "21.5")
        peer.wait_for_message("DATA", b"21.5")
    assert mosquitto.process.stop() == 0
    assert mosquitto.log == ""


def test_killed_mosquitto_delivers_what_it_has_saved(mosquitto: ShippedMosquitto) -> None:
    """More messages than it would keep by default wait through SIGKILL: it saves them without being told."""
    payloads = [b"%d" % number for number in range(1100)]
    mosquitto.start()
    with Peer(mosquitto.access, "subscriber", keep_session=True) as subscriber:
        subscriber.subscribe("DATA")
    with Peer(mosquitto.access) as sensor:
        sensor.publish("DATA", *payloads)
        acknowledged = time.time()
        wait_for(lambda: mosquitto.saved_at > acknowledged, "Mosquitto saves")
        mosquitto.kill()
    mosquitto.start()
    with Peer(mosquitto.access, "subscriber", keep_session=True) as subscriber:
        wait_for(
            lambda: len(subscriber.messages) >= len(payloads), lambda: f"{len(subscriber.messages)} came"
        )
    assert [message.payload for message in subscriber.messages] == payloads


def test_mosquitto_saves_more_often_than_the_publisher_forgets() -> None:
    """So that what Mosquitto had acknowledged and not saved when it was killed is sent again.

    It saves when more than `autosave_interval` seconds have passed, by a clock of whole seconds.
    """
    text = MOSQUITTO_CONF.read_text()
    [shipped] = re.findall(r"^autosave_interval (\d+)$", text, re.MULTILINE)
    [for_a_memory_card] = re.findall(r"For a memory card: autosave_interval (\d+)", text)
    assert 0 < int(shipped) < int(for_a_memory_card) < outbox_sender._SETTLING - 2
