import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from config.quantities import Window
from models.storage.sqlite.reader import StoreReader, open_as_it_is
from scheduler_app.web.history import (
    MOST_READINGS,
    PATIENCE,
    HistoryReader,
    Row,
    SeriesHistory,
    Span,
    at_readings,
    curve,
    delayed,
    moments_of,
    nice_step,
    thinned,
)
from tests.unit.database_file import RETENTION, store_readings
from tests.unit.stored import series_row

NOW = 1_700_000_000.0
MINUTE = Window("1min", 60.0)


def rows(*pairs: tuple[float, float]) -> list[Row]:
    return [(time, number, value) for number, (time, value) in enumerate(pairs)]


def history(
    found: list[Row],
    span: Span,
    *,
    read_after: float = -math.inf,
    kept_after: float = -math.inf,
) -> SeriesHistory:
    return SeriesHistory(series_row(1), span, found, read_after, kept_after, [])


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[StoreReader]:
    path = tmp_path / "test.db"
    readings = [(NOW - RETENTION + 10 * number, float(number)) for number in range(1, 211)]
    store_readings(path, {"other": readings, "a": readings})
    with open_as_it_is(path) as reader:
        yield reader


def read(
    stored: StoreReader,
    span: Span,
    longest: float = 60.0,
    *,
    most: int = MOST_READINGS,
    patience: float = PATIENCE,
) -> SeriesHistory:
    series = stored.series_named("a")
    assert series is not None
    return HistoryReader(now=lambda: NOW, most=most).read(stored, series, span, longest, patience)


def test_a_span_is_read_with_what_its_windows_need(stored: StoreReader) -> None:
    found = read(stored, Span(NOW - 100, NOW - 50), longest=60.0)
    assert [time - NOW for time, _, _ in found.inside] == [-90, -80, -70, -60, -50]
    assert found.rows[0][0] == NOW - 150
    assert found.begins == NOW - 100
    assert found.rows == sorted(found.rows)


def test_all_that_is_stored_is_read_however_many_pieces_that_takes(stored: StoreReader) -> None:
    found = read(stored, Span(NOW - 1e6, NOW))
    assert [value for _, _, value in found.inside] == [float(number) for number in range(1, 211)]
    assert found.begins == NOW - 1e6


def test_of_too_many_readings_the_newest_are_read(stored: StoreReader) -> None:
    found = read(stored, Span(NOW - 1000, NOW), most=50)
    assert found.begins == NOW - 490  # of that time there may be more readings
    assert [value for _, _, value in found.inside] == [float(number) for number in range(162, 211)]
    assert read(stored, Span(NOW - 1000, NOW), most=1000).begins == NOW - 1000


def test_reading_ends_when_it_takes_too_long(stored: StoreReader) -> None:
    found = read(stored, Span(NOW - 1000, NOW), patience=0.0)
    assert NOW - 1000 < found.begins < NOW
    assert [time for time, _, _ in found.inside] == sorted(
        time for time, _, _ in found.rows if time > found.begins
    )


def test_a_window_is_complete_where_nothing_of_it_was_deleted(stored: StoreReader) -> None:
    series = stored.series_named("a")
    assert series is not None
    reader = HistoryReader(now=lambda: NOW + 100)  # the first ten are too old now
    assert reader.read(stored, series, Span(NOW - 1000, NOW), 60.0).complete_from(MINUTE) == NOW - 1000
    whole = reader.read(stored, series, Span(NOW - 3000, NOW), 60.0)
    assert whole.complete_from(MINUTE) == NOW + 100 - RETENTION + 60


def test_a_series_that_has_lost_nothing_yet_is_complete_from_its_beginning(stored: StoreReader) -> None:
    assert read(stored, Span(NOW - 3000, NOW)).complete_from(MINUTE) == NOW - 3000


