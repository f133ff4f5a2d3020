"""A TCP proxy that does harm on demand."""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from random import Random
from types import TracebackType
from typing import Any, Self

from tests.faults.faults import SEED
from tests.support.brokers import Access, Login
from tests.support.ports import HOST
from tests.support.waiting import TIMEOUT

# Close at once, with RST and without what is still to be sent (socket(7), SO_LINGER).
_NO_LINGER = struct.pack("ii", 1, 0)


class Proxy:
    """Passes on connections to `port` of 127.0.0.1 while entered, in a thread of its own."""

    def __init__(self, port: int, login: Login | None = None, *, others: Sequence[int] = ()) -> None:
        """`login`: by which clients are let in at the broker behind.

        `others`: more ports, tried in turn where nothing listens at those before, as a load balancer does.
        """
        self._ports = (port, *others)
        self._login = login
        self._random = Random(SEED)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._flowing = asyncio.Event()
        # By direction, who waits for the next bytes that way to be torn.
        self._tearing: dict[str, asyncio.Future[None]] = {}
        self._writers: set[asyncio.StreamWriter] = set()
        # How many connections there have been, and by direction, how many of these are swallowed.
        self._connections = 0
        self._swallowing: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def access(self) -> Access:
        return Access(self._server.sockets[0].getsockname()[1], login=self._login)

    def swallow(self, direction: str) -> None:
        """Throw away all bytes to the `client` or the `broker` from now on, on the connections there are."""
        self._swallowing[direction] = self._connections

    def passes(self, connection: int, direction: str, chunk: bytes) -> None:
        """Take note of what passes; what is torn or swallowed, or came after that, does not arrive."""

    def tear(self, direction: str) -> None:
        """Pass on a part of the next bytes to the `client` or the `broker`, then reset both connections."""
        self._run(self._tear(direction))

    def hold(self, seconds: float) -> None:
        """Pass on nothing for so long, as if the network were gone; then all of it."""
        self._run(self._hold(seconds), seconds)

    def _run(self, work: Coroutine[Any, Any, None], seconds: float = 0.0) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT + seconds)

    async def _listen(self) -> None:
        self._flowing.set()
        self._server = await asyncio.start_server(self._connect, HOST, 0)

    async def _end(self) -> None:
        self._server.close()
        self._reset(*self._writers)
        await asyncio.sleep(0)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _tear(self, direction: str) -> None:
        self._tearing[direction] = self._loop.create_future()
        await self._tearing[direction]

    async def _hold(self, seconds: float) -> None:
        self._flowing.clear()
        await asyncio.sleep(seconds)
        self._flowing.set()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for port in self._ports:
            with suppress(OSError):
                broker_reader, broker_writer = await asyncio.open_connection(HOST, port)
                break
        else:
            self._reset(writer)
            return
        self._writers |= {writer, broker_writer}
        self._connections += 1
        number = self._connections
        await asyncio.gather(
            self._pass_on("broker", number, reader, broker_writer, writer),
            self._pass_on("client", number, broker_reader, writer, broker_writer),
        )
        self._writers -= {writer, broker_writer}

    async def _pass_on(
        self,
        direction: str,
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        back: asyncio.StreamWriter,
    ) -> None:
        try:
            while chunk := await reader.read(65536):
                await self._flowing.wait()
                if number <= self._swallowing.get(direction, 0):
                    continue
                self.passes(number, direction, chunk)
                torn = self._tearing.pop(direction, None) if len(chunk) > 1 else None
                if torn:
                    writer.write(chunk[: self._random.randrange(1, len(chunk))])
                    self._reset(writer, back)
                    torn.set_result(None)
                    return
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass
        writer.close()

    @staticmethod
    def _reset(*writers: asyncio.StreamWriter) -> None:
        for writer in writers:
            if not writer.transport.is_closing():
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                writer.transport.abort()
