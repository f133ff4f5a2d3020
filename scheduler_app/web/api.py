"""The JSON API, version 1: what each address answers. docs/web.md describes it."""

import csv
import io
import re
import time
from collections.abc import Callable, Iterable
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from config.quantities import Window, each_of, format_duration
from config.settings import Settings
from models.catalog import SeriesRow
from models.storage.interface import ReadingStore
from scheduler_app.console.order import Order
from scheduler_app.web import parameters
from scheduler_app.web.addresses import Address
from scheduler_app.web.answers import as_json, as_text
from scheduler_app.web.events import Events
from scheduler_app.web.health import Health
from scheduler_app.web.history import (
    LEAST_PATIENCE,
    MOST_PATIENCE,
    PATIENCE,
    HistoryReader,
    SeriesHistory,
    Span,
    at_readings,
)
from scheduler_app.web.history_answer import as_sent
from scheduler_app.web.listing import COLUMNS, Listing, Wanted
from scheduler_app.web.parameters import Parameters, WrongRequest
from scheduler_app.web.rejections import rejected
from scheduler_app.web.stored import StoredReadings
from scheduler_app.web.units import rate_unit

# How many rows a request gets if it does not say, and at most.
_ROWS, _MOST_ROWS = 100, 20_000
# So many take too little time to hold up other requests.
_QUICK_ROWS = 1000
# The same of points of a curve.
_POINTS, _MOST_POINTS = 1000, 10_000
_MOST_WINDOWS = 20
_REJECTED, _MOST_REJECTED = 50, 1000
# So many characters of a search are looked at.
_LONGEST_SEARCH = 500


