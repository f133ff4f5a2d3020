"""How a role starts while another program has locked its database."""

from collections.abc import Callable
from typing import TypeVar

from loguru import logger

from models.storage.errors import DamagedStore, LockedDatabase, StoreUnavailable, UnusableDatabase
from scheduler_app.runtime.lifecycle import Stopped, StopSignal

# Seconds between two tries.
_PAUSE = 0.5
Result = TypeVar("Result")


def when_unlocked(use: Callable[[], Result], stop: StopSignal) -> Result:
    """Return what `use` returns; while the database is locked, try again.

    Raises Stopped, and UnusableDatabase if the database is damaged.
    """
    logged = False
    while True:
        try:
            return use()
        except DamagedStore as error:
            raise UnusableDatabase(str(error)) from None
        except (LockedDatabase, StoreUnavailable) as error:
            if not logged:
                logger.error("the database cannot be used yet ({}); trying again until it can", error)
                logged = True
            if stop.wait(_PAUSE):
                raise Stopped from None
