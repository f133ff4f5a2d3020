"""`manage.py web`: the page's API, metrics and health, served by the real role."""

import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeRole
from tests.support.brokers import Mosquitto
from tests.support.database import wait_for_rows
from tests.support.mqtt_client import Peer
from tests.support.ports import HOST, free_port
from tests.support.processes import Role, end_well
from tests.support.waiting import on_this_machine, wait_for
from tests.support.web import ask, events

TOKEN = "a-token-for-this-test"


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def web(mosquitto: Mosquitto, make_role: MakeRole, port: int) -> Role:
    """Have the page served beside a subscriber of home/#, with a tick every 200 ms."""
    settings = {"STATS_INTERVAL": "200ms", "TOPIC": "home/#"}
    make_role("subscriber", broker=mosquitto, **settings).start_and_wait()
    return make_role("web", broker=mosquitto, WEB_PORT=str(port), **settings).start_and_wait()


def wait_for_series(port: int, *names: str) -> dict[str, Any]:
    """Return the rows of series by their names, when they are there."""

    def found() -> dict[str, Any] | None:
        rows = {row["name"]: row for row in ask(port, "/api/v1/series").content["series"]}
        return rows if set(names) <= set(rows) else None

    return wait_for(found, lambda: f"{names}: {ask(port, '/api/v1/series').text}")


def codes(port: int) -> list[str]:
    return [problem["code"] for problem in ask(port, "/api/v1/health").content["problems"]]


def test_what_is_published_can_be_asked_for(
    mosquitto: Mosquitto, web: Role, port: int, database: Path
) -> None:
    # it is connected at any moment, also before
    assert any(line.endswith(f"the page is at http://127.0.0.1:{port}/") for line in web.log_lines("INFO"))
    with Peer(mosquitto.access) as peer:
        peer.publish("home/a/t", "20", "21")
        peer.publish("home/b", "rubbish")
        wait_for_rows(database, 2)
        wait_for(
            lambda: wait_for_series(port, "home/a/t")["home/a/t"]["count"] == 2, "both readings in a window"
        )
    row = ask(port, "/api/v1/series/home/a/t").content
    assert row["windows"]["1min"]["avg"] == 20.5
    assert row["stored"]["topic"] == "home/a/t"
    history = ask(port, "/api/v1/history?series=home/a/t&span=1min").content
    assert history["readings"]["value"] == [20.0, 21.0]
    assert history["complete"] is True
    assert history["averages"]["curves"][0]["value"][-1] == 20.5
    [reason] = ask(port, "/api/v1/rejected").content["reasons"]
    assert (reason["reason"], reason["topics"]) == ("not JSON", [{"topic": "home/b", "kept": 1}])
    wait_for(lambda: ask(port, "/api/v1/health").content["balance"]["received"] == 3, "the counters")
    health = ask(port, "/api/v1/health").content
    assert health["balance"] == {"received": 3, "accounted": 3, "difference": 0}
    assert ask(port, "/readyz").status == 200
    samples = ask(port, "/metrics/series?match=home/%23").text
    assert 'averages_window_average{series="home/a/t",window="1min"} 20.5' in samples
    assert 'averages_messages_total{result="stored"} 2.0' in ask(port, "/metrics").text
    assert ask(port, "/").headers["content-type"].startswith("text/html")
    assert web.complaints() == []


def test_new_numbers_are_told_within_a_second(mosquitto: Mosquitto, web: Role, port: int) -> None:
    with Peer(mosquitto.access) as peer, events(port) as told:
        peer.publish("home/a", "1")
        wait_for_series(port, "home/a")
        before = next(told)["version"]
        while (event := next(told))["version"] == before:
            pass
        assert event["connected"] is True
        peer.publish("home/new", "2")
        sent = time.monotonic()
        while "home/new" not in ask(port, "/api/v1/series?search=new").text:
            next(told)
        # a tick comes 200 ms later at most
        assert time.monotonic() - sent < on_this_machine(1.5)
    assert web.running


