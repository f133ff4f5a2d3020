"""The table in docs/brokers.md is about the brokers that are tried, and was written by the tests."""

import re
from collections import Counter
from itertools import product

from tests.brokers.brokers import BROKERS
from tests.brokers.recording import packets
from tests.brokers.scenarios import SCENARIOS
from tests.brokers.table import BEGIN, END, HEADINGS, PAGE, Cell, read_table, table
from tests.faults.load import Kind
from tests.faults.verdict import Verdict


def cell(sent: str, stored: str, *, lost_by_broker: bool = False) -> str:
    return str(
        Cell(
            Verdict(Counter(sent), Counter(sent), Counter(stored), duplicates=0),
            lost_by_broker=lost_by_broker,
        )
    )


def test_a_cell_says_what_has_become_of_the_readings() -> None:
    assert cell("abc", "abc") == "exact"
    assert cell("abc", "abccc") == "2 of 3 double"
    assert cell("abc", "ab") == "LOST 1 of 3"
    assert cell("abc", "ab", lost_by_broker=True) == "the broker forgot 1 of 3"
    assert cell("abc", "aab") == "LOST 1 of 3"


def test_the_rows_are_the_brokers_that_are_tried_and_no_cell_says_lost() -> None:
    written = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    lines = [line.strip("| ").split(" | ") for line in written.splitlines() if line.startswith("| ")]
    assert lines[0] == ["broker", "readings", *HEADINGS.values()]
    assert [line[:2] for line in lines[1:]] == [[name, kind.value] for name in BROKERS for kind in Kind]
    assert list(HEADINGS) == list(SCENARIOS)
    for line in lines[1:]:
        assert all(
            re.fullmatch(r"exact|\d+ of \d+ double|the broker forgot \d+ of \d+", one) for one in line[2:]
        )
        # with ids nothing is double, whatever the broker
        assert line[1] != Kind.IDS or not any("double" in one for one in line[2:])


def test_the_table_has_a_row_for_each_broker_and_kind_and_can_be_read_again() -> None:
    cells = {
        (broker, scenario, kind.value): f"{number} of 99 double"
        for number, (broker, kind, scenario) in enumerate(product(BROKERS, Kind, SCENARIOS))
    }
    assert len(table(cells).splitlines()) == 2 + len(BROKERS) * len(Kind)
    assert read_table(table(cells)) == cells
    assert read_table("") == {}
    assert set(read_table(table({})).values()) == {"not tried"}


def test_packets_are_found_in_what_has_passed() -> None:
    large = b"\x32\xc8\x01" + bytes(200)
    assert list(packets(b"\x40\x02\x00\x07" + large + b"\x32\x05ab")) == [(0x40, b"\0\7"), (0x32, bytes(200))]
    assert list(packets(b"")) == list(packets(b"\x40")) == []
