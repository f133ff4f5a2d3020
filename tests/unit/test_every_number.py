"""What a stream takes whose value is `"*"`."""

from pathlib import Path

import pytest

from scheduler_app.intake.payload import Reason
from tests.unit.stream_reading import ARRIVED, decoded, refusal, stream_of, values


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "streams.toml"


def test_a_star_takes_numbers_in_texts_and_leaves_times_alone(path: Path) -> None:
    payload = {"outdoorTemp": "19.6", "n": 204, "ts": 1795722127060}
    assert values(path, 'value = "*"', payload) == {"a/b/outdoorTemp": 19.6, "a/b/n": 204.0}


@pytest.mark.parametrize(
    "name", ["time", "Time", "TIMESTAMP", "rxTimestamp", "last_seen", "epochtime", "tst"]
)
def test_what_is_called_a_time_is_no_number_of_a_star(path: Path, name: str) -> None:
    assert values(path, 'value = "*"', {name: ARRIVED - 1, "uptime": 5, "x": {name: "5"}}) == {
        "a/b/uptime": 5.0
    }


def test_a_star_may_leave_out_fields_and_all_below_them(path: Path) -> None:
    payload = {"t": 1, "linkquality": 97, "update": {"installed": 5, "latest": 6}, "e": {"p": 2, "q": 3}}
    text = 'value = "*"\nexclude = ["linkquality", "update", "e.q"]'
    assert values(path, text, payload) == {"a/b/t": 1.0, "a/b/e/p": 2.0}
    assert values(path, 'value = "*"\ninclude = ["e", "t", "e.p"]', payload) == {
        "a/b/e/p": 2.0,
        "a/b/e/q": 3.0,
        "a/b/t": 1.0,
    }
    assert values(path, 'value = "*"\ninclude = "e"\nexclude = "/e/p"', payload) == {"a/b/e/q": 3.0}
    assert refusal(path, 'value = "t"\nexclude = "t"').startswith('line 4: exclude needs value = "*"')
    for written in ("e.p", "e"):
        assert refusal(path, f'value = "*"\nexclude = ["x", "{written}"]\ninclude = ["t", "/e/p"]') == (
            f"line 5: include = e.p is at or below exclude = {written}: nothing is left of it"
        )


def test_what_a_stream_names_otherwise_is_no_number_of_a_star(path: Path) -> None:
    text = 'value = "*"\nseries = "{model}/{channel}"\nid = "n"\ntime = "when.s"'
    payload = {"model": "x", "channel": 3, "n": 17, "when": {"s": ARRIVED, "z": 2}, "t": 1.5}
    assert values(path, text, payload) == {"x/3/t": 1.5, "x/3/when/z": 2.0}
    text += '\ninclude = ["t", "n", "when.s"]'
    assert values(path, text, payload) == {"x/3/t": 1.5}
    text = 'value = "*"\ntime = "when"\ninclude = ["when.z", "t"]'
    assert values(path, text, {"when": ARRIVED, "t": 1.5}) == {"a/b/t": 1.5}


def test_a_star_takes_words_of_a_map(path: Path) -> None:
    payload = {"state": "ON", "on": False, "name": "kitchen", "t": "4"}
    assert values(path, 'value = "*"\nmap = { ON = 1, false = 0 }', payload) == {
        "a/b/state": 1.0,
        "a/b/on": 0.0,
        "a/b/t": 4.0,
    }


def test_a_number_that_is_none_spoils_no_other(path: Path) -> None:
    payload = b'{"distance":NaN,"rssi":-70}'
    for text in ('value = ["distance", "rssi"]', 'value = "*"'):
        named, rejections, _ = decoded(stream_of(path, text), payload)
        assert named == {"a/b/rssi": -70.0}
        assert rejections == [(Reason.NOT_FINITE, "distance")]
