"""The database as this role sees it: it only reads, a few requests at a time, off the loop of the server."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from models.storage.errors import UnreadableDatabase
from models.storage.interface import Database, ReadingStore
from scheduler_app.web.parameters import WrongRequest

T = TypeVar("T")

# So many requests read at once, and so many more may wait for their turn.
_AT_ONCE = 2
_WAITING = 32


class StoredReadings:
    """Opens it anew for each request, so that a file that is replaced is seen."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asked = 0
        self._turns = asyncio.Semaphore(_AT_ONCE)

    def trouble(self) -> str | None:
        """Say why the database cannot be read, None if it can."""
        try:
            with self._database.reader_as_it_is():
                return None
        except UnreadableDatabase as error:
            return str(error)

    async def ask(self, question: Callable[[ReadingStore], T]) -> T:
        """Return the answer to a question to the database. Raises WrongRequest if there can be none."""

        def read() -> T:
            with self._database.reader_as_it_is() as stored:
                return question(stored)

        try:
            return await self.compute(read)
        except UnreadableDatabase as error:
            raise WrongRequest(str(error), 503) from None

    async def compute(self, work: Callable[[], T]) -> T:
        """Do on another thread what takes long. Raises WrongRequest if too much is asked for at once."""
        if self._asked >= _AT_ONCE + _WAITING:
            raise WrongRequest("too many requests at once: try again in a moment", 503)
        self._asked += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work)
        finally:
            self._asked -= 1
