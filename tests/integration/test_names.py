"""Topics that some brokers hand on and nobody can publish to: what is published of all others goes on."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from paho.mqtt.client import Client

from models.reading import Reading
from models.storage.batch import Batch
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.store import Store
from tests.conftest import MakeRole
from tests.support.brokers import Broker, EmbeddedBroker
from tests.support.database import rejected, rows, wait_for_rows
from tests.support.mqtt_client import Peer
from tests.support.waiting import wait_for
from tests.unit.stored import new_series, series_row

SETTINGS = {"TOPIC": "#", "STATS_INTERVAL": "100ms", "WINDOWS": "1s", "RETENTION": "2s"}
# What the library would refuse to publish to, what Mosquitto closes the connection for, and our own state.
NAMES = ("w/+", "w/#", "#", "w/\x01", "$state", "$metrics")


@contextmanager
def every_topic_allowed() -> Iterator[None]:
    """Have the test's own client publish to any topic."""
    check = Client._raise_for_invalid_topic
    Client._raise_for_invalid_topic = staticmethod(lambda topic: None)  # type: ignore[method-assign]
    try:
        yield
    finally:
        Client._raise_for_invalid_topic = staticmethod(check)  # type: ignore[method-assign]


def series_names(path: Path) -> set[str]:
    with closing(sqlite3.connect(path, timeout=20)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM series")}


def test_a_topic_with_a_wildcard_is_rejected_and_others_are_published(
    embedded: EmbeddedBroker, make_role: MakeRole, database: Path
) -> None:
    with Peer(embedded.access) as peer, every_topic_allowed():
        peer.subscribe("STATS/#")
        subscriber = make_role("subscriber", broker=embedded, **SETTINGS).start_and_wait()
        peer.publish_all([("a", "1"), ("w/+", "2"), ("b", "3")])
        wait_for_rows(database, 2)
        assert {row.series for row in rows(database)} == {"a", "b"}
        assert rejected(database) == [("w/+", b"2", "name not allowed")]
        for name in "ab":
            assert json.loads(peer.wait_for_message(f"STATS/{name}").payload)["series"] == name
        [line] = subscriber.complaints("a message")  # not that a slow machine skips a tick
        assert "'w/+': name not allowed, no topic may hold '+'" in line


@pytest.fixture
def earlier(database: Path) -> Path:
    """Return a database of an earlier version, which took all of `NAMES`."""
    database.parent.mkdir()
    prepare(database)
    store = Store(writing_database(database), "me")
    now = time.time()
    series = [series_row(number, name, now, 2.0) for number, name in enumerate(NAMES, start=1)]
    store.add(Batch(series=new_series(*series), readings=[Reading(row.id, now + 5, 7) for row in series]))
    store.close()
    return database


@pytest.mark.slow
def test_what_an_earlier_version_took_neither_starves_the_others_nor_stays(
    either_broker: Broker, make_role: MakeRole, earlier: Path
) -> None:
    """Old readings are looked for once a minute."""
    with Peer(either_broker.access) as peer:
        peer.subscribe("STATS/#")
        subscriber = make_role("subscriber", broker=either_broker, **SETTINGS).start_and_wait()
        peer.publish("a", "1")
        assert json.loads(peer.wait_for_message("STATS/a").payload)["last"]["value"] == 1
        assert series_names(earlier) == {*NAMES, "a"}
        wait_for(lambda: not series_names(earlier) & set(NAMES), lambda: f"gone:\n{subscriber.stderr}", 150)
        peer.publish("b", "2")
        peer.wait_for_message("STATS/b")
        assert [message.payload for message in peer.on("STATS/$state")] == [b"online"]
        assert subscriber.running
