"""How a number is made of what stands in a message."""

import json
from pathlib import Path

import pytest

from config.pattern import LONGEST
from scheduler_app.intake.payload import Reason
from tests.unit.stream_reading import (
    decoded,
    refusal,
    rejection,
    says_nothing,
    stream_of,
    values,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "streams.toml"


SWITCH = 'value = "state"\nmap = { ON = 1, OFF = 0 }'


@pytest.mark.parametrize(
    ("word", "value"), [("ON", 1.0), ("OFF", 0.0), ("on", 1.0), (" Off ", 0.0), (0.5, 0.5), ("7", 7.0)]
)
def test_words_are_numbers(path: Path, word: object, value: float) -> None:
    assert values(path, SWITCH, {"state": word}) == {"a/b": value}


def test_true_and_false_are_words_too(path: Path) -> None:
    text = 'value = "contact"\nmap = { true = 0, false = 1, 2 = 5 }'
    assert values(path, text, {"contact": True}) == {"a/b": 0.0}
    assert values(path, text, {"contact": False}) == {"a/b": 1.0}
    assert values(path, text, {"contact": 2}) == values(path, text, {"contact": "2"}) == {"a/b": 5.0}


def test_a_word_that_is_not_in_the_map_is_rejected_by_its_name(path: Path) -> None:
    assert rejection(path, SWITCH, {"state": "half"}) == (Reason.UNKNOWN_WORD, "state 'half' is not in map")
    assert rejection(path, SWITCH, {"state": True}) == (Reason.UNKNOWN_WORD, "state 'True' is not in map")
    assert rejection(path, SWITCH, {"state": "x" * 99})[1] == f"state '{'x' * 40}' is not in map"


@pytest.mark.parametrize("word", ["unavailable", "unknown", "None", "", None])
def test_a_home_automation_that_knows_no_value_is_no_error(path: Path, word: object) -> None:
    for text in (SWITCH, 'value = "state"', "map = { ON = 1 }", 'value = "*"'):
        assert says_nothing(path, text, {"state": word} if "value" in text else word)


def test_a_word_may_be_the_whole_message(path: Path) -> None:
    assert values(path, "map = { open = 1, closed = 0 }", b"open\n") == {"a/b": 1.0}
    assert values(path, "map = { open = 1, closed = 0 }", b'"closed"') == {"a/b": 0.0}
    assert rejection(path, "map = { open = 1 }", b"ajar") == (Reason.UNKNOWN_WORD, "'ajar' is not in map")
    assert rejection(path, "map = { open = 1 }", b'{"open": ')[0] == Reason.NOT_JSON


@pytest.mark.parametrize(
    "written",
    ["map = {}", "map = 5", 'map = { ON = "1" }', "map = { ON = true }", "map = { on = 1, ON = 1 }"],
)
def test_a_map_that_is_none_is_told(path: Path, written: str) -> None:
    assert refusal(path, written).startswith("line 3: map = ")


@pytest.mark.parametrize(
    ("keys", "sent", "value"),
    [
        ("scale = 0.1", 215, 21.5),
        ("scale = 0.1", 3, 0.3),  # 3 * 0.1 is 0.30000000000000004
        ("scale = 0.001", 1234567, 1234.567),
        ("scale = 1000", 0.0011, 1.1),
        ("offset = -0.3", 0.1, -0.2),  # 0.1 - 0.3 is -0.19999999999999998
        ("scale = 1.1\noffset = 2.2", "1.1", 3.41),
        ("scale = -1", 5, -5.0),
        ("scale = 1e-300", 1e-300, 0.0),
    ],
)
def test_a_number_is_scaled_as_on_paper(path: Path, keys: str, sent: object, value: float) -> None:
    assert values(path, f'value = "v"\n{keys}', {"v": sent}) == {"a/b": value}
    assert values(path, keys, sent) == {"a/b": value}


def test_what_becomes_too_large_is_not_finite(path: Path) -> None:
    assert rejection(path, 'value = "v"\nscale = 1e10', {"v": 1e300}) == (Reason.NOT_FINITE, "v")


def test_a_number_out_of_its_range_is_rejected_by_its_name(path: Path) -> None:
    text = 'value = ["DS18B20.Temperature", "h"]\nrange = [-40, 80]'
    named, rejections, _ = decoded(stream_of(path, text), {"DS18B20": {"Temperature": 85.0}, "h": 80})
    assert named == {"a/b/h": 80.0}
    assert rejections == [(Reason.OUT_OF_RANGE, "DS18B20/Temperature 85.0 is not from -40.0 to 80.0")]
    assert rejection(path, "range = [-40, 80]", b"-127") == (
        Reason.OUT_OF_RANGE,
        "-127.0 is not from -40.0 to 80.0",
    )
    assert values(path, "range = [0, inf]", b"1e300") == {"a/b": 1e300}
    assert values(path, "scale = 0.1\nrange = [0, 1]", b"10") == {"a/b": 1.0}


@pytest.mark.parametrize(
    "written",
    [
        *(
            "range = 5",
            "range = [1]",
            "range = [2, 1]",
            "range = [1, 1]",
            'range = ["a", 1]',
            "range = [nan, 1]",
        ),
        *("map = {}", "map = { ON = nan }", "map = { ON = 1, OFF = -inf }", 'map = { ON = "1" }'),
        *("scale = 0", 'scale = "2"', "scale = inf", "scale = true", "offset = nan", "offset = []"),
        *('decimal = ";"', 'unit = ""', "unit = 3", 'device_class = "a\\nb"', 'bad_time = "now"'),
    ],
)
def test_what_no_number_can_be_made_with_is_told(path: Path, written: str) -> None:
    key = written.split(" ", maxsplit=1)[0]
    assert refusal(path, written).startswith(f"line 3: {key} = ")


@pytest.mark.parametrize(
    ("keys", "sent", "value"),
    [
        ('unit = "°C"', "21.5 °C", 21.5),
        ('unit = "°C"', "21.5°C", 21.5),
        ('unit = "°C"', "21.5", 21.5),
        ('unit = "°C"', 21.5, 21.5),
        ('decimal = ","', "21,5", 21.5),
        ('decimal = ","', "-0,25", -0.25),
        ('decimal = ","', "21", 21.0),
        ('decimal = ","\nunit = "kWh"', "13423,7 kWh", 13423.7),
        (r"pattern = 'T:\s*([0-9.]+)'", "H:40;T: 21.5;P:1013", 21.5),
        (r"pattern = '1-0:1\.7\.0\((\d+\.\d+)\*kW\)'", "1-0:1.7.0(00.193*kW)", 0.193),
        ("pattern = '([0-9,]+)'\ndecimal = \",\"\nscale = 10", "U=12,5V", 125.0),
        ("pattern = 'state=([a-z]+)'\nmap = { on = 1 }", "state=on", 1.0),
    ],
)
def test_a_number_stands_in_a_text(path: Path, keys: str, sent: object, value: float) -> None:
    assert values(path, f'value = "v"\n{keys}', {"v": sent}) == {"a/b": value}
    as_text = sent.encode() if isinstance(sent, str) else json.dumps(sent).encode()
    assert values(path, keys, as_text) == {"a/b": value}


def test_another_unit_is_no_number(path: Path) -> None:
    assert rejection(path, 'value = "v"\nunit = "°C"', {"v": "70 °F"}) == (Reason.NO_NUMBER, "v")


def test_a_point_where_a_comma_is_said_could_mean_thousands(path: Path) -> None:
    text = 'value = "v"\ndecimal = ","'
    assert rejection(path, text, {"v": "21.500"}) == (Reason.NO_NUMBER, "v '21.500' has no decimal comma")
    assert rejection(path, text, {"v": "1.234,5"}) == (Reason.NO_NUMBER, "v")


@pytest.mark.parametrize("sent", [b"1.234", b"-1.5\n", b'"1.234"', b"01.234"])
def test_a_message_with_a_decimal_point_is_refused_where_a_comma_is_said(path: Path, sent: bytes) -> None:
    """Whoever writes 999,5 may mean more than a thousand; that this is JSON too changes nothing."""
    assert rejection(path, 'decimal = ","', sent)[0] == Reason.NO_NUMBER
    assert rejection(path, 'value = "."\ndecimal = ","', sent)[0] == Reason.NO_NUMBER


@pytest.mark.parametrize(
    ("sent", "first", "last"), [(b"215063", 215.0, 63.0), (b"015063", 15.0, 63.0), (b" 007008\r\n", 7.0, 8.0)]
)
def test_a_message_of_digits_is_searched_for_a_pattern(
    path: Path, sent: bytes, first: float, last: float
) -> None:
    text = (
        'value = [{ path = ".", name = "t", pattern = "^([0-9]{3})" }, '
        '{ path = ".", name = "h", pattern = "([0-9]{3})$" }]'
    )
    assert values(path, text, sent) == {"a/b/t": first, "a/b/h": last}
    assert says_nothing(path, "pattern = '^([0-9]{3})$'", b"1234")


def test_a_text_that_begins_as_json_does_is_searched_too(path: Path) -> None:
    text = "pattern = 'T=([0-9.]+)'"
    assert values(path, text, b"[12:01] T=21.5") == values(path, text, b"{T=21.5}") == {"a/b": 21.5}
    assert rejection(path, f'value = [{{ path = ".", name = "x", {text} }}, "a"]', b'{"a": T=21.5') == (
        Reason.NOT_JSON,
        "",
    )
    assert rejection(path, 'unit = "W"', b"[5 W") == (Reason.NOT_JSON, "")


def test_a_word_that_says_nothing_else_may_stand_for_a_number(path: Path) -> None:
    """As in a field: a sensor of presence says none, or motion."""
    text = "map = { none = 0, motion = 1 }"
    for sent in (b"none", b"None\n", b'"none"'):
        assert values(path, text, sent) == {"a/b": 0.0}
    assert values(path, f'value = "p"\n{text}', {"p": "none"}) == {"a/b": 0.0}
    assert says_nothing(path, text, b"unavailable")
    assert says_nothing(path, text, b"null")
    assert rejection(path, text, b"NaN") == rejection(path, text, b"1e999") == (Reason.NOT_FINITE, "")


def test_a_text_without_the_pattern_says_nothing(path: Path) -> None:
    assert says_nothing(path, "pattern = 'T=([0-9.]+)'", b"H=40")


def test_one_text_may_hold_several_numbers(path: Path) -> None:
    text = """
        [[stream.value]]
        path = "."
        name = "temperature"
        pattern = 'T=([0-9.]+)'
        unit = "°C"
        [[stream.value]]
        path = "."
        name = "humidity"
        pattern = 'H=([0-9.]+)'
    """
    assert values(path, text, b"T=21.5;H=40") == {"a/b/temperature": 21.5, "a/b/humidity": 40.0}
    assert values(path, text, b"H=40") == {"a/b/humidity": 40.0}


def test_what_is_not_said_of_one_value_is_said_of_all(path: Path) -> None:
    text = """
        value = [
            "temp",
            { path = "hum", name = "humidity", scale = 1, range = [0, 100] },
            { path = "on", map = { ON = 1 } },
        ]
        scale = 0.1
        unit = "x"
    """
    assert values(path, text, {"temp": 215, "hum": 40, "on": "ON"}) == {
        "a/b/temp": 21.5,
        "a/b/humidity": 40.0,
        "a/b/on": 0.1,
    }


def test_a_single_value_with_a_name_is_called_so(path: Path) -> None:
    assert values(path, 'value = { path = "ENERGY.Power", name = "power" }', {"ENERGY": {"Power": 12}}) == {
        "a/b/power": 12.0
    }


def test_unit_and_device_class_are_told_to_whoever_shows_a_series(path: Path) -> None:
    stream = stream_of(
        path,
        'value = [{ path = "t", unit = "°C", device_class = "temperature" }, "p"]\nunit = "W"\n',
    )
    assert [stream.conversion_of(series).unit for series in ("a/b/t", "a/p")] == ["°C", "W"]
    assert [stream.conversion_of(series).device_class for series in ("a/b/t", "p")] == ["temperature", None]
    named = stream_of(
        path,
        'series = "{id}"\nvalue = [{ path = "a", name = "in/t", unit = "K" }, { path = "t", unit = "°C" }]',
    )
    assert [named.conversion_of(series).unit for series in ("x/t", "x/in/t", "x/out")] == ["°C", "K", None]
    assert stream_of(path, 'value = { path = "t", unit = "K" }').conversion_of("a").unit == "K"
    assert stream_of(path, 'value = "*"\nunit = "K"').conversion_of("a/t").unit == "K"
    assert stream_of(path, 'device_class = "power"').plain


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            '[[stream.value]]\npath = "a"\n\n[[stream.value]]\npath = "b"\nscale = 0',
            "line 8: scale = 0 must be",
        ),
        (
            '[[stream.value]]\npath = "a"\n[[stream.value]]\nname = "b"',
            "line 5: value = {'name': 'b'} needs a path",
        ),
        (
            'value = ["a",\n{ path = "b", colour = 1 }]',
            "line 3: colour is no key of a value: its keys are path, name",
        ),
        ('value = [".", "a"]', "line 3: value: what is the whole message needs a name"),
        ('value = ["a", { path = "b", name = "a" }]', "line 3: value: two of these have the same name"),
        ('[[stream.value]]\npath = "$.a"', "line 4: path = $.a must be a in"),
        (
            '[stream.value]\npath = "a"\nscal = 1',
            "line 5: scal is no key of a value: its keys are path, name",
        ),
        ("[stream.vaule.map]\nON = 1", "line 3: vaule is no key of a stream"),
        ('[stream.value]\nname = "a"', "line 3: value = {'name': 'a'} needs a path"),
        ('[stream.map]\nON = 1\nOFF = "0"', "line 3: map = {'ON': 1, 'OFF': '0'} must be numbers for words"),
        (
            '[[stream.value]]\npath = "a"\n[stream.value.map]\nON = true\n[[stream.value]]\npath = "b"',
            "line 5: map = {'ON': True} must be numbers for words",
        ),
        (
            '[[stream.value]]\npath = "a"\n[stream.value.map]\n1 = 1\n[[stream.value]]\npath = "b"\nunit = 1',
            "line 9: unit = 1 must be a text",
        ),
        ('value.path = "a"\nvalue.scale = "1"', "line 4: scale = 1 must be a number"),
    ],
)
def test_a_mistake_in_a_value_is_told_with_its_line(path: Path, written: str, said: str) -> None:
    assert refusal(path, written).startswith(said)


def test_a_text_may_be_so_long_for_a_pattern_and_no_longer(path: Path) -> None:
    text = "pattern = 'T=([0-9]+)'"
    assert values(path, text, b"T=5".rjust(LONGEST, b".")) == {"a/b": 5.0}
    assert rejection(path, text, b"T=5".rjust(LONGEST + 1, b".")) == (
        Reason.TOO_LONG,
        "1025 characters, 1024 are allowed for the pattern",
    )


def test_a_word_and_a_unit_may_be_so_long_and_no_longer(path: Path) -> None:
    assert values(path, f"map = {{ {'x' * 64} = 1 }}", b"x" * 64) == {"a/b": 1.0}
    assert "each word only once" in refusal(path, f"map = {{ {'x' * 65} = 1 }}")
    assert stream_of(path, f'unit = "{"x" * 64}"').conversion.unit == "x" * 64
    assert "1 to 64 visible characters" in refusal(path, f'unit = "{"x" * 65}"')
