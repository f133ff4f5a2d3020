"""A database file with readings in it, made without the code that does so in a subscriber."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from models.storage.sqlite.opening import prepare

# Kept for so long, in seconds, unless a test says otherwise.
RETENTION = 2100.0


def store_readings(
    path: Path, readings: Mapping[str, Sequence[tuple[float, float]]], retention: float = RETENTION
) -> None:
    """Store (time, value) pairs by the name of their series, in the order given."""
    prepare(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        sequence = connection.execute("SELECT COALESCE(MAX(sequence), 0) FROM reading").fetchone()[0]
        for name, pairs in readings.items():
            since = pairs[0][0] if pairs else 0.0
            connection.execute(
                "INSERT OR IGNORE INTO series (name, topic, field, since, retention) VALUES (?, ?, '', ?, ?)",
                (name, name, since, retention),
            )
            [(series,)] = connection.execute("SELECT id FROM series WHERE name = ?", (name,))
            for time, value in pairs:
                sequence += 1
                connection.execute(
                    "INSERT INTO reading (time, sequence, series_id, value) VALUES (?, ?, ?, ?)",
                    (time, sequence, series, value),
                )
        connection.execute("INSERT OR REPLACE INTO counter VALUES ('', 'sequence', ?)", (sequence,))
