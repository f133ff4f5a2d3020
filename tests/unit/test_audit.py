import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config.quantities import Window
from config.settings import load_settings
from config.streams import Stream, Streams
from models.storage.records import Batches
from models.storage.sqlite.connection import reading_database
from models.storage.sqlite.series_queries import snapshot
from scheduler_app.checks.audit import COVERAGE, OVERALL, Audit
from scheduler_app.commands.audit import Kept, check, report
from scheduler_app.errors import CommandError
from scheduler_app.mqtt.message import Message
from scheduler_app.publishing.messages import SERIES_BYTES, write_series
from scheduler_app.publishing.records import SeriesMessage, TickMark
from tests.unit.database_file import store_readings
from tests.unit.messages import message

NOW = 1_700_000_000.0
AHEAD = 30_000
# The last one has come when the messages were out already: its sequence is 6.
READINGS = {
    "a": [(NOW - 60, 9.0), (NOW - 59, 0.1), (NOW - 30, 0.2), (NOW + 1, 0.3)],
    "b": [(NOW - 10, 5.0)],
}
LATE = {"a": [(NOW - 20, 7.0)]}


@pytest.fixture
def make_audit(tmp_path: Path) -> Callable[..., Audit]:
    def make(read_at: float = NOW + 1, retention: float = 2100.0, streams: Sequence[Stream] = ()) -> Audit:
        path = tmp_path / "test.db"
        store_readings(path, READINGS, retention)
        store_readings(path, LATE, retention)
        database = reading_database(path)
        with database.connection_context():
            return Audit(snapshot(database), read_at, AHEAD, Streams(streams))

    return make


def of_a(**changes: Any) -> SeriesMessage:
    """Return a message in which all is right, but for the changes to its window."""
    window = {
        "count": 3,
        "coverage": 1.0,
        "avg": math.fsum([0.1, 0.2, 0.3]) / 3,
        "first": 0.1,
        "median": 0.2,
        "stddev": 0.1,
    } | changes
    return SeriesMessage("a", NOW, 5, 0.3, NOW + 1, {"1min": window})


def test_what_is_right_is_found_right(make_audit: Callable[..., Audit]) -> None:
    """The window has its edges to the millisecond, and what was stored after the tick is not in it."""
    audit = make_audit()
    audit.check_series(of_a())
    assert (audit.compared, audit.off, audit.skipped) == (8, 0, {})
    assert audit.findings["avg"].largest == 0


@pytest.mark.parametrize(
    ("statistic", "value"),
    [
        ("count", 4),
        ("avg", math.nextafter(math.fsum([0.1, 0.2, 0.3]) / 3, 1)),
        ("avg", None),
        ("first", 9.0),
        ("median", 0.2 + 1e-12),
        ("stddev", 0.1 + 1e-12),
        ("coverage", 0.5),
    ],
)
def test_what_is_off_is_told_with_its_place(
    make_audit: Callable[..., Audit],
    capsys: pytest.CaptureFixture[str],
    statistic: str,
    value: float | None,
) -> None:
    audit = make_audit()
    audit.check_series(of_a(**{statistic: value}))
    with pytest.raises(CommandError, match="1 of 8 statistics differ from what the stored readings give"):
        report(audit)
    [line] = [line for line in capsys.readouterr().out.splitlines()[2:] if line.split()[3] == "1"]
    assert line.startswith(statistic)
    assert "a 1min at" in line
    assert "2023-11-14 22:13:20" in line


def test_the_latest_reading_is_compared(make_audit: Callable[..., Audit]) -> None:
    for wrong in (of_a()._replace(last=0.2), of_a()._replace(last_time=NOW)):
        audit = make_audit()
        audit.check_series(wrong)
        assert audit.off == 1


def test_what_may_be_pruned_is_skipped_and_counted(make_audit: Callable[..., Audit]) -> None:
    audit = make_audit(read_at=NOW + 41, retention=100)
    audit.check_series(of_a(count=99))
    assert list(audit.findings) == ["latest reading"]
    assert audit.skipped == {"windows that may have lost readings to pruning since then": 1}
    audit = make_audit(read_at=NOW + 40, retention=100)
    audit.check_series(of_a())
    assert (audit.skipped, audit.off) == ({}, 0)


def test_what_is_of_another_database_is_skipped_and_counted(make_audit: Callable[..., Audit]) -> None:
    audit = make_audit()
    audit.check_series(of_a()._replace(series="c"))
    audit.check_series(of_a()._replace(sequence=7))
    audit.check_overall({"avg_1min": 1.0}, NOW, 7)
    assert audit.compared == 0
    assert sum(audit.skipped.values()) == 3
    with pytest.raises(CommandError, match="nothing that was published could be compared"):
        report(audit)


