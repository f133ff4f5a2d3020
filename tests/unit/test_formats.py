"""Payloads that are no JSON: the same stream keys read them."""

import json
import struct
from decimal import Decimal
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config import formats
from scheduler_app.intake.fields import decoder_of
from scheduler_app.intake.payload import MAX_PAYLOAD, NothingToRead, Reason, Rejected
from tests.unit.stream_reading import (
    ARRIVED,
    LATEST,
    decoded,
    refusal,
    rejection,
    says_nothing,
    stream_of,
    time_of,
    values,
)

CSV = 'format = "csv"\ncolumns = ["when", "sensor", "t"]\nvalue = "t"\ntime = "when"\nseries = "{sensor}"'
INFLUX = 'format = "influx"\nvalue = ["usage", "load"]\nseries = "{measurement}/{host}"'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "streams.toml"


@pytest.fixture
def cbor2() -> Any:
    return pytest.importorskip("cbor2")


@pytest.fixture
def msgpack() -> Any:
    return pytest.importorskip("msgpack")


@pytest.fixture
def sparkplug() -> Any:
    pytest.importorskip("google.protobuf")
    return import_module("scheduler_app.intake.sparkplug")


def test_csv_is_read_by_the_names_of_its_columns(path: Path) -> None:
    sent = b'when,sensor,t\r\n1795722440,attic,21.5\r\n1795722441,"cellar, left", 9 \r\n'
    assert values(path, CSV, sent) == {"attic": 21.5, "cellar, left": 9.0}
    assert time_of(path, CSV, b"1795722440,attic,21.5") == 1795722440.0


def test_a_row_of_csv_with_more_cells_than_columns_have_names_is_rejected(path: Path) -> None:
    """The last may be the rest of a number with a decimal comma. Empty ones are nothing."""
    sent = b"1795722440,attic,21.5,,\n1795722440,cellar,9,5\n1795722440,roof,7"
    named, rejections, _ = decoded(stream_of(path, CSV), sent)
    assert named == {"attic": 21.5, "roof": 7.0}
    assert rejections == [(Reason.WRONG_FORMAT, "element 1: a row has 4 cells, and columns has 3 names")]


def test_csv_is_read_by_the_numbers_of_its_columns(path: Path) -> None:
    text = 'format = "csv"\nvalue = ["1", "2"]\ndelimiter = ";"\ndecimal = ","'
    assert values(path, text, b"x;21,5;40") == {"a/b/1": 21.5, "a/b/2": 40.0}
    assert says_nothing(path, text, b"x")
    assert says_nothing(path, text, b"\xef\xbb\xbf\n")


def test_a_column_that_is_missing_in_a_row_is_not_looked_for_in_another(path: Path) -> None:
    assert time_of(path, 'format = "csv"\nvalue = "0"\ntime = "1"\nseries = "{0}"', b"1\n2\n3") == ARRIVED


def test_a_row_that_is_none_spoils_no_other(path: Path) -> None:
    named, rejections, _ = decoded(stream_of(path, CSV), b"1,attic,warm\n\n5\n1795722441,cellar,9")
    assert named == {"cellar": 9.0}
    assert rejections == [(Reason.NO_NUMBER, "element 0: t")]


def test_points_of_influxdb_are_read_by_tags_and_fields(path: Path) -> None:
    sent = (
        b"# a comment\n"
        b'cpu,host=one,region=eu usage=21.5,load=3i,up=t,name="a b" 1795722440000000000\n'
        b"\n"
        b"cpu,host=two\\ b usage=-1e-3\n"
    )
    assert values(path, INFLUX, sent) == {
        "cpu/one/usage": 21.5,
        "cpu/one/load": 3.0,
        "cpu/two b/usage": -0.001,
    }
    assert time_of(path, INFLUX, b"cpu,host=x usage=1u 1795722440500000000") == 1795722440.5
    assert time_of(path, INFLUX, b"cpu,host=x usage=1i") == ARRIVED


