"""A database file that a bad disk, or somebody, has written into."""

import sqlite3
from contextlib import closing
from pathlib import Path


def damage(path: Path, table: str, byte: bytes = b"\xff") -> None:
    """Overwrite the page at which SQLite begins to read `table`; nobody may have the file open."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [(size,)] = connection.execute("PRAGMA page_size")
        query = "SELECT rootpage FROM sqlite_master WHERE type = 'table' AND name = ?"
        [(page,)] = connection.execute(query, [table])
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(byte * size)
