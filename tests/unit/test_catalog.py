from collections.abc import Iterable
from contextlib import suppress

import pytest

from models.catalog import (
    LEFT_TO_OTHERS,
    LONGEST_NAME,
    MOST_LEVELS,
    SMALL_BRANCH,
    Catalog,
    NewSeries,
    NoSuchSeries,
    SeriesRow,
)
from models.reading import Reading
from tests.unit.stored import begin, series_row


def catalog(*rows: SeriesRow, limit: int = 100) -> Catalog:
    return Catalog(rows, limit)


def refusal(catalog: Catalog, topic: str, field: str = "") -> tuple[str, str]:
    """Return why a series cannot begin; nothing of it may be left."""
    before = list(catalog)
    with pytest.raises(NoSuchSeries) as caught:
        begin(catalog, topic, field, 0, 2100)
    assert list(catalog) == before
    assert len(catalog) == len(before)
    return caught.value.reason, caught.value.detail


def test_a_series_is_found_by_its_topic_and_field() -> None:
    row = SeriesRow(4, "a/b/c", "a/b", "c", 1.5, 2100)
    known = catalog(row, series_row(9, "a/b"))
    assert (known.find("a/b", "c"), known.find("a/b")) == (4, 9)
    assert known.find("a/b/c") is known.find("a", "b/c") is known.find("x") is None
    assert known.row(4) == row
    assert known.row(5) is None
    assert list(known) == [row, series_row(9, "a/b")]
    assert len(known) == 2


def test_a_series_that_is_named_otherwise_is_found_by_its_name_alone() -> None:
    otherwise = SeriesRow(4, "attic", "home/attic", "", 1.5, 2100)
    usual = SeriesRow(5, "home/attic", "home/attic", "", 1.5, 2100)
    for rows in ((otherwise, usual), (usual, otherwise)):
        known = catalog(*rows)
        assert known.find("home/attic") == 5
        assert (known.named("attic"), known.named("home/attic")) == (otherwise, usual)
        assert known.named("x") is None
        known.remove(otherwise)
        assert (known.find("home/attic"), known.named("attic")) == (5, None)
    new = NewSeries()
    known = catalog()
    assert known.begin("home/attic", "", 1.5, 2100, new, name="attic") == -1
    assert new.find("home/attic") is None
    begun = new.named("attic")
    assert begun is not None
    assert begun.id == -1
    assert known.begin("home/attic", "", 1.5, 2100, new) == -2
    assert [row.name for row in new] == ["attic", "home/attic"]


def test_a_series_whose_name_cannot_be_published_gets_no_more_readings_by_its_name() -> None:
    row = SeriesRow(4, "$state", "a", "", 1.5, 2100)
    known = Catalog([row], 100, unpublishable=lambda name: "no" if name.startswith("$") else None)
    assert known.named("$state") is None
    assert list(known) == [row]


def test_a_series_is_named_for_its_topic_and_the_field_below_it() -> None:
    known = catalog()
    plain = begin(known, "home/attic", "", 1.5, 2100)
    field = begin(known, "zigbee2mqtt/kitchen", "state/temperature", 2.5, 99)
    assert plain == (1, "home/attic", "home/attic", "", 1.5, 2100)
    assert field == (
        *(2, "zigbee2mqtt/kitchen/state/temperature", "zigbee2mqtt/kitchen", "state/temperature"),
        *(2.5, 99),
    )
    assert known.find("home/attic") == 1
    assert known.find("zigbee2mqtt/kitchen", "state/temperature") == 2
    assert list(known) == [plain, field]


def test_a_new_series_has_an_id_above_all_that_are_there() -> None:
    known = catalog(series_row(3, "a"), series_row(8, "b"), series_row(5, "c"))
    assert [begin(known, name, "", 0, 1).id for name in "xy"] == [9, 10]


