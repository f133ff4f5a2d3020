"""In which line of a stream file each key stands."""

import tomllib


def lines_of_keys(text: str) -> dict[tuple[int, str], int]:
    """Return in which line each key stands, by the number of its [[stream]]; `""` is that line itself.

    The text is valid TOML. A statement of one line or several is the shortest piece that is valid alone.
    """
    lines: dict[tuple[int, str], int] = {}
    table = begin = 0
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
                lines.setdefault((table, name), begin + 1)
            elif name != "stream":
                lines.setdefault((0, name), begin + 1)
            elif isinstance(value, list):
                table += 1
                lines[table, ""] = begin + 1
            else:  # [stream.name]
                lines.update({(table, inner): begin + 1 for inner in value})
        begin = end
    return lines
