"""What the leader tells of all members together."""

from collections.abc import Sequence
from typing import cast

from models.storage.cluster import Cluster, Overview, Slot, Standing
from models.storage.errors import UnreadableDatabase
from scheduler_app.averages.monitor import SILENT_AFTER, ClusterMonitor, troubles
from scheduler_app.publishing.messages import parse_metrics, write_metrics
from scheduler_app.publishing.records import Metrics, TickMark
from scheduler_app.subscriber.monitor import ReadErrors

NOW = 1000.0


def slot(number: int, standing: Standing, *, held: bool = True, seen: float = NOW) -> Slot:
    return Slot(number, held, f"host-{number}", 40 + number, 900.0, seen, standing)


class FakeCluster:
    def __init__(self, slots: Sequence[Slot]) -> None:
        self.slots = slots
        self.readable = True

    def overview(self) -> Overview:
        if not self.readable:
            raise UnreadableDatabase("no answer")
        return Overview({"since": 5, "received": 7, "stored": 6, "late": 1}, self.slots, 4096)


def monitor(*slots: Slot, trouble: str | None = None) -> tuple[ClusterMonitor, FakeCluster]:
    cluster = FakeCluster(slots)
    return ClusterMonitor(
        cast(Cluster, cluster),
        series=lambda: 3,
        position=lambda: {"1": 10, "2": 20},
        trouble=lambda: trouble,
        read_errors=ReadErrors(),
        now=lambda: NOW,
    ), cluster


def metrics_of(*slots: Slot, trouble: str | None = None) -> Metrics:
    metrics = monitor(*slots, trouble=trouble)[0].metrics(TickMark(990.0, 30))
    assert metrics is not None
    return metrics


def test_the_metrics_are_those_of_all_members_together() -> None:
    """Counts are added up; of times the one that matters is told."""
    one = Standing(in_flight=2, waiting_since=990.0, last_commit=980.0, short_connections=1, unmatched=1)
    two = Standing(in_flight=3, waiting_since=995.0, last_commit=985.0, short_connections=4, unmatched=2)
    metrics = metrics_of(slot(1, one), slot(2, two))
    assert (metrics.received, metrics.stored, metrics.late, metrics.series) == (7, 6, 1, 3)
    assert (metrics.in_flight, metrics.unmatched, metrics.short_connections) == (5, 3, 4)
    assert metrics.oldest_unacknowledged == 10.0
    assert metrics.last_commit == 985.0
    assert metrics.database_bytes == 4096
    assert metrics.trouble is None


def test_a_member_that_is_gone_holds_nothing_though_it_said_so_last() -> None:
    """But that the broker had lost its session is told all the same."""
    gone = Standing(in_flight=9, waiting_since=1.0, session_lost_at=800.0, session_lost_since=700.0)
    metrics = metrics_of(slot(1, Standing()), slot(2, gone, held=False))
    assert metrics.in_flight == 0
    assert metrics.oldest_unacknowledged is None
    assert (metrics.session_lost_at, metrics.session_lost_since) == (800.0, 700.0)


def test_the_message_tells_who_has_which_slot_and_up_to_where_the_tick_goes() -> None:
    read = parse_metrics(
        write_metrics(metrics_of(slot(1, Standing()), slot(2, Standing(), held=False))).encode()
    )
    assert read.tick == TickMark(990.0, 30, {"1": 10, "2": 20})
    member = {"host": "host-1", "process": 41, "since": 900.0, "in_flight": 0}
    assert read.others["members"] == {"1": member, "2": None}


def test_what_is_wrong_is_told_with_the_member_that_it_is_wrong_with() -> None:
    metrics = metrics_of(
        slot(1, Standing(trouble="no broker")), slot(2, Standing(shared=True), held=False), trouble="refused"
    )
    assert metrics.trouble is not None
    assert metrics.trouble.startswith("refused; member 1: no broker; slot 2 is empty")


def test_a_member_that_says_nothing_is_told() -> None:
    """Its connection lives, and so it has the slot: a commit that waits for a standby, say."""
    just, longer = NOW - SILENT_AFTER, NOW - SILENT_AFTER - 1
    assert troubles([slot(1, Standing(), seen=just)], NOW) == []
    assert troubles([slot(1, Standing(), seen=longer)], NOW) == ["member 1 has said nothing for 11 s"]


def test_there_is_nothing_to_tell_while_the_database_cannot_be_read(log_lines: list[str]) -> None:
    watching, cluster = monitor(slot(1, Standing()))
    cluster.readable = False
    assert watching.metrics(None) is None
    assert "no answer" in log_lines[0]