def test_there_may_be_so_many_series_and_no_more() -> None:
    known = catalog(series_row(1, "a"), limit=3)
    begin(known, "b", "", 0, 1)
    last = begin(known, "c", "", 0, 1)
    assert refusal(known, "d") == ("too many series", "there are 3, and MAX_SERIES=3 allows no more")
    known.remove(last)
    begin(known, "d", "", 0, 1)
    assert refusal(known, "c")[0] == "too many series"


def test_the_limits_hold_for_what_one_batch_begins() -> None:
    """Those of the batch are in the catalog only when it is committed, and count before."""
    known = catalog(series_row(1, "a"), limit=3)
    new = NewSeries()
    assert [known.begin(topic, "", 0, 1, new) for topic in "bc"] == [-1, -2]
    with pytest.raises(NoSuchSeries, match="there are 3, and MAX_SERIES=3 allows no more"):
        known.begin("d", "", 0, 1, new)
    assert (len(known), len(new)) == (1, 2)
    assert (known.find("b"), new.find("b"), new.find("c"), new.find("d")) == (None, -1, -2, None)
    known.add(row._replace(id=7 - row.id) for row in new)
    assert (known.find("b"), known.find("c"), len(known)) == (8, 9, 3)


def test_a_batch_that_is_given_up_leaves_nothing() -> None:
    known = catalog(limit=1)
    known.begin("a", "", 0, 1, NewSeries())
    assert known.begin("b", "", 0, 1, NewSeries()) == -1


def test_a_name_is_taken_by_a_series_of_the_same_batch_too() -> None:
    known = catalog()
    new = NewSeries()
    known.begin("a", "b/c", 0, 1, new)
    with pytest.raises(NoSuchSeries, match="a/b/c is another series"):
        known.begin("a/b", "c", 0, 1, new)


def test_a_branch_is_bounded_within_one_batch_too() -> None:
    known = catalog(series_row(1, "home/old"), limit=32)
    new = NewSeries()
    for number in range(23):
        known.begin(f"home/{number}", "", 0, 1, new)
    with pytest.raises(NoSuchSeries, match="24 are there, 24 of them at or below home"):
        known.begin("home/new", "", 0, 1, new)
    assert known.begin("garden/1", "", 0, 1, new) == -24


def test_more_series_than_are_allowed_by_now_are_kept_and_no_other_begins() -> None:
    known = catalog(series_row(1, "a"), series_row(2, "b"), limit=1)
    assert len(known) == 2
    assert refusal(known, "c") == ("too many series", "there are 2, and MAX_SERIES=1 allows no more")


def begin_all(known: Catalog, topics: Iterable[str]) -> int:
    """Return how many series could begin."""
    begun = 0
    for topic in topics:
        with suppress(NoSuchSeries):
            begin(known, topic, "", 0, 1)
            begun += 1
    return begun


def test_one_device_that_makes_up_topics_leaves_a_quarter_to_others() -> None:
    assert (LEFT_TO_OTHERS, SMALL_BRANCH) == (0.25, 0.0625)
    known = catalog(series_row(1, "home/old"), limit=32)
    assert begin_all(known, [f"home/{number}" for number in range(100)]) == 23
    assert refusal(known, "home/new") == (
        "too many series",
        "24 are there, 24 of them at or below home; the rest of MAX_SERIES=32 is kept for smaller branches",
    )
    assert refusal(known, "home", "new")[0] == "too many series"
    assert begin_all(known, [f"garden/{number}" for number in range(100)]) == 2
    assert begin_all(known, ["homestead", "/home", "x/1", "x/2", "x/3", "y", "z"]) == 6
    assert refusal(known, "w") == ("too many series", "there are 32, and MAX_SERIES=32 allows no more")


def test_a_large_branch_that_was_there_first_does_not_help_one_that_makes_up_topics() -> None:
    known = catalog(*(series_row(number, f"home/{number}") for number in range(1, 17)), limit=32)
    assert begin_all(known, [f"bad/{number}" for number in range(100)]) == 8
    assert begin_all(known, ["garden/1", "garden/2"]) == 2


def test_ten_thousand_sensors_of_one_branch_begin_at_once() -> None:
    assert begin_all(catalog(limit=20_000), [f"zigbee2mqtt/{number}" for number in range(20_000)]) == 15_000


