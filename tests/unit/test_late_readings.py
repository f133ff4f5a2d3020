"""What is late is told with its age and a cure, or taken at its arrival where the stream says so."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from loguru import logger

from scheduler_app.intake.lateness import MOST_TOPICS, LateReadings
from scheduler_app.log import LogLimit
from tests.unit.messages import NOW, message
from tests.unit.rules_service import RulesService
from tests.unit.stream_reading import refusal, stream_of

KEPT = "readings there are kept for 35min"
AT_ARRIVAL = 'late_as = "arrival" in its stream (STREAMS_FILE) takes such readings at their arrival'


@pytest.fixture
def lines() -> Iterator[list[str]]:
    lines: list[str] = []
    handler = logger.add(lambda line: lines.append(line.record["message"]), level="WARNING")
    yield lines
    logger.remove(handler)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def warned(path: Path, lines: list[str], time: float, keys: str = "", *, retained: bool = False) -> str:
    LateReadings(LogLimit()).warn(time, message(b"", retained=retained), stream_of(path, keys))
    [line] = lines
    return line


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (12, "is 19675d old (1970-01-01 00:00:12 UTC)"),
        (978307199, "is 8352d old (2000-12-31 23:59:59 UTC)"),
        (NOW - 1e12 + 1, "is 11574074d old (-998299999999 UTC)"),
        (NOW - 1e12, "is 1e+12s old (-998300000000 UTC)"),
        (-1e300, "is 1e+300s old (-1e+300 UTC)"),
    ],
)
def test_a_clock_that_was_never_set_is_told(tmp_path: Path, lines: list[str], time: float, said: str) -> None:
    assert warned(tmp_path / "s.toml", lines, time) == (
        f"late: a reading on 'DATA' {said}, and {KEPT}: its clock was never set? {AT_ARRIVAL}"
    )


@pytest.mark.parametrize(
    ("said", "sent", "is_in"), [("ms", 1.0, "seconds"), ("us", 1e3, "milliseconds"), ("ns", 1.0, "seconds")]
)
def test_a_time_in_a_larger_unit_than_the_stream_says_is_told(
    tmp_path: Path, lines: list[str], said: str, sent: float, is_in: str
) -> None:
    """It lies in 1970, as that of a clock that was never set does."""
    time = (NOW - 60) * sent / {"ms": 1e3, "us": 1e6, "ns": 1e9}[said]
    keys = f'time = "t"\ntime_format = "{said}"'
    line = warned(tmp_path / "s.toml", lines, time, keys)
    assert line.endswith(f"{KEPT}: looks like {is_in}: is time_format right?")
    lines.clear()
    assert warned(tmp_path / "s.toml", lines, 12.0, keys).endswith(AT_ARRIVAL)


@pytest.mark.parametrize("time", [978307200, NOW - 2100, NOW - 7 * 3600])
def test_a_clock_that_is_behind_is_told(tmp_path: Path, lines: list[str], time: float) -> None:
    """Numbers have no zone: that they are hours behind says nothing."""
    line = warned(tmp_path / "s.toml", lines, time)
    assert line.endswith(f"{KEPT}: a clock that is behind, or sent late? {AT_ARRIVAL}")


@pytest.mark.parametrize(
    ("behind", "zone", "hint"),
    [
        (7 * 3600 + 299, "", "about 7 h behind: a local time? set time_zone"),
        (7 * 3600 + 301, "", f"a clock that is behind, or sent late? {AT_ARRIVAL}"),
        (3600, 'time_zone = "Asia/Tokyo"', "about 1 h behind: is time_zone right?"),
    ],
)
@pytest.mark.parametrize("time_format", ["iso8601", "%Y-%m-%d %H:%M:%S"])
def test_a_date_that_is_behind_by_hours_is_probably_local(
    tmp_path: Path, lines: list[str], *, time_format: str, behind: float, zone: str, hint: str
) -> None:
    keys = f'time = "t"\ntime_format = "{time_format}"\n{zone}'
    assert warned(tmp_path / "s.toml", lines, NOW - behind, keys).endswith(f"{KEPT}: {hint}")


def test_of_a_retained_copy_it_is_said_how_it_would_be_kept(tmp_path: Path, lines: list[str]) -> None:
    line = warned(tmp_path / "s.toml", lines, NOW - 9000, retained=True)
    assert line.endswith("it is a retained copy; a longer hold, or a longer window, keeps such readings")


def test_it_is_told_once_a_minute_for_each_topic(tmp_path: Path, lines: list[str]) -> None:
    clock = Clock()
    late = LateReadings(LogLimit(clock=clock))
    stream = stream_of(tmp_path / "s.toml", "")
    for now, topics in ((0.0, "aab"), (59.9, "ab"), (60.0, "a")):
        clock.now = now
        for topic in topics:
            late.warn(12, message(b"", topic), stream)
    assert [line.split("'")[1] for line in lines] == ["a", "b", "a"]
    assert lines[-1].endswith(f"{AT_ARRIVAL} (2 more like it since the last such line)")


@pytest.mark.parametrize("more", [0, 1, 5])
def test_of_very_many_topics_some_share_a_line(tmp_path: Path, lines: list[str], more: int) -> None:
    late = LateReadings(LogLimit(clock=Clock()))
    stream = stream_of(tmp_path / "s.toml", "")
    for number in range(MOST_TOPICS + more):
        late.warn(12, message(b"", f"t/{number}"), stream)
    assert len(lines) == MOST_TOPICS + min(more, 1)


def test_of_a_long_topic_the_beginning_is_shown(tmp_path: Path, lines: list[str]) -> None:
    late = LateReadings(LogLimit(clock=Clock()))
    stream = stream_of(tmp_path / "s.toml", "")
    for length in (200, 201):
        late.warn(12, message(b"", "t" * length), stream)
    assert [line.split("'")[1] for line in lines] == ["t" * 200]


def test_the_writer_tells_what_it_counts_as_late(tmp_path: Path, lines: list[str]) -> None:
    service = RulesService(tmp_path, "")
    service.take(message(b'{"number": 1, "epochtime": %r}' % (NOW - 2100)))
    service.take(message(b'{"number": 1, "epochtime": %r}' % (NOW - 2099), packet_id=2))
    assert service.counts == {"received": 2, "stored": 1, "late": 1}
    assert [line[:35] for line in lines] == ["late: a reading on 'DATA' is 35min "]
    service.store.close()


def test_a_stream_may_take_them_at_their_arrival(tmp_path: Path, lines: list[str]) -> None:
    service = RulesService(tmp_path, 'late_as = "arrival"')
    for number, time in enumerate((12.0, NOW - 2100, NOW - 2099), 1):
        payload = b'{"number": %d, "epochtime": %r}' % (number, time)
        service.take(message(payload, packet_id=number, arrived=NOW))
    assert service.readings == [("DATA", NOW - 2099, 3.0), ("DATA", NOW, 1.0), ("DATA", NOW, 2.0)]
    assert service.counts == {"received": 3, "stored": 3}
    assert lines == []
    service.store.close()


def test_what_is_taken_at_its_arrival_has_no_implied_id(tmp_path: Path) -> None:
    """Its time says nothing: a clock that stands still would have all its readings dropped."""
    service = RulesService(tmp_path, 'late_as = "arrival"\nimplied_id = true')
    for number in (1, 2):
        service.take(message(b'{"number": 3, "epochtime": 12}', packet_id=number, arrived=NOW + number))
    assert service.readings == [("DATA", NOW + 1, 3.0), ("DATA", NOW + 2, 3.0)]
    service.store.close()


def test_a_time_that_is_ahead_is_no_late_one(tmp_path: Path) -> None:
    service = RulesService(tmp_path, 'late_as = "arrival"')
    service.take(message(b'{"number": 3, "epochtime": %r}' % (NOW + 31)))
    assert service.counts == {"received": 1, "rejected": 1}
    service.store.close()


def test_another_word_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "s.toml", 'late_as = "now"') == (
        "line 3: late_as = now must be late or arrival"
    )
