"""What `check` says of streams: what a user has probably meant, and what is stored of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from config.settings import Settings, load_settings
from models.catalog import SeriesRow, usual_name
from models.reading import Reading
from models.storage.batch import Batch
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.store import Store
from scheduler_app.checks.finding import Finding, Level
from scheduler_app.checks.stream_file import check_streams
from tests.unit.stored import new_series

NOW = 1_700_000_000.0


def settings(folder: Path, text: str) -> Settings:
    path = folder / "streams.toml"
    path.write_text(text)
    return load_settings({"streams_file": str(path), "db_file": str(folder / "test.db")})


def texts(found: Settings) -> list[str]:
    """Return what is found, which is all warned of and on one line each."""
    findings = list(check_streams(found))
    assert all(one == Finding(Level.WARN, "streams", one.text) and one.text.isprintable() for one in findings)
    return [one.text for one in findings]


def store(folder: Path, *series: str, received: int = 1) -> None:
    """Store a reading of each series, each a topic and a field behind a colon, and count messages."""
    rows = [
        SeriesRow(0, usual_name(topic, field), topic, field, NOW, 2100.0)
        for topic, _, field in (one.partition(":") for one in series)
    ]
    store_rows(folder, *rows, received=received)


def store_rows(folder: Path, *rows: SeriesRow, received: int = 1) -> None:
    path = folder / "test.db"
    prepare(path)
    writing = Store(writing_database(path), "me")
    batch = Batch(
        readings=[Reading(-1 - number, NOW, 1.0) for number in range(len(rows))],
        series=new_series(*rows),
    )
    batch.counts.update(received=received)
    writing.add(batch)
    writing.close()


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        ("a/*", "* is a sign like any other in a topic; one level is +, all below is #"),
        ("a;b", "is one filter: are these several?"),
        ('["a"]', "has quotation marks or brackets in it"),
        ("<device>/t", "has quotation marks or brackets in it"),
        ("a b/t", "has a space in it"),
    ],
)
def test_a_filter_that_looks_like_something_else_is_told(tmp_path: Path, topic: str, said: str) -> None:
    [text] = texts(load_settings({"topic": topic, "db_file": str(tmp_path / "none.db")}))
    assert said in text
    assert topic in text


def test_a_list_within_a_list_is_told(tmp_path: Path) -> None:
    [text] = texts(settings(tmp_path, '[[stream]]\ntopic = ["a,b"]\n'))
    assert text == "a,b is one filter: are these several? Then write each by itself"


def test_usual_filters_and_paths_are_right(tmp_path: Path) -> None:
    usual = 'topic = ["a/+/b", "c/#", "$share/g/d", "e/0x00158d:1_2-3@x.y"]\nvalue = "ENERGY.Power"\n'
    assert texts(settings(tmp_path, f"[[stream]]\n{usual}")) == []


def test_a_template_of_home_assistant_is_told(tmp_path: Path) -> None:
    [text] = texts(settings(tmp_path, '[[stream]]\ntopic = "a"\nvalue = "value_json.t"\n'))
    assert text.startswith("value = value_json.t is a template of Home Assistant")
    [text] = texts(settings(tmp_path, '[[stream]]\ntopic = "a"\nvalue = "{{ value_json.t }}"\n'))
    assert "is a template of Home Assistant" in text


def test_ten_lines_of_a_kind_are_enough(tmp_path: Path) -> None:
    topics = ",".join(f"a{number}/*" for number in range(11))
    assert len(texts(load_settings({"topic": topics, "db_file": str(tmp_path / "none.db")}))) == 10


MIXED = (
    "the averages over all readings, on STATS, mix {}; overall = false in a stream file keeps a stream out"
)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ('topic = "a"\nvalue = ["t", "h"]', "t, h"),
        ('topic = "a"\nvalue = [{ path = "t", unit = "°C" }, { path = "u", unit = "°C" }]', None),
        ('topic = "a"\nvalue = [{ path = "t", unit = "°C" }, { path = "h", unit = "%" }]', "°C, %"),
        ('topic = "a"\nvalue = [{ path = "t", device_class = "temperature" }, "h"]', "temperature, h"),
        ('topic = "a"\nvalue = ["t", "h"]\noverall = false', None),
        ('topic = "a"\nunit = "W"\n[[stream]]\ntopic = "b"\nunit = "kWh"', "W, kWh"),
        ('topic = "a"\nunit = "W"\n[[stream]]\ntopic = "b"\nunit = "kWh"\noverall = false', None),
        ('topic = "a"\n[[stream]]\ntopic = "b"\nstatistics = "max"', None),
        ('topic = "a"\nvalue = "*"\n[[stream]]\ntopic = "b"\nunit = "W"', "every number on a, W"),
        ('topic = ["a", "b"]\nvalue = "t"', None),
    ],
)
def test_several_units_in_the_one_average_are_told(tmp_path: Path, text: str, kinds: str | None) -> None:
    found = texts(settings(tmp_path, f"[[stream]]\n{text}\n"))
    assert [one.removesuffix(" of them") for one in found] == ([] if kinds is None else [MIXED.format(kinds)])


TWO = """
[[stream]]
topic = ["z/+", "y/+"]
value = ["temperature", "humidty"]
overall = false