@pytest.mark.parametrize(
    "line",
    [
        *(
            b"cpu",
            b"cpu usage",
            b"cpu,host usage=1",
            b"cpu,host= usage=1",
            b"cpu usage=1 soon",
            b"cpu usage=",
        ),
        *(b'cpu usage="a', b"cpu usage=1,", b"cpu usage=1,=2", b'cpu usage=1"a"', b"\\", b"a,b=c\\ d"),
    ],
)
def test_a_line_that_is_no_point_is_rejected_and_the_others_count(path: Path, line: bytes) -> None:
    named, rejections, _ = decoded(stream_of(path, INFLUX), line + b"\ncpu,host=x usage=1")
    assert named == {"cpu/x/usage": 1.0}
    [(reason, detail)] = rejections
    assert reason == Reason.WRONG_FORMAT
    assert detail.startswith("element 0: no line protocol")


def test_a_pack_of_senml_has_base_values(path: Path) -> None:
    """The examples of RFC 8428, sections 5.1.2 and 5.1.3, with other times."""
    base = ARRIVED - 10
    pack = [
        {
            "bn": "urn:dev:ow:10e2073a01080063:",
            "bt": base,
            "bu": "A",
            "bver": 5,
            "n": "voltage",
            "u": "V",
            "v": 120.1,
        },
        {"n": "current", "t": -5, "v": 1.2},
        {"n": "current", "t": -4, "v": 1.3},
        {"n": "door", "vb": True},
        {"n": "label", "vs": "x"},
        {"bn": "", "n": "n", "bv": 20, "v": 1},
    ]
    stream = stream_of(path, 'format = "senml"')
    readings, rejections = decoder_of(stream)(json.dumps(pack).encode(), "a", ARRIVED, LATEST)
    assert rejections == []
    urn = "a/urn:dev:ow:10e2073a01080063:"
    assert [reading[:3] for reading in readings] == [
        (f"{urn}voltage", base, 120.1),
        (f"{urn}current", base - 5, 1.2),
        (f"{urn}current", base - 4, 1.3),
        (f"{urn}door", base, 1.0),
        ("a/n", base, 21.0),
    ]


def test_a_small_time_of_senml_counts_from_the_arrival(path: Path) -> None:
    text = 'format = "senml"'
    for time, expected in ((-5, ARRIVED - 5), (0, ARRIVED), (30, LATEST), (2**28, 2.0**28)):
        assert time_of(path, text, [{"n": "a", "t": time, "v": 1}]) == expected
    assert time_of(path, text, [{"n": "a", "v": 1}]) == ARRIVED
    assert rejection(path, text, [{"n": "a", "t": 31, "v": 1}]) == (
        Reason.TOO_FAR_AHEAD,
        "element 0: 1 s more than allowed",
    )


def test_what_is_no_senml_is_rejected(path: Path) -> None:
    text = 'format = "senml"'
    assert rejection(path, text, {"n": "a", "v": 1}) == (Reason.WRONG_FORMAT, "SenML is a list of records")
    assert rejection(path, text, [5]) == (Reason.WRONG_FORMAT, "element 0: SenML is a list of records")
    assert rejection(path, text, [{"n": "a", "bv": "x", "v": 1}]) == (
        Reason.WRONG_FORMAT,
        "element 0: a number of SenML is none",
    )
    assert says_nothing(path, text, [])


@pytest.mark.parametrize("order", ["be", "le"])
@pytest.mark.parametrize("name", formats.RAW_TYPES)
def test_raw_bytes_are_numbers(path: Path, name: str, order: str) -> None:
    number = -2 if name.startswith("int") else 3 if name.startswith("uint") else -0.5
    sent = struct.pack((">" if order == "be" else "<") + formats.RAW_TYPES[name], number)
    text = f'format = "raw"\ntype = "{name}"\nendianness = "{order}"'
    assert values(path, text, sent) == {"a/b": number}
    assert values(path, f'{text}\nvalue = ["0", "1"]', sent + sent) == {"a/b/0": number, "a/b/1": number}
    for wrong in (sent[1:], sent + b"x"):
        reason, detail = rejection(path, text, wrong)
        assert (reason, detail) == (Reason.WRONG_FORMAT, f"{len(wrong)} bytes, {name} has {len(sent)}")


