import re

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from config.broker_address import ADDRESS_FORM, BrokerAddress, hide_password, is_loopback
from config.settings import InvalidSettings, load_settings

# Stands inside every password below, and in no other text.
MARK = "geh€im"
SCHEMES = st.sampled_from(["mqtt", "mqtts", "ws", "wss"])
# What has a meaning in an address, and a few characters that have none.
PIECES = st.text(st.sampled_from(":/@?#[]%&= \t\n\\'\"a12") | st.characters(codec="utf-8"), max_size=8)
PASSWORDS = st.builds(lambda before, after: f"{before}{MARK}{after}", PIECES, PIECES)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost", BrokerAddress("localhost", 1883)),
        (" localhost ", BrokerAddress("localhost", 1883)),
        ("broker.example:1884", BrokerAddress("broker.example", 1884)),
        ("192.168.1.7", BrokerAddress("192.168.1.7", 1883)),
        ("::1", BrokerAddress("::1", 1883)),
        ("[::1]", BrokerAddress("::1", 1883)),
        ("[::1]:1884", BrokerAddress("::1", 1884)),
        ("mqtt://host", BrokerAddress("host", 1883)),
        ("mqtt://host/", BrokerAddress("host", 1883)),
        ("MQTT://Host:65535", BrokerAddress("host", 65535)),
        ("mqtts://host", BrokerAddress("host", 8883, "mqtts")),
        ("mqtts://[fe80::1]:8884", BrokerAddress("fe80::1", 8884, "mqtts")),
        ("ws://host", BrokerAddress("host", 80, "ws", "/mqtt")),
        ("ws://host:9001/", BrokerAddress("host", 9001, "ws", "/mqtt")),
        ("wss://host/some/path", BrokerAddress("host", 443, "wss", "/some/path")),
        ("mqtt://user@host", BrokerAddress("host", 1883, username="user")),
        ("mqtt://user:@host", BrokerAddress("host", 1883, username="user", password="")),
        ("mqtt://user:word@host:1884", BrokerAddress("host", 1884, username="user", password="word")),
        ("mqtts://us%40er:p%2Fw%3A%25@host", BrokerAddress("host", 8883, "mqtts", "/mqtt", "us@er", "p/w:%")),
        ("wss://u:p@host/x", BrokerAddress("host", 443, "wss", "/x", "u", "p")),
    ],
)
def test_an_address_is_a_host_with_or_without_port_or_a_url(text: str, address: BrokerAddress) -> None:
    assert BrokerAddress.parse(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ":1883",
        "host:0",
        "host:65536",
        "host:-1",
        "host:port",
        "host:1:2",
        "ho st",
        "host/",
        "host/path",
        "user@host",
        "user:word@host",
        "http://host",
        "mqtt://",
        "mqtt://:1883",
        "mqtt://host/path",
        "mqtt://host?a=b",
        "ws://host/path?a=b",
        "ws://host/path#a",
        "mqtt://:word@host",
        "mqtt://[::1",
        "mqtt:host",
    ],
)
def test_anything_else_is_refused_with_all_forms_that_are_allowed(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(ADDRESS_FORM)}$"):
        BrokerAddress.parse(text)


@pytest.mark.parametrize(
    ("scheme", "tls", "websockets"),
    [("mqtt", False, False), ("mqtts", True, False), ("ws", False, True), ("wss", True, True)],
)
def test_the_scheme_says_what_the_connection_is_made_of(scheme: str, tls: bool, websockets: bool) -> None:
    address = BrokerAddress.parse(f"{scheme}://host")
    assert (address.tls, address.websockets) == (tls, websockets)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("host", "host:1883"),
        ("::1", "[::1]:1883"),
        ("mqtts://user:word@host", "mqtts://host:8883"),
        ("wss://host/x", "wss://host:443"),
    ],
)
def test_its_text_is_where_the_broker_is_and_nothing_else(text: str, shown: str) -> None:
    assert str(BrokerAddress.parse(text)) == shown


