"""`manage.py check`: tells what works and what does not."""

import argparse
import secrets
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from scheduler_app.management import BROKER_SETTINGS, BaseCommand, CommandError

if TYPE_CHECKING:
    from config.settings import Settings

# Seconds.
_ANSWER_TIMEOUT = 5.0


class Finding(NamedTuple):
    """What one check found."""

    passed: bool
    name: str
    text: str


class Command(BaseCommand):
    help = "Check the settings, the database and the broker; exit status 1 if one does not work."
    settings = (
        *BROKER_SETTINGS,
        "topic",
        "stats_topic",
        "db_file",
        "stats_interval",
        "retention",
        "windows",
        "max_clock_skew",
    )

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        failed = []
        for finding in findings(settings):
            print(f"{'ok  ' if finding.passed else 'FAIL'}  {finding.name:<9} {finding.text}", flush=True)
            if not finding.passed:
                failed.append(finding.name)
        if failed:
            raise CommandError(f"failed: {', '.join(failed)}")


def findings(settings: "Settings") -> Iterator[Finding]:
    """Yield what each check finds, as it finds it."""
    windows = ", ".join(window.name for window in settings.windows)
    yield Finding(True, "settings", f"{settings.topic} to {settings.stats_topic}, windows {windows}")
    yield _check_database(settings)
    yield _check_broker(settings)


def _check_database(settings: "Settings") -> Finding:
    from models import history
    from models.database import UnusableDatabase, prepare, reading_database

    try:
        prepare(settings.db_file)
        database = reading_database(settings.db_file)
        with database.connection_context():
            readings = history.reading_count(database)
    except UnusableDatabase as error:
        return Finding(False, "database", str(error))
    return Finding(True, "database", f"{settings.db_file}: {readings} readings")


def _check_broker(settings: "Settings") -> Finding:
    """Send a message through the broker and back at QoS 1."""
    from scheduler_app.mqtt import Connection

    topic = f"{settings.stats_topic}/$check/{secrets.token_hex(4)}"  # below STATS_TOPIC: never input
    came_back = threading.Event()
    connection = Connection(
        settings,
        "check",
        subscribe=(topic,),
        on_message=lambda message: came_back.set(),
        quiet=True,
    )
    connection.start(lambda: connection.publish(topic, "check"))
    answered = came_back.wait(_ANSWER_TIMEOUT)
    trouble = connection.trouble
    connected = connection.connected
    connection.stop()
    if answered:
        return Finding(True, "broker", f"{settings.broker}: a message at QoS 1 went out and came back")
    if connected:
        trouble = f"{settings.broker} connects, but a message at QoS 1 did not come back: may we use {topic}?"
    return Finding(False, "broker", trouble or f"no answer from {settings.broker} in {_ANSWER_TIMEOUT:.0f} s")
