"""What systemd, or another service manager that has started us, wants to hear of us."""

import os
import socket

from loguru import logger

from scheduler_app.log import LogLimit


class ServiceManager:
    """Whoever listens at the socket that NOTIFY_SOCKET names; nobody where it is not set (sd_notify(3)).

    It is no setting of a user's: the service manager puts it into our environment.
    """

    def __init__(self) -> None:
        self._path = os.environ.get("NOTIFY_SOCKET", "")
        self._complaints = LogLimit()

    def __bool__(self) -> bool:
        """Whether anybody listens."""
        return bool(self._path)

    def tell(self, *state: str) -> None:
        """Send `state`, such as READY=1. What cannot be sent is told in the log, once a minute, and left.

        Nothing is waited for: a service manager that does not read must not hold us up.
        """
        if not self._path:
            return
        # one that begins with @ has no file: Linux knows it by a name that begins with a zero byte
        address = f"\0{self._path[1:]}" if self._path.startswith("@") else self._path
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.setblocking(False)
                channel.sendto("\n".join(state).encode(), address)
        except OSError as error:
            if self._complaints.allows("notify") is not None:
                reason = error.strerror or error
                logger.error("the service manager at NOTIFY_SOCKET={} cannot be told: {}", self._path, reason)
