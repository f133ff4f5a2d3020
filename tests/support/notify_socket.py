"""A stand-in for systemd's end of NOTIFY_SOCKET (sd_notify(3))."""

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from tests.support.waiting import wait_for


class NotifySocket:
    """A socket that is open: under what `address` it is found, and what has come."""

    def __init__(self, address: str, channel: socket.socket) -> None:
        self.address = address
        self._channel = channel
        self._heard: list[list[str]] = []

    @property
    def heard(self) -> list[list[str]]:
        """The lines of each message that has come so far."""
        while True:
            try:
                self._heard.append(self._channel.recv(4096).decode().split("\n"))
            except BlockingIOError:
                return self._heard

    def wait_for(self, line: str, count: int = 1) -> None:
        """Wait until `line` has come in so many messages."""
        wait_for(
            lambda: sum(line in lines for lines in self.heard) >= count,
            lambda: f"{count} times {line}; {self.heard} came",
        )


@contextmanager
def notify_socket(*, abstract: bool = False) -> Iterator[NotifySocket]:
    """Listen while inside, at a file or at a name that begins with @."""
    # not below pytest's folders: the path of a socket may be 107 bytes long at most
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        address = f"@averages-{uuid4()}" if abstract else str(Path(folder) / "notify")
        channel.bind(address.replace("@", "\0", 1) if abstract else address)
        channel.setblocking(False)
        yield NotifySocket(address, channel)