def test_unknown_statistics_are_skipped_and_counted(make_audit: Callable[..., Audit]) -> None:
    audit = make_audit()
    audit.check_series(of_a(**{"\x1b[2J": 1.0}))
    assert audit.skipped == {"values under a name that is not a statistic": 1}


KEPT = 4000.0
RULED = Stream(
    "a", (Window("1min", 60.0),), KEPT, ("rate", "time_weighted_avg"), hold=3600.0, reset_below=0.5, per=60.0
)


def window_of_a(audit: Audit, at: float, window: dict[str, float | None]) -> dict[str, int]:
    """Have a window of "a" audited; return how many of its values are off, by name, where any is."""
    audit.check_series(SeriesMessage("a", at, 5, 0.3, NOW + 1, {"1min": window}))
    return {name: finding.off for name, finding in audit.findings.items() if finding.off}


def test_a_value_that_is_held_is_audited_with_its_age(make_audit: Callable[..., Audit]) -> None:
    at = NOW + 100
    held: dict[str, float | None] = {
        "count": 0,
        "coverage": 1.0,
        "age": 99.0,
        "rate": None,
        "time_weighted_avg": 0.3,
    }
    right = make_audit(read_at=at, retention=KEPT, streams=[RULED])
    assert window_of_a(right, at, held) == {}
    assert right.findings["age"].compared == right.findings["time_weighted_avg"].compared == 1
    wrongs: list[dict[str, float | None]] = [
        {"age": 98.0},
        {"age": None},
        {"time_weighted_avg": None},
        {"rate": 0.0},
    ]
    for wrong in wrongs:
        audit = make_audit(read_at=at, retention=KEPT, streams=[RULED])
        assert window_of_a(audit, at, held | wrong) == dict.fromkeys(wrong, 1)


def test_what_is_computed_by_the_keys_of_a_stream_is_audited_by_them(
    make_audit: Callable[..., Audit],
) -> None:
    """The reading before the window is 9.0, a minute before. What came after the tick is not known to it."""
    right: dict[str, float | None] = {
        "count": 3,
        "coverage": 1.0,
        "age": None,
        "rate": 0.2 / 60 * 60,
        "time_weighted_avg": (9.0 * 1 + 0.1 * 29 + 0.2 * 31) / 61,
    }
    audit = make_audit(streams=[RULED], retention=KEPT)
    assert window_of_a(audit, NOW, right) == {}
    assert (audit.compared, audit.skipped) == (7, {})
    for name in ("rate", "time_weighted_avg"):
        audit = make_audit(streams=[RULED], retention=KEPT)
        assert window_of_a(audit, NOW, right | {name: 0.15}) == {name: 1}


def test_what_needs_another_stream_file_is_skipped_and_counted(make_audit: Callable[..., Audit]) -> None:
    reason = "values that need the subscriber's STREAMS_FILE, which is not this one"
    for streams in ([], [Stream("a", (Window("1min", 60.0),), KEPT)], [replace(RULED, topic="b")]):
        audit = make_audit(streams=streams)
        assert window_of_a(audit, NOW, {"count": 3, "rate": 7.0, "time_weighted_avg": 7.0}) == {}
        assert audit.skipped == {reason: 2}
        audit = make_audit(streams=streams)
        assert window_of_a(audit, NOW, {"count": 99, "age": None, "avg": 7.0}) == {}
        assert audit.skipped == {reason: 1}


@pytest.mark.parametrize(("read_after", "skipped"), [(300.0, 0), (301.0, 1)])
def test_a_window_is_skipped_if_the_reading_before_it_may_be_deleted_by_now(
    make_audit: Callable[..., Audit], read_after: float, skipped: int
) -> None:
    at = NOW + 3000
    audit = make_audit(read_at=at + read_after, retention=2000.0, streams=[replace(RULED, retention=2000.0)])
    nothing: dict[str, float | None] = {
        "count": 0,
        "coverage": 1.0,
        "age": None,
        "rate": None,
        "time_weighted_avg": None,
    }
    assert window_of_a(audit, at, nothing) == {}
    assert audit.skipped["windows that may have lost readings to pruning since then"] == skipped


def test_a_stream_that_is_left_out_is_in_no_average_over_all(make_audit: Callable[..., Audit]) -> None:
    streams = [replace(RULED, topic="b", overall=False), replace(RULED)]
    audit = make_audit(streams=streams)
    audit.check_overall({"avg_1min": math.fsum([0.1, 0.2, 0.3]) / 3}, NOW, 5)
    assert (audit.compared, audit.off) == (1, 0)


def published(payload: object, topic: str, *, retained: bool = False) -> Message:
    return message(json.dumps(payload).encode(), topic, retained=retained)


def overall(average: float, **tick: Any) -> tuple[Message, Message]:
    averages = published({"avg_1min": average, "avg_5min": None}, "STATS")
    metrics = {"at": NOW, "since": NOW - 100, "tick": {"at": NOW, "sequence": 5} | tick}
    return averages, published(metrics, "STATS/$metrics")


