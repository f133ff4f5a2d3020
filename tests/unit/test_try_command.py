"""`manage.py try` on messages of the command line and of files; with a broker it is an integration test."""

import io
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scheduler_app.cures import CURES
from scheduler_app.errors import CommandError
from scheduler_app.management import main
from scheduler_app.trial import sources

pytestmark = pytest.mark.usefixtures("restored_log")
Shown = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Shown:
    """Return what runs the command, and returns its exit status, its output and its errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(["manage.py", "try", *arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return run


def test_a_plain_number_is_a_reading_at_the_time_it_came(shown: Shown) -> None:
    status, out, err = shown("DATA", "21.5")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "DATA 21.5",
        "  DATA = 21.5, at the time it came",
        "1 message: 1 reading of 1 series. Nothing was stored.",
    ]


def test_a_message_that_is_none_is_told_with_the_reason_and_the_cure_and_fails(shown: Shown) -> None:
    status, out, err = shown("DATA", '{"temperature": 21.5}')
    assert status == 1
    assert out.splitlines()[1:] == [
        "  rejected: no number, has temperature; name them in STREAMS_FILE, or --value temperature",
        f"    {CURES['no number']}",
        "1 message: 0 readings of 0 series, 1 rejected (1 no number). Nothing was stored.",
    ]
    assert err == "Error: messages, or parts of them, would be rejected\n"


def test_what_it_says_to_do_works(shown: Shown) -> None:
    status, out, _ = shown("DATA", '{"temperature": 21.5}', "--value", "temperature")
    assert status == 0
    assert "DATA = 21.5" in out


def test_a_time_is_shown_in_utc_and_with_the_zone_of_this_machine(
    shown: Shown, in_zone: Callable[[str], None]
) -> None:
    now = time.time() // 1
    payload = json.dumps({"number": 1, "epochtime": now - 60})
    in_utc = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now - 60))
    assert f"DATA = 1, at {in_utc} UTC, 6" in shown("DATA", payload)[1]
    in_zone("Asia/Kolkata")
    local = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now - 60))
    assert f"DATA = 1, at {in_utc} UTC = {local} +05:30, 6" in shown("DATA", payload)[1]


def test_a_topic_that_nobody_reads_is_told(shown: Shown) -> None:
    status, out, _ = shown("attic", "1")
    assert status == 0
    assert out.splitlines()[1:] == [
        "  not read: no stream has this topic",
        "1 message: 0 readings of 0 series, 1 on topics that no stream has. Nothing was stored.",
    ]


def test_bytes_are_written_in_hexadecimal(shown: Shown, tmp_path: Path) -> None:
    path = tmp_path / "streams.toml"
    path.write_text('[[stream]]\ntopic = "a"\nformat = "raw"\ntype = "int16"\n')
    assert "a = -33," in shown("a", "0xffdf", "--streams-file", str(path))[1]
    assert "rejected: not JSON" in shown("DATA", "0xno")[1]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["DATA"], "a message is a topic and a payload"),
        (["DATA", "1", "2"], "a message is a topic and a payload"),
        (["a/+", "1"], "a/+ must be a topic without the wildcards"),
        (["DATA", "1", "--file", "x"], "a message and --file exclude each other"),
        (["DATA", "1", "--suggest", "#"], "--suggest takes messages from the broker, or from --file"),
        (["--suggest", "a#"], "argument --suggest: 'a#' must have"),
        (["--for", "soon"], "argument --for: 'soon' must"),
    ],
)
def test_a_wrong_call_is_one_line(shown: Shown, arguments: list[str], error: str) -> None:
    status, out, err = shown(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"Error: {error}")
    assert len(err.splitlines()) == 1


def test_a_file_has_a_message_a_line_as_mosquitto_sub_prints_them(shown: Shown, tmp_path: Path) -> None:
    path = tmp_path / "messages.txt"
    path.write_bytes(b"\xef\xbb\xbfDATA 1\r\n\nDATA (null)\nDATA  2 \nDATA \xff\n")
    status, out, _ = shown("--file", str(path))
    assert status == 1
    assert "DATA = 1," in out
    assert "DATA = 2," in out
    assert out.splitlines()[-1] == (
        "4 messages: 2 readings of 1 series, 1 rejected (1 not UTF-8), 1 ignored. Nothing was stored."
    )


def test_a_cure_is_told_once(shown: Shown, tmp_path: Path) -> None:
    path = tmp_path / "messages.txt"
    path.write_text("DATA x\nDATA y\n")
    _, out, _ = shown("--file", str(path))
    assert out.count("rejected: not JSON") == 2
    assert out.count(CURES["not JSON"]) == 1


@pytest.mark.parametrize("line", ["DATA", "a/+ 1", " 1", "a\x00b 1"])
def test_a_line_that_is_no_message_is_told_with_its_number(shown: Shown, tmp_path: Path, line: str) -> None:
    path = tmp_path / "messages.txt"
    path.write_text(f"DATA 1\n{line}\n")
    status, _, err = shown("--file", str(path))
    assert status == 1
    assert err.startswith(f"Error: {path}, line 2: must be a topic, a space and a payload")
    assert len(err.splitlines()) == 1


def test_a_file_that_cannot_be_read_is_one_line(shown: Shown, tmp_path: Path) -> None:
    assert shown("--file", str(tmp_path)) == (1, "", f"Error: {tmp_path} cannot be read: Is a directory\n")
    assert shown("--file", "none") == (1, "", "Error: none cannot be read: No such file or directory\n")


def test_a_file_without_messages_is_told(shown: Shown, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    assert shown("--file", "empty") == (1, "", "Error: there was no message in empty\n")


def test_standard_input_is_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a/b 1\n")))
    [message] = sources.from_file("-", now=lambda: 5.0)
    assert (message.topic, message.payload, message.arrived, message.retained) == ("a/b", b"1", 5.0, False)


@pytest.mark.parametrize(
    ("line", "topic", "payload"),
    [
        ('zigbee2mqtt/living room {"t": 21.5}', "zigbee2mqtt/living room", b'{"t": 21.5}'),
        ("the house/living room/t -2.5e1", "the house/living room/t", b"-2.5e1"),
        ("das haus/küche/wärme 21", "das haus/küche/wärme", b"21"),
        ("a b/c [1, 2]", "a b/c", b"[1, 2]"),
        ('home/a {"t": {"x": 1}}', "home/a", b'{"t": {"x": 1}}'),
        ("home/a 21.5 W", "home/a", b"21.5 W"),
        ("home/a T= 21.5", "home/a", b"T= 21.5"),
        ("home/a 26/11/2026 21.5", "home/a", b"26/11/2026 21.5"),
        ("home/a x/y, 21.5", "home/a", b"x/y, 21.5"),
        ("home/a log {21.5", "home/a", b"log {21.5"),
        ("home/a ", "home/a", b""),
    ],
)
def test_a_topic_in_a_file_may_have_spaces(tmp_path: Path, line: str, topic: str, payload: bytes) -> None:
    """Many rooms have: nothing in such a line says where the topic ends, but what a payload looks like."""
    file = tmp_path / "messages.txt"
    file.write_text(f"{line}\n")
    assert [(found.topic, found.payload) for found in sources.from_file(str(file))] == [(topic, payload)]


def test_json_has_an_object_a_message_and_the_summary_beside_it(shown: Shown, tmp_path: Path) -> None:
    (tmp_path / "messages.txt").write_text("DATA 1\nDATA x\nattic 1\n")
    status, out, err = shown("--file", "messages.txt", "--format", "json")
    assert status == 1
    one, two, three = map(json.loads, out.splitlines())
    [reading] = one["readings"]
    assert (reading["series"], reading["value"], reading["unit"]) == ("DATA", 1.0, None)
    assert two["rejected"] == [{"reason": "not JSON", "detail": "", "cure": CURES["not JSON"]}]
    assert (one["no_stream"], two["no_stream"], three["no_stream"]) == (False, False, True)
    assert err.startswith("3 messages: 1 reading of 1 series")


def test_nothing_that_was_sent_can_give_orders_to_a_terminal(shown: Shown, tmp_path: Path) -> None:
    orders = "\x1b[2J\u202e"
    (tmp_path / "messages.txt").write_text(f'DATA x{orders}\nDATA {{"{orders}": 1}}\nDATA {"x" * 300}\n')
    _, out, err = shown("--file", "messages.txt")
    assert [character for character in out + err if not character.isprintable() and character != "\n"] == []
    assert f"DATA {'x' * 200}…" in out


def test_nothing_is_stored(shown: Shown, tmp_path: Path) -> None:
    shown("DATA", "1")
    shown("--suggest", "#", "--file", "none")
    assert list(tmp_path.iterdir()) == []


def test_a_broker_that_does_not_answer_is_one_line(shown: Shown) -> None:
    status, out, err = shown("--broker", "127.0.0.1:1", "--for", "1s")
    assert (status, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert "127.0.0.1:1" in err


def test_a_file_is_closed_when_it_is_not_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "messages.txt").write_text("a 1\nb\n")
    messages = sources.from_file("messages.txt")
    assert next(messages).topic == "a"
    with pytest.raises(CommandError):
        next(messages)
