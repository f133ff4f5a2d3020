import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from config.settings import load_settings
from scheduler_app.commands.broker import Command
from scheduler_app.mqtt import embedded_broker
from scheduler_app.runtime import lifecycle


@contextmanager
def no_role(options: argparse.Namespace) -> Iterator[SimpleNamespace]:
    yield SimpleNamespace(requested=True)


@pytest.mark.parametrize(
    ("host", "open_to_others"), [("127.0.0.1", False), ("::1", False), ("0.0.0.0", True), ("192.0.2.1", True)]
)
def test_a_broker_that_others_can_reach_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, log_lines: list[str], host: str, open_to_others: bool
) -> None:
    monkeypatch.setattr(embedded_broker, "run_embedded_broker", lambda host, port: None)
    monkeypatch.setattr(lifecycle, "role", no_role)
    monkeypatch.setattr(lifecycle, "serve", lambda stop, healthy, health_file: None)
    Command().handle(argparse.Namespace(host=host, port=1883), load_settings())
    warnings = [line for line in log_lines if line.startswith("WARNING")]
    assert len(warnings) == open_to_others
    assert all(
        f"anybody who reaches {host}:1883 can read and publish everything" in line for line in warnings
    )
