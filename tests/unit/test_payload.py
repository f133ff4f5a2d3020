import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scheduler_app.intake.payload import MAX_PAYLOAD, NothingToRead, Reason, Rejected, decode, too_much

ARRIVED = 1_700_000_000.5
LATEST = ARRIVED + 30


def rejection(payload: bytes) -> Rejected:
    """Return why `payload` is rejected."""
    with pytest.raises(Rejected) as caught:
        decode(payload, ARRIVED, LATEST)
    return caught.value


@pytest.mark.parametrize(
    ("payload", "value", "time"),
    [
        (b'{"number": 46, "epochtime": "1669940235"}', 46.0, 1669940235.0),  # the original publisher's
        (b'{"number": 46, "epochtime": 1669940235}', 46.0, 1669940235.0),
        (b'{"number": 46, "epochtime": 1669940235.25, "id": "ab-1"}', 46.0, 1669940235.25),
        (b'{"number": "46.5", "epochtime": "1669940235.25"}', 46.5, 1669940235.25),
        (b'{"number": " 1e3 "}', 1000.0, ARRIVED),
        (b'{"number": 46}', 46.0, ARRIVED),
        (b'{"number": 46, "epochtime": null}', 46.0, ARRIVED),
        (b'{"number": -0.5, "epochtime": 0}', -0.5, 0.0),
        (b'{"number": 1, "epochtime": -1}', 1.0, -1.0),
        (b"21.5", 21.5, ARRIVED),
        (b"21", 21.0, ARRIVED),
        (b" -21.5\r\n", -21.5, ARRIVED),
        (b"+21.5", 21.5, ARRIVED),
        (b".5", 0.5, ARRIVED),
        (b"5.", 5.0, ARRIVED),
        (b"007", 7.0, ARRIVED),
        (b"1E-3", 0.001, ARRIVED),
        (b"5e-324", 5e-324, ARRIVED),
        (b"1.7976931348623157e308", 1.7976931348623157e308, ARRIVED),
        (b'"21.5"', 21.5, ARRIVED),
        (b"'21.5'", 21.5, ARRIVED),
        (b" '-3' \n", -3.0, ARRIVED),
        (b"\xef\xbb\xbf21.5", 21.5, ARRIVED),  # a byte order mark
        (b'\xef\xbb\xbf{"number": 21.5}', 21.5, ARRIVED),
        (b"21.5\0", 21.5, ARRIVED),  # the end of a text in C
        (b'{"number": 21.5}\0', 21.5, ARRIVED),
        (b"+21.5\r\n\0", 21.5, ARRIVED),
        *(
            (blank + b'{"number": 21.5}' + blank, 21.5, ARRIVED)
            for blank in (b" ", b"\t", b"\n", b"\r", b"\r\n ")
        ),
        (b'{"number": 21.5, "distance": NaN, "b": [-Infinity], "id": Infinity}', 21.5, ARRIVED),
        (b'{"number": 1, "number": 2}', 2.0, ARRIVED),
        (b'{"number": 1, "id": "\\ud800", "more": {"a": [1, true, null]}}', 1.0, ARRIVED),
        ('{"number": 1, "unit": "°C"}'.encode(), 1.0, ARRIVED),
        (b"0" * 5000 + b"7", 7.0, ARRIVED),
    ],
)
def test_a_reading_is_a_number_with_or_without_its_time(payload: bytes, value: float, time: float) -> None:
    assert decode(payload, ARRIVED, LATEST)[:3] == ("", time, value)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"hello", Reason.NOT_JSON),
        (b"21,5", Reason.NOT_JSON),
        (b"21.5 C", Reason.NOT_JSON),
        (b"1_0", Reason.NOT_JSON),
        (b"0x10", Reason.NOT_JSON),
        (b".", Reason.NOT_JSON),
        (b"1e", Reason.NOT_JSON),
        (b"2\x001", Reason.NOT_JSON),
        ("٤٦".encode(), Reason.NOT_JSON),  # digits, but of another script
        (b'{"number": 1', Reason.NOT_JSON),
        (b'{"number": 1}{"number": 2}', Reason.NOT_JSON),
        (b"{'number': 1}", Reason.NOT_JSON),
        ('{"number": 1}'.encode("utf-16-le"), Reason.NOT_JSON),
        ('{"number": 1}'.encode("utf-16"), Reason.NOT_UTF8),
        (b"\xff", Reason.NOT_UTF8),
        (b'{"number": 1, "unit": "\xb0C"}', Reason.NOT_UTF8),
        (b"\xed\xa0\x80", Reason.NOT_UTF8),  # a surrogate
        (b"[46]", Reason.NO_NUMBER),
        (b'"hello"', Reason.NO_NUMBER),
        (b'"\\ud800"', Reason.NO_NUMBER),
        (b'{"Number": 1}', Reason.NO_NUMBER),
        (b'{"epochtime": 1669940235}', Reason.NO_NUMBER),
        (b"[null]", Reason.NO_NUMBER),
        (b'{"number": "1_0"}', Reason.NO_NUMBER),
        ('{"number": "٤٦"}'.encode(), Reason.NO_NUMBER),
        (b'{"number": "\\ud800"}', Reason.NO_NUMBER),
        (b'{"number": [1]}', Reason.NO_NUMBER),
        (b'{"number": {"number": 1}}', Reason.NO_NUMBER),
        (b"true", Reason.BOOLEAN),
        (b'{"number": true}', Reason.BOOLEAN),
        (b'{"number": false}', Reason.BOOLEAN),
        (b'{"number": 1, "epochtime": true}', Reason.BOOLEAN),
        (b"NaN", Reason.NOT_FINITE),
        (b"nan", Reason.NOT_FINITE),
        (b"-Infinity", Reason.NOT_FINITE),
        (b"+inf", Reason.NOT_FINITE),
        (b"1e999", Reason.NOT_FINITE),
        (b"9" * 5000, Reason.NOT_FINITE),
        (b'{"number": NaN}', Reason.NOT_FINITE),
        (b'{"number": -Infinity}', Reason.NOT_FINITE),
        (b'{"number": -1e999}', Reason.NOT_FINITE),
        (b'{"number": "nan"}', Reason.NOT_FINITE),
        (b'{"number": "1e999"}', Reason.NOT_FINITE),
        (b'{"number": ' + b"9" * 5000 + b"}", Reason.NOT_FINITE),
        (b'{"number": "' + b"9" * 5000 + b'"}', Reason.NOT_FINITE),
        (b'{"number": 1, "epochtime": 1e999}', Reason.NOT_FINITE),
        (b'{"number": 1, "epochtime": -Infinity}', Reason.NOT_FINITE),
        (b'{"number": 1, "epochtime": ' + b"9" * 5000 + b"}", Reason.NOT_FINITE),
        (b'{"number": 1, "epochtime": ""}', Reason.BAD_TIME),
        (b'{"number": 1, "epochtime": "2022-12-02T00:17:15Z"}', Reason.BAD_TIME),
        (b'{"number": 1, "epochtime": [1669940235]}', Reason.BAD_TIME),
        *((blank + b'{"number": 1}', Reason.NOT_JSON) for blank in (b"\x0b", b"\xc2\xa0")),  # none in JSON
        *((b'{"number": 1}' + more, Reason.NOT_JSON) for more in (b"x", b" {}", b"\x0b", b"\xc2\xa0")),
        (b"[" * 200_000, Reason.TOO_LONG),
        (b"[" * 60_000, Reason.TOO_DEEP),
        (b'{"":' * 16_000, Reason.TOO_DEEP),
    ],
)
def test_what_is_no_reading_is_rejected_with_its_own_reason(payload: bytes, reason: Reason) -> None:
    assert rejection(payload).reason == reason


