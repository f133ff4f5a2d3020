"""Fixtures with real brokers and real roles. A test that asks for none of them pays for none."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from tests.support.brokers import Access, Broker, EmbeddedBroker, Login, Mosquitto
from tests.support.certificates import Certificates, make_certificates
from tests.support.postgresql import Database, PostgreSQL
from tests.support.processes import Role

AnyBroker = TypeVar("AnyBroker", bound=Broker)

# What is left out where nobody says otherwise; `pyproject.toml` has all of it.
_USUAL = "not slow"

BROKER_KINDS = ("mosquitto", "mosquitto_password", "mosquitto_tls", "mosquitto_websockets", "embedded")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Share the whole suite among two processes or more, by files, since most of it waits.

    What is named, by a path or a marker, runs in this process; and so does all with `-n 0`, or where
    pytest-xdist is not installed.
    """
    all_of_it = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    usual = config.getoption("markexpr").startswith(_USUAL)
    if all_of_it and usual and not hasattr(config, "workerinput") and not config.getoption("usepdb"):
        option = config.option
        if getattr(option, "numprocesses", 0) is None:  # xdist is there, and nobody has said how many
            option.numprocesses = max(2, min(4, os.cpu_count() or 1))
            option.dist = "loadfile"
            option.loadscopereorder = False  # what is quick first


def pytest_configure() -> None:
    """Have Ctrl-C end the programs that tests start, also where a shell has us in the background.

    It has Ctrl-C ignored there, and so would each program that we start.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    yield from _running(Mosquitto(_folder(tmp_path)))


@pytest.fixture
def mosquitto_password(tmp_path: Path) -> Iterator[Mosquitto]:
    """Mosquitto that lets nobody in without the password."""
    yield from _running(Mosquitto(_folder(tmp_path), login=Login("sensor", "correct horse: 50% @home/#1")))


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def mosquitto_tls(tmp_path: Path, certificates: Certificates) -> Iterator[Mosquitto]:
    yield from _running(Mosquitto(_folder(tmp_path), certificates=certificates))


@pytest.fixture
def mosquitto_client_certificate(tmp_path: Path, certificates: Certificates) -> Iterator[Mosquitto]:
    """Mosquitto with TLS that lets nobody in without a client certificate."""
    broker = Mosquitto(_folder(tmp_path), certificates=certificates, client_certificates=True)
    yield from _running(broker)


@pytest.fixture
def mosquitto_websockets(tmp_path: Path) -> Iterator[Mosquitto]:
    yield from _running(Mosquitto(_folder(tmp_path), websockets=True))


@pytest.fixture
def absent_mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """Mosquitto that is not started yet."""
    broker = Mosquitto(_folder(tmp_path))
    yield broker
    broker.end()


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """Our own `manage.py broker`."""
    yield from _running(EmbeddedBroker(_folder(tmp_path)))


@pytest.fixture(params=BROKER_KINDS)
def any_broker(request: pytest.FixtureRequest) -> Broker:
    """Each kind of broker in turn."""
    broker: Broker = request.getfixturevalue(request.param)
    return broker


@pytest.fixture(params=["mosquitto", "embedded"])
def either_broker(request: pytest.FixtureRequest) -> Broker:
    """Mosquitto, then the embedded broker."""
    broker: Broker = request.getfixturevalue(request.param)
    return broker


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQL]:
    """One server for all tests: whoever does it harm starts one of its own."""
    # CI installs it for those tests that need it, after what a user types has run
    pytest.importorskip("psycopg", reason="requirements-postgresql.txt is not installed")
    server = PostgreSQL()
    try:
        yield server.start()
    finally:
        server.end()


@pytest.fixture
def postgresql(postgresql_server: PostgreSQL) -> Iterator[Database]:
    """Make an empty database, whose `url` is a DB_URL."""
    database = postgresql_server.new_database()
    yield database
    database.drop()


class MakeRole(Protocol):
    """Makes a role, which the caller starts. Settings are given by name, and a broker as BROKER."""

    def __call__(
        self, command: str, *arguments: str, broker: Broker | Access | None = None, **settings: str
    ) -> Role: ...


@pytest.fixture
def make_role(tmp_path: Path) -> Iterator[MakeRole]:
    """Make roles that share the test's folder, so that all know `tmp/test.db`.

    All are ended after the test, and none may have printed a traceback.
    """
    made: list[Role] = []

    def make(command: str, *arguments: str, broker: Broker | Access | None = None, **settings: str) -> Role:
        environment = (broker.environment if broker else {}) | settings
        name = f"{command}-{len(made) + 1}"
        role = Role(tmp_path, command, *arguments, name=name, environment=environment)
        made.append(role)
        return role

    try:
        yield make
    finally:
        for role in made:
            role.terminate()
        for role in made:
            role.end()
    for role in made:
        role.assert_no_traceback()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where the roles of `make_role` keep their readings, if not told otherwise."""
    return tmp_path / "tmp" / "test.db"


def _running(broker: AnyBroker) -> Iterator[AnyBroker]:
    try:
        broker.start()
        yield broker
    finally:
        broker.end()


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "broker"
    folder.mkdir()
    return folder
