import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from config.settings import load_settings
from scheduler_app.commands.broker import Command
from scheduler_app.errors import CommandError
from scheduler_app.management import build_parser
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


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "::"])
def test_an_ip_address_can_be_listened_on(host: str) -> None:
    assert build_parser("broker", Command()).parse_args(["--host", host]).host == host


@pytest.mark.parametrize("host", ["localhost", "", "127.0.0.1:1883", "[::1]", "fe80::1%eth0", "127.0.0.256"])
def test_what_is_no_ip_address_is_refused_with_what_is_allowed(host: str) -> None:
    with pytest.raises(CommandError, match=r"--host: .* must be an IP address"):
        build_parser("broker", Command()).parse_args(["--host", host])


def test_an_ipv6_address_is_shown_so_that_its_port_can_be_told(
    monkeypatch: pytest.MonkeyPatch, log_lines: list[str]
) -> None:
    monkeypatch.setattr(embedded_broker, "run_embedded_broker", lambda host, port: None)
    monkeypatch.setattr(lifecycle, "role", no_role)
    monkeypatch.setattr(lifecycle, "serve", lambda stop, healthy, health_file: None)
    Command().handle(argparse.Namespace(host="::1", port=1883), load_settings())
    assert log_lines == ["INFO: the embedded broker listens on [::1]:1883"]
