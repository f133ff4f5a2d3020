"""Whatever comes from outside takes no more time and memory to read than grows with its length.

Processor time of this thread alone is compared between a text and one four times as long: linear
work takes four times as long then, quadratic work sixteen times. A busy machine slows both.
"""

import ast
import gc
import importlib
import re
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import SupportsIndex

import pytest
from loguru import logger

from config.broker_address import BrokerAddress, hide_password
from config.pattern import Pattern
from config.quantities import Window
from config.streams import FieldPath, Stream, Value, load_streams, topic_level
from config.template import Template
from config.text import printable
from config.topics import check_topic, check_topic_filter, disjoint, is_at_or_below, matches, unpublishable
from models.catalog import LONGEST_NAME, Catalog, NewSeries, NoSuchSeries
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.store import Store
from scheduler_app.errors import CommandError
from scheduler_app.intake.fields import decoder_of
from scheduler_app.intake.payload import MAX_PAYLOAD, NothingToRead, Rejected, decode
from scheduler_app.management import build_parser, load_command
from scheduler_app.mqtt.message import Message
from scheduler_app.publishing.messages import InvalidMessage, parse_series
from tests.unit.messages import NOW, message
from tests.unit.stream_reading import stream_of
from tests.unit.writers import writer_on

ROOT = Path(__file__).parents[2]
LONGEST_TOPIC = 65_535
TIMES_LONGER = 4
MOST_TIMES_THE_WORK = 9.0
# Seconds. What takes less is not worth comparing: nobody is held up by it.
NOTICEABLE = 0.001
# A number in a list takes some tens of bytes for two of its text.
MOST_MEMORY = 500
REFUSALS = (Rejected, NothingToRead, InvalidMessage)


def spent(work: Callable[[], object]) -> float:
    """Return the processor time of doing `work` once, in seconds."""
    gc.disable()
    try:
        begin = time.thread_time()
        with suppress(*REFUSALS):
            work()
        return time.thread_time() - begin
    finally:
        gc.enable()


