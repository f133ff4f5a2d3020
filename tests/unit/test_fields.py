import json
import math
import time as clock
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from config.quantities import Window
from config.streams import TIME_FORMATS, FieldPath, Stream, Value
from models.catalog import LONGEST_NAME
from scheduler_app.intake.fields import decoder_of
from scheduler_app.intake.payload import MAX_PAYLOAD, Decoded, NothingToRead, Reason, Rejected

ARRIVED = 1_795_466_130.5
LATEST = ARRIVED + 30


def stream(*fields: str, time: str | None = None, time_format: str = "s", every: bool = False) -> Stream:
    paths = list(map(FieldPath.parse, fields))
    several = len(paths) > 1
    return Stream(
        "a/#",
        (Window("1min", 60.0),),
        2100.0,
        values=tuple(Value(path, str(path) if several else "") for path in paths),
        every_number=every,
        time=None if time is None else FieldPath.parse(time),
        time_format=time_format,
    )


EVERY = stream(every=True)


def decode(payload: bytes | object, read: Stream) -> tuple[list[Decoded], list[tuple[str, str]]]:
    """Return the readings, and reason and detail of what is none."""
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    readings, rejections = decoder_of(read)(data, "a/b", ARRIVED, LATEST)
    return readings, [(rejection.reason, rejection.detail) for rejection in rejections]


def values(payload: bytes | object, read: Stream) -> dict[str, float]:
    """Return the numbers by field; none may be rejected, and all have come on arrival."""
    readings, rejections = decode(payload, read)
    assert rejections == []
    assert {reading.time for reading in readings} == {ARRIVED}
    assert len({reading.field for reading in readings}) == len(readings)
    return {reading.field: reading.value for reading in readings}


def rejection(payload: bytes | object, read: Stream) -> tuple[str, str]:
    """Return why a whole message is rejected."""
    with pytest.raises(Rejected) as caught:
        decode(payload, read)
    return caught.value.reason, caught.value.detail


def says_nothing(payload: bytes | object, read: Stream) -> bool:
    """Whether there is nothing to read in a message."""
    with pytest.raises(NothingToRead):
        decode(payload, read)
    return True


def time_of(found: object, time_format: str) -> float:
    """Return the event time of a reading whose message has this time."""
    [reading], _ = decode({"v": 1, "t": found}, stream("v", time="t", time_format=time_format))
    return reading.time


ZIGBEE = {"temperature": 21.4, "humidity": 40, "battery": 97, "last_seen": "2026-11-23T10:00:00Z"}
TASMOTA = {"Time": "2026-11-23T10:00:00", "ENERGY": {"Power": 12, "Total": 3.218, "Phase": [230, 231.5]}}


def test_one_field_is_the_series_of_its_topic() -> None:
    assert values(ZIGBEE, stream("temperature")) == {"": 21.4}
    assert values(TASMOTA, stream("ENERGY.Power")) == {"": 12.0}


def test_several_fields_are_a_series_each() -> None:
    assert values(ZIGBEE, stream("temperature", "humidity")) == {"temperature": 21.4, "humidity": 40.0}
    assert values(TASMOTA, stream("ENERGY.Power", "/ENERGY/Total", "ENERGY.Phase.1")) == {
        "ENERGY/Power": 12.0,
        "ENERGY/Total": 3.218,
        "ENERGY/Phase/1": 231.5,
    }


def test_fields_come_in_the_order_they_are_named() -> None:
    readings, _ = decode(ZIGBEE, stream("humidity", "temperature"))
    assert [reading.field for reading in readings] == ["humidity", "temperature"]


def test_a_json_pointer_leads_to_keys_with_slashes_tildes_and_dots() -> None:
    payload = {"a/b": {"m~n": 1, "x.y": 2}}
    assert values(payload, stream("/a~1b/m~0n", "/a~1b/x.y")) == {"a%2Fb/m~n": 1.0, "a%2Fb/x.y": 2.0}


def test_numbers_may_be_texts_as_in_other_messages() -> None:
    assert values({"a": "21.5", "b": " 1e3 "}, stream("a", "b")) == {"a": 21.5, "b": 1000.0}


