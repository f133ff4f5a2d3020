"""What is in a PostgreSQL database of readings, read beside the program, with nothing of its code.

And what the averages must be, from what was published alone.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import suppress
from math import fsum
from types import TracebackType
from typing import Any, Self

import pytest

from tests.faults.load import TOPIC, Load
from tests.faults.stored import ENDINGS, assert_balanced
from tests.faults.verdict import SETTLE, Verdict
from tests.support.brokers import Access
from tests.support.mqtt_client import Peer
from tests.support.waiting import stays, wait_for

# Readings that are part of no load: those of all loads are 0 or more.
MARK = -1.0
# Seconds in which nothing may be received any more when all is over.
_REST = 1.0


class Oracle:
    """Looks into a database while entered. Its connection is a new one when the server was away."""

    def __init__(self, url: str) -> None:
        """`url` may name several hosts, as a DB_URL does."""
        self._driver = pytest.importorskip("psycopg", reason="requirements-postgresql.txt is not installed")
        self._url = url
        self._connection: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return what a query finds; it is asked again while the server is away."""

        def found() -> list[list[tuple[Any, ...]]]:
            with suppress(self._driver.OperationalError):
                return [self.rows_now(query, *values)]
            return []

        return wait_for(found, f"the database answers: {query}", SETTLE)[0]

    def rows_now(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return what a query finds. Raises OperationalError if the server is away."""
        try:
            if self._connection is None:
                self._connection = self._driver.connect(self._url, autocommit=True, connect_timeout=5)
            rows: list[tuple[Any, ...]] = self._connection.execute(query, values).fetchall()
            return rows
        except self._driver.OperationalError:
            self.close()
            raise

    def number(self, query: str, *values: object) -> int:
        """Return the one number that a query finds."""
        return int(self.rows(query, *values)[0][0])

    def stored(self) -> Counter[Hashable]:
        """Return how often each value of a load is stored."""
        return Counter(value for (value,) in self.rows("SELECT value FROM reading WHERE value >= 0"))

    def values(self) -> list[float]:
        """Return all values that are stored, marks too."""
        return [value for (value,) in self.rows("SELECT value FROM reading")]

    def count(self) -> int:
        return self.number("SELECT count(*) FROM reading")

    def counters(self) -> dict[str, int]:
        """Return the counters, summed up over all members."""
        names = (*ENDINGS, "received", "pruned")
        sums = ", ".join(f"COALESCE(sum({name}), 0)::bigint" for name in names)
        return dict(zip(names, self.rows(f"SELECT {sums} FROM member")[0], strict=True))

    def stored_by_member(self) -> dict[int, int]:
        return dict(self.rows("SELECT id, stored FROM member"))

    def longest_pause(self) -> float:
        """Return the most seconds between two transactions that stored something, of whichever member."""
        pauses = "SELECT committed - lag(committed) OVER (ORDER BY committed) AS pause FROM batch"
        query = f"SELECT max(pause) FROM ({pauses} WHERE readings > 0) AS pauses"
        return float(self.rows(query)[0][0])

    def books(self) -> dict[str, int]:
        """Return the counters; fail unless they add up, and agree with the rows, at one moment."""
        names = (*ENDINGS, "received", "pruned")
        sums = ", ".join(f"COALESCE(sum({name}), 0)::bigint" for name in names)
        query = f"SELECT (SELECT count(*) FROM reading), {sums} FROM member"
        readings, *counts = self.rows(query)[0]
        counters = dict(zip(names, counts, strict=True))
        assert_balanced(counters)
        assert counters["stored"] - counters["pruned"] == readings
        return counters

    def assert_no_gaps(self) -> None:
        """Fail unless the numbers of each member's transactions are complete."""
        query = """SELECT member, min(number), max(number), count(*) FROM batch GROUP BY member
            HAVING count(*) <> max(number) - min(number) + 1"""
        found = self.rows(query)
        assert found == [], f"numbers are missing among (member, first, last, count): {found}"


def storing(oracle: Oracle, otherwise: Callable[[], bool] = lambda: False) -> None:
    """Wait until something new is stored, or `otherwise()`."""
    before = oracle.counters()["stored"]
    wait_for(lambda: oracle.counters()["stored"] > before or otherwise(), "something new is stored", SETTLE)


def settle(
    access: Access, oracle: Oracle, *loads: Load, members: int = 1, topics: Sequence[str] = (TOPIC,)
) -> None:
    """Wait until all that the broker has acknowledged is stored, and nothing more is to come.

    What waits in the queue of a member is delivered in order. So one more reading is published again and
    again, until each member has stored one: all that was before it has come by then.
    """
    acknowledged: Counter[Hashable] = Counter()
    for load in loads:
        acknowledged += load.acknowledged

    def missing() -> Counter[Hashable]:
        return acknowledged - oracle.stored()

    # a verdict on what is lost is the caller's: here it is only given the time to come
    with suppress(AssertionError):
        wait_for(lambda: not missing(), "all is stored", SETTLE)
    before = oracle.stored_by_member()

    def all_have_stored() -> bool:
        now = oracle.stored_by_member()
        return sum(count > before.get(member, 0) for member, count in now.items()) >= members

    with Peer(access) as peer:
        number = 0

        def mark() -> bool:
            nonlocal number
            number += 1
            name = f"mark-{time.time_ns()}-{number}"
            peer.publish(topics[number % len(topics)], json.dumps({"number": MARK, "id": name}))
            with suppress(AssertionError):
                wait_for(all_have_stored, "", timeout=0.3)
            return all_have_stored()

        wait_for(mark, lambda: f"{members} members store: {oracle.stored_by_member()}", SETTLE)
    received = oracle.counters()["received"]
    with suppress(AssertionError):
        stays(lambda: oracle.counters()["received"] == received, "", _REST)
    received = oracle.counters()["received"]
    stays(lambda: oracle.counters()["received"] == received, "nothing more is received", _REST)


def judge(oracle: Oracle, *loads: Load) -> Verdict:
    """Return the verdict on what is stored now; fail if the counters are not true to it."""
    sent: Counter[Hashable] = Counter()
    acknowledged: Counter[Hashable] = Counter()
    for load in loads:
        sent += load.sent
        acknowledged += load.acknowledged
    duplicates = oracle.books()["duplicates"]
    oracle.assert_no_gaps()
    return Verdict(sent, acknowledged, oracle.stored(), duplicates)


def expected_average(values: Iterable[Any]) -> float:
    """Return the average as README.md defines it: exact, to the last bit."""
    numbers = [float(value) for value in values]
    return fsum(numbers) / len(numbers)


def wait_for_average(peer: Peer, oracle: Oracle, loads: Iterable[Load] = ()) -> None:
    """Wait until the average of all readings is published that the rows have, and that was published to us.

    `peer` is subscribed to STATS. With `loads` each reading of theirs must be in it once.
    """
    expected = expected_average(oracle.values())
    if loads:
        sent = [value for load in loads for value in load.sent.elements()]
        marks = [value for value in oracle.values() if value < 0]
        assert expected == expected_average([*sent, *marks])

    def latest() -> object:
        messages = peer.on("STATS")
        return json.loads(messages[-1].payload).get("avg_30min") if messages else None

    wait_for(lambda: latest() == expected, lambda: f"the average {expected!r}; it is {latest()!r}", SETTLE)