class Api:
    """The answers to requests for numbers. It never writes."""

    def __init__(
        self,
        settings: Settings,
        listing: Listing,
        stored: StoredReadings,
        health: Health,
        events: Events,
        *,
        history: HistoryReader | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`now` tells UTC epoch seconds."""
        self._settings = settings
        self._listing = listing
        self._stored = stored
        self._health = health
        self._events = events
        self._history = history or HistoryReader(now=now)
        self._now = now

    def routes(self) -> list[BaseRoute]:
        """Return the addresses."""
        return [
            Address("/api/v1/series", self.series),
            Address("/api/v1/series/{name:path}", self.one_series),
            Address("/api/v1/history", self.history),
            Address("/api/v1/rejected", self.rejected),
            Address("/api/v1/health", self.health),
            Address("/api/v1/events", self.listen),
        ]

    async def series(self, request: Request) -> Response:
        given = Parameters(request.query_params.multi_items())
        wanted = Wanted(
            given.take("search", _search, ""),
            given.take("sort", parameters.order(COLUMNS), Order("name")),
            given.take("limit", parameters.whole_number(1, _MOST_ROWS), _ROWS),
            given.take("offset", parameters.whole_number(0, 10**9), 0),
        )
        given.end()
        if wanted.limit <= _QUICK_ROWS:
            return as_json(self._listing.rows(wanted, self._now()))
        return await self._stored.compute(lambda: as_json(self._listing.rows(wanted, self._now())))

    async def one_series(self, request: Request) -> Response:
        given = Parameters(request.query_params.multi_items())
        # browsers and proxies change a path such as `..` or `a//b`; a parameter they leave as it is
        name = request.path_params["name"] or given.required("name")
        given.end()
        published = self._listing.one(name)
        try:
            row = await self._stored.ask(lambda stored: stored.series_named(name))
        except WrongRequest:
            if published is None:
                raise
            row = None
        if published is None and row is None:
            raise _no_such_series(name)
        answer = published or dict.fromkeys(("at", "last", "count")) | {
            "name": name,
            "unit": self._listing.unit_of(name),
            "trend": [],
            "windows": {},
        }
        return as_json(
            {
                **answer,
                "rate_unit": rate_unit(self._settings, name),
                "stored": None if row is None else _stored_series(row),
            }
        )

    async def history(self, request: Request) -> Response:
        given = Parameters(request.query_params.multi_items())
        name = given.required("series")
        begin = given.take("from", parameters.epoch_seconds, None)
        until = given.take("to", parameters.epoch_seconds, None)
        length = given.take("span", parameters.duration, None)
        windows = given.take("windows", _windows, None)
        most = given.take("max_points", parameters.whole_number(10, _MOST_POINTS), _POINTS)
        patience = given.take("patience", _patience, PATIENCE)
        form = given.take("format", parameters.one_of("json", "csv"), "json")
        given.end()
        if begin is not None and length is not None:
            raise WrongRequest("from and span exclude each other: give one of them")
        now = self._now()
        averaged = windows or self._windows_of(name)

        def read(stored: ReadingStore) -> Response:
            row = stored.series_named(name)
            if row is None:
                raise _no_such_series(name)
            end = now + self._settings.max_clock_skew if until is None else until
            # what is ahead of our clock is shown too, and makes no span longer
            last = now if until is None else until
            after = last - (length or row.retention) if begin is None else begin
            if after >= end:
                raise WrongRequest("from must be earlier than to")
            longest = max(window.seconds for window in averaged)
            found = self._history.read(stored, row, Span(after, end), longest, patience)
            if form == "json":
                return as_json(as_sent(found, averaged, most, now))
            # a file could not say that something is missing in it
            if not found.complete:
                raise WrongRequest(
                    "the readings of this span are too many for one file, or take too long to read: ask with "
                    f"from={found.begins!r}, or with more patience",
                    413,
                )
            return _as_csv(found, averaged)

        return await self._stored.ask(read)

    async def rejected(self, request: Request) -> Response:
        given = Parameters(request.query_params.multi_items())
        newest = given.take("limit", parameters.whole_number(1, _MOST_REJECTED), _REJECTED)
        given.end()
        return await self._stored.ask(lambda stored: as_json(rejected(stored, newest)))

    async def health(self, request: Request) -> Response:
        Parameters(request.query_params.multi_items()).end()
        return as_json(await self._stored.compute(self._health.report))

    async def listen(self, request: Request) -> Response:
        Parameters(request.query_params.multi_items()).end()
        # a stream without a body would have no end
        return self._events.listen() if request.method == "GET" else as_text("", kind="text/event-stream")

    def _windows_of(self, name: str) -> tuple[Window, ...]:
        """Return the windows that are published of a series; those of the settings if nothing is."""
        published = self._listing.windows_of(name)
        return tuple(map(Window.parse, published)) or self._settings.windows


def _search(text: str) -> str:
    if len(text) > _LONGEST_SEARCH:
        raise ValueError(f"must have at most {_LONGEST_SEARCH} characters")
    return text


def _windows(text: str) -> tuple[Window, ...]:
    windows = tuple(each_of(map(str.strip, text.split(",")), Window.parse))
    if len(windows) > _MOST_WINDOWS:
        raise ValueError(f"must be at most {_MOST_WINDOWS} windows")
    return windows


def _patience(text: str) -> float:
    seconds = parameters.duration(text)
    if not LEAST_PATIENCE <= seconds <= MOST_PATIENCE:
        least, most = format_duration(LEAST_PATIENCE), format_duration(MOST_PATIENCE)
        raise ValueError(f"must be a duration from {least} to {most}")
    return seconds


def _no_such_series(name: str) -> WrongRequest:
    return WrongRequest(f"there is no series {name[:200]!r}", 404)


def _stored_series(row: SeriesRow) -> dict[str, object]:
    return {"topic": row.topic, "field": row.field, "since": row.since, "retention": row.retention}


def _as_csv(history: SeriesHistory, windows: Iterable[Window]) -> Response:
    """Return the readings with their rolling averages, every digit of them; empty where there is none."""
    columns = {f"avg_{window.name}": at_readings(history, window) for window in windows}
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["time", "value", *columns])
    for (at, _, value), *averages in zip(history.inside, *columns.values(), strict=True):
        writer.writerow(
            [repr(at), repr(value), *("" if number is None else repr(number) for number in averages)]
        )
    name = re.sub(r"[^\w.-]+", "_", history.series.name)[-100:] or "series"
    disposition = f"attachment; filename*=UTF-8''{quote(name)}.csv"
    return as_text(file.getvalue(), kind="text/csv", headers={"content-disposition": disposition})
