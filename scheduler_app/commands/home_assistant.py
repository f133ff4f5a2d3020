"""`manage.py home-assistant`: tells what Home Assistant is told of our averages, and takes all of it back."""

import argparse
from typing import TYPE_CHECKING

from config.text import printable
from scheduler_app.errors import CommandError
from scheduler_app.management import BROKER_SETTINGS, BaseCommand

if TYPE_CHECKING:
    from collections.abc import Sequence

    from config.settings import Settings
    from scheduler_app.mqtt.connection import Connection
    from scheduler_app.mqtt.message import Puback
    from scheduler_app.publishing.home_assistant.told import ToldDevices

# Seconds to wait for the broker; without a message that it has kept, after which there are no more; and for
# its answers to what we publish.
_CONNECT_TIMEOUT, _QUIET, _ANSWER_TIMEOUT = 10.0, 1.0, 10.0


class Command(BaseCommand):
    help = "Tell of which averages Home Assistant is told; --remove has all of them disappear there."
    settings = (*BROKER_SETTINGS, "stats_topic", "ha_prefix")

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--remove", action="store_true", help="have all of our entities disappear from Home Assistant"
        )

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        from scheduler_app.mqtt.connection import Connection
        from scheduler_app.publishing.home_assistant.told import ToldDevices

        told = ToldDevices(settings)
        connection = Connection(
            settings, "home-assistant", subscribe=told.topics, on_message=told.take, quiet=True
        )
        connection.start()
        try:
            _listen(connection, told, settings)
            print(
                f"Home Assistant is told of {len(told.devices):,} devices with {told.entities:,} entities "
                f"below {printable(settings.ha_prefix)}"
            )
            if told.others:
                print(
                    f"{len(told.others):,} more devices are of installations with another CLIENT_ID or "
                    "STATS_TOPIC"
                )
            if options.remove and told.devices:
                _remove(connection, list(told.devices))
                print(f"removed {len(told.devices):,} devices")
                if told.subscriber_is_there:
                    print(
                        "the subscriber is running: it tells of them again when it or Home Assistant starts, "
                        "unless HA_DISCOVERY is taken out of its settings before"
                    )
        finally:
            connection.stop()


def _listen(connection: "Connection", told: "ToldDevices", settings: "Settings") -> None:
    """Wait until all has come that the broker keeps. Raises CommandError."""
    from scheduler_app.runtime.lifecycle import wait_until

    wait_until(lambda: connection.subscribed or connection.trouble is not None, _CONNECT_TIMEOUT)
    if not connection.subscribed:
        raise CommandError(connection.trouble or f"no answer from {settings.broker}")
    before = -1
    while told.count != before:
        before = told.count
        wait_until(lambda: False, _QUIET)


def _remove(connection: "Connection", topics: "Sequence[str]") -> None:
    """Have the broker forget what is on the topics, and tell those who listen. Raises CommandError."""
    from scheduler_app.publishing.home_assistant.publisher import MOST_AT_ONCE, SEND_INTERVAL
    from scheduler_app.runtime.lifecycle import wait_until

    answers: list[Puback] = []
    for place in range(0, len(topics), MOST_AT_ONCE):
        if place:
            wait_until(lambda: False, SEND_INTERVAL)
        for topic in topics[place : place + MOST_AT_ONCE]:
            connection.publish(topic, "", retain=True, when_acknowledged=answers.append)
    wait_until(lambda: len(answers) == len(topics), _ANSWER_TIMEOUT)
    refused = [answer.reason for answer in answers if not answer.accepted]
    if refused:
        raise CommandError(
            f"the broker refuses to forget {len(refused):,} of {len(topics):,} devices ({refused[0]}): have "
            "its rules (ACL) allow us to publish there"
        )
    if len(answers) < len(topics):
        raise CommandError(
            f"the broker has acknowledged only {len(answers):,} of {len(topics):,} devices; try again"
        )
