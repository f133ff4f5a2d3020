"""Whatever others publish on the broker, no command ends with a traceback or gives orders to a terminal."""

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.conftest import MakeRole
from tests.support.brokers import Mosquitto
from tests.support.database import wait_for_rows
from tests.support.mqtt_client import Peer
from tests.support.processes import manage
from tests.support.waiting import wait_for

# What Mosquitto lets through in a topic: it turns the direction of writing, it is not seen, it ends a line.
IN_TOPIC = "x\u202e\u2066y\u200bz\u2028\u2029"
# What a payload may hold beside.
ORDERS = IN_TOPIC + "\x1b[2J\x1b]0;title\x07\r\n2026 | ERROR | forged\x9b31m"
AT = 1_700_000_000.0
Done = CompletedProcess[str]


def series(name: str, **changes: object) -> str:
    content = {
        "series": name,
        "at": AT,
        "sequence": 1,
        "last": {"value": 1, "time": AT},
        "windows": {"1min": {"count": 1, "coverage": 1.0, "avg": 1}},
    }
    return json.dumps(content | changes)


METRICS = {"at": AT, "since": AT - 1e6, "received": 5}
# One that can be shown, and one that cannot. tests/unit/test_doctor.py and test_messages_metrics.py
# have many more.
FORGED_METRICS = (
    (json.dumps(METRICS | {"other": ORDERS, "names": [ORDERS], "more": {"a": ORDERS}}), True),
    (json.dumps(METRICS | {ORDERS: ORDERS}), False),
)
FORGED = [
    ("STATS", json.dumps({ORDERS: 1})),
    ("STATS", json.dumps({f"avg_{number}s": 1 for number in range(1, 5000)})),
    ("STATS", "[" * 60_000),
    ("STATS", '{"avg_1min": 1e999}'),
    (f"STATS/{IN_TOPIC}", series(IN_TOPIC)),
    (f"STATS/{IN_TOPIC}2", ORDERS),
    ("STATS/a", series("a", windows={ORDERS: {"count": 1}})),
    ("STATS/b", series("b", windows={"1min": {"count": 1, ORDERS: 1}})),
    ("STATS/c", series("c", windows={f"{n}s": {"count": 1} for n in range(1, 2000)})),
    ("STATS/d", series("d", at=1e308)),
    ("STATS/e", series("e", sequence=10**400)),
    ("STATS/f", series("f", last={"value": float("nan"), "time": AT})),
    ("STATS/g", series("g", windows={"1min": {"count": 1, "p999999999": 1, "p150": 1}})),
    ("STATS/h", "[" * 100_000),
]


def assert_harmless(output: str, what: object) -> None:
    assert "Traceback" not in output, f"{what}:\n{output}"
    for line in output.split("\n"):
        assert line.isprintable(), (what, line)


def run_all(calls: Iterable[tuple[str, ...]], folder: Path, environment: Mapping[str, str]) -> list[Done]:
    """Run commands, several at once; return how they ended, in their order."""

    def run(arguments: tuple[str, ...]) -> Done:
        return manage(*arguments, folder=folder, environment=environment)

    with ThreadPoolExecutor(max_workers=4) as pool:
        return list(pool.map(run, calls))


@pytest.mark.parametrize(("payload", "shown"), FORGED_METRICS, ids=["shown", "refused"])
def test_metrics(mosquitto: Mosquitto, tmp_path: Path, payload: str, shown: bool) -> None:
    """`status` and `check` either show them or say in one line what is wrong with them."""
    with Peer(mosquitto.access) as peer:
        peer.publish("STATS/$metrics", payload, retain=True)
        peer.publish("STATS/$state", "online", retain=True)
    calls = (("status",), ("status", "--format", "json"), ("check",))
    table, lines, check = run_all(calls, tmp_path, mosquitto.environment)
    for done in (table, lines, check):
        assert_harmless(done.stdout + done.stderr, done.args)
        assert len(done.stderr.splitlines()) <= 1
        assert (done.returncode == 0) == (not done.stderr)
    assert (table.returncode == 0) == (lines.returncode == 0) == shown
    assert check.returncode == 0
    assert ("metrics" in check.stdout) == (not shown)


