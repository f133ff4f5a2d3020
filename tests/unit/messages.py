"""Messages as they arrive."""

from scheduler_app.mqtt.message import Message

NOW = 1_700_000_000.0


def message(
    payload: bytes,
    topic: str = "DATA",
    *,
    arrived: float = NOW,
    qos: int = 1,
    retained: bool = False,
    duplicate: bool = False,
    packet_id: int = 1,
) -> Message:
    return Message(topic, payload, qos, retained, duplicate, packet_id, arrived)
