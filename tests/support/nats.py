"""NATS with JetStream, whose server speaks MQTT 3.1.1."""

from collections.abc import Sequence
from pathlib import Path

from tests.support.brokers import Access, Broker, find_program
from tests.support.ports import HOST, free_port
from tests.support.processes import Process

_CONFIGURATION = """\
server_name: ours{port}
listen: "{host}:{client_port}"
jetstream: {{ store_dir: "{folder}" }}
mqtt: {{ listen: "{host}:{port}", ack_wait: "{ack_wait}", max_ack_pending: {most_in_flight}{replicas} }}
"""
# What is acknowledged is on a majority of the nodes.
_REPLICAS = ", stream_replicas: {count}, consumer_replicas: {count}"
_CLUSTER = 'cluster: {{ name: ours, listen: "{host}:{port}", routes: [{routes}] }}\n'


class Nats(Broker):
    """`nats-server` with its sessions in `folder`."""

    persistent = True
    # The nodes of its cluster, itself among them.
    cluster: Sequence["Nats"] = ()

    def __init__(self, folder: Path, *, ack_wait: float = 30.0, most_in_flight: int = 1024) -> None:
        """`ack_wait`: seconds after which it sends again what is not acknowledged, on the same connection.

        Both have the server's own defaults.
        """
        super().__init__(Access(free_port()))
        self._folder = folder
        self._client_port, self._cluster_port = free_port(), free_port()
        self.resends_after = ack_wait
        self._most_in_flight = most_in_flight

    def _process(self) -> Process:
        program = find_program("nats-server")
        path = self._folder / "nats.conf"
        text = _CONFIGURATION.format(
            host=HOST,
            client_port=self._client_port,
            port=self.port,
            folder=self._folder,
            ack_wait=f"{self.resends_after:g}s",
            most_in_flight=self._most_in_flight,
            replicas=_REPLICAS.format(count=len(self.cluster)) if self.cluster else "",
        )
        if self.cluster:
            routes = ", ".join(f'"nats://{HOST}:{node._cluster_port}"' for node in self.cluster)
            text += _CLUSTER.format(host=HOST, port=self._cluster_port, routes=routes)
        path.write_text(text)
        return Process("nats", [program, "-c", str(path)], self._folder)