def test_fields_of_one_topic_are_bounded_like_topics() -> None:
    known = catalog(limit=8)
    for number in range(6):
        begin(known, "home", f"x{number}", 0, 1)
    assert refusal(known, "home", "x6")[0] == "too many series"
    begin(known, "garden", "x", 0, 1)


def test_what_is_gone_makes_room_for_others_of_its_branch() -> None:
    known = catalog(limit=4)
    first, *_ = [begin(known, f"home/{number}", "", 0, 1) for number in range(3)]
    assert refusal(known, "home/new")[0] == "too many series"
    known.remove(first)
    begin(known, "home/new", "", 0, 1)
    assert refusal(known, "home/newer")[0] == "too many series"


def test_a_branch_that_has_more_than_is_allowed_by_now_keeps_what_it_has() -> None:
    known = catalog(*(series_row(number, f"home/{number}") for number in range(1, 10)), limit=10)
    assert len(known) == 9
    assert refusal(known, "home/new")[0] == "too many series"
    begin(known, "garden/1", "", 0, 1)


def test_a_branch_is_told_by_as_many_levels_as_say_something() -> None:
    """Where all topics begin with `zigbee2mqtt`, each device is a branch, and they may have all series."""
    known = Catalog([], 4, branch_levels=2)
    assert begin_all(known, [f"zigbee2mqtt/{number}" for number in range(9)]) == 4
    known = Catalog([], 4, branch_levels=2)
    assert begin_all(known, [f"zigbee2mqtt/bad/{number}" for number in range(9)]) == 3
    begin(known, "zigbee2mqtt/good", "", 0, 1)


@pytest.mark.parametrize(("limit", "of_one_branch"), [(1, 1), (2, 2), (3, 3), (4, 3), (7, 6), (8, 6)])
def test_where_few_series_may_be_nothing_or_little_is_left_to_others(limit: int, of_one_branch: int) -> None:
    assert begin_all(catalog(limit=limit), [f"home/{number}" for number in range(9)]) == of_one_branch


@pytest.mark.parametrize(("topic", "field"), [("a" * 1024, ""), ("ü" * 512, ""), ("a" * 1000, "b" * 23)])
def test_a_name_may_be_as_long_as_any_broker_takes_it(topic: str, field: str) -> None:
    assert LONGEST_NAME == 1024
    assert len(begin(catalog(), topic, field, 0, 1).name.encode()) == 1024


@pytest.mark.parametrize(
    ("topic", "field"),
    [("a" * 1025, ""), ("ü" * 513, ""), ("a" * 1000, "b" * 24), ("a" * 65_535, ""), ("a", "\ud800" * 600)],
)
def test_a_longer_name_is_refused(topic: str, field: str) -> None:
    assert refusal(catalog(), topic, field) == ("name too long", "1024 bytes are allowed for a series")


@pytest.mark.parametrize(("topic", "field"), [("/" * 189, ""), ("a/b", "/".join("x" * 188))])
def test_a_name_may_have_as_many_levels_as_any_broker_takes(topic: str, field: str) -> None:
    assert len(begin(catalog(), topic, field, 0, 1).name.split("/")) == MOST_LEVELS
    assert refusal(catalog(), f"{topic}/", field) == (
        "name too long",
        "190 levels are allowed for a series",
    )


def test_two_series_never_share_a_name() -> None:
    """Their statistics go out on the topic of that name."""
    known = catalog()
    begin(known, "a", "b/c", 0, 1)
    assert refusal(known, "a/b", "c") == ("name taken", "a/b/c is another series")
    assert refusal(known, "a/b/c") == ("name taken", "a/b/c is another series")
    begin(known, "a/b", "d", 0, 1)


