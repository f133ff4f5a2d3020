"""docs/many-sensors.md says of each key of a stream what is so."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from config.conversion import Conversion
from config.formats import FORMATS, RAW_TYPES
from config.pattern import LONGEST, SHORTEST
from config.stream import Stream
from config.stream_keys import CONVERSION_KEYS, KEYS
from config.stream_values import TIME_FORMATS
from scheduler_app.intake.every_number import MOST_NUMBERS
from scheduler_app.intake.number_names import TIME_NAMES
from tests.unit.stream_reading import stream_of

PAGE = (Path(__file__).parents[2] / "docs" / "many-sensors.md").read_text()
# Of each key: what it means, what holds where it is left out, and an example.
ROWS = {
    key: (meaning, default, example)
    for key, meaning, default, example in re.findall(
        r"^\| `(\w+)` \| (.+) \| (.+?) \| `(.+)` \|$", PAGE, re.MULTILINE
    )
}
# What else a stream has to have for the example of a key to say anything.
BESIDE = {
    "include": 'value = "*"',
    "exclude": 'value = "*"',
    "each": 'series = "{n}"',
    "time_format": 'time = "t"',
    "time_zone": 'time = "t"\ntime_format = "iso8601"',
    "retained": 'time = "t"',
    "reset_below": 'statistics = "rate"',
    "per": 'statistics = "rate"',
    "format": 'value = "1"',
    "columns": 'format = "csv"\nvalue = "t"',
    "delimiter": 'format = "csv"\nvalue = "1"',
    "type": 'format = "raw"',
    "endianness": 'format = "raw"\ntype = "int16"',
}


def test_the_page_has_each_key() -> None:
    assert ROWS.keys() == KEYS.keys()


def test_those_of_a_single_value_are_told_in_the_order_in_which_they_take_effect() -> None:
    assert [key for key in ROWS if key in CONVERSION_KEYS] == list(CONVERSION_KEYS)
    assert [field.name for field in fields(Conversion)] == list(CONVERSION_KEYS)


@pytest.mark.parametrize("key", ROWS)
def test_each_key_has_an_example_that_works(tmp_path: Path, key: str) -> None:
    example = ROWS[key][2]
    assert example.startswith(f"{key} = ")
    if key == "topic":
        (tmp_path / "streams.toml").write_text(f"[[stream]]\n{example}")
        return
    stream = stream_of(tmp_path / "streams.toml", f"{BESIDE.get(key, '')}\n{example}")
    assert (
        stream != stream_of(tmp_path / "streams.toml", f"{BESIDE.get(key, '')}") if key != "type" else stream
    )


@pytest.mark.parametrize("key", [key for key, row in ROWS.items() if re.fullmatch(r"`[^{]+`", row[1])])
def test_what_holds_where_a_key_is_left_out_is_so(key: str) -> None:
    default: object = ROWS[key][1].strip("`")
    if key == "windows":
        assert default == "WINDOWS"
        return
    of_keys = {field.name: field.default for field in (*fields(Stream), *fields(Conversion))}
    if key in ("reset_below", "per", "overall", "implied_id"):  # what is no text is written as in the file
        default = KEYS[key].read(tomllib.loads(f"{key} = {default}")[key])
    assert of_keys[key] in (default, (default,))


def test_the_page_names_what_may_stand_behind_a_key() -> None:
    assert set(re.findall(r"`(\w+)`", ROWS["time_format"][0])) == set(TIME_FORMATS)
    assert set(re.findall(r"`(\w+)`", ROWS["format"][0])) == set(FORMATS)
    assert set(re.findall(r"`(\w+)`", ROWS["type"][0])) - {"raw"} == set(RAW_TYPES)


def test_the_page_names_what_a_star_takes_for_a_time() -> None:
    [names] = re.findall(r"It takes no times: what is called (.+?), or ends in `timestamp`", PAGE, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", names)) == TIME_NAMES
    assert f"At most {MOST_NUMBERS} numbers a message" in PAGE


def test_the_page_says_how_long_a_text_for_a_pattern_may_be() -> None:
    assert f"at most {LONGEST:,} characters, and at least {SHORTEST}." in PAGE
