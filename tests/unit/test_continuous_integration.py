"""What CI runs is what users and contributors are told to type."""

import re
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.conftest import pytest_cmdline_main

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
    assert re.search(r"^\S+/bin/coverage report$", CI, re.MULTILINE)


class Call:
    """What pytest knows of how it was called: of itself the whole suite, where pytest-xdist is installed."""

    def __init__(
        self,
        *,
        args_source: pytest.Config.ArgsSource = pytest.Config.ArgsSource.TESTPATHS,
        markers: str = PYPROJECT["tool"]["pytest"]["ini_options"]["addopts"][-1],
        **options: Any,
    ) -> None:
        self.args_source = args_source
        self.option = SimpleNamespace(**{"numprocesses": None, "dist": "no", "usepdb": False} | options)
        self.option.markexpr = markers

    def getoption(self, name: str) -> Any:
        return getattr(self.option, name)


def test_several_processes_share_the_whole_suite() -> None:
    call = Call()
    pytest_cmdline_main(cast(pytest.Config, call))
    assert 2 <= call.option.numprocesses <= 4
    assert (call.option.dist, call.option.loadscopereorder) == ("loadfile", False)


@pytest.mark.parametrize(
    "call",
    [
        Call(args_source=pytest.Config.ArgsSource.ARGS),
        Call(markers="browser"),
        Call(numprocesses=0),
        Call(usepdb=True),
    ],
    ids=["a path", "a marker", "-n 0", "--pdb"],
)
def test_what_is_named_runs_in_one_process(call: Call) -> None:
    pytest_cmdline_main(cast(pytest.Config, call))
    assert not call.option.numprocesses
    assert call.option.dist == "no"


def test_a_process_that_shares_in_it_begins_no_others() -> None:
    call = Call()
    call.workerinput = {}  # type: ignore[attr-defined]
    pytest_cmdline_main(cast(pytest.Config, call))
    assert call.option.numprocesses is None


def test_without_the_library_one_process_runs_all() -> None:
    call = Call()
    del call.option.numprocesses
    pytest_cmdline_main(cast(pytest.Config, call))
    assert call.option.dist == "no"