def test_a_field_that_is_not_there_or_null_is_nothing() -> None:
    read = stream("temperature", "humidity", "state.x")
    assert values({"temperature": 1, "humidity": None}, read) == {"temperature": 1.0}
    assert values({"humidity": 2, "state": None}, read) == {"humidity": 2.0}
    assert values({"humidity": 2, "state": {"x": None}}, read) == {"humidity": 2.0}


@pytest.mark.parametrize("payload", [{}, {"temperature": None}, [], 5, "warm", None, b"21.5", b"+5"])
def test_a_message_without_any_of_the_fields_says_nothing(payload: object) -> None:
    assert says_nothing(payload, stream("temperature", "state.x"))


def test_of_a_message_the_good_fields_are_taken_and_each_bad_one_is_rejected_with_its_path() -> None:
    payload = b'{"a": 1, "b": true, "c": {"x": "warm"}, "d": NaN_, "e": "inf", "f": [2], "g": 3}'
    readings, rejections = decode(
        payload.replace(b"NaN_", b"1e999"), stream("a", "b", "c.x", "d", "e", "f", "g")
    )
    assert readings == [Decoded("a", ARRIVED, 1.0), Decoded("g", ARRIVED, 3.0)]
    assert rejections == [
        (Reason.BOOLEAN, "b"),
        (Reason.NO_NUMBER, "c/x"),
        (Reason.NOT_FINITE, "d"),
        (Reason.NOT_FINITE, "e"),
        (Reason.NO_NUMBER, "f"),
    ]


def test_a_message_with_only_bad_fields_has_no_readings() -> None:
    assert decode({"a": False}, stream("a", "b")) == ([], [(Reason.BOOLEAN, "a")])
    assert decode({"a": "x"}, stream("a")) == ([], [(Reason.NO_NUMBER, "a")])


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"hello", Reason.NOT_JSON),
        (b'{"temperature": 1', Reason.NOT_JSON),
        (b"\xff", Reason.NOT_UTF8),
        (b"[" * 60_000, Reason.TOO_DEEP),
        (b"1".ljust(MAX_PAYLOAD + 1), Reason.TOO_LONG),
    ],
)
@pytest.mark.parametrize("read", [stream("temperature"), EVERY])
def test_what_no_field_can_be_read_of_is_rejected_once(payload: bytes, reason: Reason, read: Stream) -> None:
    assert rejection(payload, read)[0] == reason


def test_with_only_a_time_named_a_message_is_a_number_or_has_one() -> None:
    read = stream(time="t")
    assert values(b"21.5", read) == values(b"+21.5", read) == values(b'"21.5"', read) == {"": 21.5}
    assert values({"number": 46}, read) == {"": 46.0}
    [reading], _ = decode({"number": "46", "t": ARRIVED - 5, "epochtime": 3}, read)
    assert reading == Decoded("", ARRIVED - 5, 46.0)
    for nothing in ({}, {"number": None}, None, b"", b" \n"):
        assert says_nothing(nothing, read)
    assert rejection({"state": "on"}, read) == (Reason.NO_NUMBER, "looked for number")
    assert rejection([1], read) == (Reason.NO_NUMBER, "")
    assert rejection(True, read) == (Reason.BOOLEAN, "")


def test_a_star_is_every_number_there_is() -> None:
    assert values(TASMOTA, EVERY) == {
        "ENERGY/Power": 12.0,
        "ENERGY/Total": 3.218,
        "ENERGY/Phase/0": 230.0,
        "ENERGY/Phase/1": 231.5,
    }
    assert values(b"21.5", EVERY) == {"": 21.5}
    assert values([1, [2.5], {"a": 3}], EVERY) == {"0": 1.0, "1/0": 2.5, "2/a": 3.0}


def test_a_star_takes_nothing_that_is_no_number() -> None:
    payload = {"on": True, "state": "on", "empty": None, "list": [], "object": {}, "deep": [[False]]}
    assert values({**payload, "power": 0}, EVERY) == {"power": 0.0}
    assert says_nothing(payload, EVERY)


def test_a_star_rejects_each_number_that_is_no_float() -> None:
    payload = b'{"a": 1e999, "b": {"c": [%s, 2]}}' % (b"9" * 400)
    assert decode(payload, EVERY) == (
        [Decoded("b/c/1", ARRIVED, 2.0)],
        [(Reason.NOT_FINITE, "a"), (Reason.NOT_FINITE, "b/c/0")],
    )


