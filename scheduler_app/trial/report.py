"""What is told of the messages that are tried."""

import json
from collections import Counter
from collections.abc import Iterator

from config.text import printable, shortened
from scheduler_app.cures import cure_of
from scheduler_app.formatting import counted_text, local_zone, moment_text, time_text
from scheduler_app.intake.trial import Fate, TriedReading

# Characters of a payload and of a detail that are shown.
_SHOWN, _SHOWN_DETAIL = 200, 300
# What is said of a message that is no reading and no error, by the counter that counts it.
_SAID = {
    "retained": "retained: an old copy that the broker keeps, which is not counted",
    "ignored": "ignored: there is nothing in it that is looked for",
    "late": "late, and in no average",
    "duplicates": "a duplicate: it has come before, under the same id or as its stream says (repeat)",
}
_COUNTED = ("late", "duplicates", "retained", "ignored")


class Report:
    """Makes lines of what becomes of messages, and a summary of all of them."""

    def __init__(self) -> None:
        self.messages = 0
        self.readings = 0
        self.rejected: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._unread = 0
        self._series: set[str] = set()
        self._cured: set[str] = set()

    def count(self, fate: Fate) -> None:
        """Count what becomes of one message."""
        self.messages += 1
        self.readings += len(fate.readings)
        self._series.update(reading.series for reading in fate.readings)
        self.rejected.update(rejection.reason for rejection in fate.rejections)
        self._counts.update({name: fate.counts[name] for name in _COUNTED})
        self._unread += not fate.counts and not fate.readings

    def lines(self, fate: Fate, when_new: Fate | None = None) -> Iterator[str]:
        """Yield what is told of one message; a cure only once.

        `when_new`: what would have become of a retained copy when it was new.
        """
        payload = printable(fate.message.payload[: _SHOWN + 1].decode(errors="backslashreplace"))
        if len(payload) > _SHOWN:
            payload = f"{payload[:_SHOWN]}…"
        yield f"{printable(fate.message.topic)} {payload}"
        yield from self._what_becomes(fate, fate.message.arrived, "  ")
        if when_new is not None:
            yield "  when it was new:"
            yield from self._what_becomes(when_new, fate.message.arrived, "    ")

    def _what_becomes(self, fate: Fate, arrived: float, indent: str) -> Iterator[str]:
        for reading in fate.readings:
            yield indent + _reading_text(reading, arrived)
        for rejection in fate.rejections:
            detail = shortened(printable(rejection.detail), _SHOWN_DETAIL)
            yield f"{indent}rejected: {rejection.reason}{f', {detail}' if detail else ''}"
            if rejection.reason not in self._cured:
                self._cured.add(rejection.reason)
                yield f"{indent}  {cure_of(rejection.reason)}"
        for name in _COUNTED:
            if fate.counts[name]:
                remark = f"; {printable(fate.remark)}" if fate.remark and name in ("late", "ignored") else ""
                yield f"{indent}{_SAID[name]}{remark}"
        if not fate.counts and not fate.readings:
            yield f"{indent}not read: no stream has this topic"

    def summary(self) -> str:
        """Return in one line what has become of all."""
        parts = [f"{counted_text(self.readings, 'reading')} of {len(self._series):,} series"]
        if number := self.rejected.total():
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.rejected.most_common())
            parts.append(f"{number:,} rejected ({reasons})")
        parts += [f"{self._counts[name]:,} {name}" for name in _COUNTED if self._counts[name]]
        if self._unread:
            parts.append(f"{self._unread:,} on topics that no stream has")
        return f"{counted_text(self.messages, 'message')}: {', '.join(parts)}. Nothing was stored."


def as_json(fate: Fate) -> str:
    """Return what becomes of one message as JSON in one line; times are UTC epoch seconds."""
    return json.dumps(
        {
            "topic": fate.message.topic,
            "payload": fate.message.payload[:4096].decode(errors="backslashreplace"),
            "retained": fate.message.retained,
            "readings": [
                {"series": one.series, "value": one.value, "time": one.time, "unit": one.unit}
                for one in fate.readings
            ],
            "rejected": [
                {"reason": one.reason, "detail": one.detail, "cure": cure_of(one.reason)}
                for one in fate.rejections
            ],
            **{name: fate.counts[name] for name in _COUNTED},
            "no_stream": not fate.counts and not fate.readings,
            "remark": fate.remark,
        }
    )


def _reading_text(reading: TriedReading, arrived: float) -> str:
    unit = f" {reading.unit}" if reading.unit else ""
    text = f"{printable(reading.series)} = {repr(reading.value).removesuffix('.0')}{printable(unit)}"
    if reading.time == arrived:
        return f"{text}, at the time it came"
    local = f" = {moment_text(reading.time)}" if local_zone().utcoffset(None) else ""
    behind = arrived - reading.time
    age = f"{behind:.1f} s before it came" if behind >= 0 else f"{-behind:.1f} s after it came"
    return f"{text}, at {time_text(reading.time)} UTC{local}, {age}"
