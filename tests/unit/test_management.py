import argparse
import re
import signal
import sys
import threading
from pathlib import Path

import pytest

from config import settings
from config.broker_address import BrokerAddress
from config.settings import SETTINGS, Settings, default_text, load_settings
from scheduler_app import commands, management
from scheduler_app.arguments import port_number
from scheduler_app.commands.publisher import meant_for_a_subscriber
from scheduler_app.console.order import Order
from scheduler_app.errors import CommandError
from scheduler_app.management import _GROUPS, BaseCommand, build_parser, command_names, load_command, main
from tests.support.waiting import TIMEOUT

ALL = [
    *("audit", "broker", "check", "demo", "history", "publisher", "runbroker-clients", "series", "stats"),
    "subscriber",
]


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep argparse from breaking lines."""
    monkeypatch.setenv("COLUMNS", "1000")


def run(*arguments: str) -> int:
    return main(["manage.py", *arguments])


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the one line that a wrong call is answered with."""
    assert run(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    return err


def test_a_command_is_a_file_with_a_class() -> None:
    """Adding a role is adding a file."""
    [folder] = map(Path, commands.__path__)
    files = sorted(path.stem.replace("_", "-") for path in folder.glob("*.py") if path.stem != "__init__")
    assert command_names() == files
    assert set(ALL) <= set(files)
    for name in files:
        assert isinstance(load_command(name), BaseCommand)


def test_a_new_file_is_a_new_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "say_hello.py").write_text(
        "from scheduler_app.management import BaseCommand\n"
        "class Command(BaseCommand):\n"
        "    help = 'Say hello.'\n"
        "    def handle(self, options, settings):\n"
        "        print('hello', settings.topic)\n"
    )
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
    assert "say-hello" in command_names()
    assert load_command("say-hello").help == "Say hello."


