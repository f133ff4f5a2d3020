"""Publish one random reading, as a sensor would."""

import json
import secrets
from collections.abc import Callable
from random import Random

LEAST, MOST = 1, 100


class ReadingIds:
    """Gives each reading an id that no other has: one for this start of the publisher, and a number."""

    def __init__(self) -> None:
        self._boot = secrets.token_hex(4)
        self._number = 0

    def next(self) -> str:
        self._number += 1
        return f"{self._boot}-{self._number}"


def publish_reading(
    publish: Callable[[str], object], random: Random, next_id: Callable[[], str], now: Callable[[], float]
) -> None:
    """Hand a reading to `publish`: a number uniform over 1 to 100, its time, and an id of its own."""
    reading = {"number": random.randint(LEAST, MOST), "epochtime": now(), "id": next_id()}
    publish(json.dumps(reading))
