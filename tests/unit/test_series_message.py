import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.series_message import NotSeries, headline, parse_series
from tests.unit.series_messages import AT, content, payload


def test_a_message_is_read_and_written_as_it_was() -> None:
    message = parse_series(payload("kitchen/temperature"), "kitchen/temperature")
    assert message[:5] == ("kitchen/temperature", AT, 12, 21.5, AT - 5)
    assert json.loads(message.as_json()) == content("kitchen/temperature")
    assert message.as_json() == payload("kitchen/temperature").decode()


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
        (payload(windows={}), "no windows"),
        (payload(windows=[1]), "no windows"),
        (payload(windows={"soon": {"count": 1}}), "'soon' is no window"),
        (payload(windows={"\x1b[2J": {"count": 1}}), r"'\\x1b\[2J' is no window"),
        (payload(windows={"1min": {}}), "no count"),
        (payload(windows={"1min": {"count": 1, "avg": "x"}}), "'avg' is neither a number nor null"),
        (payload(windows={"1min": {"count": 10**400}}), "'count' is neither a number nor null"),
    ],
)
def test_anything_else_is_refused_with_its_reason(wrong: bytes, reason: str) -> None:
    with pytest.raises(NotSeries, match=reason):
        parse_series(wrong, "a")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.just(10**400),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*content(), "value", "1s"]), inner),
    ).map(lambda part: json.dumps(part if not isinstance(part, dict) else content() | part).encode())
)
def test_any_payload_is_read_or_refused(any_payload: bytes) -> None:
    try:
        parse_series(any_payload, "a").as_json()
    except NotSeries as error:
        assert str(error).isprintable()  # noqa: PT017 - both ways are right


@pytest.mark.parametrize(
    ("statistics", "name"),
    [
        (["count", "coverage", "max", "avg"], "avg"),
        (["count", "coverage", "p95", "max"], "p95"),
        (["count", "coverage"], "count"),
    ],
)
def test_one_statistic_stands_for_a_window(statistics: list[str], name: str) -> None:
    assert headline(dict.fromkeys(statistics, 1.0)) == name
