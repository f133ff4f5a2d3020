"""In which line of a stream file each key stands."""

import tomllib
from collections import Counter
from collections.abc import Mapping


def lines_of_keys(text: str) -> dict[tuple[int, str], int]:
    """Return in which line each key stands, by the number of its [[stream]]; `""` is that line itself.

    A key in the third [[stream.value]] of its stream is `value.2.scale`, and its line itself `value.2`; what
    is in [stream.value] is in the first. The text is valid TOML. A statement of one line or several is the
    shortest piece that is valid alone.
    """
    lines: dict[tuple[int, str], int] = {}
    table = begin = 0
    prefix = ""
    inner_tables: Counter[str] = Counter()
    rows = text.split("\n")
    for end in range(1, len(rows) + 1):
        statement = "\n".join(rows[begin:end])
        try:
            names = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue  # the statement goes on in the next line
        header = statement.lstrip().startswith("[")
        for name, value in names.items():
            if not header:
                lines.setdefault((table, prefix + name), begin + 1)
                for inner in value if isinstance(value, dict) else ():  # name.inner = …
                    lines.setdefault((table, f"{prefix}{name}.0.{inner}"), begin + 1)
            elif name != "stream":
                lines.setdefault((0, name), begin + 1)
            elif isinstance(value, list):
                table += 1
                prefix = ""
                inner_tables.clear()
                lines[table, ""] = begin + 1
            else:  # [stream.name] or [[stream.name]]
                prefix = _inner(value, inner_tables)
                own = prefix.removesuffix(".")
                for outer in (*value, own.rpartition(".")[0]):
                    lines.setdefault((table, outer), begin + 1)
                lines[table, own] = begin + 1
        begin = end
    return lines


def line_of(lines: Mapping[tuple[int, str], int], table: int, name: str) -> int:
    """Return the line of a key of a [[stream]], or else that of the nearest thing around it."""
    while (table, name) not in lines and name:
        name = name.rpartition(".")[0]
    return lines.get((table, name), 1)


def _inner(header: Mapping[str, object], inner_tables: Counter[str]) -> str:
    """Return what the names of keys below a header begin with."""
    prefix = ""
    for name, value in header.items():
        if isinstance(value, list):
            inner_tables[name] += 1
        prefix += f"{name}.{max(0, inner_tables[name] - 1)}."
    return prefix
