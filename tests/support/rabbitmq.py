"""RabbitMQ with its plugin for MQTT 3.1.1."""

from collections.abc import Mapping
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


class RabbitMQ(ErlangBroker):
    """`rabbitmq-server` with `rabbitmq_mqtt`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._amqp_port, self._distribution_port = free_port(), free_port()

    def _program(self) -> tuple[list[str], Mapping[str, str]]:
        program = first_of(_PROGRAMS, "rabbitmq-server")
        configuration = self._folder / "rabbitmq.conf"
        configuration.write_text(_CONFIGURATION.format(host=HOST, amqp_port=self._amqp_port, port=self.port))
        plugins = self._folder / "enabled_plugins"
        plugins.write_text("[rabbitmq_mqtt].\n")
        return [str(program)], {
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(configuration),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "data"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            # the script becomes the server, and a signal to it reaches that
            "RUNNING_UNDER_SYSTEMD": "1",
        }
