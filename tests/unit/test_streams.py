import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import config.stream as stream_module
from config.quantities import Window
from config.settings import InvalidSettings, load_settings
from config.streams import (
    DEFAULT_STATISTICS,
    FieldPath,
    InvalidStreams,
    Stream,
    Streams,
    Value,
    load_streams,
    stream_of_name,
)
from config.topics import matches
from models.statistics.registry import NAMES
from models.statistics.rules import Rules

ROOT = Path(__file__).parents[2]
WINDOWS = (Window("1min", 60.0), Window("30min", 1800.0))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "streams.toml"


def load(path: Path, text: str) -> Streams:
    path.write_text(text)
    return load_streams(path, WINDOWS, 2100.0, "STATS")


def refusal(path: Path, text: str) -> str:
    """Return what is said about a stream file, in one line, without the name of the file."""
    with pytest.raises(InvalidStreams) as caught:
        load(path, text)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(str(path))
    return line.removeprefix(str(path))


def test_every_key_is_read(path: Path) -> None:
    [stream] = load(
        path,
        """
        [[stream]]
        topic = "tele/+/SENSOR"
        value = ["ENERGY.Power", "/ENERGY/Total"]
        time = "Time"
        time_format = "iso8601"
        windows = ["5min", "24h"]
        statistics = ["avg", "p99.9", "rate"]
        """,
    )
    assert stream == Stream(
        topic="tele/+/SENSOR",
        windows=(Window("5min", 300.0), Window("24h", 86400.0)),
        retention=87000.0,
        statistics=("avg", "p99.9", "rate"),
        values=(
            Value(FieldPath(("ENERGY", "Power")), "ENERGY/Power"),
            Value(FieldPath(("ENERGY", "Total")), "ENERGY/Total"),
        ),
        every_number=False,
        time=FieldPath(("Time",)),
        time_format="iso8601",
    )
    assert not stream.plain


def test_what_is_left_out_is_as_without_a_file(path: Path) -> None:
    [stream] = load(path, '[[stream]]\ntopic = "DATA"')
    assert stream == Stream("DATA", WINDOWS, 2100.0)
    assert stream.plain
    assert (stream.statistics, stream.values, stream.time, stream.time_format) == (("avg",), (), None, "s")
    assert (stream,) == load_settings({"topic": "DATA", "windows": "1min,30min"}).streams


def test_a_single_text_is_a_list_of_one(path: Path) -> None:
    [stream] = load(
        path, '[[stream]]\ntopic="a"\nvalue="temperature"\nwindows="1h"\nstatistics="median"\ntime="t"'
    )
    assert stream.values == (Value(FieldPath(("temperature",))),)
    assert stream.windows == (Window("1h", 3600.0),)
    assert stream.statistics == ("median",)


def test_a_star_is_every_number(path: Path) -> None:
    [stream] = load(path, '[[stream]]\ntopic="a"\nvalue="*"')
    assert stream.every_number
    assert stream.values == ()
    assert not stream.plain
    [named] = load(path, '[[stream]]\ntopic="a"\nvalue="/*"')  # a field of this name
    assert (named.every_number, named.values) == (False, (Value(FieldPath(("*",))),))


@pytest.mark.parametrize("time_format", ["s", "ms", "us", "ns", "iso8601"])
def test_every_format_of_time_is_taken(path: Path, time_format: str) -> None:
    [stream] = load(path, f'[[stream]]\ntopic="a"\ntime="t"\ntime_format="{time_format}"')
    assert stream.time_format == time_format
    assert not stream.plain


@pytest.mark.parametrize(
    "statistic",
    [*NAMES, "p0", "p5", "p50", "p99.999999"],
)
def test_every_statistic_is_taken(path: Path, statistic: str) -> None:
    [stream] = load(path, f'[[stream]]\ntopic="a"\nstatistics=["{statistic}"]')
    assert stream.statistics == (statistic,)


def test_readings_are_kept_for_the_longest_window_and_no_less_than_for_all(path: Path) -> None:
    """The averages over all readings need them too."""
    streams = load(
        path,
        "".join(f'[[stream]]\ntopic="{window}"\nwindows=["1s", "{window}"]\n' for window in ("1min", "2h")),
    )
    assert [stream.retention for stream in streams] == [2100.0, 7500.0]


