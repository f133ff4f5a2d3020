"""Whether the broker keeps what is published while the subscriber is away, and how much of it."""

import math
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple

from config.quantities import format_duration
from config.settings import Settings
from scheduler_app.checks.finding import Finding, Level
from scheduler_app.mqtt.connection import Connection
from scheduler_app.mqtt.ingest_session import IngestSession
from scheduler_app.publishing.topics import check_topic
from scheduler_app.runtime.lifecycle import wait_until

# Messages. The second is one more than Mosquitto keeps by default for a client that is away: what is
# dropped here, the broker counts as dropped. The third is the most that is tried.
_FEW, _BEYOND_DEFAULT, _MOST = 100, 1001, 20_000
# Seconds to wait for the broker to let us in.
_ANSWER_TIMEOUT = 5.0
# Messages a second that a broker takes from us at least, and the seconds that all of them may take.
_SLOWEST, _LONGEST = 100, 40.0
# Seconds of silence after which no more come.
_QUIET = 2.0
# Messages that are received at a time.
_BATCH = 1000

Progress = Callable[[str], object]


class Kept(NamedTuple):
    """How many messages a broker took, and how many of them it kept for a client that was away."""

    sent: int
    # How many it acknowledged in time, and how many seconds that took.
    taken: int
    took: float
    received: int
    # Whether it had forgotten the client.
    forgotten: bool
    # Seconds after which it forgets a client, None if it does not tell.
    expiry: float | None


def check_session(
    settings: Settings,
    rate: float | None,
    downtime: float,
    progress: Progress,
    elapsed: Callable[[], float] = time.monotonic,
) -> Finding:
    """Leave a session behind, have messages sent to it, come back, and count.

    It sends as many as come in the `downtime` (seconds) at `rate` (messages a second), within limits.
    """
    needed = None if rate is None else math.ceil(rate * downtime)
    finding = Finding(Level.WARN, "session", "")
    for number in numbers(needed):
        kept = _try(settings, number, progress, elapsed)
        finding = judge(kept, needed, rate, downtime)
        if finding.level != Level.OK:
            break  # to send more would only be dropped
    return finding


def numbers(needed: int | None) -> Iterator[int]:
    """Yield how many messages to try, one after the other, if so many are `needed` (None: not known)."""
    if needed is None:
        yield _BEYOND_DEFAULT
        return
    enough = min(max(needed, _FEW), _MOST)
    if enough > _BEYOND_DEFAULT:
        yield _BEYOND_DEFAULT  # most that have a limit have this one, and no more need be dropped
    yield enough


def judge(kept: Kept, needed: int | None, rate: float | None, downtime: float) -> Finding:
    """Say how good it is what a broker has kept; `rate` in messages a second, `downtime` in seconds."""
    text = _complaint(kept, rate, downtime)
    if text is not None:
        return Finding(Level.WARN, "session", text)
    enough = _enough(kept.received, needed, downtime)
    text = f"the broker kept {kept.received} messages for a client that was away{enough}"
    return Finding(Level.OK, "session", text)


def _complaint(kept: Kept, rate: float | None, downtime: float) -> str | None:
    if kept.forgotten:
        return (
            "the broker forgets the session of a client that is away: what is published while the subscriber "
            "is down is lost"
        )
    if kept.received < kept.taken:
        enough = ""
        if rate:
            enough = f" (what comes in {timedelta(seconds=round(kept.received / rate))} at the present rate)"
        return (
            f"the broker keeps only {kept.received} messages while the subscriber is away{enough}, and drops "
            "the rest silently: raise the limit of its queue (Mosquitto: max_queued_messages 0)"
        )
    if kept.taken < kept.sent:
        return (
            f"the broker took only {kept.taken} of {kept.sent} messages in {kept.took:.0f} s. Perhaps it "
            "saves all that waits after each message (Mosquitto: autosave_on_changes true): then publishers "
            "wait ever longer while the subscriber is away. Or it, or this machine, is busy"
        )
    if kept.expiry is not None and kept.expiry < downtime:
        return (
            f"the broker forgets a client after {format_duration(kept.expiry)}: if the subscriber is down "
            f"for {format_duration(downtime)}, what is published is lost. Have it keep sessions longer"
        )
    return None


def _enough(kept: int, needed: int | None, downtime: float) -> str:
    """Say whether so many are enough for the planned downtime, where the rate is known."""
    if needed is None:
        return ""
    if kept >= needed:
        return f", enough for {format_duration(downtime)} at the present rate"
    return f"; at the present rate {needed} come in {format_duration(downtime)}, more than were tried"


def _try(settings: Settings, number: int, progress: Progress, elapsed: Callable[[], float]) -> Kept:
    """Have the broker keep `number` messages for a client that is away; it keeps nothing afterwards."""
    topic = check_topic(settings, secrets.token_hex(4))
    role = f"check-{secrets.token_hex(4)}"
    try:
        progress("session: subscribing")
        with _session(settings, topic, role) as first:
            _receive(first, 0, progress, elapsed)
            expiry = first.granted.session_expiry
        began = elapsed()
        taken = _send(settings, topic, number, progress)
        took = elapsed() - began
        with _session(settings, topic, role) as second:
            received, forgotten = _receive(second, number, progress, elapsed)
        return Kept(number, taken, took, received, forgotten, expiry)
    finally:  # also at Ctrl-C: the broker would keep the session and all that waits in it for ever
        progress("session: tidying up")
        IngestSession(settings, [topic], role=role, quiet=True).discard()


@contextmanager
def _session(settings: Settings, topic: str, role: str) -> Iterator[IngestSession]:
    """Have a session that the broker keeps, and leave it behind."""
    session = IngestSession(settings, [topic], role=role, quiet=True)
    try:
        yield session
    finally:
        session.disconnect()


def _receive(
    session: IngestSession, enough: int, progress: Progress, elapsed: Callable[[], float]
) -> tuple[int, bool]:
    """Connect, subscribe, and wait for `enough` messages, or until no more come.

    Returns how many there were, and whether the broker has begun a new session for us.
    """
    received, lost = 0, False
    session.connect()
    patient_until = elapsed() + _ANSWER_TIMEOUT
    while received < enough or not session.subscribed:
        if not session.connected and not session.connect():
            break
        batch = session.receive(_BATCH, 0.2)
        if session.take_session_loss():
            lost = True
            session.subscribe()
        session.acknowledge(batch)
        received += len(batch)
        if batch:
            patient_until = elapsed() + _QUIET
            progress(f"session: {received} of {enough} messages came back")
        if elapsed() >= patient_until or (lost and session.subscribed):
            break
    return received, lost


def _send(settings: Settings, topic: str, number: int, progress: Progress) -> int:
    """Publish `number` messages; return how many were acknowledged in time."""
    done = threading.Event()
    pubacks: list[object] = []

    def count(puback: object) -> None:
        pubacks.append(puback)
        if len(pubacks) == number:
            done.set()

    connection = Connection(settings, "check", quiet=True)

    def send_all() -> None:
        for _ in range(number):
            connection.publish(topic, "check", when_acknowledged=count)

    def is_done() -> bool:
        progress(f"session: {len(pubacks)} of {number} messages sent")
        return done.is_set()

    connection.start(send_all)
    try:
        wait_until(is_done, _ANSWER_TIMEOUT + min(number / _SLOWEST, _LONGEST))
    finally:
        connection.stop()
    return len(pubacks)
