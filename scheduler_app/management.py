"""The command line: finds commands, parses arguments, reports a user's mistake in one line."""

import argparse
import difflib
import importlib
import os
import pkgutil
import re
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from config.text import printable
from scheduler_app import commands
from scheduler_app.errors import CommandError
from scheduler_app.interrupts import STOP_SIGNALS
from scheduler_app.parser import (
    IN_THE_ENVIRONMENT,
    NO_DATABASE_PASSWORD,
    NO_PASSWORD,
    PROGRAM,
    AskForPassword,
    Parser,
    without_password,
)
from scheduler_app.plain_output import print_what_can_be
from scheduler_app.standard_streams import open_closed_streams

if TYPE_CHECKING:
    from config.settings import Settings

_ROOT = Path(__file__).resolve().parents[1]
# The settings that every command uses that connects to the broker.
BROKER_SETTINGS = (
    "broker",
    "broker_cafile",
    "broker_certfile",
    "broker_keyfile",
    "client_id",
    "mqtt_version",
)
# The settings that the subscriber uses, and the commands that start it or check for it.
SUBSCRIBER_SETTINGS = (
    *BROKER_SETTINGS,
    "topic",
    "value",
    "streams_file",
    "max_series",
    "stats_topic",
    "db_file",
    "db_url",
    "members",
    "share",
    "stats_interval",
    "retention",
    "windows",
    "max_clock_skew",
    "commit_interval",
    "ha_discovery",
    "ha_prefix",
)
# The settings that the page uses as flags. WEB_TOKEN is none: others could read it in the list of processes.
WEB_SETTINGS = ("web_host", "web_port", "web_allowed_hosts")
# The settings that every command has.
_COMMON_SETTINGS = ("log_level",)
# What a newcomer is told first, then the parts, and how to look at what they do; all others come last.
_GROUPS = (
    ("Start with", ("demo", "runbroker-clients", "check", "try")),
    ("The parts", ("subscriber", "averages", "publisher", "broker")),
    ("Look at it", ("stats", "status", "series", "history", "rejected")),
)
_OTHERS = "More"
# Characters in a line of the help.
_WIDTH = 80


class BaseCommand(ABC):
    """A command is a file in `scheduler_app/commands/` with a class `Command` that extends this."""

    help: ClassVar[str]
    # Names of the settings the command uses; each becomes a flag.
    settings: ClassVar[tuple[str, ...]] = ()
    # Whether the command runs until it is told to stop.
    is_role: ClassVar[bool] = False
    # Whether flags alone say what it uses, whatever stands in the environment and in `.env`.
    is_apart: ClassVar[bool] = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:  # noqa: B027 - most have none
        """Declare the arguments that are not settings."""

    @abstractmethod
    def handle(self, options: argparse.Namespace, settings: "Settings") -> None:
        """Do the work; return when it is done. Raises CommandError."""


def main(argv: Sequence[str]) -> int:
    """Run the command that `argv` (program name first) asks for; return the exit status."""
    open_closed_streams()
    print_what_can_be(sys.stdout, sys.stderr)
    return exit_status(lambda: _run(list(argv[1:])))


def exit_status(work: Callable[[], object]) -> int:
    """Do `work` and return the exit status of the program; a user's mistake is one line on standard error."""
    status = 0
    try:
        work()
    except CommandError as error:
        status = _tell(error)
    except BrokenPipeError:
        pass  # whoever read our output has gone: `manage.py stats | head`
    except ModuleNotFoundError as error:
        status = _tell(_not_installed(error))
    except OSError:
        try:
            print(flush=True)
        except OSError as error:  # so it was the output, which fails again
            status = _tell(_unwritable_output(error))
        else:
            raise
    try:
        print(end="", flush=True)
    except OSError as error:
        if not status and not isinstance(error, BrokenPipeError):
            status = _tell(_unwritable_output(error))
        # what is left in the buffer would fail once more at the very end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


def _unwritable_output(error: OSError) -> CommandError:
    return CommandError(f"standard output cannot be written: {error.strerror}")


def _tell(error: CommandError) -> int:
    for line in str(error).split("\n"):
        print(f"Error: {printable(line)}", file=sys.stderr)
    return error.status


