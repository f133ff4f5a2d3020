"""The database file is deleted, moved, replaced or damaged under a running role."""

import resource
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from models.storage.sqlite.opening import prepare
from tests.conftest import MakeRole
from tests.support.brokers import Mosquitto
from tests.support.damage import damage
from tests.support.database import locked, outgoing, values, wait_for_rows
from tests.support.mqtt_client import Peer
from tests.support.processes import Role, manage
from tests.support.waiting import stays, wait_for
from tests.unit.database_file import store_readings

FAST = {"STATS_INTERVAL": "200ms"}
ACKNOWLEDGED = "Received PUBACK from averages-subscriber"


def delete(path: Path) -> None:
    path.unlink()


def delete_all(path: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def delete_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def move(path: Path) -> None:
    path.rename(path.with_name("moved.db"))


def replace(path: Path) -> None:
    other = path.with_name("other.db")
    prepare(other)
    other.replace(path)


def delete_log(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


def numbers(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last + 1)]


def assert_one_line(role: Role, beginning: str) -> None:
    """Fail unless the role has ended with status 1 and this one line, beside what is no error."""
    assert role.wait() == 1, role.stderr
    lines = [line for line in role.stderr.splitlines() if "| INFO" not in line and "| WARN" not in line]
    assert len(lines) == 1, role.stderr
    assert lines[0].startswith(f"Error: {beginning}"), role.stderr


@pytest.mark.parametrize("deed", [delete, delete_all, delete_folder, move, replace, delete_log])
def test_nothing_that_is_acknowledged_afterwards_is_lost(
    mosquitto: Mosquitto, make_role: MakeRole, database: Path, deed: Callable[[Path], None]
) -> None:
    """The subscriber ends; the next start stores all that has come since."""
    subscriber = make_role("subscriber", broker=mosquitto, STATS_INTERVAL="1h").start_and_wait()
    with Peer(mosquitto.access) as peer:
        peer.publish("DATA", *numbers(1, 300))
        wait_for_rows(database, 300)
        wait_for(lambda: len(mosquitto.packets(ACKNOWLEDGED)) == 300, "300 acknowledgements")
        deed(database)
        peer.publish("DATA", *numbers(301, 900))
        assert_one_line(subscriber, "DB_FILE=tmp/test.db ")
        assert len(mosquitto.packets(ACKNOWLEDGED)) == 300
        # what is there now, another database too, is begun with as if it had always been
        make_role("subscriber", broker=mosquitto, **FAST).start_and_wait()
        peer.publish("DATA", "901")
        wait_for(lambda: 901.0 in values(database), "the last reading")
    first = 1 if deed is delete_log else 301
    assert values(database) == [float(number) for number in range(first, 902)]


def test_it_is_noticed_when_nothing_comes(mosquitto: Mosquitto, make_role: MakeRole, database: Path) -> None:
    """And what was stored is whole in the file that was moved."""
    subscriber = make_role("subscriber", broker=mosquitto, **FAST).start_and_wait()
    with Peer(mosquitto.access) as peer:
        peer.publish("DATA", *numbers(1, 300))
    wait_for_rows(database, 300)
    move(database)
    assert_one_line(subscriber, "DB_FILE=tmp/test.db was deleted, moved")
    assert not database.exists()
    assert len(values(database.with_name("moved.db"))) == 300


def test_outbox_deleted(mosquitto: Mosquitto, make_role: MakeRole, tmp_path: Path) -> None:
    """The publisher ends too: what it had to send was in that file."""
    outbox = tmp_path / "tmp" / "outbox.db"
    often = ("--min-interval", "50ms", "--max-interval", "50ms")
    publisher = make_role("publisher", *often, broker=mosquitto).start_and_wait()
    wait_for(lambda: outgoing(outbox), "a reading in the outbox")
    outbox.unlink()
    assert_one_line(publisher, "OUTBOX_FILE=tmp/outbox.db was deleted, moved")
    assert not outbox.exists()
    make_role("publisher", *often, broker=mosquitto).start_and_wait()
    wait_for(lambda: outgoing(outbox), "a reading in the new outbox")


def test_damaged_where_it_is_written(mosquitto: Mosquitto, make_role: MakeRole, database: Path) -> None:
    """What comes is held and not acknowledged, one line says what to do, and that helps."""
    prepare(database)
    damage(database, "reading")
    subscriber = make_role("subscriber", broker=mosquitto, **FAST).start()
    subscriber.wait_for_log("subscribed to DATA")
    with Peer(mosquitto.access) as peer:
        peer.publish("DATA", *numbers(1, 10))
        subscriber.wait_for_log("until then what arrives is neither stored nor acknowledged")
        stays(lambda: not mosquitto.packets(ACKNOWLEDGED), "no acknowledgement", 1.0)
        # one of the thread that writes, and one of the statistics
        complaints = subscriber.log_lines("ERROR")
        assert len(complaints) == 2, subscriber.stderr
        assert all("DB_FILE=tmp/test.db is damaged (" in complaint for complaint in complaints)
        assert subscriber.stop() == 0
        move(database)
        make_role("subscriber", broker=mosquitto, **FAST).start_and_wait()
        wait_for_rows(database, 10)


@pytest.mark.parametrize("table", ["delivery", "series", "subscription", "reading"])
def test_damaged_at_the_start(make_role: MakeRole, database: Path, table: str) -> None:
    """What is needed to begin cannot be read: that is told in one line."""
    store_readings(database, {"DATA": [(time.time(), 1.0)]})
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT INTO counter VALUES ('', 'received', 1)")
    damage(database, table)
    assert_one_line(make_role("subscriber").start(), "DB_FILE=tmp/test.db is damaged (")


@pytest.mark.parametrize(
    "command", ["series", "rejected", "history DATA", "audit --duration 100ms", "check"], ids=str
)
def test_commands_on_a_damaged_database(
    mosquitto: Mosquitto, database: Path, tmp_path: Path, command: str
) -> None:
    """They end with one line and status 1."""
    store_readings(database, {"DATA": [(time.time(), 1.0)]})
    for table in ("series", "rejected_message"):
        damage(database, table)
    with Peer(mosquitto.access) as peer:
        peer.publish("STATS", "{}", retain=True)
    done = manage(*command.split(), folder=tmp_path, environment=mosquitto.environment)
    assert done.returncode == 1
    lines = (done.stdout if command == "check" else done.stderr).splitlines()
    told = [line for line in lines if "| INFO" not in line and not line.startswith(("ok", "FAIL  result"))]
    assert len([line for line in told if "DB_FILE=tmp/test.db is damaged (" in line]) == 1
    assert len(told) == 1
    assert "Traceback" not in done.stderr


def test_health_while_nothing_can_be_stored(
    mosquitto: Mosquitto, make_role: MakeRole, database: Path, tmp_path: Path
) -> None:
    """A subscriber that holds what arrives is not well, says why, and is well again when it is stored."""
    health_file = tmp_path / "health"
    settings = {**FAST, "HEALTH_FILE": str(health_file)}
    subscriber = make_role("subscriber", broker=mosquitto, **settings).start()
    wait_for(health_file.exists, "it is well")
    with Peer(mosquitto.access) as peer, locked(database):
        peer.publish("DATA", "1")
        subscriber.wait_for_complaint("the database cannot be written")
        health_file.unlink()
        stays(lambda: not health_file.exists(), "not well", 3.0)
        status = manage("status", folder=tmp_path, environment=mosquitto.environment)
        assert "trouble: the database cannot be written (database is locked)" in status.stdout
    wait_for(health_file.exists, "it is well again")
    assert values(database) == [1.0]


def test_health_while_the_outbox_cannot_be_written(
    mosquitto: Mosquitto, make_role: MakeRole, tmp_path: Path
) -> None:
    """A publisher whose readings wait for its disk is not well, and is again when they are stored."""
    health_file = tmp_path / "health"
    pauses = ("--min-interval", "100ms", "--max-interval", "100ms")
    settings = {"HEALTH_FILE": str(health_file)}
    publisher = make_role("publisher", *pauses, broker=mosquitto, **settings).start()
    wait_for(health_file.exists, "it is well")
    with locked(tmp_path / "tmp" / "outbox.db"):
        publisher.wait_for_complaint("the outbox cannot be written")
        health_file.unlink()
        stays(lambda: not health_file.exists(), "not well", 3.0)
    wait_for(health_file.exists, "it is well again")
    publisher.wait_for_log("the outbox can be written again; what was held is stored")


def test_a_database_that_cannot_be_read_for_a_while(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    """Both are told, that it cannot be read and that it can be again."""
    subscriber = make_role("subscriber", broker=mosquitto, **FAST).start_and_wait()
    limits = resource.prlimit(subscriber.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(subscriber.pid, resource.RLIMIT_NOFILE, (3, limits[1]))  # no further file can be opened
    subscriber.wait_for_complaint("cannot be read: unable to open database file; nothing can be published")
    resource.prlimit(subscriber.pid, resource.RLIMIT_NOFILE, limits)
    subscriber.wait_for_log("the database can be read again; what is in it is published")
    # on a busy machine a tick may be told to take longer than its interval, too
    assert len([line for line in subscriber.complaints() if "cannot be read" in line]) == 1
