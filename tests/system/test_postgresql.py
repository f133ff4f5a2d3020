"""The real `manage.py` with its readings on a real PostgreSQL server."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeRole
from tests.support.brokers import Mosquitto
from tests.support.mqtt_client import Peer
from tests.support.postgresql import PostgreSQL
from tests.support.processes import Role, manage
from tests.support.waiting import on_this_machine, wait_for

# Stands in no path and no topic.
SECRET = "horse"
COUNT = "SELECT count(*), count(DISTINCT value) FROM reading"


@pytest.fixture(scope="module")
def guarded() -> Iterator[PostgreSQL]:
    """Start a server that lets nobody in without the password."""
    server = PostgreSQL("guarded", password=f"correct {SECRET}: 50% @home/#1")
    try:
        yield server.start()
    finally:
        server.end()


def publish(mosquitto: Mosquitto, first: int, last: int) -> None:
    """Publish these numbers, each on one of ten topics."""
    with Peer(mosquitto.access) as peer:
        for number in range(first, last):
            payload = json.dumps({"number": number, "epochtime": time.time(), "id": str(number)})
            peer.publish(f"DATA/{number % 10}", payload)


def test_everything_that_works_with_a_file_works_with_a_server(
    guarded: PostgreSQL, mosquitto: Mosquitto, make_role: MakeRole, tmp_path: Path
) -> None:
    """And it is not taken for a file, nor is the password shown."""
    database = guarded.new_database()
    settings = {"DB_URL": database.url, "TOPIC": "DATA/#", "STATS_INTERVAL": "500ms"}
    shown: list[str] = []

    def ask(*arguments: str) -> str:
        done = manage(
            *arguments,
            folder=tmp_path,
            environment=mosquitto.environment | settings | {"LOG_LEVEL": "DEBUG"},
            timeout=on_this_machine(90.0),
        )
        shown.append(done.stdout + done.stderr)
        assert len(done.stderr.splitlines()) <= 1 or done.returncode == 0, done.stderr
        return done.stdout if done.returncode == 0 else done.stderr

    assert "has no tables of ours yet" in ask("series")
    subscriber = make_role("subscriber", broker=mosquitto, LOG_LEVEL="DEBUG", **settings).start_and_wait()
    publish(mosquitto, 0, 200)
    with Peer(mosquitto.access) as peer:
        peer.publish("DATA/0", "rubbish")
    wait_for(lambda: database.sql(COUNT) == [["200", "200"]], "200 readings")
    assert "is in use by another subscriber (process" in ask("subscriber")
    assert "pg_dump" in ask("backup", "copy.db")
    rows = [json.loads(line) for line in ask("series", "--format", "json").splitlines()]
    assert [(row["series"], row["count"]) for row in rows] == [(f"DATA/{number}", 20) for number in range(10)]
    assert len(ask("history", "DATA/3", "--csv").splitlines()) == 21
    assert "rubbish" in ask("rejected", "--json")
    assert "avg" in ask("audit", "--duration", "3s")
    wait_for(lambda: "200 messages" in ask("status"), "the counters")
    assert f"{database.server.port}/{database.name}: 200 readings, PostgreSQL " in ask("check")
    assert not list(tmp_path.rglob("*.db"))
    assert subscriber.stop() == 0
    assert SECRET not in "".join(shown) + subscriber.stdout + subscriber.stderr
    wrong = database.url.replace(SECRET, f"other-{SECRET}")
    settings["DB_URL"] = wrong
    assert "password authentication failed" in ask("subscriber")
    assert SECRET not in shown[-1]


def test_whoever_is_killed_or_left_alone_goes_on_where_it_was(
    mosquitto: Mosquitto, make_role: MakeRole
) -> None:
    """The subscriber dies in the midst of its work, and then the server does; each comes back."""
    server = PostgreSQL()
    try:
        database = server.start().new_database()
        settings = {"DB_URL": database.url, "TOPIC": "DATA/#"}

        def start() -> Role:
            return make_role("subscriber", broker=mosquitto, **settings).start_and_wait()

        subscriber = start()
        publish(mosquitto, 0, 100)
        subscriber.kill()
        publish(mosquitto, 100, 200)
        subscriber = start()
        server.kill9()
        publish(mosquitto, 200, 300)
        subscriber.wait_for_complaint("the database cannot be written")
        server.start()
        wait_for(lambda: database.sql(COUNT) == [["300", "300"]], "300 readings, each once")
        assert subscriber.stop() == 0
    finally:
        server.end()
