"""Whether the database can be written, and what has come into it so far."""

from collections.abc import Iterator

from config.settings import Settings
from models.storage.errors import LockedDatabase, UnreadableDatabase, UnusableDatabase
from scheduler_app.checks.finding import Finding, Level
from scheduler_app.runtime.chosen_database import chosen_database

# Seconds that clocks may differ by without a word.
_CLOCK_TOLERANCE = 1.0


def check_database(settings: Settings) -> Finding:
    """Open the database as the subscriber does."""
    try:
        database = chosen_database(settings)
        database.prepare()
        durability = database.durability()
        with database.reader() as stored:
            damage = stored.damage()
            readings = stored.reading_count()
    except (LockedDatabase, UnusableDatabase, UnreadableDatabase) as error:
        return Finding(Level.FAIL, "database", str(error))
    if damage is not None:
        return Finding(Level.FAIL, "database", damage)
    where = settings.db_file if settings.db_url is None else database.place
    text = f"{where}: {readings} readings, {durability.text}"
    if not durability.survives_power_cut:
        return Finding(Level.WARN, "database", f"{text}: a power cut may lose acknowledged readings")
    return Finding(Level.OK, "database", text)


def check_messages(settings: Settings, now: float) -> Iterator[Finding]:
    """Look at what has come so far: clocks that differ, devices that send only retained messages.

    `now` is in UTC epoch seconds.
    """
    try:
        with chosen_database(settings).reader() as stored:
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
