"""Series go out on topics of their own, whatever they are called."""

import json
from pathlib import Path

from tests.conftest import MakeRole
from tests.support.brokers import Mosquitto
from tests.support.database import rejected, rows, wait_for_rows
from tests.support.mqtt_client import Peer
from tests.support.waiting import wait_for

FAST = {"STATS_INTERVAL": "100ms"}
# What Mosquitto closes the connection for, if it stands in a topic.
NAMES = ("a/b", "+", "#", "%", "\0", "\x1b", "\x7f", "\x85", "\ud800", "\ufdd0", "\uffff", "\U0001ffff", "")


def stream_file(folder: Path, *lines: str) -> dict[str, str]:
    """Write a stream file; return the setting that names it."""
    path = folder / "streams.toml"
    path.write_text("\n".join(lines))
    return {"STREAMS_FILE": str(path), **FAST}


def test_no_field_can_have_a_name_that_a_broker_takes_offence_at(
    mosquitto: Mosquitto, make_role: MakeRole, database: Path, tmp_path: Path
) -> None:
    """Else one device could keep the statistics of all others from going out."""
    settings = stream_file(tmp_path, "[[stream]]", 'topic = "device"', 'value = "*"')
    with Peer(mosquitto.access) as peer:
        peer.subscribe("STATS/#")
        make_role("subscriber", broker=mosquitto, **settings).start_and_wait()
        peer.publish("device", json.dumps({"first": 1} | dict.fromkeys(NAMES, 2) | {"last": 3}))
        names = {row.series for row in wait_for_rows(database, len(NAMES) + 2)}
        for name in names:
            assert json.loads(peer.wait_for_message(f"STATS/{name}").payload)["series"] == name
        assert len(names) == len(NAMES) + 2
        assert [message.payload for message in peer.on("STATS/$state")] == [b"online"]


def test_no_name_has_more_levels_than_a_broker_takes(
    mosquitto: Mosquitto, make_role: MakeRole, database: Path, tmp_path: Path
) -> None:
    """Mosquitto closes the connection for more than 200."""
    settings = stream_file(tmp_path, "[[stream]]", 'topic = "device/#"', 'value = "*"')
    deep: object = 1
    messages: list[tuple[str, str | bytes]] = []
    for depth in range(300):
        if depth % 10 == 0:
            messages.append(("device", json.dumps({f"d{depth}": deep})))
        deep = {"a": deep}
    messages += [("device" + "/" * count, "7") for count in range(0, 200, 10)]
    messages.append(("device", '{"last": 1}'))
    with Peer(mosquitto.access) as peer:
        peer.subscribe("STATS/#")
        make_role("subscriber", broker=mosquitto, **settings).start_and_wait()
        peer.publish_all(messages)
        wait_for(
            lambda: len(rows(database)) + len(rejected(database)) == len(messages),
            "all are stored or rejected",
        )
        for name in {row.series for row in rows(database)}:
            peer.wait_for_message(f"STATS/{name}")
        assert [message.payload for message in peer.on("STATS/$state")] == [b"online"]
    assert {reason for _, _, reason in rejected(database)} == {"name too long"}
