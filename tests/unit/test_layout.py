"""Holds the folders apart: which file imports what, and a few habits that can be read off the code."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("config", "models", "jobs", "scheduler_app")
FILES = [ROOT / "manage.py", *sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]
# Each library has one door.
DOORS = {
    "paho": {"scheduler_app/mqtt/client.py"},
    "tabulate": {"scheduler_app/console/table.py"},
    "plotext": {"scheduler_app/console/plot.py"},
    "apscheduler": {"scheduler_app/runtime/scheduler.py"},
    "iotcore": {"scheduler_app/mqtt/embedded_broker.py"},
    "pydantic": {"config/settings.py"},
    "pydantic_settings": {"config/settings.py"},
}
# What of the project each folder may import.
ALLOWED = {
    "config": {"config"},
    "models": {"models"},
    "jobs": {"jobs", "models", "config"},
    "scheduler_app": {"scheduler_app", "jobs", "models", "config"},
}


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the names of all modules that are imported, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield f"{'.' * node.level}{node.module or ''}"


@cache
def packages(path: Path) -> frozenset[str]:
    """Return the top-level packages that a file imports."""
    return frozenset(name.partition(".")[0] for name in imported(ast.parse(path.read_text())))


def importers(package: str) -> set[str]:
    """Return the files that import `package`."""
    return {path.relative_to(ROOT).as_posix() for path in FILES if package in packages(path)}


def test_the_walk_finds_imports_wherever_they_stand() -> None:
    tree = ast.parse("import a.b, c\ndef f():\n    from d.e import g\nif x:\n    from .h import i")
    assert list(imported(tree)) == ["a.b", "c", "d.e", ".h"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_are_absolute(path: Path) -> None:
    assert "" not in packages(path)


@pytest.mark.parametrize("folder", FOLDERS)
def test_imports_point_one_way(folder: str) -> None:
    own = {*FOLDERS, "tests", "manage"}
    used = {package for path in FILES if ROOT / folder in path.parents for package in packages(path)}
    assert used & own <= ALLOWED[folder]
    assert folder == "config" or used & own  # or the walk has found nothing


@pytest.mark.parametrize("library", DOORS)
def test_a_library_has_one_door(library: str) -> None:
    assert importers(library) == DOORS[library]


def test_peewee_is_known_to_the_models_alone() -> None:
    users = importers("peewee")
    assert users
    assert all(name.startswith("models/") for name in users)


def test_jobs_know_neither_mqtt_nor_the_scheduler() -> None:
    used = {package for path in FILES if path.parent == ROOT / "jobs" for package in packages(path)}
    assert not used & {"paho", "apscheduler", "scheduler_app", "peewee"}


@pytest.mark.parametrize(
    "name", ["config/quantities.py", "config/topics.py", "config/text.py", "config/broker_address.py"]
)
@pytest.mark.parametrize("own", FOLDERS)
def test_the_pure_parts_import_nothing_of_the_project(name: str, own: str) -> None:
    assert own not in packages(ROOT / name)


# What only computes, and what of the project it may use for that.
COMPUTING: dict[str, set[str]] = {
    "models/statistics/exact.py": set(),
    "models/statistics/grid.py": set(),
    "models/statistics/sums.py": {"models.statistics.exact", "models.statistics.grid"},
    "models/statistics/ordered.py": {"models.statistics.exact"},
    "models/statistics/formulas.py": {"models.statistics.exact", "models.statistics.ordered"},
    "models/catalog.py": set(),
    "scheduler_app/intake/payload.py": set(),
    "models/series_message.py": set(),
    "scheduler_app/publishing/messages.py": {"config.quantities", "config.text", "models.series_message"},
    "scheduler_app/intake/fields.py": {"config.streams", "models.catalog", "scheduler_app.intake.payload"},
}


@pytest.mark.parametrize("name", COMPUTING)
def test_what_only_computes_needs_the_standard_library_alone(name: str) -> None:
    standard = {
        *("abc", "array", "bisect", "collections", "collections.abc", "dataclasses", "datetime", "enum"),
        *("functools", "hashlib", "itertools", "json", "math", "re", "typing"),
    }
    assert set(imported(ast.parse((ROOT / name).read_text()))) <= standard | COMPUTING[name]


def test_streams_and_series_know_no_library() -> None:
    """The stream file is read with what Python brings; the rows of the catalog are no models of peewee."""
    assert not packages(ROOT / "config/streams.py") & {"pydantic", "peewee", "paho"}
    assert packages(ROOT / "config/streams.py") - sys.stdlib_module_names == {"config"}


def test_the_environment_is_read_in_one_file() -> None:
    """Passing it on to children is another matter."""
    readers = {
        path.relative_to(ROOT).as_posix()
        for path in FILES
        if any(
            isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb")
            for node in ast.walk(ast.parse(path.read_text()))
        )
    }
    assert readers <= {"scheduler_app/commands/runbroker_clients.py"}


def test_manage_py_only_hands_over() -> None:
    assert len((ROOT / "manage.py").read_text().splitlines()) <= 15
    assert packages(ROOT / "manage.py") - sys.stdlib_module_names == {"scheduler_app"}


def test_every_folder_of_tests_is_a_package() -> None:
    """Or its modules would clash with those of the same name elsewhere."""
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_no_unit_test_sleeps() -> None:
    sleepers = []
    for path in (ROOT / "tests" / "unit").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr == "sleep" and isinstance(node.value, ast.Name):
                if node.value.id in ("time", "asyncio"):
                    sleepers.append(f"{path.name}:{node.lineno}")
            elif isinstance(node, ast.ImportFrom) and node.module in ("time", "asyncio"):
                sleepers += [f"{path.name}:{node.lineno}" for alias in node.names if alias.name == "sleep"]
    assert sleepers == []
