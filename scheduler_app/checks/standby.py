"""Whether what is committed is on a second machine, and on disk."""

from collections.abc import Iterator

from models.storage.cluster import Examination
from scheduler_app.checks.finding import Finding, Level


def check_standby(found: Examination) -> Iterator[Finding]:
    """Look at what the server waits for before it says that something is committed."""
    if not found.fsync:
        text = (
            "fsync is off: when the machine of the database loses power, it loses acknowledged readings, or "
            "all. Set it on (postgresql.conf)"
        )
        yield Finding(Level.WARN, "standby", text)
    if not found.standby_names:
        text = (
            "no standby is synchronous: if the machine of the database is lost, so is what was acknowledged "
            "and had not reached another. Set synchronous_standby_names, best with two: ANY 1 (a, b)"
        )
        yield Finding(Level.WARN, "standby", text)
    elif found.standbys == 0:
        text = (
            f"no standby of synchronous_standby_names = {found.standby_names!r} is connected: nothing is "
            "committed, and nothing acknowledged, until one is"
        )
        yield Finding(Level.WARN, "standby", text)
    elif found.fsync:
        text = f"commits wait for a standby: synchronous_standby_names = {found.standby_names!r}"
        yield Finding(Level.OK, "standby", text)
