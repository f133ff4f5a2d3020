"""The one connection that writes: opened when it is needed, claimed, and known to be where it was left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from models.storage.errors import StoreUnavailable, UnusableDatabase
from models.storage.postgresql.claim import Claim, Writer
from models.storage.postgresql.connection import ERRORS, PatientConnection, Server, explain, is_mistake

# The name of the server's function that tells that it waits for a standby no longer.
_WAITS_FOR_STANDBY = "SyncRepWaitForLSN"


class NotReplicated(psycopg.OperationalError):
    """A COMMIT has come back without the standby having it, since somebody ended its waiting."""


class WritingSession:
    """The connection of one member; what it has to know of it is read anew with each connection."""

    def __init__(self, server: Server, member: str, writer: Writer, claim: Claim) -> None:
        self._server = server
        self._client_id = member
        self._writer = writer
        self._claim = claim
        self._claimed = False
        self._look: Callable[[], None] | None = None
        self._not_replicated = False
        self._when_opened: list[Callable[[PatientConnection], None]] = []
        # Of the member: its id, the number of its last batch, the sequence of its last reading.
        self.member = 0
        self.number = 0
        self.sequence = 0

    def when_opened(self, read: Callable[[PatientConnection], None]) -> None:
        """Have `read` called with each connection that is opened."""
        self._when_opened.append(read)

    def keep_alive(self, look: Callable[[], None]) -> None:
        """Have `look` called several times a second while the connection waits."""
        self._look = look
        if not self._server.is_closed():
            self._server.driver.while_waiting = look

    @contextmanager
    def connection(self) -> Iterator[PatientConnection]:
        """Have a connection, in autocommit, while inside.

        Raises StoreUnavailable: then nothing was changed, unless the error came with a COMMIT. Raises
        UnusableDatabase if somebody must change something first, and TakenOver.
        """
        try:
            yield self._open()
        except ERRORS as error:
            self._leave_transaction()
            raise StoreUnavailable(explain(error)) from None
        except BaseException:
            self._leave_transaction()
            raise

    @contextmanager
    def transaction(self) -> Iterator[PatientConnection]:
        """Have a transaction while inside, with what `connection` says."""
        with self.connection() as connection:
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")
            self.check_replicated()

    def check_replicated(self) -> None:
        """Raise NotReplicated if a COMMIT has not waited until the standby had it: it may be lost yet."""
        if self._not_replicated:
            self._not_replicated = False
            raise NotReplicated("the server was told to wait no longer for its standby")

    def close(self) -> None:
        """Close the connection, if there is one; what it has claimed is free then."""
        with suppress(*ERRORS):
            self._server.close()

    def _open(self) -> PatientConnection:
        if not self._server.is_closed():
            return self._server.driver
        try:
            connection = self._server.driver
        except ERRORS as error:
            if not self._claimed and is_mistake(error):
                raise UnusableDatabase(f"{self._server.name} cannot be used: {explain(error)}") from None
            raise
        try:
            self._begin(connection)
        except BaseException:
            self.close()
            raise
        return connection

    def _begin(self, connection: PatientConnection) -> None:
        """Make a new connection ours."""
        self._not_replicated = False
        connection.while_waiting = self._look
        connection.add_notice_handler(self._hear)
        self._claim.take(connection, self._writer, again=self._claimed)
        self._claimed = True
        # whoever has set it off may lose what is acknowledged
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) "
            "WHERE current_setting('synchronous_commit') = 'off'"
        )
        connection.execute(
            "INSERT INTO member (client_id) VALUES (%s) ON CONFLICT DO NOTHING", (self._client_id,)
        )
        row: Any = connection.execute(
            "SELECT id, number, sequence FROM member WHERE client_id = %s", (self._client_id,)
        ).fetchone()
        self.member, self.number, self.sequence = row
        for read in self._when_opened:
            read(connection)

    def _leave_transaction(self) -> None:
        """After an error: take back what is not committed, and close the connection if it is of no use.

        It is kept if it can be, since with it goes what it has claimed.
        """
        if self._server.is_closed():
            return
        connection = self._server.driver
        if connection.pgconn.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            with suppress(Exception):  # also what whoever looks meanwhile may raise
                connection.execute("ROLLBACK")
        if connection.closed or connection.pgconn.transaction_status != TransactionStatus.IDLE:
            self.close()

    def _hear(self, notice: psycopg.errors.Diagnostic) -> None:
        # its words are in the language of the server
        if notice.source_function == _WAITS_FOR_STANDBY:
            self._not_replicated = True
