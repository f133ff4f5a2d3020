"""Who leads, and what is heard of it."""

import time
from itertools import pairwise

from paho.mqtt.client import Client, MQTTMessage

from tests.support.brokers import Access
from tests.support.mqtt_client import Peer
from tests.support.processes import Role


class Listener(Peer):
    """Hears the averages, and when."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        # When it was, in seconds of a clock that never jumps.
        self.heard: list[float] = []

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        super()._on_message(client, userdata, message)
        if message.topic == "STATS" and not message.retain:
            self.heard.append(time.monotonic())

    def longest_gap(self) -> float:
        """Return the most seconds between two publications of the averages."""
        return max(after - before for before, after in pairwise(self.heard))


def leads(role: Role) -> bool:
    """Whether a process runs, and has said last that it leads."""
    said = [line for line in role.stderr.splitlines() if " lead" in line]
    return role.running and bool(said) and "this process leads" in said[-1]
