"""`manage.py check`: a line a check, and an exit status."""

from pathlib import Path

from tests.support.brokers import Access, Broker, EmbeddedBroker
from tests.support.ports import free_port
from tests.support.processes import manage
from tests.support.silent import SilentListener


def findings(output: str) -> dict[str, str]:
    """Return how each check ended, by its name. Each is one line: how, name, text."""
    return {line.split()[1]: line.split()[0] for line in output.splitlines()}


def test_all_is_well(either_broker: Broker, tmp_path: Path) -> None:
    """Settings, database and broker are good: status 0."""
    done = manage("check", folder=tmp_path, environment=either_broker.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    found = findings(done.stdout)
    assert (found["settings"], found["database"], found["broker"]) == ("ok", "ok", "ok")
    assert "FAIL" not in found.values()


def test_no_broker(tmp_path: Path) -> None:
    """A broker that is not there fails its check, and no other; the status is 1."""
    access = Access(free_port())
    done = manage("check", folder=tmp_path, environment=access.environment)
    assert done.returncode == 1
    found = findings(done.stdout)
    assert (found["database"], found["broker"]) == ("ok", "FAIL")
    assert access.address in done.stdout
    assert "Traceback" not in done.stderr


def test_hung_broker(tmp_path: Path) -> None:
    """A broker that accepts connections and never answers fails its check."""
    with SilentListener() as broker:
        done = manage("check", folder=tmp_path, environment=broker.access.environment)
    assert done.returncode == 1
    assert findings(done.stdout)["broker"] == "FAIL"


def test_unusable_database(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    """A file that is no database fails its check, and no other; the status is 1."""
    (tmp_path / "notes.txt").write_text("milk, eggs\n" * 1000)
    settings = embedded.environment | {"DB_FILE": "notes.txt"}
    done = manage("check", folder=tmp_path, environment=settings)
    assert done.returncode == 1
    found = findings(done.stdout)
    assert (found["database"], found["broker"]) == ("FAIL", "ok")
    assert "notes.txt" in done.stdout
