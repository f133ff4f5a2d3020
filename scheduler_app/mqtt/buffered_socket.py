"""The socket under an MQTT connection, which paho and the fast path read and write by turns."""

import socket
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paho.mqtt.client import SocketLike

# Bytes. Up to so many are read ahead. A packet that is longer is left to paho.
READ_SIZE = 1 << 17
# Bytes. TLS hands out no more at a time (RFC 8446, section 5.1).
_TLS_RECORD = 1 << 14


class BufferedSocket:
    """Reads ahead in large pieces, and keeps what could not be sent yet. It never waits.

    TCP and TLS are alike to those who use it. All that is sent goes out in the order it was given, whoever
    gave it, so no packet ever stands in the middle of another.
    """

    def __init__(self, sock: "SocketLike", *, reads_ahead: bool) -> None:
        """`sock` is connected, by TCP, TLS or WebSockets; the last must not read ahead.

        Over WebSockets paho hands out a frame only when as much of it has come as it is asked for.
        """
        self.reads_ahead = reads_ahead
        self._socket = sock
        # What `select` asks for each time it waits.
        self.fileno = sock.fileno
        # TLS hands out a record at a time, and a broker sends a record for each packet.
        self._in_records = isinstance(sock, ssl.SSLSocket)
        # Tells what the socket itself has read ahead; not every kind can.
        self._inner_pending: Callable[[], int] | None = getattr(sock, "pending", None)
        # What was read and not handed out yet is what follows `_start`.
        self._read = b""
        self._start = 0
        # Whether the last look found less than there was room for: then no more had come.
        self._all_had_come = False
        self._unsent = bytearray()

    def fill(self) -> None:
        """Read what has come, as far as there is room. At the end of the connection that is nothing.

        Raises BlockingIOError if nothing has come, and another OSError if the connection is broken.
        """
        rest = self._read[self._start :]
        pieces = [rest] if rest else []
        room = READ_SIZE - len(rest)
        try:
            while room > 0 and (piece := self._receive(min(room, _TLS_RECORD) if self._in_records else room)):
                pieces.append(piece)
                room -= len(piece)
                if not self._in_records:
                    break
            self._all_had_come = room > 0
        except OSError:
            self._all_had_come = True
            if len(pieces) == bool(rest):  # otherwise it is raised again when the next is wanted
                raise
        self._read, self._start = b"".join(pieces), 0

    def peek(self) -> bytes:
        """Return what was read ahead and not handed out yet."""
        return self._read[self._start :]

    @property
    def exhausted(self) -> bool:
        """Whether all is handed out that had come when it was looked last, as far as it was read ahead."""
        return self._all_had_come and self._start == len(self._read)

    def skip(self, size: int) -> None:
        """Take the first `size` bytes of it as handed out."""
        self._start += size

    def recv(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end of the connection. Raises as `fill`."""
        if self._start == len(self._read):
            if not self.reads_ahead:
                return self._receive(size)
            self.fill()
        data = self._read[self._start : self._start + size]
        self._start += len(data)
        return data

    def pending(self) -> int:
        """Return about how many bytes can be read though `select` may not tell of them."""
        inner = self._inner_pending
        return len(self._read) - self._start + (0 if inner is None else inner())

    def send(self, data: bytes | bytearray) -> int:
        """Take all of `data`; what does not go out at once waits for `flush`."""
        self._unsent += data
        self.flush()
        return len(data)

    def flush(self) -> None:
        """Send what the connection takes without waiting."""
        try:
            while self._unsent and (sent := self._socket.send(self._unsent)):
                del self._unsent[:sent]
        except OSError:
            pass  # it takes nothing now, or is broken: then reading from it tells

    def confirm_at_once(self) -> None:
        """Have the system confirm at once what comes from now on, until something is sent, where it can.

        Else it waits until the confirmation can go with an answer of ours. And meanwhile the other side sends
        nothing more, since it waits until what it sent last is confirmed (Nagle's algorithm, RFC 896).
        """
        if isinstance(self._socket, socket.socket) and sys.platform == "linux":
            with suppress(OSError):  # no TCP, or broken
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    @property
    def wants_write(self) -> bool:
        return bool(self._unsent)

    def close(self) -> None:
        """Close the connection; what it does not take at once is lost."""
        self.flush()
        self._socket.close()

    def setblocking(self, flag: bool) -> None:
        self._socket.setblocking(flag)

    def _receive(self, size: int) -> bytes:
        try:
            return self._socket.recv(size)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None