def test_a_curve_is_the_exact_average_at_each_moment_and_nothing_where_there_is_none() -> None:
    found = history(rows((10.0, 0.1), (20.0, 0.2), (30.0, 0.3), (200.0, 5.0)), Span(0.0, 300.0))
    moments = [5.0, 10.0, 30.0, 70.0, 80.0, 90.0, 200.0, 259.0, 260.0]
    assert curve(found, MINUTE, moments) == [
        *(None, 0.1, math.fsum([0.1, 0.2, 0.3]) / 3, math.fsum([0.2, 0.3]) / 2),
        *(0.3, None, 5.0, 5.0, None),
    ]


def test_moments_are_whole_multiples_and_none_lies_ahead() -> None:
    found = history([], Span(1003.0, 1103.0))
    assert moments_of(found, 10, now=1e9) == [1010.0 + 10 * number for number in range(10)]
    assert moments_of(found, 10, now=1050.0) == [1010.0, 1020.0, 1030.0, 1040.0, 1050.0]
    assert moments_of(found, 10, now=900.0) == []
    assert len(moments_of(history([], Span(0.0, 2100.0)), 1000, now=1e9)) <= 1000


@pytest.mark.parametrize(
    ("least", "step"),
    [
        (0.0, 0.1),
        (0.1, 0.1),
        (0.11, 0.2),
        (2.1, 5.0),
        (43200.0, 43200.0),
        (43201.0, 86400.0),
        (86401.0, 172800.0),
    ],
)
def test_the_distance_of_moments_is_one_that_people_count_in(least: float, step: float) -> None:
    assert nice_step(least) == step


def test_averages_at_readings_are_left_out_where_their_window_is_not_whole() -> None:
    found = history(rows((10.0, 1.0), (40.0, 3.0), (100.0, 4.0)), Span(20.0, 300.0), kept_after=-21.0)
    assert at_readings(found, MINUTE) == [2.0, 4.0]
    found = history(found.rows, found.span, kept_after=-19.9)  # type: ignore[arg-type]
    assert at_readings(found, MINUTE) == [None, 4.0]


def test_few_readings_are_shown_as_they_are() -> None:
    found = rows(*((float(number), 0.0) for number in range(10)))
    assert thinned(found, 10) == found


def test_of_many_readings_the_lowest_and_highest_are_shown() -> None:
    found = rows(*((float(number), float(number % 7)) for number in range(1000)))
    found[500] = (500.0, 500, 99.0)
    found[700] = (700.0, 700, -99.0)
    shown = thinned(found, 20)
    assert len(shown) <= 20
    assert shown == sorted(shown)
    assert {found[500], found[700]} <= set(shown)


def test_readings_of_one_time_can_be_thinned() -> None:
    shown = thinned(rows(*((1.0, float(number)) for number in range(30))), 10)
    assert [value for _, _, value in shown] == [0.0, 29.0]


def test_delayed_are_those_that_were_taken_in_after_a_later_one() -> None:
    assert delayed([(1.0, 1, 0.0), (2.0, 5, 0.0), (3.0, 2, 0.0), (4.0, 3, 0.0), (5.0, 6, 0.0)]) == [2.0]
    assert delayed(rows((1.0, 0.0), (1.0, 0.0), (2.0, 0.0))) == []


def test_the_log_of_the_database_can_be_emptied_between_two_pieces(
    stored: StoreReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes is never held up for longer than one piece takes."""
    busy: list[int] = []
    with closing(sqlite3.connect(tmp_path / "test.db", timeout=0)) as writer:
        read_piece = stored.readings_between

        def piece(series: int, after: float, until: float, limit: int) -> list[Row]:
            with writer:
                writer.execute("INSERT OR REPLACE INTO counter VALUES ('', 'stored', ?)", (len(busy),))
            busy.append(writer.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()[0])
            return read_piece(series, after, until, limit)

        monkeypatch.setattr(stored, "readings_between", piece)
        assert len(read(stored, Span(NOW - 1e6, NOW)).inside) == 210
    assert len(busy) > 3
    assert set(busy) == {0}
