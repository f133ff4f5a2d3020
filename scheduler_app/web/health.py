"""Whether the numbers can be trusted: what is connected, what is counted, and what is wrong."""

import platform
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple

from config.quantities import format_duration
from config.settings import Settings
from models.storage.records import ENDINGS
from scheduler_app.publishing.messages import ONLINE, metrics_content
from scheduler_app.publishing.records import Metrics
from scheduler_app.runtime.disk import Disk, disk_of
from scheduler_app.version import version
from scheduler_app.web.live import LiveStatistics

# Seconds. Without a tick for so long, or for two of the intervals if that is longer, something is wrong.
TICK_TIMEOUT = 120.0
# Seconds that a message may wait to be acknowledged.
ACKNOWLEDGEMENT_TIMEOUT = 10.0
# Seconds without a commit after which readings are said to have stopped.
SILENCE = 600.0
# Seconds for which it is told that the session was lost.
_TOLD_FOR = 86400.0


class Trust(StrEnum):
    """How far the numbers can be trusted, at a glance."""

    GOOD = "good"
    # They are right, but something needs to be looked at.
    LIMITED = "limited"
    # They are old, or missing.
    BAD = "bad"


class Problem(NamedTuple):
    """Something that is wrong. `code` is one of few, for programs; `text` is for a person."""

    code: str
    trust: Trust
    text: str


class BrokerState(NamedTuple):
    """Whether we are connected, and what keeps us from it."""

    address: str
    connected: bool
    trouble: str | None


class Facts(NamedTuple):
    """What there is to tell in samples. `kept` counts the rejected messages that are kept, by reason."""

    connected: bool
    online: bool
    metrics: Metrics | None
    disk: Disk | None
    kept: Mapping[str, int]


