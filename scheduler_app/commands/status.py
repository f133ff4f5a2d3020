"""`manage.py status`: prints what the subscriber says of itself."""

import argparse
import json
import threading
from typing import TYPE_CHECKING

from scheduler_app.errors import CommandError
from scheduler_app.management import BROKER_SETTINGS, BaseCommand

if TYPE_CHECKING:
    from config.settings import Settings
    from scheduler_app.mqtt.message import Message

# Seconds to wait for the subscriber's messages, which the broker has kept; else they come with its next tick.
_ANSWER_TIMEOUT = 5.0
# What a person calls them, where their names on the wire are too short.
_WORDS = {
    "at": "as of",
    "since": "counted since",
    "tick": "last statistics",
    "in_flight": "not yet acknowledged",
    "oldest_unacknowledged": "the oldest of these",
    "database_bytes": "database",
}
_TIMES = ("at", "since", "last_commit", "session_lost_at", "session_lost_since")
_UNITS = {
    **dict.fromkeys(
        ("received", "stored", "duplicates", "rejected", "late", "retained", "ignored"), "message"
    ),
    "pruned": "reading",
    "in_flight": "message",
    "short_connections": "connection",
}
_RATES = ("received", "stored")


class Command(BaseCommand):
    help = "Print the subscriber's counters: what was received, stored, rejected, and so on."
    settings = (*BROKER_SETTINGS, "stats_topic")

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--format", choices=("table", "json"), default="table", help="(default: table)")

    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        from scheduler_app.console.lookout import what_is_there
        from scheduler_app.console.table import render_pairs
        from scheduler_app.mqtt.connection import Connection
        from scheduler_app.mqtt.shortcomings import shortcomings
        from scheduler_app.publishing.messages import (
            InvalidMessage,
            metrics_content,
            parse_metrics,
            parse_state,
        )
        from scheduler_app.publishing.topics import metrics_topic, state_topic

        answers: dict[str, bytes] = {}
        complete = threading.Event()
        topics = (metrics_topic(settings), state_topic(settings))

        def take(message: "Message") -> None:
            answers[message.topic] = message.payload
            if len(answers) == len(topics):
                complete.set()

        connection = Connection(settings, "status", subscribe=topics, on_message=take, quiet=True)
        connection.start()
        complete.wait(_ANSWER_TIMEOUT)
        granted = connection.granted
        if granted.retain_available is False:
            complete.wait(settings.stats_interval)
        trouble = connection.trouble
        connection.stop()
        if not complete.is_set():
            missing = "; ".join(shortcoming.text for shortcoming in shortcomings(granted, ()))
            raise CommandError(
                trouble
                or f"no subscriber has published its counters on {metrics_topic(settings)}"
                + (f": {missing}. " if missing else ". ")
                + what_is_there(settings, threading.Event())
            )
        topic = state_topic(settings)
        try:
            state = parse_state(answers[topic])
            topic = metrics_topic(settings)
            content = metrics_content(parse_metrics(answers[topic]))
        except InvalidMessage as error:
            raise CommandError(f"the message on {topic} does not come from a subscriber: {error}") from None
        # it comes first, and no metric of that name takes its place
        metrics = {"state": state} | content | {"state": state}
        if options.format == "json":
            print(json.dumps(metrics))
            return
        complaint = metrics.pop("trouble")  # a line is too long for the table
        print(render_pairs(readable(metrics)))
        if complaint is not None:
            print(f"trouble: {complaint}")


def readable(metrics: dict[str, object]) -> dict[str, object]:
    """Return the metrics in words, with units, as a person reads them; what is unknown stays as it is."""
    from scheduler_app.publishing.messages import is_time

    at, since = metrics.get("at"), metrics.get("since")
    seconds = at - since if is_time(at) and is_time(since) else 0.0
    return {
        _WORDS.get(name, name.replace("_", " ")): _text(name, value, seconds)
        for name, value in metrics.items()
    }


def _text(name: str, value: object, seconds: float) -> object:
    """Return a value with its unit; `seconds` is for how long the counters have counted."""
    from scheduler_app.formatting import moment_text
    from scheduler_app.publishing.messages import is_number, is_time

    if value is None:
        return "-"
    if name == "tick" and isinstance(value, dict):
        return _text("at", value.get("at"), seconds)
    if name == "members" and isinstance(value, dict):
        return "; ".join(f"{number}: {_member_text(value[number])}" for number in value)
    if name in _TIMES and is_time(value):
        return moment_text(value)
    return _number_text(name, value, seconds) if is_number(value) else value


def _member_text(member: object) -> str:
    """Return who has a slot, as the metrics tell it."""
    if isinstance(member, dict):
        return f"process {member.get('process')} on {member.get('host')}"
    return "nobody"


def _number_text(name: str, value: float, seconds: float) -> object:
    from scheduler_app.formatting import counted_text, rate_text, size_text

    if name == "database_bytes":
        return size_text(value)
    if name == "oldest_unacknowledged":
        return f"{value:.1f} s"
    if name not in _UNITS:
        return value
    text = counted_text(value, _UNITS[name])
    return f"{text}, {rate_text(value / seconds)} on average" if name in _RATES and seconds > 0 else text
