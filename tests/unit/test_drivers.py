"""Drivers of databases that nothing uses: whether they stay out of memory."""

import importlib
import sys

import pytest

from models.storage.drivers import hidden_drivers


def test_a_driver_is_not_found_while_it_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "psycopg", raising=False)
    with hidden_drivers(), pytest.raises(ImportError):
        importlib.import_module("psycopg")
    assert "psycopg" not in sys.modules


def test_a_driver_that_is_in_use_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", sys)
    with hidden_drivers():
        assert importlib.import_module("psycopg") is sys
    assert sys.modules["psycopg"] is sys