def test_a_topic_belongs_to_the_first_stream_that_matches_it(path: Path) -> None:
    streams = load(path, "".join(f'[[stream]]\ntopic="{topic}"\n' for topic in ("a/b", "a/+", "#")))
    found = [streams.of_topic(topic) for topic in ("a/b", "a/c", "a", "$SYS/x")]
    assert found == [*streams, None]


LEVELS = st.lists(st.sampled_from(["a", "b", "+", "$x"]), min_size=1, max_size=3).map("/".join)
FILTERS = LEVELS | LEVELS.map(lambda levels: f"{levels}/#") | LEVELS.map(lambda levels: f"$share/g/{levels}")


@given(st.lists(FILTERS, max_size=8), st.lists(st.sampled_from(["a", "b", "$x"]), min_size=1, max_size=3))
def test_a_topic_belongs_to_the_first_stream_that_matches_it_however_many_there_are(
    filters: list[str], levels: list[str]
) -> None:
    topic = "/".join(levels)
    streams = Streams(Stream(topic_filter, (), 0.0) for topic_filter in filters)
    expected = next((stream for stream in streams if matches(stream.topic, topic)), None)
    assert streams.of_topic(topic) is expected


def test_of_thousands_of_streams_hardly_any_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    streams = Streams(Stream(topic, (), 0.0) for topic in (*map(str, range(1000)), "+/t", "999"))
    looked_at: list[str] = []

    def note(topic_filter: str, topic: str) -> bool:
        looked_at.append(topic_filter)
        return matches(topic_filter, topic)

    monkeypatch.setattr(stream_module, "matches", note)
    assert streams.of_topic("999") is streams[999]
    assert streams.of_topic("room/t") is streams[1000]
    assert looked_at == ["999", "+/t"]
    assert stream_of_name(streams, "999") is streams[999]


RULES = """
statistics = ["rate"]
hold = "1.5h"
reset_below = 0
per = "1h"
overall = false
windows = "1h"
"""


def test_the_rules_of_a_stream_are_read(path: Path) -> None:
    path.write_text(f'[[stream]]\ntopic = "a"{RULES}[[stream]]\ntopic = "b"\n')
    ruled, plain = load_streams(path, WINDOWS, 2100.0, "STATS")
    assert (ruled.hold, ruled.reset_below, ruled.per, ruled.overall) == (5400.0, 0.0, 3600.0, False)
    # what is known of the time before a window is kept five minutes longer than it is needed
    assert ruled.rules == Rules(5400.0, 0.0, 3600.0, 3600.0 + 5400.0)
    assert (plain.hold, plain.reset_below, plain.per, plain.overall) == (None, 0.9, 1.0, True)


@pytest.mark.parametrize(
    ("keys", "retention"),
    [
        ('windows = "30min"', 2100.0),
        ('windows = "30min"\nhold = "1s"', 2101.0),
        ('windows = "30min"\nhold = "1d"', 1800.0 + 86400.0 + 300.0),
        ('windows = "30min"\nstatistics = "max"', 2100.0),
        # the reading before the window
        ('windows = "30min"\nstatistics = "rate"', 2400.0),
        ('windows = "30min"\nstatistics = ["avg", "time_weighted_avg"]', 2400.0),
        ('windows = "25min"\nstatistics = "rate"', 2100.0),
        ('windows = "30min"\nstatistics = "rate"\nhold = "1s"', 2400.0),
    ],
)
def test_readings_are_kept_for_as_long_as_a_window_and_what_holds_at_its_beginning_need_them(
    path: Path, keys: str, retention: float
) -> None:
    path.write_text(f'[[stream]]\ntopic = "a"\n{keys}')
    [stream] = load_streams(path, WINDOWS, 2100.0, "STATS")
    assert stream.retention == retention


def test_the_shipped_file_works_as_it_stands() -> None:
    path = ROOT / "config" / "streams.toml"
    settings = load_settings({"streams_file": str(path)})
    zigbee, tasmota, home, data = settings.streams
    assert [stream.topic for stream in settings.streams] == [
        *("zigbee2mqtt/+", "tele/+/SENSOR", "home/#", "DATA")
    ]
    assert [value.name for value in zigbee.values] == ["temperature", "humidity"]
    assert (zigbee.time, zigbee.time_format) == (FieldPath(("last_seen",)), "iso8601")
    assert zigbee.retention == 86400 + 300 + 300
    assert [value.path.keys for value in tasmota.values] == [("ENERGY", "Power"), ("ENERGY", "Total")]
    assert home.plain
    assert data == Stream("DATA", settings.windows, settings.retention)


