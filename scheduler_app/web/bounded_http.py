"""HTTP as uvicorn speaks it, with bounds for clients that are slow or hostile."""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

# So many connections are answered; some more are told that there are too many.
MOST_CONNECTIONS = 100
_MOST_TOLD = 50
# Seconds that a client may take to send a request, and that it may take to read any of an answer.
REQUEST_TIMEOUT = 10.0
READING_TIMEOUT = 30.0
# Seconds that a connection stays open for the next request.
KEEP_ALIVE = 5


class BoundedProtocol(H11Protocol):
    """Closes a connection on which no request comes to its end, or no answer is read.

    uvicorn itself waits for both without end.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._timer: asyncio.TimerHandle | None = None
        # By the clock of the loop: since when a request is awaited, and an answer lies unread.
        self._awaiting_since = 0.0
        self._unread_since = 0.0
        self._unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS + _MOST_TOLD:
            transport.abort()
            return
        self._awaiting_since = self._unread_since = self.loop.time()
        self._set_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._awaiting_since = self.loop.time()
        super().on_response_complete()

    def _set_timer(self) -> None:
        self._timer = self.loop.call_later(REQUEST_TIMEOUT / 2, self._look)

    def _look(self) -> None:
        now = self.loop.time()
        unread = self.transport.get_write_buffer_size()
        if unread == 0 or unread < self._unread:
            self._unread_since = now
        self._unread = unread
        if unread or (self.cycle is not None and not self.cycle.response_complete):
            self._awaiting_since = now  # there is still an answer on its way
        if now - self._unread_since > READING_TIMEOUT or now - self._awaiting_since > REQUEST_TIMEOUT:
            self.transport.abort()
        else:
            self._set_timer()
