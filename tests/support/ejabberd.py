"""ejabberd with its module for MQTT 3.1.1 and 5."""

from collections.abc import Mapping
from pathlib import Path

from tests.support.brokers import Login, find_program
from tests.support.erlang import ErlangBroker, first_of
from tests.support.ports import HOST

_CODE = [Path("/usr/lib/x86_64-linux-gnu"), Path("/usr/lib/aarch64-linux-gnu")]
_CONFIGURATION = """\
hosts: [localhost]
loglevel: warning
auth_method: [anonymous]
allow_multiple_connections: true
anonymous_protocol: login_anon
listen:
  - {{ port: {port}, ip: "{host}", module: mod_mqtt }}
modules:
  mod_mqtt:
    session_expiry: {session_expiry}
    max_queue: infinity
"""


class Ejabberd(ErlangBroker):
    """`ejabberd` with `mod_mqtt` alone."""

    # it keeps sessions in memory
    persistent = False

    def __init__(self, folder: Path, *, session_expiry: str = "1 day") -> None:
        """`session_expiry`: for how long it keeps the session of who is away; 5 minutes if not set."""
        super().__init__(folder, Login("averages@localhost", "whatever"))
        self._session_expiry = session_expiry

    def _program(self) -> tuple[list[str], Mapping[str, str]]:
        code = first_of([path / "ejabberd-23.01" for path in _CODE], "ejabberd").parent
        configuration = self._folder / "ejabberd.yml"
        configuration.write_text(
            _CONFIGURATION.format(port=self.port, host=HOST, session_expiry=self._session_expiry)
        )
        data = self._folder / "data"
        command = [find_program("erl"), "-noinput", "-mnesia", "dir", f'"{data}"', "-s", "ejabberd"]
        return command, {
            "EJABBERD_CONFIG_PATH": str(configuration),
            "EJABBERD_LOG_PATH": str(self._folder / "ejabberd.log"),
            "ERL_LIBS": str(code),
        }