def test_numbers_come_in_the_order_they_stand_in() -> None:
    readings, _ = decode({"z": 1, "a": [2, {"y": 3, "b": 4}], "m": 5}, EVERY)
    assert [reading.value for reading in readings] == [1, 2, 3, 4, 5]


def test_the_time_of_a_message_is_none_of_its_numbers() -> None:
    at = ARRIVED - 5
    assert decode({"v": 1, "epochtime": at}, EVERY)[0] == [Decoded("v", at, 1.0)]
    named = stream(every=True, time="x.t")
    assert decode({"v": 1, "x": {"t": at, "u": 2}, "epochtime": 3}, named)[0] == [
        Decoded("v", at, 1.0),
        Decoded("x/u", at, 2.0),
    ]
    in_list = stream(every=True, time="/x/1")
    assert decode({"x": [7, at]}, in_list)[0] == [Decoded("x/0", at, 7.0)]


def test_so_many_numbers_may_one_message_hold() -> None:
    assert len(decode({"v": [1] * 256, "epochtime": 5}, EVERY)[0]) == 256
    assert rejection({"v": [1] * 257}, EVERY) == (Reason.TOO_MANY_NUMBERS, "256 are allowed")


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("a/b", "a%2Fb"),
        ("+", "%2B"),
        ("#", "%23"),
        ("50%", "50%25"),
        ("\0", "%00"),
        ("\ud800", "%ED%A0%80"),
        ("", "%"),
        ("\x85", "%C2%85"),
    ],
)
def test_names_that_no_topic_may_hold_are_escaped(key: str, name: str) -> None:
    assert values({key: 1, "x": {key: {"y": 2}}}, EVERY) == {name: 1.0, f"x/{name}/y": 2.0}
    assert values({key: 1, "x": 2}, stream("/" + key.replace("/", "~1"), "x") if key else EVERY) == {
        name: 1.0,
        "x": 2.0,
    }


def test_fields_that_look_alike_are_told_apart() -> None:
    payload = {"": {"a": 1}, "a": 2, "/a": 3, "%": {"a": 4}, "%2Fa": 5}
    assert len(values(payload, EVERY)) == 5


