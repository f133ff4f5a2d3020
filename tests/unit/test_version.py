"""Which version this is, and what somebody is told whose Python or libraries cannot run it."""

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scheduler_app import management, no_package
from scheduler_app.management import BaseCommand, load_command, main
from scheduler_app.version import version, version_line

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# What a front end calls to build a package, and what it asks first (PEP 517 and PEP 660).
HOOKS = [
    *("get_requires_for_build_sdist", "build_sdist"),
    *("get_requires_for_build_wheel", "prepare_metadata_for_build_wheel", "build_wheel"),
    *("get_requires_for_build_editable", "prepare_metadata_for_build_editable", "build_editable"),
]


def test_the_version_is_that_of_pyproject_toml() -> None:
    assert version() == PYPROJECT["project"]["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version())


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
@pytest.mark.usefixtures("restored_log")
def test_the_version_is_told_in_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(["manage.py", *arguments]) == 0
    assert capsys.readouterr() == (f"{version_line()}\n", "")
    assert version_line().startswith(f"rolling-averages {version()} (Python 3.")


def test_the_image_has_the_file_that_says_the_version() -> None:
    assert "!pyproject.toml" in (ROOT / ".dockerignore").read_text().splitlines()


def test_the_changelog_has_a_section_of_this_version_and_one_for_what_comes() -> None:
    sections = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert sections[:2] == ["Unreleased", version()]


@pytest.mark.parametrize("name", ["manage.py", "scheduler_app/__init__.py"])
def test_older_pythons_can_read_what_tells_them_that_they_are_too_old(name: str) -> None:
    ast.parse((ROOT / name).read_text(), feature_version=(3, 8))


@pytest.mark.parametrize("python", [(3, 8, 18), (3, 10, 13)])
def test_an_older_python_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, python: tuple[int, int, int]
) -> None:
    monkeypatch.setattr(sys, "version_info", python)
    monkeypatch.setattr(sys, "version", ".".join(map(str, python)) + " (main)")
    with pytest.raises(SystemExit) as caught:
        _run_again("scheduler_app/__init__.py")
    assert str(caught.value.code).startswith(
        f"Error: Python 3.11 or newer is needed, and this is {python[0]}."
    )
    assert "\n" not in str(caught.value.code)


def test_the_oldest_python_that_is_allowed_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert PYPROJECT["project"]["requires-python"] == ">=3.11"
    monkeypatch.setattr(sys, "version_info", (3, 11, 0))
    _run_again("scheduler_app/__init__.py")


def _run_again(name: str) -> None:
    spec = importlib.util.spec_from_file_location("again", ROOT / name)
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


@pytest.mark.parametrize("arguments", [["stats"], ["version"]])
@pytest.mark.usefixtures("restored_log")
def test_a_library_that_is_not_installed_is_told_with_the_cure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.delitem(sys.modules, "scheduler_app.log")
    monkeypatch.setitem(sys.modules, "loguru", None)
    # what is imported meanwhile is forgotten again
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    assert main(["manage.py", *arguments]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Error: the library loguru is not installed for ")
    assert err.count("\n") == 1
    assert "manage.py" in err


@pytest.mark.parametrize("made", [True, False])
def test_a_virtual_environment_that_is_there_is_named_as_the_cure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, made: bool
) -> None:
    if made:
        (tmp_path / ".venv").mkdir()
    monkeypatch.setattr(management, "_ROOT", tmp_path)
    making = "'python3 -m venv .venv && .venv/bin/pip install -r requirements.txt' and then "
    assert _missing(capsys, monkeypatch, "google.protobuf") == (
        f"Error: the library google is not installed for {sys.executable}. "
        f"In the folder {tmp_path}, type {'' if made else making}'.venv/bin/python manage.py'\n"
    )


@pytest.mark.parametrize("name", ["scheduler_app.nonsense", "models.nonsense", "manage", "sqlite3", None])
def test_a_module_of_ours_that_is_missing_keeps_its_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    with pytest.raises(ModuleNotFoundError):
        _missing(capsys, monkeypatch, name)


def _missing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str | None) -> str:
    """Return what is told when a command cannot import the module `name`."""

    def handle(self: BaseCommand, options: object, settings: object) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(type(load_command("version")), "handle", handle)
    main(["manage.py", "version", "--log-level", "INFO"])
    return capsys.readouterr().err


@pytest.mark.parametrize("hook", HOOKS)
def test_no_package_is_built_and_what_to_type_is_told_in_one_line(hook: str) -> None:
    with pytest.raises(SystemExit) as caught:
        getattr(no_package, hook)("folder", config_settings=None)
    line = str(caught.value.code)
    assert "\n" not in line
    assert "'python3 -m venv .venv && .venv/bin/pip install -r requirements.txt'" in line
    assert "'uv run manage.py help'" in line


def test_the_backend_that_refuses_is_the_one_that_pip_asks() -> None:
    assert PYPROJECT["build-system"] == {
        "requires": [],
        "build-backend": no_package.__name__,
        "backend-path": ["."],
    }


def test_pip_gets_to_see_the_refusal_before_it_asks_for_anything_else(tmp_path: Path) -> None:
    """As pip calls it: in another folder, with nothing but the backend's folder to import from."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); "
        "from scheduler_app.no_package import get_requires_for_build_wheel as hook; hook()"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, str(ROOT)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Rolling Averages is not installed as a package: ")
    assert done.stderr.count("\n") == 1