def test_raw_bytes_may_be_numbers_of_several_types(path: Path) -> None:
    text = 'format = "raw"\ntype = ["uint8", "int16"]\nscale = 0.1\n'
    value = 'value = [{ path = "0", name = "battery", scale = 1 }, { path = "1", name = "t" }]'
    assert values(path, text + value, b"\x61\x00\xd7") == {"a/b/battery": 97.0, "a/b/t": 21.5}
    assert rejection(path, text + value, b"\x61\x00") == (Reason.WRONG_FORMAT, "2 bytes, uint8 int16 has 3")
    assert rejection(path, 'format = "raw"\ntype = "float32"', struct.pack(">f", float("nan"))) == (
        Reason.NOT_FINITE,
        "",
    )


def test_cbor_and_messagepack_are_read_as_json_is(path: Path, cbor2: Any, msgpack: Any) -> None:
    content = {"t": 21.5, "on": True, "deep": [{"n": 5}, b"x", None], 7: 8, "big": 2**63, "nan": float("nan")}
    for name, sent in (("cbor", cbor2.dumps(content)), ("msgpack", msgpack.packb(content))):
        text = f'format = "{name}"\nvalue = ["t", "deep.0.n", "7", "big", "deep.1"]'
        assert values(path, text, sent) == {
            "a/b/t": 21.5,
            "a/b/deep/0/n": 5.0,
            "a/b/7": 8.0,
            "a/b/big": 2.0**63,
        }
        assert rejection(path, f'format = "{name}"\nvalue = "nan"', sent) == (Reason.NOT_FINITE, "nan")
        assert says_nothing(path, f'format = "{name}"\nvalue = "t"', b"")
        assert (
            rejection(path, f'format = "{name}"\nvalue = "t"', b"\x00" * (MAX_PAYLOAD + 1))[0] == "too long"
        )


@pytest.mark.parametrize(
    "sent",
    [
        b"\x82\x01",  # a list that ends too early
        b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",  # a list of 2**64
        b"\xd8\x1c\x81\xd8\x1d\x00",  # a list that holds itself
        b"\xc2\x5a\x00\x00\xff\x00" + b"\xff" * 0xFF00,  # an integer of 65,280 bytes
        b"\x81" * 60_000 + b"\x01",
        b"\xc0\x63now",
    ],
)
def test_hostile_cbor_is_rejected(path: Path, cbor2: Any, sent: bytes) -> None:
    assert rejection(path, 'format = "cbor"', sent)[0] in (
        *(Reason.WRONG_FORMAT, Reason.TOO_DEEP, Reason.NO_NUMBER, Reason.NOT_FINITE),
    )


@pytest.mark.parametrize("sent", [b"21.5", b"\x15\x15", b"\xfb\x40\x35\x80\x00\x00\x00\x00\x00\x00"])
def test_what_goes_on_behind_the_end_of_cbor_is_none(path: Path, cbor2: Any, sent: bytes) -> None:
    """As a text on a topic of CBOR does: its first characters are an item, too."""
    assert cbor2.loads(sent) in (-19, 21, 21.5)
    assert rejection(path, 'format = "cbor"', sent) == (Reason.WRONG_FORMAT, "not CBOR")
    assert values(path, 'format = "cbor"', b"\x32") == {"a/b": -19.0}


def test_fractions_of_cbor_are_numbers(path: Path, cbor2: Any) -> None:
    sent = cbor2.dumps({"t": Decimal("273.15"), "third": Fraction(1, 3), "huge": Fraction(-(10**400), 3)})
    text = 'format = "cbor"\nvalue = ["t", "third"]'
    assert values(path, text, sent) == {"a/b/t": 273.15, "a/b/third": 1 / 3}
    assert values(path, 'format = "cbor"', b"\xc5\x82\x20\x03") == {"a/b": 1.5}
    assert rejection(path, 'format = "cbor"\nvalue = "huge"', sent) == (Reason.NOT_FINITE, "huge")


