"""argparse as our users need it: no password on the command line, and help for a flag that there is not."""

import argparse
import difflib
import re
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any, NoReturn

from scheduler_app.errors import CommandError

PROGRAM = "manage.py"
# Flags that users of Mosquitto's clients type, and what they are here.
_OF_MOSQUITTO = {
    "-h": "--broker HOST",
    "-p": "--broker HOST:PORT",
    "-L": "BROKER=URL in the environment or in .env",
    "-i": "--client-id",
    "--cafile": "--broker-cafile",
    "--cert": "--broker-certfile",
    "--key": "--broker-keyfile",
}
IN_THE_ENVIRONMENT = "set BROKER in the environment or in .env instead, to mqtt://USER:PASSWORD@HOST"
NO_PASSWORD = (
    f"{{}} takes no password, since others could read it in the list of processes: {IN_THE_ENVIRONMENT}"
)
NO_DATABASE_PASSWORD = (
    "--db-url takes no password, since others could read it in the list of processes: set DB_URL in the "
    "environment or in .env instead, or leave the password to PGPASSWORD or to ~/.pgpass"
)
_ALONE = ". Without a value, {} asks for it"


class AskForPassword(argparse.Action):
    """A flag whose value is typed where nobody else reads it, and never on the command line."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        super().__init__(option_strings, dest, nargs="?", const="", **options)

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        if values:
            raise CommandError(NO_PASSWORD.format(option_string) + _ALONE.format(option_string), status=2)
        setattr(namespace, self.dest, True)


class Parser(argparse.ArgumentParser):
    """Raises CommandError for a wrong call."""

    # The names of all settings, also of those that the command does not use.
    settings: Collection[str] = ()

    def print_help(self, file: Any = None) -> None:
        """Print as everything else is printed: argparse would say nothing of an output that takes no more."""
        print(self.format_help(), end="", file=file, flush=True)

    def error(self, message: str) -> NoReturn:
        message = without_password(message)
        end = "" if message.endswith("?") else "."
        raise CommandError(f"{message}{end} '{PROGRAM} help {self.prog.split()[-1]}' explains.", status=2)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as argparse does, but tell of a flag that there is not which one may be meant."""
        for flag, value in pairwise(args or ()):
            if flag == "-h" and not value.startswith("-") and "--broker" in self._option_string_actions:
                self.error(f"-h prints this help{self._meant(flag)}")
        found, unknown = super().parse_known_args(args, namespace)
        flag = next((text.partition("=")[0] for text in unknown if re.match(r"--?[A-Za-z]", text)), None)
        if flag is not None and flag not in self._option_string_actions:  # or it stands behind a --
            self.error(f"unknown flag {flag}{self._meant(flag)}")
        return found, unknown

    def _meant(self, flag: str) -> str:
        known = list(self._option_string_actions)
        setting = flag.removeprefix("--").replace("-", "_")
        if setting in self.settings:
            return f"; this command does not use {setting.upper()}"
        if flag in _OF_MOSQUITTO and "--broker" in known:
            return f"; what Mosquitto's clients call {flag} is {_OF_MOSQUITTO[flag]} here"
        near = difflib.get_close_matches(flag, [name for name in known if name.startswith("--")], n=1)
        return f"; did you mean {near[0]}?" if near else ""


def without_password(text: str) -> str:
    """Return `text`, which repeats what a user typed, without what may be a password in it."""
    # word by word: to search for `//` and an `@` behind it in one go takes as long as the square of the text
    return re.sub(r"\S+", lambda word: _hide_password(word[0]), text)


def _hide_password(word: str) -> str:
    begin, end = word.find("//"), word.rfind("@")
    return f"{word[:begin]}//***@{word[end + 1 :]}" if 0 <= begin < end - 1 else word
