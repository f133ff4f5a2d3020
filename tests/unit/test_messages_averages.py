import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.statistics.tick import WindowAverage
from scheduler_app.console.table import render
from scheduler_app.publishing.messages import (
    AVERAGES_BYTES,
    MAX_WINDOWS,
    InvalidMessage,
    parse_averages,
    write_averages,
)


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
        (b"[" * AVERAGES_BYTES, "it is not JSON"),
        (b"[" * 200_000, "it is larger than 16384 bytes"),
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
    with pytest.raises(InvalidMessage, match=reason):
        parse_averages(payload)


@pytest.mark.parametrize("digits", [400, 5000])
def test_a_whole_number_that_is_no_float_is_refused(digits: int) -> None:
    """What is not refused ends the viewer, and any client may publish to the topic."""
    with pytest.raises(InvalidMessage):
        parse_averages(b'{"avg_1min": ' + b"9" * digits + b"}")


@pytest.mark.parametrize("name", ["\ud800", "a\nb", "\x1b[2J", "a\0b"])
def test_a_name_that_no_console_can_show_is_refused(name: str) -> None:
    with pytest.raises(InvalidMessage):
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
    except InvalidMessage as error:
        assert "\n" not in str(error)  # noqa: PT017 - both ways are right
        return
    assert all(value is None or math.isfinite(value) for value in averages.values())
    render(averages, "simple").encode()
    json.dumps(averages).encode()


@pytest.mark.parametrize(
    ("mean", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (-5.0, "-5"),
        (0.1, "0.1"),
        (47.1778, "47.1778"),
        (1e300, "1e+300"),
        (5e-324, "5e-324"),
        (2.0**53 - 1, "9007199254740991"),
        (-(2.0**53), "-9007199254740992.0"),  # from here on not every whole number is a float
    ],
)
def test_a_whole_number_is_written_without_a_point(mean: float, text: str) -> None:
    assert write_averages([WindowAverage("1min", mean, 1)]) == f'{{"avg_1min": {text}}}'


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_mean_is_written_and_read_to_the_last_bit(mean: float) -> None:
    assert parse_averages(write_averages([WindowAverage("1min", mean, 1)]).encode()) == {"avg_1min": mean}


def test_what_is_written_is_what_the_original_viewer_reads() -> None:
    text = write_averages(
        [WindowAverage("1min", 46.0, 1), WindowAverage("5min", 45.7, 2), WindowAverage("30min", None, 0)]
    )
    assert text == '{"avg_1min": 46, "avg_5min": 45.7, "avg_30min": null}'


def test_there_may_be_so_many_windows() -> None:
    parse_averages(json.dumps({f"avg_{number}s": 1 for number in range(MAX_WINDOWS)}).encode())
    with pytest.raises(InvalidMessage, match="more than 100 windows"):
        parse_averages(json.dumps({f"avg_{number}s": 1 for number in range(MAX_WINDOWS + 1)}).encode())


def test_a_message_may_be_so_large() -> None:
    parse_averages(b'{"avg_1min": 46}'.ljust(AVERAGES_BYTES))
    with pytest.raises(InvalidMessage, match="larger than 16384 bytes"):
        parse_averages(b'{"avg_1min": 46}'.ljust(AVERAGES_BYTES + 1))


def test_the_reason_is_the_same_whatever_came() -> None:
    """So that a line a minute a reason is not a line for each name that somebody makes up."""
    reasons = set()
    for name in ("a", "b", "\x1b", "\u202e"):
        with pytest.raises(InvalidMessage) as caught:
            parse_averages(json.dumps({name: "x"}).encode())
        reasons.add(caught.value.reason)
        assert str(caught.value).isprintable()
    assert reasons == {"is no name of a window", "is neither a number nor null"}
