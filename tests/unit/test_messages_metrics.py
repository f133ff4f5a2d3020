import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.storage.records import COUNTERS, ENDINGS
from scheduler_app.commands.status import readable
from scheduler_app.console.table import render_pairs
from scheduler_app.publishing.messages import (
    METRICS_BYTES,
    OFFLINE,
    ONLINE,
    InvalidMessage,
    metrics_content,
    parse_metrics,
    parse_state,
    write_metrics,
)
from scheduler_app.publishing.records import Metrics, TickMark

NOW = 1_700_000_000.5


def content(**changes: Any) -> dict[str, Any]:
    return {
        "at": NOW,
        "since": 1_600_000_000,
        "received": 7,
        "tick": {"at": NOW - 1, "sequence": 12},
        "last_commit": None,
        "short_connections": 2,
        "session_lost_at": NOW - 9,
        "session_lost_since": NOW - 20,
        **changes,
    }


def payload(**changes: Any) -> bytes:
    return json.dumps(content(**changes)).encode()


FULL = Metrics(
    at=NOW,
    since=1_600_000_000,
    received=7,
    stored=1,
    duplicates=2,
    rejected=3,
    late=4,
    retained=5,
    pruned=6,
    tick=TickMark(NOW - 1, 12),
    series=8,
    in_flight=9,
    oldest_unacknowledged=0.25,
    last_commit=NOW - 2,
    database_bytes=10,
    short_connections=11,
    session_lost_at=NOW - 9,
    session_lost_since=NOW - 20,
    others={"more": {"a": [1, "b"]}},
)


@pytest.mark.parametrize("metrics", [FULL, Metrics(NOW, 1.0)])
def test_what_is_written_is_read(metrics: Metrics) -> None:
    assert parse_metrics(write_metrics(metrics).encode()) == metrics


def test_the_order_is_that_of_a_message_on_its_way() -> None:
    assert list(json.loads(write_metrics(FULL))) == [
        *("at", "since", "received", *ENDINGS, "pruned", "tick", "series", "in_flight"),
        *("oldest_unacknowledged", "last_commit", "database_bytes", "short_connections"),
        *("session_lost_at", "session_lost_since", "unmatched", "trouble", "more"),
    ]
    assert set(COUNTERS) < set(Metrics._fields)


def test_what_an_older_subscriber_does_not_tell_is_as_if_nothing_had_happened() -> None:
    assert parse_metrics(b'{"at": 2, "since": 1}') == Metrics(2, 1)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 60_000, "not JSON"),
        (b'{"at": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"[1, 2]", "no JSON object"),
        (b"null", "no JSON object"),
        (payload(at="now"), "lacks the time"),
        (payload(at=True), "lacks the time"),
        (payload(at=1e308), "lacks the time"),
        (payload().replace(b"1700000000.5", b"1e999"), "no number"),
        (payload(at=float("nan")), "no number"),
        (payload(since=None), "lacks the time"),
        (payload(last_commit=1e12), "'last_commit' is no time"),
        (payload(session_lost_at="x"), "'session_lost_at' is no time"),
        (payload(received=float("inf")), "no number"),
        (payload(received=1e9), "'received' is no count"),
        (payload(received=True), "'received' is no count"),
        (payload(received=2**63), "'received' is no count"),
        (payload(received=-1), "'received' is no count"),
        (payload(stored=1.5), "'stored' is no count"),
        (payload(database_bytes=None), "'database_bytes' is no count"),
        (payload(oldest_unacknowledged="x"), "'oldest_unacknowledged' is no number of seconds"),
        (payload(short_connections="3"), "'short_connections' is no count"),
        (payload(unmatched=-1), "'unmatched' is no count"),
        (payload(trouble=5), "'trouble' is no text"),
        (payload(trouble="x" * 1001), "no number, no text"),
        (payload(tick=[1]), "its tick has no time"),
        (payload(tick={"at": NOW, "sequence": 1.5}), "its tick has no time, or no sequence"),
        (payload(tick={"at": 1e300, "sequence": 1}), "its tick has no time"),
        (payload(tick={"at": NOW, "sequence": 1, "members": [1]}), "its tick has no time"),
        (payload(tick={"at": NOW, "sequence": 1, "members": {"1": -1}}), "its tick has no time"),
        (payload(other=10**400), "no number"),
        (payload(**{"\x1b[2J": 1}), "is no name of a metric"),
        (payload(other={"\u202e": 1}), "is no name of a metric"),
        (payload(**{"n" * 65: 1}), "is no name of a metric"),
        (payload(other="x" * 1001), "no number, no text"),
        (payload(other={"a": {"b": {"c": 1}}}), "more than 3 objects deep"),
        (payload(other=list(range(990))), "more than 1000 entries"),
        (payload().ljust(METRICS_BYTES + 1), "larger than 65536 bytes"),
    ],
)
def test_anything_else_is_refused_with_its_reason(wrong: bytes, reason: str) -> None:
    with pytest.raises(InvalidMessage, match=reason) as caught:
        parse_metrics(wrong)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "right",
    [
        payload(received=2**63 - 1),
        payload(**{"n" * 64: "x" * 1000}),
        payload(other={"a": {"b": 1}}),
        payload(other=list(range(989))),
        payload().ljust(METRICS_BYTES),
    ],
)
def test_the_bounds_are_allowed(right: bytes) -> None:
    parse_metrics(right)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.just(10**400) | st.just(1e308),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from([*content(), "a", "b"]) | st.text(), inner)
        ),
    ).map(lambda part: json.dumps(part if not isinstance(part, dict) else content() | part).encode())
)
def test_whatever_is_read_can_be_shown(any_payload: bytes) -> None:
    try:
        metrics = parse_metrics(any_payload)
    except InvalidMessage as error:
        assert str(error).isprintable()  # noqa: PT017 - both ways are right
        return
    table = render_pairs(readable(metrics_content(metrics)))
    assert all(line.isprintable() for line in table.split("\n"))
    json.dumps(metrics_content(metrics)).encode()


def test_a_state_is_one_of_two() -> None:
    assert (parse_state(b"online"), parse_state(b"offline")) == (ONLINE, OFFLINE)


@pytest.mark.parametrize("wrong", [b"", b"Online", b"online\n", b"\xff", b"offline" * 1000])
def test_no_other_state_is_taken(wrong: bytes) -> None:
    with pytest.raises(InvalidMessage, match="neither online nor offline"):
        parse_state(wrong)


@pytest.mark.parametrize(
    ("told", "trouble"), [(None, None), ("x" * 1000, "x" * 1000), ("a\x1b[2J\nb", "a\\x1b[2J\\nb")]
)
def test_a_trouble_is_read_as_one_printable_line(told: str | None, trouble: str | None) -> None:
    assert parse_metrics(payload(trouble=told)).trouble == trouble
