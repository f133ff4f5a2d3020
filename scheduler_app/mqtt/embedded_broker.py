"""The embedded MQTT broker: rumqttd, from the iotcore wheel. The one file that knows iotcore."""

import socket
import tempfile
import threading
import time
from importlib.util import find_spec
from pathlib import Path

from scheduler_app.errors import CommandError

_START_TIMEOUT = 10.0
# rumqttd keeps what has passed through it in memory, in segments for each topic filter, and drops
# the oldest segment when there are too many: 16 of 4 MiB hold about 200,000 of our readings.
_CONFIGURATION = """\
id = 0

[router]
id = 0
max_connections = 10010
max_outgoing_packet_count = 200
max_segment_size = 4194304
max_segment_count = 16

[v4.1]
name = "mqtt-3.1.1"
listen = "{listen}"
next_connection_delay_ms = 1

[v4.1.connections]
connection_timeout_ms = 60000
max_payload_size = 262144
max_inflight_count = 100
dynamic_filters = true
"""


def run_embedded_broker(host: str, port: int) -> None:
    """Start the broker inside this process and return when it accepts connections.

    It has no way to be stopped but the end of the process. Raises CommandError.
    """
    check_installed()
    from iotcore import Broker

    _check_free(host, port)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rumqttd.toml")
        listen = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        path.write_text(_CONFIGURATION.format(listen=listen))
        broker = Broker(config_path=str(path))
        thread = threading.Thread(target=broker.run_forever, name="broker", daemon=True)
        thread.start()
        deadline = time.monotonic() + _START_TIMEOUT
        while not accepts_connections(host, port):
            if not thread.is_alive() or time.monotonic() > deadline:
                raise CommandError(f"the embedded broker did not start on {host}:{port}")
            time.sleep(0.02)


def check_installed() -> None:
    """Raise CommandError if there is no embedded broker on this machine."""
    if find_spec("iotcore") is None:
        raise CommandError(
            "the embedded broker is not installed (there is no wheel of iotcore for every platform): "
            "install Mosquitto, for example 'sudo apt install mosquitto', or set BROKER to a broker you have"
        )


def accepts_connections(host: str, port: int) -> bool:
    """Whether something listens at `host`:`port` (TCP)."""
    try:
        with socket.create_connection((host, port), timeout=1.0):
            return True
    except OSError:
        return False


def _check_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"the embedded broker cannot listen on {host}:{port}: {error.strerror}"
            ) from None