def test_a_broker_that_is_gone_is_told_and_got_over(mosquitto: Mosquitto, web: Role, port: int) -> None:
    with Peer(mosquitto.access) as peer:
        peer.publish("home/a", "1")
        wait_for_series(port, "home/a")
    wait_for(lambda: ask(port, "/readyz").status == 200, "all is well")
    with events(port) as told:
        assert next(told)["connected"] is True
        mosquitto.stop()
        while next(told)["connected"]:
            pass
        assert codes(port)[0] == "broker_gone"
        assert ask(port, "/api/v1/health").content["broker"]["trouble"]
        assert ask(port, "/readyz").text == "not ready: broker_gone\n"
        assert ask(port, "/healthz").status == 200
        assert ask(port, "/metrics/series?match=%23").status == 503
        assert "averages_broker_connected 0.0" in ask(port, "/metrics").text
        # what is stored can be asked for all the same
        assert ask(port, "/api/v1/history?series=home/a").content["readings"]["value"] == [1.0]
        mosquitto.start()
        while not next(told)["connected"]:
            pass
    wait_for(lambda: ask(port, "/readyz").status == 200, "all is well again")


def test_it_starts_before_everything_else(
    absent_mosquitto: Mosquitto, make_role: MakeRole, port: int, database: Path
) -> None:
    web = make_role("web", broker=absent_mosquitto, WEB_PORT=str(port)).start_and_wait()
    health = ask(port, "/api/v1/health").content
    assert health["trust"] == "bad"
    assert "broker_gone" in codes(port)
    assert (
        f"DB_FILE={database.relative_to(database.parents[1])} does not exist" in health["database"]["trouble"]
    )
    assert ask(port, "/api/v1/history?series=a").status == 503
    assert not database.exists()
    absent_mosquitto.start()
    make_role("subscriber", broker=absent_mosquitto).start_and_wait()
    wait_for(lambda: ask(port, "/api/v1/health").content["trust"] == "good", "all is well")
    assert web.running


@pytest.mark.parametrize(
    "other", [(1, "the subscriber upgrades it when it starts"), (99, "update this program")]
)
def test_a_database_of_another_version_is_told_and_left_alone(
    absent_mosquitto: Mosquitto, make_role: MakeRole, port: int, database: Path, other: tuple[int, str]
) -> None:
    version, told = other
    database.parent.mkdir()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA application_id = 1836147062")
        connection.execute(f"PRAGMA user_version = {version}")
    before = database.read_bytes()
    make_role("web", broker=absent_mosquitto, WEB_PORT=str(port)).start_and_wait()
    assert told in ask(port, "/api/v1/history?series=a").content["error"]
    assert told in ask(port, "/api/v1/health").content["database"]["trouble"]
    assert database.read_bytes() == before


def test_a_token_is_asked_for_where_others_reach_it(
    absent_mosquitto: Mosquitto, make_role: MakeRole, port: int
) -> None:
    settings = {"WEB_HOST": "0.0.0.0", "WEB_PORT": str(port)}
    refused = make_role("web", broker=absent_mosquitto, **settings).start()
    assert refused.wait() == 2
    [line] = refused.stderr.splitlines()
    assert line.startswith("Error: WEB_HOST=0.0.0.0 can be reached from other machines: set WEB_TOKEN")
    settings |= {"WEB_TOKEN": TOKEN, "LOG_LEVEL": "DEBUG"}
    web = make_role("web", broker=absent_mosquitto, **settings).start_and_wait()
    assert ask(port, "/api/v1/series").status == 401
    for host in (HOST, "averages.example"):
        headers = {"Authorization": f"Bearer {TOKEN}", "Host": host}
        assert ask(port, "/api/v1/series", headers).status == 200
    assert ask(port, "/healthz", {"Host": "averages.example"}).status == 200
    assert TOKEN not in web.stderr
    assert TOKEN not in Path(f"/proc/{web.pid}/cmdline").read_text()


def test_a_container_whose_port_is_published_on_loopback_needs_none(
    absent_mosquitto: Mosquitto, make_role: MakeRole, port: int
) -> None:
    settings = {"WEB_HOST": "0.0.0.0", "WEB_PORT": str(port)}
    make_role("web", "--published-on-loopback", broker=absent_mosquitto, **settings).start_and_wait()
    assert ask(port, "/api/v1/series").status == 200
    assert ask(port, "/api/v1/series", {"Host": "evil.example"}).status == 421


def test_a_port_that_is_taken_is_told_in_one_line(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    role = make_role("web", broker=mosquitto, WEB_PORT=str(mosquitto.port)).start()
    assert role.wait() == 1
    [line] = role.stderr.splitlines()
    assert line.startswith(f"Error: WEB_PORT={mosquitto.port} on 127.0.0.1 is in use by another program")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_it_ends_when_it_is_told_to_with_clients_or_without(
    web: Role, port: int, number: signal.Signals
) -> None:
    with events(port) as told:
        next(told)
        end_well(number, web)
        assert list(told) is not None  # the stream comes to its end
    assert web.complaints() == []
