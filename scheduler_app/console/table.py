"""Tables for people: the one file that knows tabulate. All texts in them are made printable and cut short."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from tabulate import tabulate, tabulate_formats

from config.text import printable, shortened

FORMATS: tuple[str, ...] = tuple(tabulate_formats)
# The most characters of a text in a cell: one name of 1,024 bytes would make every row as wide.
WIDEST_CELL = 80


def render(averages: Mapping[str, float | None], table_format: str) -> str:
    """Return the averages as one row under its headings; an empty window is a dash."""
    return str(
        tabulate(
            [averages.values()], headers=list(map(_text, averages)), tablefmt=table_format, missingval="-"
        )
    )


def render_table(rows: Sequence[Sequence[object]], headings: Sequence[str]) -> str:
    """Return rows under their headings, texts as they are."""
    return str(tabulate(map(_texts, rows), headers=list(map(_text, headings)), disable_numparse=True))


def render_columns(
    rows: Sequence[Sequence[str]], headings: Sequence[str], right: Collection[int], table_format: str
) -> str:
    """Return rows under their headings, texts as they are; the columns in `right` are aligned right."""
    sides = ["right" if column in right else "left" for column in range(len(headings))]
    return str(
        tabulate(
            map(_texts, rows),
            headers=list(map(_text, headings)),
            tablefmt=table_format,
            disable_numparse=True,
            colalign=sides,
        )
    )


def render_pairs(pairs: Mapping[str, object]) -> str:
    """Return names and values in two columns."""
    return str(tabulate(map(_texts, pairs.items()), tablefmt="plain", disable_numparse=True))


def _texts(cells: Iterable[object]) -> list[object]:
    """Return cells with all text in them on one line, and nothing in it that a terminal obeys."""
    return [cell if cell is None or isinstance(cell, int | float) else _text(str(cell)) for cell in cells]


def _text(text: str) -> str:
    return shortened(printable(text), WIDEST_CELL)
