"""What Ctrl-C and SIGTERM do to a program that has no other use for them: they end it, quietly and once."""

import signal
import sys
from collections.abc import Callable
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Seconds after which an interrupt comes again that Python could not hand on.
_AGAIN = 0.01


def exit_status_of(program: Callable[[], int]) -> int:
    """Run `program` and return its exit status; 0 if it was interrupted.

    From the first signal on, and when `program` has returned, further ones are ignored: while the interpreter
    ends, they would kill it, or show a traceback. Signals that were held back are let through first.
    """
    signal.signal(signal.SIGTERM, _interrupt)  # as PID 1 there is no handler but ours
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell may have it ignored
        signal.signal(signal.SIGINT, _interrupt)
    sys.unraisablehook = _take_unraisable
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        try:
            return program()
        finally:
            _ignore_more()
    except KeyboardInterrupt:
        return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    _ignore_more()
    raise KeyboardInterrupt


def _take_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    """Have an interrupt come again a little later that was raised where Python can only drop it.

    That is so while an object is taken away: the program would go on, and all further signals are ignored.
    """
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, _AGAIN)


def _ignore_more() -> None:
    for number in (*STOP_SIGNALS, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
