"""Several subscribers that share the topics of a group: each message comes to one of them, and is counted."""

from pathlib import Path

from tests.conftest import MakeRole
from tests.support.brokers import Mosquitto
from tests.support.database import rows
from tests.support.mqtt_client import Peer
from tests.support.waiting import wait_for


def test_each_message_is_stored_by_one_member_of_the_group(
    mosquitto: Mosquitto, make_role: MakeRole, tmp_path: Path
) -> None:
    """Its series has the name of its topic, without the group."""
    paths = [tmp_path / "one.db", tmp_path / "two.db"]
    for path in paths:
        settings = {"TOPIC": "$share/g/home/+", "CLIENT_ID": path.stem, "DB_FILE": path.name}
        make_role("subscriber", broker=mosquitto, **settings).start_and_wait()
    with Peer(mosquitto.access) as peer:
        peer.subscribe("STATS/#")
        peer.publish("home/a", *(str(number) for number in range(40)))
        wait_for(
            lambda: sorted(row.value for path in paths for row in rows(path)) == list(range(40)),
            "each of 40 readings is stored once",
        )
        assert all(rows(path) for path in paths)
        peer.wait_for_message("STATS/home/a")


def test_check_takes_no_message_away_from_the_group(
    mosquitto: Mosquitto, make_role: MakeRole, tmp_path: Path
) -> None:
    path = tmp_path / "one.db"
    settings = {"TOPIC": "$share/g/home/+", "DB_FILE": path.name}
    make_role("subscriber", broker=mosquitto, **settings).start_and_wait()
    check = make_role("check", broker=mosquitto, **settings).start()
    with Peer(mosquitto.access) as peer:
        sent = 0
        while check.running:
            peer.publish("home/a", str(sent))
            sent += 1
    assert check.wait() == 0, check.stdout
    wait_for(lambda: len(rows(path)) == sent, lambda: f"{sent} readings, {len(rows(path))} are stored")