@pytest.mark.parametrize("arguments", [[], ["help"], ["--help"], ["-h"]])
def test_help_lists_every_command_with_what_it_does(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert run(*arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for name in command_names():
        words = re.escape(load_command(name).help).replace(r"\ ", r"\s+")
        assert re.search(rf"^  {name} +{words}$", out, re.MULTILINE)
    assert max(map(len, out.splitlines())) <= 80


def test_help_begins_with_what_to_start_with(capsys: pytest.CaptureFixture[str]) -> None:
    run("help")
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "Start with:"
    assert lines[3].split()[0] == "demo"
    named = [name for _, group in _GROUPS for name in group]
    assert len(named) == len(set(named))
    assert set(named) <= set(command_names())


@pytest.mark.parametrize("name", ALL)
def test_help_of_a_command_shows_its_settings_with_their_defaults(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert run("help", name) == 0
    out, err = capsys.readouterr()
    assert err == ""
    command = load_command(name)
    assert command.help in out
    for setting in (*command.settings, "log_level"):
        # from Python 3.13 on the name of the value stands once
        flag = f"(-[a-zA-Z]( {setting.upper()})?, )?--{setting.replace('_', '-')} {setting.upper()}"
        text = f"{SETTINGS[setting].description} (default: {default_text(setting)})"
        assert re.search(rf"^  {flag}\s+{re.escape(text)}$", out, re.MULTILINE)


@pytest.mark.parametrize("name", ALL)
def test_help_shows_a_default_for_every_argument(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert run("help", name) == 0
    described = re.findall(
        r"^  (--[a-z-]+).*?[A-Z](?:\s{2,}|\n\s+)(.*)$", capsys.readouterr().out, re.MULTILINE
    )
    assert described
    assert [flag for flag, text in described if "(default: " not in text] == []


@pytest.mark.parametrize("name", ALL)
def test_a_command_explains_itself_as_help_does(capsys: pytest.CaptureFixture[str], name: str) -> None:
    run("help", name)
    explained = capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        run(name, "--help")
    assert caught.value.code == 0
    assert capsys.readouterr().out == explained


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("subscribr", "subscriber"),
        ("runbroker_clients", "runbroker-clients"),
        ("runbroker", "runbroker-clients"),
        ("stat", "stats"),
        ("Publisher", "publisher"),
        ("checks", "check"),
    ],
)
@pytest.mark.parametrize("before", [[], ["help"]])
def test_an_unknown_command_suggests_the_nearest(
    capsys: pytest.CaptureFixture[str], before: list[str], typed: str, meant: str
) -> None:
    line = refused(capsys, *before, typed)
    assert line == f"Error: unknown command '{typed}'. Did you mean {meant}?\n"


@pytest.mark.parametrize("typed", ["xyzzy", "", "/etc", "__init__", "--nonsense"])
def test_a_command_like_no_other_is_pointed_to_the_list(
    capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    line = refused(capsys, typed)
    assert line == f"Error: unknown command {typed!r}. 'manage.py help' lists the commands.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["stats", "--nonsense"], "--nonsense"),
        (["stats", "extra"], "extra"),
        (["stats", "--format"], "--format"),
        (["stats", "--form", "github"], "--form"),
        (["stats", "--format", "nonsense"], "'nonsense' must be json or a format of tabulate: "),
        (["stats", "--stats-topc", "a"], "unknown flag --stats-topc; did you mean --stats-topic? "),
        (["stats", "--stats-topc=a"], "unknown flag --stats-topc; did you mean --stats-topic? "),
        (["stats", "--topic", "a"], "unknown flag --topic; this command does not use TOPIC. "),
        (["stats", "--xyzzy", "a"], "unknown flag --xyzzy. "),
        (
            ["stats", "-p", "1883"],
            "unknown flag -p; what Mosquitto's clients call -p is --broker HOST:PORT here. ",
        ),
        (["stats", "--cafile", "x"], "what Mosquitto's clients call --cafile is --broker-cafile here. "),
        (
            ["stats", "-h", "localhost"],
            "-h prints this help; what Mosquitto's clients call -h is --broker HOST",
        ),
        (["series", "-p", "1883"], "unknown flag -p. "),
        (["history", "--", "a", "--csv"], "unrecognized arguments: --csv. "),
        (["publisher", "--count", "0"], "'0' must be a whole number, 1 or more"),
        (["publisher", "--count", "-1"], "'-1' must be a whole number, 1 or more"),
        (["publisher", "--count", "x"], "'x' must be a whole number, 1 or more"),
        (["rejected", "--limit", f"{2**63}"], f"'{2**63}' must be {2**63 - 1} at most"),
        (["publisher", "--min-interval", "5"], "'5' must be a number with a unit"),
        (["publisher", "--min-interval", "0s"], "'0s' must be at least 1ms"),
        (["publisher", "--seed", "x"], "--seed"),
        (["publisher", "--series", "0"], "'0' must be a whole number from 1 to 100000"),
        (["publisher", "--series", "100001"], "'100001' must be a whole number from 1 to 100000"),
        (["publisher", "--rate", "0"], "'0' must be readings a second, "),
        (["publisher", "--rate", "nan"], "'nan' must be readings a second, "),
        (["publisher", "--rate", "fast"], "'fast' must be readings a second, "),
        (["stats", "--all", "--sort", "value"], "'value' must be one of name, last, age, count, or a window"),
        (["stats", "--all", "--sort", "-0s"], "'-0s' must be one of name, last, age, count, or a window"),
        (["stats", "--all", "--filter", "a/#/b"], "'a/#/b' must have + alone between slashes"),
        (["audit", "--duration", "5"], "'5' must be a number with a unit"),
        (["broker", "--port", "0"], "'0' must be a port, from 1 to 65535"),
        (["broker", "--port", "65536"], "'65536' must be a port, from 1 to 65535"),
        (["broker", "--port", "mqtt"], "'mqtt' must be a port, from 1 to 65535"),
    ],
)
def test_a_wrong_argument_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    line = refused(capsys, *arguments)
    assert said in line
    assert line.endswith(f"'manage.py help {arguments[0]}' explains.\n")


def test_a_wrong_setting_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refused(capsys, "subscriber", "--retention", "1min") == (
        "Error: RETENTION=1min must be at least 30min, the longest of WINDOWS\n"
    )
    monkeypatch.setenv("WINDOWS", "soon")
    assert refused(capsys, "subscriber").startswith("Error: WINDOWS=soon must be a number with a unit")


def test_each_wrong_setting_has_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("subscriber", "--windows", "x", "--topic", "#/#") == 2
    lines = capsys.readouterr().err.splitlines()
    assert sorted(line.partition("=")[0] for line in lines) == ["Error: TOPIC", "Error: WINDOWS"]


@pytest.mark.parametrize("name", [name for name in ALL if "broker" in load_command(name).settings])
@pytest.mark.parametrize("value", ["mqtt://user:geheim@host", "user:geheim@host", "mqtt://user@host"])
def test_a_password_is_not_taken_from_the_command_line(
    capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    line = refused(capsys, name, "--broker", value)
    assert "--broker takes no password" in line
    assert "geheim" not in line


@pytest.mark.parametrize("url", ["mqtt://user:geheim@host", "mqtt://user:ge@geheim@host"])
@pytest.mark.parametrize("before", [[], ["help"], ["stats"], ["stats", "--once"]])
def test_a_password_in_a_wrong_call_is_not_shown(
    capsys: pytest.CaptureFixture[str], before: list[str], url: str
) -> None:
    line = refused(capsys, *before, url)
    assert "geheim" not in line
    assert "mqtt://***@host" in line


@pytest.mark.parametrize("flag", ["--brokr", "--brokr=mqtt://me:geheim@host", "-x"])
def test_a_password_behind_a_flag_that_there_is_not_is_not_shown(
    capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    assert "geheim" not in refused(capsys, "stats", flag, "geheim", "mqtt://me:geheim@host")


def test_a_password_in_a_wrong_setting_is_not_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER", "mqtt://user:geheim@host:port")
    assert "BROKER=mqtt://user:*** must be host, host:port, or an mqtt://" in refused(capsys, "stats")


@pytest.mark.usefixtures("restored_log")
def test_the_shortest_pause_of_the_publisher_is_no_longer_than_the_longest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = refused(capsys, "publisher", "--min-interval", "5s", "--max-interval", "1s")
    assert line == "Error: --min-interval is longer than --max-interval\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["publisher", "--rate", "5", "--max-interval", "1s"], "--rate cannot be used with --min-interval"),
        (["publisher", "--topic", "a,b"], "TOPIC=a,b cannot be published to: it must be a single topic"),
        (
            ["publisher", "--topic", "a" * 65534, "--series", "2"],
            "cannot be published to: it must be 1 to 65535 bytes",
        ),
        (["stats", "--live"], "--live works only together with --all"),
        (["stats", "--sort", "-age"], "--sort works only together with --all"),
        (["stats", "--filter", "a"], "--filter works only together with --all"),
        (["stats", "--all", "--format", "lines"], "--format lines cannot be used together with --all"),
        (["stats", "--all", "--format", "original"], "--format original cannot be used together with --all"),
        (["stats", "--all", "--live", "--once"], "--live and --once cannot be used together"),
        (["stats", "--all", "--live", "--format", "json"], "--live draws a table"),
    ],
)
@pytest.mark.usefixtures("restored_log")
def test_what_does_not_go_together_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert said in refused(capsys, *arguments)


@pytest.mark.usefixtures("restored_log")
def test_a_live_page_needs_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("stats", "--all", "--live") == 1
    assert capsys.readouterr().err.startswith("Error: --live needs a terminal")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["--sort", "-age"], Order("age", descending=True)),
        (["--sort=-1h"], Order("1h", descending=True)),
        (["--sort", "5 min"], Order("5min")),
        ([], None),
    ],
)
@pytest.mark.usefixtures("restored_log")
def test_a_minus_before_a_column_means_descending(
    monkeypatch: pytest.MonkeyPatch, typed: list[str], meant: Order | None
) -> None:
    got: list[Order | None] = []
    monkeypatch.setattr(
        type(load_command("stats")), "handle", lambda self, options, settings: got.append(options.sort)
    )
    assert run("stats", "--all", *typed) == 0
    assert got == [meant]


