"""How a damaged database file is known, and what to do with it."""

from models.storage.sqlite.connection import Database


def is_damage(text: str) -> bool:
    """Whether an error of SQLite's, or of its driver's, says that the file is no whole database."""
    return any(sign in text for sign in ("malformed", "not a database", "Could not decode to UTF-8"))


def what_to_do_with_a_damaged(name: str, text: str) -> str:
    """Return what to tell of the damaged file called `name`, of which SQLite says `text`."""
    return (
        f"{name} is damaged ({text}): stop what uses it, "
        "move it away with its -wal and -shm, and start again with a new one"
    )


def first_damage(database: Database) -> str | None:
    """Return what SQLite finds first that is wrong with the file, None if all is well.

    It reads the whole file: seconds, where that is large. Not by `quick_check`, which costs as much
    where there are hardly any indexes: that of SQLite 3.40 sees NULL in a table like ours of ids, whose
    primary key does not begin with its first column.
    """
    [found] = database.execute_sql("PRAGMA integrity_check(1)").fetchone()
    return None if found == "ok" else " ".join(str(found).split())
