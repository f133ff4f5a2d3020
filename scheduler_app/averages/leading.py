"""Who of several processes publishes: one that has the lead, for as long as it has it."""

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from loguru import logger

from models.storage.cluster import Lead

# Seconds between two looks whether the lead is free, or still ours.
LOOK_INTERVAL = 0.25
# What stands for all that is told of an outage.
_LOST = "lost"


class Term(Protocol):
    """What a process has from when it begins to lead until it does no longer."""

    def end(self) -> None:
        """Say that we go, and close what is open."""


AnyTerm = TypeVar("AnyTerm", bound=Term)


class Leading(Generic[AnyTerm]):
    """Begins a term when the lead is ours, and ends it when it is not. Runs in a thread of its own."""

    def __init__(self, lead: Lead, begin: Callable[[], AnyTerm]) -> None:
        """`begin` returns a new term."""
        self._lead = lead
        self._begin = begin
        self._stopping = threading.Event()
        self._term: AnyTerm | None = None
        # What was told last, so that it is told once; in an outage that is its first line.
        self._told = ""

    @property
    def term(self) -> AnyTerm | None:
        """The present term, None if there is none, or if the lead may be another's by now.

        A process that was stopped, or whose machine slept, finds here that the time is over for which the
        lead is certainly its own. Safe in any thread.
        """
        return self._term if self._lead.held else None

    @property
    def trouble(self) -> str | None:
        """What keeps us from asking for the lead, in one line; None if nothing is known to."""
        return self._lead.trouble

    def run(self) -> None:
        """Look until `stop`, then give the lead away."""
        try:
            while not self._stopping.is_set():
                self._look()
                self._stopping.wait(LOOK_INTERVAL)
        finally:
            self._end()
            self._lead.close()

    def stop(self) -> None:
        """Have `run` return. Safe in any thread."""
        self._stopping.set()

    def _look(self) -> None:
        leads = self._lead.look()
        if leads and self._term is None:
            self._tell("this process leads: it publishes the averages")
            self._term = self._begin()
        elif not leads and self._term is not None:
            why = self._lead.trouble or "this process was held up too long"
            logger.warning("the lead is lost: {}; another process may publish from now on", why)
            self._told = _LOST
            self._end()
        elif not leads and self._lead.trouble is not None:
            if self._told != _LOST:
                self._told = _LOST
                logger.error("the lead cannot be asked for: {}; trying until it can", self._lead.trouble)
        elif not leads:
            self._tell("another process leads: this one follows, and takes over when that is gone")

    def _tell(self, line: str) -> None:
        if line != self._told:
            self._told = line
            logger.info("{}", line)

    def _end(self) -> None:
        term, self._term = self._term, None
        if term is not None:
            term.end()
