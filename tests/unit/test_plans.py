from pathlib import Path

import pytest

from config.settings import load_settings
from models.catalog import Catalog, NoSuchSeries, SeriesRow
from models.statistics.hand_over import HandOver
from models.statistics.rules import Rules
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.database import SqliteDatabase
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.store import Store
from scheduler_app.subscriber.plans import open_catalog, rolling_statistics
from tests.unit.stored import begin

NOW = 1_700_000_000.0


def catalog(path: Path, topic: str) -> Catalog:
    prepare(path)
    store = Store(writing_database(path), "me")
    opened = open_catalog(load_settings({"topic": topic, "max_series": "4"}), store)
    store.close()
    return opened


def begun(known: Catalog, topics: list[str]) -> list[str]:
    """Return which of these series could begin."""
    found = []
    for topic in topics:
        try:
            found.append(begin(known, topic).name)
        except NoSuchSeries:
            continue
    return found


@pytest.mark.parametrize("topic", ["#", "zigbee2mqtt/+,home/#"])
def test_one_first_level_leaves_series_to_the_others(tmp_path: Path, topic: str) -> None:
    topics = [f"zigbee2mqtt/{number}" for number in range(9)]
    assert begun(catalog(tmp_path / "test.db", topic), [*topics, "home/x"]) == [*topics[:3], "home/x"]


def test_where_all_topics_share_a_level_it_sets_none_of_them_apart(tmp_path: Path) -> None:
    known = catalog(tmp_path / "test.db", "zigbee2mqtt/#")
    topics = [f"zigbee2mqtt/bad/{number}" for number in range(9)]
    assert begun(known, [*topics, "zigbee2mqtt/x"]) == [*topics[:3], "zigbee2mqtt/x"]


RULED = """
[[stream]]
topic = "a"
windows = "1min"
statistics = ["rate", "avg"]
hold = "10min"
reset_below = 0.5
per = "1h"
overall = false

[[stream]]
topic = "b"
"""


def test_a_series_is_computed_by_what_its_stream_says(tmp_path: Path) -> None:
    """One that no stream names any more has its average, and is in the averages over all readings."""
    path = tmp_path / "streams.toml"
    path.write_text(RULED)
    settings = load_settings({"streams_file": str(path), "windows": "5min"})
    rows = [SeriesRow(number, name, name, "", NOW, 2100.0) for number, name in enumerate("abc", start=1)]
    statistics = rolling_statistics(
        *(settings, SqliteDatabase(path).source(), Catalog(rows, 10), HandOver()),
        when_loaded=lambda newest: None,
        when_failed=lambda name: None,
        look=lambda: None,
    )
    found = [statistics._layout.look_up(number) for number in (1, 2, 3)]
    a, b, c = [plan for _, plan in filter(None, found)]
    assert (a.names, a.windows) == (("count", "coverage", "age", "rate", "avg"), (("1min", 60_000),))
    # back to what may hold when the window begins
    assert a.rules == Rules(hold=600.0, reset_below=0.5, per=3600.0, reach=60.0 + 600.0)
    assert not a.overall
    for plan in (b, c):
        assert (plan.names, plan.windows) == (("count", "coverage", "avg"), (("5min", 300_000),))
        assert plan.overall
