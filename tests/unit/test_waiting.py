"""How long the tests that wait are ready to wait."""

import os

import pytest

from tests.support.waiting import on_this_machine


@pytest.mark.parametrize(("load", "factor"), [(0.0, 1.0), (4.0, 1.0), (6.0, 1.5), (44.0, 11.0)])
def test_a_loaded_machine_is_given_more_time(
    monkeypatch: pytest.MonkeyPatch, load: float, factor: float
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    assert on_this_machine(5.0) == 5.0 * factor
