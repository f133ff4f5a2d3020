"""Prometheus, as Debian has it, with the configuration that we ship; and the dashboard that asks it."""

import json
import re
import subprocess
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeRole
from tests.support.brokers import Mosquitto, find_program
from tests.support.mqtt_client import Peer
from tests.support.ports import HOST, accepts_connections, free_port
from tests.support.processes import ROOT, Process
from tests.support.waiting import wait_for
from tests.support.web import ask

CONFIGURATION = ROOT / "config" / "prometheus"
DASHBOARD = ROOT / "config" / "grafana" / "averages.json"


def promtool(*arguments: str, given: str | None = None) -> str:
    """Return what promtool says; fail if it finds anything wrong."""
    done = subprocess.run(
        [find_program("promtool"), *arguments],
        input=given,
        capture_output=True,
        text=True,
        cwd=CONFIGURATION,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def expressions() -> dict[str, list[str]]:
    """Return what each panel of the dashboard asks for, by its title."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return {panel["title"]: [target["expr"] for target in panel["targets"]] for panel in panels}


def filled_in(expression: str) -> str:
    """Return an expression as Grafana sends it."""
    for name, value in (("$series", ".*"), ("$window", ".*"), ("$__rate_interval", "1m")):
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression


class Prometheus:
    """Prometheus with our configuration, but for the ports and how often it asks."""

    def __init__(self, folder: Path, watched: int) -> None:
        self._folder = folder
        self._port = free_port()
        (folder / "rules.yml").write_text((CONFIGURATION / "rules.yml").read_text())
        text, number = re.subn(
            r"127\.0\.0\.1:8080", f"{HOST}:{watched}", (CONFIGURATION / "prometheus.yml").read_text()
        )
        assert number == 2
        (folder / "prometheus.yml").write_text(text.replace("_interval: 15s", "_interval: 500ms"))
        self.process = Process(
            "prometheus",
            [
                find_program("prometheus"),
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address={HOST}:{self._port}",
                "--log.level=warn",
            ],
            folder,
        )

    def start(self) -> None:
        self.process.start()
        wait_for(
            lambda: accepts_connections(self._port) and ask(self._port, "/-/ready").status == 200,
            lambda: f"Prometheus; its log:\n{self.process.stderr}",
        )

    def api(self, address: str) -> Any:
        answer = ask(self._port, f"/api/v1/{address}")
        assert answer.status == 200, answer.text
        return answer.content["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        found = self.api(f"query?query={urllib.parse.quote(expression)}")["result"]
        assert isinstance(found, list)
        return found

    def wait_for_any(self, expression: str, why: str) -> None:
        wait_for(lambda: self.query(expression), f"a value of {expression}, {why}")

    def alerts(self) -> set[str]:
        """Return the names of the alerts that are pending or firing."""
        return {alert["labels"]["alertname"] for alert in self.api("alerts")["alerts"]}

    def wait_for_value(self, expression: str, expected: float | None) -> None:
        """Wait until an expression has a value: each of our addresses is asked at moments of its own."""
        wait_for(
            lambda: self.value(expression) == expected,
            lambda: f"{expected} from {expression}, not {self.query(expression)}",
        )

    def value(self, expression: str) -> float | None:
        """Return the one value that an expression has now, None if it has none."""
        found = self.query(expression)
        assert len(found) <= 1, found
        return float(found[0]["value"][1]) if found else None


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def prometheus(tmp_path: Path, port: int) -> Iterator[Prometheus]:
    folder = tmp_path / "prometheus"
    folder.mkdir()
    found = Prometheus(folder, port)
    try:
        yield found
    finally:
        found.process.end()


def test_promtool_finds_nothing_wrong_with_our_configuration() -> None:
    assert "is valid prometheus config file syntax" in promtool("check", "config", "prometheus.yml")
    assert "rules found" in promtool("check", "rules", "rules.yml")


def test_each_alert_comes_when_it_should_and_not_before() -> None:
    assert "SUCCESS" in promtool("test", "rules", "tests.yml")
    rules = re.findall(r"- alert: (\w+)", (CONFIGURATION / "rules.yml").read_text())
    tests = (CONFIGURATION / "tests.yml").read_text()
    assert len(rules) >= 10
    for rule in rules:
        assert f"{{eval_time: 50m, alertname: {rule}}}" in tests, f"{rule} is not tried where all is well"
        assert re.search(rf"alertname: {rule}\n +exp_alerts:", tests), f"{rule} is not tried"


def test_the_real_program_scrapes_what_the_real_role_serves(
    mosquitto: Mosquitto, make_role: MakeRole, port: int, prometheus: Prometheus
) -> None:
    settings = {"STATS_INTERVAL": "200ms", "TOPIC": "home/#"}
    make_role("subscriber", broker=mosquitto, **settings).start_and_wait()
    make_role("web", broker=mosquitto, WEB_PORT=str(port), **settings).start_and_wait()
    prometheus.start()
    average = 'averages_window_average{series="home/a",window="5min"}'
    with Peer(mosquitto.access) as peer:
        peer.publish("home/a", "20", "21")
        peer.publish("home/b", "rubbish")
        prometheus.wait_for_value(average, 20.5)
    for address in ("/metrics", "/metrics/series?match=%23"):
        assert promtool("check", "metrics", given=ask(port, address).text) == ""
    prometheus.wait_for_value('averages_messages_total{result="stored"}', 2.0)
    prometheus.wait_for_value('averages_window_readings{series="home/a",window="1min"}', 2.0)
    prometheus.wait_for_value("sum(up)", 2.0)

    # the dashboard asks for nothing that is not there
    for title, asked in expressions().items():
        for expression in asked:
            prometheus.wait_for_any(filled_in(expression), f"which the panel {title!r} asks for")
    rules = [rule for group in prometheus.api("rules")["groups"] for rule in group["rules"]]
    assert {rule["health"] for rule in rules} <= {"ok", "unknown"}

    # a number that is old is none
    mosquitto.stop()
    prometheus.wait_for_value(average, None)
    prometheus.wait_for_value('up{job="averages"}', 1.0)
    prometheus.wait_for_value('up{job="averages-series"}', 0.0)
    prometheus.wait_for_value("averages_broker_connected", 0.0)
    wait_for(lambda: "AveragesBrokerGone" in prometheus.alerts(), "an alert that is pending")
