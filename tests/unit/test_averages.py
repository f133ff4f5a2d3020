import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.averages import NotAverages, parse_averages
from scheduler_app.table import render


@pytest.mark.parametrize(
    ("payload", "averages"),
    [
        (
            b'{"avg_1min": 46, "avg_5min": 45.7, "avg_30min": null}',
            {"avg_1min": 46, "avg_5min": 45.7, "avg_30min": None},
        ),
        (b'{"avg_1h": -1e-3}', {"avg_1h": -0.001}),
        ('{"größe": 1}'.encode(), {"größe": 1}),
    ],
)
def test_averages_are_an_object_with_a_number_or_null_for_each_window(
    payload: bytes, averages: dict[str, float | None]
) -> None:
    parsed = parse_averages(payload)
    assert parsed == averages
    assert list(parsed) == list(averages)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "it is not JSON"),
        (b"online", "it is not JSON"),
        (b"\xff", "it is not JSON"),
        (b"[" * 200_000, "it is not JSON"),
        (b"{}", "it is no JSON object"),
        (b"46", "it is no JSON object"),
        (b"null", "it is no JSON object"),
        (b'[{"avg_1min": 46}]', "it is no JSON object"),
        (b'{"avg_1min": "46"}', "'avg_1min' is neither a number nor null"),
        (b'{"avg_1min": true}', "'avg_1min' is neither a number nor null"),
        (b'{"avg_1min": 46, "avg_5min": [1]}', "'avg_5min' is neither a number nor null"),
        (b'{"avg_1min": NaN}', "'avg_1min' is neither a number nor null"),
        (b'{"avg_1min": 1e999}', "'avg_1min' is neither a number nor null"),
    ],
)
def test_anything_else_is_refused_with_its_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(NotAverages, match=reason):
        parse_averages(payload)


@pytest.mark.parametrize("digits", [400, 5000])
def test_a_whole_number_that_is_no_float_is_refused(digits: int) -> None:
    """What is not refused ends the viewer, and any client may publish to the topic."""
    with pytest.raises(NotAverages):
        parse_averages(b'{"avg_1min": ' + b"9" * digits + b"}")


@pytest.mark.parametrize("name", ["\ud800", "a\nb", "\x1b[2J", "a\0b"])
def test_a_name_that_no_console_can_show_is_refused(name: str) -> None:
    with pytest.raises(NotAverages):
        parse_averages(json.dumps({name: 1}).encode())


@given(
    st.binary()
    | st.dictionaries(
        st.text() | st.just("\ud800"), st.none() | st.floats() | st.integers() | st.just(10**400), min_size=1
    ).map(lambda content: json.dumps(content).encode())
)
def test_any_payload_can_be_shown_or_is_refused(payload: bytes) -> None:
    try:
        averages = parse_averages(payload)
    except NotAverages as error:
        assert "\n" not in str(error)  # noqa: PT017 - both ways are right
        return
    assert all(value is None or math.isfinite(value) for value in averages.values())
    render(averages, "simple").encode()
    json.dumps(averages).encode()
