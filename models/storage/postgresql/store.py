"""What is written, all through one connection."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import psycopg

from models.catalog import SeriesRow
from models.reading import Reading
from models.storage.batch import Batch, Deleted, Place, Stored
from models.storage.errors import NotStored, SeriesBegun, StoreUnavailable, TakenOver
from models.storage.postgresql import hot
from models.storage.postgresql.claim import Claim, SoleSubscriber, Writer
from models.storage.postgresql.connection import PatientConnection, Server, explain
from models.storage.postgresql.expiry import expires, gone_until
from models.storage.postgresql.partitions import Partitions
from models.storage.postgresql.pruning import delete_batches, delete_ids, keep_longer, kept_longer
from models.storage.postgresql.rejected import RejectedMessages
from models.storage.postgresql.repeats import stored_near
from models.storage.postgresql.series import all_series, begin_series, find_series, retentions_of
from models.storage.postgresql.session import WritingSession
from models.storage.reading_id import pack
from models.storage.repeats import Row, find_repeats

# How often a transaction is tried again at once that the server has ended for the sake of another's.
_TRIES = 5
_TRIED_AGAIN = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.UniqueViolation,
    psycopg.errors.CheckViolation,
)
# Partitions are made for readings that come in so many seconds, however shortly these are kept.
_AHEAD = (0.0, 60.0, 120.0, 180.0)
# Seconds.
_MINUTE = 60


class _Attempt(NamedTuple):
    """A batch that is being stored, with the number and the mark that it has in the table of batches.

    Until an answer has come, it is in doubt whether it is stored.
    """

    batch: Batch
    number: int
    mark: int


class _Outcome(NamedTuple):
    """What became of a batch: its first sequence, the places of duplicates, its series by their ids in it."""

    first: int | None
    duplicates: Sequence[int]
    series: Mapping[int, SeriesRow] = {}


class PostgresqlStore:
    """The one that writes: a WritingStore, which is described in models/storage/interface.py."""

    def __init__(
        self,
        url: str,
        shown: str,
        member: str,
        claim: Claim | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`url` is as libpq takes it, `shown` without a password; `now` tells UTC epoch seconds.

        `member`: the client id of the session whose messages are stored. `claim` makes sure that it is ours
        alone; by default the whole database is.
        """
        self._writer = Writer(member)
        server = Server(url, shown, self._writer.name, writes=True)
        self._session = WritingSession(server, member, self._writer, claim or SoleSubscriber(server.name))
        self._session.when_opened(self._read)
        self._name = server.name
        # The number of the last batch that is known to be stored.
        self._stored_batch = 0
        self._now = now
        self._attempt: _Attempt | None = None
        self._retentions: dict[int, float] = {}
        self._partitions = Partitions()
        self._rejected = RejectedMessages()

    def add(self, batch: Batch) -> Stored:
        """Commit `batch` in one transaction, or raise StoreUnavailable and change nothing.

        If it is not known whether a COMMIT has happened, that is found out when the batch is handed in again.
        """
        if len(batch.readings) > hot.LARGEST_BATCH:
            raise NotStored(f"{len(batch.readings)} readings in one transaction")
        with self._session.connection() as connection:
            outcome = self._settle(connection, batch) or self._store(connection, batch)
        self._attempt = None
        self._stored_batch = self._session.number
        self._retentions |= {row.id: row.retention for row in outcome.series.values()}
        if outcome.first and batch.readings:
            self._session.sequence = outcome.first + len(batch.readings) - 1
        return self._stored(batch, outcome)

    def series(self) -> list[SeriesRow]:
        """Return all series, in the order in which they began."""
        with self._session.connection() as connection:
            return all_series(connection)

    def set_retentions(self, retentions: Mapping[int, float]) -> None:
        """Note for how many seconds the readings of these series are kept, by their ids."""
        with self._session.transaction() as connection:
            connection.cursor().executemany(
                "UPDATE series SET retention = %s WHERE id = %s",
                [(retention, series) for series, retention in retentions.items()],
            )
            longer = max(
                (
                    retention - self._retentions.get(series, retention)
                    for series, retention in retentions.items()
                ),
                default=0.0,
            )
            if longer > 0 and self._partitions.known:
                keep_longer(connection, longer, max(self._partitions.known) * _MINUTE)
        self._retentions |= retentions

    def delete_series(self, series: int) -> None:
        """Delete a series that has no readings any more."""
        with self._session.transaction() as connection:
            connection.execute("DELETE FROM series WHERE id = %s", (series,))
        self._retentions.pop(series, None)

    def subscriptions(self) -> set[str]:
        """Return the topic filters that the session may be subscribed to."""
        with self._session.connection() as connection:
            query = "SELECT topic_filter FROM subscription WHERE member = %s"
            return {name for (name,) in connection.execute(query, (self._session.member,))}

    def set_subscriptions(self, topic_filters: Iterable[str]) -> None:
        """Note which topic filters the session may be subscribed to."""
        with self._session.transaction() as connection:
            member = self._session.member
            connection.execute("DELETE FROM subscription WHERE member = %s", (member,))
            connection.cursor().executemany(
                "INSERT INTO subscription (member, topic_filter) VALUES (%s, %s)",
                [(member, topic_filter) for topic_filter in topic_filters],
            )

    def deliveries(self) -> list[tuple[int, bytes]]:
        """Return what `Batch.deliveries` was in earlier transactions, in order, and is not forgotten."""
        with self._session.connection() as connection:
            query = "SELECT number, packets FROM delivery WHERE member = %s ORDER BY number"
            return list(connection.execute(query, (self._session.member,)))

    def forget_deliveries(self, numbers: Sequence[int], rewritten: Sequence[tuple[int, bytes]] = ()) -> None:
        """Forget the deliveries with these numbers, and what `rewritten` leaves out of others."""
        with self._session.transaction() as connection:
            hot.change_deliveries(connection, self._session.member, rewritten, numbers)

    def delete_readings(self, after: Place, until: float, limit: int, retention: float) -> Deleted:
        """Drop one partition of readings that have all expired, or delete `limit` of their ids.

        They have expired when a reading of time `until` (UTC epoch seconds) that is kept for `retention`
        seconds has. Makes the partitions for what comes next, too.
        """
        now = until + retention
        with self._session.connection() as connection:
            moments = [max(now, self._now()) + ahead for ahead in _AHEAD]
            kept = set(self._retentions.values())
            self._partitions.make(
                connection, {expires(then, each, then) for then in moments for each in kept}
            )
            longer = kept_longer(connection)
            for each in sorted(self._partitions.known - self._partitions.stuck):
                if longer.until(each * _MINUTE) <= now:
                    rows = self._partitions.drop(connection, each, self._session.member)
                    if rows is not None:
                        return Deleted(rows, after)
            if delete_ids(connection, longer.minute(now), limit) == limit or (
                delete_batches(connection, limit) == limit
            ):
                return Deleted(0, after)
        return Deleted(0, None)

    def gone_until(self, until: float, retention: float) -> float:
        """Return up to which time no such reading is left: it goes together with later ones."""
        stuck, self._partitions.stuck = self._partitions.stuck, set()
        gone = gone_until(retention, until + retention)
        return min([gone, *(gone_until(retention, each * _MINUTE - 1) for each in stuck)])

    @property
    def summing(self) -> None:
        """Nothing is noted of time that has ended."""
        return None

    def delete_rejected(self, until: float, limit: int) -> int:
        """Delete the oldest rejected messages of too many, and those that arrived at or before `until`.

        Deletes `limit` at most; returns how many.
        """
        with self._session.transaction() as connection:
            deleted, amount = self._rejected.delete(connection, until, limit)
        self._rejected.amount = amount
        return deleted

    @property
    def file_may_be_gone(self) -> bool:
        """Say that nothing need be looked for: what is committed is where it is read."""
        return False

    def check_file(self) -> bool:
        """Do nothing; a task with no more to do after it."""
        return False

    def keep_alive(self, look: Callable[[], None]) -> None:
        self._session.keep_alive(look)

    def change_thread(self) -> None:
        """Do nothing: any thread may use the connection, and what it has claimed stays ours."""

    def close(self) -> None:
        self._session.close()

    def _read(self, connection: PatientConnection) -> None:
        """Read what there is to know on a new connection; TakenOver if something that we know of is gone."""
        if self._session.number < self._stored_batch:
            raise TakenOver(
                f"{self._name} has lost readings that were stored and acknowledged (was a standby promoted "
                "that was behind?)"
            )
        self._retentions = retentions_of(connection)
        self._partitions.load(connection)
        self._rejected.amount = None

    def _settle(self, connection: PatientConnection, batch: Batch) -> _Outcome | None:
        """If a COMMIT is in doubt, find out whether it has happened; return what became of it, if it has.

        None if it has not, or if it was that of another batch.
        """
        attempt = self._attempt
        if attempt is None:
            return None
        row = connection.execute(
            "SELECT mark, sequence, duplicates FROM batch WHERE member = %s AND number = %s",
            (self._session.member, attempt.number),
        ).fetchone()
        if row is None:
            return None
        mark, first, duplicates = row
        if not self._writer.has_set(mark):
            raise TakenOver(f"{self._name}: another subscriber stores for our session")
        # What we see may not have reached the standby. A COMMIT that waits for that waits for all before it.
        connection.execute(
            "UPDATE member SET number = greatest(number, %s) WHERE id = %s",
            (attempt.number, self._session.member),
        )
        self._session.check_replicated()
        self._session.number = attempt.number
        self._attempt = None
        if mark != attempt.mark or attempt.batch is not batch:
            return None
        series = find_series(connection, batch.series) if batch.series else {}
        return _Outcome(first, duplicates or (), series)

    def _store(self, connection: PatientConnection, batch: Batch) -> _Outcome:
        copies_ids = True
        for _ in range(_TRIES):
            number = self._session.number + 1
            attempt = self._attempt
            # its number may be too high by now, where a standby was promoted that was behind
            if attempt is None or attempt.batch is not batch or attempt.number != number:
                attempt = self._attempt = _Attempt(batch, number, self._writer.next_mark())
            try:
                outcome = self._commit(connection, attempt, copies_ids=copies_ids)
                self._session.check_replicated()
            except (psycopg.DataError, UnicodeError, SeriesBegun) as error:
                self._attempt = None
                if isinstance(error, SeriesBegun):
                    raise
                raise NotStored(explain(error)) from None
            except _TRIED_AGAIN as error:
                connection.execute("ROLLBACK")
                copies_ids = copies_ids and not isinstance(error, psycopg.errors.UniqueViolation)
            else:
                self._session.number = attempt.number
                return outcome
            # a batch of its number is there if it was under way when it was looked for
            if (settled := self._settle(connection, batch)) is not None:
                return settled
            self._partitions.load(connection)  # another member may have dropped some
        raise StoreUnavailable("the server ended the transaction for the sake of others, again and again")

    def _commit(self, connection: PatientConnection, attempt: _Attempt, *, copies_ids: bool) -> _Outcome:
        """Store a batch in one transaction."""
        batch = attempt.batch
        readings, refused = self._new(batch)
        self._partitions.make(connection, {each.expires for each in readings})
        simple = not (batch.series or batch.rejected or batch.unless_repeated)
        if simple and len(batch.readings) < hot.COPY_FROM:
            return _Outcome(*hot.store_whole(connection, readings, self._closing(attempt, refused)))
        first = hot.begin(connection)
        series = begin_series(connection, batch.series) if batch.series else {}
        if series:
            readings = [
                each._replace(series=series[each.series].id) if each.series < 0 else each for each in readings
            ]
        if copies_ids and len(readings) >= hot.COPY_FROM:
            hot.copy_ids(connection, readings)
        else:
            refused |= hot.insert_ids(connection, readings)
        if batch.unless_repeated:
            refused |= self._repeated(connection, batch, readings, refused)
        hot.copy_readings(connection, [each for each in readings if each.place not in refused], first)
        amount = self._rejected.insert(connection, batch.rejected) if batch.rejected else None
        hot.close(connection, first, self._closing(attempt, refused))
        self._rejected.amount = amount or self._rejected.amount
        return _Outcome(first, list(refused), series)

    def _new(self, batch: Batch) -> tuple[list[hot.New], set[int]]:
        """Return the readings of a batch as they are stored, and the places of those whose ids came twice."""
        now = self._now()
        retentions = self._retentions
        if batch.series:
            retentions = retentions | {row.id: row.retention for row in batch.series}
        readings, refused = [], set()
        seen: set[tuple[int, bytes]] = set()
        for place, (series, time_, value, reading_id) in enumerate(batch.readings):
            packed = None
            if reading_id is not None:
                packed = _packed(reading_id)
                if (series, packed) in seen:
                    refused.add(place)
                    continue
                seen.add((series, packed))
            end = expires(time_, retentions[series], now)
            readings.append(hot.New(place, time_, value, series, end, packed))
        return readings, refused

    def _repeated(
        self,
        connection: PatientConnection,
        batch: Batch,
        readings: Sequence[hot.New],
        refused: Collection[int],
    ) -> set[int]:
        """Return the places of the readings that are repeated; their ids are known no more."""
        # where nothing is to be stored a row is not looked at
        rows: list[Row] = [(0.0, 0, 0, 0.0, None)] * len(batch.readings)
        for each in readings:
            rows[each.place] = (each.time, 0, each.series, each.value, each.id)
        asked = {place: within for place, within in batch.unless_repeated.items() if place not in refused}
        repeated = find_repeats(rows, asked, refused, partial(stored_near, connection))
        hot.delete_ids(connection, [each for each in readings if each.place in repeated])
        return repeated

    def _closing(self, attempt: _Attempt, refused: Iterable[int]) -> hot.Closing:
        batch = attempt.batch
        return hot.Closing(
            self._session.member,
            attempt.number,
            attempt.mark,
            len(batch.readings),
            list(refused),
            batch.counts,
            batch.deliveries,
            batch.forgotten,
        )

    def _stored(self, batch: Batch, outcome: _Outcome) -> Stored:
        """Return what has become of a batch as it is told."""
        readings: Sequence[Reading] = batch.readings
        if outcome.series:
            readings = [
                reading._replace(series=outcome.series[reading.series].id) if reading.series < 0 else reading
                for reading in readings
            ]
        duplicates: list[Reading] = []
        if outcome.duplicates:
            refused = set(outcome.duplicates)
            duplicates = [reading for place, reading in enumerate(readings) if place in refused]
            readings = [reading for place, reading in enumerate(readings) if place not in refused]
        return Stored(readings, duplicates, list(outcome.series.values()), self._session.sequence)


def _packed(reading_id: str) -> bytes:
    """Return an id as it is stored: what is no packed number has a zero before it, as no number has."""
    packed = pack(reading_id)
    return packed if isinstance(packed, bytes) else b"\0" + packed.encode()
