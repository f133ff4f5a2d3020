"""Messages that are no readings: payloads and topics of all the kinds that have broken programs."""

import json
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.ports import HOST
from tests.support.waiting import TIMEOUT

_NO_NUMBERS = (
    *("null", "true", "false", "[]", "[1]", "{}", '{"a":1}', '""', '"warm"', '" "', '"1_0"', '"1,5"'),
    *('"0x1F"', '"1 2"', '"NaN"', '"nan"', '"inf"', '"-Infinity"', '"1e999"', '"true"', '"null"'),
    *('"\\u0661"', '"\\u00bd"', '"\\ud800"', '"\\u0000"', '"1\\u0000"', '"--1"', '"1e"', '"."', "NaN"),
    *("Infinity", "-Infinity", "1e999", "-1e400", "9" * 400, "9" * 5000, "[[1]]", '["1"]', '"21.5 °C"'),
    '"21.5.1"',
)
_NO_TIMES = (
    *("true", "false", "[]", "{}", '""', '"soon"', '"2024-01-01"', '"2024-01-01T00:00:00Z"', "NaN"),
    *("Infinity", "1e999", '"inf"', '"1_0"', "1e11", "1e12", "1.7e12", "1.7e15", "1.7e18", "9" * 50),
    *('"1e12"', "[1]"),
)
_TEXTS = (
    *("", " ", "\n", "\0", "hello", "-", "+", ".", "e5", "1e", "1_000", "1,5", "0x10", "0b1", "1 2"),
    *(
        "1.2.3",
        "--1",
        "+-1",
        "1\0",
        "½",
        "²",
        "١٢٣",
        "\uff11\uff12",
        "∞",
        "nan",
        "NaN",
        "-nan",
        "inf",
        "-inf",
    ),
    *("Infinity", "1e999", "-1e999", "null", "true", "false", "[]", "[1]", "{}", '"warm"', "{", "}", "["),
    *("{]", '{"number"', "undefined", '{"number":', '{"number":1', '{"number":1}}', "{'number':1}"),
    *('{"number":1}{"number":2}', '{"number":1,}', '{"value":1}', '{"Number":1}', '{"number ":1}'),
    *('[{"number":1}]', '"{\\"number\\":1}"', '{"number":+1}', '{"number":1,"number":null}'),
    *('{"number":01}', '{"number":.5}', "number=1", "<number>1</number>", "1;2", "\ufeff21.5", "21.5 °C"),
    *("$(reboot)", "'; DROP TABLE reading; --", "%s%s%n", "{{7*7}}", "\x1b[2J", "\u202e21", "9" * 400),
    *("9" * 60_000, "9" * 70_000, "1e" + "9" * 1000, "[" * 60_000, "[" * 900 + "]" * 900, '{"a":' * 10_000),
    *('{"number":' * 10_000, " " * 65_537, "x" * 100_000),
)
_BYTES = (
    *(b"\xff", b"\x80", b"\xc0\xb1", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", "21,5°".encode("latin-1")),
    *(b"\x1f\x8b\x08", "21.5".encode("utf-16"), "21.5".encode("utf-32"), b"\x89PNG\r\n\x1a\n"),
    *(b"\x30\x05\x00\x01A21", bytes(range(256))),
)
PAYLOADS: tuple[bytes, ...] = (
    *(text.encode() for text in _TEXTS),
    *_BYTES,
    *(f'{{"number":{number}}}'.encode() for number in _NO_NUMBERS),
    *(f'{{"number":1,"epochtime":{time}}}'.encode() for time in _NO_TIMES),
)
# Those of them that say nothing, and are no fault.
NOTHING_TO_READ = frozenset(
    text.encode()
    for text in (
        *("", " ", "\n", "\0", "null", "[]", "{}", '{"number":null}', '{"number":[]}', '{"number":""}'),
        *('{"number":" "}', '{"number":"null"}', '{"number":1,"number":null}'),
    )
)
# Those of them that are numbers all the same: devices send a byte order mark, or the end of a string in C.
NUMBERS = frozenset((b"1\0", "\ufeff21.5".encode()))
# What a broker passes on, and we must bear.
TOPICS: tuple[str, ...] = (
    *("/", "//", "///", " ", "a b", "a/", "/a", "a//b", "é", "🌡", "👩\u200d👩\u200d👧/🌡", "\u202eATAD"),
    *(
        "ﷺ",
        "\u0661",
        "a" * 65_535,
        "🌡" * 16_383,
        "/" * 150,
        "'; DROP TABLE reading; --",
        '"',
        "\\",
        "%s",
        "{0}",
    ),
    *("a$b", "a/$SYS", "a/STATS", "data", "DATA/", "STATSX", "stats", "null", "None", "<b>", "a\u0301"),
    *("\u00e1", ".", "..", "../../etc/passwd"),
)
# What no client may publish to (MQTT 3.1.1 sections 1.5.3 and 3.3.2.1).
FORBIDDEN_TOPICS: tuple[bytes, ...] = (
    *(b"", b"+", b"#", b"a/#", b"a/+/b", b"a#", b"\0", b"a\0b", b"\xff", b"\xed\xa0\x80", b"\xc0\x80"),
    *(b"\x01", b"\x1b[2J", b"a\nb", b"\x7f", b"\xc2\x80", b"\xef\xbf\xbf"),
)


def generated(count: int) -> list[bytes]:
    """Return `count` payloads, the same each time: bytes, texts, and JSON that looks like ours."""
    found: list[bytes] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(_payloads())
    def collect(payload: bytes) -> None:
        found.append(payload)

    collect()
    assert len(found) >= count
    return found[:count]


def publish_forbidden(port: int, topic: bytes) -> bool:
    """Publish to `topic` as no client library would; return whether the broker acknowledges it."""
    connect = _packet(0x10, _text(b"MQTT") + b"\x04\x02" + struct.pack(">H", 60) + _text(b""))
    publish = _packet(0x32, _text(topic) + struct.pack(">H", 1) + b"1")
    with suppress(ConnectionError), socket.create_connection((HOST, port), timeout=TIMEOUT) as connection:
        connection.sendall(connect)
        assert connection.recv(4)[:1] == b"\x20"
        connection.sendall(publish)
        return connection.recv(4)[:1] == b"\x40"
    return False


def _payloads() -> st.SearchStrategy[bytes]:
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("21.5")
    json_values = st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=8,
    )
    ours = st.fixed_dictionaries(
        {}, optional={"number": json_values, "epochtime": json_values, "id": json_values}
    )
    return (
        st.binary(max_size=300)
        | st.text(max_size=100).map(lambda text: text.encode(errors="surrogatepass"))
        | json_values.map(lambda value: json.dumps(value).encode())
        | ours.map(lambda value: json.dumps(value).encode())
        | ours.flatmap(lambda value: st.permutations(json.dumps(value))).map(
            lambda text: "".join(text).encode()
        )
    )


def _text(text: bytes) -> bytes:
    return struct.pack(">H", len(text)) + text


def _packet(kind: int, rest: bytes) -> bytes:
    return bytes([kind]) + bytes(_length(len(rest))) + rest


def _length(size: int) -> Iterator[int]:
    """Yield the bytes of a remaining length (MQTT 3.1.1 section 2.2.3)."""
    while size > 127:
        yield size % 128 | 128
        size //= 128
    yield size
