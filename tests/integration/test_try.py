"""`manage.py try` at a real broker: it hears what comes, and takes nothing from the subscriber."""

import json
import signal
from pathlib import Path

import pytest

from config.settings import load_settings
from models.storage.sqlite.reader import open_reader
from scheduler_app.errors import CommandError
from scheduler_app.trial.sources import from_broker
from scheduler_app.trial.suggestion import suggest
from tests.conftest import MakeRole
from tests.support.brokers import Broker, Mosquitto
from tests.support.mqtt_client import Peer
from tests.support.processes import manage
from tests.support.waiting import wait_for


def test_it_hears_retained_and_new_messages_for_a_while(either_broker: Broker) -> None:
    settings = load_settings({"broker": either_broker.address})
    with Peer(either_broker.access) as peer:
        peer.publish("a/old", b"1", retain=True)
        heard = from_broker(settings, ("a/#",), 60.0)
        first = next(heard)
        peer.publish("a/new", b"2")
        second = next(heard)
        heard.close()
    assert (first.topic, first.payload, first.retained) == ("a/old", b"1", True)
    assert (second.topic, second.payload, second.retained) == ("a/new", b"2", False)


def test_its_session_ends_with_it(mosquitto: Mosquitto) -> None:
    """What it would have been sent is not kept for it."""
    heard = from_broker(load_settings({"broker": mosquitto.address}), ("a/#",), 60.0)
    with Peer(mosquitto.access) as peer:
        peer.publish("a", b"1", retain=True)
        next(heard)
        heard.close()
    [connected] = {
        line.split(" as ")[1] for line in mosquitto.log.splitlines() if " as averages-try-" in line
    }
    name = connected.split()[0]
    wait_for(lambda: f"Client {name} disconnected" in mosquitto.log, "the broker notes its goodbye")
    assert "(p2, c1," in connected or "(p5, c1," in connected


def test_the_subscriber_gets_and_stores_all_that_it_would_without_it(
    mosquitto: Mosquitto, make_role: MakeRole, database: Path
) -> None:
    make_role("subscriber", broker=mosquitto).start_and_wait()
    heard = from_broker(load_settings({"broker": mosquitto.address}), ("DATA",), 60.0)
    with Peer(mosquitto.access) as peer:
        peer.publish("DATA", b"0", retain=True)
        next(heard)
        peer.publish("DATA", *[b"1"] * 50)
        for _ in range(50):
            next(heard)
        heard.close()

    def stored() -> bool:
        with open_reader(database) as reader:
            return reader.reading_count() == 51

    wait_for(stored, "all 51 are stored")


def test_an_interruption_ends_the_listening_with_a_summary(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    with Peer(mosquitto.access) as peer:
        peer.publish("DATA", b"5", retain=True)
        role = make_role("try", "--for", "60s", broker=mosquitto).start()
        wait_for(lambda: "when it was new" in role.stdout, "the message is told")
        assert role.stop(signal.SIGINT) == 0
    assert role.stdout.endswith("1 message: 0 readings of 0 series, 1 retained. Nothing was stored.\n")


@pytest.mark.parametrize("arguments", [(), ("--suggest", "home/#")], ids=["try", "suggest"])
def test_an_interruption_before_the_first_message_is_no_failure(
    mosquitto: Mosquitto, make_role: MakeRole, arguments: tuple[str, ...]
) -> None:
    role = make_role("try", "--for", "60s", *arguments, broker=mosquitto).start()
    wait_for(lambda: mosquitto.packets("Received SUBSCRIBE"), "it listens")
    assert role.stop(signal.SIGINT) == 0
    assert "Error" not in role.stderr
    role.assert_no_traceback()


def test_a_broker_that_refuses_is_one_line(mosquitto_password: Mosquitto) -> None:
    settings = load_settings({"broker": mosquitto_password.address})
    with pytest.raises(CommandError) as caught:
        next(from_broker(settings, ("a",), 60.0))
    assert mosquitto_password.address in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_command_tells_of_messages_and_writes_a_stream_file_that_reads_them(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    unit = {"stat_t": "z/a", "val_tpl": "{{ value_json.temperature }}", "unit_of_meas": "°C"}
    with Peer(mosquitto.access) as peer:
        peer.publish("homeassistant/sensor/a/config", json.dumps(unit).encode(), retain=True)
        peer.publish("z/a", b'{"temperature": 21.5}', retain=True)
        done = manage(
            "try", "--suggest", "z/#", "--for", "1s", folder=tmp_path, environment=mosquitto.environment
        )
        assert done.returncode == 0, done.stderr
        (tmp_path / "streams.toml").write_text(done.stdout)
        assert 'unit = "°C"' in done.stdout
        done = manage(
            *("try", "--for", "1s", "--streams-file", "streams.toml"),
            folder=tmp_path,
            environment=mosquitto.environment,
        )
    assert done.returncode == 0, done.stderr
    assert "  when it was new:\n    z/a = 21.5 °C, at the time it came\n" in done.stdout
    assert done.stdout.endswith("1 message: 0 readings of 0 series, 1 retained. Nothing was stored.\n")
    done = manage(
        "try", "--for", "1s", folder=tmp_path, environment=mosquitto.environment | {"TOPIC": "none"}
    )
    assert (done.returncode, done.stderr) == (1, "Error: there was no message on none\n")


def test_what_is_suggested_from_a_broker_is_valid(mosquitto: Mosquitto) -> None:
    settings = load_settings({"broker": mosquitto.address})
    with Peer(mosquitto.access) as peer:
        peer.publish("z/a", b'{"temperature": 21.5}', retain=True)
        text = suggest(settings, "#", from_broker(settings, ("#",), 0.5))
    assert 'topic = "z/a"\nvalue = "temperature"\n' in text
