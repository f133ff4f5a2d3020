"""The order in which `pytest` runs the tests: the quick ones first, so that a mistake shows soon."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_unit_tests_run_first_and_no_folder_is_forgotten(pytestconfig: pytest.Config) -> None:
    paths = pytestconfig.getini("testpaths")
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py")}
    assert paths[0] == "tests/unit"
    assert {folder for folder in folders if not any(map(folder.is_relative_to, paths))} == set()
