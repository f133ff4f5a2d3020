"""A look into the database, through a connection that only reads."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from peewee import ModelSelect, fn

from models.catalog import SeriesRow
from models.storage.interface import Durability
from models.storage.postgresql.connection import ERRORS, Server, reading
from models.storage.postgresql.snapshot import StoredReadings, one_moment, rows_of
from models.storage.postgresql.tables import (
    About,
    Member,
    Reading,
    RejectedMessage,
    Series,
    StoredBatch,
)
from models.storage.records import COUNTERS, Batches, Columns, RejectedRow, SeriesSummary, Snapshot


class StoreReader:
    """A connection that is open: a ReadingStore, which is described in models/storage/interface.py."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def counters(self) -> dict[str, int]:
        sums = Member.select(*(fn.COALESCE(fn.SUM(getattr(Member, name)), 0) for name in COUNTERS))
        [counts] = self._rows(sums)
        [(since,)] = self._rows(About.select(About.since))
        found = {name: int(count) for name, count in zip(COUNTERS, counts, strict=True) if count}
        return found | {"since": int(since)}

    def reading_count(self) -> int:
        return int(self._rows(Reading.select(fn.COUNT(Reading.time)))[0][0])

    def newest_time(self) -> float | None:
        time: float | None
        [(time,)] = self._rows(Reading.select(fn.MAX(Reading.time)))
        return time

    def damage(self) -> str | None:
        """Find nothing: the server checks by itself what it reads, and says so."""
        return None

    def rejected_counts(self) -> list[tuple[int, str, str]]:
        number = fn.COUNT(RejectedMessage.id)
        query = (
            RejectedMessage.select(number, RejectedMessage.reason, RejectedMessage.topic)
            .group_by(RejectedMessage.reason, RejectedMessage.topic)
            .order_by(number.desc(), RejectedMessage.reason, RejectedMessage.topic)
        )
        return self._rows(query)

    def rejected_messages(self, newest: int | None = None) -> Iterator[RejectedRow]:
        order = RejectedMessage.id if newest is None else RejectedMessage.id.desc()
        with one_moment(self._server) as connection:
            for row in rows_of(connection, *self._sql(_rejected().order_by(order).limit(newest))):
                yield RejectedRow(*row)

    def rejected_on(self, topic: str, after: float, until: float, limit: int) -> list[RejectedRow]:
        query = (
            _rejected()
            .where(
                RejectedMessage.topic == topic,
                RejectedMessage.arrived > after,
                RejectedMessage.arrived <= until,
            )
            .order_by(RejectedMessage.id.desc())
            .limit(limit)
        )
        return [RejectedRow(*row) for row in self._rows(query)]

    def series(self) -> list[SeriesRow]:
        return [SeriesRow(*row) for row in self._rows(_series().order_by(Series.name))]

    def series_named(self, name: str) -> SeriesRow | None:
        row = next(iter(self._rows(_series().where(Series.name == name))), None)
        return None if row is None else SeriesRow(*row)

    def summaries(self) -> list[SeriesSummary]:
        query = Reading.select(
            Reading.series, fn.COUNT(Reading.time), fn.MIN(Reading.time), fn.MAX(Reading.time)
        ).group_by(Reading.series)
        with one_moment(self._server):
            counts = {series: rest for series, *rest in self._rows(query)}
            return [SeriesSummary(row, *counts.get(row.id, (0, None, None))) for row in self.series()]

    def readings_of(self, series: int, after: float) -> list[tuple[float, float]]:
        query = (
            Reading.select(Reading.time, Reading.value)
            .where(Reading.series == series, Reading.time > after)
            .order_by(Reading.time, Reading.sequence)
        )
        return self._rows(query)

    def readings_between(
        self, series: int, after: float, until: float, limit: int
    ) -> list[tuple[float, int, float]]:
        query = (
            Reading.select(Reading.time, Reading.sequence, Reading.value)
            .where(Reading.series == series, Reading.time > after, Reading.time <= until)
            .order_by(Reading.time.desc(), Reading.sequence.desc())
            .limit(limit)
        )
        return self._rows(query)

    def snapshot(self) -> Snapshot:
        query = Reading.select(Reading.series, Reading.time, Reading.sequence, Reading.value).order_by(
            Reading.time, Reading.sequence
        )
        with one_moment(self._server) as connection:
            rows = {row.name: row for row in self.series()}
            [(sequence,)] = self._rows(Member.select(fn.COALESCE(fn.MAX(Member.sequence), 0)))
            taken = Snapshot(rows, defaultdict(Columns), sequence, self._batches())
            for series, time, number, value in rows_of(connection, *self._sql(query)):
                columns = taken.readings[series]
                columns.times.append(time)
                columns.sequences.append(number)
                columns.values.append(value)
        return taken

    def _batches(self) -> Batches:
        batches = Batches()
        members = self._rows(Member.select(Member.id, Member.sequence))
        batches.latest = {str(member): sequence for member, sequence in members}
        query = StoredBatch.select(StoredBatch.member, StoredBatch.sequence, StoredBatch.readings)
        in_order = query.where(StoredBatch.readings > 0).order_by(StoredBatch.sequence)
        for member, first, count in self._rows(in_order):
            batches.append(str(member), first, first + count - 1)
        return batches

    def size(self) -> int:
        """Return the bytes that the database takes on the server."""
        return int(self._rows("SELECT pg_database_size(current_database())")[0][0])

    def durability(self) -> Durability:
        """Return what the server does with what is committed."""
        settings = ("server_version", "fsync", "full_page_writes")
        version, *flags = self._rows(
            f"SELECT {', '.join(f'current_setting({name!r})' for name in settings)}"
        )[0]
        text = f"PostgreSQL {version.split()[0]}, fsync {flags[0]}, full_page_writes {flags[1]}"
        return Durability(text, flags == ["on", "on"])

    def _sql(self, query: "ModelSelect[Any]") -> tuple[str, list[Any]]:
        sql, parameters = self._server.get_sql_context().sql(query).query()
        return sql, parameters

    def _rows(self, query: "ModelSelect[Any] | str") -> list[Any]:
        if isinstance(query, str):
            return list(self._server.execute_sql(query).fetchall())
        return list(self._server.execute(query).fetchall())


def _series() -> "ModelSelect[Series]":
    columns = (getattr(Series, name) for name in SeriesRow._fields)
    return Series.select(*columns).where(Series.gone.is_null())


def _rejected() -> "ModelSelect[RejectedMessage]":
    return RejectedMessage.select(*(getattr(RejectedMessage, column) for column in RejectedRow._fields))


class ReadingSource:
    """Where the statistics find all stored readings, through a connection of their own."""

    def __init__(self, server: Server) -> None:
        """Nothing is opened before `snapshot`."""
        self._server = server

    @contextmanager
    def snapshot(self) -> Iterator[StoredReadings]:
        """Have one moment's readings while inside. Raises UnreadableDatabase."""
        with reading(self._server):
            self._summarize()
            with one_moment(self._server) as connection:
                yield StoredReadings(connection)

    def _summarize(self) -> None:
        """Have the indexes take in the newest blocks, which they would otherwise look through each time."""
        query = """SELECT brin_summarize_new_values(inhrelid) FROM pg_inherits
            WHERE inhparent = 'reading_time'::regclass"""
        with suppress(*ERRORS):  # on a standby nothing can be written: it is only slower
            self._server.driver.execute(query)
