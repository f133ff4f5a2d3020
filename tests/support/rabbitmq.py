"""RabbitMQ with its plugin for MQTT 3.1.1."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.erlang import ErlangBroker, first_of
from tests.support.ports import HOST, free_port

# The one on the PATH would become another user.
_PROGRAMS = [Path("/usr/lib/rabbitmq/bin/rabbitmq-server"), Path("/opt/homebrew/sbin/rabbitmq-server")]
_CONFIGURATION = """\
listeners.tcp.default = {host}:{amqp_port}
mqtt.listeners.tcp.default = {host}:{port}
mqtt.allow_anonymous = true
mqtt.default_user = guest
mqtt.default_pass = guest
log.console = true
"""


# A queue is kept by a majority of the nodes, and what was acknowledged is in it while one of them is away.
_CLUSTER = """\
mqtt.durable_queue_type = quorum
cluster_formation.peer_discovery_backend = classic_config
"""


class RabbitMQ(ErlangBroker):
    """`rabbitmq-server` with `rabbitmq_mqtt`."""

    # The nodes of its cluster, itself among them.
    cluster: Sequence["RabbitMQ"] = ()

    def __init__(self, folder: Path, *, beside: "RabbitMQ | None" = None) -> None:
        super().__init__(folder, beside=beside)
        self._amqp_port, self._distribution_port = free_port(), free_port()

    @property
    def node_name(self) -> str:
        return f"test{self.port}@localhost"

    def _program(self) -> tuple[list[str], Mapping[str, str]]:
        program = first_of(_PROGRAMS, "rabbitmq-server")
        configuration = self._folder / "rabbitmq.conf"
        text = _CONFIGURATION.format(host=HOST, amqp_port=self._amqp_port, port=self.port)
        if self.cluster:
            nodes = enumerate(self.cluster, start=1)
            text += _CLUSTER + "".join(
                f"cluster_formation.classic_config.nodes.{number} = {node.node_name}\n"
                for number, node in nodes
            )
        configuration.write_text(text)
        plugins = self._folder / "enabled_plugins"
        plugins.write_text("[rabbitmq_mqtt].\n")
        return [str(program)], {
            "RABBITMQ_NODENAME": self.node_name,
            "RABBITMQ_CONFIG_FILE": str(configuration),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "data"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            # the script becomes the server, and a signal to it reaches that
            "RUNNING_UNDER_SYSTEMD": "1",
        }