HOSTILE = {
    "deep and wide": b"[" * 900 + b"1" + b",1" * 31_000 + b"]" * 900,
    "deep and wide, and no numbers": b"[" * 900 + b'""' + b',""' * 21_000 + b"]" * 900,
    "many empty lists": b"[" + b"[]," * 21_000 + b"0]",
    "a long name": b'{"' + b"k" * 60_000 + b'":[' + b"1" + b",1" * 255 + b"]}",
    "a long name that is escaped": b'{"' + b"+" * 60_000 + b'":[' + b"1" + b",1" * 255 + b"]}",
    "a long name of no numbers": b'{"' + b"+" * 60_000 + b'":[' + b"1e999" + b",1e999" * 255 + b"]}",
    "many names that are escaped": b'{"+++":' * 900 + b"[" + b"1" + b",1" * 255 + b"]" + b"}" * 900,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_message_keeps_us_busy_for_long_or_fills_the_memory(name: str) -> None:
    """While one is read no other device's is, and the broker waits for our pings."""
    began = clock.process_time()
    names: list[str] = []
    with suppress(Rejected, NothingToRead):
        readings, rejections = decode(HOSTILE[name], EVERY)
        names = [*(reading.field for reading in readings), *(detail for _, detail in rejections)]
    assert clock.process_time() - began < 0.5  # a few ms where it is right
    assert sum(map(len, names)) <= 256 * LONGEST_NAME


def test_a_name_that_is_too_long_stays_too_long_for_any_series() -> None:
    readings, _ = decode({"k" * 5000: {"x": 1}, "k" * 1000: {"y" * 23: 2}}, EVERY)
    assert [len(reading.field) for reading in readings] == [LONGEST_NAME, LONGEST_NAME]
    assert len("a/" + readings[0].field) > LONGEST_NAME


SECONDS = 1_795_466_120.125


@pytest.mark.parametrize(
    ("found", "time_format", "seconds"),
    [
        (SECONDS, "s", SECONDS),
        (str(SECONDS), "s", SECONDS),
        (1_795_466_120, "s", 1_795_466_120.0),
        (1_795_466_120_125, "ms", SECONDS),
        ("1795466120125", "ms", SECONDS),
        (1_795_466_120_125_000, "us", SECONDS),
        (1_795_466_120_125_000_000, "ns", SECONDS),
        (1_795_466_120_125.5, "ms", 1_795_466_120.1255),
        (0, "ns", 0.0),
        (-1500, "ms", -1.5),
        ("1970-01-01T00:00:00Z", "iso8601", 0.0),
        ("2026-11-23T10:00:00Z", "iso8601", 1_795_428_000.0),
        ("2026-11-23T10:00:00", "iso8601", 1_795_428_000.0),  # no offset: UTC
        ("2026-11-23 10:00:00", "iso8601", 1_795_428_000.0),
        ("2026-11-23T12:00:00+02:00", "iso8601", 1_795_428_000.0),
        ("2026-11-23T04:30:00-05:30", "iso8601", 1_795_428_000.0),
        ("2026-11-23T10:00:00.125Z", "iso8601", 1_795_428_000.125),
        ("2026-11-23T10:00:00,125+00:00", "iso8601", 1_795_428_000.125),
        ("2026-11-23T10:00:00.123456789Z", "iso8601", 1_795_428_000.123456),
        ("20261123T100000Z", "iso8601", 1_795_428_000.0),
        ("2026-11-23T10:00Z", "iso8601", 1_795_428_000.0),
        ("2026-11-23", "iso8601", 1_795_392_000.0),
        ("2026-W48-1T10:00:00Z", "iso8601", 1_795_428_000.0),
        ("1969-12-31T23:59:59.5Z", "iso8601", -0.5),
        ("0001-01-01T00:00:00Z", "iso8601", -62_135_596_800.0),
        ("0001-01-01T00:00:00+23:59", "iso8601", -62_135_683_140.0),
    ],
)
def test_a_time_is_read_in_the_format_that_is_named(found: object, time_format: str, seconds: float) -> None:
    assert time_of(found, time_format) == seconds


def test_a_time_without_an_offset_is_utc_wherever_we_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    clock.tzset()
    try:
        assert time_of("2026-11-23T10:00:00", "iso8601") == 1_795_428_000.0
    finally:
        monkeypatch.undo()
        clock.tzset()


@given(
    st.datetimes(datetime.fromisoformat("0001-01-02"), datetime.fromisoformat("2026-11-22")),
    st.none() | st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_any_moment_in_iso_8601_is_that_moment(naive: datetime, zone: timezone | None) -> None:
    written = (naive if zone is None else naive.replace(tzinfo=zone)).isoformat()
    expected = naive.replace(tzinfo=zone or UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    assert time_of(written, "iso8601") == expected.total_seconds()


@given(st.floats(-1e9, LATEST), st.sampled_from([("s", 1), ("ms", 1e3), ("us", 1e6), ("ns", 1e9)]))
def test_a_unit_is_only_a_factor(seconds: float, unit: tuple[str, float]) -> None:
    name, factor = unit
    if seconds * factor / factor <= LATEST:
        assert time_of(seconds * factor, name) == seconds * factor / factor


def test_without_a_time_a_message_has_that_of_its_arrival() -> None:
    for time_format in TIME_FORMATS:
        read = stream("a", "b", time="t", time_format=time_format)
        assert values({"a": 1, "b": 2}, read) == values({"a": 1, "b": 2, "t": None}, read) == {"a": 1, "b": 2}


def test_without_a_named_time_it_is_the_epoch_time() -> None:
    assert decode({"a": 1, "epochtime": "1795466120.125"}, stream("a"))[0] == [Decoded("", SECONDS, 1.0)]


def test_all_readings_of_a_message_have_its_time() -> None:
    readings, _ = decode({"a": 1, "b": 2, "t": SECONDS}, stream("a", "b", time="t"))
    assert [reading.time for reading in readings] == [SECONDS, SECONDS]


NO_ISO_8601: list[object] = [
    *(5, 1.5, True, [], {}, "", "soon", "10:00", "\ud800", "1795466120", "2026-13-01", "2026-02-30"),
    *("2026-11-23T25:00:00", "10000-01-01T00:00:00Z", "0000-01-01", "2026-11-23T10:00:00+25:00"),
]
NO_NUMBERS: list[object] = ["", "soon", [], {}, "2026-11-23T10:00:00Z"]


@pytest.mark.parametrize(
    ("found", "time_format", "reason"),
    [
        *((found, "iso8601", Reason.BAD_TIME) for found in NO_ISO_8601),
        *((found, "ms", Reason.BAD_TIME) for found in NO_NUMBERS),
        (True, "s", Reason.BOOLEAN),
        ("inf", "s", Reason.NOT_FINITE),
        ("1e999", "ns", Reason.NOT_FINITE),
    ],
)
def test_one_bad_time_rejects_the_message(found: object, time_format: str, reason: Reason) -> None:
    """None of its readings has another time that could be meant."""
    read = stream("a", "b", "c", time="t", time_format=time_format)
    assert rejection({"a": 1, "b": 2, "c": "bad", "t": found}, read)[0] == reason
    assert rejection({"a": 1, "t": found}, stream(every=True, time="t", time_format=time_format))[0] == reason


def test_a_time_may_be_ahead_by_what_is_allowed_and_no_more() -> None:
    ahead = datetime.fromtimestamp(LATEST, UTC)
    assert time_of(ahead.isoformat(), "iso8601") == LATEST
    assert time_of(LATEST * 1000, "ms") == LATEST
    read = stream("v", time="t", time_format="iso8601")
    later = (ahead + timedelta(seconds=90)).isoformat()
    assert rejection({"v": 1, "t": later}, read) == (Reason.TOO_FAR_AHEAD, "90 s more than allowed")
    assert rejection({"v": 1, "t": "9999-12-31T23:59:59Z"}, read)[0] == Reason.TOO_FAR_AHEAD
    assert rejection({"v": 1, "t": "9999-12-31T23:59:59-23:59"}, read)[0] == Reason.TOO_FAR_AHEAD
    assert rejection({"v": 1, "t": SECONDS * 1000}, stream("v", time="t")) == (
        Reason.TOO_FAR_AHEAD,
        "looks like milliseconds",
    )


ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=5)
SCALARS = (
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | ANY_TEXT
    | st.sampled_from(
        ["1e400", "-inf", "1_0", "1e5", "0x1", "٤", "\ud800", 10**400, "2026-11-23", "0001-01-01"]
    )
    | st.datetimes().map(datetime.isoformat)
)
NAMES = st.sampled_from(["a", "b", "t", "epochtime", "number", "0", "", "/"])
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | ANY_TEXT, inner, max_size=4)
)
READ = st.sampled_from(
    [
        *(stream("a", "b.0", "/b/a", time="t", time_format=name) for name in TIME_FORMATS),
        *(stream(every=True, time="a.t", time_format=name) for name in TIME_FORMATS),
        *(stream("a"), stream(time="t"), EVERY),
    ]
)


