"""TCP ports of 127.0.0.1 for the tests."""

import random
import socket
from contextlib import suppress

HOST = "127.0.0.1"


def free_port() -> int:
    """Return a port that nothing uses.

    It is below those that the system gives to outgoing connections: a broker that is stopped and
    started again must find its port free.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return port


def accepts_connections(port: int) -> bool:
    """Whether something listens at `port`."""
    with suppress(OSError), socket.create_connection((HOST, port), timeout=1.0):
        return True
    return False
