"""The averages as a table: the one file that knows tabulate."""

from collections.abc import Mapping

from tabulate import tabulate, tabulate_formats

FORMATS: tuple[str, ...] = tuple(tabulate_formats)


def render(averages: Mapping[str, float | None], table_format: str) -> str:
    """Return one row under its headings; an empty window is a dash."""
    return str(tabulate([averages.values()], headers=list(averages), tablefmt=table_format, missingval="-"))
