"""The ids that Home Assistant knows our devices and entities by. They never change: history hangs on them.

They follow from CLIENT_ID and STATS_TOPIC, by which installations at one broker differ, and from the names of
series. So they are the same after a restart, an upgrade, and when something is shown under another name.
"""

import hashlib
import re

from config.home_assistant import OUR_DEVICES
from config.settings import Settings

# Hexadecimal digits. Of 20,000 names, two have the same 16 with a chance of one in 90 thousand million.
_OF_INSTALLATION, _OF_NAME = 8, 16
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9_-]")


class Identity:
    """The ids of one installation."""

    def __init__(self, settings: Settings) -> None:
        # What the ids of all its devices and entities begin with.
        own = _digest(f"{settings.client_id}\0{settings.stats_topic}", _OF_INSTALLATION)
        self.prefix = f"{OUR_DEVICES}{own}_"

    def device_id(self, base: str) -> str:
        """Return the id of the device of a source; it may stand in a topic."""
        return f"{self.prefix}{_digest(base, _OF_NAME)}"

    def component(self, series: str, window: str, statistic: str) -> str:
        """Return the key of an entity in the message of its device."""
        return _NOT_ALLOWED.sub("_", f"{_digest(series, _OF_NAME)}_{window}_{statistic}")

    def unique_id(self, component: str) -> str:
        """Return the id of the entity with that key."""
        return f"{self.prefix}{component}"


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:length]