def _not_installed(error: ModuleNotFoundError) -> CommandError:
    """Return the error for the user whose library is missing; raise `error` again if it is a module of ours.

    Commands import their libraries when they run, so it turns out only then that one is missing.
    """
    name = (error.name or "").partition(".")[0]
    if (_ROOT / name).exists() or (_ROOT / f"{name}.py").exists() or name in sys.stdlib_module_names:
        raise error
    cure = (
        f"type '.venv/bin/python {PROGRAM}'"
        if (_ROOT / ".venv").is_dir() and not Path(sys.prefix).is_relative_to(_ROOT)
        else "type 'python3 -m venv .venv && .venv/bin/pip install -r requirements.txt' and then "
        f"'.venv/bin/python {PROGRAM}'"
    )
    return CommandError(
        f"the library {name} is not installed for {sys.executable}. In the folder {_ROOT}, {cure}"
    )


def command_names() -> list[str]:
    """Return the names of all commands, sorted."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(commands.__path__))


def load_command(name: str) -> BaseCommand:
    """Return the command called `name`; CommandError suggests the nearest if there is none."""
    if name not in command_names():
        begun = [known for known in command_names() if name and known.startswith(name)]
        near = begun or difflib.get_close_matches(name, command_names(), n=1)
        hint = f"Did you mean {near[0]}?" if near else f"'{PROGRAM} help' lists the commands."
        raise CommandError(f"unknown command {without_password(name)!r}. {hint}", status=2)
    module = importlib.import_module(f"{commands.__name__}.{name.replace('-', '_')}")
    command: BaseCommand = module.Command()
    return command


def build_parser(name: str, command: BaseCommand) -> argparse.ArgumentParser:
    """Return the parser of one command: its own arguments, then a flag for each setting it uses."""
    with _uninterrupted():
        from config.settings import SETTINGS, default_text

    parser = Parser(prog=f"{PROGRAM} {name}", description=command.help, allow_abbrev=False)
    parser.settings = SETTINGS
    command.add_arguments(parser)
    if command.is_role:
        parser.add_argument(
            "--stop-at-eof",
            action="store_true",
            help="stop when standard input closes, as it does when the process that started this one ends",
        )
    group = parser.add_argument_group(
        "settings", "each also from the environment or .env, by its name in capitals; the flag wins"
    )
    names = _settings_of(command)
    short = {"broker": "-b", "mqtt_version": "-V", "topic" if "topic" in names else "stats_topic": "-t"}
    for setting in names:
        text = f"{SETTINGS[setting].description} (default: {default_text(setting)})"
        group.add_argument(
            *filter(None, (short.get(setting), f"--{setting.replace('_', '-')}")),
            dest=setting,
            metavar=setting.upper(),
            default=argparse.SUPPRESS,
            help=text.replace("%", "%%"),
        )
    if "broker" in names:
        group.add_argument(
            *("-u", "--username"),
            default=argparse.SUPPRESS,
            help="user at the broker (default: the one in BROKER, if any)",
        )
        group.add_argument(
            *("-P", "--password"),
            action=AskForPassword,
            default=argparse.SUPPRESS,
            help="ask for the user's password on the terminal (default: the one in BROKER, if any)",
        )
    return parser


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold back the signals to stop.

    In the middle of importing an extension module, the exception from a handler may turn into any other.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run(arguments: list[str]) -> None:
    match arguments:
        case [] | ["help" | "-h" | "--help"]:
            _print_commands()
        case ["--version"]:
            from scheduler_app.version import version_line

            print(version_line())
        case ["help", name, *_]:
            build_parser(name, load_command(name)).print_help()
        case [name, *rest]:
            _run_command(name, rest)


def _run_command(name: str, arguments: list[str]) -> None:
    command = load_command(name)
    _check_folder()
    options = build_parser(name, command).parse_args(_join_descending(arguments))

    from config.database_url import has_password
    from config.settings import InvalidSettings, load_settings
    from models.storage.drivers import hidden_drivers
    from scheduler_app.log import configure_log

    flags = {key: value for key, value in vars(options).items() if key in _settings_of(command)}
    if "@" in flags.get("broker", ""):
        raise CommandError(NO_PASSWORD.format("--broker"), status=2)
    if has_password(flags.get("db_url", "")):
        raise CommandError(NO_DATABASE_PASSWORD, status=2)
    try:
        settings = load_settings(flags)
        if "username" in options or "password" in options:
            # also among the options, for the roles that this one may start
            flags["broker"] = options.broker = _with_login(settings, options)
            settings = load_settings(flags)
    except InvalidSettings as error:
        raise CommandError(str(error), status=2) from None
    configure_log(settings.log_level, role=name)
    # a role with this flag was started by another, which has given the warnings already
    if not (command.is_role and options.stop_at_eof):
        _check_topic(command, settings, given=flags)
        _warn(command, settings, given=flags)
    with (
        nullcontext() if "db_url" in settings.given else hidden_drivers(),
        _uninterrupted() if command.is_role else nullcontext(),  # until it handles them by itself
    ):
        command.handle(options, settings)


def _check_folder() -> None:
    """Raise CommandError if the current folder, which files are named from, was deleted under the shell."""
    try:
        os.getcwd()  # noqa: PTH109 - a Path takes longer, and this is all that it would do
    except FileNotFoundError:
        raise CommandError("the current folder is not there any more: go to one that is, by 'cd'") from None


def _with_login(settings: "Settings", options: argparse.Namespace) -> str:
    """Return BROKER with the user from the flag, and with the password that is typed if it is asked for."""
    broker = settings.broker
    username = getattr(options, "username", broker.username)
    if not username:
        raise CommandError("-P needs a user: name one with -u, or in BROKER", status=2)
    password = broker.password if username == broker.username else None
    if "password" in options:
        if not sys.stdin.isatty():
            raise CommandError(f"there is no terminal to type a password on: {IN_THE_ENVIRONMENT}", status=2)
        password = getpass(f"Password of {printable(username)} at {broker}: ")
    return broker.url_for(username, password)


def _check_topic(command: BaseCommand, settings: "Settings", given: Collection[str]) -> None:
    """Tell of a TOPIC whose place a stream file has taken; CommandError if it is asked for, and not read."""
    from loguru import logger

    from config.topic_setting import not_read

    uses_both = {"topic", "streams_file"} <= set(command.settings)
    if not uses_both or settings.streams_file is None or "topic" not in settings.given:
        return
    why = f"STREAMS_FILE={settings.streams_file} takes the place of TOPIC"
    if missing := not_read(settings.topic.split(","), settings.streams):
        text = (
            f"TOPIC={printable(','.join(missing))} is not read, since {why}: add a stream, or leave out one"
        )
        if "topic" in given:
            raise CommandError(f"{text} of the two", status=2)
        logger.warning("{} of the two", text)
    elif "topic" in given:
        logger.warning("{}: what else its streams name is read too", why)


def _warn(command: BaseCommand, settings: "Settings", given: Collection[str]) -> None:
    """Tell what a user may not have meant; `given` are the settings that have a flag."""
    from loguru import logger

    from config.broker_address import CLEAR_PASSWORD
    from config.settings import misspelt_settings

    for misspelt in misspelt_settings():
        logger.warning("{}", misspelt)
    uses_broker = "broker" in (given if command.is_apart else command.settings)
    if command.is_role and uses_broker and settings.broker.reveals_password:
        logger.warning(CLEAR_PASSWORD, settings.broker)


def _join_descending(arguments: list[str]) -> list[str]:
    """Return the arguments with `--sort -age` as `--sort=-age`; argparse would take `-age` for a flag."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] == "--sort" and re.match(r"-\w", argument):
            joined[-1] = f"--sort={argument}"
        else:
            joined.append(argument)
    return joined


def _settings_of(command: BaseCommand) -> tuple[str, ...]:
    return (*command.settings, *_COMMON_SETTINGS)


def _print_commands() -> None:
    import textwrap

    print(f"Usage: python {PROGRAM} COMMAND [options]")
    names = command_names()
    grouped = [name for _, group in _GROUPS for name in group]
    others = tuple(name for name in names if name not in grouped)
    for title, group in (*_GROUPS, (_OTHERS, others)):
        print(f"\n{title}:")
        for name in group:
            text = f"{name:<18} {load_command(name).help}"
            print(textwrap.fill(text, _WIDTH, initial_indent=" " * 2, subsequent_indent=" " * 21))
    print(f"\n'{PROGRAM} help COMMAND' explains one, with every setting and its default.")
