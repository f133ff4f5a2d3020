"""What `manage.py check` looks at."""

import math
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from config.broker_address import CLEAR_PASSWORD
from config.quantities import format_duration
from config.settings import Settings
from models.storage.errors import LockedDatabase, UnreadableDatabase, UnusableDatabase
from models.storage.opening import prepare, writing_settings
from models.storage.reader import open_reader
from scheduler_app.formatting import time_text
from scheduler_app.mqtt.connection import Connection
from scheduler_app.mqtt.dialer import SUSPICIOUS
from scheduler_app.mqtt.ingest_session import IngestSession
from scheduler_app.mqtt.message import Message
from scheduler_app.publishing.messages import InvalidMessage, parse_metrics
from scheduler_app.publishing.records import Metrics
from scheduler_app.publishing.topics import metrics_topic
from scheduler_app.runtime.lifecycle import wait_until

# Seconds to wait for an answer of the broker, and for its own statistics below $SYS.
_ANSWER_TIMEOUT = 5.0
_SYS_TIMEOUT = 1.0
# Messages. The first is more than Mosquitto keeps by default for a client that is away; the second is the
# most that is tried.
_LEAST_QUEUE_TEST, _MOST_QUEUE_TEST = 1100, 20_000
# Messages a second that a broker takes from us at least.
_SLOWEST = 500
# Seconds that clocks may differ by without a word.
_CLOCK_TOLERANCE = 1.0
# Messages a second. At a lower rate, a queue of any size lasts for years.
_LEAST_RATE = 1e-5
_NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "9p", "sshfs", "afs", "ceph", "gluster")
# Digits of a number that a broker tells.
_MOST_DIGITS = 20
_DROPPED_TOPIC = "$SYS/broker/publish/messages/dropped"  # Mosquitto's


class Level(StrEnum):
    """How good a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


class Finding(NamedTuple):
    """What one check found, in one line."""

    level: Level
    name: str
    text: str


def examine(
    settings: Settings,
    downtime: float,
    *,
    now: Callable[[], float] = time.time,
    elapsed: Callable[[], float] = time.monotonic,
) -> Iterator[Finding]:
    """Yield what each check finds, as it finds it. A check is left out if one that it builds on has failed.

    `downtime`: for how many seconds the subscriber may be away, by its owner's plan. `now` tells UTC
    epoch seconds, `elapsed` the seconds of a clock that never jumps.
    """
    windows = ", ".join(window.name for window in settings.windows)
    topics = ", ".join(stream.topic for stream in settings.streams)
    yield Finding(Level.OK, "settings", f"{topics} to {settings.stats_topic}, windows {windows}")
    database = _check_database(settings)
    yield database
    if database.level != Level.FAIL:
        yield _check_file_system(settings.db_file)
        yield from _check_messages(settings, now())
    if settings.broker.reveals_password:
        yield Finding(Level.WARN, "broker", CLEAR_PASSWORD.format(settings.broker))
    broker, answers = _check_broker(settings)
    yield broker
    if broker.level != Level.FAIL:
        yield from _check_dropped(settings)  # before the next check makes a broker drop some
        payload = answers.get(metrics_topic(settings))
        metrics = None if payload is None else read_metrics(settings, payload)
        if isinstance(metrics, Finding):
            yield metrics
            metrics = None
        yield _check_session(settings, _rate(metrics), downtime, elapsed)
        if metrics is not None:
            yield from check_metrics(settings, metrics)


def _check_database(settings: Settings) -> Finding:
    try:
        prepare(settings.db_file)
        pragmas = writing_settings(settings.db_file)
        with open_reader(settings.db_file) as stored:
            damage = stored.damage()
            readings = stored.reading_count()
    except (LockedDatabase, UnusableDatabase, UnreadableDatabase) as error:
        return Finding(Level.FAIL, "database", str(error))
    if damage is not None:
        return Finding(Level.FAIL, "database", damage)
    text = (
        f"{settings.db_file}: {readings} readings, SQLite {pragmas.version}, journal {pragmas.journal_mode}"
    )
    if pragmas.journal_mode != "wal" or not pragmas.synchronous_full:
        return Finding(Level.WARN, "database", f"{text}: a power cut may lose acknowledged readings")
    return Finding(Level.OK, "database", f"{text}, synchronous full")


def _check_file_system(db_file: Path) -> Finding:
    kind = _file_system(db_file.resolve().parent)
    if any(kind.startswith(name) or f".{name}" in kind for name in _NETWORK_FILE_SYSTEMS):
        return Finding(
            Level.WARN,
            "disk",
            f"{db_file} is on a network file system ({kind}), which SQLite cannot lock safely",
        )
    return Finding(Level.OK, "disk", f"{kind or 'unknown'} file system, {_free(db_file.parent)} free")


def _file_system(folder: Path) -> str:
    """Return the type of the file system that holds `folder`, empty where the system does not tell."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return ""
    holding = [(point, kind) for point, kind in mounts if folder.is_relative_to(point)]
    return max(holding, key=lambda mount: len(mount[0]), default=("", ""))[1]


