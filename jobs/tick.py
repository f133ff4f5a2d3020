"""Take all statistics at one moment, and hand them to whoever publishes them."""

from collections.abc import Callable

from models.statistics.tick import Tick


def tick(take: Callable[[float], Tick], publish: Callable[[Tick], object], now: Callable[[], float]) -> None:
    """Have `take` take the statistics at `now()` (UTC epoch seconds), and `publish` publish them.

    Whatever `take` raises is raised, and nothing is published.
    """
    publish(take(now()))