@pytest.mark.parametrize("topic", ["#", "sensors/+"])
@pytest.mark.usefixtures("restored_log")
def test_the_publisher_needs_a_topic_without_wildcards(
    capsys: pytest.CaptureFixture[str], topic: str
) -> None:
    line = refused(capsys, "publisher", "--topic", topic)
    assert line.startswith(f"Error: TOPIC={topic} cannot be published to: ")


@pytest.mark.parametrize("topic", ["#", "sensors/+", "a,b"])
@pytest.mark.usefixtures("restored_log")
def test_the_publisher_ends_by_itself_if_told_to_where_a_topic_is_meant_for_a_subscriber(
    capsys: pytest.CaptureFixture[str], topic: str
) -> None:
    assert run("publisher", "--if-one-topic", "--topic", topic) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith(
        f"| WARNING | publisher: TOPIC={topic} is for sensors of your own: no random numbers are published\n"
    )


@pytest.mark.usefixtures("restored_log")
def test_it_does_so_where_a_stream_file_says_what_is_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "streams.toml"
    path.write_text('[[stream]]\ntopic = "home/#"\n')
    monkeypatch.setenv("STREAMS_FILE", str(path))
    assert run("publisher", "--if-one-topic") == 0
    assert f"STREAMS_FILE={path} is for sensors of your own" in capsys.readouterr().err
    monkeypatch.delenv("STREAMS_FILE")
    assert meant_for_a_subscriber(load_settings({"topic": "a/b"})) is None


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("1883", 1883), ("65535", 65535)])
def test_a_port_is_a_number_from_1_to_65535(text: str, number: int) -> None:
    assert port_number(text) == number


