"""Brokers of three nodes each: what one of them has acknowledged, two of them have."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.support.brokers import Broker
from tests.support.mqtt_client import Peer
from tests.support.nats import Nats
from tests.support.rabbitmq import RabbitMQ
from tests.support.waiting import wait_for

NODES = 3
# Seconds. Three nodes of RabbitMQ start at once on one machine.
_PATIENCE = 180.0


class BrokerCluster:
    """Nodes that know each other, in folders of their own. None of them is started yet."""

    def __init__(self, nodes: Sequence[Broker], *, one_by_one: bool = False) -> None:
        """Take `nodes`, of which each but the first must find a running one if they start `one_by_one`."""
        self.nodes = nodes
        self._one_by_one = one_by_one

    def start(self) -> Self:
        """Start all nodes, and wait until each of them takes messages in."""
        with ThreadPoolExecutor(max_workers=1 if self._one_by_one else NODES) as pool:
            for started in [pool.submit(node.start) for node in self.nodes]:
                started.result()
        for node in self.nodes:
            self.wait_ready(node)
        return self

    def wait_ready(self, node: Broker) -> None:
        """Wait until a node keeps a session and what is published for it: a majority has agreed on both."""

        def takes_in() -> bool:
            with suppress(AssertionError, OSError), Peer(node.access, f"ready-{node.port}") as peer:
                topic = f"ready/{node.port}"
                peer.subscribe(topic).publish(topic, "ready")
                return bool(peer.wait_for_message(topic))
            return False

        wait_for(takes_in, lambda: f"a node takes messages in; its log:\n{node.log}", _PATIENCE)

    def end(self) -> None:
        for node in reversed(self.nodes):  # the first has what the others share
            node.end()


def nats_cluster(folder: Path) -> BrokerCluster:
    """Return NATS whose streams and consumers are on all three nodes (R3)."""
    nodes = [Nats(_made(folder / f"nats-{number}"), ack_wait=3.0) for number in range(NODES)]
    for node in nodes:
        node.cluster = nodes
    return BrokerCluster(nodes)


def rabbitmq_cluster(folder: Path) -> BrokerCluster:
    """Return RabbitMQ with quorum queues.

    Of nodes that start at once, those that keep the client ids may never agree who leads (3.10).
    """
    first = RabbitMQ(_made(folder / "rabbitmq-0"))
    others = [RabbitMQ(_made(folder / f"rabbitmq-{number}"), beside=first) for number in range(1, NODES)]
    nodes = [first, *others]
    for node in nodes:
        node.cluster = nodes
    return BrokerCluster(nodes, one_by_one=True)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
