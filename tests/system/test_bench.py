"""`manage.py bench` on a very small scale: whether it measures what it says, never how fast anything is."""

import json
import math
import os
import resource
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scheduler_app.errors import CommandError
from scheduler_app.mqtt.packets import read_publishes
from tests.benchmarks import arena, bench, small_board
from tests.benchmarks.__main__ import main
from tests.benchmarks.arena import Size
from tests.benchmarks.child import Child
from tests.benchmarks.figure import Figure, render
from tests.benchmarks.ingest import FIELDS, STREAM_FILE
from tests.benchmarks.load import Devices, SensorReadings
from tests.support.brokers import find_program
from tests.support.processes import MANAGE, ROOT, Process, cpu_seconds, descendants, still_running
from tests.support.waiting import wait_for

TINY = Size(
    rounds=1,
    messages=2000,
    topics=10,
    latency_seconds=0.2,
    rate_seconds=0.2,
    memory_messages=2000,
    many_messages=2000,
    many_series=20,
    rows=20_000,
    many_rows=20_000,
    ticks=2,
    history_rows=20_000,
    rest_seconds=0.2,
    stats_interval="200ms",
    growth_series=(1, 20),
    growth_rates=(100, 1000),
    growth_seconds=0.2,
)
# What some of the figures are compared with.
REFERENCES = {
    "ingest, 1 topic": {"bare paho", "script", "mosquitto_sub"},
    "ingest, 10 topics": {"bare paho", "script"},
    "ingest, 10 sensors with ids of their own": {"bare paho"},
    "ingest, Zigbee2MQTT, 4 of 12 fields": {"script"},
    "ingest over TLS, 1 topic": {"bare paho"},
    "core at 100 a second": {"storing script"},
    "core at 1,000 a second": {"storing script"},
    "processor time of publishing 20 series": {"bare paho"},
    "core of the page, 10 series at 100 a second": {"subscriber"},
    "list of 20 series": {"json.dumps"},
    "history of 1 of 20 series, 20,000 kept": {"SELECT"},
}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    find_program("mosquitto")
    find_program("mosquitto_sub")
    monkeypatch.setattr(bench, "QUICK", TINY)


