"""A hung broker: it accepts connections, and never answers."""

import socket
import threading
from types import TracebackType
from typing import Self

from tests.support.brokers import Access
from tests.support.ports import HOST


class SilentListener:
    """Accepts every connection and says nothing, while entered. `accepted` counts them."""

    def __init__(self) -> None:
        self.accepted = 0
        self._connections: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server((HOST, 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # ends the wait in `accept`
        self._thread.join()
        self._listener.close()
        for connection in self._connections:
            connection.close()

    @property
    def access(self) -> Access:
        return Access(self._listener.getsockname()[1])

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            self.accepted += 1
