from pathlib import Path

import pytest

from config.settings import load_settings
from models.catalog import Catalog, NoSuchSeries
from models.storage.connection import writing_database
from models.storage.opening import prepare
from models.storage.store import Store
from scheduler_app.subscriber.plans import open_catalog
from tests.unit.stored import begin


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
