"""What CI runs is what users and contributors are told to type."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CI = (ROOT / ".ci" / "run").read_text()
[TEST_COMMAND] = re.findall(r"^test_command='(.*)'$", CI, re.MULTILINE)
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_the_command_that_runs_the_tests_is_told_to_the_letter(name: str) -> None:
    assert TEST_COMMAND in (ROOT / name).read_text().splitlines()
    assert TEST_COMMAND.endswith(".venv/bin/pytest")


def test_the_unit_tests_have_a_command_of_their_own() -> None:
    assert ".venv/bin/pytest tests/unit" in (ROOT / "README.md").read_text().splitlines()


def test_all_folders_of_tests_are_run_and_the_unit_tests_first() -> None:
    folders = {path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
    paths = PYPROJECT["tool"]["pytest"]["ini_options"]["testpaths"]
    assert paths[0] == "tests/unit"
    assert {
        folder for folder in folders if not any(f"{folder}/".startswith(f"{path}/") for path in paths)
    } == set()


def test_a_commit_is_checked_by_what_ci_runs() -> None:
    hooks = re.findall(r"^ +entry: (.+)$", (ROOT / ".pre-commit-config.yaml").read_text(), re.MULTILINE)
    assert len(hooks) == 4
    for hook in hooks:
        if hook.endswith("tests/unit"):
            assert TEST_COMMAND.endswith(hook.split()[0])
        else:
            assert hook in CI.splitlines()


def test_coverage_has_a_floor() -> None:
    report = PYPROJECT["tool"]["coverage"]["report"]
    assert 0 < report["fail_under"] <= 100
    assert re.search(r"^ +\S+/bin/coverage report$", CI, re.MULTILINE)