@pytest.mark.parametrize(
    "payload",
    [
        *(b"", b" \n", b"\0", b"\xef\xbb\xbf", b"null", b"{}", b"[]", b'""', b'{"number": null}'),
        *(b'{"number": ""}', b"unavailable", b"unknown", b"Unknown", b"None", b'"unavailable"'),
        *(b'{"number": "unknown"}', b'{"number": " None "}', b'{"number": null, "epochtime": true}'),
    ],
)
def test_a_message_that_says_nothing_is_no_error(payload: bytes) -> None:
    with pytest.raises(NothingToRead):
        decode(payload, ARRIVED, LATEST)


@pytest.mark.parametrize(
    "payload", [b"'21.5", b"''", b"'", b"'hello'", b"''21.5''", b"un known", b"unavailable!", b"2\0" + b"1"]
)
def test_what_only_resembles_it_is_rejected(payload: bytes) -> None:
    assert rejection(payload).reason == Reason.NOT_JSON


def test_a_payload_may_be_as_long_as_is_allowed_and_no_byte_longer() -> None:
    assert decode(b"1".ljust(MAX_PAYLOAD), ARRIVED, LATEST).value == 1
    too_long = rejection(b"1".ljust(MAX_PAYLOAD + 1))
    assert too_long.reason == Reason.TOO_LONG
    assert too_long.detail == "65537 bytes, 65536 are allowed"


