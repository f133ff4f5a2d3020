import time
from pathlib import Path

from config.settings import load_settings
from models.reading import Reading
from models.storage.batch import Batch
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.database import SqliteDatabase
from models.storage.sqlite.store import Store
from scheduler_app.subscriber.monitor import last_presence, tell_what_is_used
from tests.support.damage import damage
from tests.unit.stored import new_series, series_row


def store(path: Path, *times: float) -> None:
    store = Store(writing_database(path), "me")
    batch = Batch(
        readings=[Reading(1, time, 2.0) for time in times],
        series=new_series(*[series_row(1)] if times else []),
    )
    batch.counts["received"] = 1
    store.add(batch)
    store.close()


def test_a_new_database_has_received_nothing(path: Path) -> None:
    assert last_presence(SqliteDatabase(path)) is None


def test_the_newest_reading_tells_when_something_came_last(path: Path) -> None:
    store(path, 1_700_000_000.0, 1_700_000_009.5, 1_700_000_003.0)
    assert last_presence(SqliteDatabase(path)) == 1_700_000_009.5


def test_a_reading_ahead_of_our_clock_came_by_now_at_latest(path: Path) -> None:
    store(path, time.time() + 20)
    last = last_presence(SqliteDatabase(path))
    assert last is not None
    assert last <= time.time()


def test_where_no_reading_is_left_it_is_since_the_counting_began(path: Path) -> None:
    store(path)
    with SqliteDatabase(path).reader() as stored:
        since = stored.counters()["since"]
    assert last_presence(SqliteDatabase(path)) == since


def test_the_start_says_which_database_it_is_and_which_topics_go_in_and_out(
    path: Path, log_lines: list[str]
) -> None:
    store(path, 1_700_000_000.0, 1_700_000_001.0)
    tell_what_is_used(
        load_settings({"db_file": path.name, "topic": "a,b/#", "stats_topic": "S"}),
        SqliteDatabase(Path(path.name)),
    )
    tell_what_is_used(
        load_settings({"db_file": path.name, "topic": "a,b,c,d,e"}), SqliteDatabase(Path(path.name))
    )
    tell_what_is_used(
        load_settings({"db_file": path.name, "topic": "a,b,c,d,e,f"}), SqliteDatabase(Path(path.name))
    )
    begins = f"INFO: the database is {path}, with 2 readings; readings come in on "
    assert log_lines == [
        f"{begins}a, b/#, statistics go out on S",
        f"{begins}a, b, c, d, e, statistics go out on STATS",
        f"{begins}a, b, c, d, e and 1 more, statistics go out on STATS",
    ]


def test_the_start_is_none_the_worse_for_readings_that_cannot_be_counted(
    path: Path, log_lines: list[str]
) -> None:
    store(path, *(1_700_000_000.0 + number for number in range(1000)))
    damage(path, "counter")
    tell_what_is_used(load_settings({"db_file": path.name}), SqliteDatabase(Path(path.name)))
    [line] = log_lines
    assert f"the database is {path}, with readings that cannot be counted; readings come in on DATA" in line
