import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.statistics.plan import Plan
from models.statistics.span import At
from models.statistics.tick import SeriesResult
from scheduler_app.publishing.messages import (
    MAX_STATISTICS,
    MAX_WINDOWS,
    SERIES_BYTES,
    InvalidMessage,
    headline,
    parse_series,
    write_result,
    write_series,
)
from scheduler_app.publishing.records import SeriesMessage
from tests.unit.series_messages import AT, content, payload


def test_a_message_is_read_and_written_as_it_was() -> None:
    message = parse_series(payload("kitchen/temperature"), "kitchen/temperature")
    assert message[:5] == ("kitchen/temperature", AT, 12, 21.5, AT - 5)
    assert json.loads(write_series(message)) == content("kitchen/temperature")
    assert write_series(message) == payload("kitchen/temperature").decode()


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (b"", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff", "not JSON"),
        (b"46", "no JSON object with the name"),
        (payload("b"), "no JSON object with the name"),
        (payload(sequence="12"), "no sequence"),
        (payload(sequence=True), "no sequence"),
        (payload(last=None), "no last reading"),
        (payload(last={"value": None, "time": 1}), "lacks a time or the value"),
        (payload(at="now"), "lacks a time or the value"),
        (payload(at=float("nan")), "lacks a time or the value"),
        (payload(at=1e308), "lacks a time or the value"),
        (payload(at=253_402_300_800.0), "lacks a time or the value"),
        (payload(last={"value": 1, "time": -62_135_596_801.0}), "lacks a time or the value"),
        (payload(last={"value": 10**400, "time": 1}), "lacks a time or the value"),
        (payload(sequence=-1), "no sequence"),
        (payload(sequence=2**63), "no sequence"),
        (payload(sequence=1.0), "no sequence"),
        (payload(windows={"1min": {"count": -1}}), "no count"),
        (payload(windows={"1min": {"count": 2**63}}), "no count"),
        (payload(windows={"1min": {"count": True}}), "no count"),
        (payload(windows={"1min": {"count": 1, "p150": 1}}), "'p150' is no statistic"),
        (payload(windows={"1min": {"count": 1, "\u202e": 1}}), r"'\\u202e' is no statistic"),
        (payload(windows={"1" * 5000 + "s": {"count": 1}}), "'1{64}' is no window"),
        (payload().replace(b"21.5", b"9" * 5000), "not JSON"),
        (payload(windows={}), "no windows"),
        (payload(windows=[1]), "no windows"),
        (payload(windows={"soon": {"count": 1}}), "'soon' is no window"),
        (payload(windows={"\x1b[2J": {"count": 1}}), r"'\\x1b\[2J' is no window"),
        (payload(windows={"1min": {}}), "no count"),
        (payload(windows={"1min": {"count": 1, "avg": "x"}}), "'avg' is neither a number nor null"),
        (payload(windows={"1min": {"count": 10**400}}), "no count"),
    ],
)
def test_anything_else_is_refused_with_its_reason(wrong: bytes, reason: str) -> None:
    with pytest.raises(InvalidMessage, match=reason):
        parse_series(wrong, "a")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.just(10**400),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*content(), "value", "1s"]), inner),
    ).map(lambda part: json.dumps(part if not isinstance(part, dict) else content() | part).encode())
)
def test_any_payload_is_read_or_refused(any_payload: bytes) -> None:
    try:
        write_series(parse_series(any_payload, "a"))
    except InvalidMessage as error:
        assert str(error).isprintable()  # noqa: PT017 - both ways are right


@pytest.mark.parametrize(
    ("statistics", "name"),
    [
        (["count", "coverage", "max", "avg"], "avg"),
        (["count", "coverage", "p95", "max"], "p95"),
        (["count", "coverage"], "count"),
        (["count", "coverage", "age", "max", "last"], "max"),
        (["count", "coverage", "age"], "count"),
    ],
)
def test_one_statistic_stands_for_a_window(statistics: list[str], name: str) -> None:
    assert headline(dict.fromkeys(statistics, 1.0)) == name


def test_the_calendar_has_its_first_and_last_second() -> None:
    message = parse_series(payload(at=253_402_300_799.0, last={"value": 1, "time": -62_135_596_800.0}), "a")
    assert (message.at, message.last_time) == (253_402_300_799.0, -62_135_596_800.0)


def test_there_may_be_so_many_windows_and_statistics() -> None:
    def windows(number: int, statistics: int) -> bytes:
        window = {"count": 1} | {f"p{place / 10}": 1 for place in range(1, statistics)}
        return payload(windows={f"{place + 1}s": window for place in range(number)})

    parse_series(windows(MAX_WINDOWS, 2), "a")
    parse_series(windows(2, MAX_STATISTICS), "a")
    with pytest.raises(InvalidMessage, match="more than 100 windows"):
        parse_series(windows(MAX_WINDOWS + 1, 2), "a")
    with pytest.raises(InvalidMessage, match="more than 200 statistics"):
        parse_series(windows(2, MAX_STATISTICS + 1), "a")


def test_a_message_may_be_so_large() -> None:
    parse_series(payload().ljust(SERIES_BYTES), "a")
    with pytest.raises(InvalidMessage, match="larger than 262144 bytes"):
        parse_series(payload().ljust(SERIES_BYTES + 1), "a")


def test_every_statistic_that_a_stream_may_ask_for_is_read() -> None:
    names = ["sum", "avg", "min", "max", "range", "stddev", "median", "first", "last", "rate"]
    names += ["time_weighted_avg", "coverage", "p5", "p95", "p99.9", "p99.999999"]
    parse_series(payload(windows={"1min": {"count": 1} | dict.fromkeys(names, 1.0)}), "a")


NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 2**63 - 1)


@given(
    st.text(),
    st.tuples(st.floats(0, 1e10), st.integers(0, 2**63 - 1), st.floats(-1e300, 1e300), st.floats(0, 1e10)),
    st.lists(NUMBERS, min_size=8, max_size=8),
)
def test_a_message_is_what_json_dumps_writes(
    name: str, ends: tuple[float, int, float, float], numbers: list[float | int | None]
) -> None:
    """The two ways of writing it too: of a message, and of a result."""
    at, sequence, last, last_time = ends
    plan = Plan([("1min", 60_000), ("5min", 300_000)], ["avg", "p99.9"])
    result = SeriesResult(name, At(last_time, last), plan, tuple(numbers))
    message = SeriesMessage(name, at, sequence, last, last_time, result.windows())
    expected = json.dumps(
        {
            "series": name,
            "at": at,
            "sequence": sequence,
            "last": {"value": last, "time": last_time},
            "windows": result.windows(),
        }
    )
    assert write_result(result, at, sequence) == expected
    assert write_series(message) == expected
