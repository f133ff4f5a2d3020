import io
import subprocess
from pathlib import Path
from typing import IO

import pytest

from scheduler_app.runtime.lifecycle import StopSignal
from scheduler_app.runtime.supervisor import Supervisor

ROOT = Path(__file__).parents[2]


class Child:
    """Stands in for a process; is at work at once."""

    def __init__(
        self,
        arguments: list[str],
        *,
        stdin: int,
        stderr: IO[bytes] | None,
        cwd: Path | None,
        env: dict[str, str],
        start_new_session: bool,
    ) -> None:
        self.arguments = arguments
        self.folder = cwd
        if stderr is not None:
            stderr.write(b"a line\n")
        self.stdin = io.BytesIO()
        Path(env["HEALTH_FILE"]).touch()

    def poll(self) -> None:
        return None

    def terminate(self) -> None:
        pass

    def wait(self, timeout: float | None = None) -> int:
        return 0


def test_a_child_runs_the_command_line_of_this_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[Child] = []

    def start(*arguments: object, **keywords: object) -> Child:
        started.append(Child(*arguments, **keywords))  # type: ignore[arg-type]
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    with Supervisor(StopSignal(), tmp_path, {}) as children:
        assert children.start("subscriber", "--topic", "DATA")
    [child] = started
    assert child.folder is None
    assert child.arguments[1:] == [
        *(str(ROOT / "manage.py"), "subscriber", "--topic", "DATA", "--stop-at-eof"),
    ]


def test_children_may_have_a_folder_and_a_log_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(subprocess, "Popen", Child)
    log = tmp_path / "log"
    with Supervisor(StopSignal(), tmp_path, {}, working_folder=tmp_path, log=log) as children:
        children.start("subscriber")
        children.start("stats")
        assert [child.folder for child in children._children.values()] == [tmp_path, tmp_path]  # type: ignore[attr-defined]
    assert log.read_text() == 2 * "a line\n"