[[stream]]
topic = "home/#"
overall = false
"""


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (["z/a:temperature", "z/a:humidty", "home/a"], []),
        (
            ["z/a:temperature", "home/a"],
            ["no reading of humidty on z/+, y/+ is stored, but of its other fields"],
        ),
        (
            ["y/a:temperature", "y/a:humidty"],
            ["no reading on home/# is stored, though messages have come"],
        ),
        (
            [],
            [
                "no reading on z/+, y/+ is stored, though messages have come",
                "no reading on home/# is stored, though messages have come",
            ],
        ),
    ],
)
def test_what_nothing_is_stored_of_is_told(
    tmp_path: Path, stored: Sequence[str], said: Sequence[str]
) -> None:
    store(tmp_path, *stored)
    end = ": are names and filters right? manage.py try tells what becomes of what comes"
    assert texts(settings(tmp_path, TWO)) == [f"{one}{end}" for one in said]


def test_while_no_message_has_come_nothing_is_said_of_what_is_stored(tmp_path: Path) -> None:
    assert texts(settings(tmp_path, TWO)) == []
    store(tmp_path, received=0)
    assert texts(settings(tmp_path, TWO)) == []


def test_a_database_that_cannot_be_read_is_told_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "test.db").write_text("no database at all\n" * 100)
    assert texts(settings(tmp_path, TWO)) == []


def test_fields_of_series_with_names_of_their_own_are_found(tmp_path: Path) -> None:
    text = '[[stream]]\ntopic = "r"\nseries = "{id}"\nvalue = ["t", "h"]\noverall = false\n'
    store_rows(tmp_path, SeriesRow(0, "4711/t", "r", "", NOW, 2100.0))
    [found] = texts(settings(tmp_path, text))
    assert found.startswith("no reading of h on r is stored")


def test_the_example_that_is_shipped_mixes_units_and_nothing_else_is_said_of_it(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "config" / "streams.toml"
    [found] = texts(load_settings({"streams_file": str(example), "db_file": str(tmp_path / "none.db")}))
    assert found.startswith("the averages over all readings, on STATS, mix temperature, humidity, W, kWh;")


def test_a_mapping_of_words_does_not_hinder_it(tmp_path: Path) -> None:
    """Streams are told apart by all they say, which has to be comparable."""
    text = '[[stream]]\ntopic = "a"\nmap = { ON = 1, OFF = 0 }\n[[stream]]\ntopic = "b"\nmap = { ON = 1 }\n'
    store(tmp_path, "a", "b")
    assert texts(settings(tmp_path, text)) == []
    mappings: list[Mapping[str, float]] = [
        stream.conversion.map for stream in settings(tmp_path, text).streams
    ]
    assert mappings == [{"on": 1, "off": 0}, {"on": 1}]
