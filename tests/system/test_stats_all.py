"""`manage.py stats --all`: every series, in tables, as JSON and on a live page."""

import json
from pathlib import Path

from tests.conftest import MakeRole
from tests.support.brokers import Mosquitto
from tests.support.mqtt_client import Peer
from tests.support.terminal import Terminal
from tests.support.waiting import wait_for

AT = 1_700_000_000.0


def payload(series: str, avg: float, *, at: float = AT) -> str:
    return json.dumps(
        {
            "series": series,
            "at": at,
            "sequence": 1,
            "last": {"value": avg, "time": AT},
            "windows": {"1min": {"count": 2, "coverage": 1.0, "avg": avg}},
        }
    )


def publish(peer: Peer, *series: str, first: float = 1.0) -> None:
    messages = [(f"STATS/{name}", payload(name, first + number)) for number, name in enumerate(series)]
    peer.publish_all(messages, retain=True)


def names(table: str) -> list[str]:
    return [line.split()[0] for line in table.splitlines()[2:]]


def test_once_shows_all_that_is_retained(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    """Ten thousand series, sorted, in one table."""
    everything = [f"room{number:05}/temperature" for number in range(10_000)]
    with Peer(mosquitto.access) as peer:
        publish(peer, *everything)
        peer.publish("STATS/$state", "online", retain=True)
        peer.publish("STATS", '{"avg_1min": 46}', retain=True)
    role = make_role("stats", "--all", "--once", "--sort", "-1min", broker=mosquitto).start()
    assert role.wait() == 0
    assert role.stdout.splitlines()[0].split() == ["series", "last", "age", "count", "avg_1min"]
    assert names(role.stdout) == everything[::-1]
    assert role.complaints() == []


def test_filter(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    with Peer(mosquitto.access) as peer:
        publish(peer, "a/x", "b/x", "a/y", "$SYS/x")
    role = make_role("stats", "--all", "--once", "--filter", "+/x", broker=mosquitto).start()
    assert role.wait() == 0
    assert names(role.stdout) == ["a/x", "b/x"]


def test_no_series(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    """Where a subscriber is known and has published none, `--once` does not wait for ever."""
    with Peer(mosquitto.access) as peer:
        peer.publish("STATS/$state", "online", retain=True)
        publish(peer, "a")
    role = make_role("stats", "--all", "--once", "--filter", "b/#", broker=mosquitto).start()
    assert role.wait() == 1
    assert "Error: there are no statistics of a series on STATS/b/#" in role.stderr


def test_json_goes_on_with_what_changes(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    with Peer(mosquitto.access) as peer:
        publish(peer, "b", "a")
        role = make_role("stats", "--all", "--format", "json", broker=mosquitto).start_and_wait()
        wait_for(lambda: role.stdout.count("\n") == 2, lambda: f"two lines: {role.stdout!r}")
        peer.publish("STATS/b", payload("b", 0.1, at=AT + 10), retain=True)
        wait_for(lambda: role.stdout.count("\n") == 3, lambda: f"a third line: {role.stdout!r}")
    assert role.stdout.splitlines() == [payload("a", 2.0), payload("b", 1.0), payload("b", 0.1, at=AT + 10)]


def test_rubbish_and_a_cleared_series(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    """What holds no statistics is one warning, never an end; a series that is cleared is gone."""
    with Peer(mosquitto.access) as peer:
        publish(peer, "a", "b")
        for number in range(50):
            peer.publish(f"STATS/rubbish{number}", b"\xff[{" * number + b"x", retain=True)
        role = make_role("stats", "--all", broker=mosquitto).start_and_wait()
        wait_for(lambda: "b " in role.stdout, lambda: f"a table: {role.stdout!r}")
        peer.publish("STATS/b", "", retain=True)
        wait_for(lambda: role.stdout.count("series") == 2, lambda: f"another table: {role.stdout!r}")
    assert names(role.stdout.split("series")[2]) == ["a"]
    assert len(role.complaints()) == 1


def test_live(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A page of its own, drawn in place, that obeys nothing that stands in a name."""
    evil = "evil\u2028\u202e"  # Mosquitto lets through what turns the text around, and line ends
    with Peer(mosquitto.access) as peer:
        publish(peer, evil, *(f"room{number:02}" for number in range(50)))
        command = ("stats", "--all", "--live", "--sort", "name")
        with Terminal(tmp_path, *command, environment=mosquitto.environment) as terminal:
            page = terminal.wait_for_page("1-7 of 51 series by name", "evil\\u2028\\u202e")
            assert len(page) == 12
            assert page[2].split() == ["series", "last", "age", "count", "avg_1min", "trend"]
            assert "connected to the broker" in page[-1]
            assert terminal.written.startswith("\x1b[?1049h")
            for value, trend in ((4.0, "▁█"), (6.0, "▁▅█")):
                peer.publish("STATS/room00", payload("room00", value, at=AT + value), retain=True)
                page = terminal.wait_for_page(trend)
            assert page[5].split() == ["room00", "6", page[5].split()[2], "2", "6", "▁▅█"]
            assert terminal.interrupt() == 0
            after = terminal.written.rpartition("\x1b[?1049l")[2]
    assert not {"\u2028", "\u202e"} & set(terminal.written)
    # what was logged while it was drawn on is there when the page is gone, and below it the last picture
    assert "connected to the broker" in after
    assert "room00 " in after[after.index("51 series") :]
    assert "Traceback" not in terminal.written


def test_live_keys(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Keys scroll, search, sort and end it; what is typed is not shown, and the terminal is as it was."""
    rooms = [f"room{number}" for number in range(50)]
    with Peer(mosquitto.access) as peer:
        publish(peer, *rooms)
        environment = {**mosquitto.environment, "LOG_LEVEL": "ERROR"}
        with Terminal(
            tmp_path, "stats", "--all", "--live", environment=environment, lines=24, columns=80
        ) as terminal:
            page = terminal.wait_for_page("1-20 of 50 series by name")
            assert len(page) == 24
            assert max(map(len, page)) <= 80
            assert [line.split()[0] for line in page[4:]] == rooms[:20]
            terminal.type("\x1b[6~")
            assert terminal.wait_for_page("21-40 of 50")[4].split()[0] == "room20"
            terminal.type("/m4\n")
            page = terminal.wait_for_page("1-11 of 11 (of 50) series by name", "search: m4   Esc")
            assert [line.split()[0] for line in page[4:]] == ["room4", *rooms[40:]]
            terminal.type("sr")
            assert terminal.wait_for_page("by -last")[4].split()[0] == "room49"
            assert terminal.echoes is False
            terminal.type("q")
            assert terminal.wait() == 0
            assert terminal.echoes is True
            after = terminal.written.rpartition("\x1b[?1049l")[2]
    assert after.split()[0] == "STATS/#"
    assert len(after.splitlines()) == 14


def test_live_without_a_keyboard(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Where standard input is another program's, nothing is read from it but its end."""
    with Peer(mosquitto.access) as peer:
        publish(peer, "room")
        command = ("stats", "--all", "--live", "--stop-at-eof")
        with Terminal(tmp_path, *command, environment=mosquitto.environment) as terminal:
            terminal.wait_for_page("1-1 of 1 series")
            assert terminal.echoes is True
            assert terminal.interrupt() == 0


def test_where_nothing_comes_it_is_told_what_is_there(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    """`--once` ends after 15 s, and otherwise a warning says it, with the topic that may be meant."""
    with Peer(mosquitto.access) as peer:
        peer.publish("home/averages/$state", "online", retain=True)
        peer.publish("homie/device/$state", "ready", retain=True)
    once = make_role("stats", "--once", broker=mosquitto).start()
    goes_on = make_role("stats", "--all", broker=mosquitto).start()
    assert once.wait() == 1
    there = "What subscribers publish there is on home/averages (online): set STATS_TOPIC to that"
    broker = f"from the broker at 127.0.0.1:{mosquitto.port} in 15 s"
    assert once.stderr.splitlines()[-1] == f"Error: nothing has come on STATS {broker}. {there}"
    goes_on.wait_for_complaint(f"nothing has come on STATS/# {broker}. {there}")
