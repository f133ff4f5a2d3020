"""Many sensors in one: when each reading is due, and values that wander slowly."""

import json
from collections.abc import Callable, Iterator
from heapq import heapify, heapreplace
from itertools import count
from random import Random

# Seconds. Who is behind by more was asleep: nothing is made up for.
_LONGEST_BACKLOG = 1.0
# Values begin between these, and wander by about so much from one reading to the next.
_LOWEST_HOME, _HIGHEST_HOME = 10.0, 30.0
_STEP = 0.1
# So much of the way home is taken with each step, so that no value wanders off.
_PULL = 0.01

# When a reading is due, in seconds from the start, and the number of its sensor.
Due = tuple[float, int]


def due_at_rate(rate: float, sensors: int) -> Iterator[Due]:
    """Yield when readings are due, `rate` a second in total; the sensors take turns."""
    for number in count():
        yield number / rate, number % sensors


def due_at_random(least: float, most: float, sensors: int, random: Random) -> Iterator[Due]:
    """Yield when readings are due if each sensor pauses for `least` to `most` seconds, uniform.

    Sensor 0 begins at once, the others within the longest pause.
    """
    waiting = [(random.uniform(0, most) if number else 0.0, number) for number in range(sensors)]
    heapify(waiting)
    while True:
        due, number = waiting[0]
        yield due, number
        heapreplace(waiting, (due + random.uniform(least, most), number))


class WanderingValues:
    """A value for each sensor, which goes a small random step each time it is asked for."""

    def __init__(self, sensors: int, random: Random) -> None:
        self._random = random
        self._homes = [random.uniform(_LOWEST_HOME, _HIGHEST_HOME) for _ in range(sensors)]
        self._values = self._homes.copy()

    def next(self, sensor: int) -> float:
        """Return the sensor's next value, with two decimals."""
        value = self._values[sensor]
        value += self._random.gauss(0, _STEP) + _PULL * (self._homes[sensor] - value)
        self._values[sensor] = value
        return round(value, 2)


class Sensors:
    """Publishes a reading of each sensor when it is due."""

    def __init__(
        self,
        schedule: Iterator[Due],
        value_of: Callable[[int], float],
        publish: Callable[[int, str], object],
        next_id: Callable[[], str],
        *,
        now: Callable[[], float],
        elapsed: Callable[[], float],
    ) -> None:
        """`publish` gets the number of the sensor and its reading.

        `now` tells the time in UTC epoch seconds, `elapsed` seconds by a clock that never jumps.
        """
        self._schedule = schedule
        self._next = next(schedule, None)
        self._value_of = value_of
        self._publish = publish
        self._next_id = next_id
        self._now = now
        self._elapsed = elapsed
        self._start: float | None = None

    def publish_due(self) -> None:
        """Publish all readings that are due by now; the first call is the start."""
        elapsed = self._elapsed()
        if self._start is None:
            self._start = elapsed
        if self._next is not None:
            behind = elapsed - self._start - self._next[0]
            self._start += behind if behind > _LONGEST_BACKLOG else 0.0
        while self._next is not None and self._next[0] <= elapsed - self._start:
            sensor = self._next[1]
            reading = {"number": self._value_of(sensor), "epochtime": self._now(), "id": self._next_id()}
            self._publish(sensor, json.dumps(reading))
            self._next = next(self._schedule, None)
