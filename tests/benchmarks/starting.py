"""Figures of how long it takes until something is there."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from tests.benchmarks.arena import Arena
from tests.benchmarks.child import Child
from tests.benchmarks.figure import Figure
from tests.support.brokers import Broker
from tests.support.processes import MANAGE, Role


def start(arena: Arena) -> list[Figure]:
    helps, pythons, ours, paho = map(
        median, arena.in_turn(_python(str(MANAGE), "help"), _python("-c", "pass"), _subscribed, _paho)
    )
    return [
        Figure("manage.py help", "s", helps, "python -c pass", pythons),
        Figure("from start to subscribed", "s", ours, "bare paho", paho),
    ]


def _python(*arguments: str) -> Callable[[Broker, Path], float]:
    def run(broker: Broker, folder: Path) -> float:
        begin = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        return time.perf_counter() - begin

    return run


def _subscribed(broker: Broker, folder: Path) -> float:
    role = Role(folder, "subscriber", environment=broker.environment)
    begin = time.perf_counter()
    try:
        role.start().wait_for_log("subscribed")
        return time.perf_counter() - begin
    finally:
        role.end()


def _paho(broker: Broker, folder: Path) -> float:
    begin = time.perf_counter()
    with Child.module("bare_paho", broker.port, 1) as receiver:
        receiver.expect("subscribed")
        return time.perf_counter() - begin
