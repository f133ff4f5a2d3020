"""Whether a message goes through the broker and back, and what the broker grants."""

import secrets
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from config.settings import Settings
from config.text import listed
from config.topics import disjoint, unshared
from scheduler_app.checks.finding import Finding, Level
from scheduler_app.mqtt.connection import Connection
from scheduler_app.mqtt.message import Message, Puback, Retained
from scheduler_app.mqtt.shortcomings import LEAST_PACKET, shortcomings
from scheduler_app.publishing.topics import check_topic, metrics_topic
from scheduler_app.runtime.lifecycle import wait_until

# Seconds to wait for the broker to let us in, where two versions of MQTT are tried, for 5 s each; and for
# its answer after that.
_CONNECT_TIMEOUT, _ANSWER_TIMEOUT = 12.0, 5.0
# Seconds to wait for the broker's own statistics below $SYS.
_SYS_TIMEOUT = 1.0
# Digits of a number that a broker tells.
_MOST_DIGITS = 20
_DROPPED_TOPIC = "$SYS/broker/publish/messages/dropped"  # Mosquitto's


class Answer(NamedTuple):
    """What a broker has answered."""

    findings: list[Finding]
    # Whether it does what the subscriber cannot do without.
    usable: bool
    # The settings with the version of MQTT that it speaks, so that it is found out only once.
    settings: Settings
    # What a running subscriber has published of itself, None if there was nothing.
    metrics: bytes | None


def check_broker(settings: Settings) -> Answer:
    """Send a message through the broker and back, as the subscriber would.

    It is retained, at QoS 1, and as long as the messages of the subscriber; and so is the one that the broker
    is to publish when we are gone, which takes it away.
    """
    topic = check_topic(settings, secrets.token_hex(4))
    answers: dict[str, bytes] = {}
    refusals: list[str] = []
    came_back = threading.Event()

    def take(message: Message) -> None:
        answers[message.topic] = message.payload
        if message.topic == topic and message.payload:
            came_back.set()

    def take_puback(puback: Puback) -> None:
        if not puback.accepted:
            refusals.append(puback.reason)

    connection = Connection(
        settings,
        "check",
        subscribe=(metrics_topic(settings), topic),
        on_message=take,
        state=Retained(topic, ""),
        quiet=True,
    )
    # the packet as a whole is no larger than what is told to be too small a limit
    payload = "check".ljust(LEAST_PACKET - len(topic) - 20)
    connection.start(lambda: connection.publish(topic, payload, retain=True, when_acknowledged=take_puback))
    wait_until(lambda: connection.number > 0 or connection.trouble is not None, _CONNECT_TIMEOUT)
    wait_until(
        lambda: bool(came_back.is_set() or connection.trouble or connection.too_large or refusals),
        _ANSWER_TIMEOUT,
    )
    trouble, connected = connection.trouble, connection.connected
    granted, version, was_let_in = connection.granted, connection.version, connection.number > 0
    connection.stop()
    missing = shortcomings(granted, [stream.topic for stream in settings.streams])
    findings = [Finding(Level.FAIL, "broker", text) for text, _ in missing]
    if came_back.is_set():
        text = f"{settings.broker}: a message at QoS 1 went out and came back, with MQTT {version}"
        findings.insert(0, Finding(Level.OK, "broker", text))
        settings = replace(settings, mqtt_version=version)
        usable = not any(grave for _, grave in missing)
        return Answer(findings, usable, settings, answers.get(metrics_topic(settings)))
    if findings:  # they say why
        return Answer(findings, False, settings, None)
    if refusals:
        trouble = (
            f"{settings.broker} refuses what we publish ({refusals[0]}): have its rules (ACL) allow us to "
            f"publish on {settings.stats_topic} and {settings.stats_topic}/#"
        )
    elif was_let_in and trouble is not None:
        trouble = (
            f"{trouble}: it hung up at a retained message of {len(payload)} bytes at QoS 1. Have it take it "
            "(Mosquitto: max_packet_size, retain_available true, max_qos 1), and its rules (ACL) allow it"
        )
    elif connected and trouble is None:
        trouble = (
            f"{settings.broker} accepts the connection, but a message at QoS 1 did not come back: have its "
            f"rules (ACL) allow us to subscribe to {topic} and to publish on {settings.stats_topic} and "
            f"{settings.stats_topic}/#"
        )
    text = trouble or f"no answer from {settings.broker}"
    return Answer([Finding(Level.FAIL, "broker", text)], False, settings, None)


def check_topics(settings: Settings) -> Finding:
    """Subscribe to the topics of the readings; what comes by that is thrown away.

    Not by the group of a shared subscription: its members would miss what comes to us.
    """
    filters = disjoint(unshared(stream.topic) for stream in settings.streams)
    connection = Connection(settings, "check", subscribe=filters, on_message=lambda message: None, quiet=True)
    connection.start()
    wait_until(lambda: connection.subscribed or connection.trouble is not None, _CONNECT_TIMEOUT)
    subscribed, trouble = connection.subscribed, connection.trouble
    connection.stop()
    named = listed(filters)
    if subscribed:
        return Finding(Level.OK, "topics", f"the broker allows us to subscribe to {named}")
    return Finding(Level.FAIL, "topics", trouble or f"the broker does not answer our subscription to {named}")


def dropped(settings: Settings) -> int:
    """Return how many messages the broker has dropped, 0 where it does not tell; Mosquitto does."""
    answers: list[bytes] = []
    connection = Connection(
        settings,
        "check",
        subscribe=(_DROPPED_TOPIC,),
        on_message=lambda message: answers.append(message.payload),
        quiet=True,
    )
    connection.start()
    # a broker without such topics says nothing, or even hangs up
    wait_until(lambda: bool(answers) or connection.trouble is not None, _SYS_TIMEOUT)
    connection.stop()
    # Python converts no number of 4,300 digits
    if answers and answers[0].isdigit() and len(answers[0]) < _MOST_DIGITS:
        return int(answers[0])
    return 0


def check_dropped(number: int) -> Iterator[Finding]:
    """Warn of messages that the broker has dropped, though it keeps enough for the subscriber."""
    if number:
        text = f"the broker has dropped {number} messages since it started, ours or others'"
        yield Finding(Level.WARN, "broker", text)
