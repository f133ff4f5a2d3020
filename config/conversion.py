"""How a number is made of what stands in a message, and what is said about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from config.pattern import Pattern


@dataclass(frozen=True)
class Conversion:
    """How a number is made of what stands in a field: in the order in which the attributes stand here."""

    # A text is searched for it: the number is in its group.
    pattern: Pattern | None = None
    # A text may end with it. It is told to whoever shows the series, too.
    unit: str | None = None
    # The sign between the whole part of a number in a text and its fraction.
    decimal: str = "."
    # Numbers for words, which are in lower case here.
    map: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    # The number is multiplied by the one and the other is added, exactly as decimal fractions.
    scale: Decimal | None = None
    offset: Decimal | None = None
    # From and up to what the result may be.
    range: tuple[float, float] | None = None
    # What is measured, in the words of Home Assistant; only told to whoever shows the series.
    device_class: str | None = None

    @property
    def reads_texts(self) -> bool:
        """Whether a text may say a number that is no number to others."""
        return bool(self.pattern or self.unit or self.map or self.decimal != ".")

    @property
    def changes_nothing(self) -> bool:
        """Whether a number is taken as it stands."""
        return not (self.reads_texts or self.scale is not None or self.offset is not None or self.range)

    def but(self, own: Mapping[str, Any]) -> "Conversion":
        """Return the same with what is said otherwise, by the names of the attributes."""
        return replace(self, **own) if own else self


AS_IT_STANDS = Conversion()