@given(SCHEMES, PASSWORDS)
def test_a_password_is_in_no_text_form_of_an_address(scheme: str, password: str) -> None:
    address = BrokerAddress("host", 1883, scheme, username="user", password=password)
    assert MARK not in f"{address} {address!r}"


@given(SCHEMES, PIECES)
@example("ws", "12/3")  # neither a port 12 nor a path
@example("mqtt", "pa\tss")  # urlsplit drops tabs and newlines
def test_a_password_is_taken_as_it_was_meant_or_refused(scheme: str, password: str) -> None:
    """Characters that end a part of a URL must be written as %XX: never is half a password a port."""
    text = f"{scheme}://user:{password}@host"
    try:
        address = BrokerAddress.parse(text)
    except ValueError as error:
        assert str(error) == ADDRESS_FORM  # noqa: PT017 - both ways are right
        return
    assert (address.username, address.host) == ("user", "host")
    if "%" not in password:
        assert address.password == password


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("localhost", "localhost"),
        ("host:1883x", "host:***"),
        ("mqtt://host:99999", "mqtt://host:99999"),
        ("mqtt://user@host:x", "mqtt://user***"),
        ("mqtt://user:word@host:x", "mqtt://user:***"),
        ("mqtt://user:wo@rd@host", "mqtt://user:***"),
        ("user:word", "user:***"),
    ],
)
def test_hiding_a_password_leaves_the_rest_to_be_recognised(text: str, shown: str) -> None:
    assert hide_password(text) == shown


FORMS = [
    "user:{}@host",
    "user:{}@host:1883",
    "user:{}",
    "mqtt://user:{}",
    "mqtt://user:{}@",
    "mqtt://user:{}@host:port",
    "mqtt://user:{}@host:99999",
    "mqtt://user:{}@ho st",
    "mqtt://user:{}@[::1",
    "mqtt://user:{}@host?x",
    "mqtt://:{}@host",
    "mqtt:/user:{}@host",
    "mqtt:user:{}@host",
    "mqtt//user:{}@host",
    "://user:{}@host",
    "http://user:{}@host",
    "user:{}@mqtt://host",
    "[user:{}",
    "mqtt://[user:{}@host",
]


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=20)
@given(PASSWORDS)
@example(f"://{MARK}")
@example(f"12/{MARK}")
def test_no_refusal_of_a_broker_shows_a_password(form: str, password: str) -> None:
    """Whatever is wrong with the setting, and whatever the password looks like."""
    # what follows the last @ is the host: without one, nobody can tell
    assume("@" in form or "@" not in password)
    try:
        load_settings({"broker": form.format(password)})
    except InvalidSettings as error:
        assert MARK not in str(error)  # noqa: PT017 - a URL that is allowed is no failure


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("broker.localhost", True),
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("126.255.255.255", False),
        ("128.0.0.0", False),
        ("::2", False),
        ("::ffff:10.0.0.1", False),
        ("0.0.0.0", False),
        ("::", False),
        ("mosquitto", False),
        ("notlocalhost", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
    ],
)
def test_what_stays_on_this_machine_is_told_by_its_name(host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback


@pytest.mark.parametrize(
    ("text", "reveals"),
    [
        ("mqtt://u:p@192.168.1.5", True),
        ("ws://u:p@broker.example.org", True),
        ("mqtt://u:p@mosquitto", True),
        ("mqtts://u:p@192.168.1.5", False),
        ("wss://u:p@192.168.1.5", False),
        ("mqtt://u:p@localhost", False),
        ("mqtt://u:p@[::1]", False),
        ("mqtt://u@192.168.1.5", False),
        ("192.168.1.5", False),
    ],
)
def test_a_password_is_revealed_where_it_crosses_a_network_without_tls(text: str, reveals: bool) -> None:
    assert BrokerAddress.parse(text).reveals_password == reveals