def test_every_figure_stands_beside_what_it_is_compared_with(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick", "--json"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert "Mosquitto" in report["machine"]
    assert "100%" not in err  # no line of its own where nothing follows
    assert [line for line in err.splitlines() if line.startswith("[")], "how far it is"
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for each in report["found"]:
        figures.setdefault(each["name"], {})[each["reference"]] = each
    assert {name: set(figures[name]) for name in REFERENCES} == REFERENCES
    for name, compared in figures.items():
        for reference, each in compared.items():
            assert each["ours"] > 0
            assert math.isfinite(each["ours"])
            if reference:
                assert each["theirs"] > 0, name
                better = each["ours"] / each["theirs"]
                assert each["ratio"] == pytest.approx(better if each["more_is_better"] else 1 / better)
            else:
                assert name.startswith("disk"), f"{name} is compared with nothing"
    assert 20 < figures["disk, a reading without an id"][""]["ours"] < 100


def test_of_twelve_fields_of_a_device_four_are_read() -> None:
    [message], _ = read_publishes(Devices(1).packet(0), 1, 0.0, version_5=False)
    fields = json.loads(message.payload)
    [stream] = tomllib.loads(STREAM_FILE.read_text())["stream"]
    assert (len(fields), len(stream["value"])) == (12, FIELDS)
    assert {*stream["value"], stream["time"]} <= set(fields)
    # the script reads the same ones
    script = STREAM_FILE.with_name("device_script.py").read_text()
    assert f"FIELDS = ({', '.join(map(json.dumps, stream['value']))})" in script


def test_growth_has_a_row_for_each_number_of_series_and_kind_of_message(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--quick", "--growth"]) == 0
    out, _ = capsys.readouterr()
    heading, _, *rows = out.splitlines()[:6]
    assert [cell.strip() for cell in heading.strip("|").split("|")] == [
        *("messages", "series", "core at 100/s", "core at 1,000/s", "highest rate", "CPU s a million", "MB")
    ]
    assert [[cell.strip() for cell in row.split("|")[1:3]] for row in rows] == [
        ["readings", "1"],
        ["readings", "20"],
        ["over TLS", "1"],
        ["JSON, 4 readings each", "400"],
    ]
    assert out.count("█") > 50  # the longest bar, and another


def test_a_small_board_has_half_a_core(capsys: pytest.CaptureFixture[str]) -> None:
    """All runs on the other cores, and what takes the other half is gone afterwards."""
    cores = os.sched_getaffinity(0)
    before = descendants(os.getpid())  # such as a server that other tests use too
    try:
        assert main(["--quick", "--growth", "--small-board", "--json"]) == 0
        assert os.sched_getaffinity(0) == cores - {min(cores)}
    finally:
        os.sched_setaffinity(0, cores)
    report = json.loads(capsys.readouterr().out)
    assert report["machine"].endswith("; a subscriber with half of one core, and 512 MB of memory")
    assert len(report["found"]) == 4
    assert descendants(os.getpid()) <= before


def test_what_is_bounded_shares_its_core(tmp_path: Path) -> None:
    """It is watched until the kernel has given both as much."""
    cores = os.sched_getaffinity(0)
    busy = Process("busy", [sys.executable, "-c", "while True: pass"], tmp_path).start()
    try:
        core = small_board.leave_a_core()
        others = descendants(os.getpid())
        with small_board.bounded(busy.pid, core):
            [competitor] = descendants(os.getpid()) - others
            before = cpu_seconds(busy.pid), cpu_seconds(competitor)
            wait_for(lambda: cpu_seconds(competitor) - before[1] > 0.5, "the competitor at work")
            assert os.sched_getaffinity(busy.pid) == os.sched_getaffinity(competitor) == {core}
            assert resource.prlimit(busy.pid, resource.RLIMIT_DATA) == (512 << 20, 512 << 20)
    finally:
        os.sched_setaffinity(0, cores)
        busy.end()


def test_a_small_board_needs_growth(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick", "--small-board"]) == 1
    assert capsys.readouterr().err == "Error: --small-board is for --growth\n"


def test_each_sender_has_ids_of_its_own() -> None:
    packets = b"".join(map(SensorReadings(2).packet, range(4)))
    messages, _ = read_publishes(packets, 4, 0.0, version_5=False)
    [first, second, third, fourth] = [json.loads(message.payload)["id"].split("-") for message in messages]
    assert (first[0], second[0]) == (third[0], fourth[0])
    assert first[0] != second[0]
    assert [number for _, number in (first, second, third, fourth)] == ["0", "0", "1", "1"]


def test_the_embedded_broker_does_as_well() -> None:
    with arena.Arena(TINY, embedded=True).broker() as (broker, folder):
        assert not broker.persistent
        assert folder.is_dir()
    assert not folder.exists()
    [*figures] = bench.STEPS["ingest, 1 topic"](arena.Arena(TINY, embedded=True))
    assert {figure.reference for figure in figures} == {"bare paho", "script"}


def test_a_ratio_above_1_is_better_for_us() -> None:
    faster = Figure("rate", "per s", 200.0, "other", 100.0, more_is_better=True)
    sooner = Figure("latency", "ms", 1.0, "other", 2.0)
    alone = Figure("disk", "bytes", 31.25)
    assert (faster.ratio, sooner.ratio, alone.ratio) == (2.0, 2.0, None)
    assert [line.split("|")[-2].strip() for line in render([faster, sooner, alone]).splitlines()[2:]] == [
        "2.00",
        "2.00",
        "-",
    ]


def test_without_mosquitto_it_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "program_path", lambda program: None)
    assert main([]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "Error: Mosquitto is not installed: 'sudo apt install mosquitto mosquitto-clients', "
        "or --broker embedded\n"
    )


def test_what_cannot_be_measured_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(arena: arena.Arena) -> list[Figure]:
        raise AssertionError("the broker has ended")

    monkeypatch.setattr(bench, "STEPS", {"ingest": fail})
    with pytest.raises(CommandError, match="the benchmark has failed: the broker has ended"):
        bench.run(quick=True, grow=False, embedded=False, as_json=False)


def test_a_program_that_says_nothing_is_not_waited_for_without_end() -> None:
    with Child("sleeper", ["sleep", "60"]) as sleeper, pytest.raises(AssertionError, match="sleeper said ''"):
        sleeper.expect("ready", timeout=0.1)
    with (
        Child("sleeper", ["sleep", "60"], silent=True) as sleeper,
        pytest.raises(AssertionError, match="sleeper ended with status -9"),
    ):
        sleeper.wait(timeout=0.1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_command_ends_the_measurement_and_all_its_programs(
    tmp_path: Path, number: signal.Signals
) -> None:
    command = Process("bench", [sys.executable, str(MANAGE), "bench", "--quick"], tmp_path).start()
    try:
        wait_for(lambda: descendants(command.pid), "a program that is measured")
        programs = descendants(command.pid)
        assert command.stop(number) == 1
        assert command.stderr.endswith("Error: stopped before the end\n")
        assert "Traceback" not in command.stderr
        wait_for(lambda: not still_running(programs), "the end of all programs")
    finally:
        command.end()


def test_the_arguments_of_the_command_reach_the_benchmark(tmp_path: Path) -> None:
    """Without Mosquitto it ends with the benchmark's own words, but not with `--broker embedded`."""
    environment = {**os.environ, "PATH": str(tmp_path)}
    refused = Process("bench", [sys.executable, str(MANAGE), "bench"], tmp_path, environment=environment)
    refused.start()
    assert refused.wait() == 1
    assert refused.stderr.startswith("Error: Mosquitto is not installed")
    arguments = ("--quick", "--growth", "--json", "--broker", "embedded")
    command = Process(
        "growth", [sys.executable, str(MANAGE), "bench", *arguments], tmp_path, environment=environment
    ).start()
    try:
        wait_for(lambda: descendants(command.pid), "a program that is measured")
        started = Path(f"/proc/{command.pid}/cmdline").read_text().split("\0")
        assert set(arguments) <= set(started)
    finally:
        command.end()


def test_a_library_that_is_missing_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr("tests.benchmarks.bench")
    monkeypatch.setitem(sys.modules, "tests.benchmarks.bench", None)
    assert main(["--quick"]) == 1
    assert capsys.readouterr().err == (
        "Error: the benchmark needs tests.benchmarks.bench, which is not here: run it in a clone of the "
        "repository, with requirements-dev.txt installed\n"
    )


def test_without_the_folder_of_tests_it_says_so(tmp_path: Path) -> None:
    """As in the Docker image."""
    for folder in ("scheduler_app", "config", "models", "jobs"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "manage.py", tmp_path)
    command = [sys.executable, "manage.py", "bench"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: the benchmark needs tests")
    assert ended.stderr.count("\n") == 1
