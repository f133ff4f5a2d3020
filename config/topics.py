"""Topic names and topic filters, as MQTT 3.1.1 and 5 define them (section 4.7)."""

_MAX_BYTES = 65535


def check_topic(topic: str) -> str:
    """Return `topic` if messages can be published to it, else raise ValueError."""
    if "+" in topic or "#" in topic:
        raise ValueError("a topic without the wildcards + and #")
    return _check_text(topic)


def check_topic_filter(topic_filter: str) -> str:
    """Return `topic_filter` if it can be subscribed to, else raise ValueError."""
    levels = topic_filter.split("/")
    if "#" in topic_filter[:-1] or any(len(level) > 1 and set(level) & set("+#") for level in levels):
        raise ValueError("+ alone between slashes, # alone and last, for example sensors/+/temp")
    return _check_text(topic_filter)


def is_at_or_below(topic: str, root: str) -> bool:
    """Whether `topic` is `root` or lies below it."""
    return topic == root or topic.startswith(f"{root}/")


def _check_text(text: str) -> str:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= _MAX_BYTES or "\0" in text:
        raise ValueError(f"1 to {_MAX_BYTES} bytes of UTF-8 without NUL")
    return text
