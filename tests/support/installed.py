"""Brokers from npm and PyPI, which `python -m tests.brokers.install` puts into a folder of the clone."""

from collections.abc import Mapping
from pathlib import Path

from tests.support.brokers import Access, Broker, Login, find_program, missing
from tests.support.ports import HOST, free_port
from tests.support.processes import ROOT, Process

# What the installation needs, and where it goes: a folder for each broker.
NEEDED, INSTALLED = ROOT / "tests" / "brokers", ROOT / "tmp" / "brokers"
_AMQTT_CONFIGURATION = """\
listeners:
  default: {{ type: tcp, bind: "{host}:{port}" }}
plugins:
  amqtt.plugins.authentication.AnonymousAuthPlugin: {{ allow_anonymous: false }}
"""


class Aedes(Broker):
    """aedes, of JavaScript, with its sessions in `folder`."""

    persistent = True

    def __init__(self, folder: Path) -> None:
        super().__init__(Access(free_port()))
        self._folder = folder

    def _process(self) -> Process:
        script = _installed("aedes/broker.js")
        command = [find_program("node"), str(script), str(self.port), str(self._folder / "sessions")]
        return Process("aedes", command, self._folder)


class Amqtt(Broker):
    """amqtt, of Python, which keeps a session only of those who give a name."""

    persistent = False
    # it does not answer a CONNECT of MQTT 5
    settings: Mapping[str, str] = {"MQTT_VERSION": "3.1.1"}

    def __init__(self, folder: Path) -> None:
        super().__init__(Access(free_port(), login=Login("averages", "whatever")))
        self._folder = folder

    def _process(self) -> Process:
        program = _installed("amqtt/bin/amqtt")
        path = self._folder / "amqtt.yaml"
        path.write_text(_AMQTT_CONFIGURATION.format(host=HOST, port=self.port))
        return Process("amqtt", [str(program), "-c", str(path)], self._folder)


def _installed(name: str) -> Path:
    path = INSTALLED / name
    return path if path.exists() else missing(f"{name} is not installed: python -m tests.brokers.install")