def _free(folder: Path) -> str:
    stats = os.statvfs(folder)
    return f"{stats.f_bavail * stats.f_frsize / 2**20:,.0f} MiB"


def _check_messages(settings: Settings, now: float) -> Iterator[Finding]:
    """Look at what has come so far: clocks that differ, devices that send only retained messages.

    `now` is in UTC epoch seconds.
    """
    try:
        with open_reader(settings.db_file) as stored:
            counts = stored.counters()
            newest = stored.newest_time()
    except UnreadableDatabase as error:
        yield Finding(Level.FAIL, "messages", str(error))
        return
    if newest is not None and newest > now + _CLOCK_TOLERANCE:
        ahead = newest - now
        yield Finding(
            Level.WARN, "clock", f"the newest reading is {ahead:.0f} s ahead of the clock of this machine"
        )
    if counts.get("late", 0):
        text = (
            f"{counts['late']} readings were older than RETENTION when they came, and are in no average: "
            "the clock of a sensor is wrong, or they came after a long outage"
        )
        yield Finding(Level.WARN, "clock", text)
    if counts.get("retained", 0) and counts["retained"] == counts.get("received", 0):
        text = "all messages so far were retained ones: those are old copies, which are never counted"
        yield Finding(Level.WARN, "messages", text)


def _check_broker(settings: Settings) -> tuple[Finding, dict[str, bytes]]:
    """Send a message through the broker and back at QoS 1; return what else the broker tells."""
    topic = f"{settings.stats_topic}/$check/{secrets.token_hex(4)}"  # below STATS_TOPIC: never input
    answers: dict[str, bytes] = {}
    came_back = threading.Event()

    def take(message: Message) -> None:
        answers[message.topic] = message.payload
        if message.topic == topic:
            came_back.set()

    subscribe = (metrics_topic(settings), topic)
    connection = Connection(settings, "check", subscribe=subscribe, on_message=take, quiet=True)
    connection.start(lambda: connection.publish(topic, "check"))
    wait_until(lambda: came_back.is_set() or connection.trouble is not None, _ANSWER_TIMEOUT)
    trouble, connected = connection.trouble, connection.connected
    connection.stop()
    if came_back.is_set():
        text = f"{settings.broker}: a message at QoS 1 went out and came back"
        return Finding(Level.OK, "broker", text), answers
    if connected:
        trouble = (
            f"{settings.broker} accepts the connection, but a message at QoS 1 did not come back: it must "
            f"allow us to subscribe to {topic} and to publish on it"
        )
    return Finding(Level.FAIL, "broker", trouble or f"no answer from {settings.broker}"), answers


