"""Text from outside, made fit for one line on a terminal."""


def printable(text: str) -> str:
    """Return `text` with everything that is no printable character, line ends too, as an escape."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
