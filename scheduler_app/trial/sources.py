"""Where the messages come from that are tried: the broker, a file, the command line."""

import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, Full, Queue
from typing import BinaryIO

from loguru import logger

from config.settings import Settings
from config.text import printable
from config.topics import check_topic
from scheduler_app.errors import CommandError
from scheduler_app.intake.payload import NothingToRead, Rejected, is_number, parse
from scheduler_app.mqtt.connection import Connection
from scheduler_app.mqtt.message import Message

# Messages that wait to be looked at; what comes beyond them is left out.
_MOST_WAITING = 10_000
# Seconds to wait for the connection, where two versions of MQTT are tried, for 5 s each.
_CONNECT_TIMEOUT = 12.0
# Seconds between two looks at what has come.
_LOOK = 0.1
# What hardly stands in a topic, but before a number in CSV and other texts.
_OF_TEXTS = frozenset(",;:=\"'")
# What `mosquitto_sub -v` prints for an empty payload.
_EMPTY = b"(null)"


def message_of(topic: str, payload: bytes, arrived: float) -> Message:
    """Return a message as it would come from a broker. Behind `0x` a payload is bytes in hexadecimal."""
    if payload.startswith(b"0x"):
        with suppress(ValueError):  # then it is a text that begins so
            payload = bytes.fromhex(payload[2:].decode())
    return Message(topic, payload, 0, retained=False, duplicate=False, packet_id=0, arrived=arrived)


def from_file(name: str, now: Callable[[], float] = time.time) -> Iterator[Message]:
    """Yield the messages of a file, one a line: topic, space and payload, as `mosquitto_sub -v` prints them.

    `-` is standard input. Raises CommandError.
    """
    if name == "-":
        yield from _lines("standard input", sys.stdin.buffer, now)
        return
    try:
        with Path(name).expanduser().open("rb") as file:
            yield from _lines(name, file, now)
    except (OSError, RuntimeError) as error:
        raise CommandError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _lines(name: str, file: BinaryIO, now: Callable[[], float]) -> Iterator[Message]:
    for number, line in enumerate(file, start=1):
        text = line.rstrip(b"\r\n").removeprefix(b"\xef\xbb\xbf")
        if not text.strip():
            continue
        topic, payload = _parted(text)
        try:
            if payload is None:
                raise ValueError
            yield message_of(check_topic(topic.decode()), b"" if payload == _EMPTY else payload, now())
        except ValueError:
            raise CommandError(
                f"{printable(name)}, line {number}: must be a topic, a space and a payload, as mosquitto_sub "
                f"-v prints them, and not {printable(text[:60].decode(errors='backslashreplace'))}"
            ) from None


def _parted(line: bytes) -> tuple[bytes, bytes | None]:
    """Return the topic and the payload of a line; no payload if it has no space.

    `mosquitto_sub` does not say where a topic ends that has spaces in it, as has `zigbee2mqtt/living room`:
    it goes on up to what is JSON, or up to a number that stands behind a further level with a name.
    """
    topic, space, payload = line.partition(b" ")
    if not space:
        return topic, None
    begin = min((place for sign in (b" {", b" [") if (place := line.find(sign)) >= 0), default=0)
    if begin > len(topic) and _is_json(line[begin + 1 :]):
        return line[:begin], line[begin + 1 :]
    more, space, last = payload.rpartition(b" ")
    if _are_levels(more.decode(errors="replace")) and is_number(last.decode(errors="replace")):
        return line[: -len(last) - 1], last
    return topic, payload


def _are_levels(text: str) -> bool:
    """Whether a text goes on with the levels of a topic: a date with slashes does not."""
    _, slash, level = text.rpartition("/")
    return bool(slash) and _OF_TEXTS.isdisjoint(text) and any(map(str.isalpha, level))


def _is_json(payload: bytes) -> bool:
    try:
        parse(payload)
    except (Rejected, NothingToRead):
        return False
    return True


def from_broker(
    settings: Settings,
    topic_filters: Sequence[str],
    seconds: float,
    *,
    stopped: Callable[[], bool] = lambda: False,
    now: Callable[[], float] = time.monotonic,
) -> Generator[Message, None, None]:
    """Yield what the broker sends within so many seconds, from when it has granted the subscription.

    It ends before if it is `stopped`. The session is one of its own, which ends with it: what the subscriber
    gets, and acknowledges, is the same as before. Raises CommandError if there is none.
    """
    waiting: Queue[Message] = Queue(_MOST_WAITING)
    missed: list[None] = []

    def take(message: Message) -> None:
        try:
            waiting.put_nowait(message)
        except Full:
            missed.append(None)

    connection = Connection(settings, "try", subscribe=topic_filters, on_message=take, quiet=True)
    connection.start()
    try:
        deadline = now() + _CONNECT_TIMEOUT
        while not connection.subscribed and not stopped():
            if now() > deadline or connection.trouble is not None:
                raise CommandError(connection.trouble or f"no answer from {settings.broker}")
            time.sleep(_LOOK)
        deadline = now() + seconds
        while not stopped() and (now() < deadline or not waiting.empty()):
            if now() > deadline:
                connection.stop()  # what waits is the rest
            with suppress(Empty):
                yield waiting.get(timeout=min(_LOOK, max(0.0, deadline - now())))
    finally:
        connection.stop()
    if missed:
        logger.warning("{} messages came too fast, and were not looked at", len(missed))