def test_flags_are_read_where_the_command_uses_the_setting() -> None:
    parser = build_parser("stats", load_command("stats"))
    options = parser.parse_args(["--stats-topic", "averages", "--once", "--log-level", "debug"])
    assert vars(options) == {
        "stats_topic": "averages",
        "once": True,
        "log_level": "debug",
        "format": None,
        "all": False,
        "filter": None,
        "sort": None,
        "live": False,
        "stop_at_eof": False,
    }


@pytest.mark.parametrize(
    ("command", "typed", "setting", "value"),
    [
        ("subscriber", "-t", "topic", "a/#"),
        ("publisher", "-t", "topic", "a"),
        ("stats", "-t", "stats_topic", "a"),
        ("status", "-t", "stats_topic", "a"),
        ("stats", "-b", "broker", "host:1"),
        ("stats", "-V", "mqtt_version", "mqttv5"),
    ],
)
def test_short_flags_are_those_of_mosquitto(command: str, typed: str, setting: str, value: str) -> None:
    parser = build_parser(command, load_command(command))
    assert getattr(parser.parse_args([typed, value]), setting) == value


class Settled:
    """Takes the place of what `stats` does, and keeps its options and settings."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.broker: BrokerAddress | None = None
        self.given: str | None = None
        monkeypatch.setattr(type(load_command("stats")), "handle", self._keep)

    def _keep(self, options: argparse.Namespace, settings: Settings) -> None:
        self.broker, self.given = settings.broker, getattr(options, "broker", None)


@pytest.mark.usefixtures("restored_log")
@pytest.mark.parametrize(
    ("broker", "typed", "password"),
    [
        ("host", ["-u", "me"], None),
        ("mqtt://me:secret@host", ["-u", "me"], "secret"),
        ("mqtt://other:secret@host", ["-u", "me"], None),
        ("mqtt://other:secret@host", ["-u", "me", "-P"], "t:y/p@ed"),
        ("mqtt://me:secret@host", ["-P"], "t:y/p@ed"),
        ("wss://host/path", ["--username", "me", "--password"], "t:y/p@ed"),
        ("[::1]:1884", ["-u", "me", "-P", "-b", "mqtts://host"], "t:y/p@ed"),
    ],
)
def test_a_user_is_a_flag_and_the_password_is_typed(
    monkeypatch: pytest.MonkeyPatch, broker: str, typed: list[str], password: str | None
) -> None:
    settled = Settled(monkeypatch)
    monkeypatch.setenv("BROKER", broker)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr(management, "getpass", lambda prompt: "t:y/p@ed")
    assert run("stats", *typed) == 0
    assert settled.broker is not None
    assert (settled.broker.username, settled.broker.password) == ("me", password)
    expected = BrokerAddress.parse(typed[-1] if "-b" in typed else broker)
    assert str(settled.broker) == str(expected)
    assert settled.broker.path == expected.path
    # the roles that this one starts get the same
    assert BrokerAddress.parse(str(settled.given)) == settled.broker


@pytest.mark.parametrize("flag", ["-P", "--password"])
def test_a_password_is_never_the_value_of_a_flag(capsys: pytest.CaptureFixture[str], flag: str) -> None:
    line = refused(capsys, "stats", "-u", "me", flag, "geheim")
    assert f"{flag} takes no password" in line
    assert "set BROKER in the environment or in .env instead, to mqtt://USER:PASSWORD@HOST" in line
    assert "geheim" not in line


def test_a_password_needs_a_user_and_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "-P needs a user" in refused(capsys, "stats", "-P")
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    assert "there is no terminal to type a password on" in refused(capsys, "stats", "-u", "me", "-P")


@pytest.mark.usefixtures("restored_log")
@pytest.mark.parametrize(
    ("arguments", "times"), [(["stats"], 1), (["series"], 1), (["stats", "--stop-at-eof"], 0)]
)
def test_a_misspelt_setting_is_told_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], times: int
) -> None:
    monkeypatch.setattr(type(load_command(arguments[0])), "handle", lambda self, options, settings: None)
    Path(".env").write_text("BROKR=host\n")
    assert run(*arguments) == 0
    err = capsys.readouterr().err
    assert err.count("WARNING") == times
    assert err.count("BROKR in .env is no setting and is ignored; did you mean BROKER?") == times


@pytest.mark.parametrize("error", [CommandError("no luck"), CommandError("no luck", status=2)])
@pytest.mark.usefixtures("restored_log")
def test_a_mistake_is_one_line_and_its_status(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: CommandError,
) -> None:
    def handle(self: BaseCommand, options: argparse.Namespace, settings: Settings) -> None:
        raise error

    monkeypatch.setattr(type(load_command("check")), "handle", handle)
    assert run("check") == error.status
    assert capsys.readouterr() == ("", "Error: no luck\n")


@pytest.mark.usefixtures("restored_log")
def test_anything_but_a_mistake_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def handle(self: BaseCommand, options: argparse.Namespace, settings: Settings) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(type(load_command("check")), "handle", handle)
    with pytest.raises(ZeroDivisionError):
        run("check")


@pytest.mark.usefixtures("restored_log")
def test_a_command_gets_its_options_and_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[tuple[bool, str, str]] = []

    def handle(self: BaseCommand, options: argparse.Namespace, settings: Settings) -> None:
        got.append((options.once, settings.stats_topic, settings.client_id))

    monkeypatch.setenv("CLIENT_ID", "kitchen")
    monkeypatch.setenv("STATS_TOPIC", "from/environment")
    monkeypatch.setattr(type(load_command("stats")), "handle", handle)
    assert run("stats", "--once", "--stats-topic", "from/flag") == 0
    assert got == [(True, "from/flag", "kitchen")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_stop_waits_until_the_settings_are_imported(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """In the middle of importing an extension module, an exception from a handler became a panic."""
    told: list[str] = []

    class Import:
        """Stands for the module: the signal comes while it is looked at."""

        def __getattr__(self, name: str) -> object:
            if not told:
                # to this thread: the process may have others, that an earlier test has left behind
                signal.raise_signal(number)
                told.append("imported")
            return getattr(settings, name)

    monkeypatch.setitem(sys.modules, "config.settings", Import())
    former = signal.signal(number, lambda *_: told.append("stopped"))
    bystander = threading.Event()
    thread = threading.Thread(target=bystander.wait, args=[TIMEOUT])
    thread.start()
    try:
        build_parser("stats", load_command("stats"))
    finally:
        bystander.set()
        thread.join()
        signal.signal(number, former)
    assert told == ["imported", "stopped"]


CLEAR = (
    "the password for the broker at 192.0.2.1:1883 is sent unencrypted, and whoever sees the network can "
    "read it: set BROKER to an mqtts:// URL"
)


@pytest.mark.usefixtures("restored_log")
@pytest.mark.parametrize(
    ("arguments", "broker", "times"),
    [
        (["subscriber"], "mqtt://me:secret@192.0.2.1", 1),
        (["publisher"], "mqtt://me:secret@192.0.2.1", 1),
        (["stats"], "mqtt://me:secret@192.0.2.1", 1),
        (["runbroker-clients"], "mqtt://me:secret@192.0.2.1", 1),
        (["subscriber", "--stop-at-eof"], "mqtt://me:secret@192.0.2.1", 0),  # its parent has said it
        (["subscriber"], "mqtts://me:secret@192.0.2.1", 0),
        (["subscriber"], "mqtt://me:secret@127.0.0.1", 0),
        (["subscriber"], "192.0.2.1", 0),
        (["status"], "mqtt://me:secret@192.0.2.1", 0),
        (["broker"], "mqtt://me:secret@192.0.2.1", 0),
        (["demo"], "mqtt://me:secret@192.0.2.1", 0),  # it is not for this broker
    ],
)
def test_a_role_says_once_that_its_password_is_sent_in_clear(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    broker: str,
    times: int,
) -> None:
    command = type(load_command(arguments[0]))
    monkeypatch.setattr(command, "handle", lambda self, options, settings: None)
    monkeypatch.setenv("BROKER", broker)
    assert run(*arguments) == 0
    err = capsys.readouterr().err
    assert (err.count("WARNING"), err.count(CLEAR)) == (times, times)
    assert "secret" not in err
