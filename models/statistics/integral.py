"""Averages over time without any rounding on the way."""

from models.statistics.exact import ExactSum, ratio


class Integral:
    """The integral of values over time, and over how much time: both exact."""

    __slots__ = ("seconds", "total")

    def __init__(self) -> None:
        self.total = ExactSum()
        self.seconds = ExactSum()

    def add(self, value: float, begin: float, end: float, sign: int = 1) -> None:
        """Add a value that holds from `begin` to `end`; with `sign` -1 take it away."""
        numerator, bits = ratio(value)
        for time, direction in ((end, sign), (begin, -sign)):
            time_numerator, time_bits = ratio(time)
            self.total.add(direction * numerator * time_numerator, bits + time_bits)
            self.seconds.add(direction * time_numerator, time_bits)

    def add_all(self, other: "Integral") -> None:
        """Add all that has been added to another."""
        self.total.add(*other.total.ratio())
        self.seconds.add(*other.seconds.ratio())

    def mean(self) -> float | None:
        """Return the average over the time, None if that is none. Raises OverflowError."""
        seconds = self.seconds.rounded()
        return self.total.rounded() / seconds if seconds else None
