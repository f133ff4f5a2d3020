"""Whether NATS gives us enough time before it sends again what is not acknowledged."""

import secrets
import time
from collections.abc import Callable

from config.quantities import format_duration
from config.settings import Settings
from scheduler_app.checks.finding import Finding, Level
from scheduler_app.mqtt.connection import Connection
from scheduler_app.mqtt.ingest_session import IngestSession
from scheduler_app.publishing.topics import check_topic

# Seconds. A database that is taken over by its standby takes longer than that to answer.
ENOUGH = 10.0
_ANSWER_TIMEOUT = 5.0
_CURE = 'Have NATS wait longer: mqtt { ack_wait: "60s" }'


def check_ack_wait(settings: Settings, elapsed: Callable[[], float] = time.monotonic) -> Finding | None:
    """Leave a message unacknowledged, and see whether it comes again too soon; None if it does not.

    For NATS alone, and for some seconds.
    """
    topic = check_topic(settings, secrets.token_hex(4))
    role = f"check-{secrets.token_hex(4)}"
    session = IngestSession(settings, [topic], role=role, quiet=True)
    sender = Connection(settings, "check", quiet=True)
    try:
        came = _first_two(session, sender, topic, elapsed)
    finally:
        sender.stop()
        session.disconnect()
        IngestSession(settings, [topic], role=role, quiet=True).discard()
    return None if came is None else judge(came)


def judge(seconds: float) -> Finding:
    """Return what it means that a message came again after so many seconds."""
    text = (
        f"the broker sends again after {format_duration(round(seconds, 1))} what is not acknowledged: while "
        "the database is taken over by a standby, say, all comes again, and without an id some may count "
        f"twice. {_CURE}"
    )
    return Finding(Level.WARN, "ack_wait", text)


def _first_two(
    session: IngestSession, sender: Connection, topic: str, elapsed: Callable[[], float]
) -> float | None:
    """Return the seconds between a message and the same again; None if that takes long, or goes wrong."""
    session.connect()
    patient_until, sent, first = elapsed() + _ANSWER_TIMEOUT, False, None
    sender.start()
    while elapsed() < patient_until and session.connected:
        batch = session.receive(10, 0.1)
        session.maintain()
        if session.take_session_loss():
            session.subscribe()
        if session.subscribed and not sent:
            sent = sender.publish(topic, "check")
        if batch and first is None:
            first = elapsed()
            patient_until = first + ENOUGH
        elif batch and first is not None:
            return elapsed() - first
    return None