def test_a_series_that_was_removed_may_begin_again_as_another() -> None:
    known = catalog(series_row(1, "a"))
    old = begin(known, "b", "x", 0, 1)
    known.saw([Reading(old.id, 100, 1.0)])
    known.remove(old)
    assert known.find("b", "x") is None
    assert known.row(old.id) is None
    assert old.id not in known.newest
    new = begin(known, "b", "x", 5, 1)
    assert new.name == old.name
    known.remove(new)
    begin(known, "b/x", "", 0, 1)  # the name is free


def test_the_newest_reading_of_each_series_is_remembered() -> None:
    known = catalog(series_row(1, "a"), series_row(2, "b"))
    assert known.newest == {}
    known.saw([Reading(1, 5.0, 1.0), Reading(2, 3.0, 1.0), Reading(1, 7.0, 1.0), Reading(1, 6.0, 1.0)])
    known.saw([Reading(2, 2.0, 1.0)])
    assert known.newest == {1: 7.0, 2: 3.0}


def test_what_is_stored_is_learnt_and_what_has_come_since_is_not_forgotten() -> None:
    known = catalog(series_row(1, "a"), series_row(2, "b"), series_row(3, "c", since=50))
    known.saw([Reading(1, 100.0, 1.0)])
    assert known.learn({1: 90.0, 2: 80.0, 99: 10.0}) is False  # as a step there is no more to do
    assert known.newest == {1: 100.0, 2: 80.0, 3: 50}


def test_a_series_has_aged_out_ten_seconds_after_all_that_it_had_is_pruned() -> None:
    """A tick that was under way may still publish it, and what is cleared must not come again."""
    row, longer = series_row(1, "a"), series_row(2, "b", retention=7200)
    known = catalog(row, longer)
    known.set_pruned(2100, 100.0)
    assert not known.is_aged(row)  # nobody knows yet what it has
    known.saw([Reading(1, 100.5, 1.0), Reading(2, 90.0, 1.0)])
    assert not known.is_aged(row)
    known.set_pruned(2100, 110.4)
    assert not known.is_aged(row)
    known.set_pruned(2100, 110.5)
    assert known.is_aged(row)
    assert not known.is_aged(longer)  # what is kept longer is not pruned so far
    assert (known.pruned(2100), known.pruned(7200)) == (110.5, float("-inf"))


def test_an_old_reading_that_comes_after_all_is_still_to_be_pruned() -> None:
    row, longer = series_row(1, "a"), series_row(2, "b", retention=7200)
    known = catalog(row, longer)
    known.set_pruned(7200, 50.0)
    known.set_pruned(2100, 100.0)
    known.saw([Reading(1, 90.0, 1.0), Reading(1, 60.0, 1.0), Reading(2, 70.0, 1.0)])
    assert known.pruned(2100) < 60.0
    assert known.pruned(7200) == 50.0
    assert not known.is_aged(row)


def test_a_catalog_that_changes_can_be_read_meanwhile() -> None:
    known = catalog(series_row(1, "a"), series_row(2, "b"))
    names = []
    for row in known:
        names.append(row.name)
        begin(known, f"{row.name}/more", "", 0, 1)
    assert names == ["a", "b"]


def no_plus(name: str) -> str | None:
    return "it has a plus" if "+" in name else None


def test_a_name_that_cannot_be_published_begins_no_series() -> None:
    known = Catalog([], 100, unpublishable=no_plus)
    assert refusal(known, "w/+") == refusal(known, "w", "+") == ("name not allowed", "it has a plus")
    assert begin(known, "w/a", "", 0, 1).name == "w/a"


def test_a_stored_series_that_cannot_be_published_gets_no_more_readings_and_ages_out() -> None:
    """Earlier versions took such names."""
    old, good = series_row(1, "w/+"), series_row(2, "a")
    known = Catalog([old, good], 100, unpublishable=no_plus)
    assert list(known) == [old, good]
    assert (known.find("w/+"), known.find("a")) == (None, 2)
    assert refusal(known, "w/+") == ("name not allowed", "it has a plus")
    known.saw([Reading(1, 50.0, 1.0)])
    known.set_pruned(2100, 100.0)
    assert known.is_aged(old)
    known.remove(old)
    assert list(known) == [good]
