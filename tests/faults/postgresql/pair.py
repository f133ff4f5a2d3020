"""A primary and a standby that takes its place when it has died, at the same two ports for ever."""

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from tests.faults.proxy import Proxy
from tests.support.postgresql import USER, Database, PostgreSQL
from tests.support.waiting import wait_for

_WAITING = f"SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND usename = '{USER}'"


class Pair:
    """Running while entered."""

    def __init__(self, *, synchronous: bool = True) -> None:
        self._synchronous = synchronous
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        first = PostgreSQL("server-0")
        self._stack.callback(first.end)  # and its standbys, and theirs
        self.primary = first.start()
        self._follow(None)
        self.database = self.primary.new_database()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """A DB_URL that names both ports, and finds the one that is written to."""
        return self.primary.url(self.database.name, self.standby, target_session_attrs="read-write")

    def swallow_answers(self) -> None:
        """Have the standby write down all that it gets, while the primary never hears of it."""
        self._way.swallow("broker")

    def waiting_commits(self) -> int:
        """Return how many connections of members wait for the standby with what they commit."""
        return int(self.primary.sql(_WAITING)[0][0])

    def numbers(self, server: PostgreSQL) -> int:
        """Return the sum of the numbers of the members' last transactions, as others see them there."""
        return int(server.sql("SELECT COALESCE(sum(number), 0) FROM member", self.database.name)[0][0])

    def fail_over(self) -> None:
        """Kill the primary with -9, and promote the standby."""
        self.primary.kill9()
        self.standby.promote()
        self._dead, self.primary = self.primary, self.standby
        self.database = Database(self.primary, self.database.name)

    def add_standby(self) -> None:
        """Give the new primary a standby, in the place of the server that is dead."""
        self._follow(self._dead.port)

    def _follow(self, port: int | None) -> None:
        self._way = self._stack.enter_context(Proxy(self.primary.port))
        self.standby = self.primary.add_standby(
            synchronous=self._synchronous, port=port, by_port=self._way.access.port
        )

    def wait_until_in_doubt(self) -> None:
        """Wait until the COMMIT of a member waits for the standby."""
        wait_for(lambda: self.waiting_commits() > 0, "a COMMIT waits for the standby")