def test_cbor_that_refers_to_itself_over_and_over_takes_no_time(path: Path, cbor2: Any) -> None:
    content: list[Any] = [1]
    for _ in range(60):
        content = [content, content]
    sent = cbor2.dumps(content, value_sharing=True)
    assert rejection(path, 'format = "cbor"\nvalue = "*"', sent)[0] == Reason.TOO_DEEP


@pytest.mark.parametrize(("depth", "read"), [(100, True), (101, False)])
def test_cbor_may_be_so_deep_and_no_deeper(path: Path, cbor2: Any, depth: int, read: bool) -> None:
    content: Any = 5
    for _ in range(depth):
        content = [content]
    text = f'format = "cbor"\nvalue = {{ path = "{".".join("0" * depth)}", name = "x" }}'
    if read:
        assert values(path, text, cbor2.dumps(content)) == {"a/b/x": 5.0}
    else:
        assert rejection(path, text, cbor2.dumps(content)) == (Reason.TOO_DEEP, "")


@pytest.mark.parametrize("power", [126, 127, 1024])
def test_a_large_integer_of_cbor_is_a_number_as_far_as_it_goes(path: Path, cbor2: Any, power: int) -> None:
    for number in (2**power, -(2**power)):
        if power < 127:
            assert values(path, 'format = "cbor"', cbor2.dumps(number)) == {"a/b": float(number)}
        else:
            assert rejection(path, 'format = "cbor"', cbor2.dumps(number)) == (Reason.NOT_FINITE, "")


def metrics(sparkplug: Any, *found: dict[str, Any], **more: Any) -> bytes:
    """Return a payload of these metrics."""
    payload = sparkplug._PAYLOAD(**more)
    for each in found:
        payload.metrics.add(**each)
    return bytes(payload.SerializeToString())


def test_metrics_of_sparkplug_are_read_by_name(path: Path, sparkplug: Any) -> None:
    sent = metrics(
        sparkplug,
        {"name": "Inlet/Temperature", "datatype": 9, "float_value": 21.5, "timestamp": 1795722440500},
        {"name": "Count", "datatype": 3, "int_value": 2**32 - 5},
        {"name": "Total", "datatype": 8, "long_value": 2**63},
        {"name": "Small", "datatype": 1, "int_value": 255},
        {"name": "Running", "datatype": 11, "boolean_value": True},
        {"name": "Gone", "datatype": 10, "is_null": True},
        {"name": "Started", "datatype": 13, "long_value": 1795722440500},
        timestamp=1795722441000,
    )
    text = 'format = "sparkplug_b"'
    stream = stream_of(path, text)
    readings, rejections = decoder_of(stream)(sent, "spBv1.0/g/DDATA/n/d", ARRIVED, LATEST)
    assert rejections == []
    root = "spBv1.0/g/DDATA/n/d"
    assert [reading[:3] for reading in readings] == [
        (f"{root}/Inlet%2FTemperature", 1795722440.5, 21.5),
        (f"{root}/Count", 1795722441.0, -5.0),
        (f"{root}/Total", 1795722441.0, 2.0**63),
        (f"{root}/Small", 1795722441.0, -1.0),
        (f"{root}/Running", 1795722441.0, 1.0),
    ]
    by_alias = metrics(sparkplug, {"alias": 7, "double_value": 1.5})
    assert values(path, f'{text}\nseries = "{{topic.4}}/{{alias}}"', by_alias, "a/b/c/d") == {"d/7": 1.5}
    assert rejection(path, text, by_alias) == (Reason.NO_NAME, "element 0: name is missing")
    assert rejection(path, text, b"\xff") == (Reason.WRONG_FORMAT, "not Sparkplug B")
    assert says_nothing(path, text, b"")


