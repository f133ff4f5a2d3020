"""Where the MQTT broker is, as one setting."""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import SplitResult, quote, unquote, urlsplit

ADDRESS_FORM = (
    "must be host, host:port, or an mqtt://, mqtts://, ws:// or wss:// URL with an optional user:password@"
)
# What is said of a broker whose password goes over the network unencrypted.
CLEAR_PASSWORD = (
    "the password for the broker at {} is sent unencrypted, and whoever sees the network can read it: "
    "set BROKER to an mqtts:// URL"
)
_DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}


@dataclass(frozen=True)
class BrokerAddress:
    """A broker's address. Its text form never shows the password."""

    host: str
    port: int
    scheme: str = "mqtt"
    path: str = "/mqtt"
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def tls(self) -> bool:
        return self.scheme in ("mqtts", "wss")

    @property
    def websockets(self) -> bool:
        return self.scheme in ("ws", "wss")

    @property
    def reveals_password(self) -> bool:
        """Whether the password goes over a network as it is, for whoever looks at what passes by."""
        return self.password is not None and not self.tls and not is_loopback(self.host)

    def __str__(self) -> str:
        return self._at if self.scheme == "mqtt" else f"{self.scheme}://{self._at}"

    def url_for(self, username: str, password: str | None) -> str:
        """Return a BROKER setting of the same broker for this user, with the password, if there is one."""
        login = quote(username, safe="") + ("" if password is None else f":{quote(password, safe='')}")
        return f"{self.scheme}://{login}@{self._at}{self.path if self.websockets else ''}"

    @property
    def _at(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "BrokerAddress":
        """Read a BROKER setting; ValueError says what is allowed."""
        text = text.strip()
        if re.search(r"[\s\x00-\x1f]", text):  # urlsplit would leave them out
            raise ValueError(ADDRESS_FORM)
        if text.count(":") > 1 and "://" not in text and not text.startswith("["):
            text = f"[{text}]"  # a bare IPv6 address
        has_scheme = "://" in text
        try:
            parts = urlsplit(text if has_scheme else f"mqtt://{text}")
            address = cls._from_parts(parts)
        except ValueError as error:
            raise ValueError(str(error) if str(error) == ADDRESS_FORM else ADDRESS_FORM) from None
        if not has_scheme and (address.username is not None or parts.path):
            raise ValueError(ADDRESS_FORM)
        return address

    @classmethod
    def _from_parts(cls, parts: SplitResult) -> "BrokerAddress":
        # urlsplit lower-cases the host name and checks the port's range
        websockets = parts.scheme in ("ws", "wss")
        if (
            parts.scheme not in _DEFAULT_PORTS
            or not parts.hostname
            or "@" in parts.path  # a password with a slash in it
            or parts.port == 0
            or parts.query
            or parts.fragment
            or (parts.path not in ("", "/") and not websockets)
            or (parts.password is not None and not parts.username)
        ):
            raise ValueError(ADDRESS_FORM)
        return cls(
            host=parts.hostname,
            port=parts.port or _DEFAULT_PORTS[parts.scheme],
            scheme=parts.scheme,
            path=parts.path if websockets and parts.path not in ("", "/") else "/mqtt",
            username=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
        )


def is_loopback(host: str) -> bool:
    """Whether what is sent to `host`, a name or an address, never leaves this machine.

    A name is not looked up: it could be another address a minute later.
    """
    with suppress(ValueError):
        address = ip_address(host)
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback
    name = host.lower().removesuffix(".")
    return name == "localhost" or name.endswith(".localhost")  # RFC 6761, section 6.3


def hide_password(text: str) -> str:
    """Return a BROKER setting that is not allowed without anything that may be part of a password."""
    scheme, separator, address = text.partition("://") if re.match(r"\w+://", text) else ("", "", text)
    host = re.split("[:@/]", address, maxsplit=1)[0]
    rest = address[len(host) :]
    if re.fullmatch(r"(:\d{1,5})?/?", rest):  # a port
        return text
    return f"{scheme}{separator}{host}{':' if rest.startswith(':') else ''}***"
