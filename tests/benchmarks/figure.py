"""One line of the table: what was measured, ours and another's."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from scheduler_app.console.table import render_columns


@dataclass(frozen=True)
class Figure:
    """A figure of ours, and the same of a `reference`, taken beside it."""

    name: str
    unit: str
    ours: float
    reference: str = ""
    theirs: float | None = None
    # Whether more is better.
    more_is_better: bool = False

    @property
    def ratio(self) -> float | None:
        """How many times better ours is: above 1 it is ahead, below 1 behind."""
        if self.theirs is None:
            return None
        return self.ours / self.theirs if self.more_is_better else self.theirs / self.ours

    def as_dict(self) -> dict[str, object]:
        return {**asdict(self), "ratio": self.ratio}


def render(figures: Sequence[Figure]) -> str:
    """Return the table."""
    rows = [
        (
            figure.name,
            figure.unit,
            _number(figure.ours),
            "-" if figure.theirs is None else _number(figure.theirs),
            figure.reference or "-",
            "-" if figure.ratio is None else f"{figure.ratio:.2f}",
        )
        for figure in figures
    ]
    return render_columns(
        rows, ("figure", "unit", "ours", "theirs", "reference", "ratio"), {2, 3, 5}, "github"
    )


def _number(value: float) -> str:
    """Return a number with three digits, or all of a large one's."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