def test_the_shipped_file_is_named_in_its_own_first_lines() -> None:
    path = ROOT / "config" / "streams.toml"
    assert f"STREAMS_FILE={path.relative_to(ROOT)}" in path.read_text().splitlines()[0]


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ('topic = "a/#/b"', "topic = a/#/b must have + alone between slashes"),
        ('topic = ""', "topic =  must be 1 to 65535 bytes of UTF-8"),
        ("topic = 5", "topic = 5 must be an MQTT topic filter, or a list of these"),
        ("topic = [5]", "topic = [5] must be an MQTT topic filter, or a list of these"),
        ("topic = []", "topic = [] must name at least one topic filter, and each only once"),
        ('topic = ["a", "a"]', "must name at least one topic filter, and each only once"),
        (
            'topic = "STATS"',
            "topic = STATS must not be at or below STATS_TOPIC=STATS",
        ),
        ('topic = "STATS/x"', "topic = STATS/x must not be at or below STATS_TOPIC"),
        ('topic = "STATS/#"', "topic = STATS/# must not be at or below STATS_TOPIC"),
        ('topic = "STATS/\\nx"', "topic = STATS/\\nx must not be at or below STATS"),
        ("value = []", "value = [] must name at least one path, and each only once"),
        ('value = ["a", "a"]', "value = ['a', 'a'] must name at least one path, and each only once"),
        ('value = ["a.b", "/a/b"]', "must name at least one path, and each only once"),
        ('value = ""', "value =  must be a dotted path such as ENERGY.Power, or a JSON Pointer"),
        ('value = "a..b"', "value = a..b must be a dotted path"),
        ('value = ".a"', "value = .a must be a dotted path"),
        ('value = "/"', "value = / must be a dotted path"),
        ('value = "/a//b"', "value = /a//b must be a dotted path"),
        ("value = [1]", "value = [1] must be a dotted path such as ENERGY.Power, or a JSON Pointer "),
        ("value = {a = 1}", "a is no key of a value: its keys are path, name, pattern"),
        ('value = {name = "a"}', "value = {'name': 'a'} needs a path"),
        ("value = true", "value = True must be a dotted path"),
        ("time = 3", "time = 3 must be a dotted path"),
        ('time = ["a"]', "time = ['a'] must be a dotted path"),
        ('time = "a."', "time = a. must be a dotted path"),
        (
            'time_format = "min"',
            "time_format = min must be one of s, ms, us, ns, iso8601, rfc2822, or a pattern for a date",
        ),
        (
            "time_format = 1",
            "time_format = 1 must be one of s, ms, us, ns, iso8601, rfc2822, or a pattern for a date",
        ),
        (
            'time_format = ["s"]',
            "time_format = ['s'] must be one of s, ms, us, ns, iso8601, rfc2822, or a pattern for a date",
        ),
        ('time_format = "ms"', "time_format needs time, which says where"),
        ("windows = []", "windows = [] must name at least one window, and each only once"),
        ('windows = ["1min", "1 min"]', "must name at least one window, and each only once"),
        ('windows = ["soon"]', "windows = ['soon'] must be a number with a unit"),
        ('windows = "500ms"', "windows = 500ms must be a window from 1s to 366d"),
        ("windows = 60", "windows = 60 must be a window such as 5min, or a list of windows"),
        ("statistics = []", "statistics = [] must be count, sum, avg"),
        ('statistics = ["average"]', "statistics = ['average'] must be count, sum, avg"),
        ('statistics = ["p100"]', "statistics = ['p100'] must be count, sum, avg"),
        ('statistics = ["p"]', "or pNN such as p95 or p99.9, each once"),
        ('statistics = ["avg", "avg"]', "each once"),
        ("statistics = [[]]", "statistics = [[]] must be count, sum, avg"),
        ("hold = 3600", "hold = 3600 must be a number with a unit (ms, s, min, h or d), for example 10s"),
        ('hold = "long"', "hold = long must be a number with a unit"),
        ('hold = "0.9ms"', "hold = 0.9ms must be a duration from 1ms to 366d, for example 1h"),
        ('hold = "367d"', "hold = 367d must be a duration from 1ms to 366d"),
        ('per = "0s"', "per = 0s must be a duration from 1ms to 366d"),
        ('per = "1h"', "per needs rate among the statistics"),
        ("reset_below = 0.5", "reset_below needs rate among the statistics"),
        ("reset_below = 1.01", "reset_below = 1.01 must be a number from 0 to 1"),
        ("reset_below = -0.1", "reset_below = -0.1 must be a number from 0 to 1"),
        ("reset_below = nan", "reset_below = nan must be a number from 0 to 1"),
        ("reset_below = true", "reset_below = True must be a number from 0 to 1"),
        ('reset_below = "50%"', "reset_below = 50% must be a number from 0 to 1"),
        ('overall = "false"', "overall = false must be true or false, without quotation marks"),
        ("overall = 0", "overall = 0 must be true or false"),
        (
            'colour = "red"',
            "colour is no key of a stream: its keys are topic, value, time, time_format, time_zone, ",
        ),
        (
            'time-format = "s"',
            "time-format is no key of a stream: its keys are topic, value, time, time_format",
        ),
        ('"windows " = "5min"', "windows  is no key of a stream: its keys are topic, value"),
        ('"a\\nb" = 1', "a\\nb is no key of a stream: its keys are topic, value"),
        (
            "windows.longest = 5",
            "windows = {'longest': 5} must be a window such as 5min, or a list of windows",
        ),
        ('"windows" = 5', "windows = 5 must be a window"),
        ("'windows' = 5", "windows = 5 must be a window"),
        ("[stream.extra]", "extra is no key of a stream: its keys are topic, value"),
    ],
)
@pytest.mark.parametrize("topic_first", [True, False])
def test_each_mistake_is_told_with_its_line_and_what_is_allowed(
    path: Path, mistake: str, said: str, topic_first: bool
) -> None:
    """Whatever stands around it: other streams, comments, arrays of several lines, keys in any order."""
    lines = [
        "# A comment with [[stream]] and windows = 1",
        "[[stream]]",
        'topic = "first"',
        "windows = [",
        '  "1min",  # windows = 3',
        '  "5min",',
        "]",
        "",
        "  [[ stream ]] # the second",
        'statistics = ["avg",',
        '  "max"]' if not mistake.startswith("statistics") else '"max"]',
        mistake,
    ]
    if mistake.startswith("statistics"):
        del lines[9:11]
    topic = [] if mistake.startswith("topic") else ['topic = "second"']
    if topic_first:
        lines[9:9] = topic
    elif not mistake.startswith("["):
        lines += topic
    else:
        lines[9:9] = ["", *topic]
    number = lines.index(mistake) + 1
    lines += ["", "[[stream]]", 'topic = "third"', 'windows = ["1min"]']
    line = refusal(path, "\n".join(lines))
    assert line.startswith(f", line {number}: ")
    assert said in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[stream]]\ntopic = "a"\n\n[[stream]]\nwindows = "5min"', ", line 4: this stream needs a topic"),
        ('# one\n\n[[stream]]\n[[stream]]\ntopic = "a"', ", line 3: this stream needs a topic"),
        (
            '[[stream]]\ntopic = "a"\n[other]\nx = 1',
            ", line 3: other must not stand here: a stream file holds [[stream]] tables only",
        ),
        (
            '[[stream]]\ntopic = "a"\n[[streams]]',
            ", line 3: streams must not stand here: a stream file holds [[stream]] tables only",
        ),
        ('\ntopic = "a"', ", line 2: topic must not stand here: a stream file holds [[stream]] tables only"),
        (
            'topic = "a"\n[[stream]]\ntopic = "a"',
            ", line 1: topic must not stand here: a stream file holds [[stream]] tables only",
        ),
        ("", " needs at least one [[stream]] table"),
        ("# nothing\n", " needs at least one [[stream]] table"),
        ('[stream]\ntopic = "a"', " needs at least one [[stream]] table"),
        ("stream = 3", " needs at least one [[stream]] table"),
        ("stream = []", " needs at least one [[stream]] table"),
        ('stream = ["a"]', " needs at least one [[stream]] table"),
    ],
)
def test_what_is_no_list_of_streams_is_refused(path: Path, text: str, said: str) -> None:
    assert refusal(path, text) == said


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_are_counted_as_an_editor_does(path: Path, end: str) -> None:
    lines = ["# \u2028 \x85 are no ends of a line", "[[stream]]", 'topic = "\u2028"', "windows = 3"]
    path.write_bytes(end.join(lines).encode())
    with pytest.raises(InvalidStreams, match=", line 4: windows = 3"):
        load_streams(path, WINDOWS, 2100, "STATS")