def test_a_reading_may_be_ahead_by_what_is_allowed_and_no_more() -> None:
    assert decode(json.dumps({"number": 1, "epochtime": LATEST}).encode(), ARRIVED, LATEST).time == LATEST
    ahead = rejection(json.dumps({"number": 1, "epochtime": LATEST + 90}).encode())
    assert (ahead.reason, ahead.detail) == (Reason.TOO_FAR_AHEAD, "90 s more than allowed")


@pytest.mark.parametrize(
    ("seconds", "told"), [(999_999_999_999, "999999999999 s"), (10**12, "1e+12 s"), (1e300, "1e+300 s")]
)
def test_a_time_that_is_ahead_very_far_is_told_by_its_first_digits(seconds: float, told: str) -> None:
    assert too_much(seconds) == f"{told} more than allowed"
    ahead = rejection(json.dumps({"number": 1, "epochtime": 1e300}).encode())
    assert (ahead.reason, ahead.detail) == (Reason.TOO_FAR_AHEAD, "1e+300 s more than allowed")


@pytest.mark.parametrize(
    ("scale", "unit"), [(1_000, "milliseconds"), (1_000_000, "microseconds"), (1_000_000_000, "nanoseconds")]
)
@pytest.mark.parametrize("seconds", [ARRIVED, ARRIVED - 5 * 365 * 86400])
def test_a_time_in_another_unit_is_recognised(scale: int, unit: str, seconds: float) -> None:
    ahead = rejection(json.dumps({"number": 1, "epochtime": int(seconds * scale)}).encode())
    assert (ahead.reason, ahead.detail) == (Reason.TOO_FAR_AHEAD, f"looks like {unit}")


def test_a_time_that_is_right_in_no_unit_has_no_hint() -> None:
    assert "looks like" not in rejection(b'{"number": 1, "epochtime": 1e300}').detail
    assert "looks like" not in rejection(b'{"number": 1, "epochtime": 5e9}').detail


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(max_value=LATEST, allow_infinity=False))
def test_numbers_arrive_to_the_last_bit(value: float, time: float) -> None:
    for content in ({"number": value, "epochtime": time}, {"number": repr(value), "epochtime": repr(time)}):
        assert decode(json.dumps(content).encode(), ARRIVED, LATEST)[:3] == ("", time, value)
    assert decode(repr(value).encode(), ARRIVED, LATEST)[:3] == ("", ARRIVED, value)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text()
    | st.sampled_from(["1e400", "-inf", "1_0", "1e5", "0x1", "٤", "\ud800", 10**400]),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["number", "epochtime"]), inner)
    ),
    max_leaves=5,
)


def as_json(content: Any) -> bytes:
    return json.dumps(content).encode()


@given(
    st.binary()
    | st.text().map(str.encode)
    | ANYTHING.map(as_json)
    | st.fixed_dictionaries({"number": ANYTHING}, optional={"epochtime": ANYTHING}).map(as_json)
)
@example(b"\xef\xbb\xbf1")
@example(b"[" * 65_000)
def test_any_payload_is_a_finite_reading_or_rejected(payload: bytes) -> None:
    try:
        _, time, value, _ = decode(payload, ARRIVED, LATEST)
    except NothingToRead:
        pass
    except Rejected as rejected:
        assert rejected.reason in Reason  # noqa: PT017 - all ways are right
    else:
        assert isinstance(value, float)
        assert isinstance(time, float)
        assert math.isfinite(value)
        assert math.isfinite(time)
        assert time <= LATEST
