"""`manage.py check`: a line a check, and an exit status."""

from pathlib import Path

from tests.conftest import MakeRole
from tests.support.brokers import Access, Broker, EmbeddedBroker, Mosquitto
from tests.support.mqtt_client import Peer
from tests.support.ports import free_port
from tests.support.processes import manage
from tests.support.silent import SilentListener
from tests.support.waiting import wait_for

DROPPED = "$SYS/broker/publish/messages/dropped"


def findings(output: str) -> dict[str, str]:
    """Return how each check ended, by its name. Each is one line: how, name, text."""
    return {line.split()[1]: line.split()[0] for line in output.splitlines()}


def test_all_is_well(either_broker: Broker, tmp_path: Path) -> None:
    """Settings, database and broker are good: status 0."""
    done = manage("check", folder=tmp_path, environment=either_broker.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    found = findings(done.stdout)
    assert (found["settings"], found["database"], found["broker"]) == ("ok", "ok", "ok")
    assert "FAIL" not in found.values()
    assert list(found) == ["settings", "database", "disk", "broker", "topics", "session", "result"]
    assert found["result"] == ("ok" if found["session"] == "ok" else "warn")


def test_no_broker(tmp_path: Path) -> None:
    """A broker that is not there fails its check, and no other; the status is 1."""
    access = Access(free_port())
    done = manage("check", folder=tmp_path, environment=access.environment)
    assert done.returncode == 1
    found = findings(done.stdout)
    assert (found["database"], found["broker"]) == ("ok", "FAIL")
    assert access.address in done.stdout
    assert "Traceback" not in done.stderr


def test_hung_broker(tmp_path: Path) -> None:
    """A broker that accepts connections and never answers fails its check."""
    with SilentListener() as broker:
        done = manage("check", folder=tmp_path, environment=broker.access.environment)
    assert done.returncode == 1
    assert findings(done.stdout)["broker"] == "FAIL"


def test_messages_of_its_own_that_are_dropped_are_blamed_on_nobody(tmp_path: Path) -> None:
    """It finds the limit of a queue, and drops one message for it; the broker counts that one."""
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Mosquitto(folder, settings=("max_queued_messages 1000", "sys_interval 1")).start()
    try:
        for _ in range(2):
            done = manage("check", folder=tmp_path, environment=broker.environment)
            assert done.returncode == 0, done.stdout + done.stderr
            assert findings(done.stdout)["broker"] == "ok"
            assert "keeps only 1000 messages while the subscriber is away" in done.stdout
            with Peer(broker.access) as peer:
                peer.subscribe(DROPPED)
                wait_for(lambda: peer.on(DROPPED)[-1:] and peer.on(DROPPED)[-1].payload != b"0", "a count")
            assert "has dropped" not in done.stdout
    finally:
        broker.end()


def test_messages_that_were_dropped_before_are_told(tmp_path: Path) -> None:
    """Where the broker keeps all of ours, those that it has dropped were others'."""
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Mosquitto(folder, settings=("max_queued_messages 1500", "sys_interval 1"), log=()).start()
    try:
        with Peer(broker.access, "away", keep_session=True) as peer:
            peer.subscribe("others")
        with Peer(broker.access) as peer:
            peer.publish("others", *["x"] * 1507)
            peer.subscribe(DROPPED).wait_for_message(DROPPED, b"7")
        done = manage("check", folder=tmp_path, environment=broker.environment)
    finally:
        broker.end()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warn  broker    the broker has dropped 7 messages since it started, ours" in done.stdout


def test_what_it_sends_disturbs_nobody_who_looks(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    stats = make_role("stats", "--all", broker=mosquitto).start_and_wait()
    make_role("subscriber", broker=mosquitto).start_and_wait()
    audit = make_role("audit", "--duration", "20s", broker=mosquitto).start()
    assert make_role("check", broker=mosquitto).start().wait() == 0
    audit.wait()
    assert "hold no statistics" not in audit.stdout
    assert stats.complaints() == []
    with Peer(mosquitto.access) as peer:
        peer.subscribe("STATS/#").wait_for_message("STATS/$metrics")
        assert [message.topic for message in peer.messages if "$check" in message.topic] == []


def test_a_topic_that_we_may_not_subscribe_to_fails(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    """The broker refuses what begins with a $."""
    done = manage("check", folder=tmp_path, environment=embedded.environment | {"TOPIC": "$SYS/#"})
    assert done.returncode == 1, done.stdout
    assert findings(done.stdout)["topics"] == "FAIL"
    assert "TOPIC" not in done.stderr


def test_unusable_database(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    """A file that is no database fails its check, and no other; the status is 1."""
    (tmp_path / "notes.txt").write_text("milk, eggs\n" * 1000)
    settings = embedded.environment | {"DB_FILE": "notes.txt"}
    done = manage("check", folder=tmp_path, environment=settings)
    assert done.returncode == 1
    found = findings(done.stdout)
    assert (found["database"], found["broker"]) == ("FAIL", "ok")
    assert "notes.txt" in done.stdout
