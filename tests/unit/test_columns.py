from array import array

import pytest

from models.storage.sqlite import columns
from models.storage.sqlite.columns import pack, pack_series, unpack


@pytest.mark.parametrize(
    ("most", "bytes_each"), [(0, 1), (255, 1), (256, 2), (65_535, 2), (65_536, 4), (2**32 - 1, 4), (2**32, 8)]
)
def test_whole_numbers_take_few_bytes(most: int, bytes_each: int) -> None:
    numbers = array("Q", [most, 0, 7])
    packed = pack(numbers, array("d", [0.1, -1e300, 5e-324]))
    assert len(packed) == 3 + 3 * (bytes_each + 8)
    assert [list(column) for column in unpack(packed)] == [[most, 0, 7], [0.1, -1e300, 5e-324]]


def test_no_rows_are_no_rows() -> None:
    assert [list(column) for column in unpack(pack(array("Q"), array("d")))] == [[], []]


def test_a_file_may_go_to_a_machine_that_has_its_bytes_the_other_way_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packed, series = pack(array("Q", [258, 1]), array("d", [0.1, 2.5])), pack_series([258, 3])
    assert series == b"\x02\x01\x03\x00"
    monkeypatch.setattr(columns, "_SWAPPED", True)
    # by what such a machine would store of the swapped numbers, it stores the same as we
    assert pack_series([0x0201, 0x0300]) == series
    assert [list(column) for column in unpack(pack(*unpack(packed)))] == [
        list(column) for column in unpack(packed)
    ]


def test_a_series_is_found_by_the_last_bits_of_its_id() -> None:
    """Where two have the same, a history reads what it need not, and misses nothing."""
    packed = pack_series([7, 65_536 + 9, 70_000])
    assert all(pack_series([number]) in packed for number in (7, 9, 65_536 + 9, 70_000))
    assert pack_series([8]) not in packed
