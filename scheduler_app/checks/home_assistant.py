"""Whether Home Assistant is there, to be told of the averages."""

import secrets

from config.settings import Settings
from scheduler_app.checks.finding import Finding, Level
from scheduler_app.mqtt.connection import Connection
from scheduler_app.mqtt.message import Message, Puback
from scheduler_app.publishing.home_assistant.series import anything_wanted
from scheduler_app.runtime.lifecycle import wait_until

# Seconds to wait for the broker, and for what it keeps.
_ANSWER_TIMEOUT, _STATUS_TIMEOUT = 5.0, 1.0
# MQTT 5 section 3.4.2.1: accepted, but nobody has subscribed.
_NOBODY = "No matching subscribers"


def check_home_assistant(settings: Settings) -> Finding | None:
    """Ask whether anybody listens to what Home Assistant is told; None if nobody is to be told of anything.

    By its birth message, if that is retained; else by the broker, which says of an empty message whether it
    has gone to anybody. That is of a kind of entity that the subscriber itself does not listen to.
    """
    if not anything_wanted(settings):
        return None
    prefix, status_topic = settings.ha_prefix, f"{settings.ha_prefix}/status"
    topic = f"{prefix}/button/averages-check-{secrets.token_hex(4)}/config"
    states: list[bytes] = []
    answers: list[Puback] = []

    def take(message: Message) -> None:
        states.append(message.payload)

    connection = Connection(settings, "check", subscribe=(status_topic,), on_message=take, quiet=True)

    connection.start(lambda: connection.publish(topic, "", when_acknowledged=answers.append))
    wait_until(lambda: bool(answers) or connection.trouble is not None, _ANSWER_TIMEOUT)
    wait_until(lambda: bool(states) or not answers, _STATUS_TIMEOUT)
    trouble, version = connection.trouble, connection.version
    connection.stop()
    return _finding(prefix, states, answers, trouble, tells_of_nobody=version == "5")


def _finding(
    prefix: str, states: list[bytes], answers: list[Puback], trouble: str | None, *, tells_of_nobody: bool
) -> Finding:
    name = "discovery"
    if states and states[-1] in (b"online", b"offline"):
        state = states[-1].decode()
        level = Level.OK if state == "online" else Level.WARN
        return Finding(level, name, f"{prefix}/status says that Home Assistant is {state}")
    if not answers:
        return Finding(Level.WARN, name, trouble or f"the broker does not answer what is told below {prefix}")
    if not answers[0].accepted:
        return Finding(
            Level.WARN,
            name,
            f"the broker refuses what is told below {prefix} ({answers[0].reason}): have its rules (ACL) "
            f"allow us to publish on {prefix}/device/+/config",
        )
    if answers[0].reason == _NOBODY:
        return Finding(
            Level.WARN,
            name,
            f"nobody listens below {prefix}: is Home Assistant running, is its MQTT integration connected to "
            "this broker, and is that its discovery prefix (HA_PREFIX)?",
        )
    if tells_of_nobody:
        return Finding(Level.OK, name, f"somebody listens to what is told below {prefix}")
    text = f"what is told below {prefix} is taken; this broker does not say whether anybody listens"
    return Finding(Level.OK, name, text)