def as_json(content: Any) -> bytes:
    return json.dumps(content).encode()


@given(
    st.binary()
    | st.text().map(str.encode)
    | ANYTHING.map(as_json)
    | st.fixed_dictionaries({}, optional={"a": ANYTHING, "b": ANYTHING, "t": ANYTHING}).map(as_json),
    READ,
)
@example(b"\xef\xbb\xbf1", EVERY)
@example(b"[" * 65_000, EVERY)
@example(b"null", stream(time="t"))
@example(b'{"a": 1, "t": "0001-01-01T00:00:00+23:59"}', stream("a", time="t", time_format="iso8601"))
@example(b'{"a": 1, "t": "9999-12-31T23:59:59-23:59"}', stream("a", time="t", time_format="iso8601"))
def test_any_payload_is_finite_readings_or_rejected(payload: bytes, read: Stream) -> None:
    try:
        readings, rejections = decoder_of(read)(payload, "a/b", ARRIVED, LATEST)
    except NothingToRead:
        return
    except Rejected as rejected:
        assert rejected.reason in Reason  # noqa: PT017 - all ways are right
        return
    assert readings or rejections
    for field, time, value, _ in readings:
        assert isinstance(value, float)
        assert isinstance(time, float)
        assert math.isfinite(value)
        assert math.isfinite(time)
        assert time <= LATEST
        field.encode()
        assert not set(field) & set("+#\0")
    assert len({reading.field for reading in readings}) == len(readings)
