import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from config.settings import InvalidSettings, Settings, load_settings
from scheduler_app.errors import CommandError
from scheduler_app.web.listening import address_of, check_reach, listen, port_to_serve_on
from tests.support.ports import HOST

TOKEN = "0123456789abcdef"


@pytest.fixture
def taken() -> Iterator[int]:
    """Have something listen on a port."""
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


def test_only_this_machine_reaches_it_unless_told_otherwise() -> None:
    settings = load_settings()
    assert (settings.web_host, settings.web_port, settings.web_token) == ("127.0.0.1", 8080, None)
    check_reach(settings)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_loopback_needs_no_token(host: str) -> None:
    check_reach(load_settings({"web_host": host}))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "raspberrypi.local"])
def test_another_address_is_refused_without_a_token(host: str) -> None:
    with pytest.raises(CommandError, match="set WEB_TOKEN") as caught:
        check_reach(load_settings({"web_host": host}))
    assert caught.value.status == 2
    assert "\n" not in str(caught.value)
    check_reach(load_settings({"web_host": host, "web_token": TOKEN}))
    check_reach(load_settings({"web_host": host}), published_on_loopback=True)


def test_a_port_that_is_taken_is_told_in_one_line(taken: int) -> None:
    with pytest.raises(CommandError, match=f"WEB_PORT={taken} on 127.0.0.1 is in use by another program"):
        listen(HOST, taken)


def test_a_host_that_there_is_not_is_told_in_one_line() -> None:
    with pytest.raises(CommandError, match="cannot be listened on"):
        listen("192.0.2.1", 0)


def settings_of(port: int) -> Settings:
    """Return settings in which `port` is the usual one, as 8080 is, and nobody has set it."""
    return replace(load_settings({"web_port": str(port)}), given=frozenset())


def test_the_next_free_port_takes_the_place_of_one_that_nobody_has_set(taken: int) -> None:
    found = port_to_serve_on(settings_of(taken))
    assert found is not None
    assert taken < found <= taken + 20


def test_a_port_that_somebody_has_set_is_that_one_or_none(taken: int) -> None:
    assert port_to_serve_on(load_settings({"web_port": str(taken)})) is None


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080/"),
        ("::1", "http://[::1]:8080/"),
        ("0.0.0.0", "http://127.0.0.1:8080/"),
        ("::", "http://127.0.0.1:8080/"),
        ("averages.example", "http://averages.example:8080/"),
    ],
)
def test_the_address_is_one_that_a_browser_here_can_open(host: str, address: str) -> None:
    assert address_of(host, 8080) == address


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("web_host", "not a host", "must be an IP address, such as 127.0.0.1, or the name of a host"),
        ("web_host", "-a", "must be an IP address"),
        ("web_port", "0", "must be a port, from 1 to 65535"),
        ("web_port", "65536", "must be a port, from 1 to 65535"),
        ("web_port", "http", "must be a port"),
        ("web_allowed_hosts", "a,*", "holds '\\*', which must be an IP address"),
        ("web_allowed_hosts", "a,b c", "holds 'b c', which must be an IP address"),
    ],
)
def test_a_wrong_setting_is_told(name: str, value: str, told: str) -> None:
    with pytest.raises(InvalidSettings, match=told):
        load_settings({name: value})


@pytest.mark.parametrize("token", ["x" * 15, "x" * 257, "sixteen letters ", "sechzehn Zeichenä"])
def test_a_token_that_is_not_allowed_is_not_repeated(token: str) -> None:
    with pytest.raises(InvalidSettings, match=r"WEB_TOKEN=\*\*\* must be 16 to 256") as caught:
        load_settings({"web_token": token})
    assert token not in str(caught.value)


@pytest.mark.parametrize("token", ["x" * 16, "x" * 256])
def test_a_token_is_never_shown(token: str) -> None:
    settings = load_settings({"web_token": token})
    assert settings.web_token == token
    assert token not in repr(settings)