def _check_session(
    settings: Settings, rate: float | None, downtime: float, elapsed: Callable[[], float]
) -> Finding:
    """Leave a session behind, have messages sent to it, come back, and count.

    It sends as many as come in the `downtime` (seconds) at `rate` (messages a second), within limits.
    """
    needed = math.ceil((rate or 0) * downtime)
    number = min(max(needed, _LEAST_QUEUE_TEST), _MOST_QUEUE_TEST)
    topic = f"{settings.stats_topic}/$check/{secrets.token_hex(4)}"
    role = f"check-{secrets.token_hex(4)}"
    first = IngestSession(settings, [topic], role=role, quiet=True)
    _receive_until(first, 0, elapsed)
    first.disconnect()
    if not _send(settings, topic, number):
        return Finding(
            Level.WARN, "session", f"{settings.broker} did not acknowledge {number} messages in time"
        )
    second = IngestSession(settings, [topic], role=role, quiet=True)
    received, lost = _receive_until(second, number, elapsed)
    second.disconnect()
    IngestSession(settings, [topic], role=role, quiet=True).discard()
    if lost:
        text = (
            "the broker forgets the session of a client that is away: what is published while the subscriber "
            "is down is lost"
        )
        return Finding(Level.WARN, "session", text)
    if received < number:
        enough = ""
        if rate:
            enough = f" (what comes in {timedelta(seconds=round(received / rate))} at the present rate)"
        text = (
            f"the broker keeps only {received} messages while the subscriber is away{enough}, and drops the "
            "rest silently: raise the limit of its queue (Mosquitto: max_queued_messages 0)"
        )
        return Finding(Level.WARN, "session", text)
    return Finding(
        Level.OK,
        "session",
        f"the broker kept {number} messages for a client that was away{_enough(number, needed, downtime)}",
    )


def _enough(kept: int, needed: int, downtime: float) -> str:
    """Say whether so many are enough for the planned downtime, where the rate is known."""
    if not needed:
        return ""
    if kept >= needed:
        return f", enough for {format_duration(downtime)} at the present rate"
    return f"; at the present rate {needed} come in {format_duration(downtime)}, more than were tried"


def _receive_until(session: IngestSession, enough: int, elapsed: Callable[[], float]) -> tuple[int, bool]:
    """Connect, subscribe, and wait a while for `enough` messages.

    Returns how many there were, and whether the broker has begun a new session for us.
    """
    received, lost = 0, False
    session.connect()
    deadline = elapsed() + _ANSWER_TIMEOUT + enough / _SLOWEST
    while (received < enough or not session.subscribed) and elapsed() < deadline:
        if not session.connected and not session.connect():
            break
        batch = session.receive(_LEAST_QUEUE_TEST, 0.2)
        if session.take_session_loss():
            lost = True
            session.subscribe()
        session.acknowledge(batch)
        received += len(batch)
    return received, lost


def _send(settings: Settings, topic: str, number: int) -> bool:
    """Publish `number` messages; return whether all were acknowledged in time."""
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

    connection.start(send_all)
    sent = done.wait(_ANSWER_TIMEOUT + number / _SLOWEST)
    connection.stop()
    return sent


def _check_dropped(settings: Settings) -> Iterator[Finding]:
    """Look at how many messages the broker has dropped, where it tells: Mosquitto does."""
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
    if answers and answers[0].isdigit() and len(answers[0]) < _MOST_DIGITS and int(answers[0]):
        text = f"the broker has dropped {int(answers[0])} messages since it started, ours or others'"
        yield Finding(Level.WARN, "broker", text)


def read_metrics(settings: Settings, payload: bytes) -> Metrics | Finding:
    """Return the metrics that are published, or what was found in their place."""
    try:
        return parse_metrics(payload)
    except InvalidMessage as error:
        text = f"the message on {metrics_topic(settings)} does not come from a subscriber: {error}"
        return Finding(Level.WARN, "metrics", text)


def check_metrics(settings: Settings, metrics: Metrics) -> Iterator[Finding]:
    """Look at what a running subscriber tells of itself."""
    if metrics.short_connections >= SUSPICIOUS:
        text = (
            "the broker closes the subscriber's connection again and again: does another client use "
            f"the same CLIENT_ID={settings.client_id}?"
        )
        yield Finding(Level.WARN, "client id", text)
    if metrics.session_lost_at is not None:
        text = (
            f"at {time_text(metrics.session_lost_at)} UTC the broker had no session of the subscriber: what "
            f"was published from {time_text(metrics.session_lost_since)} UTC until then was lost. Does "
            f"another client use the same CLIENT_ID={settings.client_id}, or has the broker lost its data?"
        )
        yield Finding(Level.WARN, "session", text)


def _rate(metrics: Metrics | None) -> float | None:
    """Return how many messages a second a running subscriber has received so far, None if hardly any."""
    if metrics is None or metrics.at <= metrics.since:
        return None
    rate = metrics.received / (metrics.at - metrics.since)
    return rate if rate >= _LEAST_RATE else None
