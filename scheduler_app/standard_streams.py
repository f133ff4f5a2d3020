"""Standard input, output and error, where whoever started us has closed them."""

import os
import sys


def open_closed_streams() -> None:
    """Have /dev/null in the place of each that is closed.

    Python has None there, which little of what prints expects. And the next file that is opened, such as the
    database, would get its number, and with it whatever a library prints.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)  # as those that are open
    os.close(number)
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)
