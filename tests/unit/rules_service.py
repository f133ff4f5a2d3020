"""A writer for one stream on a database file, which can be killed and started again."""

from pathlib import Path

from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.opening import prepare
from models.storage.sqlite.store import Store
from scheduler_app.intake.writer import Writer
from scheduler_app.mqtt.message import Message
from tests.unit.rows import rows
from tests.unit.writers import writer_on

_READINGS = (
    "SELECT name, time, value FROM reading JOIN series ON series_id = series.id ORDER BY name, time, sequence"
)


class RulesService:
    """Its stream has all topics, or one, and the keys that it is given as they stand in a stream file."""

    store: Store
    writer: Writer

    def __init__(self, folder: Path, keys: str, name: str = "test.db", *, topic: str = "#") -> None:
        self.path = folder / name
        self._topic = topic
        self._streams_file = self.path.with_suffix(".toml")
        prepare(self.path)
        self._start(keys)

    def start_again(self, keys: str | None = None) -> None:
        """Begin a new process, with other keys if they are given."""
        self.store.close()
        self._start(keys)

    def take(self, *messages: Message) -> None:
        """Take messages in, in one transaction."""
        self.writer.commit(self.writer.sort(messages))

    @property
    def readings(self) -> list[tuple[str, float, float]]:
        """Names, times and values of the readings by series and, within them, by time."""
        return rows(self.path, _READINGS)

    @property
    def counts(self) -> dict[str, int]:
        """What became of all that was received; each reading of it came to exactly one end."""
        counts = dict(rows(self.path, "SELECT name, value FROM counter WHERE value"))
        del counts["since"]
        counts.pop("sequence", None)
        assert counts["received"] == sum(counts.values()) - counts["received"]
        return counts

    def _start(self, keys: str | None) -> None:
        if keys is not None:
            self._streams_file.write_text(f'[[stream]]\ntopic = "{self._topic}"\n{keys}\n')
        self.store = Store(writing_database(self.path), "me")
        self.writer = writer_on(self.store, streams_file=str(self._streams_file), topic="DATA")
