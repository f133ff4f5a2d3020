import pytest

from scheduler_app.web.names import has_words, natural_key, search_words


def test_numbers_in_names_sort_as_numbers() -> None:
    names = ["room/10", "room/9", "Room/1", "room/9/b", "room/a", "room/010", "a", "room"]
    assert sorted(names, key=natural_key) == [
        *("a", "room", "Room/1", "room/9", "room/9/b", "room/010", "room/10", "room/a")
    ]


def test_names_that_read_alike_have_one_order() -> None:
    assert natural_key("a/1") != natural_key("a/01")
    assert natural_key("A") != natural_key("a")


@pytest.mark.parametrize("name", ["1" * 18, "1" * 19, "1" * 10_000, "²", "١٢", ""])
def test_every_name_can_be_compared_with_every_other(name: str) -> None:
    assert sorted([name, "1", "a", "b1"], key=natural_key)


def test_a_search_finds_names_that_hold_all_its_words_in_any_order() -> None:
    words = search_words("Kitchen  TEMP")
    assert words == ("kitchen", "temp")
    assert has_words("home/kitchen/temperature", words)
    assert has_words("temperature/kitchen", words)
    assert not has_words("home/kitchen/humidity", words)


def test_a_search_without_words_finds_all() -> None:
    assert has_words("a", search_words(" "))


def test_each_of_very_many_words_counts_once() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = search_words(" ".join(letters + letters))
    assert len(words) == 26
    assert has_words(letters, words)
    assert not has_words(letters.removesuffix("z"), words)