def test_what_looks_like_a_key_inside_a_text_is_none(path: Path) -> None:
    text = '[[stream]]\ntopic = """\nwindows = 1\n[[stream]]\n"""\n\nwindows = 5'
    assert refusal(path, text).startswith(", line 7: windows = 5 must be a window")


@pytest.mark.parametrize(
    "text",
    [
        "[[stream]\n",
        '[[stream]]\ntopic = "a\n',
        "[[stream]]\ntopic = a",
        '[[stream]]\ntopic = "a"\ntopic = "b"',
        '[[stream]]\ntopic = "\\ud800"',
        "[[stream]]\nwindows = [",
        "\x00",
        '[[stream]]\ntopic = "a" windows = 3',
        "x = " + "[" * 5000,
        "x = " + "9" * 5000,
    ],
    ids=range(10),
)
def test_what_is_no_toml_is_told_in_one_line(path: Path, text: str) -> None:
    assert refusal(path, text).startswith(" is not valid TOML: ")


def test_toml_says_itself_where_it_is_wrong(path: Path) -> None:
    assert "line 3" in refusal(path, '[[stream]]\ntopic = "a"\nwindows = 5min')


def test_a_file_that_cannot_be_read_is_told_in_one_line(path: Path, tmp_path: Path) -> None:
    path.write_bytes(b'[[stream]]\ntopic = "\xff"')
    with pytest.raises(InvalidStreams, match=f"^{re.escape(str(path))} cannot be read: .*0xff"):
        load_streams(path, WINDOWS, 2100, "STATS")
    with pytest.raises(InvalidStreams, match=f"^{re.escape(str(tmp_path))} cannot be read: .*directory"):
        load_streams(tmp_path, WINDOWS, 2100, "STATS")
    with pytest.raises(InvalidStreams, match=r"none\.toml cannot be read: .*No such file"):
        load_streams(tmp_path / "none.toml", WINDOWS, 2100, "STATS")


