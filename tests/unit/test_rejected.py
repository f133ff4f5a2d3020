import base64
import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from models.storage.batch import Batch, NewRejected
from models.storage.sqlite.connection import writing_database
from models.storage.sqlite.store import Store
from scheduler_app.cures import CURES
from scheduler_app.management import main
from tests.unit.messages import NOW
from tests.unit.rows import rows

pytestmark = pytest.mark.usefixtures("restored_log")


def reject(path: Path, *messages: tuple[str, bytes, str, str], not_kept: int = 0) -> None:
    """Store rejected messages: topic, payload, reason, detail; each a second after the one before.

    So many more are counted as `not_kept`. Counting begins a second before the first message.
    """
    store = Store(writing_database(path), "me")
    rejected = [
        NewRejected(NOW + second, topic, payload, len(payload), reason, detail)
        for second, (topic, payload, reason, detail) in enumerate(messages)
    ]
    store.add(Batch(rejected=rejected, counts=Counter(rejected=len(rejected) + not_kept)))
    store.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE counter SET value = ? WHERE name = 'since'", (int(NOW) - 1,))


def shown(capsys: pytest.CaptureFixture[str], path: Path, *arguments: str) -> str:
    """Return what the command prints."""
    assert main(["manage.py", "rejected", "--db-file", str(path), *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def tables(text: str) -> tuple[list[list[str]], list[list[str]]]:
    """Return the cells of both tables, without headings; no cell may hold two spaces."""
    _, kept, newest, _ = text.split("\n\n")
    return cells(kept), cells(newest)


def cells(table: str) -> list[list[str]]:
    return [[cell for cell in line.split("  ") if cell.strip()] for line in table.splitlines()[2:]]


def stripped(table: list[list[str]]) -> list[list[str]]:
    return [[cell.strip() for cell in row] for row in table]


def test_no_rejected_messages_are_one_line(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, path) == "no messages were rejected\n"
    assert shown(capsys, path, "--json") == ""


def test_messages_are_counted_by_reason_and_topic_most_first(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reject(
        path,
        ("a", b"x", "not JSON", ""),
        ("b", b"x", "not JSON", ""),
        ("b", b"{}", "no number", ""),
        ("b", b"y", "not JSON", ""),
    )
    counts, _ = tables(shown(capsys, path))
    assert stripped(counts) == [["2", "not JSON", "b"], ["1", "no number", "b"], ["1", "not JSON", "a"]]


def test_what_can_be_done_is_told_once_for_each_reason(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reject(path, ("a", b"x", "not JSON", ""), ("a", b"y", "not JSON", ""), ("b", b"{}", "no number", ""))
    *_, cures = shown(capsys, path).split("\n\n")
    assert cures == "".join(f"{reason}: {CURES[reason]}\n" for reason in ("not JSON", "no number"))


def test_the_newest_messages_are_shown_first(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reject(path, ("a", b"x", "not JSON", ""), ("b", b"12345678", "too far ahead", "9 s more than allowed"))
    _, newest = tables(shown(capsys, path))
    assert stripped(newest) == [
        ["2023-11-14 22:13:21", "b", "too far ahead: 9 s more than allowed", "8", "12345678"],
        ["2023-11-14 22:13:20", "a", "not JSON", "1", "x"],
    ]


def test_so_many_are_shown_and_all_are_counted(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reject(path, *[("a", f"x{number}".encode(), "not JSON", "") for number in range(30)])
    for arguments, limit in ((), 20), (("--limit", "3"), 3):
        counts, newest = tables(shown(capsys, path, *arguments))
        assert stripped(counts) == [["30", "not JSON", "a"]]
        assert [row[-1] for row in stripped(newest)] == [f"x{29 - number}" for number in range(limit)]


@pytest.mark.parametrize("limit", ["0", "-1", "all"])
def test_a_limit_that_is_no_number_of_messages_is_refused(
    path: Path, capsys: pytest.CaptureFixture[str], limit: str
) -> None:
    assert main(["manage.py", "rejected", "--db-file", str(path), "--limit", limit]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Error: ")


def test_json_has_all_of_them_the_oldest_first_one_a_line(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reject(path, *[("a", f"ä{number}\n".encode(), "not JSON", "why") for number in range(30)])
    lines = shown(capsys, path, "--json", "--limit", "3").splitlines()
    assert [json.loads(line) for line in lines] == [
        {
            "arrived": NOW + number,
            "topic": "a",
            "reason": "not JSON",
            "detail": "why",
            "size": len(f"ä{number}\n".encode()),
            "payload": f"ä{number}\n",
        }
        for number in range(30)
    ]


def test_json_has_bytes_that_are_no_text_as_base64(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    payload = bytes(range(256))
    reject(path, ("a", payload, "not UTF-8", ""))
    message = json.loads(shown(capsys, path, "--json"))
    assert "payload" not in message
    assert base64.b64decode(message["payload_base64"]) == payload


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_nothing_that_was_sent_can_give_orders_to_a_terminal(
    path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    orders = "\x1b[2J\r\n\x07\x9b31m\u202e"
    reject(path, (f"a{orders}", f"x{orders}".encode(), "not JSON", ""), ("b", b"\xff\x1b", "not UTF-8", ""))
    text = shown(capsys, path, *arguments)
    assert [character for character in text if not character.isprintable() and character != "\n"] == []
    assert len(text.splitlines()) == (2 if arguments else 14)


def test_bytes_that_are_no_text_are_shown_as_escapes(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reject(path, ("a", b"\xff\x1b21.5", "not UTF-8", ""))
    assert r"\xff\x1b21.5" in shown(capsys, path)


def test_a_long_topic_is_cut_in_the_middle_and_a_long_payload_at_its_end(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reject(path, ("t" * 30 + "u" * 31, b"p" * 60, "not JSON", ""), ("t" * 60, b"p" * 5000, "not JSON", ""))
    kept, newest = tables(shown(capsys, path))
    assert [row[-2:] for row in stripped(newest)] == [["5000", "p" * 59 + "…"], ["60", "p" * 60]]
    cut = "t" * 30 + "…" + "u" * 29
    assert [row[1] for row in stripped(newest)] == ["t" * 60, cut]
    assert [row[2] for row in stripped(kept)] == ["t" * 60, cut]


def test_no_message_widens_the_tables_without_bound(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reject(path, ("t" * 60_000, b"p" * 4096, "name taken", "n" * 1024), ("t", b"p", "not JSON", ""))
    assert max(map(len, shown(capsys, path).splitlines())) < 300
    assert "t" * 60_000 in shown(capsys, path, "--json")


def test_how_many_were_counted_and_how_many_are_kept_is_told(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reject(path, ("a", b"x", "not JSON", ""), ("a", b"x", "not JSON", ""), not_kept=12_345)
    first, *_ = shown(capsys, path).splitlines()
    assert first == "rejected since 2023-11-14 22:13:19 +00:00: 12,347, of which 2 are kept"


def test_what_was_counted_is_told_when_nothing_of_it_is_kept_any_more(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reject(path, not_kept=3)
    assert shown(capsys, path) == "rejected since 2023-11-14 22:13:19 +00:00: 3, of which 0 are kept\n"


def test_a_file_that_does_not_exist_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "none.db"
    assert main(["manage.py", "rejected", "--db-file", str(path)]) == 1
    assert (
        capsys.readouterr().err
        == f"Error: DB_FILE={path} does not exist: the subscriber creates it when it first runs\n"
    )
    assert not path.exists()


def test_a_file_that_is_no_database_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no database" * 100)
    assert main(["manage.py", "rejected", "--db-file", str(path)]) == 1
    assert capsys.readouterr().err.startswith(f"Error: DB_FILE={path} ")


def test_looking_changes_nothing(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reject(path, ("a", b"x", "not JSON", ""))
    before = rows(path, "SELECT * FROM rejected_message")
    assert shown(capsys, path) == shown(capsys, path)
    assert rows(path, "SELECT * FROM rejected_message") == before
