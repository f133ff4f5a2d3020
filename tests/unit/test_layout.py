"""Holds the rooms apart: which folder imports what, and a few habits that can be read off the code."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOP = ("config", "models", "jobs", "scheduler_app")
FILES = sorted(path for folder in TOP for path in (ROOT / folder).rglob("*.py"))
# A room is a folder, or a file that stands by itself beside the folders. Of the project, each may
# import only what is named here; so moving a file within its room is no work.
ROOMS: dict[str, set[str]] = {
    # a stream file names statistics: see the test of it below
    "config": {"models/statistics"},
    "models/statistics": set(),
    "models": set(),
    # what the statistics ask of a database stands with them
    "models/storage": {"models", "models/statistics"},
    "models/storage/sqlite": {"models", "models/storage"},
    "models/storage/postgresql": {"models", "models/storage"},
    "jobs": {"config", "models", "models/storage", "models/statistics"},
    "scheduler_app/errors.py": set(),
    "scheduler_app/interrupts.py": set(),
    # what can be done about each reason for which a message is rejected
    "scheduler_app/cures.py": set(),
    "scheduler_app/log.py": {"config"},
    "scheduler_app/formatting.py": set(),
    "scheduler_app/mqtt": {"config", "scheduler_app/errors.py", "scheduler_app/log.py"},
    "scheduler_app/intake": {
        *("config", "models", "models/storage"),
        *("scheduler_app/mqtt", "scheduler_app/log.py"),
        "scheduler_app/formatting.py",
    },
    "scheduler_app/runtime": {
        "config",
        "models/storage",
        "models/storage/sqlite",
        "models/storage/postgresql",
        "scheduler_app/errors.py",
        "scheduler_app/interrupts.py",
        "scheduler_app/log.py",
    },
    "scheduler_app/publishing": {
        *("config", "models", "models/storage", "models/storage/sqlite", "models/statistics"),
        *("scheduler_app/mqtt", "scheduler_app/log.py"),
    },
    "scheduler_app/publishing/home_assistant": {
        *("config", "models", "models/statistics"),
        *("scheduler_app/mqtt", "scheduler_app/publishing", "scheduler_app/log.py"),
    },
    "scheduler_app/subscriber": {
        "scheduler_app/publishing/home_assistant",
        *("config", "jobs", "models", "models/storage", "models/statistics"),
        *("scheduler_app/mqtt", "scheduler_app/intake", "scheduler_app/publishing", "scheduler_app/runtime"),
        *("scheduler_app/errors.py", "scheduler_app/log.py"),
    },
    # what it shares with a subscriber that does everything stands there
    "scheduler_app/averages": {
        *("config", "jobs", "models", "models/storage", "models/statistics"),
        *("scheduler_app/intake", "scheduler_app/publishing", "scheduler_app/publishing/home_assistant"),
        *("scheduler_app/runtime", "scheduler_app/subscriber"),
        *("scheduler_app/errors.py", "scheduler_app/log.py"),
    },
    "scheduler_app/console": {
        *("config", "scheduler_app/mqtt", "scheduler_app/publishing"),
        *("scheduler_app/errors.py", "scheduler_app/log.py"),
        "scheduler_app/formatting.py",
    },
    "scheduler_app/web": {
        *("config", "models", "models/storage", "models/statistics"),
        *("scheduler_app/mqtt", "scheduler_app/publishing", "scheduler_app/console", "scheduler_app/runtime"),
        *("scheduler_app/errors.py", "scheduler_app/log.py", "scheduler_app", "scheduler_app/cures.py"),
    },
    "scheduler_app/trial": {
        *("config", "models", "scheduler_app/intake", "scheduler_app/mqtt", "scheduler_app/publishing"),
        *("scheduler_app/cures.py", "scheduler_app/errors.py", "scheduler_app/formatting.py"),
    },
    "scheduler_app/checks": {
        "scheduler_app/averages",
        "scheduler_app/publishing/home_assistant",
        *("config", "models", "models/storage"),
        *("scheduler_app/mqtt", "scheduler_app/publishing"),
        *(
            "scheduler_app/console",
            "scheduler_app/runtime",
            "scheduler_app/errors.py",
            "scheduler_app/log.py",
        ),
        "scheduler_app/formatting.py",
    },
    "scheduler_app/arguments.py": {"config", "scheduler_app/console"},
    "scheduler_app/parser.py": {"scheduler_app/errors.py"},
    "scheduler_app/management.py": {
        "config",
        "models/storage",
        "scheduler_app/parser.py",
        "scheduler_app/errors.py",
        "scheduler_app/interrupts.py",
        "scheduler_app/log.py",
        "scheduler_app",
    },
    # the package itself: its version
    "scheduler_app": set(),
}
# A command may use every room.
ROOMS["scheduler_app/commands"] = set(ROOMS)
# The one room that knows a library.
DOORS = {
    "paho": "scheduler_app/mqtt",
    "iotcore": "scheduler_app/mqtt",
    "cbor2": "scheduler_app/intake",
    "msgpack": "scheduler_app/intake",
    "google": "scheduler_app/intake",
    "tabulate": "scheduler_app/console",
    "plotext": "scheduler_app/console",
    "apscheduler": "scheduler_app/runtime",
    "starlette": "scheduler_app/web",
    "uvicorn": "scheduler_app/web",
    "prometheus_client": "scheduler_app/web",
    "dotenv": "config",
    "sqlite3": "models/storage/sqlite",
    "psycopg": "models/storage/postgresql",
}
# The rooms, one a database, that know the library by which tables and queries are written.
KNOW_PEEWEE = {"models/storage/sqlite", "models/storage/postgresql"}
# What only computes needs the standard library, and nothing that opens a file, a socket or a thread.
COMPUTING = {
    *("abc", "array", "bisect", "collections", "collections.abc", "dataclasses", "datetime", "enum"),
    *("fractions", "functools", "hashlib", "itertools", "json", "math", "operator", "re", "typing"),
}


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the names of all modules that are imported, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield f"{'.' * node.level}{node.module or ''}"


@cache
def imports(path: Path) -> frozenset[str]:
    """Return the modules that a file imports."""
    return frozenset(imported(ast.parse(path.read_text())))


@cache
def packages(path: Path) -> frozenset[str]:
    """Return the top-level packages that a file imports."""
    return frozenset(name.partition(".")[0] for name in imports(path))


def room_of(path: Path) -> str:
    """Return the room that a file of the project lies in."""
    name = path.relative_to(ROOT).as_posix()
    return name if name in ROOMS else path.parent.relative_to(ROOT).as_posix()


def room_of_module(name: str) -> str:
    """Return the room of a module of the project, given as it is imported."""
    path = ROOT.joinpath(*name.split("."))
    return path.relative_to(ROOT).as_posix() if path.is_dir() else room_of(path.with_suffix(".py"))


def used_rooms(path: Path) -> set[str]:
    """Return the rooms that a file imports from."""
    return {room_of_module(name) for name in imports(path) if name.partition(".")[0] in TOP}


def files_of(room: str) -> list[Path]:
    return [path for path in FILES if room_of(path) == room]


def test_the_walk_finds_imports_wherever_they_stand() -> None:
    tree = ast.parse("import a.b, c\ndef f():\n    from d.e import g\nif x:\n    from .h import i")
    assert list(imported(tree)) == ["a.b", "c", "d.e", ".h"]


def test_every_file_lies_in_a_room() -> None:
    assert {room_of(path) for path in FILES} <= set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    found = {path.name: used_rooms(path) - ROOMS[room] - {room} for path in files_of(room)}
    assert found
    assert {name: rooms for name, rooms in found.items() if rooms} == {}


def test_no_two_rooms_need_each_other() -> None:
    needs = {room: {used for path in files_of(room) for used in used_rooms(path)} - {room} for room in ROOMS}
    # the command line looks for commands in their folder, and does not import them
    needs["scheduler_app/management.py"].discard("scheduler_app/commands")
    assert tuple(TopologicalSorter(needs).static_order())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_are_absolute(path: Path) -> None:
    assert "" not in packages(path)


@pytest.mark.parametrize("library", DOORS)
def test_a_library_is_known_to_one_room(library: str) -> None:
    assert {room_of(path) for path in FILES if library in packages(path)} == {DOORS[library]}


def test_only_the_rooms_of_databases_know_peewee() -> None:
    assert {room_of(path) for path in FILES if "peewee" in packages(path)} == KNOW_PEEWEE


def test_few_files_know_which_database_it_is() -> None:
    """The others know what every database offers: another one is chosen in these files, and nowhere else."""
    names = ("batch", "cluster", "drivers", "errors", "interface", "records", "summing")
    common = {f"models.storage.{name}" for name in names}
    common.add("models.storage.sqlite.outbox")
    chooses = {
        "scheduler_app/runtime/chosen_database.py",
        # which are about a database file, and nothing else
        *("scheduler_app/commands/publisher.py", "scheduler_app/commands/backup.py"),
    }
    found = {
        path.relative_to(ROOT).as_posix()
        for path in FILES
        if path.is_relative_to(ROOT / "scheduler_app") or path.is_relative_to(ROOT / "jobs")
        if any(name.startswith("models.storage") and name not in common for name in imports(path))
    }
    assert found == chooses


@pytest.mark.parametrize("path", files_of("models/statistics"), ids=lambda path: path.name)
def test_statistics_only_compute(path: Path) -> None:
    """A lock, and the type of a context manager, are no more than that."""
    allowed = COMPUTING | {"threading", "contextlib"}
    assert {name for name in imports(path) if not name.startswith("models.statistics.")} <= allowed


DECODING = (
    *("payload.py", "fields.py", "elements.py", "every_number.py", "formats.py", "names.py", "numbers.py"),
    *("number_names.py", "times.py", "text_lines.py", "senml.py", "raw_bytes.py"),
)


@pytest.mark.parametrize("name", DECODING)
def test_decoding_only_computes(name: str) -> None:
    used = imports(ROOT / "scheduler_app" / "intake" / name)
    allowed = COMPUTING | {"csv", "decimal", "email.utils", "io", "struct", "zoneinfo"}
    assert {found for found in used if found.partition(".")[0] not in TOP} <= allowed


def test_config_knows_of_the_project_only_which_statistics_there_are() -> None:
    """And by which rules. Stream files name them, and they are computed elsewhere: one list is for both."""
    of_the_project = {name for path in files_of("config") for name in imports(path) if name.startswith(TOP)}
    assert {name for name in of_the_project if name.partition(".")[0] != "config"} == {
        *("models.statistics.registry", "models.statistics.rules")
    }


@pytest.mark.parametrize(
    "name",
    [
        *("conversion", "field_path", "formats", "pattern", "stream", "stream_checks", "stream_keys"),
        *("stream_values", "streams", "template", "toml_lines"),
    ],
)
def test_streams_are_read_with_what_python_brings(name: str) -> None:
    assert packages(ROOT / f"config/{name}.py") - sys.stdlib_module_names <= {"config", "models"}


def test_the_environment_is_read_in_one_file() -> None:
    """Passing it on to children is another matter, and so is what a service manager puts there for us."""
    readers = {
        path.relative_to(ROOT).as_posix()
        for path in FILES
        if any(
            isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb")
            for node in ast.walk(ast.parse(path.read_text()))
        )
    }
    # NO_COLOR and the address of systemd are no settings of ours
    children = {f"scheduler_app/commands/{name}.py" for name in ("demo", "runbroker_clients")}
    assert readers <= {
        "config/setting_sources.py",
        "config/colors.py",
        "scheduler_app/runtime/service_manager.py",
        *children,
    }


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
