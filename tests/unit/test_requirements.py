"""Which releases are installed: exactly these, with their hashes, and in agreement with pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [f"requirements{of}.txt" for of in ("", "-dev", "-broker", "-formats", "-postgresql", "-browser")]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
REQUIREMENT = re.compile(
    r"^([\w.-]+)==([\w.]+)( ; [^\\]+)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)"
)


def releases(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Return for each package of a file its version and its hashes; fail for a line that is no such thing."""
    text = "".join(
        line
        for line in (ROOT / name).read_text().splitlines(keepends=True)
        if not line.lstrip().startswith("#")
    )
    found = {}
    while text:
        requirement = REQUIREMENT.match(text)
        assert requirement, f"{name} has no requirement with hashes at {text[:80]!r}"
        found[requirement[1]] = (requirement[2], frozenset(re.findall(r"[0-9a-f]{64}", requirement[4])))
        text = text[requirement.end() :]
    return found


def packages(requirements: list[str]) -> set[str]:
    """Return the names in a list of pyproject.toml, written as installers compare them (PEP 503)."""
    return {re.sub(r"[-_.]+", "-", re.split(r"[\[><=~! ]", text)[0]).lower() for text in requirements}


@pytest.mark.parametrize("name", FILES)
def test_each_requirement_is_one_release_with_its_hashes_and_nothing_else(name: str) -> None:
    """No address of an index either: where packages come from is the user's to say."""
    assert releases(name)


@pytest.mark.parametrize("name", FILES)
def test_the_file_says_by_which_command_it_was_made(name: str) -> None:
    command = (ROOT / name).read_text().splitlines()[1].removeprefix("#").strip()
    assert command.endswith(f"-o {name}")
    assert command in (ROOT / "CONTRIBUTING.md").read_text()


def test_what_runs_is_tested_in_the_same_releases() -> None:
    tested = releases("requirements-dev.txt")
    for package, release in releases("requirements.txt").items():
        assert tested[package] == release


def test_everything_that_pyproject_toml_asks_for_is_installed() -> None:
    groups = PYPROJECT["dependency-groups"]
    runs = packages(PYPROJECT["project"]["dependencies"])
    assert runs <= releases("requirements.txt").keys()
    assert packages(groups["dev"]) <= releases("requirements-dev.txt").keys()
    assert packages(groups["broker"]) == releases("requirements-broker.txt").keys()
    assert packages(groups["formats"]) == releases("requirements-formats.txt").keys()
    assert packages(groups["postgresql"]) <= releases("requirements-postgresql.txt").keys()
    assert packages(groups["browser"]) <= releases("requirements-browser.txt").keys()
    assert not packages(groups["dev"]) & releases("requirements.txt").keys()
