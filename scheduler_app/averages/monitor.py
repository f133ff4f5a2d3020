"""What all members together have to tell, and who has which slot."""

import time
from collections.abc import Callable, Iterable, Mapping

from config.text import printable, shortened
from models.storage.cluster import Cluster, Overview, Slot
from scheduler_app.averages.slot_watch import SlotWatch, empty
from scheduler_app.publishing.records import Metrics, TickMark, counted
from scheduler_app.subscriber.monitor import ReadErrors
from scheduler_app.subscriber.troubles import LONGEST

# Seconds. A member says every second that it is there; one that has not for so long is held up.
SILENT_AFTER = 10.0


class ClusterMonitor:
    """Reads the counters and the present state of all members, one thread at a time."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        series: Callable[[], int],
        position: Callable[[], Mapping[str, int]],
        trouble: Callable[[], str | None],
        read_errors: ReadErrors,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Build it.

        `series` returns how many there are; `position` up to which sequence of each member the latest tick
        goes; `trouble` what keeps this process from its work, in one line; `now` UTC epoch seconds.
        """
        self._cluster = cluster
        self._watch = SlotWatch()
        self._series = series
        self._position = position
        self._trouble = trouble
        self._read_errors = read_errors
        self._now = now

    def metrics(self, tick: TickMark | None) -> Metrics | None:
        """Return what there is to tell, with the latest tick; None if the database cannot be read."""
        with self._read_errors.told():
            found, now = self._cluster.overview(), self._now()
            self._watch.look(found.slots, now)
            return self._metrics(tick, found, now)
        return None

    def _metrics(self, tick: TickMark | None, found: Overview, now: float) -> Metrics:
        counters, slots = found.counters, found.slots
        standings = [slot.standing for slot in slots if slot.held]
        since = [one.waiting_since for one in standings if one.waiting_since is not None]
        lost = [
            (slot.standing.session_lost_at, slot.standing.session_lost_since)
            for slot in slots
            if slot.standing.session_lost_at is not None
        ]
        lost_at, lost_since = max(lost, default=(None, None))
        lines = [self._trouble(), *troubles(slots, now)]
        text = printable("; ".join(line for line in lines if line))
        return counted(now, counters)._replace(
            tick=None if tick is None else tick._replace(members=self._position()),
            series=self._series(),
            in_flight=sum(one.in_flight for one in standings),
            oldest_unacknowledged=max(0.0, now - min(since)) if since else None,
            last_commit=max(
                (slot.standing.last_commit for slot in slots if slot.standing.last_commit is not None),
                default=None,
            ),
            database_bytes=found.size,
            short_connections=max((one.short_connections for one in standings), default=0),
            session_lost_at=lost_at,
            session_lost_since=lost_since,
            unmatched=sum(one.unmatched for one in standings),
            trouble=shortened(text, LONGEST) or None,
            others={"members": {str(slot.number): _told(slot) for slot in slots}},
        )


def troubles(slots: Iterable[Slot], now: float) -> list[str]:
    """Return what is wrong with the members, a line each; `now` in UTC epoch seconds."""
    lines = []
    for slot in slots:
        if not slot.held:
            lines.append(empty(slot))
        elif now - slot.seen > SILENT_AFTER:
            lines.append(f"member {slot.number} has said nothing for {now - slot.seen:.0f} s")
        elif slot.standing.trouble is not None:
            lines.append(f"member {slot.number}: {slot.standing.trouble}")
    return lines


def _told(slot: Slot) -> dict[str, object] | None:
    """Return what the metrics say of one member; None if nobody has the slot."""
    if not slot.held:
        return None
    in_flight = slot.standing.in_flight
    return {"host": slot.host, "process": slot.process, "since": slot.taken, "in_flight": in_flight}
