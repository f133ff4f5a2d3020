"""Whether a connection to the database keeps its locks."""

from collections.abc import Iterator

from models.storage.cluster import OLDEST_SERVER, Examination
from scheduler_app.checks.finding import Finding, Level


def check_pooler(found: Examination) -> Iterator[Finding]:
    """Look at what stands between us and the server, and whether that is new enough."""
    if not found.keeps_sessions:
        text = (
            "something before the database, such as PgBouncer in transaction mode, gives our connection to "
            "others between two transactions: locks get lost with it, and two subscribers may store under "
            "one slot. Have it keep sessions (pool_mode = session), or name the server itself in DB_URL"
        )
        yield Finding(Level.FAIL, "pooler", text)
    if found.version < OLDEST_SERVER:
        text = (
            f"PostgreSQL {found.version} cannot end the session of a machine that has vanished: from version "
            f"{OLDEST_SERVER} on it can, and MEMBERS needs that"
        )
        yield Finding(Level.FAIL, "pooler", text)
