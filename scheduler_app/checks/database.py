"""Whether the database can be written, and what has come into it so far."""

from collections.abc import Iterator

from config.settings import Settings
from models.storage.errors import LockedDatabase, UnreadableDatabase, UnusableDatabase
from models.storage.sqlite.opening import prepare, writing_settings
from models.storage.sqlite.reader import open_reader
from scheduler_app.checks.finding import Finding, Level

# Seconds that clocks may differ by without a word.
_CLOCK_TOLERANCE = 1.0


def check_database(settings: Settings) -> Finding:
    """Open the database as the subscriber does."""
    try:
        prepare(settings.db_file)
        pragmas = writing_settings(settings.db_file)
        with open_reader(settings.db_file) as stored:
            damage = stored.damage()
            readings = stored.reading_count()
    except (LockedDatabase, UnusableDatabase, UnreadableDatabase) as error:
        return Finding(Level.FAIL, "database", str(error))
    if damage is not None:
        return Finding(Level.FAIL, "database", damage)
    text = (
        f"{settings.db_file}: {readings} readings, SQLite {pragmas.version}, journal {pragmas.journal_mode}"
    )
    if pragmas.journal_mode != "wal" or not pragmas.synchronous_full:
        return Finding(Level.WARN, "database", f"{text}: a power cut may lose acknowledged readings")
    return Finding(Level.OK, "database", f"{text}, synchronous full")


def check_messages(settings: Settings, now: float) -> Iterator[Finding]:
    """Look at what has come so far: clocks that differ, devices that send only retained messages.

    `now` is in UTC epoch seconds.
    """
    try:
        with open_reader(settings.db_file) as stored:
            counts = stored.counters()
            newest = stored.newest_time()
    except UnreadableDatabase as error:
        yield Finding(Level.FAIL, "messages", str(error))
        return
    if newest is not None and newest > now + _CLOCK_TOLERANCE:
        ahead = newest - now
        yield Finding(
            Level.WARN, "clock", f"the newest reading is {ahead:.0f} s ahead of the clock of this machine"
        )
    if counts.get("late", 0):
        text = (
            f"{counts['late']} readings were older than RETENTION when they came, and are in no average: "
            "the clock of a sensor is wrong, or they came after a long outage"
        )
        yield Finding(Level.WARN, "clock", text)
    if counts.get("retained", 0) and counts["retained"] == counts.get("received", 0):
        text = "all messages so far were retained ones: those are old copies, which are never counted"
        yield Finding(Level.WARN, "messages", text)
