"""What to tell somebody who waits for statistics that do not come."""

import threading
from collections.abc import Callable
from contextlib import suppress

from loguru import logger

from config.settings import Settings
from config.text import printable
from scheduler_app.mqtt.connection import Connection
from scheduler_app.mqtt.message import Message
from scheduler_app.publishing.messages import InvalidMessage, parse_state
from scheduler_app.publishing.topics import state_topic

# Seconds after which it is told that nothing has come.
PATIENCE = 15.0
# Seconds in which a broker sends what it has retained.
_ANSWER_TIMEOUT = 2.0
# How many levels a STATS_TOPIC may have to be found; how many are kept, whatever a broker sends, and named.
_LEVELS = 4
_MOST_FOUND = 100
_MOST_NAMED = 5


class Lookout:
    """Waits for a first message of those that are wanted, and finds out what is there if none comes."""

    def __init__(self, settings: Settings, wanted: str, patience: float = PATIENCE) -> None:
        """`wanted` is the topic or the filter that messages are waited for on, `patience` in seconds."""
        self._settings = settings
        self._wanted = wanted
        self._patience = patience
        self._over = threading.Event()
        self._state: bytes | None = None

    def note(self, message: Message) -> None:
        """Take note of a message; that of the subscriber's state is not what is waited for."""
        if message.topic == state_topic(self._settings):
            self._state = message.payload
        else:
            self._over.set()

    def end(self) -> None:
        """Make `watch` return."""
        self._over.set()

    def watch(self, connection: Connection, fail: Callable[[str], object] | None) -> None:
        """Wait until something has come. If nothing does, give the reason to `fail`, or else to the log."""
        while not self._over.wait(self._patience):
            connected = connection.connected
            if connected:
                reason = f"{self._nothing_came()}. {self._what_is_there()}"
            else:
                reason = connection.trouble or f"the broker at {self._settings.broker} does not answer"
            if self._over.is_set():
                return
            if fail is not None:
                fail(reason)
                return
            if connected:  # what keeps us from it is in the log already
                logger.warning("{}", reason)
                return

    def _nothing_came(self) -> str:
        return (
            f"nothing has come on {printable(self._wanted)} from the broker at {self._settings.broker} "
            f"in {self._patience:g} s"
        )

    def _what_is_there(self) -> str:
        if self._state is not None:
            state = printable(self._state[:20].decode(errors="replace"))
            return (
                f"The subscriber's state there is {state}, and it has published nothing of this so far: "
                "it does so every STATS_INTERVAL, once it has readings"
            )
        return what_is_there(self._settings, self._over)


def what_is_there(settings: Settings, over: threading.Event) -> str:
    """Return in one sentence which subscribers have told of themselves at the broker, and what to do.

    Takes two seconds, unless it is `over` before.
    """
    found = _stats_topics(settings, over)
    if not found:
        return "No subscriber has published its state at this broker: 'manage.py subscriber' starts one"
    named = ", ".join(f"{printable(topic)} ({state})" for topic, state in sorted(found.items())[:_MOST_NAMED])
    return f"What subscribers publish there is on {named}: set STATS_TOPIC to that"


def _stats_topics(settings: Settings, over: threading.Event) -> dict[str, str]:
    """Return the STATS_TOPIC of each subscriber whose state the broker has retained, with that state."""
    found: dict[str, str] = {}

    def take(message: Message) -> None:
        with suppress(InvalidMessage):  # others publish such a topic too
            if len(found) < _MOST_FOUND:
                found[message.topic.rpartition("/")[0]] = parse_state(message.payload)

    filters = [f"{'+/' * levels}$state" for levels in range(1, _LEVELS + 1)]
    looking = Connection(settings, "look", subscribe=filters, on_message=take, quiet=True)
    looking.start()
    over.wait(_ANSWER_TIMEOUT)
    looking.stop()
    return found
