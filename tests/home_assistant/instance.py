"""A real Home Assistant with its MQTT integration, without a front end, asked by its REST API."""

import json
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from tests.support.ports import HOST, free_port
from tests.support.processes import Process
from tests.support.waiting import wait_for

_RUN = Path(__file__).with_name("run_home_assistant.py")
_CONFIGURATION = """\
http:
  server_host: {host}
  server_port: {port}
api:
auth:
onboarding:
websocket_api:
config:
logger:
  default: warning
"""
_CLIENT = "http://127.0.0.1/"
# Seconds.
_START_TIMEOUT, _REQUEST_TIMEOUT = 180.0, 30.0


class HomeAssistant:
    """One that is started in `folder`, and knows no device yet."""

    def __init__(self, python: Path, folder: Path) -> None:
        """`python` is that of its own environment."""
        self._folder = folder
        self._url = f"http://{HOST}:{(port := free_port())}"
        self._token = ""
        (folder / "configuration.yaml").write_text(_CONFIGURATION.format(host=HOST, port=port))
        self.process = Process("home-assistant", [str(python), str(_RUN), str(folder)], folder)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.process.start()
        wait_for(self._answers, lambda: f"Home Assistant:\n{self.process.stderr[-3000:]}", _START_TIMEOUT)

    def set_up(self, broker_port: int) -> None:
        """Make its first user, and connect its MQTT integration."""
        user = {"client_id": _CLIENT, "name": "t", "username": "t", "password": "t", "language": "en"}
        code = self._ask("/api/onboarding/users", user)["auth_code"]
        grant = {"client_id": _CLIENT, "code": code, "grant_type": "authorization_code"}
        self._token = self._ask("/auth/token", urlencode(grant))["access_token"]
        flow = self._ask("/api/config/config_entries/flow", {"handler": "mqtt"})
        done = self._ask(
            f"/api/config/config_entries/flow/{flow['flow_id']}", {"broker": HOST, "port": broker_port}
        )
        assert done["type"] == "create_entry", done

    def restart(self) -> None:
        """End it, and start it again with what it has stored."""
        self.process.stop()
        self.start()

    def states(self) -> dict[str, dict[str, Any]]:
        """Return the states of all sensors, by their ids."""
        found = self._ask("/api/states")
        return {each["entity_id"]: each for each in found if each["entity_id"].startswith("sensor.")}

    def state(self, entity_id: str) -> str | None:
        """Return the state of one, None if there is no such entity."""
        found = self.states().get(entity_id)
        return None if found is None else str(found["state"])

    def render(self, template: str) -> str:
        """Return what it makes of a template."""
        return str(self._ask("/api/template", {"template": template}))

    def registry(self) -> dict[str, dict[str, Any]]:
        """Return all entities that it has stored, the disabled ones too, by their ids. Some seconds late."""
        path = self._folder / ".storage" / "core.entity_registry"
        content = json.loads(path.read_text()) if path.exists() else {"data": {"entities": []}}
        return {each["entity_id"]: each for each in content["data"]["entities"]}

    @property
    def complaints(self) -> list[str]:
        """The lines of its log that are about MQTT, about our entities, or about templates, as ours are."""
        return [
            line
            for line in self.process.stderr.splitlines()
            if any(word in line.lower() for word in ("mqtt", "average", "sensor", "template"))
        ]

    def _answers(self) -> bool:
        assert self.process.running, f"Home Assistant ended:\n{self.process.stderr}"
        try:
            if not self._token:
                self._ask("/api/onboarding")
                return True
            return bool(self._ask("/api/config")["state"] == "RUNNING")
        except (URLError, ConnectionError, TimeoutError):
            return False

    def _ask(self, path: str, content: object = None) -> Any:
        """Ask it by a GET, or by a POST if there is any content."""
        data = None if content is None else content if isinstance(content, str) else json.dumps(content)
        headers = {} if isinstance(content, str) else {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = Request(f"{self._url}{path}", data.encode() if data else None, headers)
        try:
            with urlopen(request, timeout=_REQUEST_TIMEOUT) as answer:
                text = answer.read().decode()
                is_json = "json" in answer.headers.get("Content-Type", "")
                return json.loads(text) if is_json else text
        except HTTPError as error:
            with error:
                raise AssertionError(f"{path}: {error.code} {error.read()[:500]!r}") from None
