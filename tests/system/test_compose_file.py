"""The compose files and the configuration of Mosquitto that goes with them, as their programs read them."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import pytest

from tests.support.brokers import Access, Broker, find_program, missing
from tests.support.mqtt_client import Peer
from tests.support.ports import HOST, free_port
from tests.support.processes import ROOT, Process, settings_only
from tests.support.waiting import wait_for

NORMAL = ("docker-compose.yml",)
DEBUG = ("docker-compose.yml", "docker-compose-debug.yml")
MOSQUITTO_CONF = ROOT / "config" / "mosquitto" / "mosquitto.conf"


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
        """Return all that compose says of the files, with `settings` in the user's environment."""
        named = [argument for file in files for argument in ("-f", file)]
        done = self._run([*self._command, *named, "config", *arguments], settings)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

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
def mosquitto() -> Iterator[Broker]:
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


def test_log_levels(compose: Compose) -> None:
    """The roles are quiet unless the user or the debug file says otherwise."""
    assert compose.config().count("LOG_LEVEL: WARNING") == 4
    assert compose.config(LOG_LEVEL="INFO").count("LOG_LEVEL: INFO") == 4
    assert compose.config(files=DEBUG, LOG_LEVEL="INFO").count("LOG_LEVEL: DEBUG") == 4


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
    assert "web --published-on-loopback" in " ".join(re.findall(r"[\w-]+", written))
    assert "WEB_HOST: 0.0.0.0" in written


def test_the_port_of_the_page_is_the_users_to_choose(compose: Compose) -> None:
    """Within the container it stays what it is."""
    written = compose.config(WEB_PORT="9000", WEB_TOKEN="0123456789abcdef")
    assert re.search(r"WEB_PORT: '?8080'?$", written, re.MULTILINE)
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


def test_killed_mosquitto_delivers_what_it_acknowledged(mosquitto: Broker) -> None:
    """More messages than Mosquitto would keep by default wait through SIGKILL; none is lost."""
    payloads = [b"%d" % number for number in range(1100)]
    mosquitto.start()
    with Peer(mosquitto.access, "subscriber", keep_session=True) as subscriber:
        subscriber.subscribe("DATA")
    with Peer(mosquitto.access) as sensor:
        sensor.publish("DATA", *payloads)
        # it acknowledges first and saves then, so that the very last one may be lost
        sensor.publish("DATA", "one more")
        mosquitto.kill()
    mosquitto.start()
    with Peer(mosquitto.access, "subscriber", keep_session=True) as subscriber:
        wait_for(
            lambda: len(subscriber.messages) >= len(payloads), lambda: f"{len(subscriber.messages)} came"
        )
    assert [message.payload for message in subscriber.messages[: len(payloads)]] == payloads