def assert_linear(work_on: Callable[[int], Callable[[], object]], longest: int, shortest: int = 1024) -> None:
    """Fail if work on a text of some length takes far more than four times that on a quarter of it.

    Begins with short texts, so that it does not take long to fail.
    """
    sizes = [longest // TIMES_LONGER**step for step in (3, 2, 1)]
    for size in (size for size in sizes if size >= shortest or size == sizes[-1]):
        short, long = work_on(size), work_on(size * TIMES_LONGER)
        for _ in range(20):  # on a busy machine a disturbance lasts for some of them, but not for all
            most = spent(long)
            if most < 2 * NOTICEABLE:
                break
            least = min(spent(short) for _ in range(3))
            if most < MOST_TIMES_THE_WORK * max(least, NOTICEABLE / TIMES_LONGER):
                break
        else:
            pytest.fail(f"{size} take {least:.4f} s, {TIMES_LONGER} times as many {most:.4f} s")


def assert_memory_is_bounded(work: Callable[[], object], size: int) -> None:
    tracemalloc.start()
    with suppress(*REFUSALS):
        work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MOST_MEMORY * size


def filled(size: int, pump: bytes, head: bytes = b"", tail: bytes = b"") -> bytes:
    """Return `head`, then `pump` as often as fits into `size` bytes, and `tail`."""
    return head + pump * ((size - len(head) - len(tail)) // len(pump)) + tail


PAYLOADS: dict[str, Callable[[int], bytes]] = {
    "digits": lambda size: filled(size, b"1"),
    "digits and a letter": lambda size: filled(size, b"1", tail=b"x"),
    "a fraction and a letter": lambda size: filled(size, b"1", b"1.", b"x"),
    "a fraction alone and a letter": lambda size: filled(size, b"1", b".", b"x"),
    "an exponent": lambda size: filled(size, b"9", b"1e"),
    "an exponent and a letter": lambda size: filled(size, b"9", b"1e-", b"x"),
    "zeros": lambda size: filled(size, b"0", b"0.", b"1"),
    "signs": lambda size: filled(size, b"-"),
    "spaces": lambda size: filled(size, b" "),
    "spaces and a letter": lambda size: filled(size, b" ", tail=b"x"),
    "line ends": lambda size: filled(size, b"\n", b"{", b"x"),
    "a long integer": lambda size: filled(size, b"9", b'{"number": ', b"}"),
    "a number as a text": lambda size: filled(size, b"1", b'{"number": "', b'x"}'),
    "spaces as a text": lambda size: filled(size, b" ", b'{"number": "', b'"}'),
    "a time as a text": lambda size: filled(size, b"1", b'{"number": 1, "epochtime": "', b'x"}'),
    "a long time": lambda size: filled(size, b"1", b'{"number": 1, "epochtime": ', b"}"),
    "an id of digits": lambda size: filled(size, b"1", b'{"number": 1, "id": "', b'"}'),
    "an id that is a number": lambda size: filled(size, b"9", b'{"number": 1, "id": ', b"}"),
    "an id of surrogates": lambda size: filled(size, b"\\ud800", b'{"number": 1, "id": "', b'"}'),
    "escapes": lambda size: filled(size, b"\\\\", b'"', b'"'),
    "brackets": lambda size: filled(size, b"["),
    "braces": lambda size: filled(size, b'{"":'),
    "the same key": lambda size: filled(size, b'"a":1,', b"{", b'"a":1}'),
    "many keys": lambda size: b"{" + b",".join(b'"%d":1' % key for key in range(size // 10)) + b"}",
    "empty lists": lambda size: filled(size, b"[],", b"[", b"1]"),
    "empty objects": lambda size: filled(size, b"{},", b"[", b"1]"),
    "many numbers": lambda size: filled(size, b"1,", b"[", b"1]"),
    "numbers that are none": lambda size: filled(size, b"1e999,", b"[", b"1]"),
    "not UTF-8": lambda size: filled(size, b"\xff"),
}
# What only a stream that takes every number, or looks for a time, has to do with.
FIELDS: dict[str, Callable[[int], bytes]] = PAYLOADS | {
    "a long key": lambda size: filled(size, b"/", b'{"', b'": 1}'),
    "long keys": lambda size: filled(size, b'"' + b"+" * 1020 + b'":[],', b"{", b'"":1}'),
    "lists inside a long key": lambda size: filled(size, b"[],", b'{"' + b"a" * 1100 + b'":[', b"1]}"),
    "lists deep inside": lambda size: filled(size, b"[],", b"[" * 400, b"1" + b"]" * 400),
    "keys in keys": lambda size: (b'{"' + b"a" * (size // 400) + b'":') * 390 + b"1" + b"}" * 390,
    "a date": lambda size: filled(size, b"1", b'{"a": 1, "t": "2026-11-23T10:00:00.', b'"}'),
    "no date": lambda size: filled(size, b"-", b'{"a": 1, "t": "', b'"}'),
}
STREAMS = {
    "every number": Stream("#", (), 1.0, every_number=True),
    "some fields": Stream(
        "#", (), 1.0, values=(Value(FieldPath(("a",)), "a"), Value(FieldPath(("a", "0", "b")), "b"))
    ),
    "a long path": Stream(
        "#", (), 1.0, values=(Value(FieldPath(("0",) * 1000), "0"), Value(FieldPath(("9" * 5000,)), "9"))
    ),
    "a date": Stream(
        "#", (), 1.0, (), (Value(FieldPath(("a",))),), time=FieldPath(("t",)), time_format="iso8601"
    ),
}
# Streams as a file has them, by what is to be searched in their messages.
GRAMMAR = {
    "a pattern": r"pattern = '([+-]?\d+\.?\d*) W'",
    "a pattern in a field": "value = \"a\"\npattern = '.*,.*,([0-9.]+)'",
    "words and units": 'value = "*"\nmap = { ON = 1 }\nunit = "W"\ndecimal = ","\nexclude = "b"',
    "elements": 'each = "."\nvalue = "a"\nseries = "{topic}/{each}/{n}"',
    "every number of elements": 'each = "."\nvalue = "*"\nseries = "{each}"',
    "a date by a pattern": 'value = "a"\ntime = "t"\ntime_format = "%d.%m.%Y %H:%M"\ntime_zone = "local"',
    "a date of a mail": 'value = "a"\ntime = "t"\ntime_format = "rfc2822"\nscale = 0.1',
    "CSV": 'format = "csv"\nvalue = "1"',
    "InfluxDB": 'format = "influx"\nvalue = "*"\nseries = "{measurement}"',
    "SenML": 'format = "senml"',
}
# What only formats of other payloads have to do with.
OTHER_PAYLOADS = FIELDS | {
    "columns": lambda size: filled(size, b"1,"),
    "rows": lambda size: filled(size, b"1,2\n"),
    "quotes": lambda size: filled(size, b'"'),
    "backslashes": lambda size: filled(size, b"\\"),
    "tags": lambda size: filled(size, b",a=b", b"m", b" c=1"),
    "points": lambda size: filled(size, b"m a=1\n"),
    "fields": lambda size: filled(size, b",a=1", b"m a=1", b",,"),
    "fields of text": lambda size: filled(size, b',a="x"', b"m a=1", b'"'),
    "records": lambda size: filled(size, b'{"bn":"aaaaaaaa","n":"b","v":1},', b"[", b'{"v":1}]'),
}
TEXTS = {
    "digits": "1",
    "letters": "a",
    "dots": ".",
    "colons": ":",
    "slashes": "/",
    "spaces": " ",
    "pluses": "+",
    "signs": "@",
    "percents": "%",
    "NULs": "\0",
    "surrogates": "\ud800",
    "levels": "a/",
    "wildcards": "+/",
    "users": "//a@",
}
READERS: dict[str, Callable[[str], object]] = {
    "check_topic": check_topic,
    "check_topic_filter": check_topic_filter,
    "unpublishable": unpublishable,
    "matches": lambda text: [matches(asked, text) for asked in ("+/" * 20 + "#", "a/b", "#", text)],
    "disjoint": lambda text: disjoint([text, "+/" * 20 + "#", "a/#", text]),
    "is_at_or_below": lambda text: is_at_or_below(text, "STATS"),
    "topic_level": topic_level,
    "FieldPath": FieldPath.parse,
    "Template": Template.parse,
    "Pattern": Pattern.parse,
    "Window": Window.parse,
    "BrokerAddress": BrokerAddress.parse,
    "hide_password": hide_password,
    "printable": printable,
    "a series": lambda text: Catalog([], 1, unpublishable=unpublishable).begin(text, "", 0, 1, NewSeries()),
    "an argument": lambda text: build_parser("stats", load_command("stats")).parse_args([f"//{text}"]),
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_no_payload_keeps_us_busy(payload: Callable[[int], bytes]) -> None:
    def work_on(size: int) -> Callable[[], object]:
        content = payload(size)
        assert 0.6 * size < len(content) <= size  # as long as it is said to be
        return lambda: decode(content, NOW, NOW + 30)

    assert_linear(work_on, MAX_PAYLOAD)
    assert_memory_is_bounded(work_on(MAX_PAYLOAD), MAX_PAYLOAD)


@pytest.mark.parametrize("payload", FIELDS.values(), ids=FIELDS)
@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_no_payload_with_fields_keeps_us_busy(stream: Stream, payload: Callable[[int], bytes]) -> None:
    read = decoder_of(stream)

    def work_on(size: int) -> Callable[[], object]:
        content = payload(size)
        return lambda: read(content, "a/b", NOW, NOW + 30)

    # names of series are bounded: what costs their length each time grows until they are full
    assert_linear(work_on, MAX_PAYLOAD, shortest=4 * LONGEST_NAME)
    assert_memory_is_bounded(work_on(MAX_PAYLOAD), MAX_PAYLOAD)


@pytest.mark.parametrize("payload", OTHER_PAYLOADS.values(), ids=OTHER_PAYLOADS)
@pytest.mark.parametrize("text", GRAMMAR.values(), ids=GRAMMAR)
def test_no_payload_keeps_a_stream_file_busy(
    tmp_path: Path, text: str, payload: Callable[[int], bytes]
) -> None:
    read = decoder_of(stream_of(tmp_path / "streams.toml", text))

    def work_on(size: int) -> Callable[[], object]:
        content = payload(size)
        return lambda: read(content, "a/b", NOW, NOW + 30)

    assert_linear(work_on, MAX_PAYLOAD, shortest=4 * LONGEST_NAME)
    assert_memory_is_bounded(work_on(MAX_PAYLOAD), MAX_PAYLOAD)


@pytest.mark.parametrize("each", ["[[stream]]\ntopic = 'home/{}/t'\n", "    'home/{}/t',\n"])
def test_a_start_takes_long_for_no_number_of_topics(tmp_path: Path, each: str) -> None:
    """Somebody may name ten thousand topics, each in a line; every command reads the file."""
    file = tmp_path / "streams.toml"

    def work_on(size: int) -> Callable[[], object]:
        topics = "".join(each.format(number) for number in range(size))
        text = topics if topics.startswith("[") else f"[[stream]]\ntopic = [\n{topics}]\n"

        def work() -> None:
            file.write_text(text)
            streams = load_streams(file, (Window("1min", 60.0),), 2100.0, "STATS")
            assert len(disjoint(stream.topic for stream in streams)) == size

        return work

    assert_linear(work_on, 8000, shortest=100)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_no_message_of_a_series_keeps_its_readers_busy(payload: Callable[[int], bytes]) -> None:
    assert_linear(lambda size: lambda: parse_series(payload(size), "a"), MAX_PAYLOAD)


@pytest.mark.parametrize("pump", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_no_text_keeps_us_busy(read: Callable[[str], object], pump: str) -> None:
    def work_on(size: int) -> Callable[[], object]:
        text = pump * (size // len(pump))

        def work() -> None:
            with suppress(ValueError, NoSuchSeries, CommandError):
                read(text)

        return work

    assert_linear(work_on, LONGEST_TOPIC)


@pytest.mark.parametrize("pump", TEXTS.values(), ids=TEXTS)
def test_no_topic_keeps_the_writer_busy(tmp_path: Path, pump: str) -> None:
    """Neither when it looks for the stream among many, nor when it rejects the message and tells so."""
    file = tmp_path / "streams.toml"
    file.write_text("".join(f'[[stream]]\ntopic = "+/{number}/+/#"\n' for number in range(300)))
    prepare(tmp_path / "test.db")
    store = Store(writing_database(tmp_path / "test.db"), "me")
    writers = [writer_on(store, streams_file=str(file)), writer_on(store)]
    lines: list[str] = []
    handler = logger.add(lines.append, format="{message}")

    def work_on(size: int) -> Callable[[], object]:
        sent: Message = message(b"1", pump * (size // len(pump)))
        return lambda: [writer.sort([sent]) for writer in writers]

    try:
        assert_linear(work_on, LONGEST_TOPIC)
    finally:
        logger.remove(handler)
        store.close()
    assert all(len(line) < 2000 for line in lines)


class CountedTopic(str):
    """Notes into how many parts it is taken apart."""

    __slots__ = ("parts",)

    def split(self, separator: str | None = None, most: SupportsIndex = -1) -> list[str]:
        found = super().split(separator, most)
        self.parts = len(found)
        return found


@pytest.mark.parametrize("topic_filter", ["a/+/b", "#", "a/a/a/a"])
def test_a_topic_costs_each_stream_no_more_than_its_own_levels(topic_filter: str) -> None:
    """There may be hundreds of streams; the levels of a topic are counted in their ten thousands."""
    topic = CountedTopic("a/" * (LONGEST_TOPIC // 2))
    matches(topic_filter, topic)
    assert topic.parts <= topic_filter.count("/") + 2


def sources() -> list[Path]:
    folders = ("config", "models", "jobs", "scheduler_app")
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Yield all regular expressions of the project, by where they are; those in functions as they stand."""
    for path in sources():
        tree = ast.parse(path.read_text())
        if not any(isinstance(node, ast.Import) and node.names[0].name == "re" for node in tree.body):
            continue
        name = path.relative_to(ROOT).as_posix()
        module = importlib.import_module(name.removesuffix(".py").replace("/", "."))
        for variable, value in vars(module).items():
            pattern = getattr(value, "__self__", value)  # that of a method such as fullmatch
            if isinstance(pattern, re.Pattern):
                yield f"{name}:{variable}", pattern
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            of_re = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
            if of_re and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
                anchor = r"\A" if node.func.attr in ("match", "fullmatch") else ""
                yield f"{name}:{node.lineno}", re.compile(anchor + node.args[0].value)


PATTERNS = dict(patterns())


def test_all_patterns_are_found() -> None:
    assert {"scheduler_app/intake/payload.py:_NUMBER", "models/storage/reading_id.py:_HEXADECIMAL"} <= set(
        PATTERNS
    )
    assert any(name.startswith("config/broker_address.py") for name in PATTERNS)


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_no_pattern_searches_longer_than_it_takes_to_read(pattern: re.Pattern[str]) -> None:
    signs = "1.e+- a/@:%p"
    for pump in {first + second for first, second in product(signs, signs)}:

        def work_on(size: int, pump: str = pump) -> Callable[[], object]:
            text = pump * (size // 2) + "\0"
            return lambda: (pattern.search(text), pattern.fullmatch(text))

        assert_linear(work_on, 8192)