class Health:
    """Puts together what there is to know. Nothing in it is kept: each call looks anew."""

    def __init__(
        self,
        settings: Settings,
        live: LiveStatistics,
        broker: Callable[[], BrokerState],
        database_trouble: Callable[[], str | None],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`now` tells UTC epoch seconds."""
        self._settings = settings
        self._live = live
        self._broker = broker
        self._database_trouble = database_trouble
        self._now = now
        self._tick_timeout = max(TICK_TIMEOUT, 2 * settings.stats_interval)

    def state(self) -> dict[str, object]:
        """Return what an event tells: it differs when there is something new to ask for."""
        broker = self._broker()
        return {"version": self._live.version, "connected": broker.connected, "trouble": broker.trouble}

    def facts(self, kept: Mapping[str, int]) -> Facts:
        """Return what there is to tell in samples; `kept` counts the rejected messages that are kept."""
        with self._live.lock:
            state, metrics = self._live.state, self._live.metrics
        connected = self._broker().connected
        return Facts(connected, connected and state == ONLINE, metrics, self._disk(), dict(kept))

    def unready(self) -> list[Problem]:
        """Return what keeps the newest numbers from being here."""
        now, broker = self._now(), self._broker()
        with self._live.lock:
            state, metrics = self._live.state, self._live.metrics
        if not broker.connected:
            why = f": {broker.trouble}" if broker.trouble else ""
            return [Problem("broker_gone", Trust.BAD, f"there is no connection to the broker{why}")]
        if state != ONLINE:
            return [Problem("subscriber_offline", Trust.BAD, "the subscriber is not running")]
        if metrics is None or metrics.tick is None:
            return [Problem("no_tick", Trust.BAD, "the subscriber has published no statistics yet")]
        age = now - metrics.tick.at
        if age > self._tick_timeout:
            return [Problem("no_tick", Trust.BAD, f"the newest statistics are {age:.0f} s old")]
        return []

    def report(self) -> dict[str, object]:
        """Return all of it, as it is sent."""
        now, broker = self._now(), self._broker()
        trouble, disk = self._database_trouble(), self._disk()
        with self._live.lock:
            metrics, rates, state = self._live.metrics, self._live.rates(), self._live.state
            averages, arrived, number = (
                self._live.averages,
                self._live.metrics_arrived,
                self._live.version,
            )
        problems = [*self.unready(), *problems_of(metrics, rates, now)]
        if trouble is not None:
            problems.append(Problem("database_unreadable", Trust.LIMITED, trouble))
        if disk is not None and disk.is_low:
            text = f"only {disk.free / 1e6:,.0f} MB are free where the database is"
            problems.append(Problem("disk_low", Trust.LIMITED, text))
        tick = None if metrics is None else metrics.tick
        return {
            "at": now,
            "version": number,
            "trust": trust_of(problems),
            "problems": [problem._asdict() for problem in problems],
            "broker": broker._asdict(),
            "subscriber": {
                "state": state,
                "arrived": arrived,
                "metrics": None if metrics is None else metrics_content(metrics),
            },
            "tick": None
            if tick is None
            else {"at": tick.at, "age": now - tick.at, "sequence": tick.sequence},
            "averages": None if averages is None else averages._asdict(),
            "balance": None if metrics is None else balance_of(metrics),
            "rates": rates,
            "database": {
                "file": str(self._settings.db_url or self._settings.db_file),
                "trouble": trouble,
                "disk": None if disk is None else disk._asdict(),
            },
            "settings": {
                "stats_topic": self._settings.stats_topic,
                "stats_interval": self._settings.stats_interval,
            },
            "program": {"version": version(), "python": platform.python_version()},
        }

    def _disk(self) -> Disk | None:
        """Return how much room the database has; None also if it is on another machine."""
        return None if self._settings.db_url is not None else disk_of(self._settings.db_file)


def problems_of(metrics: Metrics | None, rates: dict[str, float] | None, now: float) -> list[Problem]:
    """Return what the subscriber's own counters tell of what is wrong."""
    if metrics is None:
        return []
    found = []
    balance = balance_of(metrics)
    if balance["difference"]:
        found.append(
            Problem(
                "unbalanced",
                Trust.BAD,
                f"{balance['received']:,} were received, but {balance['accounted']:,} are accounted for",
            )
        )
    if metrics.trouble is not None:
        text = f"the subscriber has trouble: {metrics.trouble}"
        found.append(Problem("subscriber_trouble", Trust.LIMITED, text))
    waiting = metrics.oldest_unacknowledged
    if waiting is not None and waiting > ACKNOWLEDGEMENT_TIMEOUT:
        text = f"a message has waited {waiting:.0f} s to be stored: the subscriber's log says why"
        found.append(Problem("writing_held_up", Trust.LIMITED, text))
    if rates is not None and rates["rejected"] > 0:
        text = f"the subscriber rejects {_a_minute(rates['rejected'], 'message')}"
        found.append(Problem("rejecting", Trust.LIMITED, text))
    if rates is not None and rates["late"] > 0:
        text = f"the subscriber leaves out {_a_minute(rates['late'], 'reading')}, too late to be averaged"
        found.append(Problem("late", Trust.LIMITED, text))
    if metrics.last_commit is not None and now - metrics.last_commit > SILENCE:
        text = f"no reading has come for {format_duration(round((now - metrics.last_commit) / 60) * 60.0)}"
        found.append(Problem("readings_stopped", Trust.LIMITED, text))
    members = metrics.others.get("members")
    if isinstance(members, dict) and (
        empty := [number for number, holder in members.items() if holder is None]
    ):
        text = f"nobody has slot {', '.join(empty)}: what is to come to it waits at the broker"
        found.append(Problem("slot_empty", Trust.LIMITED, text))
    lost = metrics.session_lost_at
    if lost is not None and now - lost < _TOLD_FOR:
        text = "the broker had forgotten our session: what came while we were away may be missing"
        found.append(Problem("session_lost", Trust.LIMITED, text))
    return found


def _a_minute(per_second: float, what: str) -> str:
    """Return how many of some things there are a minute; `what` is the name of one."""
    number = round(per_second * 60)
    if number == 0:
        return f"less than one {what} a minute"
    return f"{number:,} {what}{'' if number == 1 else 's'} a minute"


def trust_of(problems: list[Problem]) -> Trust:
    """Return how far the numbers can be trusted with these problems."""
    kinds = {problem.trust for problem in problems}
    return Trust.BAD if Trust.BAD in kinds else Trust.LIMITED if kinds else Trust.GOOD


def balance_of(metrics: Metrics) -> dict[str, int]:
    """Return how many were received and how many are accounted for; the difference must be 0."""
    accounted = sum(getattr(metrics, name) for name in ENDINGS)
    return {
        "received": metrics.received,
        "accounted": accounted,
        "difference": metrics.received - accounted,
    }
