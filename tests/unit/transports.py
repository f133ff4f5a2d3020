"""Connections of a test's own, over TCP or TLS."""

import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from tests.support.certificates import Certificates, serve_tls


@contextmanager
def connected_pair(
    certificates: Certificates | None = None,
) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield the two ends of a connection; with `certificates` they speak TLS, and ours is the client."""
    ours, theirs = socket.socketpair()
    if certificates is not None:
        trusting = ssl.create_default_context(cafile=certificates.authority)
        with ThreadPoolExecutor(1) as executor:
            serving = executor.submit(serve_tls, theirs, certificates)
            ours = trusting.wrap_socket(ours, server_hostname="localhost")
            theirs = serving.result()
    with ours, theirs:
        yield ours, theirs