def test_state(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with Peer(mosquitto.access) as peer:
        peer.publish("STATS/$metrics", json.dumps(METRICS), retain=True)
        peer.publish("STATS/$state", ORDERS, retain=True)
    done = manage("status", folder=tmp_path, environment=mosquitto.environment)
    assert done.returncode == 1
    assert done.stderr == (
        "Error: the message on STATS/$state does not come from a subscriber: "
        "it is neither online nor offline\n"
    )


def test_everything(mosquitto: Mosquitto, make_role: MakeRole, tmp_path: Path, database: Path) -> None:
    """All commands and roles, with such names in the database, on the broker and on the command line."""
    environment = mosquitto.environment
    settings = {"TOPIC": "DATA/#", "STATS_INTERVAL": "100ms"}
    subscriber = make_role("subscriber", broker=mosquitto, **settings).start()
    roles = [
        make_role("stats", broker=mosquitto).start(),
        make_role("stats", "--all", broker=mosquitto).start(),
        make_role("stats", "--all", "--format", "json", broker=mosquitto).start(),
    ]
    for role in (subscriber, *roles):
        role.wait_healthy()
    with Peer(mosquitto.access) as peer:
        peer.publish(f"DATA/{IN_TOPIC}", "21.5", ORDERS, json.dumps({"number": ORDERS, "id": ORDERS}))
        peer.publish(f"DATA/{IN_TOPIC}", json.dumps({"number": 2, "id": ORDERS}))
        peer.publish("STATS/$state", ORDERS)
        for topic, payload in FORGED:
            peer.publish(topic, payload, retain=True)
        wait_for_rows(database, 2)
        for role in roles:
            role.wait_for_complaint()
    wait_for(lambda: "11.75" in roles[1].stdout, lambda: f"the series is shown:\n{roles[1].stdout}")
    commands = (
        *(
            ("check",),
            ("status",),
            ("audit", "--duration", "1s"),
            ("series",),
            ("series", "--format", "json"),
        ),
        *(("rejected",), ("rejected", "--json"), ("history", f"DATA/{IN_TOPIC}"), ("history", ORDERS)),
        *(("series", "--filter", ORDERS), ("stats", "--once"), ("stats", "--all", "--once"), (ORDERS,)),
        *(("stats", "--format", ORDERS), ("history", f"DATA/{IN_TOPIC}", "--csv")),
    )
    for arguments, done in zip(commands, run_all(commands, tmp_path, environment), strict=True):
        assert_harmless(done.stdout + done.stderr, arguments)
        assert done.stdout + done.stderr, arguments
    for role in (subscriber, *roles):
        assert_harmless(role.stdout + role.stderr, role.name)


def test_many_forged_messages_are_few_lines(mosquitto: Mosquitto, make_role: MakeRole) -> None:
    """Five thousand names, each wrong in one of three ways, are three lines."""
    roles = [make_role("stats", *more, broker=mosquitto).start_and_wait() for more in ((), ("--all",))]
    wrong = ("x", '{"a": "b"}', "[1]")
    with Peer(mosquitto.access) as peer:
        peer.publish_all((f"STATS/{number}", wrong[number % 3]) for number in range(5000))
        peer.publish_all(("STATS", wrong[number % 3].replace("a", f"a{number}")) for number in range(5000))
        peer.publish("STATS", '{"avg_1min": 1}')
        peer.publish("STATS/last", series("last"))
    wait_for(lambda: roles[0].stdout, "the averages are shown")
    wait_for(lambda: "last" in roles[1].stdout, "the series is shown")
    assert [len(role.complaints()) for role in roles] == [3, 2]
