"""Stand-ins for the programs this project replaces: their payloads, their topics, their callbacks.

They use paho's first callback interface, as programs written for paho-mqtt 1.x do.
"""

import json
import sqlite3
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from tabulate import tabulate

from tests.support.ports import HOST
from tests.support.waiting import TIMEOUT, wait_for

DATA, STATS = "DATA", "STATS"
_WINDOWS = {"avg_1min": 60, "avg_5min": 300, "avg_30min": 1800}


class _Program:
    """One of them, connected while entered."""

    def __init__(self, port: int, topic: str | None = None) -> None:
        self._port = port
        self._topic = topic
        self._subscribed = topic is None
        self.errors: list[Exception] = []
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Callback API version 1", DeprecationWarning)
            self._client = Client(CallbackAPIVersion.VERSION1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        self._client.connect(HOST, self._port)
        self._client.loop_start()
        wait_for(lambda: self._client.is_connected() and self._subscribed, "the original is connected")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        if kind is None:
            assert self.errors == [], "the original does not understand what it was sent"

    def handle(self, payload: bytes) -> None:
        """Do what this program does with a message."""

    def _on_connect(self, client: Client, userdata: object, flags: dict[str, Any], code: int) -> None:
        if self._topic is not None:
            client.subscribe(self._topic, qos=1)

    def _on_subscribe(self, client: Client, userdata: object, mid: int, granted_qos: tuple[int, ...]) -> None:
        self._subscribed = True

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        try:
            self.handle(bytes(message.payload))
        except Exception as error:  # noqa: BLE001 - any error is what a test looks for
            self.errors.append(error)


class OriginalPublisher(_Program):
    """Publishes a number and the time, the latter as text."""

    def publish(self, number: int) -> None:
        message = json.dumps({"number": number, "epochtime": str(int(time.time()))})
        sent = self._client.publish(DATA, message, qos=1)
        sent.wait_for_publish(TIMEOUT)
        assert sent.is_published()


class OriginalSubscriber(_Program):
    """Inserts whole numbers into a table, and publishes the averages every `interval` seconds."""

    def __init__(self, port: int, database: Path, interval: float) -> None:
        super().__init__(port, DATA)
        self._interval = interval
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._publish_averages)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
        self._database.execute("CREATE TABLE numbers (number INTEGER NOT NULL, epochtime INTEGER NOT NULL)")

    def __enter__(self) -> Self:
        super().__enter__()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join()
        self._database.close()
        super().__exit__(kind, error, traceback)

    def handle(self, payload: bytes) -> None:
        values = json.loads(payload)
        row = (int(values["number"]), int(values["epochtime"]))
        with self._lock:
            self._database.execute("INSERT INTO numbers VALUES (?, ?)", row)

    @property
    def numbers(self) -> list[int]:
        """What it has stored."""
        with self._lock:
            return [number for (number,) in self._database.execute("SELECT number FROM numbers")]

    def _publish_averages(self) -> None:
        while not self._stopping.wait(self._interval):
            with self._lock:
                averages = {name: self._average(seconds) for name, seconds in _WINDOWS.items()}
            self._client.publish(STATS, json.dumps(averages), qos=1)

    def _average(self, seconds: int) -> float | None:
        query = "SELECT AVG(number) FROM numbers WHERE epochtime > ?"
        [average] = self._database.execute(query, (int(time.time()) - seconds,)).fetchone()
        return None if average is None else float(average)


class OriginalViewer(_Program):
    """Prints each message on the averages' topic as a table."""

    def __init__(self, port: int, show: Callable[[str], None]) -> None:
        super().__init__(port, STATS)
        self._show = show

    def handle(self, payload: bytes) -> None:
        stats = json.loads(payload)
        self._show(tabulate([stats.values()], headers=list(stats.keys())))
