"""Whether the broker shares messages among the members of a group."""

import secrets
from collections.abc import Callable

from config.settings import Settings
from config.topics import is_shared
from scheduler_app.checks.finding import Finding, Level
from scheduler_app.mqtt.connection import Connection
from scheduler_app.mqtt.message import Message
from scheduler_app.publishing.topics import check_topic
from scheduler_app.runtime.lifecycle import wait_until

# Messages: of so many, by chance, hardly all go to one of two members.
_NUMBER = 20
# Seconds to wait for the broker, and for messages of which none may come.
_CONNECT_TIMEOUT, _ANSWER_TIMEOUT = 12.0, 3.0
_CURE = (
    "leave SHARE out, and give each member filters of its own (TOPIC, STREAMS_FILE), or take a broker that "
    "shares"
)


def is_sharing(settings: Settings) -> bool:
    """Whether the settings ask for shared subscriptions."""
    return settings.share is not None or any(is_shared(stream.topic) for stream in settings.streams)


def check_sharing(settings: Settings) -> Finding:
    """Subscribe twice in one group, send a few messages, and count who gets what."""
    topic = check_topic(settings, secrets.token_hex(4))
    group = f"check-{secrets.token_hex(4)}"
    counts = [0, 0]

    def counting(member: int) -> Callable[[Message], None]:
        def count(message: Message) -> None:
            counts[member] += 1

        return count

    members = [
        Connection(
            settings, "check", subscribe=(f"$share/{group}/{topic}",), on_message=counting(member), quiet=True
        )
        for member in range(len(counts))
    ]
    sender = Connection(settings, "check", quiet=True)
    for connection in (*members, sender):
        connection.start()
    wait_until(
        lambda: all(member.subscribed or member.trouble for member in members) and sender.connected,
        _CONNECT_TIMEOUT,
    )
    trouble = next((member.trouble for member in members if member.trouble), None)
    for _ in range(_NUMBER):
        sender.publish(topic, "check")
    wait_until(lambda: sum(counts) >= _NUMBER, _ANSWER_TIMEOUT)
    for connection in (*members, sender):
        connection.stop()
    return judge(counts, trouble)


def judge(counts: list[int], trouble: str | None) -> Finding:
    """Return what it means that each of two members got so many of the messages."""
    if trouble is not None:
        return Finding(Level.FAIL, "sharing", f"{trouble}; {_CURE}")
    if sum(counts) == _NUMBER and min(counts) > 0:
        return Finding(
            Level.OK,
            "sharing",
            f"of {_NUMBER} messages to a group, its two members got {counts[0]} and {counts[1]}",
        )
    if sum(counts) == _NUMBER:
        text = f"all of {_NUMBER} messages went to one member of a group of two: members share no work"
        return Finding(Level.WARN, "sharing", text)
    if sum(counts) > _NUMBER:
        text = f"the broker sends each message to every member of a $share group: each counts twice; {_CURE}"
        return Finding(Level.FAIL, "sharing", text)
    text = f"the broker does not know $share: of {_NUMBER} messages to a group, {sum(counts)} came; {_CURE}"
    return Finding(Level.FAIL, "sharing", text)
