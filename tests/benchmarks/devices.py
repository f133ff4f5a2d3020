"""Figures of messages as devices send them: objects with many fields, some of which are read."""

from pathlib import Path
from statistics import median

from tests.benchmarks import ingest
from tests.benchmarks.arena import Arena
from tests.benchmarks.figure import Figure
from tests.benchmarks.ingest import FIELDS, STREAM_FILE, Load, Run
from tests.support.brokers import Broker

# As many as a large home has.
DEVICES = 100


def zigbee2mqtt(arena: Arena) -> list[Figure]:
    load = Load(arena.size.messages // FIELDS, DEVICES, devices=True)

    def ours(broker: Broker, folder: Path) -> Run:
        with ingest.subscriber(broker, folder, STREAMS_FILE=str(STREAM_FILE)) as role:
            return ingest.ours(broker, folder, load, role)

    def script(broker: Broker, folder: Path) -> Run:
        return ingest.device_script(broker, load)

    rates = [median(run.rate for run in runs) for runs in arena.in_turn(ours, script)]
    name = f"ingest, Zigbee2MQTT, {FIELDS} of 12 fields"
    return [Figure(name, "per s", rates[0], "script", rates[1], more_is_better=True)]
