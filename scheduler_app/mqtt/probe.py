"""Whether a broker answers."""

import secrets
import time

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode


def answers(host: str, port: int, timeout: float) -> bool:
    """Whether an MQTT broker lets a client in within `timeout` seconds."""
    client = Client(CallbackAPIVersion.VERSION2, client_id=f"probe-{secrets.token_hex(4)}")
    client.connect_timeout = timeout
    deadline = time.monotonic() + timeout
    try:
        client.connect(host, port)
        while not client.is_connected() and time.monotonic() < deadline:
            if client.loop(timeout / 10) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return False
        connected = client.is_connected()
        client.disconnect()
    except OSError:
        return False
    return connected