RIGHT = math.fsum([0.1, 0.2, 0.3, 5.0]) / 4


def test_averages_belong_to_the_tick_that_is_told_right_after_them(make_audit: Callable[..., Audit]) -> None:
    audit = make_audit(read_at=NOW + 1, retention=200)
    averages, metrics = overall(RIGHT)
    old = averages._replace(retained=True), metrics._replace(retained=True)
    check(audit, [*old, metrics, averages, metrics, metrics], load_settings())
    assert audit.findings[OVERALL].compared == 1
    assert audit.off == 0
    assert audit.skipped == {"windows that may have lost readings to pruning since then": 1}


def test_a_wrong_overall_average_is_off(make_audit: Callable[..., Audit]) -> None:
    audit = make_audit()
    check(audit, overall(math.nextafter(RIGHT, 9)), load_settings())
    assert audit.findings[OVERALL].compared == 2
    assert audit.off == 2  # and the window of 5 minutes is not empty


def test_rubbish_is_skipped_and_counted(make_audit: Callable[..., Audit]) -> None:
    averages, metrics = overall(RIGHT)
    audit = make_audit()
    messages = [
        averages._replace(payload=b"x"),
        metrics._replace(payload=b"x"),
        metrics._replace(payload=b"{}"),
        metrics._replace(payload=b'{"tick": {"at": "x", "sequence": 1}}'),
        message(b"x", "STATS/a"),
        message(b"", "STATS/a"),
        message(b"online", "STATS/$state"),
        published({"avg_soon": 1.0}, "STATS"),
        metrics,
        message(write_series(of_a()).encode(), "STATS/a"),
    ]
    check(audit, messages, load_settings())
    assert audit.skipped == {
        "messages that hold no averages": 1,
        "messages that hold no metrics": 3,
        "messages that hold no statistics of a series": 1,
        "overall averages under a name that is not a window": 1,
    }
    assert (audit.compared, audit.off) == (8, 0)
    assert COVERAGE in audit.findings


def test_what_is_kept_until_it_is_audited_is_bounded() -> None:
    size = 300 + len("STATS/a") + 10
    kept = Kept(most=2 * size)
    for payload in (b"x" * 11, b"x" * 9, b"y" * 10):
        kept.put(message(payload, "STATS/a"))
    assert [each.payload for each in kept.messages] == [b"x" * 11, b"x" * 9]
    assert kept.left_out == 1


def test_what_is_larger_than_any_message_of_a_subscriber_is_not_kept() -> None:
    kept = Kept()
    kept.put(message(b"x" * SERIES_BYTES, "STATS/a"))
    kept.put(message(b"x" * (SERIES_BYTES + 1), "STATS/a"))
    assert (len(kept.messages), kept.left_out) == (1, 1)


def members_of(sequences: dict[int, str]) -> Batches:
    """Return which member has stored which sequence, each in a batch of its own."""
    batches = Batches()
    for sequence, member in sequences.items():
        batches.append(member, sequence, sequence)
        batches.latest[member] = sequence
    return batches


@pytest.fixture
def of_members(make_audit: Callable[..., Audit]) -> Audit:
    """Return an audit of what two members have stored: the last reading of `a`, of sequence 6, is one's.

    The other's last is that of sequence 5. Those before are so old that it is not known whose they are.
    """
    audit = make_audit()
    audit._stored = replace(audit._stored, batches=members_of({4: "1", 5: "2", 6: "1"}))
    return audit


@pytest.mark.parametrize(("of_one", "off"), [(4, 0), (6, 3)])
def test_what_is_in_a_tick_of_several_members_is_told_for_each(
    of_members: Audit, of_one: int, off: int
) -> None:
    """The sum alone does not say it: the metrics do, which are published with it."""
    of_members.note(TickMark(NOW, 9, {"1": of_one, "2": 5}))
    of_members.check_series(of_a()._replace(sequence=9))
    assert (of_members.compared, of_members.skipped) == (8, {})
    assert (of_members.off > 0) == (off > 0)


def test_a_tick_of_several_members_without_its_metrics_is_skipped_and_counted(of_members: Audit) -> None:
    of_members.note(TickMark(NOW - 1, 9, {"1": 4, "2": 5}))
    of_members.check_series(of_a()._replace(sequence=9))
    assert (of_members.compared, of_members.skipped) == (
        0,
        {"messages of ticks whose metrics did not come": 1},
    )


def test_a_tick_beyond_what_is_stored_of_a_member_is_of_another_database(of_members: Audit) -> None:
    of_members.note(TickMark(NOW, 12, {"1": 7, "2": 5}))
    of_members.check_series(of_a()._replace(sequence=12))
    assert of_members.skipped == {"messages of series that are not in this database": 1}
