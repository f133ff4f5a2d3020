"""Where the page is served: the address, the port, and who can reach it."""

import errno
import socket
from contextlib import suppress

from config.broker_address import is_loopback
from config.settings import Settings
from scheduler_app.errors import CommandError

# So many ports are tried where the one that was not asked for is in use.
_TRIED = 20


def check_reach(settings: Settings, *, published_on_loopback: bool = False) -> None:
    """Raise CommandError if everybody on the network could see the page without a token."""
    if is_loopback(settings.web_host) or settings.web_token is not None or published_on_loopback:
        return
    raise CommandError(
        f"WEB_HOST={settings.web_host} can be reached from other machines: set WEB_TOKEN to a secret of 16 "
        "characters or more, or WEB_HOST to 127.0.0.1",
        status=2,
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises CommandError if it cannot."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(128)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        where = f"WEB_PORT={port} on {host}"
        if error.errno == errno.EADDRINUSE:
            raise CommandError(f"{where} is in use by another program: set WEB_PORT to another") from None
        raise CommandError(f"{where} cannot be listened on: {error.strerror}") from None
    return listener


def address_of(host: str, port: int) -> str:
    """Return the address for a browser on this machine."""
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def port_to_serve_on(settings: Settings) -> int | None:
    """Return WEB_PORT; if it is in use and nobody has set it, the next that is free. None if none is."""
    first = settings.web_port
    last = first if "web_port" in settings.given else min(first + _TRIED, 65535)
    for port in range(first, last + 1):
        with suppress(CommandError):
            listen(settings.web_host, port).close()
            return port
    return None
