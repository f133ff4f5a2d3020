"""The topics on which Home Assistant is told of entities, as its MQTT discovery has them."""

# What every device begins with that we tell of, whichever installation it is.
OUR_DEVICES = "averages_"


def config_topic(prefix: str, device_id: str) -> str:
    """Return the topic of the discovery message of a device. The id may hold letters, digits, _ and -."""
    return f"{prefix}/device/{device_id}/config"


def is_our_config(prefix: str, topic: str) -> bool:
    """Whether a discovery message of ours, or of another installation of ours, comes on a topic."""
    return topic.startswith(f"{prefix}/device/{OUR_DEVICES}")