def test_a_mistake_in_the_file_is_a_mistake_of_the_settings(path: Path) -> None:
    path.write_text("[[stream]]\ntopic = 3")
    with pytest.raises(InvalidSettings) as caught:
        load_settings({"streams_file": str(path)})
    assert str(caught.value) == f"{path}, line 2: topic = 3 must be an MQTT topic filter, or a list of these"


def test_the_file_takes_the_place_of_the_topics(path: Path) -> None:
    path.write_text('[[stream]]\ntopic = "a"')
    settings = load_settings({"streams_file": str(path), "topic": "STATS", "stats_topic": "b"})
    assert [stream.topic for stream in settings.streams] == ["a"]
    with pytest.raises(InvalidSettings, match="must not be at or below STATS_TOPIC=a: what is published"):
        load_settings({"streams_file": str(path), "stats_topic": "a"})


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("temperature", ("temperature",)),
        ("ENERGY.Power", ("ENERGY", "Power")),
        ("/ENERGY/Power", ("ENERGY", "Power")),
        ("/a.b/c", ("a.b", "c")),
        ("/a~1b/~0c/~01", ("a/b", "~c", "~1")),
        ("a/b", ("a/b",)),
        ("a~1b", ("a~1b",)),
        ("sensors.0.t", ("sensors", "0", "t")),
        (" a ", (" a ",)),
    ],
)
def test_a_path_is_dotted_or_a_json_pointer(text: str, keys: tuple[str, ...]) -> None:
    assert FieldPath.parse(text).keys == keys


@given(st.lists(st.text(min_size=1), min_size=1))
def test_every_field_has_a_json_pointer(keys: list[str]) -> None:
    """Escaped as RFC 6901 says."""
    pointer = "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)
    assert FieldPath.parse(pointer).keys == tuple(keys)


