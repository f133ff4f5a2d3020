"""`manage.py backup` while the subscriber takes in readings, and going on from an old copy."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from models.storage.batch import Batch
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.store import Store
from scheduler_app.intake.redelivery import Redeliveries
from scheduler_app.mqtt.message import Message
from tests.conftest import MakeRole
from tests.faults.load import Kind, Load
from tests.faults.stored import books, count_stored, remembered_messages
from tests.support.brokers import Mosquitto
from tests.support.database import values, wait_for_rows
from tests.support.mqtt_client import Peer
from tests.support.processes import manage
from tests.support.waiting import wait_for

# More than are sent before the copies are made.
COUNT, RATE = 1_000_000, 400.0
COPIES = 5


def back_up(database: Path, copy: Path) -> str:
    """Run `manage.py backup`; return what it says."""
    done = manage("backup", str(copy), folder=copy.parent, environment={"DB_FILE": str(database)})
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_copies_under_load(mosquitto: Mosquitto, make_role: MakeRole, database: Path, tmp_path: Path) -> None:
    """Each is sound, and has the first so many readings; the subscriber is not disturbed."""
    subscriber = make_role("subscriber", broker=mosquitto).start_and_wait()
    copies = [tmp_path / f"copy-{number}.db" for number in range(COPIES)]
    with Load(mosquitto.access, COUNT, RATE, Kind.NUMBERS) as load:
        for copy in copies:
            wait_for_rows(database, count_stored(database) + 100)
            back_up(database, copy)
        wait_for_rows(database, count_stored(database) + 100)
    wait_for_rows(database, load.acknowledged.total())
    stored = values(database)
    assert stored == [float(number) for number in range(len(stored))]
    for copy in copies:
        with closing(sqlite3.connect(copy)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = values(copy)
        assert found
        assert found == stored[: len(found)]
        assert books(copy)["stored"] == len(found)
    assert [len(values(copy)) for copy in copies] == sorted({len(values(copy)) for copy in copies})
    assert subscriber.complaints() == []


def test_an_old_copy_drops_no_honest_reading(
    mosquitto: Mosquitto, make_role: MakeRole, database: Path, tmp_path: Path
) -> None:
    """The broker's session has gone on since the copy, and its packet ids have come round.

    What is in flight then has the DUP flag, and by chance packet id, topic and payload of what was remembered
    when the copy was made. It was never stored, so it must be; and what waits behind it comes too.
    """
    subscriber = make_role("subscriber", broker=mosquitto).start_and_wait()
    with Peer(mosquitto.access) as sensor:
        sensor.publish("DATA", *["21.5"] * 10)
        wait_for_rows(database, 10)
        subscriber.stop()
        remember(
            database, [Message("DATA", b"21.5", 1, False, False, number, 0.0) for number in range(1, 101)]
        )
        assert remembered_messages(database) >= 100
        copy = tmp_path / "copy.db"
        assert back_up(database, copy).startswith(f"{copy}: 10 readings, ")
        start_over(mosquitto, "averages-subscriber")
        sensor.publish("DATA", *["21.5"] * 50)
        hold(mosquitto, "averages-subscriber", range(1, 51))
        sensor.publish("DATA", "22.5")
        for old in database.parent.glob(f"{database.name}*"):
            old.unlink()
        shutil.copy(copy, database)
        subscriber.start_and_wait()
        wait_for(lambda: 22.5 in values(database), "what waits is stored")
    assert values(database) == [21.5] * 60 + [22.5]
    assert books(database).get("duplicates", 0) == 0


def remember(database: Path, messages: list[Message]) -> None:
    """Have the database remember `messages`, as one that was killed before it had proof."""
    with closing(Store(writing_database(database), "averages-subscriber")) as store:
        redeliveries = Redeliveries(store.deliveries())
        rows = redeliveries.rows(redeliveries.look_at(messages))
        store.add(Batch(deliveries=rows.written, forgotten=rows.deleted))


def start_over(broker: Mosquitto, client_id: str) -> None:
    """Give the client a session whose packet ids begin with 1, with the same subscription."""
    with Peer(broker.access, client_id):
        pass  # a clean start
    with Peer(broker.access, client_id, keep_session=True) as subscriber:
        subscriber.subscribe("DATA")


def hold(broker: Mosquitto, client_id: str, packet_ids: range) -> None:
    """Receive what waits in the client's session, and acknowledge none of it."""
    with Peer(broker.access, client_id, keep_session=True, acknowledge=False) as subscriber:
        wait_for(lambda: len(subscriber.messages) == len(packet_ids), "all are in flight")
        assert [message.packet_id for message in subscriber.messages] == list(packet_ids)
