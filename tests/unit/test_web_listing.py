import pytest

from config.settings import load_settings
from scheduler_app.console.order import Order
from scheduler_app.web.listing import Listing, Wanted
from scheduler_app.web.live import LiveStatistics
from tests.unit.messages import message
from tests.unit.series_messages import AT, payload


@pytest.fixture
def live() -> LiveStatistics:
    found = LiveStatistics(load_settings())
    for name, last, last_time, average in (
        ("room/10", 3.0, AT - 1, 1.0),
        ("room/9", 1.0, AT - 3, None),
        ("hall/2", 2.0, AT - 2, 2.0),
    ):
        windows = {
            "5min": {"count": int(last) + 1, "avg": last},
            "1min": {"count": 1 if average else 0, "avg": average},
        }
        content = payload(name, last={"value": last, "time": last_time}, windows=windows)
        found.take(message(content, f"STATS/{name}"))
    return found


def names(live: LiveStatistics, wanted: Wanted) -> list[str]:
    rows = Listing(live).rows(wanted, AT)["series"]
    assert isinstance(rows, list)
    return [row["name"] for row in rows]


@pytest.mark.parametrize(
    ("column", "ascending"),
    [
        ("name", ["hall/2", "room/9", "room/10"]),
        ("last", ["room/9", "hall/2", "room/10"]),
        ("age", ["room/10", "hall/2", "room/9"]),
        ("count", ["room/9", "hall/2", "room/10"]),
        ("5min", ["room/9", "hall/2", "room/10"]),
    ],
)
def test_each_column_sorts_both_ways(live: LiveStatistics, column: str, ascending: list[str]) -> None:
    assert names(live, Wanted(order=Order(column))) == ascending
    assert names(live, Wanted(order=Order(column, descending=True))) == ascending[::-1]


def test_what_has_no_value_comes_last_both_ways(live: LiveStatistics) -> None:
    assert names(live, Wanted(order=Order("1min"))) == ["room/10", "hall/2", "room/9"]
    assert names(live, Wanted(order=Order("1min", descending=True))) == ["hall/2", "room/10", "room/9"]


def test_a_window_that_no_series_has_leaves_the_order_of_names(live: LiveStatistics) -> None:
    assert names(live, Wanted(order=Order("7min"))) == ["hall/2", "room/9", "room/10"]


def test_limit_and_offset_cut_what_was_found(live: LiveStatistics) -> None:
    answer = Listing(live).rows(Wanted("room", limit=1, offset=1), AT)
    assert [row["name"] for row in answer["series"]] == ["room/10"]  # type: ignore[attr-defined]
    assert (answer["total"], answer["matching"], answer["at"]) == (3, 2, AT)
    assert names(live, Wanted(offset=3)) == []


def test_what_was_sorted_is_sorted_anew_when_something_has_changed(live: LiveStatistics) -> None:
    listing = Listing(live)
    assert len(listing.rows(Wanted(), AT)["series"]) == 3  # type: ignore[arg-type]
    live.take(message(payload("new"), "STATS/new"))
    live.version += 1
    assert len(listing.rows(Wanted(), AT)["series"]) == 4  # type: ignore[arg-type]


def test_the_windows_are_named_with_the_statistic_that_all_series_show(live: LiveStatistics) -> None:
    windows = Listing(live).rows(Wanted(), AT)["windows"]
    assert windows == [
        {"name": "1min", "seconds": 60.0, "statistic": "avg"},
        {"name": "5min", "seconds": 300.0, "statistic": "avg"},
    ]
    other = payload("max", windows={"1min": {"count": 1, "max": 1.0}})
    live.take(message(other, "STATS/max"))
    live.version += 1
    windows = Listing(live).rows(Wanted(), AT)["windows"]
    assert isinstance(windows, list)
    assert [window["statistic"] for window in windows] == [None, "avg"]
    assert Listing(live).windows_of("max") == ("1min",)
    assert Listing(live).windows_of("room/9") == ("1min", "5min")
    assert Listing(live).windows_of("none") == ()


def test_one_series_is_what_it_is_in_the_list(live: LiveStatistics) -> None:
    listing = Listing(live)
    rows = listing.rows(Wanted("hall"), AT)["series"]
    assert [listing.one("hall/2")] == rows
    assert listing.one("hall") is None


def test_rows_are_kept_in_so_many_orders_and_no_more(live: LiveStatistics) -> None:
    listing = Listing(live)
    for number in range(1, 9):
        listing.rows(Wanted(order=Order(f"{number}min")), AT)
    assert len(listing._sorted) == 8
    listing.rows(Wanted(), AT)
    assert list(listing._sorted) == [Order("name")]


def test_a_series_that_has_ended_is_not_listed_any_more(live: LiveStatistics) -> None:
    listing = Listing(live)
    assert listing.rows(Wanted(), AT)["matching"] == 3
    live.take(message(b"", "STATS/hall/2"))
    assert listing.rows(Wanted(), AT)["matching"] == 2


def test_very_many_windows_get_no_column_each(live: LiveStatistics) -> None:
    windows = {f"{number}min": {"count": 1, "avg": 1.0} for number in range(1, 52)}
    live.take(message(payload("many", windows=windows), "STATS/many"))
    shown = Listing(live).rows(Wanted(), AT)["windows"]
    assert isinstance(shown, list)
    assert [window["name"] for window in shown] == [f"{number}min" for number in range(1, 51)]
