"""The devices that Home Assistant is to have: what is to be on each, by its series and their sources."""

from collections.abc import Callable, Iterator

from config.settings import Settings
from config.topics import matches
from models.catalog import SeriesRow
from models.statistics.plan import Plan
from scheduler_app.publishing.home_assistant.device_message import own_device
from scheduler_app.publishing.home_assistant.entity import entities
from scheduler_app.publishing.home_assistant.identity import Identity
from scheduler_app.publishing.home_assistant.next_step import Wanted
from scheduler_app.publishing.home_assistant.series import Described, describe
from scheduler_app.publishing.home_assistant.sources import Sources, is_filter


class Devices:
    """The series that appear in Home Assistant, by the id of their device. No lock: one user at a time."""

    def __init__(
        self,
        settings: Settings,
        identity: Identity,
        sources: Sources,
        row_of: Callable[[str], SeriesRow | None],
    ) -> None:
        """`row_of` returns a series by its name, None if there may be none such."""
        self._settings = settings
        self._identity = identity
        self._sources = sources
        self._row_of = row_of
        # By the id of the device, and by name.
        self._series: dict[str, dict[str, Described]] = {}
        # Of each series that was looked at: what is computed of it, and the device it is on, if any.
        self._known: dict[str, tuple[Plan, str | None]] = {}
        # The devices of the series that come on a topic.
        self._of_topic: dict[str, set[str]] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._series)

    def see(self, name: str, plan: Plan) -> str | None:
        """Take note of a series, and return the id of its device if that has changed by it."""
        known = self._known.get(name)
        if known is not None and known[0] is plan:
            return None
        row = self._row_of(name)
        if row is None:
            return None
        series = describe(self._settings, row, plan)
        device_id = None if series is None else self._identity.device_id(series.base)
        self._known[name] = plan, device_id
        if series is not None and device_id is not None:
            self._series.setdefault(device_id, {})[name] = series
            self._of_topic.setdefault(series.topic, set()).add(device_id)
        return device_id

    def forget(self, name: str) -> str | None:
        """Forget a series that is gone, and return the id of its device if it was on one."""
        _, device_id = self._known.pop(name, (None, None))
        if device_id is None:
            return None
        on_it = self._series[device_id]
        topic = on_it.pop(name).topic
        if all(series.topic != topic for series in on_it.values()):
            self._of_topic[topic].discard(device_id)
            if not self._of_topic[topic]:
                del self._of_topic[topic]
        if not on_it:
            del self._series[device_id]
        return device_id

    def on_topic(self, topic: str) -> set[str]:
        """Return the ids of the devices with series that come on a topic, or on what a filter matches."""
        if not is_filter(topic):
            return self._of_topic.get(topic, set())
        return {
            device_id
            for other, device_ids in self._of_topic.items()
            if matches(topic, other)
            for device_id in device_ids
        }

    def wanted(self, device_id: str) -> Wanted | None:
        """Return what a device is to be, None if there is to be none of that id.

        It is that of the source, if all that sources say of its series names the same one.
        """
        series = self._series.get(device_id)
        if series is None:
            return None
        announced = {name: self._sources.find(each.topic, each.paths) for name, each in series.items()}
        theirs = {each.device for each in announced.values() if each is not None and each.device is not None}
        base = next(iter(series.values())).base
        device = theirs.pop() if len(theirs) == 1 else own_device(device_id, base)
        found = [
            entity
            for name in sorted(series)
            for entity in entities(series[name], announced[name], self._settings, self._identity)
        ]
        return Wanted(device, found)
