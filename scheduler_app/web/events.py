"""Server-sent events: they say that there is something new to ask for, and nothing of what."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from scheduler_app.web.parameters import WrongRequest

# So many may listen at once.
MOST_LISTENERS = 32
# Seconds. After so long without an event a comment is sent, so that proxies keep the stream open.
_QUIET = 15.0
# Seconds between two looks whether the broker is still there.
_LOOK = 1.0
# Milliseconds until a browser whose stream has ended asks for another one.
_RETRY = 2000


class _Stream(StreamingResponse):
    """A stream of events. `leave` is called when it has ended, also if it never began."""

    def __init__(self, content: AsyncIterator[bytes], leave: Callable[[], None]) -> None:
        # `no` keeps nginx from collecting the events
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(content, headers=headers, media_type="text/event-stream")
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


class Events:
    """Hands on, to all who listen, that something has changed."""

    def __init__(self, state: Callable[[], dict[str, object]], *, look: float = _LOOK) -> None:
        """`state` is what is told: an event is sent when it differs from what was sent last.

        It is looked at every `look` seconds too.
        """
        self._state = state
        self._look = look
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listening: set[asyncio.Event] = set()
        self._ended = False

    def changed(self) -> None:
        """Have all listeners look at the state. Safe in any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def end(self) -> None:
        """End all streams. Safe in any thread."""
        self._ended = True
        self.changed()

    def listen(self) -> StreamingResponse:
        """Return a stream of events. Raises WrongRequest if there are too many."""
        if len(self._listening) >= MOST_LISTENERS:
            raise WrongRequest(f"{MOST_LISTENERS} clients listen already, which is as many as may", 503)
        self._loop = asyncio.get_running_loop()
        # its place is taken here: of many that ask at one moment no stream has begun yet
        wake = asyncio.Event()
        self._listening.add(wake)
        return _Stream(self._stream(wake), lambda: self._listening.discard(wake))

    def _wake(self) -> None:
        for wake in self._listening:
            wake.set()

    async def _stream(self, wake: asyncio.Event) -> AsyncIterator[bytes]:
        yield f"retry: {_RETRY}\n\n".encode()
        sent: dict[str, object] | None = None
        quiet = 0.0
        while not self._ended:
            wake.clear()
            state = self._state()
            if state != sent:
                sent, quiet = state, 0.0
                yield f"event: state\ndata: {json.dumps(state)}\n\n".encode()
            elif quiet >= _QUIET:
                quiet = 0.0
                yield b": still here\n\n"
            try:
                await asyncio.wait_for(wake.wait(), self._look)
            except TimeoutError:
                quiet += self._look