@pytest.mark.parametrize(("kind", "bits"), [("int_value", 32), ("long_value", 64)])
def test_a_metric_that_may_be_negative_needs_a_datatype(
    path: Path, sparkplug: Any, kind: str, bits: int
) -> None:
    """Sparkplug 3 leaves datatypes to the birth: -5 comes as a number that may as well be a huge one."""
    text = 'format = "sparkplug_b"\nseries = "{name}"'
    good = {"name": "a", kind: 2 ** (bits - 1) - 1}
    bad = {"name": "b", kind: 2**bits - 5}
    named, rejections, _ = decoded(stream_of(path, text), metrics(sparkplug, good, bad))
    assert named == {"a": 2.0 ** (bits - 1) if bits == 64 else 2.0 ** (bits - 1) - 1}
    said = "may be a negative number, since it has no datatype: have the node send them in DDATA too"
    assert rejections == [(Reason.WRONG_FORMAT, f"element 1: {2**bits - 5} of b {said}")]
    bad["datatype"] = {32: 3, 64: 4}[bits]
    assert values(path, text, metrics(sparkplug, bad)) == {"b": -5.0}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            'format = "xml"',
            "line 3: format = xml must be one of json, csv, influx, senml, raw, cbor, msgpack",
        ),
        ("format = 3", "line 3: format = 3 must be one of json, csv"),
        ('format = "raw"', "line 3: format = raw needs type too"),
        ('format = "csv"', "line 3: format = csv needs value too"),
        ('format = "influx"\nvalue = "a"', "line 3: format = influx needs series too"),
        ('format = "raw"\ntype = "int24"', "line 4: type = int24 must be one of int8, uint8, int16"),
        ('format = "raw"\ntype = []', "line 4: type = [] must be one of int8"),
        ('type = "int8"', 'line 3: type needs format = "raw"'),
        ('endianness = "le"', "line 3: endianness needs type, which says what the bytes are"),
        ('columns = ["a"]', 'line 3: columns needs format = "csv"'),
        (
            'format = "csv"\nvalue = "a"\ncolumns = ["a", "a"]',
            "line 5: columns = ['a', 'a'] must be the names",
        ),
        ('format = "csv"\nvalue = "a"\ndelimiter = "ab"', "line 5: delimiter = ab must be one character"),
        ('format = "csv"\nvalue = "a"\neach = "."', "line 5: each must not stand beside format = csv"),
    ],
)
def test_a_wrong_format_is_told_in_one_line(path: Path, written: str, said: str) -> None:
    assert refusal(path, written).startswith(said)


@pytest.mark.parametrize("name", ["cbor", "msgpack", "sparkplug_b"])
def test_a_library_that_is_missing_is_told_with_what_to_type(
    path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for found in (lambda module: None, lambda module: import_module("no_such_package")):
        monkeypatch.setattr(formats, "find_spec", found)
        assert refusal(path, f'format = "{name}"') == (
            f"line 3: format = {name} needs a library that is not installed: "
            "pip install -r requirements-formats.txt"
        )
        assert stream_of(path, 'format = "csv"\nvalue = "1"')


EVERY = {
    "csv": 'format = "csv"\nvalue = "1"\nseries = "{0}"',
    "influx": 'format = "influx"\nvalue = "*"\nseries = "{measurement}"',
    "senml": 'format = "senml"',
    "raw": 'format = "raw"\ntype = ["float16", "int8"]\nvalue = "*"',
    "cbor": 'format = "cbor"\nvalue = "*"',
    "msgpack": 'format = "msgpack"\nvalue = "*"',
    "sparkplug_b": 'format = "sparkplug_b"',
}
PIECES = st.sampled_from(
    [b"a", b",", b"=", b" ", b'"', b"\\", b"1", b"\n", b"\r", b"i", b"-", b".", b"#", b"\0"]
)


@pytest.mark.parametrize("name", EVERY)
@settings(max_examples=150)
@given(payload=st.binary() | st.lists(PIECES).map(b"".join))
def test_no_payload_of_any_format_is_more_than_rejected(
    tmp_path_factory: pytest.TempPathFactory, name: str, payload: bytes
) -> None:
    module = formats.FORMATS[name].module
    if module is not None:
        pytest.importorskip(module)
    stream = stream_of(tmp_path_factory.getbasetemp() / "any.toml", EVERY[name])
    try:
        readings, rejections = decoder_of(stream)(payload, "a/b", ARRIVED, LATEST)
    except (Rejected, NothingToRead):
        return
    assert readings or rejections
    for _, time, value, _ in readings:
        assert value - value == 0
        assert time <= LATEST
