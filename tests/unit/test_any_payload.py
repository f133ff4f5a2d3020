"""No payload whatever is more than rejected."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler_app.intake.fields import decoder_of
from scheduler_app.intake.payload import NothingToRead, Rejected
from tests.unit.stream_reading import (
    ARRIVED,
    LATEST,
    stream_of,
)

STREAMS = [
    'value = "*"\nmap = { ON = 1 }\nscale = 0.1\nexclude = "b"',
    'value = ["a", "b.0"]\nscale = 3\noffset = 0.1\nrange = [-5, 1e300]\ntime = "t"\ntime_format = "rfc2822"',
    'each = "."\nseries = "{topic.2}/{each}/{n}"\nid = "id"',
    'each = "a"\nvalue = "*"\nseries = "{t}/{each}"',
    'each = "a"\nvalue = "v"\ntime = "t"\ntime_format = "%d.%m.%Y %H:%M"\nbad_time = "arrival"',
    'time = "t"\ntime_format = "iso8601"\ntime_zone = "Europe/Berlin"',
    'time = "t"\ntime_format = "iso8601"\ntime_zone = "local"',
    'map = { ON = 1 }\nunit = "W"\ndecimal = ","\npattern = \'([0-9,]+)\'',
    'value = [{ path = ".", name = "x", pattern = "T=([0-9.]+)" }, "a"]',
]
WORDS = st.sampled_from(
    ["a", "b", "t", "n", "v", "id", "number", "epochtime", "ON", "1,5 W", "T=5", "é/+#\0"]
)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text()
    | WORDS
    | st.sampled_from(["0001-01-01T00:00:00", "9999-12-31T23:59:59", "Thu, 26 Nov 2026 20:47:00 +9999"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | WORDS, inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize("text", STREAMS)
@settings(max_examples=60)
@given(
    payload=st.binary()
    | st.text().map(str.encode)
    | ANYTHING.map(lambda content: json.dumps(content).encode())
)
def test_no_payload_whatever_is_more_than_rejected(
    tmp_path_factory: pytest.TempPathFactory, text: str, payload: bytes
) -> None:
    stream = stream_of(tmp_path_factory.getbasetemp() / "any.toml", text)
    try:
        readings, rejections = decoder_of(stream)(payload, "a/b", ARRIVED, LATEST)
    except (Rejected, NothingToRead):
        return
    assert readings or rejections
    for field, time, value, _ in readings:
        assert value - value == 0
        assert time <= LATEST
        assert not set(field) & set("+#\0")