CONTENT = {"a": {"b": [10, {"c": 11}], "0": 12}, "": 13, "a.b": 14, "n": None}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a.b.0", 10),
        ("a.b.1.c", 11),
        ("/a/b/1/c", 11),
        ("a.0", 12),
        ("/a.b", 14),
        ("n", None),
        ("n.x", None),
        ("x", None),
        ("a.x", None),
        ("a.b.2", None),
        ("a.b.-1", None),
        ("a.b.x", None),
        ("a.b.0.x", None),
        ("a.b", CONTENT["a"]["b"]),  # type: ignore[index]
    ],
)
def test_a_field_is_found_where_its_path_leads(text: str, found: object) -> None:
    assert FieldPath.parse(text).find(CONTENT) == found


@pytest.mark.parametrize("content", [None, 5, "a", True, [], {}, 1.5])
def test_nothing_is_found_in_what_holds_nothing(content: object) -> None:
    assert FieldPath.parse("a.b").find(content) is None


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("temperature", "temperature"),
        ("a/b", "a%2Fb"),
        ("100%", "100%25"),
        ("+", "%2B"),
        ("#", "%23"),
        ("a\0b", "a%00b"),
        ("\x1b[2J\n", "%1B[2J%0A"),
        ("\x7f\x85\x9f", "%7F%C2%85%C2%9F"),  # Mosquitto takes none of these
        ("\ud800", "%ED%A0%80"),
        ("\ufdd0\ufdef\uffff\U0001fffe\U0010ffff", "%EF%B7%90%EF%B7%AF%EF%BF%BF%F0%9F%BF%BE%F4%8F%BF%BF"),
        ("größe °C 🌡", "größe °C 🌡"),
        ("$state", "$state"),
        ("", "%"),
    ],
)
def test_what_no_topic_may_hold_is_escaped_in_a_name(key: str, written: str) -> None:
    assert str(FieldPath((key,))) == written
    assert str(FieldPath(("x", key))) == f"x/{written}"


ANY_TEXT = st.text(st.characters(exclude_categories=[]))


@given(st.lists(ANY_TEXT, min_size=1, max_size=3), st.lists(ANY_TEXT, min_size=1, max_size=3))
def test_names_are_topics_and_two_fields_never_share_one(one: list[str], other: list[str]) -> None:
    name = str(FieldPath(tuple(one)))
    assert (name == str(FieldPath(tuple(other)))) is (one == other)
    name.encode()
    assert not set(name) & set("+#\0")
    assert matches("/".join("+" for _ in one), f"{name}") or name.startswith("$")


@given(st.text())
def test_any_text_is_a_stream_file_or_refused_in_one_line(text: str) -> None:
    path = Path("any.toml")
    path.write_text(text, encoding="utf-8", newline="")
    try:
        load_streams(path, WINDOWS, 2100, "STATS")
    except InvalidStreams as error:
        assert "\n" not in str(error)  # noqa: PT017 - both ways are right


KEYS = st.sampled_from(["topic", "value", "time", "time_format", "windows", "statistics", "x"])
VALUES = st.sampled_from(
    [
        '"a"',
        '"a/#"',
        '["a", "b"]',
        '"5min"',
        '["avg"]',
        '"s"',
        "3",
        "[\n1,\n2]",
        '"""\nx = 1\n"""',
        "{}",
        "1.5",
    ]
)


@given(st.lists(st.lists(st.tuples(KEYS, VALUES), max_size=4, unique_by=lambda pair: pair[0]), max_size=4))
def test_the_line_that_is_named_is_where_the_key_stands(tables: list[list[tuple[str, str]]]) -> None:
    path = Path("any.toml")
    text = "".join(
        "[[stream]]\n" + "".join(f"{key} = {value}\n\n" for key, value in pairs) for pairs in tables
    )
    tomllib.loads(text)
    path.write_text(text)
    try:
        load_streams(path, WINDOWS, 2100, "STATS")
    except InvalidStreams as error:
        found = re.fullmatch(r"any\.toml, line (\d+): (\w+)( .*)", str(error))
        if found is None:
            assert str(error) == "any.toml needs at least one [[stream]] table"  # noqa: PT017
        else:
            line = text.split("\n")[int(found[1]) - 1]
            assert line.startswith("[[stream]]" if found[3] == " stream needs a topic" else f"{found[2]} = ")


def test_the_default_statistics_are_among_those_that_are_allowed(path: Path) -> None:
    [stream] = load(path, f'[[stream]]\ntopic="a"\nstatistics={list(DEFAULT_STATISTICS)}')
    assert stream.statistics == DEFAULT_STATISTICS
